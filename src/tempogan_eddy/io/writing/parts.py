"""Write long outputs part by part, in this process or by workers, and only those parts that are missing."""

from __future__ import annotations

import errno
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple, Protocol, TypeAlias

import dask
import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.frames import CUT_AT_ONCE, Tally, has_gaps, stacks_of
from tempogan_eddy.io.pipeline import is_seen, report_read, write_frames
from tempogan_eddy.io.unread import Unread, report_unread, shared_out, unread_noted
from tempogan_eddy.io.workers import Failures, Workers
from tempogan_eddy.wording import count

__all__ = ["Job", "Part", "Parts", "write_jobs"]

log = logging.getLogger(__name__)

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Errors that every later write to the same disk meets too."""


@dataclass(frozen=True)
class Part:
    """Some frames of a sequence, or a band of rows of one large frame."""

    frames: range
    rows: range


class Parts(Protocol):
    """The place of one sequence, to be filled in any order and by any process. It can be pickled."""

    @property
    def frames(self) -> int:
        """The frames of a part; the last part may have fewer."""

    @property
    def rows(self) -> int:
        """The rows of a part; the last part of a frame may have fewer."""

    def missing(self, parts: Iterable[Part]) -> list[Part]:
        """Return those of some parts that were not written whole."""

    def write(self, part: Part, kelvins: np.ndarray) -> None:
        """Write the frames (n, [member,] rows, x) of a part; again if they were written before."""

    def note(self, unread: Iterable[Unread]) -> Parts:
        """Record input frames that cannot be read in the attributes; return the place for the parts that lack them."""

    def finish(self) -> None:
        """Complete the output, once all parts are written."""


@dataclass
class Job:
    """One sequence and the place that it is written to.

    Parameters
    ----------
    sequence
        Lazy, (time, y, x) or (member, time, y, x).
    parts
        The place.
    on_frame
        Called with the number of frames written, those of an earlier run included.
    """

    sequence: xr.DataArray
    parts: Parts
    on_frame: Callable[[int], None]
    done: int = field(default=0, init=False)
    seen: bool = field(default=False, init=False)
    waiting: Counter[range] = field(default_factory=Counter, init=False)  # parts that are missing, by their frames
    unread: dict[Unread, None] = field(default_factory=dict, init=False)  # frames of the input

    @property
    def name(self) -> str:
        """What messages call the sequence."""
        return str(self.sequence.attrs.get("sequence", "the sequence"))

    def missing(self) -> list[Part]:
        """Return the parts that are still to be written."""
        frames, height = self.sequence.sizes["time"], self.sequence.sizes["y"]
        bands = _ranges(height, self.parts.rows)
        missing = self.parts.missing(Part(some, rows) for some in _ranges(frames, self.parts.frames) for rows in bands)
        self.waiting = Counter(part.frames for part in missing)
        self.done = frames - sum(map(len, self.waiting))
        if self.done:
            log.info("%s: %d of %s done before", self.name, self.done, count(frames, "frame"))
            self.on_frame(self.done)
        return missing

    def allows_gaps(self, failures: Failures) -> bool:
        """Record the frames that cannot be read, and return True if they are to be missing; else they are failures."""
        if has_gaps(self.sequence):
            try:
                report_unread(self.name, self.unread, self.sequence.sizes["time"])
            except InputError as error:
                failures.add(self.name, error, "sequence")
                return False
            self.parts = self.parts.note(self.unread)
            return True
        for one in self.unread:
            failures.add(f"A frame of {self.name}", one.error, "frame", one)
        return False

    def named(self, part: Part) -> str:
        """Return what a message calls a part."""
        where = f"Frames {part.frames.start + 1} to {part.frames.stop}"
        if len(part.rows) < self.sequence.sizes["y"]:
            where = f"Rows {part.rows.start + 1} to {part.rows.stop} of frame {part.frames.stop}"
        return f"{where} of {self.name}"

    def written(self, part: Part) -> None:
        """Count the frames of a part, if it was the last that they lacked."""
        self.waiting[part.frames] -= 1
        if self.waiting[part.frames]:
            return
        for _ in part.frames:
            self.done += 1
            self.on_frame(self.done)


def write_jobs(jobs: Iterable[Job], workers: Workers | None = None) -> None:
    """Write the missing parts of sequences, and complete each.

    Without workers, write in order, and read and compute the next frame while one is written; an error ends it. With
    workers, write all that can be written before an error is raised. In either case, write first what needs no frame
    that cannot be read; then, if such frames are missing in a sequence (`has_gaps`), record them and write the rest.

    Raises
    ------
    InputError
        Frames cannot be read, which are counted, or a part cannot be written; with workers, these are counted too.
    """
    failures = Failures()
    if workers is None:
        for job in jobs:
            _write_here(job, failures)
    else:
        _write_elsewhere(jobs, workers, failures)
    failures.end()


def _ranges(length: int, size: int) -> list[range]:
    return [range(first, min(first + size, length)) for first in range(0, length, size)]


def _write_here(job: Job, failures: Failures) -> None:
    left = _write_in_order(job, job.missing(), whole=True)
    if left:  # once more at the end: disks and networks have bad moments
        job.unread.clear()
        left = _write_in_order(job, left, whole=True)
    if left and job.allows_gaps(failures):
        left = _write_in_order(job, left, whole=False)
    if not left:
        job.parts.finish()


def _write_in_order(job: Job, parts: list[Part], *, whole: bool) -> list[Part]:
    """Write parts; return those left out, if all are to be `whole`, as they need a frame that cannot be read."""
    missing = {frames: list(some) for frames, some in groupby(parts, lambda part: part.frames)}
    left: list[Part] = []
    for run in _runs(missing):
        held: list[np.ndarray] = []
        unread: list[Unread] = []

        def add(number: int, frame: np.ndarray, run: range = run, held: Any = held, unread: Any = unread) -> None:
            held.append(frame)
            if len(held) == job.parts.frames or number + 1 == len(run):
                kelvins = np.stack(held) if len(held) > 1 else held[0][None]
                for part in missing[run[number + 1 - len(held) : number + 1]]:
                    if unread and whole:
                        left.append(part)
                    else:
                        job.parts.write(part, kelvins[..., part.rows.start : part.rows.stop, :])
                        job.written(part)
                held.clear()
                unread.clear()

        frames = job.sequence.isel(time=slice(run.start, run.stop))
        job.unread |= dict.fromkeys(write_frames(frames, add, lambda done: None, unread.extend))
    return left


def _runs(parts: Iterable[range]) -> Iterator[range]:
    """Join frames that follow each other."""
    run = range(0)
    for frames in parts:
        if run and run.stop != frames.start:
            yield run
            run = range(0)
        run = range(run.start if run else frames.start, frames.stop)
    if run:
        yield run


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some parts of a job: what a worker gets of it. dask searches the graph for each frame, so it is short."""

    number: int  # of the job
    first: int  # frame
    sequence: xr.DataArray
    parts: Parts
    whole: bool = True

    def write(self, together: tuple[Part, ...]) -> _Written:
        """Write parts computed together, but not those that are to be whole and lack a frame."""
        start, rows = together[0].frames.start, together[0].rows
        frames = slice(start - self.first, together[-1].frames.stop - self.first)
        lazy = self.sequence.data[..., frames, rows.start : rows.stop, :]
        with unread_noted(tried_again=True) as unread:
            kelvins = np.moveaxis(np.asarray(dask.compute(lazy, scheduler="synchronous")[0]), -3, 0)
        lacking = shared_out(unread, self.sequence["time"].values[frames])
        left, failed = list[Part](), list[Exception]()
        for part in together:
            own = slice(part.frames.start - start, part.frames.stop - start)
            if self.whole and any(lacking[own]):
                left.append(part)
                continue
            try:
                self.parts.write(part, kelvins[own])
            except Exception as error:  # the others are written all the same
                failed.append(error)
        if failed:
            raise failed[0]
        tallies = {stack.identity: stack.take_tally() for stack in stacks_of(self.sequence)}
        return _Written(is_seen(kelvins), tallies, unread, tuple(left))


Task: TypeAlias = tuple[_Piece, tuple[Part, ...]]


class _Written(NamedTuple):
    """What a worker says of parts: whether a pixel was seen, and what was masked of each stack."""

    seen: bool
    tallies: dict[str, Tally]
    unread: list[Unread]
    left: tuple[Part, ...]  # not written, as they need one of these frames


def _write_elsewhere(jobs: Iterable[Job], workers: Workers, failures: Failures) -> None:
    running: dict[int, tuple[Job, set[Part]]] = {}
    left = _write_tasks(_tasks(jobs, running), running, workers, failures)
    for job, _ in running.values():
        job.unread.clear()
    left = _write_tasks(left, running, workers, failures)  # once more at the end, as above
    filled = {number for number, (job, _) in running.items() if job.unread and job.allows_gaps(failures)}
    again = ((replace(piece, parts=running[piece.number][0].parts, whole=False), parts) for piece, parts in left)
    _write_tasks((task for task in again if task[0].number in filled), running, workers, failures)


def _write_tasks(
    tasks: Iterable[Task], running: dict[int, tuple[Job, set[Part]]], workers: Workers, failures: Failures
) -> list[Task]:
    """Write parts by workers, and complete the jobs that have no others; return the parts that were left out."""
    left: list[Task] = []
    for piece, together, outcome in workers.run(_Piece.write, tasks):
        job, missing = running[piece.number]
        if isinstance(outcome, OSError) and outcome.errno in FULL:  # no other part could be written either
            raise outcome
        if isinstance(outcome, Exception):
            missing.difference_update(together)
            whole = Part(range(together[0].frames.start, together[-1].frames.stop), together[0].rows)
            failures.add(job.named(whole), outcome)
            continue
        if outcome.left:
            left.append((piece, outcome.left))
        missing.difference_update({*together} - {*outcome.left})
        job.seen = job.seen or outcome.seen
        job.unread |= dict.fromkeys(outcome.unread)
        for stack in stacks_of(job.sequence):  # the piece may have fewer
            stack.add_tally(outcome.tallies.get(stack.identity, {}))
        for part in {*together} - {*outcome.left}:
            job.written(part)
        if not missing and job.done == job.sequence.sizes["time"]:
            report_read(job.sequence, something_seen=job.seen or bool(job.unread))
            job.parts.finish()
            del running[piece.number]
    return left


def _tasks(jobs: Iterable[Job], running: dict[int, tuple[Job, set[Part]]]) -> Iterator[Task]:
    for number, job in enumerate(jobs):
        missing = job.missing()
        if not missing:
            job.parts.finish()
            continue
        running[number] = job, set(missing)
        at_once = max(1, CUT_AT_ONCE // job.parts.frames)
        groups = list(_in_one_chunk(missing, job.sequence))
        for first in range(0, len(groups), at_once):
            some = groups[first : first + at_once]
            start, stop = some[0][0].frames.start, some[-1][-1].frames.stop
            frames = job.sequence.isel(time=slice(start, stop))
            piece = _Piece(number, start, frames.copy(data=dask.optimize(frames.data)[0]), job.parts)
            yield from ((piece, together) for together in some)


def _in_one_chunk(parts: Iterable[Part], sequence: xr.DataArray) -> Iterator[tuple[Part, ...]]:
    """Group parts that begin in one chunk of frames and hold the same rows: a GPU computes many frames at once."""
    of_frame = np.repeat(*map(np.array, zip(*enumerate(sequence.chunksizes["time"]), strict=True)))
    for _, together in groupby(parts, lambda part: (of_frame[part.frames.start], part.rows)):
        yield tuple(together)
