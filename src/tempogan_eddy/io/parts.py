"""Write long outputs part by part, in this process or by workers, and only those parts that are missing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

import dask
import numpy as np
import xarray as xr

from tempogan_eddy.io.frames import CUT_AT_ONCE, Tally, stacks_of
from tempogan_eddy.io.pipeline import is_seen, report_read, write_frames
from tempogan_eddy.io.workers import Failures, Workers
from tempogan_eddy.wording import count

__all__ = ["Job", "Part", "Parts", "write_jobs"]

log = logging.getLogger(__name__)


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

    def missing(self) -> list[Part]:
        """Return the parts that are still to be written."""
        frames, height = self.sequence.sizes["time"], self.sequence.sizes["y"]
        bands = _ranges(height, self.parts.rows)
        missing = self.parts.missing(Part(some, rows) for some in _ranges(frames, self.parts.frames) for rows in bands)
        self.waiting = Counter(part.frames for part in missing)
        self.done = frames - sum(map(len, self.waiting))
        if self.done:
            log.info("%s: %d of %s done before", self.sequence.attrs.get("sequence"), self.done, count(frames, "frame"))
            self.on_frame(self.done)
        return missing

    def named(self, part: Part) -> str:
        """Return what a message calls a part."""
        where = f"Frames {part.frames.start + 1} to {part.frames.stop}"
        if len(part.rows) < self.sequence.sizes["y"]:
            where = f"Rows {part.rows.start + 1} to {part.rows.stop} of frame {part.frames.stop}"
        return f"{where} of {self.sequence.attrs.get('sequence', 'the sequence')}"

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
    workers, write all that can be written before an error is raised.

    Raises
    ------
    InputError
        A frame cannot be read or written; with workers, the message counts the parts that failed.
    """
    if workers is not None:
        _write_elsewhere(jobs, workers)
        return
    for job in jobs:
        _write_here(job)
        job.parts.finish()


def _ranges(length: int, size: int) -> list[range]:
    return [range(first, min(first + size, length)) for first in range(0, length, size)]


def _write_here(job: Job) -> None:
    missing = {frames: list(parts) for frames, parts in groupby(job.missing(), lambda part: part.frames)}
    for run in _runs(missing):
        held: list[np.ndarray] = []

        def add(number: int, frame: np.ndarray, run: range = run, held: list[np.ndarray] = held) -> None:
            held.append(frame)
            if len(held) == job.parts.frames or number + 1 == len(run):
                kelvins = np.stack(held) if len(held) > 1 else held[0][None]
                for part in missing[run[number + 1 - len(held) : number + 1]]:
                    job.parts.write(part, kelvins[..., part.rows.start : part.rows.stop, :])
                    job.written(part)
                held.clear()

        write_frames(job.sequence.isel(time=slice(run.start, run.stop)), add, lambda done: None)


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

    def write(self, together: tuple[Part, ...]) -> tuple[bool, dict[str, Tally]]:
        """Write parts computed together; return whether a pixel was seen, and what was masked of each stack."""
        start, rows = together[0].frames.start, together[0].rows
        frames = slice(start - self.first, together[-1].frames.stop - self.first)
        lazy = self.sequence.data[..., frames, rows.start : rows.stop, :]
        kelvins = np.moveaxis(np.asarray(dask.compute(lazy, scheduler="synchronous")[0]), -3, 0)
        failed: list[Exception] = []
        for part in together:
            try:
                self.parts.write(part, kelvins[part.frames.start - start : part.frames.stop - start])
            except Exception as error:  # the others are written all the same
                failed.append(error)
        if failed:
            raise failed[0]
        return is_seen(kelvins), {stack.identity: stack.take_tally() for stack in stacks_of(self.sequence)}


def _write_elsewhere(jobs: Iterable[Job], workers: Workers) -> None:
    running: dict[int, tuple[Job, set[Part]]] = {}
    failures = Failures()
    for piece, together, outcome in workers.run(_Piece.write, _tasks(jobs, running)):
        job, missing = running[piece.number]
        missing.difference_update(together)
        if isinstance(outcome, Exception):
            failures.add(job.named(_joined(together)), outcome)
            continue
        seen, tallies = outcome
        job.seen = job.seen or seen
        for stack in stacks_of(job.sequence):  # the piece may have fewer
            stack.add_tally(tallies.get(stack.identity, {}))
        for part in together:
            job.written(part)
        if not missing and job.done == job.sequence.sizes["time"]:
            _complete(job)
            del running[piece.number]
    failures.end()


def _tasks(jobs: Iterable[Job], running: dict[int, tuple[Job, set[Part]]]) -> Iterator[tuple[_Piece, tuple[Part, ...]]]:
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


def _joined(parts: tuple[Part, ...]) -> Part:
    return Part(range(parts[0].frames.start, parts[-1].frames.stop), parts[0].rows)


def _complete(job: Job) -> None:
    report_read(job.sequence, something_seen=job.seen)
    job.parts.finish()
