"""One generator for every separable sensor: the description of the sensor scales and shifts its features.

After E. Perez, F. Strub, H. de Vries, V. Dumoulin, A. Courville, "FiLM: Visual Reasoning with a General Conditioning
Layer", AAAI 2018. Scales and shifts follow a convolution directly, so for one sensor they fold into its weights: a
`Generator` without any trace of the conditioning, as fast as one that was trained for this sensor alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tempogan_eddy.model.tempogan import DRAWING_WEIGHTS, Generator

__all__ = ["ConditionedGenerator"]

# Hidden features between the description of a sensor and the scales and shifts.
HIDDEN = 64


class ConditionedGenerator(nn.Module):
    """G for many sensors.

    With two tails it makes two frames of the same features: the mean of what fits, and a sharp one. A frame between
    them in output space is what one tail with weights between theirs makes, so the interpolation costs nothing.

    Parameters
    ----------
    description
        Numbers that describe a sensor.
    n_residual_blocks, upsample_factor, channels
        As `Generator`.
    tails
        1, or 2 for the mean and the sharp frame.
    """

    kind = "conditioned"

    def __init__(
        self, description: int, n_residual_blocks: int = 8, upsample_factor: int = 4, channels: int = 32, tails: int = 1
    ) -> None:
        super().__init__()
        self.tails = tails
        self.generator = Generator(1, tails, n_residual_blocks, upsample_factor, channels, lr_consistency=False)
        self.embedding = nn.Sequential(nn.Linear(description, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU())
        self.modulations = nn.Linear(HIDDEN, 2 * sum(layer.out_channels for layer in self._layers))
        nn.init.zeros_(self.modulations.weight)
        nn.init.zeros_(self.modulations.bias)
        # 1 for each scale and 0 for each shift, in the order of the modulations.
        neutral = torch.cat([torch.full((n,), one, device="cpu") for n in self._sizes[::2] for one in (1.0, 0.0)])
        self.register_buffer("neutral", neutral, persistent=False)
        self.neutral: Tensor

    @property
    def _sizes(self) -> list[int]:
        """Numbers of the scales and of the shifts of each layer."""
        return [layer.out_channels for layer in self._layers for _ in range(2)]

    @property
    def _layers(self) -> list[nn.Conv2d]:
        """The convolutions whose output is scaled and shifted, in the order of the forward pass."""
        return _layers(self.generator)

    def _scales_and_shifts(self, description: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the scale, around 1, and the shift of each layer: (B, C, 1, 1) each."""
        modulations = self.modulations(self.embedding(description)) + self.neutral
        parts = modulations[..., None, None].split(self._sizes, dim=1)
        return list(zip(parts[::2], parts[1::2], strict=True))

    def forward(self, frames: Tensor, description: Tensor) -> Tensor:
        """Map scaled frames (B, 1, h, w), each seen by the sensor of its description (B, D), to (B, tails, H, W)."""
        return self.parts(frames, description)[0]

    def parts(self, frames: Tensor, description: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` does, and the features (B, C, h, w) that the tail sees."""
        generator = self.generator
        film = iter(self._scales_and_shifts(description))

        def layer(convolution: nn.Conv2d, features: Tensor) -> Tensor:
            scale, shift = next(film)
            out = convolution(features)
            return torch.addcmul(shift.to(out.dtype), out, scale.to(out.dtype))

        shallow = features = layer(generator.head, frames - 0.5)
        for block in generator.blocks:
            first: Any = block.first
            second: Any = block.second
            features = features + layer(second, functional.relu(layer(first, features)))
        features = shallow + layer(generator.body, features)
        residual = layer(generator.tail, features)
        made = [generator.combine(frames, part) for part in residual.chunk(self.tails, dim=1)]
        return torch.cat(made, dim=1), features

    @torch.no_grad()
    def folded(self, description: Tensor, detail: float = 1.0, lr_consistency: bool = False) -> Generator:
        """Return the generator for one sensor, with scales and shifts folded into its weights.

        Parameters
        ----------
        description
            (D,), of the sensor.
        detail
            Of two tails: the interpolation weight between the mean (0) and the sharp frame (1).
        lr_consistency
            As `Generator`.
        """
        ours = self.generator
        channels, scale = ours.head.out_channels, ours.upsample_factor
        with DRAWING_WEIGHTS:
            folded = Generator(1, 1, len(ours.blocks), scale, channels, lr_consistency)
        film = self._scales_and_shifts(description[None].to(self.modulations.weight))
        for target, source, (scales, shifts) in zip(_layers(folded), self._layers, film, strict=True):
            weight = source.weight * scales[0, :, :, :, None]
            assert source.bias is not None
            bias = source.bias * scales[0, :, 0, 0] + shifts[0, :, 0, 0]
            if source is ours.tail and self.tails == 2:
                (mean, sharp), (mean_bias, sharp_bias) = weight.chunk(2), bias.chunk(2)
                weight, bias = torch.lerp(mean, sharp, detail), torch.lerp(mean_bias, sharp_bias, detail)
            target.weight.copy_(weight)
            target.bias.copy_(bias)  # type: ignore[union-attr]
        return folded.to(self.modulations.weight.device).eval().requires_grad_(False)

    def adopt(self, weights: Mapping[str, Tensor]) -> None:
        """Load weights of a generator of as many tails, or of one tail, with which both tails then begin."""
        places = self.generator.upsample_factor**2
        if self.tails == 2 and len(weights["generator.tail.bias"]) == places:
            weights = dict(weights)
            for name in ("generator.tail.weight", "generator.tail.bias"):
                weights[name] = weights[name].repeat(2, *[1] * (weights[name].dim() - 1))
            for name in ("modulations.weight", "modulations.bias"):
                *others, scale, shift = weights[name].split(places)  # of the tail, which is the last layer
                weights[name] = torch.cat([*others, scale, scale, shift, shift])
        self.load_state_dict(weights)


def _layers(generator: Generator) -> list[nn.Conv2d]:
    blocks: Any = [layer for block in generator.blocks for layer in (block.first, block.second)]
    return [generator.head, *blocks, generator.body, generator.tail]
