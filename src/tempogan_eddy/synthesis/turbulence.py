"""Random fields that evolve with a prescribed spectrum: eddies of the wind and texture of the clouds."""

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.synthesis.grid import Field, Grid

__all__ = ["Eddies", "Texture"]


class Eddies:
    """Divergence-free turbulence that renews each wave in its turnover time.

    The kinetic energy falls as k^-3, the steeper of the two laws of G. D. Nastrom and K. S. Gage, "A
    Climatology of Atmospheric Wavenumber Spectra of Wind and Temperature Observed by Commercial Aircraft",
    Journal of the Atmospheric Sciences 42, 1985: with k^-5/3, small eddies curl the cirrus that real ones
    draw out.
    """

    def __init__(self, grid: Grid, random: np.random.Generator, *, speed: float) -> None:
        self._grid, self._random = grid, random
        k = grid.wavenumber
        outer = grid.pixel_km / 900
        # Power of the streamfunction: the energy's k^-3 less k^2 for the derivative and k for the ring. Waves
        # shorter than 4 pixels would be noise to the advection.
        power = np.where((k > 0) & (k < 0.5), (k**2 + outer**2) ** -3.0, 0) * np.exp(-((k * 4) ** 2))
        self._scale = np.sqrt(power)
        self._hours = 10 * np.maximum(k * 1000 / grid.pixel_km, 1) ** (-2 / 3)
        self._stream = self._scale * _white(grid, random)
        self._speed = 1.0
        self._speed = speed / np.sqrt(np.mean(np.square(self.wind()).sum(0)))

    def advance(self, hours: float) -> None:
        """Advance the eddies by some hours (an Ornstein-Uhlenbeck process for every wave)."""
        memory = np.exp(-hours / self._hours)
        self._stream = memory * self._stream + np.sqrt(1 - memory**2) * self._scale * _white(self._grid, self._random)

    def wind(self) -> Field:
        """Return the wind ``(2, y, x)`` right and down in m/s."""
        width = self._grid.width
        along_y, along_x = np.fft.fftfreq(width)[:, None], np.fft.rfftfreq(width)[None, :]
        right = np.fft.irfft2(2j * np.pi * along_y * self._stream, self._grid.shape)
        down = np.fft.irfft2(-2j * np.pi * along_x * self._stream, self._grid.shape)
        return self._speed * np.stack([right, down])


class Texture:
    """A field of unit variance that moves with the flow and renews itself, small scales first.

    Advection removes its fine scales; each wave is then mixed with fresh noise so that the spectrum stays
    (as in N. E. Bowler, C. E. Pierce, A. W. Seed, "STEPS: A probabilistic precipitation forecasting scheme
    which merges an extrapolation nowcast with downscaled NWP", Q. J. R. Meteorol. Soc. 132, 2006).
    """

    def __init__(self, grid: Grid, random: np.random.Generator, *, slope: float, outer_km: float, hours: float) -> None:
        self._grid, self._random = grid, random
        k = grid.wavenumber
        outer = grid.pixel_km / outer_km
        power = np.where(k > 0, (k**2 + outer**2) ** (-slope / 2), 0)
        self._scale = np.sqrt(power)
        self._scale /= np.std(np.fft.irfft2(self._scale * _white(grid, random), grid.shape))
        wavelength = grid.pixel_km / np.maximum(k, 1e-9)
        self._hours = hours * np.minimum(wavelength / 100, 4) ** (2 / 3)
        self._rings = np.rint(k * grid.width).astype(int)
        self._spectrum = self._scale * _white(grid, random)
        self.field = np.fft.irfft2(self._spectrum, grid.shape)

    def renew(self, advected: Field, hours: float) -> None:
        """Set the advected field, and renew it for some hours."""
        spectrum = np.fft.rfft2(advected)
        spectrum[0, 0] = 0
        left = (self._ring_power(spectrum) / self._ring_power(self._spectrum))[self._rings]
        kept = np.exp(-hours / self._hours) / np.sqrt(np.maximum(left, 1))
        lost = np.maximum(1 - kept**2 * left, 0)
        fresh = self._scale * _white(self._grid, self._random)
        self._spectrum = kept * spectrum + np.sqrt(lost) * fresh
        self.field = np.fft.irfft2(self._spectrum, self._grid.shape)

    def _ring_power(self, spectrum: NDArray[np.number]) -> Field:
        """Return the mean power of the waves on each ring of equal wavenumber."""
        rings = self._rings.ravel()
        power = np.bincount(rings, np.square(np.abs(spectrum)).ravel()) / np.maximum(np.bincount(rings), 1)
        return np.maximum(power, 1e-30)


def _white(grid: Grid, random: np.random.Generator) -> NDArray[np.complex128]:
    """Return the spectrum of white noise of unit variance."""
    return np.fft.rfft2(random.standard_normal(grid.shape))
