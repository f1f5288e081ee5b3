"""What the sums of an ensemble say: Brier scores, deciles of spread, ranks, reliability."""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DECILES",
    "by_decile",
    "fair_brier",
    "observed_share",
    "rank_deviation",
    "relative_ranks",
    "spread_skill",
    "worst_decile",
]

Values = NDArray[np.float64]

DECILES = 10


def fair_brier(counts: Values) -> Values:
    """Return the Brier score without the part that a finite number of members adds (Ferro 2014): (N,).

    Parameters
    ----------
    counts : (N, 2, M + 1) array
        From `Reliability`.
    """
    pixels, events = counts[:, 0], counts[:, 1]
    members = counts.shape[2] - 1
    share = np.arange(members + 1) / members
    squares = events * (1 - share) ** 2 + (pixels - events) * share**2
    return (squares - pixels * share * (1 - share) / (members - 1)).sum(axis=1)


def observed_share(counts: Values) -> Values:
    """Return how often the event happened where 0, 1, ... M members have it: (N, M + 1)."""
    return counts[:, 1] / counts[:, 0]


def relative_ranks(shares: Values) -> Values:
    """Return the share of each rank over that of a flat histogram: (N, M + 1) from `Ranks`."""
    return shares * shares.shape[1]


def rank_deviation(shares: Values) -> Values:
    """Return by how much the ranks deviate from a flat histogram at most, relative to it: (N,)."""
    return np.abs(relative_ranks(shares) - 1).max(axis=1)


def spread_skill(sums: Values) -> Values:
    """Return the spread, with the factor (M + 1) / M, over the RMSE of the mean: (N,) from `SpreadSkill`."""
    return np.sqrt(sums[:, 0] / sums[:, 1])


def by_decile(sums: Values) -> Values:
    """Return the spread and the RMSE of the mean, K, in each tenth of the pixels by spread: (N, 2, 10).

    Parameters
    ----------
    sums : (N, 3, SPREAD_BINS) array
        From `SkillBySpread`: spread and error of one half of the members, sorted by the spread of the other half.

    Notes
    -----
    Bins across the edge of a decile are split in proportion.
    """
    result = np.full((len(sums), 2, DECILES), np.nan)
    for row, (pixels, *squares) in zip(result, np.cumsum(sums, axis=2), strict=True):
        if np.isfinite(pixels[-1]):
            edges = np.linspace(0, pixels[-1], DECILES + 1)
            within = [np.diff(np.interp(edges, np.append(0, pixels), np.append(0, square))) for square in squares]
            row[:] = np.sqrt(np.array(within) / np.diff(edges))
    return result


def worst_decile(sums: Values) -> Values:
    """Return by how much spread over error deviates from 1 at most in a decile of spread: (N,) from `SkillBySpread`."""
    spread, error = np.moveaxis(by_decile(sums), 1, 0)
    return np.abs(spread / error - 1).max(axis=1)
