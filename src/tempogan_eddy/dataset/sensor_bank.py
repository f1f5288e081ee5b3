"""Many sensors at once: each sample of a training batch is seen by its own.

A bank holds sensors by number. `SensorBank.batch` returns those of a batch as stacked matrices, so that seeing and
projecting cost a few matrix products on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from tempogan_eddy.dataset.axis import Axis, Kernel, axis_of, correction, matrix_of, modulation, stack_axes
from tempogan_eddy.dataset.missing import MINIMUM_SEEN
from tempogan_eddy.dataset.radiance import to_brightness, to_radiance
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
    regularisation : (B, 1, 1)
        Lambda of the projection.
    wavelength : (B,)
        In micrometres; 0 averages kelvin.
    """

    description: Tensor
    rows: Axis
    columns: Axis
    regularisation: Tensor
    wavelength: Tensor

    def __getitem__(self, samples: slice) -> SensorBatch:
        """Return the sensors of some samples."""
        return self._map(lambda part: part[samples])

    def to(self, device: torch.device | str) -> SensorBatch:
        """Return the same on a device."""
        return self._map(lambda part: part.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> SensorBatch:
        parts = (change(part) for part in (self.regularisation, self.wavelength))
        return SensorBatch(change(self.description), self.rows.map(change), self.columns.map(change), *parts)

    def repeat(self, count: int) -> SensorBatch:
        """Return each sensor ``count`` times in a row, for the frames of a window."""
        return self._map(lambda part: part.repeat_interleave(count, 0))

    def project(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Return frames (B, 1, H, W) in kelvin that the sensors see as (B, 1, h, w), as `SensorModel.project`."""
        values, measured = (
            _each_wavelength(frames[:, 0], self.wavelength, to_radiance) - OFFSET for frames in (highres, lowres)
        )
        values = values + correction(values, measured, self.rows, self.columns, self.regularisation)
        return _each_wavelength(values + OFFSET, self.wavelength, to_brightness)[:, None]

    def keep(self, members: Tensor, frames: Tensor) -> Tensor:
        """Return members (B, M, H, W) in kelvin that the sensors see, without noise, as they see frames (B, 1, H, W).

        It removes from each member what the sensor would see of its difference from the frame. Where there is noise it
        leaves the share of it that the noise could hide.
        """
        count = members.shape[1]
        values = _each_wavelength(frames[:, 0], self.wavelength, to_radiance) - OFFSET
        seen = _each_wavelength(
            self.rows.matrix @ values @ self.columns.matrix.mT + OFFSET, self.wavelength, to_brightness
        )
        kept = self.repeat(count).project(members.flatten(0, 1)[:, None], seen[:, None].repeat_interleave(count, 0))
        return kept[:, 0].unflatten(0, (-1, count))


def _each_wavelength(frames: Tensor, wavelength: Tensor, convert: Callable[[Tensor, float], Tensor]) -> Tensor:
    """Convert the frames of each wavelength that occurs in a batch."""
    for value in wavelength.unique().tolist():
        if value:
            chosen = (wavelength == value).nonzero()[:, 0]
            frames = frames.index_copy(0, chosen, convert(frames[chosen], value))
    return frames


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

    def batch(self, numbers: Tensor, height: int, width: int) -> SensorBatch:
        """Return the sensors of these numbers (B,), for frames of (height, width) lowres pixels."""
        chosen = [self.sensors[number] for number in numbers.tolist()]
        rows, columns = (
            stack_axes([axis_of(sensor.kernels[axis], self.scale, size) for sensor in chosen])
            for axis, size in enumerate((height, width))
        )
        regularisation, wavelength = (
            torch.tensor([getattr(sensor, name) for sensor in chosen]) for name in ("regularisation", "wavelength")
        )
        return SensorBatch(self.descriptions[numbers], rows, columns, regularisation.view(-1, 1, 1), wavelength)

    def see(self, frames: Tensor, inside: Tensor, numbers: Tensor, seeds: Sequence[int]) -> Tensor:
        """See each sample by the sensor of its number, with noise and rounding.

        Parameters
        ----------
        frames, inside
            (B, T, H + 2 m, W + 2 m) with the margin m of the bank, as for `SensorModel.see`.
        numbers
            (B,) of sensors.
        seeds
            Decide the noise of each sample.

        Returns
        -------
        Tensor
            (B, T, h, w), NaN where less than half was seen.
        """
        chosen = [self.sensors[number] for number in numbers.tolist()]
        height, width = ((side - 2 * self.margin) // self.scale for side in frames.shape[-2:])
        rows, columns = (
            torch.stack([_with_margin(sensor.kernels[axis], sensor.scale, size, self.margin) for sensor in chosen]).to(
                frames.device
            )[:, None]
            for axis, size in enumerate((height, width))
        )
        wavelength = torch.tensor([sensor.wavelength for sensor in chosen], device=frames.device)
        values, missing = _each_wavelength(frames, wavelength, to_radiance) - OFFSET, frames.isnan()
        seen = rows @ torch.where(missing, 0.0, values) @ columns.mT
        if missing.any():
            weight, present = (rows @ part.float() @ columns.mT for part in (~missing, inside))
            seen = torch.where(weight >= MINIMUM_SEEN * present, seen / weight, torch.nan)
        lowres = _each_wavelength(seen + OFFSET, wavelength, to_brightness)
        return torch.cat(
            [
                sensor.add_noise(lowres[number : number + 1], seeds[number : number + 1])
                for number, sensor in enumerate(chosen)
            ]
        )


@lru_cache(1 << 13)
def _with_margin(kernel: Kernel, scale: int, size: int, margin: int) -> Tensor:
    return matrix_of(kernel, scale, size, margin).float()
