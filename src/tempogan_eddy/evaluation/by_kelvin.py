"""Error by brightness temperature: how far a reconstruction is off in cold tops, in high cloud and over warm sea."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.bootstrap import Score, score
from tempogan_eddy.evaluation.metrics import Metric, Sums
from tempogan_eddy.evaluation.result import Evaluation
from tempogan_eddy.evaluation.statistics import KELVIN_BINS, bin_names

__all__ = ["KelvinBin", "error_by_kelvin"]

# With fewer of all pixels than this a bin says nothing about the method.
SMALLEST_SHARE = 1e-4


@dataclass(frozen=True)
class KelvinBin:
    """The pixels whose true brightness temperature lies in one bin.

    Attributes
    ----------
    low, high : float
        Kelvin; the lower end is included.
    share : float
        Of all pixels scored.
    rmse, bias : dict of Score
        By method, K.
    """

    low: float
    high: float
    share: float
    rmse: dict[str, Score]
    bias: dict[str, Score]


def error_by_kelvin(evaluation: Evaluation) -> list[KelvinBin]:
    """Score every method in bins of the *true* brightness temperature, from cold to warm, with intervals.

    Bins with less than 0.01 % of the pixels are left out. Sorting by the truth makes every smooth method look
    warm in the coldest bins and cold in the warmest, because it never reaches the extremes: compare methods.
    """
    anything = next(iter(evaluation.blocks.values()))
    pixels = anything["pixels"].sum()
    bins = []
    for low, high in pairwise(KELVIN_BINS):
        names = count, error, squared = bin_names(low)
        share = float(anything[count].sum() / pixels) if count in anything else 0.0
        if share < SMALLEST_SHARE:
            continue
        rmse = Metric("rmse", "RMSE", "K", "lower", lambda s, q=squared, c=count: np.sqrt(_mean(s, q, c)))  # type: ignore[misc]
        bias = Metric("bias", "Bias", "K", "zero", lambda s, e=error, c=count: _mean(s, e, c))  # type: ignore[misc]
        parts = {method: {name: sums[name] for name in names} for method, sums in evaluation.blocks.items()}
        rmses, biases = (
            {method: score(metric, sums, evaluation.settings) for method, sums in parts.items()}
            for metric in (rmse, bias)
        )
        bins.append(KelvinBin(low, high, share, rmses, biases))
    return bins


def _mean(sums: Sums, numerator: str, count: str) -> NDArray[np.float64]:
    missing = np.full(np.shape(sums[count]), np.nan)
    return np.divide(sums[numerator], sums[count], out=missing, where=sums[count] > 0)
