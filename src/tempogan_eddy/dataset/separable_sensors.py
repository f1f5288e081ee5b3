"""Separable sensors: one kernel along rows and along columns, sampled at the centres of the blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.dataset.missing import MINIMUM_SEEN
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.device import exact_convolutions

__all__ = ["AreaSensor", "BicubicSensor", "GaussianSensor", "SeparableSensor"]


@dataclass(frozen=True)
class SeparableSensor(SensorModel):
    """A sensor given by its kernel. At the edge of a frame the part of the kernel inside is scaled to sum 1."""

    def kernel(self) -> Tensor:
        """Return the 1-D kernel: ``scale`` + 2 k values around the centre of a block, sum 1."""
        raise NotImplementedError

    @property
    def margin(self) -> int:
        """How far, in highres pixels, the kernel reaches beyond a block; a multiple of ``scale``."""
        reach = (len(self.kernel()) - self.scale) // 2
        return math.ceil(reach / self.scale) * self.scale

    def see(self, frames: Tensor, inside: Tensor | None = None) -> Tensor:
        """See highres frames; missing pixels have no weight, so the valid ones make the lowres pixel."""
        height, width = frames.shape[-2:]
        if height % self.scale or width % self.scale:
            raise ValueError(f"{height}x{width} is not a multiple of the scale {self.scale}")
        flat = frames.reshape(-1, 1, height, width).float()
        missing = flat.isnan()
        # Deviations from a constant lose less to rounding than kelvins do.
        offset = 250.0
        seen = self._sample(torch.where(missing, 0.0, flat - offset))
        if self.margin or missing.any():
            weight = self._sample((~missing).float())
            # Pixels beyond the frame do not count as missing.
            present = torch.ones_like(flat[:1]) if inside is None else inside.reshape(-1, 1, height, width).float()
            seen = torch.where(weight >= MINIMUM_SEEN * self._sample(present), seen / weight, math.nan)
        return (seen + offset).reshape(*frames.shape[:-2], height // self.scale, width // self.scale)

    def adjoint(self, lowres: Tensor) -> Tensor:
        """Apply the transpose of A to lowres frames (..., h, w): (..., H, W)."""
        rows, columns = (_matrix(self, size).to(lowres) for size in lowres.shape[-2:])
        return rows.mT @ lowres @ columns

    def project(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Return the frames x nearest to the highres frames that satisfy A x = y, to rounding.

        A is the product of a matrix for rows and one for columns, so its pseudo-inverse is the product of theirs.
        """
        error = (lowres - self.see(highres)).nan_to_num(0.0).double()
        rows, columns = (_inverse(self, size).to(error.device) for size in lowres.shape[-2:])
        return highres + (rows @ error @ columns.mT).to(highres.dtype)

    def _sample(self, frames: Tensor) -> Tensor:
        """Convolve with strides, separably; pixels outside the frame count as zero."""
        kernel = self.kernel().to(frames.device)
        padding = (len(kernel) - self.scale) // 2
        with exact_convolutions():
            frames = functional.conv2d(frames, kernel.view(1, 1, -1, 1), stride=(self.scale, 1), padding=(padding, 0))
            return functional.conv2d(frames, kernel.view(1, 1, 1, -1), stride=(1, self.scale), padding=(0, padding))


@cache
def _matrix(sensor: SeparableSensor, size: int) -> Tensor:
    """Return A along one axis, (size, size * scale) in float64, for ``size`` lowres pixels."""
    kernel, scale = sensor.kernel().double(), sensor.scale
    padding = (len(kernel) - scale) // 2
    matrix = torch.zeros(size, size * scale + 2 * padding, dtype=torch.float64)
    for number in range(size):
        matrix[number, number * scale : number * scale + len(kernel)] = kernel
    matrix = matrix[:, padding : padding + size * scale]
    return matrix / matrix.sum(dim=1, keepdim=True)


@cache
def _inverse(sensor: SeparableSensor, size: int) -> Tensor:
    return torch.linalg.pinv(_matrix(sensor, size))


@dataclass(frozen=True)
class AreaSensor(SeparableSensor):
    """The mean over a block."""

    is_block_mean = True

    def kernel(self) -> Tensor:
        """Return equal weights."""
        return torch.full((self.scale,), 1.0 / self.scale)

    def project(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Add to each block the error of its mean."""
        error = (lowres - self.see(highres)).nan_to_num(0.0)
        return highres + error.repeat_interleave(self.scale, -2).repeat_interleave(self.scale, -1)

    def _sample(self, frames: Tensor) -> Tensor:
        return functional.avg_pool2d(frames, self.scale)


@dataclass(frozen=True)
class BicubicSensor(SeparableSensor):
    """Antialiased bicubic interpolation."""

    def kernel(self) -> Tensor:
        """Return the cubic kernel of Keys (1981), a = -0.5, stretched by the scale."""
        offsets = torch.arange(4 * self.scale, dtype=torch.float64) - (4 * self.scale - 1) / 2
        weights = _keys(offsets / self.scale)
        return (weights / weights.sum()).float()


@dataclass(frozen=True)
class GaussianSensor(SeparableSensor):
    """A gaussian footprint, cut off at four standard deviations."""

    uses_sigma = True

    def kernel(self) -> Tensor:
        """Return the gaussian."""
        reach = max(self.scale, self.scale + 2 * math.ceil(4 * self.sigma - self.scale / 2))
        offsets = torch.arange(reach, dtype=torch.float64) - (reach - 1) / 2
        weights = torch.exp(-0.5 * (offsets / self.sigma) ** 2)
        return (weights / weights.sum()).float()


def _keys(distance: Tensor, a: float = -0.5) -> Tensor:
    """Cubic convolution kernel of Keys (1981), doi:10.1109/TASSP.1981.1163711."""
    d = distance.abs()
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))
