"""The grid of a sequence, made finer or coarser with it: every coordinate of cell centres stays true."""

import functools
from collections.abc import Callable

import numpy as np
import xarray as xr

__all__ = ["coarsen_grid", "refine_grid"]

REGULAR_SHARE = 1e-3
"""An axis that leaves the straight line between its ends by less than this share of its step is regular."""


def refine_grid(sequence: xr.DataArray, scale: int) -> dict[str, xr.Variable]:
    """Return the coordinates of the grid ``scale`` times finer.

    The centres of the fine cells of a cell at c of width d lie at ``c + d * ((j + 0.5) / scale - 0.5)``. A
    regular axis is refined as the straight line it is (stored in float32 it is one only to rounding); other
    coordinates, 1-D or 2-D, are interpolated linearly along y and x and extrapolated linearly over the outer
    half cells.

    Parameters
    ----------
    sequence : DataArray (time, y, x)
        With any coordinates; those not on y or x pass unchanged, labels (text, dates) along y or x are left
        out.
    scale : int
        How many times finer.

    Returns
    -------
    dict of Variable
        For ``xarray.DataArray(coords=...)``; spatial coordinates in float64.
    """
    return _map_grid(sequence, functools.partial(_refine_axis, scale=scale))


def coarsen_grid(sequence: xr.DataArray, scale: int) -> dict[str, xr.Variable]:
    """Return the coordinates of the grid ``scale`` times coarser: the centres of the blocks.

    Parameters
    ----------
    sequence : DataArray (time, y, x)
        As for :func:`refine_grid`. Trailing rows and columns that do not fill a block are dropped.
    scale : int
        How many times coarser.

    Returns
    -------
    dict of Variable
        For ``xarray.DataArray(coords=...)``; spatial coordinates in float64.
    """
    return _map_grid(sequence, functools.partial(_coarsen_axis, scale=scale))


def _map_grid(sequence: xr.DataArray, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, xr.Variable]:
    coordinates = {}
    for name, coordinate in sequence.coords.items():
        spatial = [axis for axis, dim in enumerate(coordinate.dims) if dim in ("y", "x")]
        values, attrs = coordinate.values, coordinate.attrs
        if spatial and values.dtype.kind not in "iuf":
            continue
        if spatial:
            values = values.astype(np.float64)
            straight = _unwrap(values) if _is_longitude(coordinate) else values
            changed = straight
            for axis in spatial:
                changed = np.moveaxis(change(np.moveaxis(changed, axis, -1)), -1, axis)
            values = _wrap_like(changed, values) if (straight != values).any() else changed
        else:
            attrs = {key: value for key, value in attrs.items() if key != "GeoTransform"}  # of the old pixels
        coordinates[str(name)] = xr.Variable(coordinate.dims, values, attrs)
    return coordinates


def _refine_axis(values: np.ndarray, scale: int) -> np.ndarray:
    """Return the fine cells' centres along the last axis."""
    count = values.shape[-1]
    if count == 1:
        return np.repeat(values, scale, axis=-1)
    position = (np.arange(count * scale) + 0.5) / scale - 0.5
    if _is_regular(values):
        return values[0] + (values[-1] - values[0]) / (count - 1) * position
    left = np.clip(np.floor(position).astype(int), 0, count - 2)
    return values[..., left] + (values[..., left + 1] - values[..., left]) * (position - left)


def _coarsen_axis(values: np.ndarray, scale: int) -> np.ndarray:
    """Return the centres of the whole blocks along the last axis."""
    blocks = values.shape[-1] // scale
    if _is_regular(values):
        step = (values[-1] - values[0]) / (len(values) - 1)
        return values[0] + step * (np.arange(blocks) * scale + (scale - 1) / 2)
    return values[..., : blocks * scale].reshape(*values.shape[:-1], blocks, scale).mean(axis=-1)


def _is_regular(values: np.ndarray) -> bool:
    if values.ndim != 1 or len(values) < 2:
        return False
    line = np.linspace(values[0], values[-1], len(values))
    step = abs(values[-1] - values[0]) / (len(values) - 1)
    rounding = 2 * np.finfo(np.float32).eps * np.abs(values).max()
    return bool(np.abs(values - line).max() <= REGULAR_SHARE * step + rounding)


def _is_longitude(coordinate: xr.DataArray) -> bool:
    marks = {coordinate.attrs.get("standard_name"), coordinate.attrs.get("units"), str(coordinate.name)}
    return bool(marks & {"longitude", "degrees_east", "lon"})


def _unwrap(longitude: np.ndarray) -> np.ndarray:
    """Return longitudes without the jump of a turn at the date line."""
    if np.isfinite(longitude).all():
        for axis in range(longitude.ndim):
            longitude = np.unwrap(longitude, period=360, axis=axis)
        return longitude
    # Neighbours do not lead past a gap (space beyond the limb is NaN), so measure from the middle instead.
    angle = np.deg2rad(longitude[np.isfinite(longitude)])
    middle = np.rad2deg(np.arctan2(np.sin(angle).sum(), np.cos(angle).sum()))
    near = (longitude - middle + 180) % 360 - 180 + middle
    return np.where(np.abs(longitude - middle) > 180, near, longitude)


def _wrap_like(values: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Bring longitudes back into the turn that the file uses."""
    return values % 360 if np.nanmin(original) >= 0 else (values + 180) % 360 - 180
