"""The metrics: each a function of the sums of its statistics, with its unit and the direction of better."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.calibration import fair_brier, rank_deviation, spread_skill, worst_decile
from tempogan_eddy.evaluation.ensembles import (
    REGIONS,
    ColdestInterval,
    Crps,
    OfChange,
    Ranks,
    RegressionError,
    Reliability,
    SkillBySpread,
    SpreadSkill,
)
from tempogan_eddy.evaluation.limit import CommonEnergy, efficiency, excess, least_error
from tempogan_eddy.evaluation.multivariate import POOLS, EnergyScore, VariogramScore
from tempogan_eddy.evaluation.settings import DEFAULTS, Settings
from tempogan_eddy.evaluation.statistics import (
    ConsistencyMaximum,
    ConsistencySquare,
    DetailEnergy,
    Error,
    FlowDifference,
    FractionsDifference,
    LogSpectralDistance,
    Statistic,
    StructuralSimilarity,
)
from tempogan_eddy.evaluation.texture import (
    ColdestPixel,
    DetailMoments,
    Gradients,
    GridTraces,
    detail_correlation,
    detail_kurtosis,
    gradient_distance,
    grid_traces,
)

__all__ = ["Metric", "choose_metrics", "ensemble_metrics", "metrics"]

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One row of a report.

    Attributes
    ----------
    name : str
        In JSON, CSV and code.
    label : str
        In tables.
    unit : str
        Such as "K" or "dB"; "1" for none.
    better : str
        "lower", "higher", "zero" or "one" for closer to 0 or 1, or "" where no direction is better.
    statistics : tuple of Statistic
        The inputs of `compute`.
    compute : callable
        Maps the aggregated value of each statistic, an array with one entry a resample, to the metric's values. The
        value of a `Mean` is total / weight, NaN where nothing was counted. A function of a module can be pickled.
    """

    name: str
    label: str
    unit: str
    better: str
    statistics: tuple[Statistic, ...]
    compute: Callable[..., Values] = field(default=np.positive, compare=False)

    @property
    def arrow(self) -> str:
        """Direction of better, for table headers."""
        return {"lower": "↓", "higher": "↑", "zero": "→0", "one": "→1", "": ""}[self.better]

    def cost(self, value: float) -> float:
        """Return a number for which less is better."""
        costs = {"lower": value, "higher": -value, "zero": abs(value), "one": abs(value - 1), "": math.nan}
        return costs[self.better]


def metrics(settings: Settings = DEFAULTS) -> tuple[Metric, ...]:
    """Return the metrics of this package, in the order of a report."""
    cold, enough, side = settings.cold_kelvin, settings.minimum_valid, settings.fss_neighbourhood
    squared, cold_squared = Error(np.square), Error(np.square, cold)
    distance, of_change = (LogSpectralDistance(pairs=pairs, minimum_valid=enough) for pairs in (False, True))
    detail = DetailMoments()
    motion = FlowDifference(settings.flow_range, pairs=True, minimum_valid=enough)
    energy, common = DetailEnergy(minimum_valid=enough), CommonEnergy(minimum_valid=enough)
    return (
        Metric("rmse", "RMSE", "K", "lower", (squared,), np.sqrt),
        Metric("mae", "MAE", "K", "lower", (Error(np.abs),)),
        Metric("bias", "Bias", "K", "zero", (Error(np.positive),)),
        Metric("cold_rmse", f"Cold RMSE (< {cold:g} K)", "K", "lower", (cold_squared,), np.sqrt),
        Metric("psnr", "PSNR", "dB", "higher", (squared,), partial(_signal_to_noise, settings.data_range)),
        Metric("ssim", "SSIM", "1", "higher", (StructuralSimilarity(settings.kelvin_range),)),
        Metric("lsd", "LSD of spectra", "dB", "lower", (distance,)),
        Metric("detail_energy", "Energy > lowres Nyquist", "dB", "zero", (energy,), _decibel),
        Metric("least_rmse", "Least RMSE at its spectrum", "K", "", (squared, common), least_error),
        Metric("excess", "RMSE over the least", "%", "lower", (common,), excess),
        Metric("efficiency", "Efficiency > lowres Nyquist", "1", "higher", (common,), efficiency),
        Metric("gradient_distance", "Distance of gradients", "K/px", "lower", (Gradients(),), gradient_distance),
        Metric("coldest_bias", "Coldest pixel, bias", "K", "zero", (ColdestPixel(cold),)),
        Metric("detail_kurtosis", "Kurtosis of detail", "1", "one", (detail,), detail_kurtosis),
        Metric("detail_correlation", "Correlation of detail", "1", "higher", (detail,), detail_correlation),
        Metric("grid_traces", "Traces of the lowres grid", "%", "lower", (GridTraces(0), GridTraces(1)), grid_traces),
        Metric("lsd_hourly", "LSD of time differences", "dB", "lower", (of_change,)),
        *(
            Metric(f"fss_{k:g}", f"FSS at {k:g} K", "1", "higher", (FractionsDifference(k, side),), _complement)
            for k in settings.fss_kelvin
        ),
        Metric("tof", "tOF", "px", "lower", (motion,)),
        Metric("consistency_rms", "LR consistency, RMS", "K", "lower", (ConsistencySquare(),), np.sqrt),
        Metric("consistency_max", "LR consistency, max", "K", "lower", (ConsistencyMaximum(),)),
    )


def ensemble_metrics(settings: Settings = DEFAULTS) -> tuple[Metric, ...]:
    """Return the metrics of ensembles, in the order of a report."""
    cold, coldest = settings.cold_kelvin, settings.fss_kelvin[0]
    spread = SpreadSkill()
    return (
        Metric("crps", "CRPS", "K", "lower", (Crps(),)),
        Metric("crps_ratio", "CRPS / regression's", "1", "lower", (Crps(), RegressionError()), np.divide),
        Metric("crps_cold", f"CRPS < {coldest:g} K", "K", "lower", (Crps(coldest),)),
        *(
            Metric(f"brier_{k:g}", f"Brier at {k:g} K", "1", "lower", (Reliability(k),), fair_brier)
            for k in settings.fss_kelvin
        ),
        *(Metric(f"energy_score_{n}", f"Energy score, {n}x{n}", "K", "lower", (EnergyScore(n),)) for n in POOLS),
        Metric("variogram_score", "Variogram score", "K", "lower", (VariogramScore(),)),
        Metric("spread_skill", "Spread / error", "1", "one", (spread,), spread_skill),
        Metric(
            "spread_skill_deciles", "Spread / error - 1, worst decile", "1", "lower", (SkillBySpread(),), worst_decile
        ),
        *(
            Metric(
                "rank_deviation" if region == "all" else f"rank_deviation_{region}",
                f"Rank histogram - 1, worst, {region}",
                "1",
                "lower",
                (Ranks(region, cold),),
                rank_deviation,
            )
            for region in REGIONS
        ),
        Metric("crps_hourly", "CRPS of time differences", "K", "lower", (OfChange(Crps()),)),
        Metric(
            "spread_skill_hourly", "Spread / error of time differences", "1", "one", (OfChange(spread),), spread_skill
        ),
        Metric("coldest_interval", "Coldest pixel in its 90 %", "1", "", (ColdestInterval(cold),)),
    )


def choose_metrics(
    chosen: str | Iterable[str | Metric] | None, settings: Settings = DEFAULTS, *, ensembles: bool = False
) -> tuple[Metric, ...]:
    """Return the chosen metrics, given by name or as objects.

    By default all of this package, those of ensembles only where there are `ensembles`.

    Raises
    ------
    InputError
        A name is unknown, or two metrics have one name.
    """
    plain, others = metrics(settings), ensemble_metrics(settings)
    if chosen is None:
        return (*plain, *others) if ensembles else plain
    ours = {metric.name: metric for metric in (*plain, *others)}
    found: dict[str, Metric] = {}
    for one in [chosen] if isinstance(chosen, str) else chosen:
        metric = one if isinstance(one, Metric) else ours.get(one)
        if metric is None:
            raise InputError(f"The metric {one!r} is unknown; use {', '.join(ours)}.")
        if found.setdefault(metric.name, metric) != metric:
            raise InputError(f"Two metrics are named {metric.name!r}; rename one.")
    if not found:
        raise InputError(f"No metric is chosen; use {', '.join(ours)}.")
    return tuple(found.values())


def _complement(value: Values) -> Values:
    return 1 - value


def _signal_to_noise(data_range: float, squared: Values) -> Values:
    """Return the PSNR, dB; infinite without error."""
    return -_decibel(squared / data_range**2)


def _decibel(ratio: Values) -> Values:
    return 10 * np.log10(ratio)
