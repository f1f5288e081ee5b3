"""The simulated arrays as an xarray dataset, with the times, track, pressure and wind of a best track."""

import re

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.synthesis.grid import Grid, generator
from tempogan_eddy.synthesis.vortex import AMBIENT_PRESSURE, Storm

__all__ = ["SATELLITE", "storm_record"]

SATELLITE = "synthetic"  # marks simulated frames in every format
FIRST_SEASON, SEASONS = 2000, 30
KNOTS = 1.944  # in one m/s
SURFACE_REDUCTION = 0.88  # from the gradient wind to ten minutes' mean at 10 m


def storm_record(
    kelvin: NDArray[np.float32],
    flow: NDArray[np.float32],
    *,
    storm: Storm,
    grid: Grid,
    seed: int,
    cadence_hours: float,
    name: str | None,
    start: str | np.datetime64 | None,
) -> xr.Dataset:
    """Return frames ``(time, y, x)`` and flow ``(time, 2, y, x)`` with coordinates and attributes."""
    frames = len(kelvin)
    season = FIRST_SEASON + seed % SEASONS
    if name is None:
        name = f"{season}{seed // SEASONS % 99 + 1:02d}"
    elif re.fullmatch(r"(19|20)\d{4}", name):
        season = int(name[:4])
    if start is None:
        day, hour = generator(seed, "start").integers([150, 24])
        start = np.datetime64(f"{season}-06-01T00") + np.timedelta64(int(24 * day + hour), "h")
    steps = (np.arange(frames) * round(cadence_hours * 3600)).astype("timedelta64[s]")
    latitude, longitude = np.transpose([storm.travel(index * cadence_hours) for index in range(frames)])
    strength = [storm.strength(index * cadence_hours) for index in range(frames)]
    pressure = np.array([AMBIENT_PRESSURE - storm.deficit_hpa * part for part in strength])
    radii = np.linspace(1, 300, 300)
    wind = KNOTS * SURFACE_REDUCTION * np.array([storm.gradient_wind(radii, part).max() for part in strength])
    axis = (np.arange(grid.size) - (grid.size - 1) / 2) * grid.pixel_km
    described = {"units": "K", "standard_name": "brightness_temperature", "sequence": name}
    motion = {"units": "pixel", "long_name": "backward flow to the previous frame, right and down"}
    return xr.Dataset(
        {
            "brightness_temperature": (("time", "y", "x"), kelvin, described),
            "flow": (("time", "component", "y", "x"), flow, motion),
        },
        coords={
            "time": (np.datetime64(str(start), "s") + steps).astype("datetime64[ns]"),
            "component": ["x", "y"],
            "y": ("y", -axis, {"units": "km", "long_name": "distance north of the centre"}),
            "x": ("x", axis, {"units": "km", "long_name": "distance east of the centre"}),
            "center_lat": ("time", latitude, {"units": "degrees_north"}),
            "center_lon": ("time", longitude, {"units": "degrees_east"}),
            "satellite": ("time", [SATELLITE] * frames),
            "pressure": ("time", pressure.round(), {"units": "hPa"}),
            "wind": ("time", wind.round(), {"units": "kt"}),
        },
        attrs={"title": "Synthetic tropical cyclone", "source": "tempogan-eddy synthesis", "seed": seed},
    )
