"""The square, periodic grid of a simulation, and its named streams of random numbers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid", "generator"]

Field = NDArray[np.float64]


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of a named part of a storm, so that the parts draw independently."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(name.encode())))


@dataclass(frozen=True)
class Grid:
    """Frames of ``size`` x ``size`` pixels of ``pixel_km`` in a wider periodic domain around the storm."""

    size: int
    pixel_km: float

    @property
    def margin(self) -> int:
        """Pixels on each side that hide the seam of the periodic domain."""
        return max(8, self.size // 16)

    @property
    def width(self) -> int:
        """Pixels along one side of the domain."""
        return self.size + 2 * self.margin

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a field on the domain."""
        return (self.width, self.width)

    @cached_property
    def offsets_km(self) -> tuple[Field, Field]:
        """Distance east (right) and south (down) of the storm's centre, in km."""
        axis = (np.arange(self.width) - (self.width - 1) / 2) * self.pixel_km
        return np.broadcast_to(axis[None, :], self.shape), np.broadcast_to(axis[:, None], self.shape)

    @cached_property
    def radius_km(self) -> Field:
        """Distance from the storm's centre in km."""
        east, south = self.offsets_km
        return np.hypot(east, south)

    @cached_property
    def wavenumber(self) -> Field:
        """Magnitude of the wave vector of each ``rfft2`` coefficient, in cycles per pixel."""
        along_y, along_x = np.fft.fftfreq(self.width), np.fft.rfftfreq(self.width)
        return np.hypot(along_y[:, None], along_x[None, :])

    def pixels(self, metres_per_second: Field, hours: float) -> Field:
        """Return the pixels travelled in some hours at a speed in m/s."""
        return metres_per_second * (3.6 * hours / self.pixel_km)

    def frame(self, field: Field) -> Field:
        """Return the frame within a field (..., y, x) on the domain."""
        inside = slice(self.margin, self.margin + self.size)
        return field[..., inside, inside]
