"""Find the files that continue each other, and read their frames as one sequence."""

from __future__ import annotations

import functools
import itertools
import logging
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.axes import EARTH, role_of, turn_difference
from tempogan_eddy.io.cadence import native_step, nominal_times, tolerance_of
from tempogan_eddy.io.cf import attributes_of
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.headers import GRID, Header
from tempogan_eddy.io.image import Image, find_image
from tempogan_eddy.io.lock import Lock
from tempogan_eddy.io.messages import about
from tempogan_eddy.io.quality import EVERYTHING
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.stamps import name_without_time
from tempogan_eddy.io.time_source import with_source
from tempogan_eddy.wording import count

__all__ = ["adjoining", "continuing", "join_files", "name_pattern"]

log = logging.getLogger(__name__)

Kinds: TypeAlias = dict[tuple[Any, ...], list[Header]]

OURS = ("sensor_model", "super_resolution")
"""Attributes of this package that describe one thing together."""

FILES_OPEN = 2  # at once, of a joined sequence
GAPS_LOGGED = 5
FASTEST = 1.0  # degrees an hour, of a storm
LONGEST_GAP = np.timedelta64(10, "D")
"""Files farther apart are of other storms or seasons, even if their names differ only in the time."""


def name_pattern(path: Path, top: Path | None = None) -> str:
    """Return a file's name without its time, and the folders from `top` to it without dates such as 2019 or 2019/12.

    Files of one archive have the same pattern; numbers in a name without a time do not count.
    """
    folders = path.parent.relative_to(top).parts if top is not None and path.parent.is_relative_to(top) else ()
    # Six digits may be a storm, 201912, and stay.
    plain = [re.sub(r"^((19|20)\d\d([-_.]?\d\d[-_.]?\d\d|[-_.]?\d{3})?|\d\d|\d{3})$", "#", part) for part in folders]
    name = name_without_time(path.name)
    return "/".join([*plain, name if name != path.name else re.sub(r"\d+", "#", name)])


def continuing(headers: Iterable[Header], *, stamped: bool, together: bool = False) -> list[list[Header]]:
    """Group headers of files with one name pattern: a group is files that continue each other, in the order of time.

    If the names are `stamped` with times, files of one kind belong together unless ten days lie between them, and
    whatever the gap if the user named them `together`. Otherwise (part_1, part_2; but also storm_1, storm_2) only
    those without a gap do.
    """
    kinds: Kinds = {}
    for header in headers:
        kinds.setdefault(header.kind, []).append(header)
    if stamped:
        kinds = _moving_boxes(kinds)
    groups = []
    for members in kinds.values():
        members.sort(key=lambda header: (header.times[0], header.path.name))
        groups += [members] if stamped and together else _split_at_gaps(members, stamped)
    return groups


def adjoining(groups: list[list[Header]]) -> list[list[Header]]:
    """Return groups of files of several name patterns, named together; join those that follow each other.

    Only files whose pixels have the same place on the Earth follow each other: others may show another storm.
    """
    joined: list[list[Header]] = []
    alike: dict[tuple[Any, ...], list[list[Header]]] = {}  # those in `joined` by kind: an archive holds thousands
    for group in sorted(groups, key=lambda group: (group[0].times[0], group[0].path.name)):
        candidates = alike.setdefault(group[0].kind, []) if group[0].has_place else []
        for earlier in candidates:
            apart = group[0].times[0] - max(header.times[-1] for header in earlier)
            if np.timedelta64(0, "ns") < apart <= LONGEST_GAP:
                earlier += group
                break
        else:
            joined.append(list(group))
            candidates.append(joined[-1])
    return joined


def _moving_boxes(kinds: Kinds) -> Kinds:
    """Join files that differ only in their grid if most have one each: a box follows its storm.

    Boxes that no one storm can have taken are of several storms. Boxes whose axes run another way stay apart.
    """
    merged: dict[tuple[Any, ...], Kinds] = {}
    for kind, members in kinds.items():
        ways = tuple(_way(members[0], role) for role in EARTH)
        merged.setdefault((*kind[:GRID], *kind[GRID + 1 :], ways), {})[kind] = members
    result: Kinds = {}
    for rest, grids in merged.items():
        files = sum(map(len, grids.values()))
        if files > 2 and 2 * len(grids) > files:
            tracks = _tracks(itertools.chain(*grids.values()))
            result |= {(*rest, number): track for number, track in enumerate(tracks)}
        else:
            result |= grids
    return result


def _tracks(headers: Iterable[Header]) -> list[list[Header]]:
    """Group files by storms: each box overlaps the one before, or is as far away as a storm moves in the meantime."""
    tracks: list[list[Header]] = []
    for header in sorted(headers, key=lambda header: (header.times[0], header.path.name)):
        near = [(away, number) for number, track in enumerate(tracks) if (away := _apart(track[-1], header)) <= 1]
        if near:
            tracks[min(near)[1]].append(header)
        else:
            tracks.append([header])
    return tracks


def _apart(earlier: Header, later: Header) -> float:
    """Return the distance of two boxes as a share of what a storm can cover between them; 0 if they have no place.

    If the times overlap, boxes that overlap too may be of two storms, so only the move of a storm counts.
    """
    if earlier.kind[GRID] == later.kind[GRID]:
        return 0.0
    hours = (later.times[0] - earlier.times[0]) / np.timedelta64(1, "h")
    if hours <= 0:
        return np.inf
    apart = later.times[0] > earlier.times[-1]
    shares = [0.0]
    for role in EARTH:
        first, second = (_middle_and_width(header, role) for header in (earlier, later))
        if first and second:
            reach = apart * (first[1] + second[1]) / 2 + FASTEST * hours
            shares.append(float(np.abs(turn_difference(np.array(first[0]), second[0]))) / reach)
    return max(shares)


def _degrees(header: Header, role: str) -> np.ndarray:
    """Return the known latitudes or longitudes of a box in their order, if it states them."""
    held = next((v.values for name, v in header.coords.items() if v.dims and role_of(name, v.attrs) == role), None)
    return np.array([]) if held is None else held[np.isfinite(held)]


def _way(header: Header, role: str) -> float:
    """Return 1 where degrees increase from the first pixel to the last, -1 where they decrease, else 0."""
    known = _degrees(header, role)
    return float(np.sign(turn_difference(known[-1], known[0]))) if known.size else 0.0


def _middle_and_width(header: Header, role: str) -> tuple[float, float] | None:
    """Return the middle and the width of a box in degrees of latitude or longitude, if it states them."""
    known = _degrees(header, role)
    if not known.size:
        return None
    from_first = turn_difference(known, known[0])
    return float(known[0] + (from_first.min() + from_first.max()) / 2), float(np.ptp(from_first))


def _split_at_gaps(members: list[Header], stamped: bool) -> list[list[Header]]:
    step = native_step(np.unique(np.concatenate([header.times for header in members])))
    # One frame in each of two files has a step, but proves no cadence.
    proven = step is not None and sum(len(member.times) for member in members) > 2
    groups = [[members[0]]]
    end = members[0].times[-1]
    for header in members[1:]:
        apart = header.times[0] - end
        adjoins = step is not None and proven and np.timedelta64(0, "ns") <= apart <= step + tolerance_of(step)
        if adjoins or (stamped and apart <= LONGEST_GAP):
            groups[-1].append(header)
            end = max(end, header.times[-1])
        else:
            groups.append([header])
            end = header.times[-1]
    return groups


def join_files(headers: list[Header], name: str, reading: Reading) -> xr.DataArray:
    """Return the frames of several files, in the order of their times, as one lazy sequence.

    If two files have frames of one time, the frame of the earlier file is kept. The log reports overlaps and gaps. A
    coordinate that differs from file to file lies along time.
    """
    order = _frames_in_order(headers)
    times = np.array([headers[file].times[frame] for file, frame in order])
    _log_gaps(times, name)
    read = _JoinedFrames(headers, order, reading)
    rows, columns = headers[0].kind[1:GRID]
    members: int | None = headers[0].kind[-1]
    folder, shape = headers[0].path.parent, (len(order), rows, columns)
    stacks = [
        FrameStack(folder, functools.partial(read, member), shape, valid_kelvin=reading.valid_kelvin, paths=read.paths)
        for member in range(members or 1)
    ]
    names = dict.fromkeys(key for header in headers for key in header.coords)
    coords = {key: _coordinate(headers, order, key) for key in names}
    attrs = {**_shared_attributes(headers, name, reading), "sequence": name}
    da = lazy_sequence(
        stacks if members else stacks[0], {"time": ("time", times), **coords}, attrs, unreadable=reading.unreadable
    )
    return with_source(as_sequence(da, valid_kelvin=EVERYTHING), headers[0].time_source)


def _shared_attributes(headers: list[Header], name: str, reading: Reading) -> dict[str, Any]:
    """Return the attributes of the first file without those that others have with another value, as its end time.

    Of files that are mostly alike, only the times are read, so the last one stands for them.
    """
    first = headers[0].attrs
    others = [header.attrs for header in headers if header.attrs is not first]
    if headers[-1].is_copied:
        with suppress(InputError):  # told when its frames are read
            others.append(_attributes(headers[-1].path, reading))
    free = [key for key in first if key != "history" and not key.startswith(OURS)]
    differing = sorted(key for key in free if any(one.get(key, first[key]) != first[key] for one in others))
    if differing:
        about(log, name).info("Attributes that differ from file to file, left out: %s", ", ".join(differing))
    return {key: value for key, value in first.items() if key not in differing}


def _attributes(path: Path, reading: Reading) -> dict[str, Any]:
    image = find_image(path, reading)
    try:
        return attributes_of(image)
    finally:
        image.close()


def _coordinate(headers: list[Header], order: list[tuple[int, int]], name: str) -> xr.Variable:
    """Return a coordinate of all files: unchanged if it is the same in all, else along time, missing where absent."""
    held = [header.coords.get(name) for header in headers]
    known = [variable for variable in held if variable is not None]
    first = known[0]
    same = len(known) == len(held) and all(other is first or other.identical(first) for other in known)
    if same and "time" not in first.dims:
        return first
    missing: Any = "" if any(variable.dtype.kind in "US" for variable in known) else np.nan
    dims = [dim for dim in first.dims if dim != "time"]
    fitting = [v if v is not None and [d for d in v.dims if d != "time"] == dims else None for v in held]
    if sum(variable is not None for variable in fitting) < len(known):
        log.warning("%s has other dimensions from file to file; missing where it differs", name)
    empty = np.full(first.isel(time=0).shape if "time" in first.dims else first.shape, missing)
    values = []
    for file, frame in order:
        variable = fitting[file]
        one = empty if variable is None else variable.isel(time=frame) if "time" in variable.dims else variable
        values.append(np.asarray(one))
    return xr.Variable(("time", *dims), np.stack(values), first.attrs)


def _frames_in_order(headers: list[Header]) -> list[tuple[int, int]]:
    """Return the file and the number in it of each frame, in the order of time, each time once."""
    every = sorted((time, file, n) for file, header in enumerate(headers) for n, time in enumerate(header.times))
    step = native_step(np.array([time for time, *_ in every]))
    near = np.timedelta64(1, "s") if step is None else tolerance_of(step)
    kept: list[tuple[Any, int, int]] = []
    repeated: Counter[tuple[int, int]] = Counter()
    for time, file, frame in every:
        if kept and file != kept[-1][1] and time - kept[-1][0] <= near:
            repeated[kept[-1][1], file] += 1
        else:
            kept.append((time, file, frame))
    for (earlier, later), number in repeated.items():
        log.warning(
            "%s overlaps %s: left out %s of it", headers[later].path, headers[earlier].path.name, count(number, "frame")
        )
    return [(file, frame) for _, file, frame in kept]


def _log_gaps(times: np.ndarray, name: str) -> None:
    step = native_step(times)
    if step is None:
        return
    slots = nominal_times(times, step)
    missing = np.rint(np.diff(slots) / step).astype(int) - 1
    gaps = np.flatnonzero(missing > 0)
    for gap in gaps[:GAPS_LOGGED]:
        after, before = (np.datetime_as_string(slots[gap + i], unit="m") for i in (0, 1))
        log.info("%s: a gap of %s between %s and %s", name, count(missing[gap], "frame"), after, before)
    if len(gaps) > GAPS_LOGGED:
        log.info("%s: %s more", name, count(len(gaps) - GAPS_LOGGED, "gap"))


class _JoinedFrames:
    """Read frames by number from many files, in kelvin and unmasked; hold a few files open."""

    def __init__(self, headers: list[Header], order: list[tuple[int, int]], reading: Reading) -> None:
        self.paths, self.order, self.reading = [header.path for header in headers], order, reading
        self._held: dict[int, tuple[Image, list[FrameStack]]] = {}  # the one used last comes last
        self._lock = Lock()

    def __call__(self, member: int, number: int) -> np.ndarray:
        file, frame = self.order[number]
        with self._lock:
            return self._stacks(file)[member][frame, slice(None), slice(None)]

    def _stacks(self, file: int) -> list[FrameStack]:
        held = self._held.pop(file, None)
        if held is None:
            while len(self._held) >= FILES_OPEN:
                self._held.pop(next(iter(self._held)))[0].close()
            image = find_image(self.paths[file], self.reading)
            held = image, image.stacks(EVERYTHING)
        self._held[file] = held
        return held[1]
