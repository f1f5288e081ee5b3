"""Truth against reconstruction: masked metrics in kelvin, per storm, with intervals, beside baselines."""

from tempogan_eddy.evaluation.aggregation import Aggregation, Block, Maximum, Mean
from tempogan_eddy.evaluation.baselines import BASELINES
from tempogan_eddy.evaluation.bootstrap import Score
from tempogan_eddy.evaluation.by_kelvin import KelvinBin, error_by_kelvin
from tempogan_eddy.evaluation.comparison import evaluate
from tempogan_eddy.evaluation.masked import MaskedFrame, MaskedPair
from tempogan_eddy.evaluation.metrics import Metric
from tempogan_eddy.evaluation.result import Evaluation, Spectra, combine
from tempogan_eddy.evaluation.settings import Settings
from tempogan_eddy.evaluation.statistics import Statistic

__all__ = [
    "BASELINES",
    "Aggregation",
    "Block",
    "Evaluation",
    "KelvinBin",
    "MaskedFrame",
    "MaskedPair",
    "Maximum",
    "Mean",
    "Metric",
    "Score",
    "Settings",
    "Spectra",
    "Statistic",
    "combine",
    "error_by_kelvin",
    "evaluate",
]
