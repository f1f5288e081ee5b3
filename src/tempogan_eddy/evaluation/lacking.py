"""How much of the truth a reconstruction lacks: all methods are scored only where every one of them has pixels."""

from dataclasses import dataclass

import numpy as np

from tempogan_eddy.evaluation.aggregation import Aggregation, Mean
from tempogan_eddy.evaluation.masked import MaskedFrame
from tempogan_eddy.evaluation.matching import called
from tempogan_eddy.evaluation.statistics import Statistic

__all__ = ["Lacking", "lacking"]

WORTH_SAYING = 0.0005  # of the truth's pixels; printed with one digit, in percent


@dataclass(frozen=True)
class Lacking(Statistic[MaskedFrame]):
    """Share of the truth's pixels that a method lacks."""

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        """Return the pixels that the method lacks, over those of the truth."""
        if truth.mask.complete:
            return Mean(0.0, float(truth.mask.valid.size))
        known = np.isfinite(truth.values)
        return Mean(float((known & ~np.isfinite(reconstructed.values)).sum()), float(known.sum()))


def lacking(sums: Aggregation, method: str) -> str:
    """Return a sentence on the pixels that a method lacks, empty if it has almost all of the truth's."""
    found = sums.total(method, Lacking())
    share = found.total / found.weight if found and found.weight else 0.0
    if share < WORTH_SAYING:
        return ""
    return (
        f"The {called(method)} lacks {share:.1%} of the pixels that the truth has; every method is scored only where "
        "it has pixels, so the scores cover less than the truth."
    )
