"""Radially averaged power spectral density (RAPSD) of numpy arrays and torch tensors: for scores and for losses."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "TAPER",
    "energy_above",
    "log_spectral_distance",
    "radial_power",
    "ring_energy",
    "ring_modes",
    "taper",
    "wavenumbers",
    "windowed_modes",
]

# The power that rounding to float32 leaves in a mode, (1e-5 K)^2 over a million modes: avoids the log of 0.
ROUNDING_POWER = 1e-16
# Pixels over which the weight rises from 0 at a missing pixel to 1.
TAPER = 16


class _Rings(NamedTuple):
    """Rings of integer radial wavenumber, which depend on a frame's shape only."""

    window: Any  # (H, W) Hann window, mean square 1
    ring: Any  # (H * (W // 2 + 1),) wavenumber of each mode of rfft2; 0 for the mean and beyond K
    weight: Any  # the same shape: modes of the full plane that each one stands for; 0 beyond K
    modes: Any  # (K + 1,) modes in each ring k = 0..K


def wavenumbers(shape: tuple[int, ...]) -> NDArray[np.int_]:
    """Return k = 1..K in cycles per shorter side; K is the Nyquist wavenumber, min(H, W) // 2."""
    return np.arange(1, min(shape) // 2 + 1)


@overload
def radial_power(frames: NDArray[np.floating], weight: NDArray[Any] | None = None) -> NDArray[np.float64]: ...
@overload
def radial_power(frames: Tensor, weight: NDArray[Any] | None = None) -> Tensor: ...
def radial_power(frames: Any, weight: NDArray[Any] | None = None) -> Any:
    """Return the radially averaged power spectral density of each frame.

    Remove the (weighted) mean, apply a two-dimensional Hann window and the weights, and average the power of the
    discrete Fourier transform over rings of integer radial wavenumber. Rings are counted in cycles per shorter side,
    so a frame that is not square uses all of its pixels.

    Parameters
    ----------
    frames : (..., H, W) array or Tensor
        May be NaN where the weight is 0. Arrays are computed in double precision; tensors in single precision, and
        gradients pass through.
    weight : (H, W) array, optional
        0..1, 0 where missing; 1 everywhere by default. A bool mask of valid pixels gets soft edges (see `taper`).

    Returns
    -------
    (..., K) array or Tensor
        Mean power of a mode at k = 1..K, K^2 for kelvin. The sum over all modes of the plane is the windowed variance
        (Parseval).
    """
    height, width = frames.shape[-2:]
    if isinstance(frames, np.ndarray):
        xp, values, rings = np, frames.astype(np.float64), _rings(height, width)
    else:
        import torch as xp  # type: ignore[no-redef]

        values, rings = frames.float(), _rings_on(height, width, frames.device)
    if weight is not None:
        soft = (None if weight.all() else taper(weight)) if weight.dtype == bool else weight
        weight = None if soft is None else xp.asarray(soft, dtype=values.dtype)
    power = abs(_modes(xp, values, weight, rings)) ** 2
    totals = _ring_sums(power.reshape(-1, len(rings.ring)) * rings.weight, rings)
    return (totals[:, 1:] / rings.modes[1:]).reshape(*frames.shape[:-2], -1)


def windowed_modes(frame: NDArray[np.floating], weight: NDArray[np.float64] | None = None) -> NDArray[np.complex64]:
    """Return the Fourier modes of a frame (H, W) whose products `ring_energy` adds up: (N,).

    Rounding each mode is harmless, but a transform in single precision would spread what it rounds over all modes.
    """
    modes, _, scale = _kept_modes(*frame.shape)
    windowed = _anomaly(np, frame.astype(np.float64), weight) * _rings(*frame.shape).window
    return fft.rfft2(windowed, overwrite_x=True).ravel()[modes].astype(np.complex64) * scale


def ring_energy(
    modes: NDArray[np.complex64], other: NDArray[np.complex64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the energy, K^2, that the modes of two frames of a shape (H, W) have in common, in rings k = 1..K: (K,).

    Of equal frames this is the power of `radial_power` times the number of modes in each ring.
    """
    parts = modes.view(np.float32) * other.view(np.float32)
    ring = _kept_modes(*shape)[1]
    return np.bincount(ring, parts[::2] + parts[1::2], min(shape) // 2 + 1)[1:].astype(np.float64, copy=False)


def ring_modes(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the number of Fourier modes of the plane in each ring k = 1..K of a frame (H, W): (K,)."""
    return _rings(*shape).modes[1:]


def _modes(xp: Any, values: Any, weight: Any, rings: _Rings) -> Any:
    """Return the modes of windowed anomalies (..., H, W): (..., H, W // 2 + 1)."""
    height, width = values.shape[-2:]
    transform = fft.rfft2 if xp is np else xp.fft.rfft2  # that of scipy is twice as fast as that of numpy
    return transform(_anomaly(xp, values, weight) * rings.window) / (height * width)


def _anomaly(xp: Any, values: Any, weight: Any) -> Any:
    """Return the frames minus their mean, times the weight."""
    if weight is None:
        return values - values.mean(axis=(-2, -1), keepdims=True)
    values, total = xp.where(weight > 0, values, 0.0), weight.sum()
    return (values - (values * weight).sum(axis=(-2, -1), keepdims=True) / (total + (total == 0))) * weight


def _ring_sums(power: Any, rings: _Rings) -> Any:
    """Add up the modes (N, H * (W // 2 + 1)) of each ring: (N, K + 1)."""
    if isinstance(power, np.ndarray):
        return np.stack([np.bincount(rings.ring, modes, len(rings.modes)) for modes in power])
    return power.new_zeros(len(power), len(rings.modes)).index_add(1, rings.ring, power)


def taper(valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return weights (H, W) that rise from 0 at missing pixels to 1 at a distance of `TAPER` pixels.

    A mask with sharp edges has a broad spectrum: one missing line leaks large scales into the small ones. On real
    frames it changes bicubic's LSD from 26.5 dB to 9.3 dB; with the taper the LSD is 26.4 dB.
    """
    distance = ndimage.distance_transform_edt(valid)
    return np.sin(np.pi / 2 * np.clip(distance / TAPER, 0, 1)) ** 2


def log_spectral_distance(reconstructed: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return the root mean square over k = 1..K of the difference of two spectra in dB."""
    decibel = 10 * np.log10((reconstructed + ROUNDING_POWER) / (truth + ROUNDING_POWER))
    return float(np.sqrt(np.mean(decibel**2)))


def energy_above(spectrum: NDArray[np.float64], shape: tuple[int, ...], wavenumber: float) -> float:
    """Return the power, K^2, summed over all modes with wavenumber < k <= K of a frame (H, W)."""
    above = wavenumbers(shape) > wavenumber
    return float((spectrum * _rings(*shape).modes[1:])[above].sum())


@lru_cache(maxsize=8)
def _rings(height: int, width: int) -> _Rings:
    window = np.outer(np.hanning(height), np.hanning(width))
    shorter = min(height, width)
    ring = np.rint(shorter * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])).astype(np.intp)
    weight = np.full(ring.shape, 2.0)
    weight[:, 0] = 1  # rfft2 keeps one of each conjugate pair, but these columns are their own partners
    if width % 2 == 0:
        weight[:, -1] = 1
    weight[ring > shorter // 2] = 0
    ring[ring > shorter // 2] = 0
    modes = np.bincount(ring.ravel(), weight.ravel(), shorter // 2 + 1)
    return _Rings(window / np.sqrt(np.mean(window**2)), ring.ravel(), weight.ravel(), modes)


@lru_cache(maxsize=8)
def _kept_modes(height: int, width: int) -> tuple[Any, Any, Any]:
    """Return the places of the modes that lie in a ring, their rings, and what scales them to energy."""
    rings = _rings(height, width)
    kept = np.flatnonzero(rings.weight)
    return kept, rings.ring[kept], (np.sqrt(rings.weight[kept]) / (height * width)).astype(np.float32)


@lru_cache(maxsize=8)
def _rings_on(height: int, width: int, device: torch.device) -> _Rings:
    """Return the rings as tensors of one device."""
    import torch

    with torch.inference_mode(False):  # cached tensors must serve training too
        window, ring, weight, modes = map(torch.from_numpy, _rings(height, width))
        return _Rings(window.float().to(device), ring.to(device), weight.float().to(device), modes.float().to(device))
