"""Grid spacing: how many kilometres apart the pixels of a sequence are."""

import re

import numpy as np
import xarray as xr

from tempogan_eddy.io.grids.axes import frame_of_moving, spatial_coordinate, turn_difference
from tempogan_eddy.io.values.units import text_of

__all__ = ["grid_spacing"]

KM_PER_DEGREE = 111.2
GEOSTATIONARY_KM = 35786.0
KM_PER_UNIT = {
    **dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres"), 1.0),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e-3),
    **dict.fromkeys(("deg", "degree", "degrees", "degrees_north", "degrees_east"), KM_PER_DEGREE),
}
RADIANS = {
    **dict.fromkeys(("rad", "radian", "radians"), 1.0),
    **dict.fromkeys(("microradian", "microradians", "urad"), 1e-6),
}
STATED = re.compile(r"(\d+(?:\.\d+)?)\s*(km|m|deg\w*)\b", re.IGNORECASE)


def grid_spacing(sequence: xr.DataArray) -> float | None:
    """Return the distance of neighbouring pixels in km, of y and x the geometric mean; None if nothing states it.

    From latitude and longitude, else from x and y in metres, kilometres, degrees or radians of a geostationary
    scan (then below the satellite), else from the attribute ``spatial_resolution``. Of a box that follows its storm,
    take the first frame.
    """
    sequence = frame_of_moving(sequence)
    return _from_earth(sequence) or _from_projection(sequence) or _from_attributes(sequence)


def _from_earth(sequence: xr.DataArray) -> float | None:
    latitude = spatial_coordinate(sequence, "latitude")
    longitude = spatial_coordinate(sequence, "longitude")
    if latitude is None or longitude is None:
        return None
    lat, lon = latitude.values.astype(float), longitude.values.astype(float)
    if lat.ndim == lon.ndim == 1:
        lat, lon = np.broadcast_arrays(lat[:, None], lon[None, :]) if latitude.dims != longitude.dims else (lat, lon)
    if lat.ndim != 2 or lat.shape != lon.shape:
        return None
    # A full disk's limb is stretched.
    middle = tuple(slice(max(0, size // 2 - 64), size // 2 + 64) for size in lat.shape)
    lat, lon = lat[middle], lon[middle]
    return _mean([_step(lat, lon, axis) for axis in (0, 1)])


def _step(lat: np.ndarray, lon: np.ndarray, axis: int) -> float:
    """Return the median distance in km of neighbours along an axis."""
    if lat.shape[axis] < 2:
        return float("nan")
    north = np.diff(lat, axis=axis)
    east = turn_difference(np.diff(lon, axis=axis), 0) * np.cos(np.deg2rad(np.delete(lat, -1, axis)))
    distance = np.hypot(north, east)
    known = distance[np.isfinite(distance) & (distance > 0)]
    return KM_PER_DEGREE * float(np.median(known)) if known.size else float("nan")


def _from_projection(sequence: xr.DataArray) -> float | None:
    steps = []
    for role in ("y", "x"):
        axis = spatial_coordinate(sequence, role)
        if axis is None or axis.ndim != 1 or axis.size < 2:
            continue
        units = text_of(axis.attrs.get("units", "")).lower()
        factor = KM_PER_UNIT.get(units, RADIANS.get(units, np.nan) * GEOSTATIONARY_KM)
        steps.append(factor * float(np.median(np.abs(np.diff(axis.values.astype(float))))))
    return _mean(steps)


def _from_attributes(sequence: xr.DataArray) -> float | None:
    stated = STATED.search(text_of(sequence.attrs.get("spatial_resolution", "")))
    if not stated:
        return None
    unit = stated[2].lower()
    return _mean([float(stated[1]) * KM_PER_UNIT["deg" if unit.startswith("deg") else unit]])


def _mean(steps: list[float]) -> float | None:
    known = [step for step in steps if np.isfinite(step) and step > 0]
    return float(np.exp(np.mean(np.log(known)))) if known else None
