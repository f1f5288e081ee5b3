"""Score reconstructions against the truth, beside the baselines, reading one frame at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.dataset.windows import Links, link_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.aggregation import Aggregation, Block
from tempogan_eddy.evaluation.baselines import BASELINES
from tempogan_eddy.evaluation.by_kelvin import BIAS, CRPS, RMSE
from tempogan_eddy.evaluation.inputs import comparable
from tempogan_eddy.evaluation.lacking import Lacking, lacking
from tempogan_eddy.evaluation.matching import LOWRES, RECONSTRUCTED, TRUTH, Match, called, match
from tempogan_eddy.evaluation.metrics import Metric, choose_metrics
from tempogan_eddy.evaluation.regression import choose_regression
from tempogan_eddy.evaluation.result import Evaluation
from tempogan_eddy.evaluation.scoring import Scoring, mean_of, score_frames
from tempogan_eddy.evaluation.settings import DEFAULTS, Settings
from tempogan_eddy.evaluation.statistics import Coverage, Spectrum, Statistic
from tempogan_eddy.guards import warn_of_channels
from tempogan_eddy.io.times.cadence import NATIVE, duration_text, native_step, nominal_times, parse_duration
from tempogan_eddy.io.workers import Workers
from tempogan_eddy.kelvin import VALID_KELVIN

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel

__all__ = ["RECONSTRUCTED", "TRUTH", "evaluate"]

Held = xr.DataArray | xr.Dataset | NDArray[Any] | str | Path

USUAL_CADENCE = "1h"

log = logging.getLogger(__name__)


def evaluate(
    truth: Held,
    reconstructed: Held | Mapping[str, Held],
    lowres: Held | None = None,
    *,
    sensor_scale: int | None = None,
    sensor: SensorModel | str | None = None,
    baselines: bool | str | Iterable[str] = True,
    regression: str | None = None,
    cadence: str | None = None,
    time_tolerance: str | None = None,
    settings: Settings = DEFAULTS,
    metrics: str | Iterable[str | Metric] | None = None,
    kelvin: bool = False,
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    progress: Callable[[int, int], None] | None = None,
    dask: Workers | str | None = None,
) -> Evaluation:
    """Score one storm's reconstruction, or several, beside linear restorations that learn no weights.

    Match frames by time, or in order where they have no times. Every method is scored on the pixels valid in the truth,
    the reconstructions and all baselines, so the numbers compare. Memory does not grow with the frames.

    Parameters
    ----------
    truth : DataArray, Dataset, array, str or Path
        Highres brightness temperature, NaN where missing, as for `reconstruct`.
    reconstructed : the same, or a mapping of such by name
        On the truth's grid, which may have up to `scale` - 1 more rows and columns at its end. Without a name it is
        called "reconstructed". Several are scored in one pass, which prepares the truth only once. A DataArray with a
        dimension ``member`` is an ensemble: it has the scores of an average member, and those of ensembles; the mean of
        its members is scored beside it, as "mean of reconstructed".
    lowres : the same, optional
        The input of the reconstructions; by default what the sensor sees of the truth, without noise.
    sensor_scale : int, optional
        Refinement of the grid, where neither `lowres` nor `reconstructed.attrs["scale"]` has it.
    sensor : SensorModel or str, optional
        How the lowres was seen, such as ``seviri`` or ``gaussian,fwhm=1.0``: LR consistency is measured by it, and
        baselines use it. By default the one in the attributes of `lowres`, else of `reconstructed`, else the area mean.
    baselines : bool, str or iterable of str
        Which of `BASELINES` to score beside it.
    regression : str, optional
        To what the distortion-spectrum bound is relative: a reconstruction, a baseline or a model, by name. By default
        `faithful`, which is computed if it is not among the reconstructions, or the Wiener filter where `faithful` does
        not fit the scale or the sensor.
    cadence : str, optional
        Score change in time and motion between frames this far apart, whether neighbours or not; ``native``: the
        truth's own step. By default an hour, or the truth's own step where no two frames are an hour apart.
    time_tolerance : str, optional
        How far a time may be off, in matching and from one cadence to the next; by default a tenth of the smallest step
        and of the cadence.
    settings : Settings
        Ranges, thresholds and the bootstrap.
    metrics : str or iterable of str or Metric, optional
        Names of this package's metrics, or metrics of your own; by default all of this package. Only the statistics
        that they need are computed, so without the default there are no spectra and no error by kelvin.
    kelvin : bool
        The values are kelvin, although no attribute says so.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing.
    progress : callable, optional
        Called with (frames done, all frames).
    dask : Workers or str, optional
        Who reads and scores the frames: ``threads:N``, ``local:N`` processes, or the address of a Dask scheduler; see
        `Workers`. By default this process, with a thread on each core. The scores are the same.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If no time is common, the grids differ, the scale is unknown or an option is not usable.
    """
    truth, named, lowres = comparable(
        truth, reconstructed, lowres, cadence=cadence, kelvin=kelvin, valid_kelvin=valid_kelvin
    )
    ensembles = any(da.sizes.get("member", 1) > 1 for da in named.values())
    chosen = choose_metrics(metrics, settings, ensembles=ensembles)
    baselines = _baselines(baselines, [*named, *map(mean_of, named)])
    length = parse_duration(settings.block, "block")
    matched = match(truth, named, lowres, sensor_scale, time_tolerance, sensor)
    warn_of_channels(truth, named)
    links, cadence = _links(matched, cadence, time_tolerance)
    storm = str(matched.truth.attrs.get("sequence", "storm"))
    slots = nominal_times(matched.times)
    statistics, of_truth = _statistics(chosen, settings, everything=metrics is None)
    statistics.append(Lacking())
    if ensembles and metrics is None:
        statistics += CRPS.statistics
    known, regress = "", None
    if any(statistic.needs_regression for statistic in statistics):
        known, regress = choose_regression(regression, {*named, *baselines}, matched.sensor)
    scoring = Scoring(matched, links, baselines, known, regress, statistics, of_truth, settings.cold_kelvin)
    sums = Aggregation()
    coldest, example_time, empty = -1, None, 0
    for index, scored in score_frames(scoring, dask):
        block = Block(storm, int((slots[index] - slots[0]) // length))
        for method, statistic, aggregate in scored.aggregates:
            sums.add(block, method, statistic, aggregate)
        if scored.cold > coldest:
            coldest, example_time = scored.cold, matched.times[index]
        empty += scored.cold < 0
        if progress:
            progress(index + 1, len(matched.times))
    if example_time is None:
        raise InputError(_nothing_valid(matched, valid_kelvin))
    for sentence in filter(None, (lacking(sums, name) for name in named)):
        log.warning(sentence)
    return Evaluation(
        storm=storm,
        sums=sums,
        metrics=chosen,
        settings=settings,
        scale=matched.scale,
        cadence=cadence,
        left_out=matched.left_out | {"empty": empty},
        shape=(matched.truth.sizes["y"], matched.truth.sizes["x"]),
        example_time=example_time,
        time_tolerance=time_tolerance,
        sensor=matched.sensor,
        regression=known,
    )


def _statistics(
    metrics: Iterable[Metric], settings: Settings, *, everything: bool
) -> tuple[list[Statistic], list[Statistic]]:
    """Return the statistics of every method, each once, and those of the truth."""
    spectrum = Spectrum(minimum_valid=settings.minimum_valid)
    found = dict.fromkeys(statistic for metric in metrics for statistic in metric.statistics)
    of_truth: list[Statistic] = [Coverage(), Coverage(pairs=True, minimum_valid=settings.minimum_valid)]
    if not everything:
        return list(found), of_truth
    return [*found, *RMSE.statistics, *BIAS.statistics, spectrum], [*of_truth, spectrum]


def _nothing_valid(matched: Match, valid_kelvin: tuple[float, float]) -> str:
    """Name the sequence without a valid pixel, if there is one, or the common mask as the reason."""
    low, high = valid_kelvin
    seen: dict[str, bool] = {}
    for index in range(len(matched.times)):
        truth, reconstructed, lowres = matched.load(index)
        for name, frame in {TRUTH: truth, **reconstructed, LOWRES: lowres}.items():
            seen[name] = seen.get(name, False) or bool(np.isfinite(frame).any())
    for name, anything in seen.items():
        if not anything:
            return (
                f"Every pixel of the {called(name)} is missing. Values outside {low:g}-{high:g} K are read as missing: "
                "check its units."
            )
    return "No pixel is valid in the truth and the reconstruction alike; check that they are the same storm."


def _links(matched: Match, asked: str | None, tolerance: str | None) -> tuple[Links, str]:
    """Return the frames one cadence apart, and that cadence; if there are none, log a cadence that has some."""
    cadence = asked or USUAL_CADENCE
    links = link_frames(matched.truth, cadence, tolerance)
    own = native_step(matched.times)
    text = cadence if own is None or cadence != NATIVE else duration_text(own)
    if own is None or (links.following >= 0).any():
        return links, text
    native = link_frames(matched.truth, NATIVE)
    if not (native.following >= 0).any():
        log.warning("No two frames of one satellite are %s apart, so there are no scores in time", text)
    elif asked is None:
        text = duration_text(own)
        log.info(
            "No two frames are %s apart: scores in time are between frames %s apart, their own step", cadence, text
        )
        return native, text
    else:
        log.warning(
            "No two frames are %s apart, so there are no scores in time; bring them back with --set data.cadence=%s "
            "or native",
            text,
            duration_text(own),
        )
    return links, text


def _baselines(chosen: bool | str | Iterable[str], reconstructed: Iterable[str]) -> tuple[str, ...]:
    if isinstance(chosen, bool):
        chosen = BASELINES if chosen else ()
    names = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    for name in names:
        if name not in BASELINES:
            raise InputError(f"The baseline {name!r} is unknown; use {', '.join(BASELINES)}.")
        if name in reconstructed:
            raise InputError(f"A reconstruction is named like the baseline {name!r}; choose another name.")
    return names
