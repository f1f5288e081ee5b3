"""Intervals by a bootstrap over blocks of hours: what neighbouring hours share is resampled together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.metrics import Metric
from tempogan_eddy.evaluation.statistics import DEFAULTS, MAXIMA, Settings

__all__ = ["Blocks", "Score", "block_sums", "difference", "score"]

Blocks = dict[str, NDArray[np.float64]]
"""Statistics by name, each an array with one entry a block of hours."""


class _Sums(Blocks):
    """Sums by name; what was never counted is zero."""

    def __missing__(self, name: str) -> NDArray[np.float64]:
        return np.zeros(len(next(iter(self.values()))))


@dataclass(frozen=True)
class Score:
    """A metric's value and its interval; NaN where it cannot be computed (an interval needs two blocks)."""

    value: float
    low: float
    high: float


def block_sums(statistics: Sequence[Mapping[str, float]], block: Sequence[int]) -> Blocks:
    """Add up the statistics of frames and pairs by block; maxima are kept as maxima.

    Parameters
    ----------
    statistics : sequence of dict
        One a frame; names absent from a frame count as 0.
    block : sequence of int
        The block each belongs to.
    """
    names = sorted({name for frame in statistics for name in frame})
    order = {number: index for index, number in enumerate(sorted(set(block)))}
    sums = {name: np.zeros(len(order)) for name in names}
    for frame, number in zip(statistics, block, strict=True):
        index = order[number]
        for name, value in frame.items():
            total = sums[name][index]
            sums[name][index] = max(total, value) if name in MAXIMA else total + value
    return sums


def score(metric: Metric, blocks: Blocks, settings: Settings = DEFAULTS) -> Score:
    """Compute a metric over all blocks with its percentile interval."""
    return _interval(metric.compute(_sums(blocks, settings)), _size(blocks), settings)


def difference(metric: Metric, blocks: Blocks, others: Blocks, settings: Settings = DEFAULTS) -> Score:
    """Compute a metric minus that of another method on the same blocks, both resampled alike.

    An interval without zero says that the methods differ, which separate intervals that overlap do not
    deny: the storm's hard hours are hard for both.
    """
    values = metric.compute(_sums(blocks, settings)) - metric.compute(_sums(others, settings))
    return _interval(values, _size(blocks), settings)


def _interval(values: NDArray[np.float64], blocks: int, settings: Settings) -> Score:
    """Split off the first entry (all blocks, once) from the resamples after it."""
    finite = values[1:][np.isfinite(values[1:])]
    if blocks < 2 or not finite.size or not np.isfinite(values[0]):
        return Score(float(values[0]), np.nan, np.nan)
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(finite, (tail, 1 - tail))
    return Score(float(values[0]), float(low), float(high))


def _sums(blocks: Blocks, settings: Settings) -> _Sums:
    """Sum the statistics over all blocks (first entry) and over each resample of blocks."""
    weights = _weights(_size(blocks), settings.resamples, settings.seed)
    return _Sums(
        (name, np.where(weights > 0, values, 0.0).max(axis=1) if name in MAXIMA else weights @ values)
        for name, values in blocks.items()
    )


def _size(blocks: Blocks) -> int:
    return len(next(iter(blocks.values())))


def _weights(blocks: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each resample draws each block, (1 + resamples, blocks); the first row draws all once."""
    draws = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)
    return np.vstack([np.ones(blocks), draws]).astype(np.float64)
