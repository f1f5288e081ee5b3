"""The best track and the grid of a sequence, as plain lists for the page."""

import math
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.display.places import axes_of, spacing_of

__all__ = ["describe_grid", "describe_track"]

Numbers = NDArray[np.float64]

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
    """Return the best track at each time, by name of the coordinate; None where it is unknown.

    Coordinates without a known entry are left out. ``centre`` is the place (x, y) in pixels of the highres grid, which
    has this shape.
    """
    along_time = {str(name): values for name, values in sequence.coords.items() if values.dims == ("time",)}
    numbers = {
        name: along_time[name].values.astype(np.float64)
        for name in ("center_lat", "center_lon", "pressure", "wind", "grade")
        if name in along_time and along_time[name].dtype.kind in "iuf"
    }
    found: dict[str, list[Any]] = {name: _listed(values, 3) for name, values in numbers.items()}
    if "wind" in found:  # JMA writes 0 where it estimates no wind, such as for a depression
        found["wind"] = [value or None for value in found["wind"]]
    if "grade" in found:
        found["grade"] = [GRADES.get(round(value)) if value else None for value in found["grade"]]
    if "satellite" in along_time:
        found["satellite"] = [str(name) or None for name in along_time["satellite"].values]
    if "center_lat" in found and "center_lon" in found:
        places = _centres(sequence, numbers["center_lat"], numbers["center_lon"], shape)
        found["centre"] = [None if None in place else place for place in map(list, zip(*places, strict=True))]
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def describe_grid(sequence: xr.DataArray, shape: tuple[int, int]) -> dict[str, Any]:
    """Return latitude of rows and longitude of columns of the highres grid, else its pixel size in km, if known."""
    if axes := axes_of(sequence, shape):
        return {name: np.round(axis, 4).tolist() for name, axis in zip(("lat", "lon"), axes, strict=True)}
    sides = [spacing_of(sequence, dim) for dim in ("y", "x")]
    if None not in sides and math.isclose(*sides, rel_tol=1e-3):  # type: ignore[arg-type]
        return {"pixel_km": sides[0]}
    return {}


def _listed(values: Numbers, digits: int) -> list[float | None]:
    return [round(float(value), digits) if np.isfinite(value) else None for value in values]


def _centres(sequence: xr.DataArray, lat: Numbers, lon: Numbers, shape: tuple[int, int]) -> list[list[float | None]]:
    """Return x and y of the centre in pixels: by the coordinates of the grid; without them the middle of the frame."""
    axes = axes_of(sequence, shape)
    if axes is None:
        known = np.where(np.isfinite(lat + lon), 1.0, np.nan)
        return [_listed(known * side / 2, 2) for side in shape[::-1]]
    latitude, longitude = axes
    east = np.unwrap(longitude, period=360)
    inside = (lon >= east.min()) & (lon <= east.max())
    lon = np.where(inside, lon, east[0] + (lon - east[0] + 180) % 360 - 180)
    return [_listed(_positions(axis, values), 2) for axis, values in ((east, lon), (latitude, lat))]


def _positions(axis: Numbers, values: Numbers) -> Numbers:
    """Return positions on a monotonic axis of pixel centres, in pixels from the edge; NaN outside."""
    order = np.argsort(axis)
    return np.interp(values, axis[order], order + 0.5, left=np.nan, right=np.nan)
