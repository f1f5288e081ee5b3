"""Many sensors at once: each sample of a training batch is seen by its own.

A bank holds sensors by number. `SensorBank.batch` returns those of a batch as stacked matrices, so that seeing and
projecting cost a few matrix products on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tempogan_eddy.dataset.axis import Axis, Kernel, correction, matrix_of, modulation, stack_axes
from tempogan_eddy.dataset.missing import MINIMUM_SEEN
from tempogan_eddy.dataset.radiance import (
    COLD_KELVIN,
    REFERENCE_KELVIN,
    count_kelvin,
    darkest_count,
    noise_at,
    planck_constants,
    to_brightnesses,
    to_radiances,
)
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.separable_sensors import OFFSET, SeparableSensor
from tempogan_eddy.errors import InputError

__all__ = ["DESCRIPTION", "SensorBank", "SensorBatch", "describe_sensor"]

# Cycles per lowres pixel at which a network learns the transfer function; 0.5 is the lowres Nyquist frequency.
FREQUENCIES = torch.tensor([0.25, 0.5, 0.75, 1.0, 1.5])

DESCRIPTION = 4 * len(FREQUENCIES) + 3
"""Numbers that describe a sensor to a network."""


def describe_sensor(sensor: SensorModel) -> Tensor:
    """Return the numbers that tell a network how a sensor sees: (DESCRIPTION,) float32.

    The transfer functions along y and x, real and imaginary part, at `FREQUENCIES`; the noise in kelvin and its square
    root, which resolves small noise; and 1 where the sensor averages radiance.

    Raises
    ------
    InputError
        The sensor is not separable.
    """
    if not isinstance(sensor, SeparableSensor):
        raise InputError(
            f"The sensor {sensor.kind} is not separable, so the network cannot adapt to it; train a model for it alone."
        )
    parts = [modulation(kernel, sensor.scale, FREQUENCIES) for kernel in sensor.kernels]
    noise = torch.tensor([sensor.noise, sensor.noise**0.5, float(bool(sensor.wavelength))], dtype=torch.float64)
    return torch.cat([*(part.real for part in parts), *(part.imag for part in parts), noise]).float()


@dataclass(frozen=True)
class SensorBatch:
    """One sensor for each of B samples of one size.

    Attributes
    ----------
    description : (B, DESCRIPTION)
        For the network.
    rows, columns
        A along y and x, with B in front.
    noise : (B, 1, 1)
        Standard deviation of noise and rounding together, in radiance units near 250 K.
    regularisation : (B, 1, 1)
        Lambda of the projection.
    planck : (B, 5), optional
        `planck_constants` of each; None where all average kelvin.
    """

    description: Tensor
    rows: Axis
    columns: Axis
    noise: Tensor
    regularisation: Tensor
    planck: Tensor | None = None

    def __getitem__(self, samples: slice) -> SensorBatch:
        """Return the sensors of some samples."""
        return self._map(lambda part: part[samples])

    def to(self, device: torch.device | str) -> SensorBatch:
        """Return the same on a device."""
        return self._map(lambda part: part.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> SensorBatch:
        planck = None if self.planck is None else change(self.planck)
        axes = self.rows.map(change), self.columns.map(change)
        return SensorBatch(change(self.description), *axes, change(self.noise), change(self.regularisation), planck)

    def repeat(self, count: int) -> SensorBatch:
        """Return each sensor ``count`` times in a row, for the frames of a window."""
        return self if count == 1 else self._map(lambda part: part.repeat_interleave(count, 0))

    def project(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Return frames (B, 1, H, W) in kelvin that the sensors see as (B, 1, h, w), as `SensorModel.project`."""
        values, measured = (_radiances(frames[:, 0], self.planck) - OFFSET for frames in (highres, lowres))
        values = values + correction(values, measured, self.rows, self.columns, self.regularisation)
        return _brightnesses(values + OFFSET, self.planck)[:, None]

    def keep(self, members: Tensor, frames: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return members in kelvin that the sensors see, without noise, as they see the frames.

        It removes from each member what the sensor would see of its difference from the frame. Where there is noise it
        leaves the share of it that the noise could hide.

        Parameters
        ----------
        members : (B, M, H, W)
        frames : (B, 1, H, W)
        noise : (B, M, h, w), optional
            White, of variance 1: each member keeps what the sensor could as well have measured, with this noise. So
            members differ as much as the noise in the frame leaves open (perturbed observations: Burgers, van Leeuwen
            and Evensen, Monthly Weather Review 126, 1998).

        Returns
        -------
        Tensor
            (B, M, H, W).
        """
        count = members.shape[1]
        values = _radiances(frames[:, 0], self.planck) - OFFSET
        seen = (self.rows.matrix @ values @ self.columns.matrix.mT + OFFSET)[:, None]
        if noise is not None:
            seen = seen + self.noise[:, None] * noise
        seen = _brightnesses(seen, self.planck).expand(-1, count, -1, -1)
        kept = self.repeat(count).project(members.flatten(0, 1)[:, None], seen.flatten(0, 1)[:, None])
        return kept[:, 0].unflatten(0, (-1, count))


def _radiances(kelvin: Tensor, planck: Tensor | None) -> Tensor:
    return kelvin if planck is None else to_radiances(kelvin, planck)


def _brightnesses(radiance: Tensor, planck: Tensor | None) -> Tensor:
    return radiance if planck is None else to_brightnesses(radiance, planck)


class SensorBank:
    """Sensors by number.

    Parameters
    ----------
    sensors
        Separable, of one scale.
    """

    def __init__(self, sensors: Sequence[SeparableSensor]) -> None:
        self.sensors = list(sensors)
        self.scale = self.sensors[0].scale
        self.margin = max(sensor.margin for sensor in self.sensors)

    @cached_property
    def descriptions(self) -> Tensor:
        """The description of each sensor, (N, DESCRIPTION)."""
        return torch.stack([describe_sensor(sensor) for sensor in self.sensors])

    @cached_property
    def _planck(self) -> Tensor | None:
        """The constants of Planck's law of each sensor, (N, 5)."""
        if not any(sensor.wavelength for sensor in self.sensors):
            return None
        return torch.tensor([planck_constants(sensor.wavelength) for sensor in self.sensors])

    @cached_property
    def _measuring(self) -> Tensor:
        """Noise in radiance units, step and darkest of the counts, quantum and cold quantum of each sensor, (N, 5)."""
        return torch.tensor(
            [
                (
                    noise_at(REFERENCE_KELVIN, sensor.noise_kelvin, sensor.wavelength),
                    count_kelvin(sensor.wavelength, sensor.bits) if sensor.bits else 0.0,
                    darkest_count(sensor.wavelength) if sensor.bits else 0.0,
                    sensor.quantum,
                    sensor.cold_quantum,
                )
                for sensor in self.sensors
            ]
        )

    def batch(self, numbers: Tensor, height: int, width: int) -> SensorBatch:
        """Return the sensors of these numbers (B,), on the CPU, for frames of (height, width) lowres pixels."""
        chosen = [self.sensors[number] for number in numbers.numpy().tolist()]
        rows, columns = (
            stack_axes([sensor.kernels[axis] for sensor in chosen], self.scale, size)
            for axis, size in enumerate((height, width))
        )
        noise, regularisation = (
            torch.tensor([getattr(sensor, name) for sensor in chosen]).view(-1, 1, 1)
            for name in ("noise", "regularisation")
        )
        planck = None if self._planck is None else self._planck[numbers]
        return SensorBatch(self.descriptions[numbers], rows, columns, noise, regularisation, planck)

    def see(
        self, frames: Tensor, inside: Tensor, numbers: Tensor, noise: Tensor | None = None, *, holed: bool = True
    ) -> Tensor:
        """See each sample by the sensor of its number, with noise and rounding.

        Parameters
        ----------
        frames, inside
            (B, T, H + 2 m, W + 2 m) with the margin m of the bank, as for `SensorModel.see`.
        numbers
            (B,) of sensors, on the CPU.
        noise
            (B, T, h, w) of unit variance; none by default.
        holed
            Whether any pixel may be missing or outside.

        Returns
        -------
        Tensor
            (B, T, h, w), NaN where less than half was seen.
        """
        chosen, device = [self.sensors[number] for number in numbers.numpy().tolist()], frames.device
        height, width = ((side - 2 * self.margin) // self.scale for side in frames.shape[-2:])
        rows, columns = (
            torch.from_numpy(
                np.stack([_with_margin(sensor.kernels[axis], self.scale, size, self.margin) for sensor in chosen])
            ).to(device)
            for axis, size in enumerate((height, width))
        )
        planck = None if self._planck is None else self._planck[numbers].to(device)
        values = _radiances(frames, planck) - OFFSET
        if not holed:
            seen = _sample(values, rows, columns)
        else:
            missing = frames.isnan()
            parts = torch.cat([values.masked_fill(missing, 0.0), (~missing).float(), inside.float()], dim=1)
            seen, weight, present = _sample(parts, rows, columns).chunk(3, dim=1)
            seen = torch.where(weight >= MINIMUM_SEEN * present, seen / weight, torch.nan)
        return self._measure(seen + OFFSET, planck, self._measuring[numbers].to(device), noise)

    def _measure(self, radiance: Tensor, planck: Tensor | None, measuring: Tensor, noise: Tensor | None) -> Tensor:
        """Return the values that the instruments deliver, as `SensorModel.measure`."""
        amount, step, darkest, quantum, cold = measuring.view(-1, 1, 1, 1, 5).unbind(-1)
        if noise is not None:
            radiance = torch.addcmul(radiance, amount, noise)
        if any(sensor.bits for sensor in self.sensors):
            radiance = torch.where(step > 0, darkest + _round(radiance - darkest, step), radiance)
        kelvin = _brightnesses(radiance, planck)
        rounded = _round(kelvin, quantum) if any(sensor.quantum for sensor in self.sensors) else kelvin
        if any(sensor.cold_quantum for sensor in self.sensors):
            rounded = torch.where(kelvin < COLD_KELVIN, _round(kelvin, torch.where(cold > 0, cold, quantum)), rounded)
        return rounded


def _sample(frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the products with A of each sample along both axes, (B, T, H, W) to (B, T, h, w): two matrix products."""
    count, height, narrow = frames.shape[1], rows.shape[1], columns.shape[1]
    across = (frames.flatten(1, 2) @ columns.mT).unflatten(1, (count, -1)).transpose(1, 2).flatten(2)
    return (rows @ across).view(-1, height, count, narrow).transpose(1, 2)


def _round(values: Tensor, step: Tensor) -> Tensor:
    """Round to multiples of a step, and leave the values as they are where it is 0."""
    return torch.where(step > 0, (values / step).round() * step, values)


@lru_cache(1 << 13)
def _with_margin(kernel: Kernel, scale: int, size: int, margin: int) -> NDArray[np.float32]:
    return matrix_of(kernel, scale, size, margin).astype(np.float32)
