"""What the released models were meant to reach, and whether they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.quality_methods import EDDY, FAITHFUL
from tempogan_eddy.evaluation import Evaluation, Score

__all__ = ["TARGETS", "Target"]

BICUBIC = "bicubic"


@dataclass(frozen=True)
class Target:
    """One number that has to lie beyond a limit.

    Parameters
    ----------
    method
        Whose number it is.
    label, limit
        What it is and where it has to lie, in words.
    measure
        The number, with its interval where it has one.
    met
        Whether a number is good enough.
    form
        How it is printed.
    """

    method: str
    label: str
    limit: str
    measure: Callable[[Evaluation], Score]
    met: Callable[[float], bool]
    form: str


def _score(method: str, metric: str) -> Callable[[Evaluation], Score]:
    return lambda evaluation: evaluation.scores[method][metric]


def _beyond(metric: str, method: str) -> Callable[[Evaluation], Score]:
    """A method's metric minus bicubic's, both resampled together."""
    return lambda evaluation: evaluation.difference(metric, method, BICUBIC)


def _rmse_ratio(evaluation: Evaluation) -> Score:
    """RMSE over bicubic's; the difference of PSNR is its logarithm."""
    gain = evaluation.difference("psnr", EDDY, BICUBIC)
    return Score(*(10 ** (-decibel / 20) for decibel in (gain.value, gain.high, gain.low)))


def _tof_ratio(evaluation: Evaluation) -> Score:
    ours, theirs = (evaluation.scores[method]["tof"].value for method in (EDDY, BICUBIC))
    return Score(ours / theirs, float("nan"), float("nan"))


TARGETS = (
    Target(FAITHFUL, "gain over bicubic, dB", "at least 1.0", _beyond("psnr", FAITHFUL), lambda x: x >= 1, ".2f"),
    Target(EDDY, "RMSE over bicubic's", "at most 1.08", _rmse_ratio, lambda x: x <= 1.08, ".3f"),
    Target(
        EDDY,
        "energy above the lowres Nyquist, dB",
        "within ±0.5",
        _score(EDDY, "detail_energy"),
        lambda x: abs(x) <= 0.5,
        ".2f",
    ),
    Target(EDDY, "LSD of spectra, dB", "at most 1.5", _score(EDDY, "lsd"), lambda x: x <= 1.5, ".2f"),
    Target(EDDY, "LSD of hourly differences, dB", "at most 1.5", _score(EDDY, "lsd_hourly"), lambda x: x <= 1.5, ".2f"),
    Target(EDDY, "traces of the lowres grid, %", "at most 5", _score(EDDY, "grid_traces"), lambda x: x <= 5, ".1f"),
    Target(EDDY, "tOF over bicubic's", "at most 0.65", _tof_ratio, lambda x: x <= 0.65, ".2f"),
    Target(EDDY, "LR consistency, max, K", "below 0.01", _score(EDDY, "consistency_max"), lambda x: x < 0.01, ".0e"),
    Target(EDDY, "FSS at 225 K minus bicubic's", "above 0", _beyond("fss_225", EDDY), lambda x: x > 0, "+.3f"),
    Target(EDDY, "FSS at 241 K minus bicubic's", "above 0", _beyond("fss_241", EDDY), lambda x: x > 0, "+.3f"),
)
