"""Radially averaged power spectral density (RAPSD) and distances between spectra."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["energy_above", "log_spectral_distance", "radial_spectrum", "wavenumbers"]

# The power that rounding to float32 leaves at 300 K, about (1e-5 K)^2: keeps log(0) out of flat frames.
ROUNDING_POWER = 1e-10


class _Geometry(NamedTuple):
    """What depends on a frame's shape only."""

    window: NDArray[np.float64]  # (H, W) Hann window, mean square 1
    ring: NDArray[np.intp]  # (H, W // 2 + 1) integer radial wavenumber of every Fourier mode kept by rfft2
    weight: NDArray[np.float64]  # (H, W // 2 + 1) how many modes of the full plane each one stands for
    modes: NDArray[np.float64]  # (K,) modes in each ring k = 1..K


def wavenumbers(shape: tuple[int, int]) -> NDArray[np.int_]:
    """Return k = 1..K in cycles per shorter side; K is the Nyquist wavenumber, min(H, W) // 2."""
    return np.arange(1, min(shape) // 2 + 1)


def radial_spectrum(
    field: NDArray[np.floating], valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Radially averaged power spectral density of one field.

    The mean over the valid pixels is removed, missing pixels are set to that mean (anomaly 0), a
    two-dimensional Hann window is applied, and the power of the discrete Fourier transform is averaged
    over rings of integer radial wavenumber. Rings are counted in cycles per shorter side, so a frame
    that is not square uses all of its pixels.

    Parameters
    ----------
    field : (H, W) array
        Kelvin.
    valid : (H, W) bool array, optional
        False where missing; default all valid.

    Returns
    -------
    (K,) array
        Mean power of a mode, K^2, at k = 1..K. Summed over all modes of the plane the power is the
        windowed variance (Parseval).
    """
    geometry = _geometry(field.shape[0], field.shape[1])
    values = field.astype(np.float64)
    anomaly = values - values.mean() if valid is None else _masked_anomaly(values, valid)
    power = np.abs(fft.rfft2(anomaly * geometry.window)) ** 2 / values.size**2
    total = np.bincount(geometry.ring.ravel(), (geometry.weight * power).ravel())
    return total[1 : len(geometry.modes) + 1] / geometry.modes


def log_spectral_distance(reconstructed: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Root mean square over k = 1..Nyquist of the difference of two spectra in dB."""
    decibel = 10 * np.log10((reconstructed + ROUNDING_POWER) / (truth + ROUNDING_POWER))
    return float(np.sqrt(np.mean(decibel**2)))


def energy_above(spectrum: NDArray[np.float64], shape: tuple[int, int], wavenumber: float) -> float:
    """Sum of the power, K^2, of all modes with wavenumber < k <= Nyquist of a frame of this shape."""
    above = wavenumbers(shape) > wavenumber
    return float((spectrum * _geometry(*shape).modes)[above].sum())


def _masked_anomaly(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    if not valid.any():
        return np.zeros_like(values)
    return np.where(valid, values - values[valid].mean(), 0.0)


@lru_cache(maxsize=8)
def _geometry(height: int, width: int) -> _Geometry:
    window = np.outer(np.hanning(height), np.hanning(width))
    window /= np.sqrt(np.mean(window**2))
    shorter = min(height, width)
    radius = shorter * np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None, :])
    ring = np.rint(radius).astype(np.intp)
    weight = np.full(ring.shape, 2.0, dtype=np.float64)
    weight[:, 0] = 1  # rfft2 keeps one of each conjugate pair, but these columns are their own partners
    if width % 2 == 0:
        weight[:, -1] = 1
    modes = np.bincount(ring.ravel(), weight.ravel())[1 : shorter // 2 + 1].astype(np.float64)
    return _Geometry(window, ring, weight, modes)
