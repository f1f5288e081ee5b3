"""NetCDF, HDF5 and Zarr by the CF conventions: one variable of a file as a sequence."""

from __future__ import annotations

import logging
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.attributes import merge
from tempogan_eddy.io.axes import horizontal_axes
from tempogan_eddy.io.channel import channel_of
from tempogan_eddy.io.choice import NoSequenceError, choose_variable
from tempogan_eddy.io.companions import (
    STORED_ATTRIBUTES,
    Flags,
    decoded_times,
    flags_of,
    place_coordinates,
    tell_left_out,
)
from tempogan_eddy.io.container import groups_of, open_stored, zarr_groups
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.hdf5_guard import check_claim
from tempogan_eddy.io.once import tell_once
from tempogan_eddy.io.quality import EVERYTHING, VALID_KELVIN
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.time_axis import find_time, frame_time
from tempogan_eddy.io.units import KELVIN, kelvin_conversion
from tempogan_eddy.io.validity import Decoding, flagged

__all__ = ["Located", "NoSequenceError", "locate", "open_cf", "zarr_groups"]

log = logging.getLogger(__name__)

# Between these, limits of brightness temperature are meant as such and not as packed numbers.
PLAUSIBLE_KELVIN = (100.0, 400.0)

# Frames that a file packs into one chunk are held, decoded, while they are read one by one; not beyond this.
LARGEST_BLOCK_BYTES = 512 << 20


def open_cf(
    path: Path,
    *,
    group: str | None = None,
    variable: str | None = None,
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    time_from: str = "auto",
) -> xr.DataArray:
    """Open the brightness temperature of a NetCDF or HDF5 file, a Zarr store, or one group of it.

    Parameters
    ----------
    path : Path
        The file or store; a Zarr store may be a zip archive.
    group : str, optional
        A group in it; without one the groups of a NetCDF-4 file are looked through where its root has none.
    variable : str, optional
        The variable's name; see `choose_variable`.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing; the log says how many there were.
    time_from : {"auto", "attributes", "name"}
        Where a single frame has its time from: its time variable, else attributes, else the file's name; or one of the
        last two alone.

    Returns
    -------
    DataArray (time, y, x)
        A sequence in the order of its times; coordinates, grid mapping and attributes (the file's and the
        variable's) are kept. Missing are pixels outside the valid range, equal to a fill value, or flagged as no
        measurement by a CF flag variable.

    Raises
    ------
    NoSequenceError
        If no variable fits.
    InputError
        If the file cannot be read, several variables fit, or the one that fits has no times or too many dimensions.
    """
    group, name, dataset = _choose(path, group, variable)
    stored = dataset[name]
    time, layout = _lay_out(dataset, stored, path, time_from)
    times = _times(stored, dataset, time, path, time_from)
    order = np.argsort(times, kind="stable")
    if (np.diff(order) < 0).any():
        tell_once(log, logging.WARNING, "%s: frames are not in the order of their times; they are sorted", path)
    check_claim(path, layout.shape(stored)[1:], stored.dtype.itemsize)
    check_claim(path, stored.encoding.get("chunksizes") or stored.encoding.get("chunks") or (), stored.dtype.itemsize)
    attrs = merge(dataset.attrs, stored.attrs)
    conversion = kelvin_conversion(attrs.get("units", ""))
    read = _Frames(path, layout, order, stored, flags_of(dataset, name, path))
    if conversion is None:
        raise InputError(_no_temperature(path, name, attrs))
    stack = FrameStack(path, read, layout.shape(stored), conversion, valid_kelvin)
    if grid_mapping := stored.encoding.get("grid_mapping"):
        attrs["grid_mapping"] = grid_mapping
    attrs = {key: value for key, value in attrs.items() if key not in STORED_ATTRIBUTES}
    attrs["units"] = "K"
    if channel_of(name).kind and not channel_of("", attrs).kind:
        attrs.setdefault("original_name", name)  # all that tells the channel
    attrs.setdefault("sequence", group.rsplit("/", 1)[-1] if group and path.is_dir() else _stem(path))
    attrs["sequence"] = str(attrs["sequence"])
    places = place_coordinates(dataset, stored, path, kept=layout.dims, time=time)
    tell_left_out(dataset, stored, {*places, time}, path)
    coords = layout.coordinates(places, times, order)
    return as_sequence(lazy_sequence(stack, coords, attrs), valid_kelvin=EVERYTHING)


def _no_temperature(path: Path, name: str, attrs: Mapping[str, Any]) -> str:
    told = f"the units {attrs['units']!r}" if "units" in attrs else "no units"
    return (
        f"{path}: {name} has {told}; a brightness temperature is in K or degrees_Celsius. If it is one, say so: "
        f"ncatted -a units,{name},o,c,K {path.name}"
    )


@dataclass(frozen=True)
class Located:
    """Where in a file things lie, so that files like it need not be searched.

    Parameters
    ----------
    group, name : str
        Of the image variable; the root is "".
    time : str or None
        The variable of its times; None where attributes or the file's name tell them.
    image_shape : tuple of int
        Of the image as stored.
    places : tuple of str
        Variables of the grid.
    names : frozenset of str
        All variables and groups beside the image.
    comparable : bool
        Whether times, grid and sensor are all that can differ: nothing else lies along the frames.
    """

    group: str
    name: str
    time: str | None
    image_shape: tuple[int, ...]
    places: tuple[str, ...]
    names: frozenset[str]
    comparable: bool


def locate(path: Path, group: str | None, variable: str | None, time_from: str) -> Located:
    """Return where the brightness temperature of a NetCDF-4 file and its times lie; the options are `open_cf`'s."""
    group, name, dataset = _choose(path, group, variable)
    image = dataset[name]
    time, layout = _lay_out(dataset, image, path, time_from)
    coords = place_coordinates(dataset, image, path, kept=layout.dims, time=time)
    spatial = {layout.rows, layout.columns}
    places = tuple(key for key, coord in coords.items() if coord.dims and set(coord.dims) <= spatial)
    along = [key for key, coord in coords.items() if layout.frames in coord.dims]
    # Names of dimensions without a variable are objects of the file too.
    names = frozenset({*map(str, dataset.variables), *(str(dim) for dim in dataset.dims)})
    own = all(key in dataset.variables for key in (name, *places, *([time] if time else [])))
    return Located(group, name, time, image.shape, places, names, own and not along)


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


def _stem(path: Path) -> str:
    return path.name.removesuffix(".zip").removesuffix(".gz").rsplit(".", 1)[0] or path.name


@dataclass(frozen=True)
class _Layout:
    """Where the frames, rows and columns of a stored variable lie.

    Parameters
    ----------
    frames : hashable or None
        The dimension of the frames; None where the variable is one frame.
    rows, columns : hashable
        Those of the image.
    """

    frames: Hashable | None
    rows: Hashable
    columns: Hashable

    @property
    def dims(self) -> set[Hashable]:
        """All of them."""
        return {dim for dim in (self.frames, self.rows, self.columns) if dim is not None}

    def image(self, da: xr.DataArray) -> xr.Variable:
        """Return a variable on the stored grid with (frames), rows and columns in this order; still lazy."""
        kept = [dim for dim in (self.frames, self.rows, self.columns) if dim in da.dims]
        return da.variable.isel({dim: 0 for dim in da.dims if dim not in kept}).transpose(*kept)

    def part(self, variable: xr.Variable, first: int, last: int) -> np.ndarray:
        """Return some frames of what `image` gave, with an axis of one for each dimension that it does not have."""
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
        names = {self.rows: "y", self.columns: "x"} | ({self.frames: "time"} if self.frames else {})
        kept = {"time": xr.Variable("time", times[order])}
        for name, variable in stored.items():
            if not set(variable.dims) <= set(names):
                continue
            renamed = xr.Variable([names[dim] for dim in variable.dims], variable.values, variable.attrs)
            renamed = renamed.isel(time=order) if "time" in renamed.dims else renamed
            # A dimension may bear the name of a coordinate that does not lie along it alone: y(y, x).
            clashes = name == "time" or (name in ("y", "x") and renamed.dims != (name,))
            kept[f"{name}_coordinate" if clashes else name] = renamed
        return kept


def _lay_out(dataset: xr.Dataset, da: xr.DataArray, path: Path, time_from: str) -> tuple[str | None, _Layout]:
    """Return the variable of the times, if there is one, and how the image is laid out."""
    where = f"{path}: {da.name}"
    time = find_time(dataset, da)
    frames = next((dim for dim in (dataset[time].dims if time else ()) if dim in da.dims), None)
    if time_from != "auto" and (time is None or dataset[time].size == 1):
        time = frames = None  # a single frame, whose time is looked for elsewhere
    needed = 2 if frames is None else 3
    extra = [dim for dim in da.dims if da.sizes[dim] == 1 and dim != frames][: max(da.ndim - needed, 0)]
    left = [dim for dim in da.dims if dim not in extra]
    if frames is None and len(left) == 3:
        raise NoSequenceError(
            f"{where} has {da.sizes[left[0]]} frames along {left[0]!r} and no times along it; give it a coordinate "
            "along this dimension with units such as 'hours since 1970-01-01'."
        )
    if len(left) != needed:
        longer = next(dim for dim in left if dim != frames)
        raise InputError(
            f"{where} has the dimensions {da.dims}; a sequence has time and two more. Take one part first: "
            f"ncks -d {longer},0 IN OUT, or in Python da.isel({longer}=0)."
        )
    horizontal = [dim for dim in left if dim != frames]
    rows, columns = horizontal_axes(_skeleton(dataset, da), (horizontal[0], horizontal[1]))
    return time, _Layout(frames, rows, columns)


def _skeleton(dataset: xr.Dataset, da: xr.DataArray) -> xr.DataArray:
    """Return a variable without its values, with every one-dimensional variable along its dimensions."""
    along = {name: v for name, v in dataset.variables.items() if v.ndim == 1 and set(v.dims) <= set(da.dims)}
    empty = xr.DataArray(np.broadcast_to(np.float32(0), da.shape), dims=da.dims)
    return empty.assign_coords({name: (v.dims, np.zeros(v.shape), v.attrs) for name, v in along.items()})


def _times(da: xr.DataArray, dataset: xr.Dataset, time: str | None, path: Path, time_from: str) -> np.ndarray:
    """Return one time for each frame."""
    if time is not None:
        return decoded_times(dataset[time].variable, f"{path}: {time}")
    told = frame_time(path, (da.attrs, dataset.attrs), time_from)
    if told is None:
        raise NoSequenceError(
            f"{path}: {da.name} has no time coordinate, and neither its attributes nor the file's name tell a time; "
            "give it a coordinate with units such as 'hours since 1970-01-01', or name the file by YYYYMMDDHHMM."
        )
    tell_once(log, logging.INFO, "%s: a frame without a time variable has its time from its %s", path, told[1])
    return np.array([told[0]])


class _Frames:
    """Frames of a variable by number, in the file's units; those of one chunk of the file are decoded together."""

    def __init__(self, path: Path, layout: _Layout, order: np.ndarray, da: xr.DataArray, flags: list[Flags]) -> None:
        self.path, self.order, self.name = path, order, str(da.name)
        self.layout, self.variable = layout, layout.image(da)
        conversion = kelvin_conversion(da.attrs.get("units", "")) or KELVIN
        low, high = ((kelvin - conversion.offset) / conversion.scale for kelvin in PLAUSIBLE_KELVIN)
        self.decoding = Decoding.of(da.attrs, da.dtype, f"{path}: {da.name}", (low, high))
        self.flags = [(layout.image(flag), tests) for flag, tests in flags]
        self.frames_a_chunk = _frames_a_chunk(da, layout)
        self.held: tuple[int, np.ndarray] = (-1, np.empty(0))

    def __call__(self, number: int) -> np.ndarray:
        number = int(self.order[number])
        if self.frames_a_chunk == 1:
            return self._read(number, number + 1)[0]
        block = number // self.frames_a_chunk
        held, frames = self.held  # read at once: several threads may ask
        if held != block:
            frames = self._read(block * self.frames_a_chunk, (block + 1) * self.frames_a_chunk)
            self.held = block, frames
        return frames[number - block * self.frames_a_chunk]

    def _read(self, first: int, last: int) -> np.ndarray:
        try:
            values = self.decoding(self.layout.part(self.variable, first, last))
            for flags, tests in self.flags:
                values = np.where(flagged(self.layout.part(flags, first, last), tests), np.nan, values)
        except Exception as error:  # whatever the library below raises for a damaged file
            raise InputError(f"{self.path} cannot be read at frame {first} ({error}); is it whole?") from error
        return np.asarray(values, dtype=np.float32)


def _frames_a_chunk(da: xr.DataArray, layout: _Layout) -> int:
    """Return how many frames the file packs into one chunk: 1 where it tells nothing or they are many."""
    chunks = da.encoding.get("chunksizes") or da.encoding.get("chunks")
    if not chunks or layout.frames is None:
        return 1
    frames = int(chunks[da.dims.index(layout.frames)])
    return frames if frames * math.prod(layout.shape(da)[1:]) * 4 <= LARGEST_BLOCK_BYTES else 1
