"""Proper scores of several pixels together, which see whether members have the truth's structure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.aggregation import Mean
from tempogan_eddy.evaluation.ensembles import OfMembers
from tempogan_eddy.evaluation.masked import MaskedFrame

__all__ = ["POOLS", "EnergyScore", "VariogramScore"]

Values = NDArray[np.floating]

POOLS = (1, 2, 4)  # sides of the squares of pixels that the energy score averages
PATCH = 8  # side of the patches of the energy score, pooled pixels
LAGS = (1, 2, 4)  # of the variogram score, pixels
VARIOGRAM_POWER = 0.5  # recommended by Scheuerer and Hamill (2015)


@dataclass(frozen=True)
class EnergyScore(OfMembers):
    """Fair energy score of patches of 8x8 pooled pixels without a missing one, K: distances are root mean squares.

    Gneiting and Raftery (2007), "Strictly proper scoring rules, prediction, and estimation".

    Attributes
    ----------
    pool : int
        Side of the squares of pixels that are averaged first.
    """

    pool: int = 1

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        whole = np.isfinite(self._patches(np.where(truth.mask.valid, truth.values, np.nan))).all(axis=1)
        expected = self._patches(truth.values)[whole]
        patches = [self._patches(member.values)[whole] for member in members]
        total = sum(_distance(one, expected) for one in patches) / len(members)
        pairs = [_distance(a, b) for number, a in enumerate(patches) for b in patches[:number]]
        return Mean(total - sum(pairs) / (2 * len(pairs)), float(whole.sum()))

    def _patches(self, frame: Values) -> Values:
        """Return the patches (N, PATCH ** 2) of a frame; rows and columns that fill none are dropped."""
        side = PATCH * self.pool
        rows, columns = (length // side for length in frame.shape)
        shape = rows, PATCH, self.pool, columns, PATCH, self.pool
        pooled = frame[: rows * side, : columns * side].reshape(shape).mean(axis=(2, 5))
        return pooled.transpose(0, 2, 1, 3).reshape(rows * columns, PATCH**2)


@dataclass(frozen=True)
class VariogramScore(OfMembers):
    """Fair variogram score of pairs of pixels 1, 2 and 4 apart along rows and columns, weighted by 1 / lag, K.

    Scheuerer and Hamill (2015), "Variogram-based proper scoring rules for probabilistic forecasts of multivariate
    quantities", with the power 0.5.
    """

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        sums, valid = Mean(0.0, 0.0), truth.mask.valid
        for lag in LAGS:
            for axis in (0, 1):
                both = np.logical_and(*_shifted(valid, lag, axis))
                expected = _variation(truth.values, lag, axis)[both]
                ours = np.stack([_variation(member.values, lag, axis)[both] for member in members])
                score = (ours.mean(axis=0) - expected) ** 2 - ours.var(axis=0, ddof=1) / len(ours)
                sums += Mean(float(score.sum(dtype=np.float64)) / lag, score.size / lag)
        return sums


def _distance(ours: Values, theirs: Values) -> float:
    """Return the sum over patches of the root mean square difference."""
    return float(np.sqrt(((ours - theirs) ** 2).mean(axis=1)).sum(dtype=np.float64))


def _shifted(values: NDArray, lag: int, axis: int) -> tuple[NDArray, NDArray]:
    """Return a frame without its first rows or columns, and without its last."""
    last = values.shape[axis]
    return tuple(values.take(range(*ends), axis) for ends in ((lag, last), (0, last - lag)))  # type: ignore[return-value]


def _variation(frame: Values, lag: int, axis: int) -> Values:
    later, earlier = _shifted(frame, lag, axis)
    return np.abs(later - earlier) ** VARIOGRAM_POWER
