"""Error by brightness temperature: in cold tops, in high cloud and over warm sea."""

from dataclasses import dataclass

import numpy as np

from tempogan_eddy.evaluation.bootstrap import Score, scores
from tempogan_eddy.evaluation.ensembles import CrpsByKelvin
from tempogan_eddy.evaluation.metrics import Metric
from tempogan_eddy.evaluation.result import Evaluation
from tempogan_eddy.evaluation.statistics import KELVIN_BINS, ErrorByKelvin

__all__ = ["KelvinBin", "error_by_kelvin"]

# With fewer of all pixels than this a bin says nothing about the method.
SMALLEST_SHARE = 1e-4
RMSE = Metric("rmse", "RMSE", "K", "lower", (ErrorByKelvin(np.square),), np.sqrt)
BIAS = Metric("bias", "Bias", "K", "zero", (ErrorByKelvin(np.positive),))
CRPS = Metric("crps", "CRPS", "K", "lower", (CrpsByKelvin(),))


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
    crps : dict of Score
        The same, of members or of a single frame; empty where no ensemble was scored.
    """

    low: float
    high: float
    share: float
    rmse: dict[str, Score]
    bias: dict[str, Score]
    crps: dict[str, Score]


def error_by_kelvin(evaluation: Evaluation) -> list[KelvinBin]:
    """Score every method in bins of the *true* brightness temperature, from cold to warm, with intervals.

    Bins with less than 0.01 % of the pixels are skipped; without the statistics there is no bin. Sorting by the truth
    makes every smooth method look warm in the coldest bins and cold in the warmest, because it never reaches the
    extremes: compare methods.
    """
    methods, sums, settings = list(evaluation.scores), evaluation.sums, evaluation.settings
    counted = sums.total(methods[0], RMSE.statistics[0])
    if counted is None:
        return []
    share = counted.weight / counted.weight.sum()
    found = [
        {
            name: scores(metric, sums, name, settings)
            for name in methods
            if sums.total(name, metric.statistics[0]) is not None
        }
        for metric in (RMSE, BIAS, CRPS)
    ]
    return [
        KelvinBin(
            KELVIN_BINS[number],
            KELVIN_BINS[number + 1],
            float(share[number]),
            *({method: by_bin[number] for method, by_bin in scored.items()} for scored in found),
        )
        for number in np.flatnonzero(share >= SMALLEST_SHARE)
    ]
