"""Which sensor saw an input."""

import logging

import xarray as xr

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_comparison import compare_sensor
from tempogan_eddy.dataset.sensor_estimate import estimate_sensor
from tempogan_eddy.dataset.sensor_names import named_presets
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.messages import Teller
from tempogan_eddy.weights import Model

__all__ = ["choose_sensor"]

log = logging.getLogger(__name__)

RECORDED = "sensor_model"
ASSUMED = "the mean over a block is assumed (`tempogan-eddy sensor` estimates it, --sensor states it)"


def choose_sensor(
    sequence: xr.DataArray,
    model: Model,
    stated: SensorModel | str | None = None,
    *,
    trust: bool = False,
    tell: Teller = log,
) -> SensorModel | None:
    """Return the sensor to reconstruct a sequence for.

    It is the stated one, else the one that `coarsen` recorded, else None for a model that was trained for one sensor,
    else the preset that the file names if the frames agree with it, else None, for the area mean. A stated sensor other
    than the recorded one, and a preset, are compared with the one that `estimate_sensor` finds in a few frames.

    Parameters
    ----------
    sequence
        Its attributes may record a sensor.
    model
        The model; of one that does not adapt to the sensor the result is None.
    stated
        A sensor, or a preset or form as `SensorModel.parse` reads it.
    trust
        Do not compare the sensor with the frames.
    tell
        Logs.

    Raises
    ------
    InputError
        The model was trained for another sensor than the stated one, or the frames contradict it.
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
    recorded = _recorded(sequence, model.scale, tell, needed=stated is None)
    if stated and recorded and stated != recorded:
        tell.warning(
            "The input records the sensor %s; it is reconstructed for the stated %s", recorded.text, stated.text
        )
    # A recorded sensor is no reason to believe another one.
    if stated and stated != recorded and not trust:
        found = compare_sensor(stated, estimate_sensor(sequence, model.scale))
        if found.verdict == "wrong":
            raise InputError(f"{found.message}, or add --trust-sensor to use the stated one.")
        if found.verdict == "doubtful":
            tell.warning("%s", found.message)
    chosen = stated or recorded
    if chosen:
        tell.info("The sensor is %s, as %s", chosen.text, "stated" if stated else "the input records")
        return chosen
    if not model.specification.sensor.random:
        tell.info("The sensor is %s, for which the model was trained", model.sensor.text)
        return None
    return _named(sequence, model.scale, tell)


def _recorded(sequence: xr.DataArray, scale: int, tell: Teller, *, needed: bool) -> SensorModel | None:
    """Return the sensor that `coarsen` recorded; one that cannot be read is an error only where it is needed."""
    if RECORDED not in sequence.attrs:
        return None
    try:
        return SensorModel.from_attributes(sequence.attrs, scale)
    except InputError as error:
        if needed:
            raise InputError(f"{error} Or state the sensor, with --sensor.") from None
        tell.warning("%s", error)
        return None


def _named(sequence: xr.DataArray, scale: int, tell: Teller) -> SensorModel | None:
    """Return the preset that the file names, if the frames agree with it: they may be on another grid by now."""
    presets = named_presets(sequence)
    if not presets:
        tell.info("The input does not say which sensor saw it; %s", ASSUMED)
        return None
    if len(presets) > 1:
        tell.warning("The file names several sensors, %s; %s", ", ".join(presets), ASSUMED)
        return None
    (preset,) = presets
    sensor = SensorModel.parse(preset, scale)
    found = compare_sensor(sensor, estimate_sensor(sequence, scale))
    if found.verdict == "agreed":
        tell.warning("The file names the sensor %s and its frames agree; --sensor states another", preset)
        return sensor
    reason = (
        "its frames do not show" if found.verdict != "unknown" else "its frames are too few or too small to confirm"
    )
    tell.warning("The file names the sensor %s, which %s; %s", preset, reason, ASSUMED)
    return None
