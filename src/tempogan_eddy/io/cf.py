"""NetCDF and Zarr by the CF conventions, through xarray."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr
import zarr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.quality import VALID_KELVIN
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.units import KELVIN, kelvin_conversion

__all__ = ["NoSequenceError", "open_cf", "zarr_groups"]

# The library's own 64 MiB for each variable fill up with frames that are read once.
netCDF4.set_chunk_cache(16 << 20)

# Frames that a file packs into one chunk are held, decoded, while they are read one by one; not beyond this.
LARGEST_BLOCK_BYTES = 512 << 20

STANDARD_NAMES = {"brightness_temperature", "toa_brightness_temperature"}
STALE_ATTRIBUTES = {"valid_min", "valid_max", "valid_range", "actual_range", "ancillary_variables", "bounds"}
"""Attributes that speak of packed numbers or of variables that are not kept."""


class NoSequenceError(InputError):
    """A readable file in which no variable is a sequence of brightness temperature."""


def open_cf(
    path: Path,
    *,
    group: str | None = None,
    variable: str | None = None,
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
) -> xr.DataArray:
    """Open the brightness temperature of a NetCDF file, a Zarr store or one group of it.

    Parameters
    ----------
    path : Path
        The file or store.
    group : str, optional
        A group in it.
    variable : str, optional
        The variable's name; without it, the variable with the standard name of a brightness temperature, else
        the only one in kelvin along time.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing.

    Returns
    -------
    DataArray (time, y, x)
        A sequence; coordinates, grid mapping and attributes (the file's and the variable's) are kept.

    Raises
    ------
    NoSequenceError
        If no variable fits.
    InputError
        If the file cannot be read, several variables fit, or the one that fits has too many dimensions.
    """
    dataset = _open_dataset(path, group)
    raw = dataset[_choose(dataset, path, variable)]
    da = _name_dimensions(raw, path)
    stack = FrameStack(path, _Frames(da.variable, path, _frames_a_chunk(raw, da)), da.shape)
    attrs = {**dataset.attrs, **raw.attrs}
    if grid_mapping := raw.encoding.get("grid_mapping"):
        attrs["grid_mapping"] = grid_mapping
    attrs = {key: value for key, value in attrs.items() if key not in STALE_ATTRIBUTES}
    attrs.setdefault("sequence", group.rsplit("/", 1)[-1] if group else path.stem)
    attrs["sequence"] = str(attrs["sequence"])
    return as_sequence(lazy_sequence(stack, _coordinates(da), attrs), valid_kelvin=valid_kelvin)


def zarr_groups(path: Path) -> list[str]:
    """Return the groups of a Zarr store that hold arrays, "" being the store itself.

    Raises
    ------
    InputError
        If the store cannot be read.
    """
    try:
        return sorted(_groups_with_arrays(zarr.open_group(path, mode="r"), ""))
    except Exception as error:  # zarr raises whatever its metadata parsing meets
        raise InputError(f"{path} cannot be read as Zarr ({error}); is it whole?") from error


def _groups_with_arrays(group: zarr.Group, name: str) -> Iterator[str]:
    if next(iter(group.arrays()), None) is not None:
        yield name
        return
    for child, subgroup in group.groups():
        yield from _groups_with_arrays(subgroup, f"{name}/{child}" if name else child)


def _open_dataset(path: Path, group: str | None) -> xr.Dataset:
    """Open lazily, with grid mappings and all latitudes and longitudes as coordinates."""
    engine = _engine(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
            dataset = xr.open_dataset(path, group=group, decode_coords="all", cache=False, **engine)  # type: ignore[arg-type]
    except Exception as error:  # xarray's engines raise whatever their libraries raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        kind = "Zarr" if path.is_dir() else "NetCDF"
        raise InputError(f"{path} cannot be read as {kind} ({reason}); is it whole?") from error
    horizontal = ("latitude", "longitude")
    return dataset.set_coords(
        [name for name, da in dataset.data_vars.items() if da.attrs.get("standard_name") in horizontal]
    )


def _engine(path: Path) -> dict[str, object]:
    if path.is_dir():
        return {"engine": "zarr", "consolidated": False}
    with path.open("rb") as file:
        classic = file.read(4) in (b"CDF\x01", b"CDF\x02")
    # The NetCDF library reads what is cut off a classic file as zeros, scipy notices.
    return {"engine": "scipy" if classic else "netcdf4"}


def _times(da: xr.DataArray) -> list[str]:
    """Return the names of the coordinates that are dates, one that names its own dimension first."""
    dates = [str(name) for name, coord in da.coords.items() if coord.dtype.kind == "M" and coord.ndim <= 1]
    return sorted(dates, key=lambda name: (da[name].dims != (name,), da[name].ndim == 0))


def _choose(dataset: xr.Dataset, path: Path, variable: str | None) -> str:
    """Return the name of the brightness temperature among the variables."""
    names = {str(name): da for name, da in dataset.data_vars.items()}
    if variable is not None:
        if variable not in names:
            raise InputError(f"{path} has no variable {variable!r}; it has {', '.join(sorted(names)) or 'none'}.")
        return variable
    timed = {name: da for name, da in names.items() if _times(da) and da.ndim >= 2}
    for candidates in (
        [name for name, da in timed.items() if da.attrs.get("standard_name") in STANDARD_NAMES],
        [name for name, da in timed.items() if kelvin_conversion(da.attrs.get("units", "")) == KELVIN],
    ):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise InputError(f"{path} has several candidates, {', '.join(sorted(candidates))}; name the variable.")
    if not timed:
        held = ", ".join(sorted(names)) or "no variable"
        raise NoSequenceError(f"{path} holds {held}, but nothing along a coordinate of dates; a sequence has times.")
    raise NoSequenceError(
        f"{path} has no variable along time with standard_name brightness_temperature or units K; "
        f"name one of {', '.join(sorted(timed))} as the setting data.variable (--set data.variable={min(timed)})."
    )


def _name_dimensions(da: xr.DataArray, path: Path) -> xr.DataArray:
    """Return the variable with dims exactly (time, y, x); what named the old dims stays as a coordinate."""
    times = _times(da)
    if not times:
        raise InputError(f"{path}: {da.name} has no time coordinate of dates.")
    time = times[0]
    if da[time].ndim == 0:
        da = da.expand_dims(time)
    if time != "time":
        da = da.rename({time: "time"})
    if da["time"].dims != ("time",):
        da = da.swap_dims({da["time"].dims[0]: "time"})
    extra = [dim for dim in da.dims if dim != "time" and da.sizes[dim] == 1]
    da = da.squeeze(extra[: max(da.ndim - 3, 0)])
    if da.ndim != 3:
        raise InputError(f"{path}: {da.name} has the dimensions {da.dims}; a sequence has time and two more.")
    first, second = (dim for dim in da.dims if dim != "time")
    if _is_eastward(da, first) and not _is_eastward(da, second):
        first, second = second, first
    da = da.transpose("time", first, second)
    return da.swap_dims({old: new for old, new in ((first, "y"), (second, "x")) if old != new})


def _is_eastward(da: xr.DataArray, dim: object) -> bool:
    """Tell whether a dimension runs along x, by the CF attributes of its coordinate, else by its name."""
    attrs = da[dim].attrs if dim in da.coords else {}
    marks = {attrs.get("axis"), attrs.get("standard_name"), attrs.get("units")}
    eastward = {"X", "longitude", "projection_x_coordinate", "grid_longitude", "degrees_east"}
    return bool(marks & eastward) or str(dim).lower() in {"x", "xc", "lon", "longitude", "rlon", "ni"}


def _coordinates(da: xr.DataArray) -> dict[str, xr.Variable]:
    """Return the coordinates that lie on (time, y, x), strings as plain numpy strings, encoding dropped."""
    kept = {}
    for name, coord in da.coords.items():
        if set(coord.dims) <= {"time", "y", "x"}:
            values = coord.values.astype(str) if coord.dtype.kind in "OT" else coord.values
            attrs = {key: value for key, value in coord.attrs.items() if key not in STALE_ATTRIBUTES}
            kept[str(name)] = xr.Variable(coord.dims, values, attrs)
    return kept


def _frames_a_chunk(raw: xr.DataArray, da: xr.DataArray) -> int:
    """Return how many frames the file packs into one chunk: 1 where it tells nothing or they are many."""
    chunks = raw.encoding.get("chunksizes") or raw.encoding.get("chunks")
    along_time = [dim for dim in raw.dims if dim in raw[_times(raw)[0]].dims]
    if not chunks or not along_time:
        return 1
    frames = int(chunks[raw.dims.index(along_time[0])])
    return frames if frames * math.prod(da.shape[1:]) * 4 <= LARGEST_BLOCK_BYTES else 1


class _Frames:
    """Frames of a variable by number; those of one chunk of the file are decoded together."""

    def __init__(self, variable: xr.Variable, path: Path, frames_a_chunk: int) -> None:
        self.variable, self.path, self.frames_a_chunk = variable, path, frames_a_chunk
        self.held: tuple[int, np.ndarray] = (-1, np.empty(0))

    def __call__(self, number: int) -> np.ndarray:
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
            return np.asarray(self.variable[first:last].values, dtype=np.float32)
        except Exception as error:  # whatever the library below raises for a damaged file
            raise InputError(f"{self.path} cannot be read at frame {first} ({error}); is it whole?") from error
