"""Cloud: birth, growth and spread of convection, and its brightness temperature."""

from functools import lru_cache

import numpy as np

from tempogan_eddy.synthesis.grid import Field, Grid
from tempogan_eddy.synthesis.vortex import Storm

__all__ = ["Cells", "birth_rate", "brightness_temperature", "eyewall_source", "thin"]


class Cells:
    """Convective cells: points that are born, drift with the wind, feed cloud for a while, and die.

    Life times are exponential; the feeding rises and falls once over a life.
    """

    def __init__(self, grid: Grid, random: np.random.Generator) -> None:
        self._grid, self._random = grid, random
        self._cells = np.zeros((6, 0))  # x and y in pixels, age and life in hours, radius in pixels, vigour

    def give_birth(self, rate: Field, hours: float) -> None:
        """Add the cells born within some hours where `rate` is their number per hour and pixel."""
        random, expected = self._random, np.cumsum(rate.ravel()) * hours
        count = int(random.poisson(expected[-1]))
        where = np.searchsorted(expected, random.random(count) * expected[-1])
        rows, columns = np.divmod(np.minimum(where, rate.size - 1), rate.shape[1])
        places = np.stack([columns, rows]) + random.uniform(-0.5, 0.5, (2, count))
        life = 0.6 + random.exponential(1.8, count)
        kilometres = np.minimum(8 * np.exp(0.5 * random.standard_normal(count)), 20)
        radius = np.maximum(kilometres / self._grid.pixel_km, 0.7)
        vigour = 1.1 * np.exp(0.5 * random.standard_normal(count))
        born = np.stack([*places, np.zeros(count), life, radius, vigour])
        self._cells = np.concatenate([self._cells, born], axis=1)

    def advance(self, wind: Field, hours: float) -> None:
        """Move the cells with the wind ``(2, y, x)``, in pixels for these hours, and let them age."""
        width = self._grid.width
        columns, rows = np.rint(self._cells[:2]).astype(int) % width
        self._cells[:2] = (self._cells[:2] + wind[:, rows, columns]) % width
        self._cells[2] += hours
        self._cells = self._cells[:, self._cells[2] < self._cells[3]]

    def feeding(self) -> Field:
        """Return the cloud that all cells produce, in units of thickness per hour."""
        width = self._grid.width
        position, (age, life, radius, vigour) = self._cells[:2], self._cells[2:]
        strength = vigour * np.sin(np.pi * age / life) ** 2
        nearest = np.rint(position).astype(int)
        farthest = int(np.ceil(3 * radius.max(initial=1)))
        reach = np.arange(-farthest, farthest + 1)
        pixels = nearest[:, :, None] + reach  # (x or y, cell, pixel)
        bells = np.exp(-0.5 * ((pixels - position[:, :, None]) / radius[:, None]) ** 2)
        amount = strength[:, None, None] * bells[1][:, :, None] * bells[0][:, None, :]
        columns, rows = pixels % width
        index = rows[:, :, None] * width + columns[:, None, :]
        total = np.bincount(index.ravel(), amount.ravel(), minlength=width**2).astype(float)
        return total.reshape(self._grid.shape)


@lru_cache(maxsize=2)
def _spiral(storm: Storm, grid: Grid) -> Field:
    """Return the rain bands: 1 on the logarithmic spirals, 0 between them."""
    east, south = grid.offsets_km
    angle = storm.hemisphere * np.arctan2(-south, east)
    turns = np.log(np.maximum(grid.radius_km, 5) / 50) / np.tan(storm.pitch)
    return np.exp(3.5 * (np.cos(storm.arms * (angle + turns) + storm.arm_angle) - 1))


@lru_cache(maxsize=2)
def _eye(storm: Storm, grid: Grid) -> Field:
    """Return where air sinks: 1 in the eye, 0 from the eyewall on."""
    return np.exp(-((grid.radius_km / (0.62 * storm.radius_of_maximum_wind_km)) ** 4))


def birth_rate(storm: Storm, grid: Grid, strength: float, moisture: Field, thickness: Field) -> Field:
    """Return the expected births of cells per hour and pixel: bands, core, and clusters in moist air.

    Outside the core convection uses up its instability, so thick cloud hinders births.
    """
    radius = grid.radius_km
    reach = 330 + 150 * storm.severity
    bands = _spiral(storm, grid) * np.exp(-((radius / reach) ** 2)) * (1 - np.exp(-((radius / 90) ** 2)))
    core = np.exp(-((radius / (2.2 * storm.radius_of_maximum_wind_km)) ** 2))
    unstable = np.exp(-0.6 * thickness)
    clusters = np.exp(2.8 * moisture + 0.6 * storm.moisture - 4.5)
    around = 800 * strength * bands * np.exp(moisture - 0.5) + 150 * clusters
    per_square_megametre = 2500 * strength * core + around * unstable
    return per_square_megametre * (grid.pixel_km / 1000) ** 2


def eyewall_source(storm: Storm, grid: Grid, strength: float) -> Field:
    """Return the cloud made in the eyewall, stronger down the shear and to its left, per hour."""
    radius, width = grid.radius_km, storm.radius_of_maximum_wind_km
    east, south = grid.offsets_km
    heading = np.arctan2(storm.shear[1], storm.shear[0]) + storm.hemisphere * np.pi / 4
    lean = np.hypot(*storm.shear) / 14
    side = 1 + lean * np.cos(np.arctan2(-south, east) - heading) * np.minimum(radius / width, 1)
    ring = np.exp(-(((radius - 1.15 * width) / (0.75 * width)) ** 2))
    return (0.5 + 2.0 * storm.severity) * strength * side * ring


def thin(storm: Storm, grid: Grid, strength: float, thickness: Field, hours: float) -> Field:
    """Return the cloud after some hours of fall-out and, in the eye, of sinking air."""
    clearing = 9.0 * max(storm.severity * strength - 0.25, 0) * _eye(storm, grid)
    fallout = 1 / 11 + 0.14 * thickness / (1 + 0.2 * thickness)
    evaporated = 0.025 * hours  # thin cloud vanishes soon: edges, not veils
    return np.maximum(thickness - evaporated, 0) * np.exp(-hours * (fallout + clearing))


def brightness_temperature(sea: Field, thickness: Field, feeding: Field, texture: Field, low_cloud: Field) -> Field:
    """Return the brightness temperature in kelvin of grey cloud over low cloud over the sea."""
    low = 12 / (1 + np.exp(-(low_cloud - 1.0) / 0.5))
    optical = thickness * np.exp(0.42 * texture)
    opacity = 1 - np.exp(-1.8 * optical)
    height = 1 - np.exp(-0.6 * thickness * np.exp(0.12 * texture))
    top = 262 - 62 * height - 7 * np.tanh(feeding / 3)
    return (sea - low) * (1 - opacity) + top * opacity
