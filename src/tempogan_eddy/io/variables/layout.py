"""Find the dimensions of an array along time, y and x, and the times of its frames."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.grids.axes import direction_of, horizontal_axes, is_of_file, role_of
from tempogan_eddy.io.sequence import DIMS, as_dates
from tempogan_eddy.wording import listed

__all__ = ["Layout", "is_member", "layout_of", "times_of"]

UNNAMED = re.compile(r"dim_\d+")  # xarray's names of dimensions without one
FRAMES = {"frame", "frames", "image", "images", "scan", "scans", "slot", "slots", "record", "records"}
MEMBERS = {"member", "members", "ensemble", "ens", "realization", "realisation", "number", "sample"}
LEADS = {"lead_time", "leadtime", "lead", "step", "forecast_period", "prediction_timedelta"}
START_ATTRIBUTES = ("start_time", "time_coverage_start", "nominal_time")


@dataclass(frozen=True)
class Layout:
    """The dimensions of an array; `time` is None for a single frame, the `extras` have size 1."""

    time: Hashable | None
    y: Hashable
    x: Hashable
    extras: tuple[Hashable, ...]
    member: Hashable | None = None

    @cached_property
    def names(self) -> dict[Hashable, str]:
        """The names that a sequence gives the dimensions."""
        named = {self.member: "member", self.time: "time", self.y: "y", self.x: "x"}
        return {dim: name for dim, name in named.items() if dim is not None}

    @property
    def frame_dims(self) -> tuple[Hashable | None, Hashable, Hashable]:
        """Those of the frames, along time, y and x."""
        return self.time, self.y, self.x


def layout_of(da: xr.DataArray, label: str, *, ensembles: bool = False) -> Layout:
    """Find the dimensions of an array by their coordinates and names.

    `label` names the array in messages; `ensembles` allows a dimension of several members. Raise `InputError` if there
    are fewer than two dimensions, more than can be distinguished, or another one that is longer than 1.
    """
    if da.ndim < 2:
        raise InputError(f"{label} has the dimensions {da.dims}; a frame has two, along y and x.")
    if 0 in da.shape:
        raise InputError(f"{label} is empty: its shape is {dict(da.sizes)}.")
    if da.dims == DIMS[-da.ndim :] and set(da.coords) <= {"time"}:
        return Layout("time" if da.ndim == 3 else None, "y", "x", ())
    if da.ndim <= 3 and all(UNNAMED.fullmatch(str(dim)) for dim in da.dims):
        return Layout(da.dims[0] if da.ndim == 3 else None, da.dims[-2], da.dims[-1], ())
    time = _time_dimension(da, label)
    member = next((dim for dim in da.dims if is_member(dim) and da.sizes[dim] > 1), None) if ensembles else None
    rest = [dim for dim in da.dims if dim not in (time, member)]
    y, x = horizontal_axes(da, _horizontal(da, rest, label))
    extras = tuple(dim for dim in rest if dim not in (y, x))
    for dim in extras:
        if da.sizes[dim] > 1:
            raise _too_many(da, dim, label)
    return Layout(time, y, x, extras, member)


def is_member(dim: Hashable) -> bool:
    """Return whether a dimension is named like that of an ensemble's members."""
    return str(dim).lower() in MEMBERS


def _time_dimension(da: xr.DataArray, label: str) -> Hashable | None:
    own = {dim: (da.coords[dim].attrs, da.coords[dim].dtype) for dim in da.dims if dim in da.coords}
    roles = {dim: role_of(dim, *own.get(dim, ({}, None))) for dim in da.dims}
    named = [dim for dim in da.dims if roles[dim] == "time"]
    if len(named) > 1:
        named = [dim for dim in named if da.sizes[dim] > 1] or named[:1]
    if len(named) > 1:
        raise InputError(f"{label} has several dimensions of time, {listed(named)}; choose one time of all but one.")
    if named or da.ndim == 2:
        return named[0] if named else None
    others = [dim for dim in da.dims if roles[dim] is None]
    dated = [dim for dim in others if any(_is_date(coord) for coord in _along(da, dim))]
    framed = [dim for dim in others if str(dim).lower() in FRAMES]
    return next(iter(dated + framed), None)


def _horizontal(da: xr.DataArray, dims: list[Hashable], label: str) -> tuple[Hashable, Hashable]:
    """Return the two dimensions of a frame in their order."""
    if len(dims) < 2:
        raise InputError(f"{label} has the dimensions {da.dims}; a frame has two beside time, along y and x.")
    known = [dim for dim in dims if direction_of(da, dim)]
    longer = [dim for dim in dims if da.sizes[dim] > 1]
    # If the names do not decide: the dimensions that are longer than 1, or the last ones.
    for choice in (known, [dim for dim in known if dim in longer], longer, dims[-2:] if len(longer) < 2 else []):
        if len(choice) == 2:
            return choice[0], choice[1]
    rename = _call("rename", longer[-1], "x")
    raise InputError(f"{label} has the dimensions {da.dims}; {listed(longer)} could be y and x: rename ({rename}).")


def _too_many(da: xr.DataArray, dim: Hashable, label: str) -> InputError:
    size, name = da.sizes[dim], repr(str(dim))
    first: Any = next(iter(da.coords[dim].values.ravel()), None) if dim in da.coords else None
    if is_member(dim):
        one = f"{_call('isel', dim, 0)}; of a file --select {dim}=0"
        return InputError(f"{label} is an ensemble of {size} along {name}; take one ({one}).")
    choice = _call("sel", dim, str(first)) if isinstance(first, str) else _call("isel", dim, 0)
    rename = "" if str(dim).lower() in LEADS or isinstance(first, str) else "; if these are times, rename it to time"
    return InputError(f"{label} has {size} along {name} beside time, y and x; choose one ({choice}){rename}.")


def times_of(da: xr.DataArray, layout: Layout, label: str) -> tuple[np.ndarray | None, Hashable | None]:
    """Return the times of the frames, datetime64[ns], or None, and the name of the coordinate that states them.

    A single frame takes its time from a scalar coordinate or from satpy's attributes. Raise `InputError` if a
    coordinate called time holds no dates.
    """
    if layout.time is not None:
        found = _coordinate_of_frames(da, layout.time)
        return (None, None) if found is None else (_lead(da) + as_dates(found, label), found.name)
    dated = [coord for coord in da.coords.values() if coord.size == 1 and _is_date(coord)]
    scalars = [coord for coord in dated if not is_of_file(coord.name)]
    scalars.sort(key=lambda coord: (coord.name != "valid_time", coord.name != "time", role_of(coord.name) != "time"))
    for coord in scalars:
        if role_of(coord.name, coord.attrs, coord.dtype) == "time":
            dates = as_dates(coord, label).reshape(1)
            return (dates if coord.name == "valid_time" else _lead(da) + dates), coord.name
    for key in START_ATTRIBUTES:
        start = pd.to_datetime(str(da.attrs.get(key, "")), errors="coerce", utc=True)
        if start is not pd.NaT:
            return np.array([start.tz_localize(None).to_datetime64()]).astype("datetime64[ns]"), None
    return None, None


def _coordinate_of_frames(da: xr.DataArray, dim: Hashable) -> xr.DataArray | None:
    along = _along(da, dim)
    dated = [coord for coord in along if _is_date(coord) and (coord.name == dim or not is_of_file(coord.name))]
    dated.sort(key=lambda coord: (coord.name != dim, role_of(coord.name) != "time"))
    if dated:
        return dated[0]
    # Numbers along the frames are no times; numbers called time are an error, which `as_dates` raises.
    return next((coord for coord in along if role_of(coord.name, coord.attrs) == "time"), None)


def _lead(da: xr.DataArray) -> np.timedelta64:
    """Return the lead of a forecast, from its dates to its valid times; else zero."""
    for name, coord in da.coords.items():
        if str(name).lower() in LEADS and coord.size == 1 and coord.dtype.kind == "m":
            return coord.values.ravel()[0].astype("timedelta64[ns]")
    return np.timedelta64(0, "ns")


def _along(da: xr.DataArray, dim: Hashable) -> list[xr.DataArray]:
    return [coord for coord in da.coords.values() if coord.dims == (dim,)]


def _is_date(coord: xr.DataArray) -> bool:
    if coord.dtype.kind != "O":
        return coord.dtype.kind == "M"
    return coord.size > 0 and hasattr(np.asarray(coord.values).flat[0], "isoformat")


def _call(method: str, dim: Hashable, value: str | int) -> str:
    argument = f"{dim}={value!r}" if str(dim).isidentifier() else f"{{{dim!r}: {value!r}}}"
    return f"da.{method}({argument})"
