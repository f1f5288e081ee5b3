"""Statistics of ensembles: proper scores, and whether spread and ranks are those of a calibrated ensemble.

Scores are *fair* (Ferro 2014, "Fair scores for ensemble forecasts"): their expectation does not depend on the number of
members. Of a single frame, only the CRPS is known: it is the absolute error.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import stdtrit

from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.evaluation.aggregation import Aggregate, Mean
from tempogan_eddy.evaluation.baselines import nearest
from tempogan_eddy.evaluation.masked import MaskedFrame, MaskedPair, kept
from tempogan_eddy.evaluation.statistics import Statistic, mean_by_kelvin, valid_kelvin
from tempogan_eddy.evaluation.texture import coldest_pixels

__all__ = [
    "REGIONS",
    "ColdestInterval",
    "Crps",
    "CrpsByKelvin",
    "OfChange",
    "OfMembers",
    "Ranks",
    "RegressionError",
    "Reliability",
    "SkillBySpread",
    "SpreadSkill",
]

Values = NDArray[np.floating]

REGIONS = ("all", "calm", "edge", "cold")
CALM_KELVIN, EDGE_KELVIN = 1.0, 5.0  # standard deviation of 3x3 lowres pixels: below it, above it
SMALLEST_SPREAD, BINS_OF_OCTAVE, SPREAD_BINS = 0.01, 8, 100  # 0.01 K to 58 K
TAIL = 0.05  # beyond each end of a 90 % interval


@dataclass(frozen=True)
class RegressionError(Statistic[MaskedFrame]):
    """Mean absolute error of the regression, K: the same for every method."""

    needs_regression = True

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean | None:
        if truth.regression is None:
            return None
        error = np.abs(truth.regression.values[truth.mask.valid] - valid_kelvin(truth))
        return Mean(float(error.sum(dtype=np.float64)), float(error.size))


@dataclass(frozen=True)
class OfMembers(Statistic[MaskedFrame]):
    """A statistic that compares `fewest` members or more; of fewer it is unknown."""

    fewest: ClassVar[int] = 2

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean | None:
        return self.compute_members([reconstructed], truth)

    def compute_members(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean | None:
        return self.compare(members, truth) if len(members) >= self.fewest else None

    @abstractmethod
    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        """Return the aggregate of `fewest` members or more."""


@dataclass(frozen=True)
class Crps(OfMembers):
    """Mean fair CRPS, K: E|X - y| - E|X - X'| / 2.

    Attributes
    ----------
    colder_than : float
        Weight only what happens below, K: values above it count as equal to it (threshold-weighted CRPS with the
        chaining function min(x, threshold); Allen et al. 2023, "Evaluating forecasts for high-impact events").
    """

    fewest = 1

    colder_than: float = np.inf

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        score = _crps(members, truth, self.colder_than)
        return Mean(float(score.sum(dtype=np.float64)), float(score.size))


@dataclass(frozen=True)
class CrpsByKelvin(OfMembers):
    """As `Crps`, in each bin of `KELVIN_BINS` of the truth."""

    fewest = 1

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        return mean_by_kelvin(_crps(members, truth, np.inf), truth)


@dataclass(frozen=True)
class OfChange(Statistic[MaskedPair]):
    """A statistic of frames, of the later frame of a pair minus the earlier one."""

    statistic: Statistic[MaskedFrame]
    pairs: bool = field(default=True, kw_only=True)

    def compute(self, reconstructed: MaskedPair, truth: MaskedPair) -> Aggregate | None:
        return self.statistic.compute(reconstructed.change, truth.change)

    def compute_members(self, members: Sequence[MaskedPair], truth: MaskedPair) -> Aggregate | None:
        return self.statistic.compute_members([member.change for member in members], truth.change)


@dataclass(frozen=True)
class SpreadSkill(OfMembers):
    """Variance times (M + 1) / M, and squared error of the mean: (2,).

    In a calibrated ensemble both are equal (Fortin et al. 2014, "Why should ensemble spread match the RMSE of the
    ensemble mean?").
    """

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        squares = _spread_and_error(_sorted(members, truth), truth)
        return Mean(np.array([square.sum(dtype=np.float64) for square in squares]), float(squares[0].size))


@dataclass(frozen=True)
class SkillBySpread(OfMembers):
    """Pixels, and the sums of `SpreadSkill` of half of the members, by the other half's spread: (3, SPREAD_BINS).

    Each half is scored once, so every pixel counts twice. Whatever one half of a calibrated ensemble is, the other half
    and the truth are drawn alike, so both sums are equal within every bin. If pixels were sorted by the spread that is
    compared, it would be too small where chance made it small. Of fewer than four members, a half has no spread.
    """

    fewest = 4

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        middle = len(members) // 2
        halves = [_spread_and_error(_valid(half, truth), truth) for half in (members[:middle], members[middle:])]
        sums = np.zeros((3, SPREAD_BINS))
        for (sorting, _), scored in zip(halves, reversed(halves), strict=True):
            place = _spread_bin(sorting)
            sums += [np.bincount(place, weight, SPREAD_BINS) for weight in (None, *scored)]
        return Mean(sums, float(sums[0].sum()))


@dataclass(frozen=True)
class Ranks(OfMembers):
    """Share of the truths at each rank among the members, (M + 1,). Of equal values each order counts alike.

    Attributes
    ----------
    region : str
        One of `REGIONS`, by the lowres frame: those by the truth would not be flat for a calibrated ensemble.
    cold_kelvin : float
        The lowres is cold below it, K.
    """

    region: str = "all"
    cold_kelvin: float = 220.0

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        where = _regions(truth, self.cold_kelvin)[self.region]
        below, equal = (part[where] for part in _rank(members, truth))
        share, ends = 1 / (equal + 1), len(members) + 2
        steps = np.bincount(below, share, ends) - np.bincount(below + equal + 1, share, ends)
        return Mean(np.cumsum(steps)[:-1], float(below.size))


@dataclass(frozen=True)
class Reliability(OfMembers):
    """Share of the pixels, and of those with the event, at which so many members have it: (2, M + 1).

    Attributes
    ----------
    colder_than : float
        The event: colder than this, K.
    """

    colder_than: float

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        agreeing = (_sorted(members, truth) < self.colder_than).sum(axis=0)
        seen = valid_kelvin(truth) < self.colder_than
        pixels, events = (np.bincount(places, minlength=len(members) + 1) for places in (agreeing, agreeing[seen]))
        return Mean(np.stack([pixels, events]).astype(np.float64), float(seen.size))


@dataclass(frozen=True)
class ColdestInterval(OfMembers):
    """Share of the cold boxes whose coldest pixel lies inside the 90 % interval of the members'.

    In a calibrated ensemble it is 0.9: the interval is one of a further draw, not the narrower one of the few members.
    """

    cold_kelvin: float

    def compare(self, members: Sequence[MaskedFrame], truth: MaskedFrame) -> Mean:
        coldest = np.stack([coldest_pixels(member, truth, self.cold_kelvin) for member in members])
        lower, upper = _interval_of_next(coldest)
        seen = coldest_pixels(truth, truth, self.cold_kelvin)
        return Mean(float(((lower <= seen) & (seen <= upper)).sum()), float(seen.size))


def _spread_and_error(values: Values, truth: MaskedFrame) -> tuple[Values, Values]:
    """Return the variance of members (M, N) times (M + 1) / M, and the squared error of their mean: two of (N,)."""
    variance, count = values.var(axis=0, ddof=1), len(values)
    return variance * ((count + 1) / count), (values.mean(axis=0) - valid_kelvin(truth)) ** 2


def _spread_bin(variance: Values) -> NDArray[np.intp]:
    octave = np.log2(np.maximum(variance, SMALLEST_SPREAD**2)) / 2 - np.log2(SMALLEST_SPREAD)
    return np.minimum((octave * BINS_OF_OCTAVE).astype(np.intp), SPREAD_BINS - 1)


def _interval_of_next(draws: Values) -> tuple[Values, Values]:
    """Return the interval that holds a further draw with a probability of 90 %, from draws (M, N): two of (N,).

    Between the draws in order lie 1 / (M + 1) each, whatever their distribution. Where M is too small for 5 % to lie
    beyond the outer ones, take the distribution as normal: mean ± t s √(1 + 1/M).
    """
    count = len(draws)
    if count + 1 >= 1 / TAIL:
        lower, upper = np.quantile(draws, (TAIL, 1 - TAIL), axis=0, method="weibull")
        return lower, upper
    mean, reach = draws.mean(axis=0), stdtrit(count - 1, 1 - TAIL) * np.sqrt(1 + 1 / count) * draws.std(axis=0, ddof=1)
    return mean - reach, mean + reach


def _valid(members: Sequence[MaskedFrame], truth: MaskedFrame) -> Values:
    """Return the valid pixels of the members, (M, N)."""
    return np.array([member.values[truth.mask.valid] for member in members])


@kept
def _sorted(members: Sequence[MaskedFrame], truth: MaskedFrame) -> Values:
    """Return the valid pixels of the members, sorted by value, (M, N)."""
    return np.sort(_valid(members, truth), axis=0)


@kept
def _crps(members: Sequence[MaskedFrame], truth: MaskedFrame, colder_than: float) -> NDArray[np.float64]:
    """Return the fair CRPS of each valid pixel, (N,)."""
    values, expected = _sorted(members, truth), valid_kelvin(truth)
    if np.isfinite(colder_than):
        values, expected = np.minimum(values, np.float32(colder_than)), np.minimum(expected, colder_than)
    count = len(values)
    error: NDArray[np.float64] = sum(np.abs(value - expected) for value in values) / count
    if count == 1:
        return error
    order = 2 * np.arange(count) - count + 1  # the sum over pairs i < j of x_j - x_i is that of order x_i
    # Of anomalies, because the order of large sums would cost digits.
    apart = sum(weight * (value - expected) for weight, value in zip(order, values, strict=True))
    return error - apart / (count * (count - 1))


@kept
def _rank(members: Sequence[MaskedFrame], truth: MaskedFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return how many members lie below the truth, and how many equal it, at each valid pixel."""
    values, expected = _sorted(members, truth), valid_kelvin(truth)
    return (values < expected).sum(axis=0), (values == expected).sum(axis=0)


@kept
def _regions(truth: MaskedFrame, cold_kelvin: float) -> dict[str, NDArray[np.bool_]]:
    """Return which valid pixels lie in each region of the lowres frame, (N,)."""
    assert truth.lowres is not None
    lowres = fill_missing(truth.lowres).astype(np.float64)
    anomaly = lowres - lowres.mean()
    mean, square = (ndimage.uniform_filter(power, 3, mode="nearest") for power in (anomaly, anomaly**2))
    variance = square - mean**2
    found = {
        "all": np.ones(lowres.shape, bool),
        "calm": variance < CALM_KELVIN**2,
        "edge": variance > EDGE_KELVIN**2,
        "cold": lowres < cold_kelvin,
    }
    return {name: nearest(where, truth.scale)[truth.mask.valid].astype(bool) for name, where in found.items()}
