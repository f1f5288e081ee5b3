"""Planck's law at one wavelength, between kelvin and a radiance in kelvin-like units.

An imager averages radiance. Cold cloud radiates little, so a footprint half over cloud is warmer in brightness
temperature than the mean of its kelvins.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = [
    "COLD_KELVIN",
    "REFERENCE_KELVIN",
    "count_kelvin",
    "darkest_count",
    "noise_at",
    "planck_constants",
    "round_to_counts",
    "round_to_steps",
    "to_brightness",
    "to_brightnesses",
    "to_radiance",
    "to_radiances",
]

SECOND_RADIATION_CONSTANT = 14387.768775  # h c / k, µm K (CODATA 2018)

# The units of radiance: equal to kelvin, and growing like it, at this temperature.
REFERENCE_KELVIN = 250.0

# Imagers state their noise for a scene of this temperature.
NOISE_KELVIN = 300.0

# Counts are even in radiance from 0 to that of this temperature.
HOTTEST_KELVIN = VALID_KELVIN[1]

# Below this temperature GMS VISSR rounds to another step.
COLD_KELVIN = 242.0

# Projections may ask for less radiance than there is; nothing on Earth is colder.
COLDEST_KELVIN = 100.0


def _exponent(wavelength: float) -> float:
    return SECOND_RADIATION_CONSTANT / wavelength


def _slope(kelvin: float, wavelength: float) -> float:
    """Return dB/dT of B = 1 / (exp(c / T) - 1)."""
    c = _exponent(wavelength)
    return c / kelvin**2 / (2 * math.sinh(c / (2 * kelvin))) ** 2


Number = float | Tensor  # of one wavelength, or of each sample's


def _radiance(kelvin: Tensor, c: Number, reference: Number, unit: Number, *_: Number) -> Tensor:
    # Relative to the reference, so that single precision keeps 1e-4 K.
    return REFERENCE_KELVIN + (reference / (torch.exp(c / kelvin) - 1) - 1) * unit  # ONNX has no expm1


def _brightness(radiance: Tensor, c: Number, reference: Number, unit: Number, least: Number) -> Tensor:
    relative = 1 + (radiance.clamp(min=least) - REFERENCE_KELVIN) / unit
    return c / torch.log1p(reference / relative)


@lru_cache
def planck_constants(wavelength: float) -> tuple[float, float, float, float, float]:
    """Return the constants of Planck's law that `to_radiances` and `to_brightnesses` need; the first is 0 for none."""
    used = wavelength or 11.0  # any: it must not make a number that is not finite
    c = float(np.float32(_exponent(used)))  # rounded in all three places alike
    reference = math.expm1(c / REFERENCE_KELVIN)
    unit = 1 / (reference * _slope(REFERENCE_KELVIN, used))
    least = _radiance(torch.tensor(COLDEST_KELVIN, dtype=torch.float64), c, reference, unit)
    return float(wavelength > 0), c, reference, unit, float(least)


def to_radiance(kelvin: Tensor, wavelength: float) -> Tensor:
    """Return the radiance at a wavelength in micrometres; at 0, the kelvins themselves."""
    return _radiance(kelvin, *planck_constants(wavelength)[1:]) if wavelength else kelvin


def to_brightness(radiance: Tensor, wavelength: float) -> Tensor:
    """Undo `to_radiance`; no radiance gives less than 100 K."""
    return _brightness(radiance, *planck_constants(wavelength)[1:]) if wavelength else radiance


def to_radiances(kelvin: Tensor, constants: Tensor) -> Tensor:
    """Return the radiance (B, ...) of each sample at its own wavelength, given `planck_constants` (B, 5)."""
    averages, *law = _columns(constants, kelvin)
    # What is not chosen below must be finite too, or its gradient is not; colder values than any have no radiance.
    seen = torch.where(averages > 0, kelvin.clamp(min=COLDEST_KELVIN / 4), REFERENCE_KELVIN)
    return torch.where(averages > 0, _radiance(seen, *law), kelvin)


def to_brightnesses(radiance: Tensor, constants: Tensor) -> Tensor:
    """Undo `to_radiances`."""
    averages, *law = _columns(constants, radiance)
    used = torch.where(averages > 0, radiance, REFERENCE_KELVIN)
    return torch.where(averages > 0, _brightness(used, *law), radiance)


def _columns(constants: Tensor, frames: Tensor) -> tuple[Tensor, ...]:
    return constants.view(*constants.shape[:1], *[1] * (frames.dim() - 1), -1).unbind(-1)


def noise_at(kelvin: float, noise_kelvin: float, wavelength: float) -> float:
    """Return the noise in kelvin at a temperature, of an instrument with ``noise_kelvin`` at 300 K.

    Its noise in radiance is the same everywhere, so in kelvin it grows towards cold.
    """
    if not wavelength:
        return noise_kelvin
    return noise_kelvin * _slope(NOISE_KELVIN, wavelength) / _slope(kelvin, wavelength)


def count_kelvin(wavelength: float, bits: int) -> float:
    """Return the step of one count, in radiance units, which are kelvin near 250 K."""
    ends = torch.tensor([1.0, HOTTEST_KELVIN], dtype=torch.float64)
    darkest, brightest = to_radiance(ends, wavelength).tolist()
    return (brightest - darkest) / (2**bits - 1)


def darkest_count(wavelength: float) -> float:
    """Return the radiance of count 0."""
    return float(to_radiance(torch.tensor(1.0, dtype=torch.float64), wavelength))


def round_to_counts(kelvin: Tensor, wavelength: float, bits: int) -> Tensor:
    """Round to counts that are even in radiance."""
    step, darkest = count_kelvin(wavelength, bits), darkest_count(wavelength)
    counts = ((to_radiance(kelvin, wavelength) - darkest) / step).round()
    return to_brightness(darkest + counts * step, wavelength)


def round_to_steps(kelvin: Tensor, quantum: float, cold_quantum: float = 0.0) -> Tensor:
    """Round to multiples of ``quantum``, and below 242 K to those of ``cold_quantum``; 0 does not round."""
    if not quantum and not cold_quantum:
        return kelvin
    rounded = (kelvin / quantum).round() * quantum if quantum else kelvin
    if not cold_quantum:
        return rounded
    return torch.where(kelvin < COLD_KELVIN, (kelvin / cold_quantum).round() * cold_quantum, rounded)
