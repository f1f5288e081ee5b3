"""The user's own pairs: lowres frames that another instrument saw, in place of simulated ones.

Sequences are matched by name, else by time and place; then cut to the times and the area of both. The highres frames
are moved onto the footprints of the lowres ones, by whole pixels, and put on their calibration. The lowres values stay
as they were measured. So a model that learns from pairs needs no correction of its input, and its output keeps the
calibration of the archive that it reconstructs.
"""

import logging
from dataclasses import dataclass

import numpy as np
import xarray as xr

from tempogan_eddy.config import Config, PairsConfig
from tempogan_eddy.dataset.pair_fit import PairFit, fit_pair
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.source import open_source
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.align import align_grid, match_times, pair_times, refinement, tolerance_between
from tempogan_eddy.io.grids.axes import spatial_coordinate
from tempogan_eddy.io.variables.selection import require_selection

__all__ = ["Pair", "Sequences", "cut_to_footprints", "match_frames", "match_names", "open_pairs"]

log = logging.getLogger(__name__)

Sequences = dict[str, tuple[xr.DataArray, str]]
"""Sequences with the split folder that they lie in, by name."""


@dataclass(frozen=True)
class Pair:
    """One storm as two instruments saw it.

    Attributes
    ----------
    highres, lowres
        (time, H, W) and (time, h, w), of equal times; a lowres footprint lies on ``scale`` x ``scale`` highres pixels.
    folder
        The split folder of the highres sequence.
    fit
        What was fitted to it.
    """

    highres: xr.DataArray
    lowres: xr.DataArray
    folder: str
    fit: PairFit


def open_pairs(highres: Sequences, config: Config) -> dict[str, Pair]:
    """Open ``data.pairs.lowres`` and pair its sequences with the highres ones.

    A pair that does not fit is skipped with a warning, unless it is the only one.

    Raises
    ------
    InputError
        No sequence has a partner, or no pair fits.
    """
    settings = _settings(config)
    lowres = open_source(settings.lowres, config)
    require_selection([sequence for sequence, _ in [*highres.values(), *lowres.values()]], config.data.select)
    partners = match_names(highres, lowres, config)
    pairs, refused = {}, None
    for name, partner in partners.items():
        sequence, folder = highres[name]
        try:
            highs, lows, fit = _register(sequence, lowres[partner][0], config, name)
            pairs[name] = Pair(highs, lows, folder, fit)
        except InputError as error:
            if len(partners) == 1:
                raise
            refused = error
            log.warning("Skipped: %s", error)
    if refused and not pairs:
        raise InputError(f"No pair of {settings.lowres} and the highres sequences fits; the last one: {refused}")
    return pairs


def _register(
    highres: xr.DataArray, lowres: xr.DataArray, config: Config, name: str
) -> tuple[xr.DataArray, xr.DataArray, PairFit]:
    """Return both at common times, with the highres frames on the lowres footprints and calibration, and the fit."""
    highres, lowres = match_frames(highres, lowres, config, name)
    fit = fit_pair(highres, lowres, SensorModel.from_config(config), _settings(config), name)
    log.info("%s: %s", name, fit)
    highres, lowres = cut_to_footprints(highres, lowres, fit.whole, config.scale)
    if (fit.intercept, fit.slope) != (0, 1):
        highres = highres.copy(data=fit.intercept + fit.slope * highres.data)
    return highres, lowres, fit


def _settings(config: Config) -> PairsConfig:
    assert config.data.pairs is not None
    return config.data.pairs


def _tolerance(config: Config) -> str | None:
    return _settings(config).tolerance or config.data.time_tolerance


def match_names(highres: Sequences, lowres: Sequences, config: Config) -> dict[str, str]:
    """Return the lowres sequence of each highres one: by name, else by time and place.

    A single sequence on each side matches whatever its name.

    Raises
    ------
    InputError
        There is no pair.
    """
    if len(highres) == len(lowres) == 1:
        return dict(zip(highres, lowres, strict=True))
    partners = {name: name for name in highres if name in lowres}
    rest = {name: lowres[name][0] for name in lowres if name not in partners}
    for name in [name for name in highres if name not in partners]:
        alike = [other for other, sequence in rest.items() if _same_scene(highres[name][0], sequence, config)]
        if len(alike) == 1:
            log.info("%s is paired with %s: equal times at one place", name, alike[0])
            partners[name] = alike[0]
        else:
            why = (
                f"{', '.join(alike)} fit equally well"
                if alike
                else "no lowres sequence has its name, or its times and place"
            )
            log.warning("Skipped: %s: %s", name, why)
    if not partners:
        raise InputError(
            f"No sequence of data.pairs.lowres ({', '.join(lowres)}) has the name, or the times and the place, of a "
            f"highres one ({', '.join(highres)}); name the files of a pair alike."
        )
    return partners


def _same_scene(highres: xr.DataArray, lowres: xr.DataArray, config: Config) -> bool:
    """Return whether two sequences share times, and coordinates say that they share the place."""
    times = [sequence["time"].values for sequence in (highres, lowres)]
    if not len(pair_times(times[0], times[1], tolerance_between(times, _tolerance(config)))[0]):
        return False
    placed = all(
        spatial_coordinate(sequence, role, moving=True) is not None
        for sequence in (highres, lowres)
        for role in ("latitude", "longitude")
    )
    try:
        return placed and bool(match_grids(highres, lowres, config.scale, "highres"))
    except InputError:
        return False


def match_frames(
    highres: xr.DataArray, lowres: xr.DataArray, config: Config, name: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Cut two sequences (time, y, x) to the times and the area that both have.

    Raises
    ------
    InputError
        There is no common time, or the highres grid is not ``upsample_factor`` times finer at the same place.
    """
    labels = f"the highres sequence {name}", f"the lowres sequence {name}"
    times = [sequence["time"].values for sequence in (highres, lowres)]
    numbers = match_times(times, labels, _tolerance(config))
    highres, lowres = (part.isel(time=chosen) for part, chosen in zip((highres, lowres), numbers, strict=True))
    return match_grids(highres, lowres, config.scale, name)


def match_grids(
    highres: xr.DataArray, lowres: xr.DataArray, scale: int, name: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Bring both grids to one corner and the highres one to whole blocks.

    Raises
    ------
    InputError
        The highres grid does not refine the lowres one.
    """
    sizes = ["x".join(map(str, sequence.shape[1:])) for sequence in (highres, lowres)]
    reason = f"the frames are {sizes[0]} and {sizes[1]} (lowres), but model.upsample_factor is {scale}"
    if refinement(highres.shape[1:], lowres.shape[1:], scale) == scale:
        try:
            highres, lowres = align_grid(highres, lowres, scale, ("the highres grid", "the lowres grid"))
            rows, columns = (side * scale for side in lowres.shape[1:])
            return highres.isel(y=slice(rows), x=slice(columns)), lowres
        except InputError as error:
            reason = str(error).partition(";")[0]
    raise InputError(
        f"The highres grid of {name} does not refine the lowres one ({reason}); regrid the highres frames to "
        f"{scale} x {scale} pixels in each lowres pixel{_grid_text(lowres, scale)}, e.g. with xarray's interp, "
        "and never the lowres ones."
    )


def _grid_text(lowres: xr.DataArray, scale: int) -> str:
    """Return the coordinates that a highres grid needs, where those of the lowres one are simple."""
    texts = []
    for role in ("latitude", "longitude"):
        coordinate = spatial_coordinate(lowres, role)
        if coordinate is None or coordinate.ndim != 1 or coordinate.size < 2:
            return ""
        values = np.asarray(coordinate.values, np.float64)
        step = (values[-1] - values[0]) / (len(values) - 1)
        first = values[0] - step / 2 + step / scale / 2
        last = values[-1] + step / 2 - step / scale / 2
        texts.append(f"{role} {first:.6g} to {last:.6g} in {len(values) * scale} steps")
    return f": {', '.join(texts)}"


def cut_to_footprints(
    highres: xr.DataArray, lowres: xr.DataArray, whole: tuple[int, int], scale: int
) -> tuple[xr.DataArray, xr.DataArray]:
    """Cut frames so that lowres pixels lie on the highres pixels ``whole`` below and to the right of where they were.

    Cut off the lowres pixels that the highres frame covers only in part. Resample no value.
    """
    for dim, by in zip(("y", "x"), whole, strict=True):
        first = max(-(by // scale), 0)
        count = (highres.sizes[dim] - max(by, 0)) // scale - (first if by < 0 else 0)
        if count < 1:
            raise InputError(f"An offset of {by} highres pixels leaves nothing of a frame of {highres.sizes[dim]}.")
        start = first * scale + by
        highres = highres.isel({dim: slice(start, start + count * scale)})
        lowres = lowres.isel({dim: slice(first, first + count)})
    return highres, lowres
