"""Score reconstructions against the truth, beside the baselines, reading one frame at a time."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.baselines import BASELINES
from tempogan_eddy.evaluation.bootstrap import block_sums
from tempogan_eddy.evaluation.frames import Frame, Pair
from tempogan_eddy.evaluation.inputs import RECONSTRUCTED, comparable
from tempogan_eddy.evaluation.mask import Mask
from tempogan_eddy.evaluation.matching import TRUTH, Match, match
from tempogan_eddy.evaluation.result import Evaluation, Spectra
from tempogan_eddy.evaluation.spectra import wavenumbers
from tempogan_eddy.evaluation.statistics import (
    DEFAULTS,
    Settings,
    Statistics,
    consistency_statistics,
    frame_statistics,
    pair_statistics,
)
from tempogan_eddy.io.quality import VALID_KELVIN

__all__ = ["RECONSTRUCTED", "TRUTH", "evaluate"]

Held = xr.DataArray | xr.Dataset | NDArray[Any] | str | Path


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
    cadence: str = "1h",
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
    cadence : str
        Change in time and motion are scored between frames exactly this far apart.
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
    matched = match(truth, named, lowres, sensor_scale)
    follows = _follows(matched, _duration(cadence, "cadence"))
    block = _duration(settings.block, "block")
    tally = _Tally()
    previous: dict[str, Frame] | None = None
    for index, time in enumerate(matched.times):
        frames, lowres_frame = _read(matched, index, chosen, settings)
        if frames[TRUTH].mask.valid.any():
            row = _score_frame(frames, lowres_frame, matched.scale, settings)
            if previous and follows[index]:
                _score_pair(row, previous, frames, settings)
            _count(tally, row, frames, time, settings)
            previous = frames
        else:
            previous = None
        if progress:
            progress(index + 1, len(matched.times))
    if not tally.rows:
        raise InputError(_nothing_valid(matched))
    return _result(tally, matched, block, cadence, settings)


def _nothing_valid(matched: Match) -> str:
    """Say which sequence has no valid pixel at all, if it is one of them alone that leaves nothing to score."""
    low, high = VALID_KELVIN
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


def _result(tally: _Tally, matched: Match, block: np.timedelta64, cadence: str, settings: Settings) -> Evaluation:
    height, width = matched.truth.shape[1:]
    frames = len(tally.rows)
    number = [int((time - matched.times[0]) // block) for time in tally.times]
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
        frames=frames,
        pairs=tally.pairs,
        missing=1 - tally.valid / (frames * height * width),
        left_out=matched.left_out | {"empty": len(matched.times) - frames},
        example_time=tally.times[int(np.argmax(cold))],
        spectra=spectra,
    )


def _follows(matched: Match, cadence: np.timedelta64) -> NDArray[np.bool_]:
    """Whether each frame lies exactly one cadence after the one before, seen by the same satellite."""
    follows = np.append(False, np.diff(matched.times) == cadence)
    if "satellite" in matched.truth.coords and matched.truth["satellite"].dims == ("time",):
        satellite = matched.truth["satellite"].values
        follows[1:] &= satellite[1:] == satellite[:-1]
    return follows


def _duration(text: str, key: str) -> np.timedelta64:
    try:
        duration = pd.Timedelta(text)
    except ValueError:
        duration = pd.NaT
    if duration is pd.NaT or duration <= pd.Timedelta(0):
        raise InputError(f"The {key} {text!r} is no duration; write it as 1h or 30min.")
    return duration.to_timedelta64()


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
