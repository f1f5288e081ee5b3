"""The sensor model: how a coarse instrument sees a fine frame.

Each kind is one separable kernel, sampled at the centres of ``scale`` x ``scale`` blocks.
Missing pixels carry no weight, so a coarse pixel is made from what was there to see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.missing import MINIMUM_SEEN
from tempogan_eddy.device import exact_convolutions
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import coarsen_grid
from tempogan_eddy.io.resolution import rescaled

if TYPE_CHECKING:
    from tempogan_eddy.specification import Specification

__all__ = ["SensorModel"]


@dataclass(frozen=True)
class SensorModel:
    """Degradation from the high- to the low-resolution grid.

    Parameters
    ----------
    kind
        ``area`` (mean over the block), ``bicubic`` (antialiased, Keys 1981 with a = -0.5) or
        ``gaussian`` (modulation transfer function of a gaussian with ``sigma``).
    scale
        How many times coarser the output grid is.
    sigma
        Standard deviation of the gaussian, in HR pixels.
    noise_kelvin
        Standard deviation of the white noise added after sampling, in the unit of the frames.
    """

    kind: str = "area"
    scale: int = 4
    sigma: float = 2.0
    noise_kelvin: float = 0.0

    @classmethod
    def from_config(cls, config: Config | Specification) -> SensorModel:
        """The sensor that a configuration or the specification of a model file describes."""
        sensor = config.sensor
        return cls(sensor.kind, config.scale, sensor.sigma, sensor.noise_kelvin)

    @property
    def keeps_block_mean(self) -> bool:
        """Whether the block mean of a fine frame is its coarse frame; noise would be projected into it."""
        return self.kind == "area" and not self.noise_kelvin

    @property
    def margin(self) -> int:
        """How far, in HR pixels, the kernel reaches beyond a block; a multiple of ``scale``."""
        reach = (len(self.kernel()) - self.scale) // 2
        return math.ceil(reach / self.scale) * self.scale

    def attributes(self) -> dict[str, str | int | float]:
        """What a file says of the sensor that saw it."""
        return {
            "sensor_model": self.kind,
            "sensor_model_scale": self.scale,
            "sensor_model_sigma": self.sigma if self.kind == "gaussian" else 0.0,
            "sensor_model_noise_kelvin": self.noise_kelvin,
        }

    def kernel(self) -> Tensor:
        """The 1-D kernel: even offsets around the centre of a block, sum 1."""
        scale = self.scale
        if self.kind == "area":
            return torch.full((scale,), 1.0 / scale)
        if self.kind == "bicubic":
            offsets = torch.arange(4 * scale, dtype=torch.float64) - (4 * scale - 1) / 2
            weights = _keys(offsets / scale)
        elif self.kind == "gaussian":
            reach = max(scale, scale + 2 * math.ceil(4 * self.sigma - scale / 2))
            offsets = torch.arange(reach, dtype=torch.float64) - (reach - 1) / 2
            weights = torch.exp(-0.5 * (offsets / self.sigma) ** 2)
        else:
            raise InputError(f"The sensor '{self.kind}' is unknown; use area, bicubic or gaussian.")
        return (weights / weights.sum()).float()

    def apply(self, frames: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See fine frames with the coarse instrument, noise and all.

        Parameters
        ----------
        frames
            (..., H, W), NaN where missing; H and W multiples of ``scale``.
        generator
            Source of the noise; required where ``noise_kelvin`` is not zero.

        Returns
        -------
        Tensor
            (..., H / scale, W / scale), NaN where less than half was seen.
        """
        seen = self.see(frames)
        if not self.noise_kelvin:
            return seen
        if generator is None:
            raise ValueError("noise needs a generator, so that it can be repeated")
        noise = torch.randn(seen.shape, generator=generator, device=generator.device)
        return seen + self.noise_kelvin * noise.to(seen.device)

    def see(self, frames: Tensor, inside: Tensor | None = None) -> Tensor:
        """`apply` without the noise.

        Parameters
        ----------
        frames
            (..., H, W), NaN where missing.
        inside
            The same shape, False for pixels beyond the edge of the frame that these are cut out of; all of
            them are inside by default.
        """
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
            # Beyond the frame there was nothing to see, so it is not missed there.
            present = torch.ones_like(flat[:1]) if inside is None else inside.reshape(-1, 1, height, width).float()
            seen = torch.where(weight >= MINIMUM_SEEN * self._sample(present), seen / weight, math.nan)
        return (seen + offset).reshape(*frames.shape[:-2], height // self.scale, width // self.scale)

    def add_noise(self, coarse: Tensor, seeds: Sequence[int]) -> Tensor:
        """Add to each sample of (B, ..., h, w) the noise that its seed gives, on every device the same."""
        if not self.noise_kelvin:
            return coarse
        shape = coarse.shape[1:]
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return coarse + self.noise_kelvin * torch.stack(noise).to(coarse.device)

    def coarsen(self, sequence: xr.DataArray, seed: int = 0) -> xr.DataArray:
        """See a whole sequence with the coarse instrument, lazily, on the coarsened grid.

        Trailing rows and columns that do not fill a block are dropped.

        Parameters
        ----------
        sequence
            (time, y, x) in kelvin.
        seed
            Decides the noise, frame by frame.
        """
        frames, height, width = sequence.shape
        rows, columns = height // self.scale, width // self.scale
        if not rows or not columns:
            raise InputError(
                f"Frames of {height}x{width} pixels are smaller than one {self.scale}x{self.scale} block; "
                "they cannot be coarsened."
            )

        def see(block: np.ndarray, block_info: dict | None = None) -> np.ndarray:
            index = block_info[0]["chunk-location"][0] if block_info else 0
            generator = torch.Generator().manual_seed((seed << 20) + index)
            fine = torch.from_numpy(np.array(block[..., : rows * self.scale, : columns * self.scale], np.float32))
            return self.apply(fine, generator).numpy()

        lazy = sequence.chunk({"time": 1, "y": height, "x": width}).data
        coarse = lazy.map_blocks(
            see,
            dtype=np.float32,
            chunks=((1,) * frames, (rows,), (columns,)),
            meta=np.empty((0, 0, 0), np.float32),
        )
        attributes = {**rescaled(sequence.attrs, 1 / self.scale), **self.attributes()}
        return xr.DataArray(
            coarse,
            dims=sequence.dims,
            coords=coarsen_grid(sequence, self.scale),
            name=sequence.name,
            attrs=attributes,
        )

    def _sample(self, frames: Tensor) -> Tensor:
        """Strided separable convolution; what lies outside the frame counts as zero."""
        if self.kind == "area":
            return functional.avg_pool2d(frames, self.scale)
        kernel = self.kernel().to(frames.device)
        padding = (len(kernel) - self.scale) // 2
        with exact_convolutions():
            frames = functional.conv2d(frames, kernel.view(1, 1, -1, 1), stride=(self.scale, 1), padding=(padding, 0))
            return functional.conv2d(frames, kernel.view(1, 1, 1, -1), stride=(1, self.scale), padding=(0, padding))


def _keys(distance: Tensor, a: float = -0.5) -> Tensor:
    """Cubic convolution kernel of Keys (1981), doi:10.1109/TASSP.1981.1163711."""
    d = distance.abs()
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))
