"""The regression beside which a reconstruction is judged: a method that is scored anyway, or a model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.baselines import BASELINES

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel
    from tempogan_eddy.reconstruction import Reconstructor

__all__ = ["FAITHFUL", "Regression", "choose_regression"]

FAITHFUL, WIENER = "faithful", "Wiener filter"

Regression = Callable[[NDArray[np.floating]], NDArray[np.floating]]
"""Restores a lowres frame (h, w), NaN where missing, to (h * scale, w * scale), K."""

log = logging.getLogger(__name__)


def choose_regression(name: str | None, methods: Container[str], sensor: SensorModel) -> tuple[str, Regression | None]:
    """Return the name of a regression, and what computes its frames; None where it is a method that is scored.

    Parameters
    ----------
    name : str, optional
        A method, a baseline, or a model that `load_model` takes. By default ``faithful``, or the Wiener filter where
        `faithful` does not fit the scale or the sensor.
    methods : container of str
        The names of all methods that are scored.
    sensor : SensorModel
        How the lowres was seen.

    Raises
    ------
    InputError
        The name is neither a method nor a model, or the model has another scale.
    """
    chosen = name or FAITHFUL
    if chosen in methods:
        return chosen, None
    if chosen in BASELINES:
        return chosen, partial(_baseline, chosen, sensor)
    try:
        return chosen, _model(chosen, sensor)
    except InputError as error:
        if name:
            raise
        log.info("The distortion-spectrum bound is relative to the %s: %s", WIENER, error)
        return choose_regression(WIENER, methods, sensor)


def _model(name: str, sensor: SensorModel) -> Regression:
    from tempogan_eddy.reconstruction import Reconstructor  # imports torch, which is slow

    model = Reconstructor(name, sensor=sensor, precision="fp32")
    if model.scale != sensor.scale:
        raise InputError(f"The model {name} refines {model.scale} times, and the reconstruction {sensor.scale} times.")
    return partial(_restored, model)


def _restored(model: Reconstructor, lowres: NDArray[np.floating]) -> NDArray[np.floating]:
    return model(lowres[None])[0]


def _baseline(name: str, sensor: SensorModel, lowres: NDArray[np.floating]) -> NDArray[np.floating]:
    return BASELINES[name](lowres, sensor)
