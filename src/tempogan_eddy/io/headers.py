"""What a file holds, read without its frames: enough to tell which files continue each other.

An archive is thousands of files alike. The first of them is opened in full; of the others only times, shape, grid and
sensor are read and compared with it, which takes about a tenth of the time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.axes import role_of
from tempogan_eddy.io.cf import Located, locate
from tempogan_eddy.io.companions import decoded_times
from tempogan_eddy.io.container import is_hdf5
from tempogan_eddy.io.frames import stacks_of
from tempogan_eddy.io.time_axis import frame_time
from tempogan_eddy.io.units import text_of

__all__ = ["Header", "HeaderReader"]

SENSORS = (
    *("platform", "platform_id", "platform_name", "satellite", "satellite_name", "satellite_id", "spacecraft"),
    *("sensor", "instrument", "instrument_id", "instrument_name", "sensor_name", "orbital_slot", "scene_id"),
)
PACKING = ("scale_factor", "add_offset")
TIME_ATTRIBUTES = frozenset({"units", "calendar", "_FillValue", "missing_value", "valid_range", "_Unsigned", *PACKING})


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
        Variable, rows, columns, grid, sensor and storm: files of one sequence agree in all.
    """

    path: Path
    times: np.ndarray
    kind: tuple[Any, ...]


class HeaderReader:
    """Reads headers of files that are mostly alike.

    Parameters
    ----------
    open : callable
        Opens a file in full, as a sequence.
    variable, time_from
        As for `open_cf`.
    """

    def __init__(
        self, open: Callable[[Path], xr.DataArray], variable: str | None = None, time_from: str = "auto"
    ) -> None:
        self.open, self.variable, self.time_from = open, variable, time_from
        self._like: tuple[Located, dict[str, tuple[Any, ...]], Header] | None = None

    def __call__(self, path: Path) -> Header:
        """Return the header of a file.

        Raises
        ------
        InputError
            The file cannot be read or holds no sequence.
        """
        if self._like is not None and is_hdf5(path):
            header = self._compare(path)
            if header is not None:
                return header
        header = header_of(self.open(path), path)
        if self._like is None and is_hdf5(path):
            located = locate(path, None, self.variable, self.time_from)
            if located.comparable:
                self._like = located, self._grid(path, located), header
        return header

    def _compare(self, path: Path) -> Header | None:
        """Return the header of a file like the first; None where it differs in anything, or cannot be read so."""
        assert self._like is not None
        located, grid, first = self._like
        try:
            with NETCDF4_PYTHON_LOCK, h5py.File(path, "r", locking=False) as file:
                group = file[located.group] if located.group else file
                image = group[located.name]
                alike = image.shape[-2:] == located.image_shape[-2:] and image.ndim == len(located.image_shape)
                if not alike or set(group) != located.names or _grid_marks(group, grid) != grid:
                    return None
                times = _times(group, file, located, path, self.time_from, image)
                return Header(path, np.sort(times), (*first.kind[:-2], _sensor(file.attrs), first.kind[-1]))
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, InputError):
            return None  # opened in full, it says what is wrong

    def _grid(self, path: Path, located: Located) -> dict[str, tuple[Any, ...]]:
        with NETCDF4_PYTHON_LOCK, h5py.File(path, "r", locking=False) as file:
            group = file[located.group] if located.group else file
            return _grid_marks(group, dict.fromkeys(located.places))


def header_of(da: xr.DataArray, path: Path) -> Header:
    """Return the header of an opened sequence."""
    digest = hashlib.sha256()
    for name, coord in sorted(da.coords.items(), key=lambda item: str(item[0])):
        if coord.dims and set(coord.dims) <= {"y", "x"} and role_of(name, coord.attrs) not in (None, "time"):
            # Float32 and float64 of one grid are one grid.
            digest.update(f"{name}{coord.dims}".encode())
            digest.update(np.round(coord.values.astype(np.float64), 4).tobytes())
    storm = "" if da.attrs["sequence"] in ("", path.stem, path.name.rsplit(".", 1)[0]) else da.attrs["sequence"]
    shape = (da.sizes["y"], da.sizes["x"])
    variable = getattr(stacks_of(da)[0].read, "name", "")
    return Header(path, da["time"].values, (variable, *shape, digest.hexdigest(), _sensor(da.attrs), storm))


def _sensor(attrs: Mapping[Any, Any]) -> tuple[str, ...]:
    lower = {str(key).lower().removeprefix("file:"): attrs[key] for key in attrs if str(key).lower() in SENSORS}
    return tuple(f"{key}={text_of(_plain(lower[key]))}" for key in sorted(lower))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value


def _grid_marks(group: h5py.Group, names: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return shape and values of coordinates, as stored; of large ones the corners."""
    marks = {}
    for name in names:
        values = group[name]
        held = values[()] if values.ndim < 2 else values[:: max(values.shape[0] - 1, 1), :: max(values.shape[1] - 1, 1)]
        packing = tuple(float(_plain(values.attrs[key])) for key in PACKING if key in values.attrs)
        marks[name] = (values.shape, np.asarray(held).tobytes(), packing)
    return marks


def _times(
    group: h5py.Group, file: h5py.File, located: Located, path: Path, time_from: str, image: h5py.Dataset
) -> np.ndarray:
    if located.time is None:
        told = frame_time(path, (_texts(image.attrs), _texts(file.attrs)), time_from)
        if told is None:
            raise InputError(f"{path} tells no time.")
        return np.array([told[0]])
    stored = group[located.time]
    attrs = _texts(stored.attrs, TIME_ATTRIBUTES)
    variable = xr.Variable([f"d{axis}" for axis in range(stored.ndim)], stored[()], attrs)
    return decoded_times(variable, f"{path}: {located.time}")


def _texts(attrs: Mapping[str, Any], wanted: frozenset[str] | None = None) -> dict[str, Any]:
    """Return attributes with texts as text; h5py gives some as bytes, and references to other objects."""
    names = set(attrs) - {"DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"}
    return {
        key: text_of(value) if isinstance(value := _plain(attrs[key]), bytes) else value
        for key in (names if wanted is None else names & wanted)
    }
