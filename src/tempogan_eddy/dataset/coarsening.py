"""The sensor model applied to arrays, Datasets and files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, overload

import numpy as np
import xarray as xr

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import require_whole
from tempogan_eddy.io import adapt
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = ["coarsen"]

Held = TypeVar("Held", xr.DataArray, xr.Dataset, np.ndarray)

LARGEST_SCALE = 64


class Options(TypedDict, total=False):
    """Keyword options of `coarsen`, which it describes."""

    sensor: str
    sigma: float | None
    noise_kelvin: float | None
    seed: int
    kelvin: bool
    variable: str | None
    select: Mapping[str, Any] | None
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
    sigma: float | None = None,
    noise_kelvin: float | None = None,
    seed: int = 0,
    kelvin: bool = False,
    variable: str | None = None,
    select: Mapping[str, Any] | None = None,
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
        How the instrument sees: a preset (``seviri``) or a form (``gaussian,fwhm=1.0,noise=0.3``); see
        `SensorModel.parse`.
    sigma, noise_kelvin : float, optional
        In place of those of the sensor: standard deviation of a gaussian in highres pixels, and of added noise, K.
    seed : int
        Decides the noise.
    kelvin, variable, select, valid_kelvin
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
    require_whole("The scale", scale, 2, LARGEST_SCALE)
    given: dict[str, Any] = {"sigma": sigma, "noise_kelvin": noise_kelvin}
    given = {name: value for name, value in given.items() if value is not None}
    model = replace(SensorModel.parse(sensor, int(scale)), **given)
    held = adapt(sequence, kelvin=kelvin, variable=variable, select=select, valid_kelvin=valid_kelvin, ensembles=True)
    return held.restore(model.coarsen(held.sequence, seed), scale)
