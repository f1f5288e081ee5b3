"""Pairs of sequences of one's own: lowres frames that another instrument saw, instead of simulated ones."""

from __future__ import annotations

import logging

import xarray as xr

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.source import open_source
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.align import align_grid, match_times, refinement

__all__ = ["Sequences", "open_pairs", "pair"]

log = logging.getLogger(__name__)

Sequences = dict[str, tuple[xr.DataArray, str]]
"""Sequences with the split folder that they lie in, by name."""


def open_pairs(highres: Sequences, config: Config) -> dict[str, tuple[xr.DataArray, xr.DataArray, str]]:
    """Open ``training.lowres_root`` and match its sequences to the highres ones by name.

    A single sequence on each side matches whatever their names.

    Returns
    -------
    dict
        Highres and lowres sequence of equal times and area, and the split folder, by name.

    Raises
    ------
    InputError
        No name matches, or two sequences share no time or lie on grids that do not fit.
    """
    assert config.training.lowres_root is not None
    lowres = open_source(config.training.lowres_root, config)
    if len(highres) == len(lowres) == 1:
        lowres = dict(zip(highres, lowres.values(), strict=True))
    missing = [name for name in highres if name not in lowres]
    if len(missing) == len(highres):
        raise InputError(
            f"No sequence of training.lowres_root ({', '.join(lowres)}) has the name of one of training.data_root "
            f"({', '.join(highres)}); name the files of a pair alike."
        )
    if missing:
        log.warning("Skipped, because training.lowres_root has no such sequence: %s", ", ".join(missing))
    return {
        name: (*pair(sequence, lowres[name][0], config, name), folder)
        for name, (sequence, folder) in highres.items()
        if name not in missing
    }


def pair(highres: xr.DataArray, lowres: xr.DataArray, config: Config, name: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Cut two sequences (time, y, x) to the times and the area that both have.

    Raises
    ------
    InputError
        There is no common time, or the highres grid is not ``upsample_factor`` times finer at the same place.
    """
    labels, scale = (f"the highres sequence {name}", f"the lowres sequence {name}"), config.scale
    times = [sequence["time"].values for sequence in (highres, lowres)]
    numbers = match_times(times, labels, config.data.time_tolerance)
    highres, lowres = (part.isel(time=chosen) for part, chosen in zip((highres, lowres), numbers, strict=True))
    if refinement(highres.shape[1:], lowres.shape[1:], scale) != scale:
        sizes = ["x".join(map(str, sequence.shape[1:])) for sequence in (highres, lowres)]
        raise InputError(
            f"The frames of {name} are {sizes[0]} and {sizes[1]} (lowres), but model.upsample_factor is {scale}; give "
            "frames of the same area."
        )
    highres, lowres = align_grid(highres, lowres, scale, labels)
    rows, columns = (side * scale for side in lowres.shape[1:])
    return highres.isel(y=slice(rows), x=slice(columns)), lowres
