"""One simulated storm: cloud tops carried by a vortex, shear and eddies, seen in the infrared."""

import re
from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError, require_seed, require_whole
from tempogan_eddy.synthesis import advection, clouds
from tempogan_eddy.synthesis.grid import Field, Grid, generator
from tempogan_eddy.synthesis.turbulence import Eddies, Texture
from tempogan_eddy.synthesis.vortex import AMBIENT_PRESSURE, Storm, cloud_top_wind

__all__ = ["SATELLITE", "simulate_storm"]

STEP_HOURS = 1 / 6  # the longest step; the wind is steady for one frame
SPIN_UP_HOURS = 8  # from a clear sky to the first frame
SATELLITE = "synthetic"  # marks simulated frames in every format
FIRST_SEASON, SEASONS = 2000, 30
LARGEST_SIZE = 4096
MOST_PIXELS = 1 << 30  # of all frames of a storm, which are in memory together: 12 GiB with their flow

KNOTS = 1.944  # in one m/s
SURFACE_REDUCTION = 0.88  # from the gradient wind to ten minutes' mean at 10 m


class _Simulation:
    """The state of one storm, advanced frame by frame."""

    def __init__(self, seed: int, grid: Grid, storm: Storm) -> None:
        self.grid, self.storm = grid, storm
        self.eddies = Eddies(grid, generator(seed, "eddies"), speed=4.0)
        self.texture = Texture(grid, generator(seed, "texture"), slope=2.4, outer_km=300, hours=6)
        self.low_cloud = Texture(grid, generator(seed, "low cloud"), slope=2.6, outer_km=150, hours=12)
        self.moisture = Texture(grid, generator(seed, "moisture"), slope=5.0, outer_km=500, hours=20)
        self.cells = clouds.Cells(grid, generator(seed, "cells"))
        self.thickness = np.zeros(grid.shape)
        self.feeding = np.zeros(grid.shape)

    def advance(self, hours: float, strength: float) -> Field:
        """Simulate until the next frame and return the backward flow ``(2, y, x)`` in pixels."""
        grid, storm = self.grid, self.storm
        steps = int(np.ceil(hours / STEP_HOURS - 1e-9))
        step = hours / steps
        self.eddies.advance(hours)
        wind = grid.pixels(np.stack(cloud_top_wind(storm, grid, strength)) + self.eddies.wind(), step)
        offset = advection.departure(wind)
        matrix = advection.step_matrix(offset)
        births = clouds.birth_rate(storm, grid, strength, self.moisture.field, self.thickness)
        eyewall = clouds.eyewall_source(storm, grid, strength)
        roughness = np.exp(0.7 * self.texture.field - 0.25)
        flow = np.zeros((2, grid.width**2))
        for _ in range(steps):
            state = matrix @ np.stack([self.thickness.ravel(), *flow], axis=-1)
            flow = state[:, 1:].T + offset.reshape(2, -1)
            self.cells.advance(wind, step)
            self.cells.give_birth(births, step)
            self.feeding = roughness * (self.cells.feeding() + eyewall)
            thickness = state[:, 0].reshape(grid.shape) + step * self.feeding
            self.thickness = clouds.thin(storm, grid, strength, thickness, step)
        moved = flow.reshape(2, *grid.shape)
        for texture in (self.texture, self.low_cloud, self.moisture):
            texture.renew(advection.move(texture.field, moved), hours)
        return moved

    def frame(self, hours: float) -> Field:
        """Return the brightness temperature of the frame in kelvin."""
        storm, south = self.storm, self.grid.offsets_km[1]
        poleward_km = 111.2 * abs(storm.travel(hours)[0] - storm.latitude) - storm.hemisphere * south
        sea = storm.sea_kelvin - 0.0035 * poleward_km
        seen = clouds.brightness_temperature(
            sea, self.thickness, self.feeding, self.texture.field, self.low_cloud.field
        )
        return self.grid.frame(seen)


def simulate_storm(
    *,
    seed: int,
    frames: int = 48,
    size: int = 256,
    cadence_minutes: float = 60,
    pixel_km: float = 5.0,
    name: str | None = None,
    start: str | np.datetime64 | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Simulate one tropical cyclone in the infrared, centred on the storm.

    A vortex with a published wind profile, shear and divergence-free eddies carries cloud tops that grow from
    convective cells, spread and dissolve over a warm sea. One seed gives one storm, on every machine.

    Parameters
    ----------
    seed
        Seed of the storm.
    frames, size
        Number of frames, and of pixels along each side.
    cadence_minutes, pixel_km
        Time from frame to frame, and distance from pixel to pixel.
    name, start
        Identifier of the storm (``YYYYNN``) and first time; by default both follow from the seed.
    on_frame
        Called with (frames done, frames), for a progress bar.

    Returns
    -------
    xr.Dataset
        ``brightness_temperature (time, y, x)``, float32 kelvin rounded to 0.01 K, and
        ``flow (time, component, y, x)``, float32: the true flow from each frame back to the frame before, in
        pixels per cadence, x right and y down; 0 for the first frame.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    seed = require_seed(seed)
    require_whole("size", size, 16, LARGEST_SIZE)
    require_whole("frames", frames, 1, MOST_PIXELS // size**2)
    for key, value, most in (("cadence_minutes", cadence_minutes, 360), ("pixel_km", pixel_km, 40)):
        if not 0 < value <= most:
            raise InputError(f"{key} must be above 0 and at most {most}, not {value}.")
    grid, storm, cadence = Grid(size, pixel_km), Storm.draw(seed), cadence_minutes / 60
    simulation = _Simulation(seed, grid, storm)
    for _ in range(SPIN_UP_HOURS):
        simulation.advance(1.0, storm.strength(0))
    kelvin = np.empty((frames, size, size), np.float32)
    flow = np.zeros((frames, 2, size, size), np.float32)
    for index in range(frames):
        if index:
            moved = simulation.advance(cadence, storm.strength(index * cadence))
            flow[index] = grid.frame(moved)
        kelvin[index] = np.round(simulation.frame(index * cadence), 2)
        if on_frame is not None:
            on_frame(index + 1, frames)
    return _dataset(kelvin, flow, storm=storm, grid=grid, seed=seed, cadence_hours=cadence, name=name, start=start)


def _dataset(
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
