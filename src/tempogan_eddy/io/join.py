"""Files that continue each other as one sequence: which they are, and how their frames are read."""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.io.cadence import native_step, nominal_times, tolerance_of
from tempogan_eddy.io.frames import FrameStack, lazy_sequence, stacks_of
from tempogan_eddy.io.headers import Header
from tempogan_eddy.io.quality import EVERYTHING
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.stamps import name_without_time

__all__ = ["continuing", "join_files", "name_pattern"]

log = logging.getLogger(__name__)

FILES_OPEN = 4  # at once, of a joined sequence
GAPS_TOLD = 5
GRID = 3
"""The place of the grid in a header's kind."""
LONGEST_GAP = np.timedelta64(10, "D")
"""Files farther apart are of other storms or seasons, though their names differ in the time alone."""


def name_pattern(path: Path, top: Path | None = None) -> str:
    """Return a file's name without its time, and the folders that lead to it without a date such as 2019 or 2019/12.

    Files of one archive have the same pattern; in a name without a time, numbers make no difference.

    Parameters
    ----------
    path : Path
        The file.
    top : Path, optional
        The folder that the user named.
    """
    folders = path.parent.relative_to(top).parts if top is not None and path.parent.is_relative_to(top) else ()
    # Six digits may be a storm, 201912, and stay.
    plain = [re.sub(r"^((19|20)\d\d([-_.]?\d\d[-_.]?\d\d|[-_.]?\d{3})?|\d\d|\d{3})$", "#", part) for part in folders]
    name = name_without_time(path.name)
    return "/".join([*plain, name if name != path.name else re.sub(r"\d+", "#", name)])


def continuing(headers: Iterable[Header], *, stamped: bool, together: bool = False) -> list[list[Header]]:
    """Return headers in groups of files that continue each other, each in the order of its times.

    Parameters
    ----------
    headers : iterable of Header
        Of files with one name pattern.
    stamped : bool
        Whether the names hold times: then files of one kind belong together unless ten days lie between them.
        Otherwise (part_1, part_2; but also storm_1, storm_2) only those without a gap between them do.
    together : bool
        Whether the user named the files one by one: then all of one kind belong together.
    """
    kinds: dict[tuple[Any, ...], list[Header]] = {}
    for header in headers:
        kinds.setdefault(header.kind, []).append(header)
    if stamped or together:
        kinds = _moving_boxes(kinds)
    groups = []
    for members in kinds.values():
        members.sort(key=lambda header: (header.times[0], header.path.name))
        groups += [members] if together else _split_at_gaps(members, stamped)
    return groups


def _moving_boxes(kinds: dict[tuple[Any, ...], list[Header]]) -> dict[tuple[Any, ...], list[Header]]:
    """Put files together that differ in their grid alone, where most have one of their own: a box follows its storm."""
    merged: dict[tuple[Any, ...], dict[tuple[Any, ...], list[Header]]] = {}
    for kind, members in kinds.items():
        merged.setdefault((*kind[:GRID], *kind[GRID + 1 :]), {})[kind] = members
    result: dict[tuple[Any, ...], list[Header]] = {}
    for rest, grids in merged.items():
        files = sum(map(len, grids.values()))
        if files > 2 and 2 * len(grids) > files:
            result[rest] = [header for members in grids.values() for header in members]
        else:
            result |= grids
    return result


def _split_at_gaps(members: list[Header], stamped: bool) -> list[list[Header]]:
    step = native_step(np.concatenate([header.times for header in members]))
    # One frame in each of two files has a step, but proves no cadence.
    proven = step is not None and sum(len(member.times) for member in members) > 2
    groups = [[members[0]]]
    for header in members[1:]:
        apart = header.times[0] - groups[-1][-1].times[-1]
        adjoins = step is not None and proven and np.timedelta64(0) < apart <= step + tolerance_of(step)
        if adjoins or (stamped and apart <= LONGEST_GAP):
            groups[-1].append(header)
        else:
            groups.append([header])
    return groups


def join_files(headers: list[Header], open: Callable[[Path], xr.DataArray], name: str) -> xr.DataArray:
    """Return the frames of several files as one lazy sequence in the order of time.

    Frames at a time that an earlier file has are left out; overlaps and gaps are told in a line each.

    Parameters
    ----------
    headers : list of Header
        Of one kind, or of one but for the grid, in the order of their times.
    open : callable
        Opens one of the files as a sequence.
    name : str
        Of the sequence.
    """
    first = open(headers[0].path)
    if len(headers) == 1:
        return first
    places = _places(headers)
    times = np.array([headers[file].times[frame] for file, frame in places])
    _tell_gaps(times, name)
    read = _JoinedFrames([header.path for header in headers], places, open)
    stack = FrameStack(headers[0].path.parent, read, (len(places), *first.shape[1:]))
    read.masked = stack.masked
    stack.masked.valid_kelvin = stacks_of(first)[0].masked.valid_kelvin
    moving = len({header.kind for header in headers}) > 1
    along = {
        str(key): _along_time(headers, places, key, open)
        for key, coord in first.coords.items()
        if _varies(key, coord, moving)
    }
    fixed = {
        str(key): coord.variable
        for key, coord in first.coords.items()
        if "time" not in coord.dims and not _varies(key, coord, moving)
    }
    attrs = {**first.attrs, "sequence": name}
    time = xr.Variable("time", times, first["time"].attrs)
    da = lazy_sequence(stack, {"time": time, **fixed, **along}, attrs)
    return as_sequence(da, valid_kelvin=EVERYTHING)


def _varies(name: Any, coord: xr.DataArray, moving: bool) -> bool:
    """Return whether a coordinate has other values in each file: along time, or the place of a box that moves."""
    if name == "time":
        return False
    return coord.dims == ("time",) or (moving and bool(coord.dims) and set(coord.dims) <= {"y", "x"})


def _along_time(headers: list[Header], places: list[tuple[int, int]], name: Any, open: Callable) -> xr.Variable:
    """Return a coordinate along time of all files; where one lacks it, its values are missing."""
    parts: list[np.ndarray] = []
    attrs: dict[Any, Any] = {}
    dims: tuple[Any, ...] = ("time",)
    for header in headers:
        opened = open(header.path)
        coord = opened.coords.get(name)
        if coord is None:
            parts.append(np.full(len(header.times), np.nan))
            continue
        attrs = attrs or coord.attrs
        dims = ("time", *(dim for dim in coord.dims if dim != "time"))
        parts.append(coord.values if coord.dims == dims else np.stack([coord.values] * len(header.times)))
    if len({part.dtype.kind in "US" for part in parts}) > 1:
        parts = [part if part.dtype.kind in "US" else np.full(part.shape, "") for part in parts]
    return xr.Variable(dims, np.array([parts[file][frame] for file, frame in places]), attrs)


def _places(headers: list[Header]) -> list[tuple[int, int]]:
    """Return file and frame of each frame of the whole, in the order of time, each time once."""
    every = [(time, file, frame) for file, header in enumerate(headers) for frame, time in enumerate(header.times)]
    every.sort()
    step = native_step(np.array([time for time, *_ in every]))
    near = np.timedelta64(1, "s") if step is None else tolerance_of(step)
    kept: list[tuple[Any, int, int]] = []
    repeated: dict[tuple[int, int], int] = {}
    for time, file, frame in every:
        if kept and file != kept[-1][1] and time - kept[-1][0] <= near:
            pair = kept[-1][1], file
            repeated[pair] = repeated.get(pair, 0) + 1
        else:
            kept.append((time, file, frame))
    for (earlier, later), count in repeated.items():
        log.warning(
            "%s overlaps %s: left out %s of it",
            *(headers[later].path, headers[earlier].path.name, "1 frame" if count == 1 else f"{count} frames"),
        )
    return [(file, frame) for _, file, frame in kept]


def _tell_gaps(times: np.ndarray, name: str) -> None:
    step = native_step(times)
    if step is None:
        return
    slots = nominal_times(times, step)
    missing = np.rint(np.diff(slots) / step).astype(int) - 1
    gaps = np.flatnonzero(missing > 0)
    for gap in gaps[:GAPS_TOLD]:
        after, before = (np.datetime_as_string(slots[gap + i], unit="m") for i in (0, 1))
        log.info("%s: a gap of %d frames between %s and %s", name, missing[gap], after, before)
    if len(gaps) > GAPS_TOLD:
        log.info("%s: %d more gaps", name, len(gaps) - GAPS_TOLD)


class _JoinedFrames:
    """Frames by number from many files, of which a few are held open."""

    masked: Any = None

    def __init__(self, paths: list[Path], places: list[tuple[int, int]], open: Callable[[Path], xr.DataArray]) -> None:
        self.paths, self.places, self.open = paths, places, open
        self._held: OrderedDict[int, FrameStack] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, number: int) -> np.ndarray:
        file, frame = self.places[number]
        return self._stack(file)[frame, slice(None), slice(None)]

    def _stack(self, file: int) -> FrameStack:
        with self._lock:
            stack = self._held.pop(file, None)
            if stack is None:
                stack = stacks_of(self.open(self.paths[file]))[0]
                stack.masked = self.masked
            self._held[file] = stack
            while len(self._held) > FILES_OPEN:
                self._held.popitem(last=False)
            return stack
