"""Frames that stay in their files until they are needed."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import dask
import dask.array
import numpy as np
import xarray as xr
from dask.core import flatten
from dask.optimization import cull

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.lock import Lock
from tempogan_eddy.io.unread import Unread, noting
from tempogan_eddy.io.values.quality import EVERYTHING, mask_impossible
from tempogan_eddy.io.values.units import KELVIN, Conversion
from tempogan_eddy.io.workers import tried

__all__ = [
    "CUT_AT_ONCE",
    "FrameReader",
    "FrameStack",
    "Tally",
    "has_gaps",
    "lazy_sequence",
    "report_masked",
    "source_paths",
    "stacks_of",
]

log = logging.getLogger(__name__)

# Slicing a dask graph costs time in proportion to its length, so slice so many chunks at once.
CUT_AT_ONCE = 256

Tally = dict[int, tuple[int, int, float, float]]
"""By the number of a frame: pixels read, those of them outside the valid kelvins, the least and the greatest kelvin of
these."""


class FrameStack:
    """A stack of frames that looks like an array (time, y, x) and reads one frame at a time.

    Parameters
    ----------
    path : Path
        The file or folder of the frames.
    read : callable
        Returns frame number t as an array (y, x).
    shape : tuple of int
        Frames, rows, columns.
    conversion : Conversion
        To kelvin, of what `read` returns.
    valid_kelvin : tuple of float
        Mask values outside, and count them for `report`; none by default.
    paths : iterable of Path
        The files, if they are not `path` alone.

    Attributes
    ----------
    times : array of datetime64
        Of the frames, once the stack is a sequence: only then may a frame that cannot be read be missing.
    gaps : bool
        Such a frame is missing, with a warning; else it is an error, unless `unread_noted` collects it.
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(
        self,
        path: Path,
        read: Callable[[int], np.ndarray],
        shape: tuple[int, ...],
        conversion: Conversion = KELVIN,
        valid_kelvin: tuple[float, float] = EVERYTHING,
        paths: Iterable[Path] = (),
    ) -> None:
        self.path = path
        self.paths = list(paths) or [path]
        self.read = read
        self.shape = shape
        self.conversion = conversion
        self.valid_kelvin = valid_kelvin
        self.times: np.ndarray | None = None
        self.gaps = False
        self.identity = uuid4().hex  # the same in every process
        self._counting = Lock()
        self._counted: set[int] = set()  # numbers of the frames, here
        self._added: set[int] = set()  # and of those to be reported, which other copies may have counted
        self._fresh: Tally = {}
        self._waiting: Tally = {}
        self._lost: set[int] = set()  # numbers of the frames that a warning has named

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        """Read the frames of a key; dask uses only integers and slices."""
        times, *window = key
        if isinstance(times, slice):
            return np.stack([self._frame(t, window) for t in range(self.shape[0])[times]])
        return self._frame(int(times), window)

    def _frame(self, number: int, window: list[slice]) -> np.ndarray:
        noted, tried_again = noting()
        try:
            stored = tried(partial(self.read, number)) if tried_again and self.times is not None else self.read(number)
        except InputError as error:
            if self.times is None:
                raise
            self._leave_out(number, Unread(self.times[number], str(error)), noted, error)
            return np.full(self.shape[1:], np.nan, np.float32)[tuple(window)]
        return self._masked(np.asarray(self.conversion(stored[tuple(window)]), np.float32), number)

    def _leave_out(self, number: int, unread: Unread, noted: list[Unread] | None, error: InputError) -> None:
        """Note a frame that cannot be read, or warn of it once if such frames are missing; else raise."""
        if noted is not None:
            noted.append(unread)
            return
        if not self.gaps:
            raise unread.error from error
        with self._counting:
            is_new = number not in self._lost
            self._lost.add(number)
        if is_new:
            log.warning("%s The frame is missing.", unread)

    def _masked(self, frame: np.ndarray, number: int) -> np.ndarray:
        """Return a frame with NaN outside the valid kelvins; count them once for each number."""
        if self.valid_kelvin == EVERYTHING:
            return frame
        kept = mask_impossible(frame, self.valid_kelvin)
        with self._counting:
            if number not in self._counted:
                self._counted.add(number)
                outside = frame[np.isnan(kept) & np.isfinite(frame)]
                extremes = float(outside.min(initial=np.inf)), float(outside.max(initial=-np.inf))
                self._fresh[number] = (frame.size, outside.size, *extremes)
        return kept

    def take_tally(self) -> Tally:
        """Return what was counted here since the last call, and forget it."""
        with self._counting:
            tally, self._fresh = self._fresh, {}
        return tally

    def add_tally(self, tally: Tally) -> None:
        """Add what this stack, or copies of it in other processes, have counted; count each frame once."""
        with self._counting:
            self._waiting |= {number: tally[number] for number in tally.keys() - self._added}
            self._added |= tally.keys()

    def report(self) -> None:
        """Log the number of pixels masked since the last report."""
        self.add_tally(self.take_tally())
        with self._counting:
            tallies, self._waiting = list(self._waiting.values()), {}
        outside = sum(tally[1] for tally in tallies)
        if outside:
            share = 100 * outside / sum(tally[0] for tally in tallies)
            extremes = min(tally[2] for tally in tallies), max(tally[3] for tally in tallies)
            log.warning(
                "%s: %d pixels (%g %%, %.1f to %.1f K) lie outside %g-%g K and are missing; data.valid_kelvin widens "
                "the range",
                *(self.path, outside, float(f"{share:.2g}"), *extremes),
                *self.valid_kelvin,
            )


def lazy_sequence(
    stack: FrameStack | Sequence[FrameStack],
    coords: Mapping[str, Any],
    attrs: Mapping[str, Any],
    *,
    unreadable: str = "error",
) -> xr.DataArray:
    """Wrap a stack (time, y, x), or one for each member of an ensemble, as a DataArray with one dask chunk a frame.

    A frame that cannot be read is an ``error``, or a ``gap``: missing, with a warning.
    """
    stacks = [stack] if isinstance(stack, FrameStack) else stack
    chunks = (1, *stacks[0].shape[1:])
    data = [dask.array.from_array(one, chunks=chunks, name=False, asarray=False, fancy=False) for one in stacks]
    values = data[0] if isinstance(stack, FrameStack) else dask.array.stack(data)
    dims = ("member", "time", "y", "x")[-values.ndim :]
    da = xr.DataArray(values, dims=dims, coords=dict(coords), attrs=dict(attrs))
    for one in stacks:
        one.times, one.gaps = da["time"].values, unreadable == "gap"
    return da


def report_masked(da: xr.DataArray) -> None:
    """Log how many pixels read for a sequence were outside the valid kelvins."""
    for stack in stacks_of(da):
        stack.report()


def has_gaps(da: xr.DataArray) -> bool:
    """Return whether frames that cannot be read are missing in a sequence, and no error."""
    stacks = stacks_of(da)
    return bool(stacks) and all(stack.gaps for stack in stacks)


def source_paths(da: xr.DataArray | xr.Dataset) -> set[Path]:
    """Return the files and folders that a lazy sequence, or anything computed from it, still reads."""
    return {path for stack in stacks_of(da) for path in stack.paths}


def stacks_of(da: xr.DataArray | xr.Dataset) -> list[FrameStack]:
    """Return the stacks that a lazy sequence, or anything computed from it, still reads."""
    graph = da.__dask_graph__()
    values = (getattr(node, "value", node) for node in dict(graph or {}).values())
    return list({id(value): value for value in values if isinstance(value, FrameStack)}.values())


class FrameReader:
    """Read the frames of a sequence by number, in constant time whatever its length.

    dask searches the whole graph for the tasks of a chunk, so slice a part of the graph first, and each chunk from it.
    One object serves one thread at a time.

    Parameters
    ----------
    da : DataArray (time, y, x) or (member, time, y, x)
        Lazy or in memory.
    """

    def __init__(self, da: xr.DataArray) -> None:
        self.data = da.data
        self.times = da["time"].values
        self.ends = np.cumsum(da.chunks[-3] if da.chunks else np.ones(da.sizes["time"], int))
        self._members = (slice(None),) * (da.ndim - 3)
        self._part: tuple[int, Any, dict[Any, Any]] = (-1, None, {})
        self._chunk: tuple[int, np.ndarray] = (-1, np.empty((0, 0, 0), np.float32))

    def chunk(self, number: int) -> np.ndarray:
        """Compute one chunk along time, (frames, y, x) or (frames, member, y, x)."""
        if not dask.is_dask_collection(self.data):
            return np.moveaxis(np.asarray(self.data[..., number : number + 1, :, :]), -3, 0)
        part, place = divmod(number, CUT_AT_ONCE)
        if self._part[0] != part:
            cut = self.data.blocks[*self._members, part * CUT_AT_ONCE : (part + 1) * CUT_AT_ONCE]
            blocks = dask.optimize(cut)[0]
            self._part = part, blocks, dict(blocks.__dask_graph__())
        _, blocks, graph = self._part
        keys = blocks.__dask_keys__()
        keys = [member[place : place + 1] for member in keys] if self._members else keys[place : place + 1]
        # dask.compute would optimise every chunk again, and wake threads for what is one task.
        values = dask.get(cull(graph, list(flatten(keys)))[0], keys)
        assemble, arguments = blocks.__dask_postcompute__()
        return np.moveaxis(np.asarray(assemble(values, *arguments)), -3, 0)

    def frame(self, number: int) -> np.ndarray:
        """Compute one frame, (y, x) or (member, y, x); keep its chunk for the frames beside it."""
        chunk = int(np.searchsorted(self.ends, number, side="right"))
        if self._chunk[0] != chunk:
            self._chunk = chunk, self.chunk(chunk)
        return self._chunk[1][number - self.ends[chunk]]
