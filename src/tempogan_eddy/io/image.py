"""The image variable of an open file: its place, layout, times and frames."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.axes import horizontal_axes
from tempogan_eddy.io.choice import NoSequenceError, choose_variable
from tempogan_eddy.io.companions import Flags, decoded_times, flags_of
from tempogan_eddy.io.container import groups_of, open_stored
from tempogan_eddy.io.frames import FrameStack
from tempogan_eddy.io.hdf5_guard import check_claim
from tempogan_eddy.io.layout import is_member
from tempogan_eddy.io.once import log_once
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.time_axis import find_time, frame_time
from tempogan_eddy.io.units import Conversion, kelvin_conversion, text_of
from tempogan_eddy.io.validity import Decoding, flagged

__all__ = ["Image", "find_image"]

log = logging.getLogger(__name__)

# Between these, limits of brightness temperature are meant as such and not as packed numbers.
PLAUSIBLE_KELVIN = (100.0, 400.0)

# Frames that a file packs into one chunk are held, decoded, while they are read one by one; not beyond this.
LARGEST_BLOCK_BYTES = 512 << 20


@dataclass(frozen=True)
class Image:
    """The brightness temperature of an open file.

    Parameters
    ----------
    path : Path
        The file or store.
    group, name : str
        Where in it; the root is "".
    dataset : Dataset
        The group, as stored.
    time : str or None
        The variable of the frames' times; None if attributes or the file's name hold them.
    layout : StoredLayout
        The dimensions of frames, rows and columns.
    times : (T,) datetime64[ns]
        Of the frames, in the order of the file.
    """

    path: Path
    group: str
    name: str
    dataset: xr.Dataset
    time: str | None
    layout: StoredLayout
    times: np.ndarray

    @property
    def stored(self) -> xr.DataArray:
        """The variable, as stored."""
        return self.dataset[self.name]

    @property
    def order(self) -> np.ndarray:
        """The numbers of the frames in the order of time."""
        return np.argsort(self.times, kind="stable")

    def conversion(self) -> Conversion:
        """Return the conversion of the stored units to kelvin.

        Raises
        ------
        InputError
            If the units are no temperature, or the variable is larger than the file can hold.
        """
        stored = self.stored
        shape = self.layout.shape(stored)
        check_claim(self.path, shape[1:], stored.dtype.itemsize)
        chunks = stored.encoding.get("chunksizes") or stored.encoding.get("chunks") or ()
        check_claim(self.path, chunks, stored.dtype.itemsize)
        conversion = kelvin_conversion(stored.attrs.get("units", ""))
        if conversion is None:
            told = f"the units {text_of(stored.attrs['units'])!r}" if "units" in stored.attrs else "no units"
            raise InputError(
                f"{self.path}: {self.name} has {told}; a brightness temperature is in K or degrees_Celsius. If it is "
                f"one, say so: ncatted -a units,{self.name},o,c,K {self.path.name}"
            )
        return conversion

    @property
    def members(self) -> int | None:
        """The number of members of an ensemble."""
        return None if self.layout.members is None else self.stored.sizes[self.layout.members]

    def stacks(self, valid_kelvin: tuple[float, float]) -> list[FrameStack]:
        """Return the frames of each member in the order of time, in kelvin; raises as `conversion`."""
        conversion = self.conversion()
        flags = flags_of(self.dataset, self.name, self.path)
        shape = self.layout.shape(self.stored)
        layouts = [replace(self.layout, member=number) for number in range(self.members or 1)]
        frames = [_Frames(self.path, layout, self.order, self.stored, flags, conversion) for layout in layouts]
        return [FrameStack(self.path, read, shape, conversion, valid_kelvin) for read in frames]

    def close(self) -> None:
        """Close the file. One that stays open while it is opened twice more can crash the HDF5 library."""
        self.dataset.close()


def find_image(path: Path, reading: Reading, group: str | None = None) -> Image:
    """Open a file, or one group of it, and find its brightness temperature.

    Raises
    ------
    NoSequenceError
        If no variable fits, or its frames have no times.
    InputError
        If the file cannot be read, several variables fit, or the one that fits has too many dimensions.
    """
    group, name, dataset = _choose(path, group, reading.variable)
    time_from = reading.time_from
    try:
        time, layout = _lay_out(dataset, dataset[name], path, time_from)
        image = Image(path, group, name, dataset, time, layout, _times(dataset[name], dataset, time, path, time_from))
        if (np.diff(image.order) < 0).any():
            log_once(log.warning, path, "frames are not in the order of their times; they are sorted")
    except BaseException:
        dataset.close()
        raise
    return image


def _choose(path: Path, group: str | None, variable: str | None) -> tuple[str, str, xr.Dataset]:
    """Return group, name and dataset; groups are opened only where the root holds no brightness temperature."""
    groups: dict[str, xr.Dataset] = {}
    if group is None and "/" not in (variable or ""):
        groups[""] = open_stored(path)
        try:
            _, name = choose_variable(groups, path, variable)
            return "", name, groups[""]
        except InputError as error:
            if not isinstance(error, NoSequenceError) and variable is None:
                raise
    wanted = [group] if group is not None else groups_of(path)
    groups |= {part: open_stored(path, part) for part in wanted if part not in groups}
    found, name = choose_variable(groups, path, variable)
    return found, name, groups[found]


@dataclass(frozen=True)
class StoredLayout:
    """Where the frames, rows and columns of a stored variable lie.

    Parameters
    ----------
    frames : hashable or None
        The dimension of the frames; None where the variable is one frame.
    rows, columns : hashable
        Those of the image.
    members : hashable or None
        The dimension of an ensemble's members.
    member : int
        Which of them is read.
    """

    frames: Hashable | None
    rows: Hashable
    columns: Hashable
    members: Hashable | None = None
    member: int = 0

    @property
    def dims(self) -> set[Hashable]:
        """All dimensions."""
        return {self.frames, self.rows, self.columns, self.members} - {None}

    def image(self, da: xr.DataArray) -> xr.Variable:
        """Return a variable on the stored grid with (frames), rows and columns in this order; still lazy."""
        kept = [dim for dim in (self.frames, self.rows, self.columns) if dim in da.dims]
        others = {dim: self.member if dim == self.members else 0 for dim in da.dims if dim not in kept}
        return da.variable.isel(others).transpose(*kept)

    def part(self, variable: xr.Variable, first: int, last: int) -> np.ndarray:
        """Return some frames of a variable that `image` returned; dimensions that it lacks have size one."""
        along = self.frames in variable.dims
        values = variable[first:last].values if along else variable.values
        shape = [dim in variable.dims for dim in (self.rows, self.columns)]
        sizes = iter(values.shape[1:] if along else values.shape)
        return values.reshape((len(values) if along else 1, *(next(sizes) if here else 1 for here in shape)))

    def shape(self, da: xr.DataArray) -> tuple[int, int, int]:
        """Return the numbers of frames, rows and columns."""
        return (da.sizes[self.frames] if self.frames else 1), da.sizes[self.rows], da.sizes[self.columns]

    def coordinates(
        self, stored: dict[str, xr.Variable], times: np.ndarray, order: np.ndarray
    ) -> dict[str, xr.Variable]:
        """Return the coordinates on (time, y, x), frames in the order of time."""
        named = {self.members: "member", self.frames: "time", self.rows: "y", self.columns: "x"}
        names = {dim: name for dim, name in named.items() if dim is not None}
        kept = {"time": xr.Variable("time", times[order])}
        for name, variable in stored.items():
            if not set(variable.dims) <= set(names):
                continue
            renamed = xr.Variable([names[dim] for dim in variable.dims], variable.values, variable.attrs)
            renamed = renamed.isel(time=order) if "time" in renamed.dims else renamed
            # A dimension may bear the name of a coordinate that does not lie along it alone: y(y, x).
            clashes = name == "time" or (name in ("y", "x") and renamed.dims != (name,))
            kept["member" if name == self.members else f"{name}_coordinate" if clashes else name] = renamed
        return kept


def _lay_out(dataset: xr.Dataset, da: xr.DataArray, path: Path, time_from: str) -> tuple[str | None, StoredLayout]:
    """Return the variable of the times, if there is one, and how the image is laid out."""
    where = f"{path}: {da.name}"
    if 0 in da.shape:
        raise NoSequenceError(f"{where} holds no frame: its shape is {dict(da.sizes)}.")
    time = find_time(dataset, da)
    frames = next((dim for dim in (dataset[time].dims if time else ()) if dim in da.dims), None)
    if time_from != "auto" and (time is None or dataset[time].size == 1):
        time = frames = None  # the time of a single frame is elsewhere
    members = next((dim for dim in da.dims if is_member(dim) and dim != frames and da.sizes[dim] > 1), None)
    needed = 2 + (frames is not None) + (members is not None)
    extra = [dim for dim in da.dims if da.sizes[dim] == 1 and dim != frames][: max(da.ndim - needed, 0)]
    left = [dim for dim in da.dims if dim not in extra]
    if frames is None and len(left) == needed + 1:
        raise NoSequenceError(
            f"{where} has {da.sizes[left[0]]} frames along {left[0]!r} and no times along it; give it a coordinate "
            "along this dimension with units such as 'hours since 1970-01-01'."
        )
    if len(left) != needed:
        longer = next(dim for dim in left if dim not in (frames, members))
        raise InputError(
            f"{where} has the dimensions {da.dims}; a sequence has time and two more. Take one part first: "
            f"ncks -d {longer},0 IN OUT, or in Python da.isel({longer}=0)."
        )
    horizontal = [dim for dim in left if dim not in (frames, members)]
    rows, columns = horizontal_axes(_skeleton(dataset, da), (horizontal[0], horizontal[1]))
    return time, StoredLayout(frames, rows, columns, members)


def _skeleton(dataset: xr.Dataset, da: xr.DataArray) -> xr.DataArray:
    """Return a variable without its values, with every one-dimensional variable along its dimensions."""
    along = {name: v for name, v in dataset.variables.items() if v.ndim == 1 and set(v.dims) <= set(da.dims)}
    empty = xr.DataArray(np.broadcast_to(np.float32(0), da.shape), dims=da.dims)
    return empty.assign_coords({name: (v.dims, np.zeros(v.shape), v.attrs) for name, v in along.items()})


def _times(da: xr.DataArray, dataset: xr.Dataset, time: str | None, path: Path, time_from: str) -> np.ndarray:
    """Return one time for each frame."""
    if time is not None:
        times = decoded_times(dataset[time].variable, f"{path}: {time}")
        if np.isnat(times).any():
            raise InputError(f"{path}: frame {int(np.isnat(times).argmax())} has no time ({time} is missing there).")
        return times
    told = frame_time(path, (da.attrs, dataset.attrs), time_from)
    if told is None:
        raise NoSequenceError(
            f"{path}: {da.name} has no time coordinate, and neither its attributes nor the file's name tell a time; "
            "give it a coordinate with units such as 'hours since 1970-01-01', or name the file by YYYYMMDDHHMM."
        )
    log_once(log.info, path, f"a frame without a time variable has its time from its {told[1]}")
    return np.array([told[0]])


class _Frames:
    """Frames of a variable by number, in the file's units; those of one chunk of the file are decoded together."""

    def __init__(
        self,
        path: Path,
        layout: StoredLayout,
        order: np.ndarray,
        da: xr.DataArray,
        flags: list[Flags],
        conversion: Conversion,
    ) -> None:
        self.path, self.order = path, order
        self.layout, self.variable = layout, layout.image(da)
        low, high = ((kelvin - conversion.offset) / conversion.scale for kelvin in PLAUSIBLE_KELVIN)
        self.decoding = Decoding.of(da.attrs, da.dtype, f"{path}: {da.name}", (low, high))
        self.flags = [(layout.image(flag), tests) for flag, tests in flags]
        self.frames_a_chunk = _frames_a_chunk(da, layout)
        self.held: tuple[int, np.ndarray] = (-1, np.empty(0))
        self.lock = threading.Lock()

    def __call__(self, number: int) -> np.ndarray:
        number = int(self.order[number])
        if self.frames_a_chunk == 1:
            return self._read(number, number + 1)[0]
        block = number // self.frames_a_chunk
        with self.lock:  # several threads may want one block; decode it once
            first = block * self.frames_a_chunk
            if self.held[0] != block:
                self.held = block, self._read(first, first + self.frames_a_chunk)
            return self.held[1][number - first]

    def _read(self, first: int, last: int) -> np.ndarray:
        try:
            values = self.decoding(self.layout.part(self.variable, first, last))
            for flags, tests in self.flags:
                values = np.where(flagged(self.layout.part(flags, first, last), tests), np.nan, values)
        except Exception as error:  # whatever the library below raises for a damaged file
            raise InputError(f"{self.path} cannot be read at frame {first} ({error}); is it whole?") from error
        return np.asarray(values, dtype=np.float32)


def _frames_a_chunk(da: xr.DataArray, layout: StoredLayout) -> int:
    """Return the number of frames in a chunk of the file; 1 if it has no chunks or they are too large to hold."""
    chunks = da.encoding.get("chunksizes") or da.encoding.get("chunks")
    if not chunks or layout.frames is None:
        return 1
    frames = int(chunks[da.dims.index(layout.frames)])
    return frames if frames * math.prod(layout.shape(da)[1:]) * 4 <= LARGEST_BLOCK_BYTES else 1
