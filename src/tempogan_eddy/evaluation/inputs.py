"""Adapt a truth, its reconstructions and their input to sequences that share their times."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.matching import LOWRES, RECONSTRUCTED, TRUTH, called
from tempogan_eddy.evaluation.statistics import SSIM_WINDOW
from tempogan_eddy.io import Adapted, adapt
from tempogan_eddy.io.times.cadence import NATIVE, parse_duration

__all__ = ["comparable"]

log = logging.getLogger(__name__)


def comparable(
    truth: Any,
    reconstructed: Any,
    lowres: Any,
    *,
    cadence: str | None,
    kelvin: bool,
    valid_kelvin: tuple[float, float],
) -> tuple[xr.DataArray, dict[str, xr.DataArray], xr.DataArray | None]:
    """Return a truth, reconstructions by name, and their input as sequences.

    Parameters
    ----------
    truth, lowres
        Anything that `io.adapt` takes.
    reconstructed
        The same, or a mapping of several by name; each may have a dimension `member`.
    cadence : str
        Time between frames without times.
    kelvin : bool
        The values are kelvin, although nothing says so. A DataArray without units is kelvin like the truth.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing.

    Raises
    ------
    InputError
        One of them is no brightness temperature, or its frames cannot be matched in time.
    """
    several = isinstance(reconstructed, Mapping) and not isinstance(reconstructed, xr.Dataset)
    named = dict(reconstructed) if several else {RECONSTRUCTED: reconstructed}
    held = {TRUTH: adapt(truth, kelvin=kelvin, valid_kelvin=valid_kelvin)}
    for name, da in (named | ({} if lowres is None else {LOWRES: lowres})).items():
        unstated = isinstance(da, xr.DataArray) and not da.attrs.get("units")
        held[name] = adapt(da, kelvin=kelvin or unstated, valid_kelvin=valid_kelvin, ensembles=True)
    sequences = _with_times(held, cadence)
    height, width = sequences[TRUTH].shape[1:]
    if min(height, width) < SSIM_WINDOW:
        raise InputError(
            f"The truth has frames of {height}x{width} pixels; scores need {SSIM_WINDOW}x{SSIM_WINDOW} or more."
        )
    if isinstance(truth, xr.DataArray | xr.Dataset) and "sequence" not in truth.attrs:
        sequences[TRUTH].attrs.pop("sequence")  # `adapt` made it up
    return sequences[TRUTH], {name: sequences[name] for name in named}, sequences.get(LOWRES)


def _with_times(held: dict[str, Adapted], cadence: str | None) -> dict[str, xr.DataArray]:
    """Give sequences without times those of the others, frame by frame, or one cadence apart if all lack them."""
    sequences = {name: adapted.sequence for name, adapted in held.items()}
    untimed = [name for name, adapted in held.items() if not adapted.timed]
    if not untimed:
        return sequences
    model = next((name for name in held if name not in untimed), untimed[0])
    frames = sequences[model].sizes["time"]
    for name in untimed:
        count = sequences[name].sizes["time"]
        if count != frames or held[model].reordered:
            raise InputError(
                f"Nothing says when the {count} frames of the {called(name)} were seen, so they cannot be matched with "
                f"the {frames} of the {called(model)}; give it a coordinate time, or the same frames in the same order."
            )
    times = sequences[model]["time"].values
    if model in untimed:
        # With any cadence, consecutive frames are one step apart.
        step = parse_duration("1h" if cadence in (None, NATIVE) else str(cadence))
        times = times[0] + np.arange(frames) * step
    if frames > 1:
        log.info(
            "Nothing says when the frames of %s were seen; they are matched in order%s",
            ", ".join(f"the {called(name)}" for name in untimed),
            ", one cadence apart" if model in untimed else f", at the times of the {called(model)}",
        )
    return sequences | {name: sequences[name].assign_coords(time=times) for name in untimed}
