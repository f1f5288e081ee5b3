"""Values with intervals, by a bootstrap over blocks of time, because neighbouring hours are not independent."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.aggregation import Aggregation
from tempogan_eddy.evaluation.metrics import Metric
from tempogan_eddy.evaluation.settings import DEFAULTS, Settings

__all__ = ["MINIMUM_BLOCKS", "Score", "difference", "score", "scores"]

MINIMUM_BLOCKS = 8
"""With fewer blocks an interval says little about how a storm's hours differ, so it is omitted."""


@dataclass(frozen=True, eq=False)
class Score:
    """A metric's value and its interval.

    Two scores are equal if their numbers are, and what is NaN in one is NaN in the other.

    Attributes
    ----------
    value : float
        NaN where the metric cannot be computed.
    low, high : float
        NaN where the interval would rest on fewer than `MINIMUM_BLOCKS` blocks.
    blocks : int
        How many blocks have something to count.
    """

    value: float
    low: float
    high: float
    blocks: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Score) and self._numbers == other._numbers

    def __hash__(self) -> int:
        return hash(self._numbers)

    @property
    def _numbers(self) -> tuple[float | None, ...]:
        numbers = (self.value, self.low, self.high, self.blocks)
        return tuple([None if np.isnan(number) else number for number in numbers])


def score(metric: Metric, sums: Aggregation, method: str, settings: Settings = DEFAULTS) -> Score:
    """Compute a metric over all blocks with its percentile interval."""
    return scores(metric, sums, method, settings)[0]


def scores(metric: Metric, sums: Aggregation, method: str, settings: Settings = DEFAULTS) -> list[Score]:
    """Compute a metric of a statistic that has several entries, such as bins: a score each."""
    return _scores(*_resampled(metric, sums, method, settings), settings)


def difference(metric: Metric, sums: Aggregation, method: str, other: str, settings: Settings = DEFAULTS) -> Score:
    """Compute a metric minus that of another method on the same blocks, both resampled alike.

    If the interval excludes 0 the methods differ, even where separate intervals overlap: the storm's hard hours are
    hard for both.
    """
    (ours, blocks), (theirs, others) = (_resampled(metric, sums, name, settings) for name in (method, other))
    return _scores(ours - theirs, np.minimum(blocks, others), settings)[0]


@np.errstate(divide="ignore", invalid="ignore")  # where nothing was counted, a value is NaN
def _resampled(
    metric: Metric, sums: Aggregation, method: str, settings: Settings
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Return a metric's values (1 + R, n), of all blocks and of each resample, and how many blocks each rests on."""
    draws = _draws(len(sums.blocks), settings.resamples, settings.seed)
    values, counts = [], []
    for statistic in metric.statistics:
        found = list(sums.found(method, statistic))
        if not found:
            return np.full((len(draws), 1), np.nan), np.zeros(1, int)
        places, aggregates = zip(*found, strict=True)
        values.append(type(aggregates[0]).resample(aggregates, draws[:, list(places)]))
        counts.append(np.sum([aggregate.counted for aggregate in aggregates], axis=0))
    result = np.asarray(metric.compute(*values), np.float64).reshape(len(draws), -1)
    return result, np.broadcast_to(np.min(np.broadcast_arrays(*counts), axis=0), result.shape[1:])


def _scores(values: NDArray[np.float64], blocks: NDArray[np.int_], settings: Settings) -> list[Score]:
    """Split off the first entry (all blocks, once) from the resamples after it."""
    tail = (1 - settings.confidence) / 2
    result = []
    for column, count in zip(values.T, blocks, strict=True):
        value, resamples = float(column[0]), column[1:][np.isfinite(column[1:])]
        low = high = np.nan
        if count >= MINIMUM_BLOCKS and resamples.size and np.isfinite(value):
            low, high = np.quantile(resamples, (tail, 1 - tail))
        result.append(Score(value, float(low), float(high), int(count)))
    return result


@lru_cache(maxsize=8)
def _draws(blocks: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return how often each resample draws each block, (1 + resamples, blocks); the first row draws all once."""
    draws = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)
    return np.vstack([np.ones(blocks), draws]).astype(np.float64)
