"""Members of an ensemble in kelvin: the mean with detail, projected onto what was measured and bounded.

The bound (`warmest_around`) moves the mean of the ensemble a little where clouds are near warm sea. Where the sensor
has noise, each member keeps what the sensor could as well have measured, with other noise.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.dataset.sensor_bank import SensorBatch
from tempogan_eddy.kelvin import VALID_KELVIN
from tempogan_eddy.model.noise import white_noise
from tempogan_eddy.model.scaling import to_kelvin

__all__ = ["NEAR", "WARMER", "add_detail", "assemble", "noise_of_sensor", "warmest_around"]

NEAR = 8
"""Lowres pixels to each side among which the warmest bounds the detail."""

WARMER = 2.0
"""Kelvins by which detail may be warmer than that."""

OF_SENSOR = 1
"""The last number of the key of the sensor's noise, which makes it another field than that of the textures."""


def noise_of_sensor(rows: slice, columns: slice, *key: int) -> Tensor:
    """Return the white noise (1, h, w) of the sensor that a member draws anew, as `white_noise` does."""
    return white_noise(1, rows, columns, *key, OF_SENSOR)


def assemble(
    mean: Tensor,
    added: Tensor,
    lowres: Tensor,
    sensors: SensorBatch,
    kelvin_range: tuple[float, float],
    noise: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the mean frame (B, 1, H, W) and the members (B, M, H, W) in kelvin, all of which keep what was measured.

    Parameters
    ----------
    mean, added
        As `Ensemble` returns them.
    lowres
        (B, 1, h, w) scaled: the measured values.
    sensors
        Those that measured them.
    kelvin_range
        The kelvins that scale to 0 and 1.
    noise
        Of the sensors, as for `SensorBatch.keep`.
    """
    low, high = kelvin_range
    kelvin = to_kelvin(lowres, kelvin_range)
    frame = sensors.project(to_kelvin(mean.float(), kelvin_range), kelvin)
    return frame, add_detail(frame, added.float() * (high - low), warmest_around(frame, kelvin), sensors, noise)


def warmest_around(frame: Tensor, lowres: Tensor) -> Tensor:
    """Return the kelvins (B, 1, H, W) that no detail may exceed: little more than the warmest pixel measured near.

    Clouds have detail that is far colder than what was measured around, but ground and sea are hardly ever warmer: of
    five sequences one pixel in 3,000 to 12,000 by `WARMER`.

    Parameters
    ----------
    frame : (B, 1, H, W)
        The mean, in kelvin, which may itself exceed what was measured.
    lowres : (B, 1, h, w)
        In kelvin, none missing.
    """
    warmest = functional.max_pool2d(lowres, 2 * NEAR + 1, 1, NEAR) + WARMER
    scale = frame.shape[-1] // lowres.shape[-1]
    # The projection that follows moves pixels by a part of a kelvin.
    return torch.maximum(functional.interpolate(warmest.clamp(max=VALID_KELVIN[1] - 1), scale_factor=scale), frame)


def add_detail(
    frame: Tensor, added: Tensor, warmest: Tensor, sensors: SensorBatch, noise: Tensor | None = None
) -> Tensor:
    """Return frames that keep what was measured and add detail, as far as clouds, ground and sea allow; in kelvin.

    What the bounds cut off is made up for around, so a pixel may exceed them by a part of it.
    """
    kept = sensors.keep(frame + added, frame, noise)
    bounded = kept.clamp(frame.clamp(max=VALID_KELVIN[0] + 1), warmest)
    # Each member is its own reference: where the sensor has noise, only what was cut may be smoothed once more.
    bounded, reference = (members.flatten(0, 1)[:, None] for members in (bounded, kept))
    count = kept.shape[1]
    return sensors.repeat(count).keep(bounded, reference)[:, 0].unflatten(0, (-1, count))
