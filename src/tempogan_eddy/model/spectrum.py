"""The spectral loss: a differentiable comparison of radial power spectra."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from tempogan_eddy.distributed import average
from tempogan_eddy.rapsd import radial_power

__all__ = ["spectral_loss"]

# In scaled units: far below any texture, far above rounding.
FLOOR = 1e-12


def spectral_loss(generated: Tensor, truth: Tensor, power: Callable[[Tensor], Tensor] = radial_power) -> Tensor:
    """Return the generalised Kullback-Leibler divergence of each frame's radial spectrum from its truth's.

    It is a Bregman divergence: the best estimate of a frame's spectrum is the mean of the spectra that fit its input.
    So every scene gets a texture as strong as its own, and the energy is right on average. Each wavenumber is weighed
    by the inverse of the batch's mean power there.

    Parameters
    ----------
    generated, truth
        (..., H, W), scaled.
    power
        Maps frames (N, H, W) to powers (N, K), as `radial_power`.

    Returns
    -------
    Tensor
        Scalar; about half the squared relative error of the power, where that is small.
    """
    ours, theirs = (power(frames.reshape(-1, *frames.shape[-2:])) + FLOOR for frames in (generated, truth))
    divergence = theirs * (theirs / ours).log() - theirs + ours
    return (divergence / average(theirs.mean(dim=0))).mean()
