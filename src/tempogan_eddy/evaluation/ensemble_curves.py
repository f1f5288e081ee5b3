"""Curves of the calibration of an ensemble: ranks, error by spread, and how often what is forecast happens."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.bootstrap import Score, scores
from tempogan_eddy.evaluation.calibration import DECILES, by_decile, observed_share, relative_ranks
from tempogan_eddy.evaluation.ensembles import REGIONS, Ranks, Reliability, SkillBySpread
from tempogan_eddy.evaluation.metrics import Metric
from tempogan_eddy.evaluation.result import Evaluation
from tempogan_eddy.evaluation.statistics import Statistic

__all__ = ["EnsembleCurves", "ensemble_curves"]

Values = NDArray[np.float64]

FEWEST_PIXELS = 100  # behind a region or a point that is shown


@dataclass(frozen=True)
class EnsembleCurves:
    """The calibration of one ensemble, with intervals.

    Attributes
    ----------
    ranks : dict of M + 1 scores
        By region, the share of the truths at each rank among M members over that of a flat histogram.
    spread, error : 10 scores each
        Of one half of the members, the spread, with the factor (M + 1) / M, and the RMSE of the mean, K, by decile of
        the other half's spread. Empty for fewer than four members.
    reliability : dict of M + 1 scores
        By threshold, K, how often the truth is colder where 0, 1, ... M members are.
    """

    ranks: dict[str, list[Score]]
    spread: list[Score]
    error: list[Score]
    reliability: dict[float, list[Score]]


def ensemble_curves(evaluation: Evaluation, method: str) -> EnsembleCurves | None:
    """Return the curves of a method; None if it has no members, or its statistics were not chosen.

    Regions with fewer than 100 pixels are skipped, and shares of members at fewer pixels are NaN.
    """
    sums, settings = evaluation.sums, evaluation.settings
    if sums.total(method, Ranks(cold_kelvin=settings.cold_kelvin)) is None:
        return None

    def curve(statistic: Statistic, compute: Callable[[Values], Values]) -> list[Score]:
        return scores(Metric("", "", "", "", (statistic,), compute), sums, method, settings)

    ranks = {}
    for region in REGIONS:
        of_rank = Ranks(region, settings.cold_kelvin)
        counted = sums.total(method, of_rank)
        if counted and counted.weight >= FEWEST_PIXELS:
            ranks[region] = curve(of_rank, relative_ranks)
    reliability = {}
    for kelvin in settings.fss_kelvin:
        if counted := sums.total(method, statistic := Reliability(kelvin)):
            unknown, found = Score(np.nan, np.nan, np.nan), curve(statistic, observed_share)
            enough = counted.total[0] >= FEWEST_PIXELS
            reliability[kelvin] = [score if shown else unknown for score, shown in zip(found, enough, strict=True)]
    deciles = curve(SkillBySpread(), by_decile) if sums.total(method, SkillBySpread()) else []
    return EnsembleCurves(ranks, deciles[:DECILES], deciles[DECILES:], reliability)
