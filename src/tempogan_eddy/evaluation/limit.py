"""The distortion-spectrum bound: the least error that a reconstruction with its power spectrum can have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.aggregation import Mean
from tempogan_eddy.evaluation.masked import MaskedFrame, kept
from tempogan_eddy.evaluation.statistics import Statistic

__all__ = ["CommonEnergy", "efficiency", "excess", "least_error"]

Values = NDArray[np.float64]

RINGS = 64
"""Rings below the lowres Nyquist wavenumber: those of a frame of 512 pixels at scale 4 are one wavenumber wide."""


@dataclass(frozen=True)
class CommonEnergy(Statistic[MaskedFrame]):
    """Energy by ring of wavenumber, (5, RINGS * scale): of the truth X, the reconstruction P, X with P, R, X with R.

    R is the regression. Rings are as wide for frames of any shape, so that storms add up.
    """

    needs_regression = True

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean | None:
        if truth.regression is None:
            return None
        x, p = truth, reconstructed
        energy = np.stack([x.energy, p.energy, x.energy_with(p), *_regression_energy(x)])
        wavenumber = np.arange(1, energy.shape[1] + 1)
        ring = -(-wavenumber * RINGS * 2 * truth.scale // min(truth.shape)) - 1  # rounded up, so none spans the Nyquist
        return Mean(np.stack([np.bincount(ring, row, RINGS * truth.scale) for row in energy]), 1.0)


@kept
def _regression_energy(truth: MaskedFrame) -> tuple[Values, Values]:
    """Return the energy of the regression, and that in common with the truth."""
    assert truth.regression is not None
    return truth.regression.energy, truth.energy_with(truth.regression)


def excess(energy: Values) -> Values:
    """Return RMSE over the least RMSE at the same spectrum, minus 1, in percent: (N,) from (N, 5, K).

    For any P with the energy spectrum S_P, with known = C_XR^2 / S_R, MSE >= sum(S_X + S_P - 2 sqrt(S_P known)). This
    is Cauchy-Schwarz in each ring; for stationary fields it is the Gelbrich bound (Freirich et al., NeurIPS 2021,
    "A theory of the distortion-perception tradeoff in Wasserstein space"). Below 0, P knows more than R.
    """
    x, p, common, *_ = np.moveaxis(energy, 1, 0)
    return 100 * (np.sqrt((x + p - 2 * common).sum(1) / (x + p - 2 * _reachable(energy)).sum(1)) - 1)


def efficiency(energy: Values) -> Values:
    """Return the share of the reachable energy in common with the truth above the lowres Nyquist: (N,).

    1 on the bound; a sample of the posterior distribution has the square root of the share that R explains.
    """
    common = energy[:, 2, RINGS:].sum(1)
    return common / _reachable(energy)[:, RINGS:].sum(1)


def least_error(squared: Values, energy: Values) -> Values:
    """Return the least RMSE at the same spectrum, K: the RMSE over 1 + excess; NaN where all error is a bias."""
    share = 1 + excess(energy) / 100
    return np.divide(np.sqrt(squared), share, out=np.full_like(share, np.nan), where=share > 0)


def _reachable(energy: Values) -> Values:
    """Return the most energy in common with the truth, by ring, that a reconstruction of this spectrum can have."""
    _, p, _, r, known = np.moveaxis(energy, 1, 0)
    return np.sqrt(np.maximum(p, 0) * np.divide(np.maximum(known, 0) ** 2, r, out=np.zeros_like(r), where=r > 0))
