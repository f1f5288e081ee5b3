"""Read the frames of files that continue each other as one sequence."""

import functools
import logging
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.joining.headers import Header
from tempogan_eddy.io.lock import Lock
from tempogan_eddy.io.messages import about
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.times.cadence import native_step, nominal_times, tolerance_of
from tempogan_eddy.io.times.source import with_source
from tempogan_eddy.io.values.quality import EVERYTHING
from tempogan_eddy.io.variables.cf import attributes_of
from tempogan_eddy.io.variables.image import Image, find_image
from tempogan_eddy.wording import count

__all__ = ["join_files"]

log = logging.getLogger(__name__)

OURS = ("sensor_model", "super_resolution")
"""Attributes of this package that describe one thing together."""

FILES_OPEN = 2  # at once, of a joined sequence
GAPS_LOGGED = 5


def join_files(headers: list[Header], name: str, reading: Reading) -> xr.DataArray:
    """Return the frames of several files, in the order of their times, as one lazy sequence.

    If two files have frames of one time, the frame of the earlier file is kept. The log reports overlaps and gaps. A
    coordinate that differs from file to file lies along time.
    """
    order = _frames_in_order(headers)
    times = np.array([headers[file].times[frame] for file, frame in order])
    _log_gaps(times, name)
    read = _JoinedFrames(headers, order, reading)
    kind = headers[0].kind
    folder, shape = headers[0].path.parent, (len(order), kind.rows, kind.columns)
    stacks = [
        FrameStack(folder, functools.partial(read, member), shape, valid_kelvin=reading.valid_kelvin, paths=read.paths)
        for member in range(kind.members or 1)
    ]
    names = dict.fromkeys(key for header in headers for key in header.coords)
    coords = {key: _coordinate(headers, order, key) for key in names}
    attrs = {**_shared_attributes(headers, name, reading), "sequence": name}
    da = lazy_sequence(
        stacks if kind.members else stacks[0], {"time": ("time", times), **coords}, attrs, unreadable=reading.unreadable
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
