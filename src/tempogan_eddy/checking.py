"""Check which parts of files, folders or a whole archive are usable, and why others are not."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from tempogan_eddy.errors import InputError, reason_of
from tempogan_eddy.io.files.foreign import foreign_format
from tempogan_eddy.io.files.walk import walk
from tempogan_eddy.io.finding import expand, search
from tempogan_eddy.io.format import StoredSequence, named_like_data
from tempogan_eddy.io.frames import report_masked
from tempogan_eddy.io.grids.spacing import grid_spacing
from tempogan_eddy.io.messages import collected_warnings
from tempogan_eddy.io.times.cadence import NATIVE, minutes, parse_duration, tolerance_of
from tempogan_eddy.io.times.source import TimeSource, time_source
from tempogan_eddy.io.variables.channel import channel_of
from tempogan_eddy.io.variables.container import ZARR_MARKS
from tempogan_eddy.io.variables.selection import require_selection
from tempogan_eddy.io.workers import Failures, Workers
from tempogan_eddy.registry import FORMATS
from tempogan_eddy.survey import SAMPLED, Survey, Timing, survey, timing
from tempogan_eddy.wording import count, listed

__all__ = ["Refused", "Report", "SequenceCheck", "check"]

EXAMPLES = 5  # in one note
SAMPLED_IN_ALL = 1000  # frames read of an archive, but at least 5 of each sequence


@dataclass(frozen=True)
class Refused:
    """A file or folder that cannot be used, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class SequenceCheck:
    """Facts about one sequence; `problems` make it unusable, `notes` do not."""

    name: str
    format: str
    path: str
    frames: int
    size: tuple[int, int]
    first: str
    last: str
    time_source: str
    times: Timing
    seen: Survey
    grid_km: float | None
    channel: str
    notes: list[str]
    problems: list[str]


@dataclass(frozen=True)
class Report:
    """All sequences of paths, and the files that cannot be used."""

    sequences: list[SequenceCheck]
    refused: list[Refused]

    @property
    def usable(self) -> bool:
        """Whether nothing was refused and no sequence has a problem."""
        return not self.refused and not any(sequence.problems for sequence in self.sequences)


def check(
    paths: Sequence[str | Path],
    *,
    format: str | None = None,
    cadence: str = "1h",
    tolerance: str | None = None,
    every_frame: bool = False,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    dask: Workers | str | None = None,
) -> Report:
    """Check everything that paths (files, folders, patterns) hold, and go on after files that cannot be read.

    Look for one format only, if given. Count windows at the cadence and at each sequence's own; times may differ from
    it by the tolerance, a tenth of it by default. Read all frames, or 50 of a sequence (fewer where there are more than
    20 sequences). The options are those of `open_sequence`; with ``unreadable="gap"``, frames that cannot be read are
    notes and no problems. The progress is called with (sequence, frames done, frames in all). Check in this process, or
    by the workers of `dask` (see `Workers`), one sequence a task.

    Raise `InputError` if a path does not exist, or the cadence or tolerance is no time span.
    """
    roots = expand(paths)
    if cadence != NATIVE:
        tolerance_of(parse_duration(cadence), tolerance)
    gaps = (options or {}).get("unreadable") == "gap"
    options = {**(options or {}), "unreadable": "error"}
    unsearched: list[tuple[Path, InputError]] = []
    with collected_warnings() as said:
        found = search(roots, format, unsearched, **options)
    frames = None if every_frame else min(SAMPLED, max(5, SAMPLED_IN_ALL // max(1, len(found))))
    look = _Look(options, cadence, tolerance, frames, gaps)
    if dask:
        results = _by_workers(look, found, dask, progress)
    else:
        results = [look(named, progress and partial(progress, named[0])) for named in found.items()]
    sequences = [result for result in results if isinstance(result, SequenceCheck)]
    refused = [Refused(str(path), _reason(path, error)) for path, error in unsearched]
    refused += [result for result in results if isinstance(result, Refused)]
    if format is None:
        refused += _foreign_files(roots, {str(stored.path) for stored in found.values()} | {r.path for r in refused})
    named = tuple(entry.path for entry in refused)
    refused += [Refused("", line) for line in said if "left out" in line and not any(path in line for path in named)]
    return Report(sequences, refused)


@dataclass(frozen=True)
class _Look:
    """How to look at a sequence."""

    options: Mapping[str, Any]
    cadence: str
    tolerance: str | None
    frames: int | None
    gaps: bool  # frames that cannot be read are notes

    def __call__(
        self, named: tuple[str, StoredSequence], progress: Callable[[int, int], None] | None = None
    ) -> SequenceCheck | Refused:
        name, stored = named
        with collected_warnings() as notes:
            try:
                sequence, broken = _open(stored, self.options)
                require_selection([sequence], self.options.get("select", {}))
            except InputError as error:
                return Refused(str(stored.path), _reason(stored.path, error))
            seen = survey(sequence, frames=self.frames, progress=progress)
            report_masked(sequence)
        times = timing(sequence, self.cadence, self.tolerance)
        source = time_source(stored, sequence)
        unread = [*broken, *seen.broken]
        lost = [f"{count(len(unread), 'frame')} cannot be read: {_some(unread)}"] if unread else []
        notes, problems = ([*notes, *lost], []) if self.gaps else (notes, lost)
        return _checked(name, stored, sequence, source, times, seen, problems, notes)


def _by_workers(
    look: _Look,
    found: Mapping[str, StoredSequence],
    dask: Workers | str,
    progress: Callable[[str, int, int], None] | None,
) -> list[SequenceCheck | Refused]:
    """Look at all sequences that can be looked at, in whatever order; return the results in that of the sequences."""
    results: dict[str, SequenceCheck | Refused] = {}
    failures = Failures()
    with Workers.entered(dask) as workers:
        assert workers is not None
        for _, (name, _), outcome in workers.run(_Look.__call__, ((look, named) for named in found.items())):
            if isinstance(outcome, Exception):
                failures.add(name, outcome)
                continue
            results[name] = outcome
            if progress and isinstance(outcome, SequenceCheck):
                for done in range(outcome.seen.looked):
                    progress(name, done + 1, outcome.seen.looked)
    failures.end()
    return [results[name] for name in found]


def _open(stored: StoredSequence, options: Mapping[str, Any]) -> tuple[xr.DataArray, list[str]]:
    """Open a sequence; leave out frames of a folder that cannot be read, and return their errors too."""
    try:
        return stored.open(**options), []
    except InputError as error:
        if not stored.format.frame_suffix:
            raise
        try:
            with collected_warnings() as said:
                sequence = stored.open(**{**options, "unreadable": "gap"})
        except InputError:  # no frame is left, which says less
            raise error from None
        mark = "left out as a gap: "
        return sequence, [line.removeprefix(mark) for line in said if line.startswith(mark)]


def _checked(
    name: str,
    stored: StoredSequence,
    sequence: xr.DataArray,
    source: TimeSource,
    times: Timing,
    seen: Survey,
    problems: list[str],
    said: list[str],
) -> SequenceCheck:
    if seen.looked and seen.kelvins is None:
        problems = [*problems, f"no valid pixel in {count(seen.looked, 'frame')}: are the units right?"]
    return SequenceCheck(
        name=name,
        format=stored.format.name,
        path=str(stored.path),
        frames=sequence.sizes["time"],
        size=(sequence.sizes["y"], sequence.sizes["x"]),
        first=str(minutes(sequence["time"].values[0])),
        last=str(minutes(sequence["time"].values[-1])),
        time_source=source.source,
        times=times,
        seen=seen,
        grid_km=grid_spacing(sequence),
        channel=str(channel_of(sequence.name, sequence.attrs, sequence.coords)),
        notes=[*filter(None, [source.disagreement]), *_notes(times, seen), *said],
        problems=problems,
    )


def _notes(times: Timing, seen: Survey) -> list[str]:
    notes = [
        f"{count(len(lines), what)}{where}: {_some(lines)}"
        for lines, what, where in (
            (times.gaps, "gap", ""),
            (times.duplicates, "frame", " at the time of the one before"),
            (times.changes, "change", " of satellite"),
        )
        if lines
    ]
    if seen.blank and seen.kelvins is not None:
        notes.append(f"no valid pixel in {seen.blank} of {count(seen.looked, 'frame')}")
    if 2 * seen.repeated > seen.looked:
        notes.append("rows and columns repeat: the frames were enlarged")
    if 2 * seen.interpolated > seen.looked:
        notes.append(
            "almost no fine detail: the frames were resampled to a finer grid, or footprints are wider than pixels "
            "(tempogan-eddy sensor estimates them)"
        )
    return notes


def _foreign_files(roots: list[Path], known: set[str]) -> Iterator[Refused]:
    """Yield dead links and other tools' data below folders; one line a format and folder for data."""
    alike: dict[tuple[Path, str], list[Path]] = {}
    for root in roots:
        for path in (root, *walk(root)) if root.is_dir() else ():
            if path.is_dir():
                yield from _dead_links(path)
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if hidden or path.is_dir() or _is_named_like_ours(path) or str(path) in known:
                continue
            foreign = foreign_format(path)
            if foreign and foreign.is_data and not _inside_store(path, root) and not _is_empty_table(path):
                alike.setdefault((path.parent, foreign.format), []).append(path)
    for paths in alike.values():
        more = f" (and {len(paths) - 1} more like it)" if len(paths) > 1 else ""
        yield Refused(str(paths[0]), f"{_reason(paths[0])}{more}")


def _is_named_like_ours(path: Path) -> bool:
    """Return whether a file has a suffix of our formats: an archive has hundreds of thousands, too many to open."""
    frames = {known.frame_suffix for known in FORMATS.values()} - {""}
    return named_like_data(path.name) or path.suffix.lower() in frames


def _is_empty_table(path: Path) -> bool:
    """Return whether a file is an empty text table, as the dataset itself has beside its frames."""
    return path.suffix.lower() in {".csv", ".txt", ".json"} and path.stat().st_size == 0


def _reason(path: Path, error: InputError | None = None) -> str:
    """Return in one line why a file cannot be used, without the lines of Python for another tool."""
    foreign = foreign_format(path)
    if foreign:
        return foreign.line
    assert error is not None
    return reason_of(error).rstrip(":")


def _dead_links(folder: Path) -> Iterator[Refused]:
    for path in sorted(folder.iterdir()) if os.access(folder, os.R_OK | os.X_OK) else ():
        if path.is_symlink() and not path.name.startswith(".") and not path.exists():  # a circle too
            yield Refused(str(path), f"{path} is a link to {path.readlink()}, which does not exist; repair it.")


def _inside_store(path: Path, root: Path) -> bool:
    """Return whether a file is a chunk of a Zarr store, whose first bytes may be those of any format."""
    parents = [parent for parent in path.parents if parent.is_relative_to(root)]
    return any((parent / mark).exists() for parent in parents for mark in ZARR_MARKS)


def _some(lines: Sequence[str]) -> str:
    return listed(lines, EXAMPLES, "; ")
