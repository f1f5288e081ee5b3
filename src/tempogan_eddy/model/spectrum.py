"""Radial power spectra of a batch, differentiable: what the spectral loss compares."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["radial_power", "spectral_loss"]

# In scaled units: far below any texture, far above what rounding leaves.
FLOOR = 1e-12


def radial_power(frames: Tensor) -> Tensor:
    """Radially averaged power spectral density of each frame.

    The mean of each frame is removed and a Hann window applied, as `evaluation.spectra.radial_spectrum` does.

    Parameters
    ----------
    frames
        (..., H, W), finite.

    Returns
    -------
    Tensor
        (N, K) mean power of a mode at k = 1..K cycles per shorter side, K being the Nyquist wavenumber; N frames.
    """
    height, width = frames.shape[-2:]
    window, ring, weight, modes = _geometry(height, width, frames.device)
    flat = frames.reshape(-1, height, width).float()
    anomaly = (flat - flat.mean(dim=(-2, -1), keepdim=True)) * window
    power = torch.fft.rfft2(anomaly).abs().square() / (height * width) ** 2
    total = torch.zeros(len(flat), len(modes), device=frames.device).index_add(1, ring, (power * weight).flatten(1))
    return total[:, 1:] / modes[1:]


def spectral_loss(generated: Tensor, truth: Tensor, power: Callable[[Tensor], Tensor] = radial_power) -> Tensor:
    """Generalised Kullback-Leibler divergence of each frame's radial spectrum from its truth's.

    A Bregman divergence, so the best guess at the spectrum of one frame is the mean of the spectra that fit its input:
    every scene gets a texture as strong as its own, and the energy is right on average. Each wavenumber counts
    relative to the mean power of the batch there.

    Parameters
    ----------
    generated, truth
        (..., H, W), scaled.
    power
        Maps frames to (N, K) powers, as `radial_power`.

    Returns
    -------
    Tensor
        A number; about half the squared relative error of the power, where that is small.
    """
    ours, theirs = power(generated) + FLOOR, power(truth) + FLOOR
    divergence = theirs * (theirs / ours).log() - theirs + ours
    return (divergence / theirs.mean(dim=0)).mean()


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept must serve training, whoever asks first
def _geometry(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Window (H, W), ring of each mode of rfft2 (flat; 0 for none), modes that each stands for, modes in each ring."""
    window = torch.outer(torch.hann_window(height, periodic=False), torch.hann_window(width, periodic=False))
    window = window / window.square().mean().sqrt()
    shorter = min(height, width)
    radius = shorter * torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :])
    ring = radius.round().long()
    weight = torch.full(ring.shape, 2.0)
    weight[:, 0] = 1  # rfft2 keeps one of each conjugate pair, but these columns are their own partners
    if width % 2 == 0:
        weight[:, -1] = 1
    ring, weight = torch.where(ring > shorter // 2, 0, ring), torch.where(ring > shorter // 2, 0.0, weight)
    modes = torch.zeros(shorter // 2 + 1).index_add(0, ring.flatten(), weight.flatten())
    return window.to(device), ring.flatten().to(device), weight.to(device), modes.to(device)
