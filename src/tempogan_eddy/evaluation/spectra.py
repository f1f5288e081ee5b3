"""Radially averaged power spectral density (RAPSD) and distances between spectra."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tempogan_eddy.evaluation.mask import Mask

__all__ = ["energy_above", "log_spectral_distance", "radial_spectrum", "wavenumbers"]

# About what rounding to float32 leaves in a mode, (1e-5 K)^2 spread over a million: no log of 0.
ROUNDING_POWER = 1e-16


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
    field: NDArray[np.floating], weight: NDArray[np.floating] | NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Radially averaged power spectral density of one field.

    The (weighted) mean is removed, a two-dimensional Hann window and the weights are applied, and the
    power of the discrete Fourier transform is averaged over rings of integer radial wavenumber. Rings
    are counted in cycles per shorter side, so a frame that is not square uses all of its pixels.

    Parameters
    ----------
    field : (H, W) array
        Kelvin; may be NaN where the weight is 0.
    weight : (H, W) array, optional
        0..1, 0 where missing; default 1 everywhere. A bool mask of valid pixels is given soft edges
        (see `mask.taper`).

    Returns
    -------
    (K,) array
        Mean power of a mode, K^2, at k = 1..K. Summed over all modes of the plane the power is the
        windowed variance (Parseval).
    """
    geometry = _geometry(field.shape[0], field.shape[1])
    if weight is not None:
        weight = Mask(weight.astype(bool)).weight if weight.dtype == bool else weight.astype(np.float64)
    values = field.astype(np.float64)
    anomaly = values - values.mean() if weight is None else _weighted_anomaly(values, weight)
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


def _weighted_anomaly(values: NDArray[np.float64], weight: NDArray[np.floating]) -> NDArray[np.float64]:
    if not weight.any():
        return np.zeros_like(values)
    values = np.where(weight > 0, values, 0.0)
    return (values - np.average(values, weights=weight)) * weight


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
