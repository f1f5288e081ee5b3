"""Describe a sequence as a dataset by the CF conventions: names, attributes, grid mapping, types, encoding."""

import logging
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import dask.array
import numpy as np
import xarray as xr

from tempogan_eddy.io.attributes import STALE, plain, split
from tempogan_eddy.io.grids.axes import role_of
from tempogan_eddy.io.messages import about
from tempogan_eddy.io.ownership import FINGERPRINT, MARK, mark_attributes
from tempogan_eddy.io.sequence import NAME
from tempogan_eddy.io.values.precision import STATED, Precision

__all__ = ["NETCDF_FILTERS", "Template", "chunk_sides", "side_within", "template_of"]

# Of the frames in a NetCDF file: compressed, with a checksum in each chunk.
NETCDF_FILTERS = {"zlib": True, "complevel": 1, "shuffle": True, "fletcher32": True}

log = logging.getLogger(__name__)

REPEATED = "frame"  # the dimension of the frames if two have the same time: CF wants times along time to increase
SECONDS = {"units": "seconds since 1970-01-01", "calendar": "standard"}
WHOLE_FRAME, SIDE = 2048 * 2048, 1024  # pixels of the largest frame that is one chunk; longest side of other chunks

OF_ROLE: dict[str | None, dict[str, str]] = {
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
}
KNOWN_COORDINATES: dict[str, dict[str, str]] = {
    "time": {"standard_name": "time", "long_name": "time of the frame", "axis": "T"},
    "center_lat": {"long_name": "latitude of the storm centre", "units": "degrees_north"},
    "center_lon": {"long_name": "longitude of the storm centre", "units": "degrees_east"},
    "member": {"standard_name": "realization", "long_name": "member of the ensemble", "units": "1"},
    "satellite": {"long_name": "satellite that saw the frame"},
}
PLAIN_DEGREES = {"", "degree", "degrees", "deg"}


@dataclass(frozen=True)
class Template:
    """A dataset of coordinates, attributes and empty variables, and the frames to write into these."""

    dataset: xr.Dataset
    encoding: dict[str, dict[str, Any]]  # of its variables, for xarray
    frames: xr.DataArray  # ([member,] time, y, x); of several variables, each is a layer of (layer, time, y, x)
    names: tuple[str, ...] = (NAME,)  # of the variables that hold the frames


def template_of(da: xr.DataArray, precision: Precision) -> Template:
    """Return a sequence as a template by the CF conventions.

    The dataset has the variable ``brightness_temperature``, its grid mapping, and the coordinates. 1-D coordinates that
    increase or decrease name the dimensions; others, such as longitudes that jump at the date line, lie on ``y`` or
    ``x``. Times are seconds as double, since CF-1.8 has no 64-bit integers.
    """
    of_file, of_variable = split(da.attrs)
    for key in (*STATED, MARK, FINGERPRINT):
        of_file.pop(key, None)
        of_variable.pop(key, None)
    held = (of_variable, *(coord.attrs for coord in da.coords.values()))
    if stale := sorted({name for attrs in held for name in map(str, attrs) if name in STALE and name[0].islower()}):
        tell = about(log, of_file.get("sequence", ""))
        tell.info("No longer true of the output, left out: %s", ", ".join(stale))
    mappings = _grid_mappings(of_variable.pop("grid_mapping", None), da)
    variable = _attributes(of_variable) | precision.attrs
    variable["long_name"] = variable.get("long_name", "brightness temperature")
    if mappings:
        texts = [f"{name}: {' '.join(axes)}" if axes else name for name, axes in mappings.items()]
        variable["grid_mapping"] = " ".join(texts)
    if methods := _cell_methods(str(variable.pop("cell_methods", "")), da):
        variable["cell_methods"] = methods
    # As in GDAL's files, whose x and y are longitude and latitude.
    kinds = [coord.attrs.get("grid_mapping_name") for coord in da.coords.values() if _is_mapping(coord)]
    geographic = kinds == ["latitude_longitude"]
    empty = dask.array.empty(da.shape, dtype=np.float32, chunks=(1,) * (da.ndim - 2) + da.shape[-2:])
    dataset = xr.Dataset(
        {NAME: (da.dims, empty, variable)},
        coords={name: _coordinate(coord, geographic) for name, coord in da.coords.items()},
    )
    dataset = dataset.reset_coords([name for name in mappings if not dataset[name].dims])
    for name in set(dataset.data_vars) - {NAME}:
        dataset[name].encoding["coordinates"] = None  # a grid mapping has no coordinates
    title = f"Infrared brightness temperature, {of_file['sequence']}"
    acdd = re.findall(r"ACDD-[\d.]+\d", str(of_file.get("Conventions", "")))[:1]  # whose attributes are all kept
    dataset.attrs = {"title": title, **_attributes(of_file), "Conventions": ", ".join(["CF-1.8", *acdd])}
    dataset.attrs |= mark_attributes("sequence", dataset.attrs["history"])
    dataset = _name_dimensions(dataset)
    whole = (name for name, coord in dataset.coords.items() if coord.dtype.kind != "f" or coord.notnull().all())
    encoding: dict[str, dict[str, Any]] = {str(name): {"_FillValue": None} for name in whole}
    encoding["time"] = {**SECONDS, "dtype": "float64", "_FillValue": None}
    encoding[NAME] = {**precision.encoding, "chunks": empty.chunksize[:-2] + chunk_sides(*da.shape[-2:])}
    return Template(dataset, encoding, da)


def chunk_sides(height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of a chunk: the whole frame, or about equal parts of a large one."""
    if height * width <= WHOLE_FRAME:
        return height, width
    return -(-height // -(-height // SIDE)), -(-width // -(-width // SIDE))


def side_within(length: int) -> int:
    """Return the side of the chunks that fill a length exactly: the longest usual one, or all of it."""
    number = -(-length // SIDE)
    return length if length % number else length // number


def _attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes under names and in types of NetCDF: no ``/``, 64-bit integers only for large values."""
    known = {re.sub(r"[/\x00-\x1f\x7f]", "_", str(name)).strip(): attrs[name] for name in attrs if name not in STALE}
    return {name: _short(plain(value)) for name, value in known.items() if name}


def _short(value: Any) -> Any:
    numbers = np.asarray(value)
    return numbers.astype(np.int32)[()] if numbers.dtype.kind in "iu" and _fits(numbers) else value


def _fits(numbers: np.ndarray) -> bool:
    return bool(numbers.size == 0 or (numbers.min() >= -(2**31) and numbers.max() < 2**31))


def _grid_mappings(stated: Any, da: xr.DataArray) -> dict[str, list[str]]:
    """Return the grid mappings with the coordinates of each, which CF writes as ``crs: lat lon geos: x y``.

    An empty list stands for all coordinates (``crs``). Without the attribute, use the only mapping, if there is one.
    """
    mappings: dict[str, list[str]] = {}
    words = re.findall(r"([^\s:]+)\s*(:?)", str(stated or ""))
    long_form = any(colon for _, colon in words)
    for word, colon in words:
        if colon or not long_form:
            mappings[word] = []
        elif mappings:
            next(reversed(mappings.values())).append(word)
    kept = {name: [axis for axis in axes if axis in da.coords] for name, axes in mappings.items() if name in da.coords}
    if stated and not kept:
        log.info("The grid mapping %s is not there; left out.", stated)
    if not kept:
        found = [str(name) for name, coord in da.coords.items() if _is_mapping(coord)]
        return {name: [] for name in found if len(found) == 1}
    # The long form names axes; if none is left, use the short form, for all.
    return {name: axes for name, axes in kept.items() if axes} or {next(iter(kept)): []}


def _is_mapping(coord: xr.DataArray) -> bool:
    return bool({"grid_mapping_name", "crs_wkt", "spatial_ref"} & set(coord.attrs))


def _cell_methods(text: str, da: xr.DataArray) -> str:
    """Return cell methods with the names of this file's dimensions, without those of missing dimensions."""
    kept, left_out = [], []
    text = re.sub(r":\s*", ": ", text)
    for names, method in re.findall(r"((?:\w+: )+)([^:()]*?(?:\([^)]*\))?)\s*(?=\w+: |$)", text):
        known = [_dimension(name, da) for name in re.findall(r"\w+", names)]
        if method and all(known):
            kept.append(" ".join(f"{name}:" for name in known) + f" {method.strip()}")
        else:
            left_out.append(f"{names}{method}".strip())
    if left_out:
        log.info("Cell methods of dimensions that are not there, left out: %s", ", ".join(left_out))
    return " ".join(kept)


def _dimension(name: str, da: xr.DataArray) -> str | None:
    if name in da.coords or name in ("area", "realization"):  # what is no dimension, or was averaged away
        return name
    role = role_of(name)
    if role in ("time", None):
        return role
    same = (str(c.name) for c in da.coords.values() if role_of(c.name, c.attrs) == role and c.ndim < 2)
    return next(same, role if role in da.dims else None)


def _coordinate(coord: xr.DataArray, geographic: bool) -> xr.Variable:
    """Return a coordinate with the attributes of CF-1.8, in one of its types."""
    attrs = {**KNOWN_COORDINATES.get(str(coord.name), {}), **_attributes(coord.attrs)}
    if _is_mapping(coord):
        coord = coord[(0,) * coord.ndim]  # files joined in time may have it along time; CF has one for all
        attrs.setdefault("long_name", "grid mapping")
    elif set(coord.dims) & {"y", "x"}:
        role = role_of(coord.name, coord.attrs)
        if geographic and coord.ndim == 1 and "standard_name" not in attrs:
            role = {"x": "longitude", "y": "latitude"}.get(str(role), role)
        known = OF_ROLE.get(role, {})
        if known and str(attrs.get("units", "")).strip() in PLAIN_DEGREES:
            attrs.pop("units", None)
        attrs = {**known, **attrs}
    values = coord.values
    if coord.name == "time" or values.dtype.kind in "mM":
        attrs = {name: attrs[name] for name in attrs if name not in ("units", "calendar", "dtype")}
    if coord.name != "time":
        values, counted = _known_type(values)
        attrs |= counted
        if attrs.get("axis") == "T":  # for the times of the frames only
            del attrs["axis"]
        if not {"long_name", "standard_name"} & set(attrs):
            attrs["long_name"] = str(coord.name).replace("_", " ")
    return xr.Variable(coord.dims, values, attrs)


def _known_type(values: np.ndarray) -> tuple[np.ndarray, dict[str, str]]:
    """Return values in a type of CF-1.8 (no 64-bit integers, no unsigned numbers), and the units of dates."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind in "mM":
        since = values - np.datetime64(0, "s") if kind == "M" else values
        seconds = np.where(np.isnat(values), np.nan, since / np.timedelta64(1, "s"))
        return seconds, SECONDS if kind == "M" else {"units": "s"}
    if kind == "b":
        return values.astype(np.int8), {}
    if kind == "u" or (kind == "i" and size == 8):
        return values.astype(np.int32 if _fits(values) else np.float64), {}
    if kind == "f" and size not in (4, 8):
        return values.astype(np.float64), {}
    return (values.astype(str) if kind == "O" else values), {}


def _name_dimensions(dataset: xr.Dataset) -> xr.Dataset:
    """Name dimensions by their coordinates where possible, under names that CF allows."""
    allowed = {name: re.sub(r"\W", "_", str(name), flags=re.ASCII) for name in dataset.variables}
    changed = {old: new for old, new in allowed.items() if old != new and new not in dataset.variables}
    changed.update(_demoted(dataset))
    if changed:
        log.info("Renamed, as CF wants: %s", ", ".join(f"{old} to {new}" for old, new in changed.items()))
        dataset = dataset.reset_index([dim for dim in ("y", "x") if dim in changed]).rename_vars(changed)
    if not dataset.indexes["time"].is_unique:
        log.info("Two frames have the same time, so the file counts its frames along %s.", REPEATED)
        dataset = dataset.rename_dims(time=REPEATED).reset_index("time")
        dataset["time"].attrs.pop("axis", None)
    names = {dim: name for dim in ("y", "x") if (name := _name_along(dataset, dim))}
    # Both or none: a named y beside a bare x violates the order of dimensions that CF recommends.
    return dataset.swap_dims(names) if len(names) == 2 else dataset


def _demoted(dataset: xr.Dataset) -> dict[Hashable, str]:
    """Return new names for y and x if the coordinate of one of them cannot name a dimension."""
    own = [dim for dim in ("y", "x") if dim in dataset.coords]
    if all(_names_a_dimension(dataset[dim]) for dim in own):
        return {}
    roles = {dim: str(role_of(dim, dataset[dim].attrs)) for dim in own}
    return {
        dim: role if role in OF_ROLE and role not in dataset.variables else f"{dim}_coordinate"
        for dim, role in roles.items()
    }


def _name_along(dataset: xr.Dataset, dim: str) -> str | None:
    """Return the coordinate that can name a dimension, None if none or several can."""
    along = [str(name) for name, coord in dataset.coords.items() if coord.dims == (dim,) and _names_a_dimension(coord)]
    placed = [name for name in along if role_of(name, dataset[name].attrs) not in (None, "time")] or along
    return dim if dim in dataset.coords else placed[0] if len(placed) == 1 else None


def _names_a_dimension(coord: xr.DataArray) -> bool:
    """Return whether the values increase or decrease strictly."""
    if coord.dtype.kind not in "iuf":
        return False
    steps = np.diff(coord.values)
    return bool(np.isfinite(coord.values).all() and ((steps > 0).all() or (steps < 0).all()))
