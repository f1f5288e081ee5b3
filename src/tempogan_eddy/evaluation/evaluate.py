"""Score reconstructions against the truth, beside the baselines, reading one frame at a time."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.dataset.windows import Links, link_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.baselines import BASELINES
from tempogan_eddy.evaluation.bootstrap import block_sums
from tempogan_eddy.evaluation.frames import Frame, Pair
from tempogan_eddy.evaluation.inputs import RECONSTRUCTED, comparable
from tempogan_eddy.evaluation.mask import Mask
from tempogan_eddy.evaluation.matching import TRUTH, Match, match
from tempogan_eddy.evaluation.result import Evaluation, Spectra
from tempogan_eddy.evaluation.statistics import (
    DEFAULTS,
    Settings,
    Statistics,
    consistency_statistics,
    frame_statistics,
    pair_statistics,
)
from tempogan_eddy.guards import warn_of_channels, warn_of_truth
from tempogan_eddy.io.cadence import NATIVE, duration_text, native_step, nominal_times, parse_duration
from tempogan_eddy.io.quality import VALID_KELVIN
from tempogan_eddy.rapsd import wavenumbers

__all__ = ["RECONSTRUCTED", "TRUTH", "evaluate"]

Held = xr.DataArray | xr.Dataset | NDArray[Any] | str | Path

USUAL_CADENCE = "1h"

log = logging.getLogger(__name__)


@dataclass
class _Tally:
    """What is kept of the frames seen so far: statistics, never images."""

    rows: list[dict[str, Statistics]] = field(default_factory=list)  # by method, one a frame
    times: list[np.datetime64] = field(default_factory=list)
    power: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    spectra: int = 0
    valid: int = 0
    pairs: int = 0


def evaluate(
    truth: Held,
    reconstructed: Held | Mapping[str, Held],
    lowres: Held | None = None,
    *,
    sensor_scale: int | None = None,
    baselines: bool | Iterable[str] = True,
    cadence: str | None = None,
    time_tolerance: str | None = None,
    settings: Settings = DEFAULTS,
    kelvin: bool = False,
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score one storm's reconstruction, or several, beside nearest, bicubic and back-projected bicubic.

    Frames are matched by time, or in order where nothing says when they were seen. Every method is scored on the
    pixels valid in the truth, the reconstructions and all baselines, so the numbers compare. Memory does not grow with
    the frames.

    Parameters
    ----------
    truth : DataArray, Dataset, array, str or Path
        High-resolution brightness temperature, NaN where missing, as for `reconstruct`.
    reconstructed : the same, or a mapping of such by name
        On the truth's grid, which may have up to `scale` - 1 more rows and columns at its end. Without a name it is
        called "reconstructed". Several are scored in one pass, which prepares the truth only once.
    lowres : the same, optional
        What they were reconstructed from; default the area mean of the truth.
    sensor_scale : int, optional
        Refinement of the grid, where neither `lowres` nor `reconstructed.attrs["scale"]` tells it.
    baselines : bool or iterable of str
        Which of `BASELINES` to score beside it.
    cadence : str, optional
        Change in time and motion are scored between frames this far apart, be they neighbours or not; ``native``: the
        truth's own step. By default an hour, or the truth's own step where no two frames are an hour apart.
    time_tolerance : str, optional
        How far a time may be off, in matching and from one cadence to the next; by default a tenth of the smallest step
        and of the cadence.
    settings : Settings
        Ranges, thresholds and the bootstrap.
    kelvin : bool
        The values are kelvin, although nothing says so.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing.
    progress : callable, optional
        Called with (frames done, frames in all).

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
    chosen = _baselines(baselines, named)
    block = parse_duration(settings.block, "block")
    matched = match(truth, named, lowres, sensor_scale, time_tolerance)
    warn_of_channels(truth, named)
    links, cadence = _links(matched, cadence, time_tolerance)
    tally = _Tally()
    waiting: dict[int, dict[str, Frame]] = {}  # frames whose following one is still to come
    for index, time in enumerate(matched.times):
        frames, lowres_frame = _read(matched, index, chosen, settings)
        earlier = waiting.pop(int(links.previous[index]), None)
        if frames[TRUTH].mask.valid.any():
            if not tally.rows:
                warn_of_truth(frames[TRUTH].values)
            row = _score_frame(frames, lowres_frame, matched.scale, settings)
            if earlier:
                _score_pair(row, earlier, frames, settings)
            _count(tally, row, frames, time, settings)
            if links.following[index] >= 0:
                waiting[index] = frames
        if progress:
            progress(index + 1, len(matched.times))
    if not tally.rows:
        raise InputError(_nothing_valid(matched, valid_kelvin))
    return _result(tally, matched, block, cadence, time_tolerance, settings)


def _nothing_valid(matched: Match, valid_kelvin: tuple[float, float]) -> str:
    """Say which sequence has no valid pixel at all, if it is one of them alone that leaves nothing to score."""
    low, high = valid_kelvin
    seen: dict[str, bool] = {}
    for index in range(len(matched.times)):
        truth, reconstructed, lowres = matched.load(index)
        frames = {"truth": truth} | {_called(name): frame for name, frame in reconstructed.items()}
        for name, frame in (frames | {"low-resolution input": lowres}).items():
            seen[name] = seen.get(name, False) or bool(np.isfinite(frame).any())
    for name, anything in seen.items():
        if not anything:
            return (
                f"Every pixel of the {name} is missing. Values outside {low:g}-{high:g} K are read as missing: "
                "check its units."
            )
    return "No pixel is valid in the truth and the reconstruction alike; check that they are the same storm."


def _read(
    matched: Match, index: int, baselines: Iterable[str], settings: Settings
) -> tuple[dict[str, Frame], NDArray[np.float32]]:
    """Load one time: the truth and every method under their common mask, and the low-resolution frame."""
    truth, reconstructed, lowres = matched.load(index)
    values = {TRUTH: truth, **reconstructed}
    values |= {name: BASELINES[name](lowres, matched.scale) for name in baselines}
    valid = np.logical_and.reduce([np.isfinite(frame) for frame in values.values()])
    mask = Mask(valid)
    return {name: Frame(frame, mask, settings.flow_range) for name, frame in values.items()}, lowres


def _score_frame(
    frames: dict[str, Frame], lowres: NDArray[np.float32], scale: int, settings: Settings
) -> dict[str, Statistics]:
    truth = frames[TRUTH]
    return {
        name: frame_statistics(frame, truth, scale, settings) | consistency_statistics(frame.values, lowres, scale)
        for name, frame in frames.items()
        if name != TRUTH
    }


def _score_pair(
    row: dict[str, Statistics], earlier: dict[str, Frame], later: dict[str, Frame], settings: Settings
) -> None:
    mask = Mask(earlier[TRUTH].mask.valid & later[TRUTH].mask.valid)
    pairs = {name: Pair(earlier[name], later[name], mask) for name in later}
    for name, statistics in row.items():
        statistics |= pair_statistics(pairs[name], pairs[TRUTH], settings)


def _count(
    tally: _Tally,
    row: dict[str, Statistics],
    frames: dict[str, Frame],
    time: np.datetime64,
    settings: Settings,
) -> None:
    tally.rows.append(row)
    tally.times.append(time)
    tally.valid += int(frames[TRUTH].mask.valid.sum())
    tally.pairs += int(next(iter(row.values())).get("pairs", 0))
    if "spectra" in next(iter(row.values())):
        tally.spectra += 1
        for name, frame in frames.items():
            tally.power[name] = tally.power.get(name, 0.0) + frame.spectrum


def _result(
    tally: _Tally,
    matched: Match,
    block: np.timedelta64,
    cadence: str,
    time_tolerance: str | None,
    settings: Settings,
) -> Evaluation:
    height, width = matched.truth.shape[1:]
    frames = len(tally.rows)
    slots = nominal_times(np.asarray(tally.times))
    number = [int(since // block) for since in slots - nominal_times(matched.times)[0]]
    blocks = {name: block_sums([row[name] for row in tally.rows], number) for name in tally.rows[0]}
    cold = [next(iter(row.values()))["cold_pixels"] for row in tally.rows]  # of the truth, so the same for all
    spectra = None
    if tally.spectra:
        spectra = Spectra(
            wavenumbers((height, width)),
            min(height, width) / (2 * matched.scale),
            {name: power / tally.spectra for name, power in tally.power.items()},
        )
    return Evaluation(
        storm=str(matched.truth.attrs.get("sequence", "storm")),
        blocks=blocks,
        settings=settings,
        scale=matched.scale,
        cadence=cadence,
        time_tolerance=time_tolerance,
        frames=frames,
        pairs=tally.pairs,
        missing=1 - tally.valid / (frames * height * width),
        left_out=matched.left_out | {"empty": len(matched.times) - frames},
        example_time=tally.times[int(np.argmax(cold))],
        spectra=spectra,
    )


def _links(matched: Match, asked: str | None, tolerance: str | None) -> tuple[Links, str]:
    """Which frames are one cadence apart, and that cadence; where none is, say what would bring back scores in time."""
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


def _baselines(chosen: bool | Iterable[str], reconstructed: Iterable[str]) -> tuple[str, ...]:
    names = tuple(BASELINES if chosen else ()) if isinstance(chosen, bool) else tuple(chosen)
    for name in names:
        if name not in BASELINES:
            raise InputError(f"The baseline {name!r} is unknown; use {', '.join(BASELINES)}.")
        if name in reconstructed:
            raise InputError(f"A reconstruction is named like the baseline {name!r}; choose another name.")
    return names


def _called(name: str) -> str:
    return "reconstruction" if name == RECONSTRUCTED else f"reconstruction {name!r}"
