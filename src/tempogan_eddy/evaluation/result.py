"""The scores of a storm, or of several together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.aggregation import Aggregation, Mean
from tempogan_eddy.evaluation.baselines import BASELINES
from tempogan_eddy.evaluation.bootstrap import Score, difference, score
from tempogan_eddy.evaluation.matching import TRUTH
from tempogan_eddy.evaluation.metrics import Metric
from tempogan_eddy.evaluation.multivariate import POOLS
from tempogan_eddy.evaluation.settings import Settings
from tempogan_eddy.evaluation.statistics import Coverage, Spectrum
from tempogan_eddy.rapsd import wavenumbers

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel

__all__ = ["Evaluation", "Spectra", "combine"]

ROUNDING_KELVIN = 0.01
"""The step of the coarsest files that this package writes (``--packed``); equal block means differ by less."""


@dataclass(frozen=True)
class Spectra:
    """Mean RAPSD of a storm.

    Attributes
    ----------
    wavenumber : (K,) array
        k = 1..Nyquist, cycles per shorter side of the frame.
    lowres_nyquist : float
        The largest wavenumber that the lowres grid can hold.
    power : dict of (K,) arrays
        Mean power, K^2, of "truth" and of every method.
    """

    wavenumber: NDArray[np.int_]
    lowres_nyquist: float
    power: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Sums of one storm, or of several together, and the scores computed from them.

    Attributes
    ----------
    storm : str
    sums : Aggregation
        Aggregates by block of time, method and statistic.
    metrics : tuple of Metric
        With their units and directions.
    settings : Settings
    scale : int
        Refinement of the grid.
    cadence : str
        Time between the frames of a pair.
    left_out : dict
        Frames without a partner, by sequence; "empty" are common frames without a valid pixel.
    shape : (height, width), optional
        Of the frames; None for several storms together.
    example_time : datetime64, optional
        The frame with the most cold cloud: worth a picture.
    time_tolerance : str, optional
        How far times were allowed to be off; None for the default.
    sensor : SensorModel, optional
        How the lowres was seen; None for several storms together whose sensors differ.
    regression : str
        To what the distortion-spectrum bound is relative; empty if no metric needs it.
    """

    storm: str
    sums: Aggregation
    metrics: tuple[Metric, ...]
    settings: Settings
    scale: int
    cadence: str
    left_out: dict[str, int]
    shape: tuple[int, int] | None = None
    example_time: np.datetime64 | None = None
    time_tolerance: str | None = None
    sensor: SensorModel | None = None
    regression: str = ""

    def __repr__(self) -> str:
        """Return the table of scores."""
        from tempogan_eddy.evaluation.report import as_text  # which imports this module

        return as_text(self)

    @cached_property
    def scores(self) -> dict[str, dict[str, Score]]:
        """Every method's score by metric: `scores["bicubic"]["rmse"].value`."""
        return {
            method: {metric.name: score(metric, self.sums, method, self.settings) for metric in self.metrics}
            for method in self.sums.methods
            if method != TRUTH
        }

    @property
    def informative_metrics(self) -> tuple[Metric, ...]:
        """The metrics that can differ between methods.

        If the sensor sees all reconstructions as their input, to rounding, then their RMS LR consistency is 0 by
        construction. If the input holds the area means of the truth, so are their bias and the energy scores of whole
        lowres pixels.
        """
        ours = [scores for method, scores in self.scores.items() if method not in BASELINES]

        def rounding(name: str) -> bool:
            """Return whether all reconstructions that have this score have 0, to rounding."""
            values = [abs(scores[name].value) for scores in ours if name in scores]
            return bool(np.isfinite(values).any()) and bool(np.nanmax(values) < ROUNDING_KELVIN)

        if not rounding("consistency_max"):
            return self.metrics
        dead = ["consistency_rms"]
        if self.sensor is not None and self.sensor.keeps_block_mean and rounding("bias"):
            dead += ["bias", *(f"energy_score_{pool}" for pool in POOLS if pool % self.scale == 0)]
        dead = list(filter(rounding, dead))
        return tuple(metric for metric in self.metrics if metric.name not in dead)

    @property
    def frames(self) -> int:
        """Frames scored."""
        return int(self.sums.total(TRUTH, Coverage()).weight)

    @property
    def pairs(self) -> int:
        """Pairs of frames one cadence apart."""
        counted = self.sums.total(TRUTH, Coverage(pairs=True, minimum_valid=self.settings.minimum_valid))
        return int(counted.weight) if counted else 0

    @property
    def missing(self) -> float:
        """Share of pixels without a value in the truth, the input or a method."""
        covered = self.sums.total(TRUTH, Coverage())
        return float(1 - covered.total / covered.weight)

    @property
    def time_blocks(self) -> int:
        """How many blocks of time the bootstrap resamples."""
        return len(self.sums.blocks)

    @property
    def spectra(self) -> Spectra | None:
        """Mean spectra; None for several storms, where too much is missing, or if the metrics do not need them."""
        statistic = Spectrum(minimum_valid=self.settings.minimum_valid)
        found = {method: self.sums.total(method, statistic) for method in self.sums.methods} if self.shape else {}
        power = {method: mean.total / mean.weight for method, mean in found.items() if mean}
        if self.shape is None or not power:
            return None
        return Spectra(wavenumbers(self.shape), min(self.shape) / (2 * self.scale), power)

    def difference(self, metric: str, method: str, other: str) -> Score:
        """Return one method's metric minus another's, with the interval of the difference."""
        chosen = next(m for m in self.metrics if m.name == metric)
        return difference(chosen, self.sums, method, other, self.settings)


def combine(evaluations: Sequence[Evaluation], name: str = "all storms") -> Evaluation:
    """Pool several storms: every pixel, or spectrum of a frame, counts alike; blocks stay within a storm.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        With equal settings, metrics and scale; methods that some of them lack are dropped. If their cadences differ,
        the result names them all.
    name : str
        Of the result.

    Raises
    ------
    InputError
        If there is none, or their settings differ.
    """
    if not evaluations:
        raise InputError("There is no evaluation to combine; evaluate at least one storm.")
    first = evaluations[0]
    for other in evaluations[1:]:
        if (other.settings, other.scale, other.metrics) != (first.settings, first.scale, first.metrics):
            raise InputError(
                f"{first.storm} and {other.storm} were evaluated with different settings, metrics or scale; "
                "evaluate them alike to combine them."
            )
        if found := _other_members(first, other):
            raise InputError(
                f"{first.storm} and {other.storm} have {found} with different numbers of members; draw as many for "
                "both (--members) to combine them."
            )
    methods = set.intersection(*(set(evaluation.sums.methods) for evaluation in evaluations))
    sums = Aggregation()
    for number, evaluation in enumerate(evaluations):
        sums += evaluation.sums.within(f"{number:06}", methods)
    return replace(
        first,
        storm=name,
        sums=sums,
        cadence=" and ".join(dict.fromkeys(evaluation.cadence for evaluation in evaluations)),
        left_out={key: sum(evaluation.left_out.get(key, 0) for evaluation in evaluations) for key in first.left_out},
        shape=None,
        example_time=None,
        time_tolerance=None,
        regression=" and ".join(dict.fromkeys(e.regression for e in evaluations if e.regression)),
        sensor=first.sensor if len({evaluation.sensor for evaluation in evaluations}) == 1 else None,
    )


def _other_members(first: Evaluation, other: Evaluation) -> str:
    """Return a method that has another number of members in the other evaluation; empty if there is none."""
    for method in first.sums.methods:
        for statistic in (statistic for metric in first.metrics for statistic in metric.statistics):
            sums = [evaluation.sums.total(method, statistic) for evaluation in (first, other)]
            if len({np.shape(found.total) for found in sums if isinstance(found, Mean)}) > 1:
                return method
    return ""
