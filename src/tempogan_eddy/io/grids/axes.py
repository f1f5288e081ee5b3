"""Roles of coordinates: time, latitude, longitude, x or y. All other modules call this one rule.

CF conventions, section 4: ``standard_name``, ``axis`` and ``units`` decide, in this order; without these, the name of
the variable decides.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.io.values.units import kelvin_conversion, text_of

__all__ = [
    "EARTH",
    "direction_of",
    "frame_of_moving",
    "horizontal_axes",
    "is_of_file",
    "is_since",
    "role_of",
    "spatial_coordinate",
    "turn_difference",
    "with_neighbours",
]

STANDARD_NAMES = {
    **{name: name for name in ("time", "latitude", "longitude")},
    **dict.fromkeys(("projection_x_coordinate", "projection_x_angular_coordinate", "grid_longitude"), "x"),
    **dict.fromkeys(("projection_y_coordinate", "projection_y_angular_coordinate", "grid_latitude"), "y"),
}
AXES = {"T": "time", "X": "x", "Y": "y"}
NORTH = re.compile(r"deg(ree)?s?[ _]?n(orth)?", re.IGNORECASE)
EAST = re.compile(r"deg(ree)?s?[ _]?e(ast)?", re.IGNORECASE)
SINCE = re.compile(r"\s*\w+\s+since\s+\S", re.IGNORECASE)
# Units of decimal dates (CDO).
ABSOLUTE = re.compile(r"\s*\w+\s+as\s+%", re.IGNORECASE)

# Names of times at which a file was made or changed, an instrument calibrated, a satellite launched.
MADE = re.compile(
    r"creat|process|produced|production|generat|launch|calibrat|modif|updat|upload|download|ingest|archiv|issue|expir"
    r"|publish"
)

NAMES = {
    "time": (
        *("time", "t", "times", "valid_time", "date", "dates", "datestr", "datetime", "datetimes", "date_time"),
        *("timestamp", "timestamps", "nt", "ntime"),
    ),
    "latitude": ("lat", "lats", "latitude", "latitudes", "nav_lat", "xlat", "nlat"),
    "longitude": ("lon", "lons", "long", "longitude", "longitudes", "nav_lon", "xlong", "xlon", "lng", "nlon"),
    "x": ("x", "xc", "nx", "ni", "i", "col", "cols", "column", "columns", "rlon", "xx", "x_dim", "dim_x", "west_east"),
    "y": ("y", "yc", "ny", "nj", "j", "row", "rows", "line", "lines", "rlat", "yy", "y_dim", "dim_y", "south_north"),
}
NUMBERED = re.compile(r"[xy](?=[\d_ ]|dim)", re.IGNORECASE)  # y_geostationary, x_2000, YDim
ROLE_OF_NAME = {name: role for role, names in NAMES.items() for name in names}

EARTH = ("latitude", "longitude")
PROJECTED = {"latitude": "y", "longitude": "x"}  # lat and lon in metres are places on a map
LENGTH = re.compile(r"k?m|(kilo)?met(er|re)s?", re.IGNORECASE)
EASTWARD, NORTHWARD = {"longitude", "x"}, {"latitude", "y"}


def is_since(units: Any) -> bool:
    """Return whether units count time from an epoch, or are those of CDO's decimal dates."""
    text = text_of(units)
    return bool(SINCE.match(text) or ABSOLUTE.match(text))


def is_of_file(name: object) -> bool:
    """Return whether a time is by its name that of a file or an instrument, and not of an observation."""
    return MADE.search(str(name).lower()) is not None


def role_of(name: object, attrs: Mapping[Any, Any] | None = None, dtype: np.dtype | None = None) -> str | None:
    """Return the role of a variable or dimension: ``time``, ``latitude``, ``longitude``, ``x``, ``y`` or None.

    A variable whose dtype is that of dates is a time whatever its attributes.
    """
    if not attrs:
        return "time" if dtype is not None and dtype.kind == "M" else ROLE_OF_NAME.get(str(name).lower())
    standard = text_of(attrs.get("standard_name", "")).lower()
    if standard in STANDARD_NAMES:
        return STANDARD_NAMES[standard]
    if standard:  # another quantity, such as a storm's latitude or a forecast's first time
        known = role_of("", {key: value for key, value in attrs.items() if key == "axis"})
        return known if known != "time" else None
    units = text_of(attrs.get("units", ""))
    if NORTH.fullmatch(units):
        return "latitude"
    if EAST.fullmatch(units):
        return "longitude"
    if axis := AXES.get(text_of(attrs.get("axis", "")).upper()):
        return axis
    if is_since(units) or (dtype is not None and dtype.kind == "M"):
        return "time"
    if kelvin_conversion(units):  # t may be a temperature
        return None
    named = text_of(attrs.get("long_name", "")).lower()
    role = ROLE_OF_NAME.get(str(name).lower(), named if named in EARTH else None)
    return PROJECTED[role] if role in PROJECTED and LENGTH.fullmatch(units) else role


def frame_of_moving(da: xr.DataArray, number: int = 0) -> xr.DataArray:
    """Return one frame of a box that follows its storm, whose places lie along time; other sequences as they are."""
    places = (spatial_coordinate(da, role, moving=True) for role in (*EARTH, "x", "y"))
    moves = da.size and any(place is not None and "time" in place.dims for place in places)
    return da.isel(time=number) if moves else da


def spatial_coordinate(da: xr.DataArray, role: str, *, moving: bool = False) -> xr.DataArray | None:
    """Return the coordinate with a role (as `role_of` returns) on the last two dimensions, or None.

    With `moving` it may also change with time; the track of a storm, along time alone, is no place of pixels.
    """
    pixels = set(da.dims[-2:])
    found = [
        coord
        for name, coord in da.coords.items()
        if pixels & {*coord.dims} and {*coord.dims} <= ({*pixels, "time"} if moving else pixels)
        if coord.dtype.kind in "iuf" and role_of(name, coord.attrs) == role
    ]
    # Of several, the one with fewest dimensions.
    return min(found, key=lambda coord: coord.ndim, default=None)


def horizontal_axes(da: xr.DataArray, dims: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return two dimensions in the order (along y, along x); unchanged if their roles are unknown."""
    first, second = (direction_of(da, dim) for dim in dims)
    return (dims[1], dims[0]) if (first == "x" and second != "x") or (second == "y" and first != "y") else dims


def direction_of(da: xr.DataArray, dim: Any) -> str | None:
    """Return ``x`` or ``y`` for a dimension, or None, by its coordinate, another one along it, or its name."""
    along = [da.coords[dim]] if dim in da.coords else []
    along += [coord for name, coord in da.coords.items() if coord.dims == (dim,) and name != dim]
    roles = [role_of(coord.name, coord.attrs, coord.dtype) for coord in along] + [role_of(dim)]
    for role in roles:
        if role in EASTWARD:
            return "x"
        if role in NORTHWARD:
            return "y"
    spelled = NUMBERED.match(str(dim))
    return spelled[0].lower() if spelled else None


def with_neighbours(dataset: xr.Dataset, name: Any) -> xr.DataArray:
    """Return a variable with all others as coordinates: one that is none may still state a dimension's direction."""
    return dataset.set_coords([other for other in dataset.data_vars if other != name])[name]


def turn_difference(first: np.ndarray, second: np.ndarray | float) -> np.ndarray:
    """Return first minus second, degrees of longitude, between -180 and 180."""
    return (np.asarray(first) - np.asarray(second) + 180) % 360 - 180
