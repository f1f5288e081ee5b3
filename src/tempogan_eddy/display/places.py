"""Where the pixels of a sequence lie on the Earth, and the map lines over them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.display.coast import MapLine, Projection, map_lines
from tempogan_eddy.io.grids.axes import spatial_coordinate
from tempogan_eddy.io.grids.refining import disordered

__all__ = ["Places", "axes_of", "places_of", "spacing_of"]

Numbers = NDArray[np.float64]

EARTH_KM = 6371.0
# Side of a frame. The data set says about 5 km a pixel; coasts in frames of GMS-3 and MTSAT-1R fit best at 5.07.
DIGITAL_TYPHOON_KM = 5.07 * 512


@dataclass(frozen=True)
class Places:
    """Map lines of a sequence; `fixed` if they are the same at every time."""

    fixed: bool
    lines: Callable[[int], list[MapLine]]  # by number of the time


def places_of(sequence: xr.DataArray, shape: tuple[int, int]) -> Places | None:
    """Return the places of a grid with latitudes and longitudes, or around a storm with a best track; else None.

    Frames around a storm are Lambert's azimuthal equal-area projection about its centre, as those of Digital Typhoon.
    """
    if axes := axes_of(sequence, shape):
        lines = _on_axes(*axes, shape)
        return Places(True, lambda _: lines)
    kilometres = _pixel_km(sequence, shape)
    known = [sequence.coords[name] for name in ("center_lat", "center_lon") if name in sequence.coords]
    if kilometres is None or [coord.dims for coord in known] != [("time",)] * 2:
        return None
    lats, lons = (coord.values.astype(np.float64) for coord in known)
    return Places(False, lambda time: _around(float(lats[time]), float(lons[time]), kilometres, shape))


def axes_of(sequence: xr.DataArray, shape: tuple[int, int]) -> tuple[Numbers, Numbers] | None:
    """Return the latitude of each row and the longitude of each column of the highres grid, if they are known."""
    latitude, longitude = _axis(sequence, "y", "latitude", shape[0]), _axis(sequence, "x", "longitude", shape[1])
    return None if latitude is None or longitude is None else (latitude, longitude)


def _axis(sequence: xr.DataArray, dim: str, name: str, size: int) -> Numbers | None:
    """Return the 1-D latitude or longitude of the highres grid along a dimension; None if it turns."""
    coordinate = spatial_coordinate(sequence, name)
    if coordinate is None or coordinate.dims != (dim,) or len(coordinate) != size or size < 2:
        return None
    return None if disordered(coordinate).size else coordinate.values.astype(np.float64)


def spacing_of(sequence: xr.DataArray, dim: str) -> float | None:
    """Return the distance in km between pixels along a dimension; None if its coordinate is no distance."""
    if dim not in sequence.coords or sequence.sizes[dim] < 2 or sequence[dim].dtype.kind not in "iuf":
        return None
    kilometres = {"km": 1.0, "m": 1e-3}.get(str(sequence[dim].attrs.get("units")))
    values = sequence[dim].values
    return kilometres and abs(float(values[-1] - values[0])) / (len(values) - 1) * kilometres


def _on_axes(latitude: Numbers, longitude: Numbers, shape: tuple[int, int]) -> list[MapLine]:
    east = np.unwrap(longitude, period=360)

    def project(lon: Numbers, lat: Numbers) -> tuple[Numbers, Numbers]:
        return _position(east, lon), _position(latitude, lat)

    bounds = (float(east.min()), float(latitude.min()), float(east.max()), float(latitude.max()))
    return map_lines(project, shape, bounds)


def _position(axis: Numbers, values: Numbers) -> Numbers:
    """Return positions on a monotonic axis of pixel centres, in pixels from the edge; beyond it, as its last steps."""
    order = np.argsort(axis)
    known, place = axis[order], order + 0.5
    inner = np.interp(values, known, place)
    for end, beside, beyond in ((0, 1, values < known[0]), (-1, -2, values > known[-1])):
        slope = (place[end] - place[beside]) / (known[end] - known[beside])
        inner = np.where(beyond, place[end] + (values - known[end]) * slope, inner)
    return inner


def _around(lat: float, lon: float, kilometres: float, shape: tuple[int, int]) -> list[MapLine]:
    """Return the map lines of a frame around a place (degrees)."""
    if not np.isfinite(lat + lon):
        return []
    reach = np.degrees(np.hypot(*shape) / 2 * kilometres / EARTH_KM) * 1.05  # the projection shortens radii a little
    south, north = max(lat - reach, -90.0), min(lat + reach, 90.0)
    widest = max(abs(south), abs(north))
    across = reach / np.cos(np.radians(widest)) if widest < 80 else 180.0
    across = min(float(across), 180.0)
    return map_lines(_azimuthal(lat, lon, kilometres, shape), shape, (lon - across, south, lon + across, north))


def _azimuthal(lat: float, lon: float, kilometres: float, shape: tuple[int, int]) -> Projection:
    """Return Lambert's azimuthal equal-area projection: Snyder, USGS Prof. Paper 1395, equations 24-2 to 24-4."""
    middle = np.radians(lat)

    def project(lons: Numbers, lats: Numbers) -> tuple[Numbers, Numbers]:
        turn, up = np.radians(lons - lon), np.radians(lats)
        cosine = np.sin(middle) * np.sin(up) + np.cos(middle) * np.cos(up) * np.cos(turn)
        scale = np.sqrt(2 / np.where(cosine > -0.5, 1 + cosine, np.nan)) * EARTH_KM / kilometres
        east = scale * np.cos(up) * np.sin(turn)
        north = scale * (np.cos(middle) * np.sin(up) - np.sin(middle) * np.cos(up) * np.cos(turn))
        return shape[1] / 2 + east, shape[0] / 2 - north

    return project


def _pixel_km(sequence: xr.DataArray, shape: tuple[int, int]) -> float | None:
    """Return the side of a pixel around a storm: of axes in distances from its centre, or of Digital Typhoon."""
    tall, wide = spacing_of(sequence, "y"), spacing_of(sequence, "x")
    if tall is not None and wide is not None:
        y, x = sequence["y"].values, sequence["x"].values
        centred = abs(y[0] + y[-1]) < tall / 2 and abs(x[0] + x[-1]) < wide / 2
        return tall if centred and y[0] > y[-1] and x[0] < x[-1] and math.isclose(tall, wide, rel_tol=1e-3) else None
    plain = not {"y", "x"} & set(sequence.coords)
    return (
        DIGITAL_TYPHOON_KM / shape[0] if plain and "storm_season" in sequence.attrs and shape[0] == shape[1] else None
    )
