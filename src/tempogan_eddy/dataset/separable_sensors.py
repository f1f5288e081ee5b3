"""Separable sensors: one kernel along rows, one along columns, sampled once per lowres pixel."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.dataset.axis import FWHM, Axis, Kernel, axis_of, correction, footprint
from tempogan_eddy.dataset.blocks import repeat_pixels
from tempogan_eddy.dataset.missing import MINIMUM_SEEN
from tempogan_eddy.dataset.radiance import to_brightness, to_radiance
from tempogan_eddy.dataset.sensor import SensorModel, within
from tempogan_eddy.device import exact_convolutions
from tempogan_eddy.errors import InputError

__all__ = ["WIDEST", "AreaSensor", "BicubicSensor", "BoxSensor", "GaussianSensor", "NearestSensor", "SeparableSensor"]

# No projection depends on lowres pixels farther away than this.
FARTHEST = 32

# The widest footprint, lowres pixels.
WIDEST = 8

# Deviations from a constant lose less to rounding than kelvins do.
OFFSET = 250.0


@dataclass(frozen=True)
class SeparableSensor(SensorModel):
    """A sensor given by its kernels. At the edge of a frame the part of a kernel inside is scaled to sum 1."""

    def kernel(self) -> Tensor:
        """Return the 1-D kernel of both axes: ``scale`` + 2 k values around the centre of a block, sum 1."""
        raise NotImplementedError

    @cached_property
    def kernels(self) -> tuple[Kernel, Kernel]:
        """The kernels along y and along x; by default both are `kernel`."""
        both = tuple(self.kernel().double().tolist())
        return both, both

    @property
    def margin(self) -> int:
        """How far, in highres pixels, the kernels reach beyond a block; a multiple of ``scale``."""
        reach = (max(map(len, self.kernels)) - self.scale) // 2
        return math.ceil(reach / self.scale) * self.scale

    @cached_property
    def halo(self) -> int:
        """Lowres pixels around a tile on which its projection depends, to 0.003 %."""
        size = 2 * FARTHEST + 1
        reach = 0
        for kernel in self.kernels:
            axis = axis_of(kernel, self.scale, size)
            # The response of the highres frame to one lowres pixel in the middle.
            response = axis.spread @ (axis.vectors[FARTHEST] / (axis.values + math.sqrt(self.regularisation)))
            seen = response.abs().unflatten(0, (size, self.scale)).amax(dim=1)
            far = (torch.arange(size) - FARTHEST).abs()[seen > 3e-5 * seen.max()]
            reach = max(reach, int(far.max()))
        return reach + self.margin // self.scale

    def see(self, frames: Tensor, inside: Tensor | None = None, *, holed: bool | None = None) -> Tensor:
        """See highres frames; missing pixels have no weight, so the valid ones make the lowres pixel.

        ``holed`` says whether there may be any; None searches for them, which waits for a GPU.
        """
        height, width = frames.shape[-2:]
        if height % self.scale or width % self.scale:
            raise ValueError(f"{height}x{width} is not a multiple of the scale {self.scale}")
        flat = to_radiance(frames.reshape(-1, 1, height, width).float(), self.wavelength)
        if holed is None:
            holed = bool(self.margin) or bool(flat.isnan().any())
        if not holed:
            seen = self._sample(flat - OFFSET)
        else:
            missing = flat.isnan()
            weight = self._sample((~missing).float())
            # Pixels beyond the frame do not count as missing.
            present = torch.ones_like(flat[:1]) if inside is None else inside.reshape(-1, 1, height, width).float()
            seen = self._sample(torch.where(missing, 0.0, flat - OFFSET)) / weight
            seen = torch.where(weight >= MINIMUM_SEEN * self._sample(present), seen, math.nan)
        lowres = to_brightness(seen + OFFSET, self.wavelength)
        return lowres.reshape(*frames.shape[:-2], height // self.scale, width // self.scale)

    def adjoint(self, lowres: Tensor) -> Tensor:
        """Apply the transpose of A to lowres frames (..., h, w): (..., H, W)."""
        rows, columns = self._axes(lowres)
        return rows.matrix.mT @ lowres @ columns.matrix

    def project(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Return x + A^T (A A^T + lambda)^-1 (y - A x), with lambda from the noise."""
        missing = lowres.isnan()
        if missing.any():
            lowres = torch.where(missing, self.see(highres), lowres)
        return self.project_complete(highres, lowres)

    def project_complete(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Project onto lowres frames without missing pixels, as `project` does, without waiting for the device."""
        values = to_radiance(highres, self.wavelength) - OFFSET
        measured = to_radiance(lowres, self.wavelength) - OFFSET
        rows, columns = self._axes(lowres)
        values = values + correction(values, measured, rows, columns, self.regularisation)
        return to_brightness(values + OFFSET, self.wavelength)

    def _axes(self, lowres: Tensor) -> list[Axis]:
        """Return A along y and x for frames of this size, on their device."""
        sizes = (int(size) for size in lowres.shape[-2:])  # in a trace for an export they are tensors
        return [
            _axis_on(kernel, self.scale, size, lowres.device, lowres.dtype)
            for kernel, size in zip(self.kernels, sizes, strict=True)
        ]

    def _sample(self, frames: Tensor) -> Tensor:
        """Convolve with strides, separably; pixels outside the frame count as zero."""
        for axis, kernel in zip((-2, -1), self.kernels, strict=True):
            weights = torch.tensor(kernel, dtype=torch.float32, device=frames.device)
            padding, stride = [0, 0], [1, 1]
            padding[axis], stride[axis] = (len(kernel) - self.scale) // 2, self.scale
            with exact_convolutions():
                frames = functional.conv2d(
                    frames, weights.view((-1, 1) if axis == -2 else (1, -1))[None, None], None, stride, padding
                )
        return frames


@dataclass(frozen=True)
class BoxSensor(SeparableSensor):
    """A rectangular footprint, blurred by a gaussian: the mean over a box of highres pixels.

    Parameters
    ----------
    width, width_x
        Of the box in lowres pixels, along y and along x (as along y by default).
    fwhm, fwhm_x
        Full width at half maximum of the gaussian in lowres pixels, along y and along x; 0 for none.
    phase, phase_x
        How far the footprint lies below and to the right of the centre of its lowres pixel, in lowres pixels.
    """

    width: float = within(1.0, 0, WIDEST)
    fwhm: float = within(0.0, 0, WIDEST)
    phase: float = within(0.0, -1, 1)
    width_x: float | None = within(None, 0, WIDEST)
    fwhm_x: float | None = within(None, 0, WIDEST)
    phase_x: float | None = within(None, -1, 1)

    @cached_property
    def kernels(self) -> tuple[Kernel, Kernel]:
        """The kernels along y and along x."""
        along_y, along_x = (
            footprint(self.scale, width * self.scale, fwhm * self.scale / FWHM, phase * self.scale)
            for width, fwhm, phase in self.sizes
        )
        return along_y, along_x

    @property
    def sizes(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Width, full width at half maximum and phase, along y and along x, in lowres pixels."""
        along_y = (self.width, self._fwhm, self.phase)
        given = (self.width_x, self.fwhm_x, self.phase_x)
        width, fwhm, phase = (y if x is None else x for x, y in zip(given, along_y, strict=True))
        return along_y, (width, fwhm, phase)

    @property
    def _fwhm(self) -> float:
        return self.fwhm


@dataclass(frozen=True)
class GaussianSensor(BoxSensor):
    """A gaussian footprint, cut off at four standard deviations; ``sigma`` gives its width if ``fwhm`` does not."""

    uses_sigma = True
    width: float = within(0.0, 0, WIDEST)
    fwhm: float | None = within(None, 0, WIDEST)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Check the parameters, and that no width would be ignored or be that of the default."""
        super().__post_init__()
        if self.fwhm is None and self.fwhm_x is not None:
            raise InputError("The sensor gaussian has a width along x but none along y; give fwhm beside fwhm_x.")
        if self.fwhm is not None and self.sigma != GaussianSensor.sigma:
            raise InputError("The sensor gaussian has two widths, fwhm and sigma; give one.")

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the kind; ``sigma`` only where it decides."""
        return {name: value for name, value in super().parameters.items() if name != "sigma" or self.fwhm is None}

    @property
    def _fwhm(self) -> float:
        return self.sigma * FWHM / self.scale if self.fwhm is None else self.fwhm


@dataclass(frozen=True)
class AreaSensor(SeparableSensor):
    """The mean over a block."""

    def kernel(self) -> Tensor:
        """Return equal weights."""
        return torch.full((self.scale,), 1.0 / self.scale)

    @property
    def is_block_mean(self) -> bool:
        """Whether it averages kelvin."""
        return not self.wavelength

    def project(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Add to each block the error of its mean; to a share of it where there is noise."""
        if not self.keeps_block_mean:
            return super().project(highres, lowres)
        error = (lowres - self.see(highres)).nan_to_num(0.0)
        return highres + repeat_pixels(error, self.scale)

    def _sample(self, frames: Tensor) -> Tensor:
        return functional.avg_pool2d(frames, self.scale)


@dataclass(frozen=True)
class NearestSensor(SeparableSensor):
    """One highres pixel a block: the central one, and at even scales the one below and to the right of the centre."""

    def kernel(self) -> Tensor:
        """Return a weight of 1 for that pixel."""
        return torch.eye(self.scale)[self.scale // 2]


@dataclass(frozen=True)
class BicubicSensor(SeparableSensor):
    """Antialiased bicubic interpolation."""

    def kernel(self) -> Tensor:
        """Return the cubic kernel of Keys (1981), a = -0.5, stretched by the scale."""
        length = 4 * self.scale + self.scale % 2  # odd around the central pixel of an odd block
        offsets = torch.arange(length, dtype=torch.float64) - (length - 1) / 2
        weights = _keys(offsets / self.scale)
        return (weights / weights.sum()).float()


@lru_cache(64)
def _axis_on(kernel: Kernel, scale: int, side: int, device: torch.device, dtype: torch.dtype) -> Axis:
    """Return `axis_of` on a device, copied there once."""
    with torch.inference_mode(False):  # so that a later training may use them too
        return axis_of(kernel, scale, side).map(lambda part: part.to(device, dtype))


def _keys(distance: Tensor, a: float = -0.5) -> Tensor:
    """Cubic convolution kernel of Keys (1981), doi:10.1109/TASSP.1981.1163711."""
    d = distance.abs()
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))
