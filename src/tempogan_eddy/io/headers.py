"""What a file holds, read without its frames: enough to tell which files continue each other.

An archive is thousands of files alike. Some of them are opened in full. Another is compared with these piece by piece;
if nothing differs but its times, its header is theirs with its own times, which takes a fraction of the time. If
anything differs, or looks wrong, it is opened in full too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.axes import role_of
from tempogan_eddy.io.cf import attributes_of, coordinates_of
from tempogan_eddy.io.channel import channel_of
from tempogan_eddy.io.companions import STORED_ATTRIBUTES, decoded_times
from tempogan_eddy.io.container import is_hdf5
from tempogan_eddy.io.hdf5_guard import own_dataset
from tempogan_eddy.io.image import Image, find_image
from tempogan_eddy.io.time_axis import frame_time
from tempogan_eddy.io.units import text_of

__all__ = ["GRID", "Header", "HeaderReader"]

SENSORS = {
    *("platform", "platform_id", "platform_name", "satellite", "satellite_name", "satellite_id", "spacecraft"),
    *("sensor", "instrument", "instrument_id", "instrument_name", "sensor_name", "orbital_slot", "scene_id"),
}
STORMS = {"sequence", "storm", "storm_id", "storm_name", "sid", "cyclone", "typhoon", "tc_name", "tc_id"}
TIME_ATTRIBUTES = {"units", "calendar", "_FillValue", "missing_value", "valid_range", "valid_min", "valid_max"} | {
    *("_Unsigned", "scale_factor", "add_offset")
}
PACKING = ("scale_factor", "add_offset")
TEXT = "text"
MOST_EXAMPLES = 8  # of files that others are compared with
SAMPLED = 32  # places along each side of a large coordinate that are compared
GRID = 3
"""The place of the grid in a header's kind."""


@dataclass(frozen=True)
class Header:
    """What one file holds.

    Parameters
    ----------
    path : Path
        The file.
    times : (T,) datetime64[ns]
        Of its frames, in order.
    kind : tuple
        Variable, rows, columns, grid, sensor, channel and storm: files of one sequence agree in all.
    coords : dict of Variable
        All coordinates but the times, decoded.
    attrs : dict
        Of the file and its image.
    """

    path: Path
    times: np.ndarray
    kind: tuple[Any, ...]
    coords: Mapping[str, xr.Variable] = field(compare=False, repr=False)
    attrs: Mapping[str, Any] = field(compare=False, repr=False)

    @property
    def has_place(self) -> bool:
        """Whether coordinates say where its pixels lie."""
        return any(_is_grid(name, variable) for name, variable in self.coords.items())


class HeaderReader:
    """Reads headers of files that are mostly alike.

    Parameters
    ----------
    variable, time_from
        As for `open_cf`.
    """

    def __init__(self, variable: str | None = None, time_from: str = "auto") -> None:
        self.variable, self.time_from = variable, time_from
        self._examples: list[_Example] = []
        self._grids: dict[str, dict[str, xr.Variable]] = {}

    def __call__(self, path: Path) -> Header:
        """Return the header of a file.

        Raises
        ------
        InputError
            The file cannot be read or holds no sequence.
        """
        if self._examples and is_hdf5(path):
            for example in self._examples:
                times = example.times_if_alike(path, self.time_from)
                if times is not None:
                    header = example.header
                    return Header(path, times, header.kind, header.coords, header.attrs)
        image = find_image(path, None, self.variable, self.time_from)
        try:
            image.conversion()  # refuses units that are no temperature, and claims beyond the file
            header = self._header(image)
            if is_hdf5(path) and len(self._examples) < MOST_EXAMPLES:
                self._examples += filter(None, [_Example.of(image, header)])
        finally:
            image.close()
        return header

    def _header(self, image: Image) -> Header:
        """Return the header of an opened file; equal grids are held once."""
        coords, attrs = coordinates_of(image), attributes_of(image)
        times = coords.pop("time").values
        grid = {name: variable for name, variable in coords.items() if _is_grid(name, variable)}
        digest = _digest(grid)
        coords |= self._grids.setdefault(digest, grid)
        rows, columns = image.layout.shape(image.stored)[1:]
        channel = channel_of(image.name, attrs, {name: xr.DataArray(v) for name, v in coords.items() if v.size == 1})
        sensor = tuple(sorted(f"{key.lower()}={text_of(attrs[key])}" for key in attrs if key.lower() in SENSORS))
        storm = tuple(sorted(text_of(attrs[key]) for key in attrs if key.lower().removeprefix("file:") in STORMS))
        kind = (image.name, rows, columns, digest, sensor, (channel.kind, channel.wavelength), storm)
        return Header(image.path, times, kind, coords, attrs)


def _is_grid(name: str, variable: xr.Variable) -> bool:
    """Return whether a coordinate says where pixels lie: a place along y or x alone, or a grid mapping."""
    if "grid_mapping_name" in variable.attrs:
        return True
    return bool(variable.dims) and set(variable.dims) <= {"y", "x"} and role_of(name, variable.attrs) is not None


def _digest(grid: Mapping[str, xr.Variable]) -> str:
    digest = hashlib.sha256()
    for name, variable in sorted(grid.items()):
        attrs = {key: variable.attrs[key] for key in variable.attrs if "grid_mapping_name" in variable.attrs}
        digest.update(f"{name}{variable.dims}{sorted((key, str(value)) for key, value in attrs.items())}".encode())
        if variable.dims:
            # A grid stored as float32 in one file and as float64 in another is one grid.
            digest.update(np.round(variable.values.astype(np.float32), 4).tobytes())
    return digest.hexdigest()


Marks = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class _Example:
    """A file opened in full, and what another has to share with it byte by byte."""

    header: Header
    group: str
    name: str
    time: str | None
    shape: tuple[int, ...]  # of the image, without the frames
    frames_axis: int | None
    names: frozenset[str]
    marks: Marks

    @classmethod
    def of(cls, image: Image, header: Header) -> _Example | None:
        """Return an example; None where something else than times lies along the frames, or above the group."""
        frames = image.layout.frames
        kept = [name for name in header.coords if name in image.dataset.variables]
        along = [name for name in kept if frames in image.dataset[name].dims and frames is not None]
        if along or len(kept) < len(header.coords) or len(header.times) == 0:
            return None
        axis = image.stored.dims.index(frames) if frames is not None else None
        shape = tuple(size for number, size in enumerate(image.stored.shape) if number != axis)
        try:
            with NETCDF4_PYTHON_LOCK, h5py.File(image.path, "r", locking=False) as file:
                group = file[image.group] if image.group else file
                names = frozenset(group)
                stored = own_dataset(group, image.name, image.path)
                marks = _marks(file, image.group, stored, kept, image.path)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, InputError):
            return None
        return cls(header, image.group, image.name, image.time, shape, axis, names, marks)

    def times_if_alike(self, path: Path, time_from: str) -> np.ndarray | None:
        """Return the times of a file like this one; None where it differs, or cannot be read so."""
        try:
            with NETCDF4_PYTHON_LOCK, h5py.File(path, "r", locking=False) as file:
                group = file[self.group] if self.group else file
                if frozenset(group) != self.names:
                    return None
                image = own_dataset(group, self.name, path)
                count = 1 if self.frames_axis is None else image.shape[self.frames_axis]
                rest = tuple(size for number, size in enumerate(image.shape) if number != self.frames_axis)
                if time_from != "auto" and count == 1 and self.time is not None:
                    return None  # a single frame, whose time is looked for elsewhere
                kept = [name for name in self.marks if not name.startswith("/")]
                if rest != self.shape or _marks(file, self.group, image, kept, path, self.marks) != self.marks:
                    return None
                times = self._times(file, group, image, path, time_from)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, InputError):
            return None  # opened in full, it says what is wrong
        return np.sort(times) if len(times) == count > 0 and not np.isnat(times).any() else None

    def _times(self, file: h5py.File, group: h5py.Group, image: h5py.Dataset, path: Path, time_from: str) -> np.ndarray:
        if self.time is None:
            told = frame_time(path, (_texts(image.attrs), _texts(file.attrs)), time_from)
            return np.array([] if told is None else [told[0]], "datetime64[ns]")
        stored = own_dataset(group, self.time, path)
        variable = xr.Variable(
            [f"d{axis}" for axis in range(stored.ndim)], stored[()], _texts(stored.attrs, TIME_ATTRIBUTES)
        )
        return decoded_times(variable, f"{path}: {self.time}")


def _marks(
    file: h5py.File, above: str, image: h5py.Dataset, kept: Iterable[str], path: Path, like: Marks | None = None
) -> Marks:
    """Return what has to be equal: attributes of file, group and image, and the coordinates that are kept.

    Values are read only where the shape is that of `like`, so that nothing large is.
    """
    group = file[above] if above else file
    marks: Marks = {}
    for where, holder in (("/file", file), ("/group", group))[: 2 if above else 1]:
        telling = [key for key in holder.attrs if key.lower() in SENSORS | STORMS]
        marks[where] = _spelled(holder.attrs, telling)
    # Packing may differ from file to file: it is read anew with each.
    marks["/image"] = _spelled(image.attrs, [key for key in image.attrs if key not in STORED_ATTRIBUTES])
    for name in kept:
        if (like is not None and like[name][1] == TEXT) or (
            like is None and h5py.check_string_dtype(group[name].dtype)
        ):
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise InputError(f"{path}: {name} is no variable of its own.")
            marks[name] = ((), TEXT, str(group[name].asstr()[()]), ())
            continue
        values = own_dataset(group, name, path, shape=None if like is None else like[name][0])
        about = (h5py.h5a.get_num_attrs(values.id), *_spelled(values.attrs, PACKING))
        marks[name] = (values.shape, str(values.dtype), _compared(values), about)
    return marks


def _spelled(attrs: Mapping[str, Any], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return attributes as text, those that there are."""
    return tuple(sorted((name, text_of(attrs[name])) for name in names if name in attrs))


def _compared(values: h5py.Dataset) -> bytes:
    """Return what of a coordinate is compared: all of it, or places all over one of two dimensions."""
    if values.ndim < 2:
        return np.asarray(values[()]).tobytes()
    return np.asarray(values[tuple(slice(None, None, max(1, size // SAMPLED)) for size in values.shape)]).tobytes()


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value


def _texts(attrs: Mapping[str, Any], wanted: set[str] | None = None) -> dict[str, Any]:
    """Return attributes with texts as text; h5py gives some as bytes, and references to other objects."""
    names = set(attrs) - {"DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_Netcdf4Dimid", "_Netcdf4Coordinates"}
    return {
        key: text_of(value) if isinstance(value := _plain(attrs[key]), bytes) else value
        for key in (names if wanted is None else names & wanted)
    }
