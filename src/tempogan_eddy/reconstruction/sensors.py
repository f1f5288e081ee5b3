"""Which sensor saw an input."""

from __future__ import annotations

import logging

import xarray as xr

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.weights import Model

__all__ = ["choose_sensor"]

log = logging.getLogger(__name__)

RECORDED = "sensor_model"


def choose_sensor(sequence: xr.DataArray, model: Model, stated: SensorModel | str | None = None) -> SensorModel | None:
    """Return the sensor to reconstruct a sequence for: the stated one, else the recorded one, else the area mean.

    Parameters
    ----------
    sequence
        Its attributes may record a sensor.
    model
        The model; of one that does not adapt to the sensor the result is None.
    stated
        A sensor, or a preset or form as `SensorModel.parse` reads it.

    Raises
    ------
    InputError
        The model was trained for another sensor than the stated one.
    """
    if isinstance(stated, str):
        stated = SensorModel.parse(stated, model.scale)
    if not model.adapts:
        if stated and stated != model.sensor:
            raise InputError(
                f"The model {model.name} was trained for one sensor, {model.sensor.text}, not for {stated.text}; use a "
                "model that adapts, such as faithful, or leave the sensor out."
            )
        return None
    recorded = SensorModel.from_attributes(sequence.attrs, model.scale) if RECORDED in sequence.attrs else None
    if stated and recorded and stated != recorded:
        log.warning(
            "The input records the sensor %s; it is reconstructed for the stated %s", recorded.text, stated.text
        )
    return stated or recorded
