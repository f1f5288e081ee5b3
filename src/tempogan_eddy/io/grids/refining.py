"""Make the grid of a sequence finer or coarser with it: every coordinate of cell centres stays true."""

import functools
import logging
from collections.abc import Callable

import numpy as np
import xarray as xr

from tempogan_eddy.io.attributes import STALE
from tempogan_eddy.io.grids.axes import role_of
from tempogan_eddy.io.grids.resolution import rescaled

__all__ = ["coarsen_grid", "disordered", "refine_grid"]

log = logging.getLogger(__name__)

REGULAR_SHARE = 1e-3
"""An axis that leaves the straight line between its ends by less than this share of its step is regular."""

AXES = {"latitude", "longitude", "y", "x"}

FLAGS = {"flag_values", "flag_masks", "flag_meanings"}


def refine_grid(sequence: xr.DataArray, scale: int) -> dict[str, xr.Variable]:
    """Return the coordinates of the grid ``scale`` times finer.

    The centres of the refined cells of a cell at c of width d lie at ``c + d * ((j + 0.5) / scale - 0.5)``. A
    regular axis is refined as a straight line (stored in float32 it is one only to rounding). Interpolate other
    coordinates, 1-D or 2-D, linearly along y and x, and extrapolate them linearly over the outer half cells and next to
    cells without a value, such as those beyond the limb. Dates change as numbers do; labels (text, flags) are left out.

    Latitudes stay within 90 degrees. Half of a cell centred on a pole lies beyond it; its refined rows there are
    crowded between the last one before the pole and the pole.

    Parameters
    ----------
    sequence : DataArray (time, y, x)
        With any coordinates; those not on y or x pass unchanged.
    scale : int
        How many times finer.

    Returns
    -------
    dict of Variable
        For ``xarray.DataArray(coords=...)``; spatial coordinates in float64, their resolution attributes rescaled.
    """
    return _map_grid(sequence, functools.partial(_refine_axis, scale=scale), scale)


def coarsen_grid(sequence: xr.DataArray, scale: int) -> dict[str, xr.Variable]:
    """Return the coordinates of the grid ``scale`` times coarser: the centres of the blocks.

    Drop trailing rows and columns that do not fill a block. A block with a cell without a value has none. Parameters
    and result are as for :func:`refine_grid`.
    """
    return _map_grid(sequence, functools.partial(_coarsen_axis, scale=scale), 1 / scale)


def _map_grid(sequence: xr.DataArray, change: Callable[[np.ndarray], np.ndarray], factor: float) -> dict:
    coordinates, left_out = {}, []
    for name, coordinate in sequence.coords.items():
        attrs = {str(key): value for key, value in coordinate.attrs.items() if key not in STALE}
        values = coordinate.values
        spatial = [axis for axis, dim in enumerate(coordinate.dims) if dim in ("y", "x")]
        if spatial and (coordinate.dtype.kind not in "iufMm" or FLAGS & set(coordinate.attrs)):
            left_out.append(str(name))
            continue
        if spatial:
            _warn_if_unordered(coordinate, sequence.attrs)
            values = _map_values(coordinate, functools.partial(_along, change=change, axes=spatial))
        if spatial or not coordinate.dims:  # of the cells, or a grid mapping
            attrs = rescaled(attrs, factor, of_axis=bool(spatial))
        coordinates[str(name)] = xr.Variable(coordinate.dims, values, attrs)
    if left_out:
        log.info("Labels of the old cells, left out: %s", ", ".join(left_out))
    return coordinates


def _map_values(coordinate: xr.DataArray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the values of a spatial coordinate on the new grid: dates as dates, angles across their jump."""
    values = coordinate.values
    if values.dtype.kind in "Mm":
        return _map_dates(values, change)
    values = values.astype(np.float64)
    if _is_turn(coordinate):
        straight = _unwrap(values)
        changed = change(straight)
        if np.nan_to_num(straight - values).any():  # back into the turn that the file uses
            changed = changed % 360 if np.nanmin(values) >= 0 else (changed + 180) % 360 - 180
        return changed
    changed = change(values)
    if role_of(coordinate.name, coordinate.attrs) == "latitude" and np.nanmax(np.abs(values), initial=0) <= 90:
        return _before_the_pole(changed)
    return changed


def disordered(coordinate: xr.DataArray) -> np.ndarray:
    """Return the numbers of the values (N,) after which an axis stands still, turns back or has no value."""
    values = coordinate.values.astype(np.float64)
    steps = np.diff(_unwrap(values) if _is_turn(coordinate) else values)
    return np.flatnonzero(~(steps * np.nansum(np.sign(steps)) > 0))


def _warn_if_unordered(coordinate: xr.DataArray, attrs: dict) -> None:
    """Warn where an axis stands still, turns back, has no value or a single one: its cells lie at wrong places."""
    if coordinate.ndim != 1 or role_of(coordinate.name, coordinate.attrs) not in AXES:
        return
    name, values = f"{attrs.get('sequence', 'The input')}: {coordinate.name}", coordinate.values.astype(np.float64)
    if values.size == 1:
        log.warning("%s has one value, which shows no spacing, so all cells of its pixel lie there", name)
    wrong = disordered(coordinate)
    if wrong.size:
        log.warning(
            "%s does not run in one direction (%g, then %g), so the cells there lie at wrong places; correct it",
            *(name, values[wrong[0]], values[wrong[0] + 1]),
        )


def _map_dates(values: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    unknown = np.isnat(values)
    first = np.zeros((), values.dtype) if unknown.all() else values[~unknown].min()
    since = values - first
    changed = change(np.where(unknown, np.nan, since.astype(np.int64).astype(np.float64)))
    dates = first + np.nan_to_num(np.rint(changed)).astype(np.int64).astype(since.dtype)
    dates[np.isnan(changed)] = np.array("NaT", dates.dtype)
    return dates


def _along(values: np.ndarray, change: Callable[[np.ndarray], np.ndarray], axes: list[int]) -> np.ndarray:
    for axis in axes:
        values = np.moveaxis(change(np.moveaxis(values, axis, -1)), -1, axis)
    return values


def _refine_axis(values: np.ndarray, scale: int) -> np.ndarray:
    """Return the centres of the refined cells along the last axis."""
    count = values.shape[-1]
    if count == 1:
        return np.repeat(values, scale, axis=-1)
    position = (np.arange(count * scale) + 0.5) / scale - 0.5
    if _is_regular(values):
        return values[0] + (values[-1] - values[0]) / (count - 1) * position
    cell = np.arange(count * scale) // scale
    step = np.diff(values, axis=-1)
    unknown = np.full((*values.shape[:-1], 1), np.nan)
    before, after = np.concatenate([unknown, step], -1)[..., cell], np.concatenate([step, unknown], -1)[..., cell]
    offset = position - cell
    towards, away = np.where(offset < 0, before, after), np.where(offset < 0, after, before)
    return values[..., cell] + np.where(np.isnan(towards), away, towards) * offset


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


def _is_turn(coordinate: xr.DataArray) -> bool:
    """Return whether a coordinate jumps by a full turn somewhere: a longitude, an azimuth."""
    named = f"{coordinate.name} {coordinate.attrs.get('standard_name', '')}".lower()
    return role_of(coordinate.name, coordinate.attrs) == "longitude" or "azimuth" in named


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


def _before_the_pole(latitude: np.ndarray) -> np.ndarray:
    """Bring the latitudes of refined rows beyond a pole back before it, in their order."""
    if latitude.ndim != 1:
        return np.clip(latitude, -90, 90)
    latitude = latitude.copy()
    for pole in (-90.0, 90.0):
        share = latitude / pole
        beyond = np.flatnonzero(share >= 1 - 1e-9)
        if (share > 1 + 1e-9).any() and beyond.size < latitude.size:
            last = np.delete(share, beyond).max()
            crowded = last + (1 - last) * (np.arange(beyond.size) + 1) / (beyond.size + 1)
            latitude[beyond[np.argsort(share[beyond])]] = pole * crowded
    return np.clip(latitude, -90, 90)
