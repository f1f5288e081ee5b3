"""Give a sequence on another grid the form of its source."""

import logging
from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.io.grids.resolution import rescaled
from tempogan_eddy.io.member import MEMBER
from tempogan_eddy.io.variables.layout import Layout

__all__ = ["BOUNDS", "OF_NUMBERS", "is_object", "restored"]

log = logging.getLogger(__name__)

OF_NUMBERS = {"_FillValue", "missing_value", "actual_range"}  # attributes of the numbers of the source

BOUNDS = {"bounds", "climatology"}


def is_object(coord: xr.DataArray) -> bool:
    """Return whether a coordinate holds objects without a numpy type: text, a projection, dates with a zone."""
    return not isinstance(coord.dtype, np.dtype) or coord.dtype.kind in "OT"


def restored(
    changed: xr.DataArray,
    pixel: float,
    sequence: xr.DataArray,
    original: xr.DataArray,
    layout: Layout,
    names: Mapping[Hashable, Hashable],
    timed_by: Hashable | None,
) -> xr.DataArray:
    """Return a sequence on another grid in the form of the original.

    `changed` is on the new grid, with pixels of the side `pixel` in pixels of the original, and `sequence` on the old
    one. The original has its frames in the order of time, `names` are its names of the sequence's coordinates, and
    `timed_by` is its coordinate of the frames' times. A dimension ``member`` that only `changed` has stays in front.
    """
    outer: dict[Hashable, Hashable] = {MEMBER: MEMBER} | {inner: dim for dim, inner in layout.names.items()}
    whole = changed if layout.time is not None else changed.isel(time=0, drop=True)
    variable = xr.Variable([outer[dim] for dim in whole.dims], whole.data)
    variable = variable.set_dims([*layout.extras, *variable.dims]).transpose(..., *original.dims)
    coords = {
        names.get(name, name): xr.Variable([outer[dim] for dim in coord.dims], coord.variable.data, coord.attrs)
        for name, coord in whole.coords.items()
        if name != "time" and set(coord.dims) <= set(outer)
    }
    for name, coord in original.coords.items():
        if set(coord.dims) & {layout.y, layout.x}:
            if name not in coords:
                log.warning("The coordinate %s labels the pixels before and is left out", name)
            continue
        squeezed = set(coord.dims) & set(layout.extras)
        if name in (timed_by, layout.time) or name not in coords or squeezed or is_object(coord):
            coords[name] = _without_bounds(coord.variable)
    attrs = _outer_attributes(changed, pixel, sequence.attrs, original)
    return xr.DataArray(variable, coords=coords, name=original.name, attrs=attrs)


def _without_bounds(variable: xr.Variable) -> xr.Variable:
    """Return a coordinate that names no bounds, which no sequence has."""
    if not BOUNDS & {*variable.attrs, *variable.encoding}:
        return variable
    variable = variable.copy(deep=False)
    variable.attrs = {key: value for key, value in variable.attrs.items() if key not in BOUNDS}
    variable.encoding = {key: value for key, value in variable.encoding.items() if key not in BOUNDS}
    return variable


def _outer_attributes(
    changed: xr.DataArray, pixel: float, before: Mapping[Any, Any], original: xr.DataArray
) -> dict[Any, Any]:
    """Return the original's attributes that are still true, and the new ones."""
    after = changed.attrs
    attrs: dict[Any, Any] = {}
    for key, value in original.attrs.items():
        if key not in before:
            kept = None if key in OF_NUMBERS else _on_the_new_grid(str(key), value, pixel, changed.shape[-2:])
            if kept is not None:  # an object: only its name shows whether it is still true
                attrs |= dict.fromkeys(rescaled({key: ""}, 1 / pixel), kept)
        elif key in after:
            attrs[key] = value if np.array_equal(after[key], before[key]) else after[key]
    added = {key: value for key, value in after.items() if key not in original.attrs and key != "sequence"}
    return attrs | added | {"units": "K"}


def _on_the_new_grid(key: str, value: Any, pixel: float, shape: tuple[int, ...]) -> Any:
    """Return an attribute that is an object, an area of pyresample on the new grid; None if that is not possible."""
    parts = value if isinstance(value, list | tuple) else [value]
    gridded = any(isinstance(part, xr.DataArray | xr.Dataset) for part in parts)
    if not gridded and not hasattr(value, "area_extent") and not hasattr(value, "lons"):
        return value
    rows, columns = (round(side * pixel) for side in shape)
    with suppress(Exception):  # any, unless it is an area that can be aggregated
        changed = value[:rows, :columns].aggregate(y=pixel, x=pixel)
        if tuple(changed.shape) == shape:
            return changed
    log.warning("The attribute %s describes the grid before and is left out", key)
    return None
