"""Many sensors at once: each sample of a training batch is seen by its own.

A bank holds sensors by number. `SensorBank.batch` returns those of a batch as stacked matrices, so that seeing and
projecting cost a few matrix products on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from tempogan_eddy.dataset.axis import Kernel, axis_of, matrix_of, modulation
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
    rows, columns : (B, h, H) and (B, w, W)
        A along y and x.
    row_vectors, column_vectors : (B, h, h) and (B, w, w)
        Eigenvectors of A A^T along each axis, in columns.
    weights : (B, h, w)
        1 over the eigenvalues of A A^T + lambda.
    wavelength : (B,)
        In micrometres; 0 averages kelvin.
    """

    description: Tensor
    rows: Tensor
    columns: Tensor
    row_vectors: Tensor
    column_vectors: Tensor
    weights: Tensor
    wavelength: Tensor

    def __getitem__(self, samples: slice) -> SensorBatch:
        """Return the sensors of some samples."""
        return self._map(lambda part: part[samples])

    def to(self, device: torch.device | str) -> SensorBatch:
        """Return the same on a device."""
        return self._map(lambda part: part.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> SensorBatch:
        return SensorBatch(*(change(getattr(self, field.name)) for field in fields(self)))

    def repeat(self, count: int) -> SensorBatch:
        """Return each sensor ``count`` times in a row, for the frames of a window."""
        return self._map(lambda part: part.repeat_interleave(count, 0))

    def project(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Return frames (B, 1, H, W) in kelvin that the sensors see as (B, 1, h, w), as `SensorModel.project`."""
        radiance, measured = self._radiance(highres[:, 0]), self._radiance(lowres[:, 0])
        error = measured - OFFSET - self.rows @ (radiance - OFFSET) @ self.columns.mT
        spectrum = (self.row_vectors.mT @ error @ self.column_vectors) * self.weights
        correction = (self.rows.mT @ self.row_vectors) @ spectrum @ (self.column_vectors.mT @ self.columns)
        return self._brightness(radiance + correction)[:, None]

    def _radiance(self, kelvin: Tensor) -> Tensor:
        return _each_wavelength(kelvin, self.wavelength, to_radiance)

    def _brightness(self, radiance: Tensor) -> Tensor:
        return _each_wavelength(radiance, self.wavelength, to_brightness)


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
        rows = [axis_of(sensor.kernels[0], self.scale, height) for sensor in chosen]
        columns = [axis_of(sensor.kernels[1], self.scale, width) for sensor in chosen]
        weights = [
            1 / (row.values[:, None] * column.values + sensor.regularisation)
            for row, column, sensor in zip(rows, columns, chosen, strict=True)
        ]
        return SensorBatch(
            self.descriptions[numbers],
            torch.stack([axis.matrix for axis in rows]).float(),
            torch.stack([axis.matrix for axis in columns]).float(),
            torch.stack([axis.vectors for axis in rows]).float(),
            torch.stack([axis.vectors for axis in columns]).float(),
            torch.stack(weights).float(),
            torch.tensor([sensor.wavelength for sensor in chosen]),
        )

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
