"""The sensor model applied to arrays, Datasets and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, overload

import numpy as np
import xarray as xr

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import adapt
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = ["coarsen"]

Held = TypeVar("Held", xr.DataArray, xr.Dataset, np.ndarray)

LARGEST_SCALE = 64


class Options(TypedDict, total=False):
    """Keyword options of `coarsen`, which it describes."""

    sensor: str
    sigma: float
    noise_kelvin: float
    seed: int
    kelvin: bool
    variable: str | None
    valid_kelvin: tuple[float, float]


@overload
def coarsen(sequence: Held, scale: int = ..., **options: Unpack[Options]) -> Held: ...
@overload
def coarsen(sequence: str | Path, scale: int = ..., **options: Unpack[Options]) -> xr.DataArray: ...
def coarsen(
    sequence: Any,
    scale: int = 4,
    *,
    sensor: str = "area",
    sigma: float = 2.0,
    noise_kelvin: float = 0.0,
    seed: int = 0,
    kelvin: bool = False,
    variable: str | None = None,
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
) -> Any:
    """See a sequence or frame with a coarser instrument.

    Trailing rows and columns that do not fill a block are dropped.

    Parameters
    ----------
    sequence : DataArray, Dataset, array, str or Path
        Brightness temperature, as for `reconstruct`, or an ensemble with a dimension ``member``.
    scale : int
        How many times coarser, 2 to 64.
    sensor : str
        How the instrument sees: ``area``, ``bicubic``, ``gaussian``, or a kind that another package adds; see
        `SensorModel`.
    sigma : float
        Gaussian only: standard deviation in fine pixels.
    noise_kelvin : float
        Standard deviation of added noise, K.
    seed : int
        Decides the noise.
    kelvin, variable, valid_kelvin
        As for `reconstruct`.

    Returns
    -------
    DataArray, Dataset or array
        Of the same type, with the same names and order of dimensions, on the coarsened grid.

    Raises
    ------
    InputError
        The input is no brightness temperature, smaller than a block, or an option is not usable.
    """
    if not isinstance(scale, int | np.integer) or not 2 <= scale <= LARGEST_SCALE:
        raise InputError(f"The scale must be a whole number from 2 to {LARGEST_SCALE}, not {scale!r}.")
    if not sigma > 0 or not noise_kelvin >= 0:
        raise InputError(f"sigma must be above 0 and noise_kelvin at least 0, not {sigma!r} and {noise_kelvin!r}.")
    model = SensorModel(sensor, int(scale), sigma, noise_kelvin)
    held = adapt(sequence, kelvin=kelvin, variable=variable, valid_kelvin=valid_kelvin, ensembles=True)
    return held.restore(model.coarsen(held.sequence, seed), scale)
