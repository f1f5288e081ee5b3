"""The best track and the grid of a sequence, as plain lists for the page."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.io.axes import spatial_coordinate

__all__ = ["describe_grid", "describe_track"]

# JMA's best track; https://www.jma.go.jp/jma/jma-eng/jma-center/rsmc-hp-pub-eg/Besttracks/e_format_bst.html
GRADES = {
    2: "Tropical depression",
    3: "Tropical storm",
    4: "Severe tropical storm",
    5: "Typhoon",
    6: "Extratropical cyclone",
    7: "Just entering the area",
    9: "Tropical storm or stronger",
}


def describe_track(sequence: xr.DataArray, shape: tuple[int, int]) -> dict[str, list[Any]]:
    """Return the best track at each time.

    Parameters
    ----------
    sequence : DataArray (time, y, x)
        With any of the coordinates ``center_lat``, ``center_lon``, ``grade``, ``pressure``, ``wind``, ``satellite``.
    shape : tuple of int
        Rows and columns of the fine grid.

    Returns
    -------
    dict of lists
        By name of the coordinate, one entry a frame, None if unknown; coordinates without a known entry are left
        out. ``centre`` is the place (x, y) in pixels of the fine grid.
    """
    found: dict[str, list[Any]] = {
        name: _numbers(sequence[name].values)
        for name in ("center_lat", "center_lon", "pressure")
        if _along_time(sequence, name)
    }
    if _along_time(sequence, "wind"):
        # JMA writes 0 where it estimates no wind, such as for a depression.
        found["wind"] = [value or None for value in _numbers(sequence["wind"].values)]
    if _along_time(sequence, "grade"):
        found["grade"] = [GRADES.get(round(value)) if value else None for value in _numbers(sequence["grade"].values)]
    if "satellite" in sequence.coords and sequence["satellite"].dims == ("time",):
        found["satellite"] = [str(name) or None for name in sequence["satellite"].values]
    if "center_lat" in found and "center_lon" in found:
        found["centre"] = _centres(sequence, found["center_lat"], found["center_lon"], shape)
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def describe_grid(sequence: xr.DataArray, shape: tuple[int, int]) -> dict[str, Any]:
    """Return latitude of rows and longitude of columns of the fine grid, else its pixel size in km, if known."""
    latitude, longitude = _axis(sequence, "y", "latitude", shape[0]), _axis(sequence, "x", "longitude", shape[1])
    if latitude is not None and longitude is not None:
        return {"lat": np.round(latitude, 4).tolist(), "lon": np.round(longitude, 4).tolist()}
    sides = [_spacing(sequence, dim) for dim in ("y", "x")]
    if None not in sides and math.isclose(*sides, rel_tol=1e-3):  # type: ignore[arg-type]
        return {"pixel_km": sides[0]}
    return {}


def _along_time(sequence: xr.DataArray, name: str) -> bool:
    return name in sequence.coords and sequence[name].dims == ("time",) and sequence[name].dtype.kind in "iuf"


def _numbers(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 3) if np.isfinite(value) else None for value in values]


def _axis(sequence: xr.DataArray, dim: str, name: str, size: int) -> np.ndarray | None:
    """Return the 1-D latitude or longitude of the fine grid along a dimension."""
    coordinate = spatial_coordinate(sequence, name)
    if coordinate is None or coordinate.dims != (dim,) or len(coordinate) != size:
        return None
    return coordinate.values.astype(np.float64)


def _spacing(sequence: xr.DataArray, dim: str) -> float | None:
    if dim not in sequence.coords or sequence.sizes[dim] < 2 or sequence[dim].dtype.kind not in "iuf":
        return None
    kilometres = {"km": 1.0, "m": 1e-3}.get(str(sequence[dim].attrs.get("units")))
    values = sequence[dim].values
    return kilometres and abs(float(values[-1] - values[0])) / (len(values) - 1) * kilometres


def _centres(sequence: xr.DataArray, lats: list, lons: list, shape: tuple[int, int]) -> list[list[float] | None]:
    """Return the centre in pixels: by the coordinates of the grid; without them the middle of the frame."""
    latitude, longitude = _axis(sequence, "y", "latitude", shape[0]), _axis(sequence, "x", "longitude", shape[1])
    if latitude is None or longitude is None:
        middle = [shape[1] / 2, shape[0] / 2]
        return [middle if None not in (lat, lon) else None for lat, lon in zip(lats, lons, strict=True)]
    return [_place(latitude, longitude, lat, lon) for lat, lon in zip(lats, lons, strict=True)]


def _place(latitude: np.ndarray, longitude: np.ndarray, lat: float | None, lon: float | None) -> list[float] | None:
    if lat is None or lon is None:
        return None
    east = np.unwrap(longitude, period=360)
    if not min(east[0], east[-1]) <= lon <= max(east[0], east[-1]):
        lon = east[0] + (lon - east[0] + 180) % 360 - 180
    x, y = (_position(axis, value) for axis, value in ((east, lon), (latitude, lat)))
    return None if x is None or y is None else [x, y]


def _position(axis: np.ndarray, value: float) -> float | None:
    """Return the position of a value on a monotonic axis of pixel centres, in pixels from the edge; None outside."""
    numbers = np.arange(len(axis)) + 0.5
    if axis[0] > axis[-1]:
        axis, numbers = axis[::-1], numbers[::-1]
    return round(float(np.interp(value, axis, numbers)), 2) if axis[0] <= value <= axis[-1] else None
