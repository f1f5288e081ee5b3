"""One generator for every separable sensor: the description of the sensor scales and shifts its features.

After E. Perez, F. Strub, H. de Vries, V. Dumoulin, A. Courville, "FiLM: Visual Reasoning with a General Conditioning
Layer", AAAI 2018. Scales and shifts follow a convolution directly, so for one sensor they fold into its weights: a
`Generator` without any trace of the conditioning, as fast as one that was trained for this sensor alone.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from tempogan_eddy.model.tempogan import Generator

__all__ = ["ConditionedGenerator"]

# Hidden features between the description of a sensor and the scales and shifts.
HIDDEN = 64


class ConditionedGenerator(nn.Module):
    """G for many sensors.

    Parameters
    ----------
    description
        Numbers that describe a sensor.
    n_residual_blocks, upsample_factor, channels
        As `Generator`.
    """

    kind = "conditioned"

    def __init__(
        self, description: int, n_residual_blocks: int = 8, upsample_factor: int = 4, channels: int = 32
    ) -> None:
        super().__init__()
        self.upsample_factor = upsample_factor
        self.generator = Generator(1, 1, n_residual_blocks, upsample_factor, channels, lr_consistency=False)
        self.embedding = nn.Sequential(nn.Linear(description, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU())
        self.modulations = nn.Linear(HIDDEN, 2 * sum(layer.out_channels for layer in self._layers(self.generator)))
        nn.init.zeros_(self.modulations.weight)
        nn.init.zeros_(self.modulations.bias)

    @staticmethod
    def _layers(generator: Generator) -> list[nn.Conv2d]:
        """Return the convolutions whose output is scaled and shifted, in the order of the forward pass."""
        blocks = [layer for block in generator.blocks for layer in (block.first, block.second)]
        return [generator.head, *blocks, generator.body, generator.tail]

    def _scales_and_shifts(self, description: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the scale, around 1, and the shift of each layer: (B, C) each."""
        sizes = [layer.out_channels for layer in self._layers(self.generator) for _ in range(2)]
        parts = self.modulations(self.embedding(description)).split(sizes, dim=-1)
        return [(1 + scale, shift) for scale, shift in zip(parts[::2], parts[1::2], strict=True)]

    def forward(self, frames: Tensor, description: Tensor) -> Tensor:
        """Map scaled frames (B, 1, h, w), each seen by the sensor of its description (B, D), to (B, 1, H, W)."""
        generator = self.generator
        film = iter(self._scales_and_shifts(description))

        def layer(convolution: nn.Conv2d, features: Tensor) -> Tensor:
            scale, shift = next(film)
            out = convolution(features)
            return torch.addcmul(shift[:, :, None, None].to(out.dtype), out, scale[:, :, None, None].to(out.dtype))

        shallow = features = layer(generator.head, frames - 0.5)
        for block in generator.blocks:
            features = features + layer(block.second, functional.relu(layer(block.first, features)))
        residual = layer(generator.tail, shallow + layer(generator.body, features))
        return generator.combine(frames, residual)

    @torch.no_grad()
    def folded(self, description: Tensor) -> Generator:
        """Return the generator for one sensor, described by (D,), with scales and shifts folded into its weights."""
        generator = copy.deepcopy(self.generator)
        film = self._scales_and_shifts(description[None].to(self.modulations.weight))
        for layer, (scale, shift) in zip(self._layers(generator), film, strict=True):
            layer.weight.mul_(scale[0][:, None, None, None])
            layer.bias.mul_(scale[0]).add_(shift[0])  # type: ignore[union-attr]
        return generator
