"""Decode coordinates, times and flags beside an image variable, each by its own attributes."""

import logging
import re
from collections.abc import Collection, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.io.attributes import LIMITS, STORED
from tempogan_eddy.io.grids.axes import is_since, role_of
from tempogan_eddy.io.messages import log_once
from tempogan_eddy.io.times.decoding import decode_times
from tempogan_eddy.io.values.units import text_of, words_of
from tempogan_eddy.io.values.validity import Decoding, bad_flags

__all__ = ["Flags", "decoded_times", "flags_of", "log_left_out", "place_coordinates"]

log = logging.getLogger(__name__)

FARTHEST = {"latitude": 91.0, "longitude": 720.0}  # degrees that rounding, or two turns, can reach
RADIANS = ("rad", "radian", "radians")
BACKWARD = re.compile(r"deg(ree)?s?([ _]?(south|west)|_[sw])")
LONGER_STEP = 1.5  # times the longest other step of an axis

Flags = tuple[xr.DataArray, list[tuple[int, int]]]
"""A flag variable and the tests of its bad meanings, as `bad_flags` gives them."""


def decoded_times(variable: xr.Variable, where: str) -> np.ndarray:
    """Return the times that a stored variable holds, in one dimension; NaT where one is missing."""
    values = np.atleast_1d(variable.values)
    if values.dtype.kind in "iuf" and set(variable.attrs) - {"units", "calendar"}:
        values = _decoding_of_axis(values, variable.attrs, where)(values)
    return decode_times(values, variable.attrs, where).ravel()


def place_coordinates(
    dataset: xr.Dataset, image: xr.DataArray, path: Path, *, kept: set[Hashable], time: str | None = None
) -> dict[str, xr.Variable]:
    """Return the coordinates of an image of a stored dataset and its grid mapping, decoded.

    Latitudes, longitudes and grid mappings count even if no attribute of the image names them. Leave out the variable
    `time` of the frames' times, and single times: they are true for one file of an archive. Drop dimensions of size one
    but those to be `kept`, of frames, members, rows and columns.
    """
    found: dict[str, xr.Variable] = {}
    for name, variable in dataset.variables.items():
        role = role_of(name, variable.attrs, variable.dtype)
        is_place = role in ("latitude", "longitude", "x", "y") and variable.dtype.kind in "iuf"
        named = "flag_meanings" not in variable.attrs and (
            name in dataset.coords or ("grid_mapping_name" in variable.attrs and variable.ndim == 0)
        )
        variable = variable.isel({dim: 0 for dim in variable.dims if dim not in kept and variable.sizes[dim] == 1})
        if name in (image.name, time) or not set(variable.dims) <= kept or not (named or is_place):
            continue
        where = f"{path}: {name}"
        counts_time = role == "time" or is_since(variable.attrs.get("units", ""))
        if counts_time and variable.ndim == 0:
            continue
        if counts_time:
            times = decoded_times(variable, where).reshape(variable.shape)
            found[str(name)] = xr.Variable(variable.dims, times, _attributes(variable, "units", "calendar"))
            continue
        decoded = _decoded(variable, where)
        if role in FARTHEST:
            decoded = _north_and_east(decoded, role, where)
        if role not in FARTHEST or _on_earth(decoded, FARTHEST[role], where):
            found[str(name)] = decoded
    return found


def _decoding_of_axis(stored: np.ndarray, attrs: Mapping[Any, Any], where: str) -> Decoding:
    """Return how to decode a coordinate, whose numbers may equal a fill value: 0 is the usual one of Zarr 2.

    An axis has no missing values. A fill value that continues the axis in its steps is a number.
    """
    decoding = Decoding.of(attrs, stored.dtype, where)
    held = np.isin(stored, decoding.missing)
    if stored.ndim != 1 or not held.any():
        return decoding
    steps = np.diff(stored.astype(np.float64))
    others = np.abs(steps[~(held[:-1] | held[1:])])
    one_way = bool((steps > 0).all() or (steps < 0).all())
    continues = one_way and others.size > 0 and np.abs(steps).max() <= LONGER_STEP * others.max()
    return replace(decoding, missing=()) if continues else decoding


def _north_and_east(variable: xr.Variable, role: str, where: str) -> xr.Variable:
    """Return latitudes or longitudes in degrees north or east, whether they are radians or count south or west."""
    units, values = text_of(variable.attrs.get("units", "")).lower(), variable.values
    if units in RADIANS:
        values = np.rad2deg(values)
    elif BACKWARD.fullmatch(units):
        is_signed = bool((values < 0).any())
        log_once(log.info, where, f"{units} {'have a sign, which is kept' if is_signed else 'become negative degrees'}")
        values = values if is_signed else -values
    else:
        return variable
    north_or_east = "degrees_north" if role == "latitude" else "degrees_east"
    return xr.Variable(variable.dims, values, variable.attrs | {"units": north_or_east})


def _on_earth(variable: xr.Variable, farthest: float, where: str) -> bool:
    """Set the numbers that are no degrees, such as -999, to NaN, with a warning; return whether others are left."""
    if variable.dtype.kind not in "iuf":  # text such as 20N
        return True
    wrong = np.abs(variable.values) > farthest
    if wrong.any():
        example = variable.values[wrong][0]
        log_once(log.warning, where, f"{wrong.sum()} of {wrong.size} values are no degrees ({example:g}); missing")
        variable.values = np.where(wrong, np.nan, variable.values)
    return not wrong.all()


def _decoded(variable: xr.Variable, where: str) -> xr.Variable:
    """Return a coordinate's real numbers; text as plain text."""
    values = variable.values
    if values.dtype.kind in "iuf" and "grid_mapping_name" not in variable.attrs:
        values = _real_numbers(values, variable.attrs, where)
    elif values.dtype.kind in "SOT":
        values = np.vectorize(text_of, otypes=[str])(values)
    return xr.Variable(variable.dims, values, _attributes(variable))


def _real_numbers(stored: np.ndarray, attrs: Mapping[Any, Any], where: str) -> np.ndarray:
    """Return a coordinate's numbers; read its valid range as packed or unpacked, whichever keeps more of them."""
    decoding = _decoding_of_axis(stored, attrs, where)
    values = decoding(stored)
    if not _out_of_range(values, stored, decoding):
        return values
    as_float = {
        key: np.asarray(value, float) if key in LIMITS and not isinstance(value, str) else value
        for key, value in attrs.items()
    }
    unpacked = Decoding.of(as_float, stored.dtype, where)(stored)
    if np.isnan(unpacked).sum() < np.isnan(values).sum():
        values = unpacked
    if count := _out_of_range(values, stored, decoding):
        log_once(log.warning, where, f"{count} of {values.size} values lie outside its valid range and are missing")
    return values


def _out_of_range(values: np.ndarray, stored: np.ndarray, decoding: Decoding) -> int:
    """Return how many values became missing that are neither a fill value nor stored as NaN."""
    lost = np.isnan(values) & ~np.isin(stored, decoding.missing) & ~np.isnan(stored)
    return int(lost.sum())


def _attributes(variable: xr.Variable, *dropped: str) -> dict:
    return {key: value for key, value in variable.attrs.items() if key not in STORED | set(dropped)}


def log_left_out(dataset: xr.Dataset, kept: Collection[Hashable], path: Path) -> None:
    """Log which variables that others name are left out: bounds, ancillary fields, band labels."""
    named = [
        str(name)
        for name, variable in dataset.coords.items()
        if name not in kept and "flag_meanings" not in variable.attrs and role_of(name, variable.attrs) != "time"
    ]
    if named:
        log_once(log.info, path, f"{', '.join(named)} have no place in a sequence of frames; left out")


def flags_of(dataset: xr.Dataset, name: str, path: Path) -> list[Flags]:
    """Return the flag variables of an image of a stored dataset with tests of their bad meanings.

    A flag counts if ``ancillary_variables`` of the image names it, or its standard name says that it is one.
    """
    image = dataset[name]
    linked = words_of(image.encoding.get("ancillary_variables", image.attrs.get("ancillary_variables", "")))
    found = []
    for other, variable in dataset.variables.items():
        on_image = variable.ndim and {dim for dim in variable.dims if variable.sizes[dim] > 1} <= set(image.dims)
        if "flag_meanings" not in variable.attrs or not on_image or other == name:
            continue
        meanings, tests = bad_flags(variable.attrs)
        standard = text_of(variable.attrs.get("standard_name", ""))
        if not tests or variable.dtype.kind not in "iuf":
            continue
        if str(other) not in linked and not standard.endswith(("status_flag", "quality_flag")):
            unlinked = f"the flags {other} are not linked to {name} (ancillary_variables), and not applied"
            log_once(log.info, path, unlinked)
            continue
        log_once(log.info, path, f"pixels that {other} flags as {', '.join(meanings)} are missing")
        found.append((dataset[other], tests))
    return found
