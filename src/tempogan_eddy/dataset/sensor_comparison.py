"""Compare the sensor that a user or a file states with the estimate from the frames."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_estimate import SensorEstimate
from tempogan_eddy.dataset.sensor_fit import transfer
from tempogan_eddy.dataset.separable_sensors import SeparableSensor

__all__ = ["SensorComparison", "compare_sensor"]

# Largest distance of the stated transfer function at the lowres Nyquist frequency from the range of the estimate. Error
# rates are in docs/estimating-sensors.md.
DOUBTFUL = 0.07
WRONG = 0.18

# With fewer windows than these both limits double: four frames of 64x64 pixels have 36.
WINDOWS = 48


@dataclass(frozen=True)
class SensorComparison:
    """What the frames say of a stated sensor.

    Attributes
    ----------
    verdict : str
        ``agreed``; ``doubtful``, which deserves a warning; ``wrong``, which deserves an error; or ``unknown`` without
        an estimate.
    message : str
        One sentence with the remedy; empty where they agree.
    """

    verdict: Literal["agreed", "doubtful", "wrong", "unknown"]
    message: str = ""


def compare_sensor(stated: SensorModel, estimate: SensorEstimate, source: str = "stated") -> SensorComparison:
    """Compare a stated sensor with an estimate, by their transfer functions at the lowres Nyquist frequency.

    Parameters
    ----------
    stated : SensorModel
        What the user, the file or the model says.
    estimate : SensorEstimate
        From `estimate_sensor`.
    source : str
        How the message calls the sensor: ``stated``, ``recorded``, ``named`` or ``assumed``.
    """
    if estimate.sensor is None or estimate.transfer_range is None or not isinstance(stated, SeparableSensor):
        return SensorComparison("unknown", estimate.reason)
    seen = np.array([transfer(kernel, stated.scale)[1] for kernel in stated.kernels])
    low, high = estimate.transfer_range.T
    distance = float(np.maximum(low - seen, seen - high).max())
    tolerance = 1 if estimate.windows >= WINDOWS else 2
    if distance <= tolerance * DOUBTFUL:
        return SensorComparison("agreed")
    blur = "sharper" if (seen - estimate.transfer_range.mean(axis=1)).sum() < 0 else "more blurred"
    found = estimate.sensor.text
    message = (
        f"The frames look {blur} than the {source} sensor {stated.text} leaves them: their spectrum fits {found} "
        f"({estimate.family})"
    )
    if distance <= tolerance * WRONG:
        return SensorComparison("doubtful", f"{message}; if that is right, state it with --sensor {found}")
    return SensorComparison("wrong", f"{message}; state the sensor that saw them, e.g. --sensor {found}")
