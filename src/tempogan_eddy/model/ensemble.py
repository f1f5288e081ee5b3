"""An ensemble around a frozen mean: every member adds noise whose strength and texture depend on what was measured.

The members of one frame are ``mean + P(m sum_k (a_k T_k(n) + b_k (T_k(n)^2 - 1) / sqrt(2)))``. P removes what the
sensor would see, so every member keeps the measured values. The textures T_k are linear in the white noise n and have
the variance 1, so the mean of what is added is zero and the mean of the ensemble is the frozen mean. Squares count up
to `BOUND`^2, and their mean replaces the 1. The amplitudes a_k and b_k are computed once for all members. The b_k have
a sign: they lean the detail, as where a few small clouds are much colder than what is around them.

Detail of clouds comes in bursts: much in one place, little in the next, more than what was measured tells. So each
member has its own strength ``m = exp(sum_j v_j S_j(n) - v_j^2)``, with smooth fields S_j of variance 1 from channels of
noise that the textures do not see: the mean of m^2 is 1, and the mean of what is added stays zero.

`tempogan_eddy.model.members` applies P, and bounds detail at last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from tempogan_eddy.model.conditioned import ConditionedGenerator
from tempogan_eddy.model.losses import CONTENT_UNIT
from tempogan_eddy.model.members import NEAR
from tempogan_eddy.model.noise import white_noise

__all__ = [
    "MARGIN",
    "NOISE_CHANNELS",
    "Dressing",
    "Ensemble",
    "Textures",
    "local_spread",
    "noise_of_frame",
]

WIDTHS = (1.0, 4.0)
"""Standard deviations, in lowres pixels, of the gaussians whose sums of noise are the smooth fields."""

MARGIN = 10
"""Lowres pixels of noise around a frame: textures are as strong at its edge as in its middle."""

TEXTURE_MARGIN = 3
"""Those of them that textures need; the smooth fields reach further."""

TEXTURE_CHANNELS = 32
NOISE_CHANNELS = TEXTURE_CHANNELS + len(WIDTHS)
HIDDEN = 48

# The exponents of a member's strength before training: those that serve best if they are the same everywhere.
VOLATILITY = 0.2

# The amplitude of a texture before training; the sum of eight is about 1.7 K then.
AMPLITUDE = 0.2

NONE = -30.0
"""The weight whose volatility is none."""

BOUND = 3.0
"""Squares of textures count up to the square of it: so their rare extremes do not grow without bound."""

MEAN_SQUARE = (
    math.erf(BOUND / 2**0.5) * (1 - BOUND**2) + BOUND**2 - BOUND * math.exp(-(BOUND**2) / 2) * (2 / math.pi) ** 0.5
)
"""The mean of such squares, for a normal distribution of variance 1."""

BINS = 24
"""Bins of local spread in which the dressing has its own strength."""


def noise_of_frame(channels: int, height: int, width: int, *key: int) -> Tensor:
    """Return the white noise (C, h + 2 `MARGIN`, w + 2 `MARGIN`) of a whole frame (h, w), as `white_noise` does."""
    return white_noise(channels, slice(0, height + 2 * MARGIN), slice(0, width + 2 * MARGIN), *key)


def gaussians(scale: int) -> Tensor:
    """Return the kernels that make the smooth fields, (J s s, 1, 2 `MARGIN` + 1, 2 `MARGIN` + 1).

    A field is the sum of the noise around each highres pixel, weighted by a gaussian of `WIDTHS`; its variance is 1.
    """
    places = (torch.arange(scale) + 0.5) / scale - 0.5
    distance = torch.arange(-MARGIN, MARGIN + 1) - places[:, None]
    kernels = []
    for width in WIDTHS:
        line = (-0.5 * (distance / width).square()).exp()
        line = line / line.norm(dim=1, keepdim=True)
        kernels.append(torch.einsum("ay,bx->abyx", line, line).flatten(0, 1))
    return torch.cat(kernels)[:, None]


def local_spread(frames: Tensor) -> Tensor:
    """Return the standard deviation over 3x3 lowres pixels, (B, 1, h, w) to the same shape; edges are repeated."""
    padded = functional.pad(frames - 0.5, (1, 1, 1, 1), mode="replicate")
    mean, square = functional.avg_pool2d(padded, 3, 1), functional.avg_pool2d(padded.square(), 3, 1)
    return (square - mean.square()).clamp(min=0).sqrt()


class Textures(nn.Module):
    """Learned textures, each linear in the noise, and at every highres pixel the amplitudes of them and their squares.

    Parameters
    ----------
    features
        Channels of the features of the mean's generator.
    description
        Numbers that describe a sensor: other sensors leave other detail open.
    scale
        Highres pixels along a lowres pixel.
    count
        Textures.

    Attributes
    ----------
    inflation
        Factor of all amplitudes, fitted after training: see `EnsembleTrainer.calibrate`.
    """

    noise_channels = NOISE_CHANNELS

    def __init__(self, features: int, description: int, scale: int, count: int = 8) -> None:
        super().__init__()
        self.scale = scale
        self.first = nn.Conv2d(features + 2, HIDDEN, 3, padding=1)
        self.modulation = nn.Linear(description, 2 * HIDDEN)
        self.last = nn.Conv2d(HIDDEN, count * scale**2, 3, padding=1)
        self.lean = nn.Conv2d(HIDDEN, count * scale**2, 3, padding=1)
        self.volatility = nn.Conv2d(HIDDEN, len(WIDTHS) * scale**2, 3, padding=1)
        self.mix = nn.Conv2d(TEXTURE_CHANNELS, count * scale**2, 5, bias=False)
        self.smooth = nn.Conv2d(count, count, 5, groups=count, bias=False)
        self.register_buffer("inflation", torch.ones(()))
        self.register_buffer("gaussians", gaussians(scale), persistent=False)
        self.inflation: Tensor
        self.gaussians: Tensor
        with torch.no_grad():
            nn.init.zeros_(self.modulation.weight)
            nn.init.zeros_(self.modulation.bias)
            nn.init.zeros_(self.lean.weight)
            nn.init.zeros_(self.lean.bias)  # type: ignore[arg-type]
            self.last.weight.mul_(0.1)
            self.last.bias.copy_(torch.tensor(math.log(math.expm1(AMPLITUDE))))  # type: ignore[union-attr]
            nn.init.zeros_(self.volatility.weight)
            self.volatility.bias.copy_(torch.tensor(math.log(VOLATILITY / (1 - VOLATILITY))))  # type: ignore[union-attr]
            nn.init.normal_(self.mix.weight, std=(TEXTURE_CHANNELS * 25) ** -0.5)
            self.smooth.weight.mul_(0.1)[:, :, 2, 2] = 1

    def amplitudes(self, features: Tensor, frames: Tensor, description: Tensor) -> Tensor:
        """Return amplitudes of textures and their squares, and volatilities, (B, 2 K + J, H, W), of lowres frames."""
        # The features of the mean hardly tell how cold a cloud is; tops at the tropopause have other detail.
        hidden = self.first(torch.cat([features, local_spread(frames) / CONTENT_UNIT, frames - 0.5], dim=1))
        scale, shift = self.modulation(description)[:, :, None, None].chunk(2, dim=1)
        hidden = functional.relu(torch.addcmul(shift, hidden, 1 + scale))
        strength = functional.softplus(functional.pixel_shuffle(self.last(hidden), self.scale))
        height, width = frames.shape[-2:]
        strength = strength * self.deviations().tile(height, width)
        lean = 0.5**0.5 * functional.pixel_shuffle(self.lean(hidden), self.scale)
        volatility = functional.pixel_shuffle(self.volatility(hidden), self.scale).sigmoid()
        return torch.cat([self.inflation * CONTENT_UNIT * torch.cat([strength, lean], dim=1), volatility], dim=1)

    def textures(self, noise: Tensor) -> Tensor:
        """Return fields of variance 1 of noise (N, C, h + 2 `MARGIN`, w + 2 `MARGIN`): (N, K + J, H, W).

        First come the textures, then the smooth fields.
        """
        height, width = (side - 2 * MARGIN for side in noise.shape[-2:])
        further = MARGIN - TEXTURE_MARGIN
        near = noise[:, :TEXTURE_CHANNELS, further:-further, further:-further]
        textures = self._smoothed(self.mix(near)) / self.deviations().tile(height, width)
        smooth = functional.conv2d(noise[:, TEXTURE_CHANNELS:], self.gaussians, groups=len(WIDTHS))
        return torch.cat([textures, functional.pixel_shuffle(smooth, self.scale)], dim=1)

    def combine(self, amplitudes: Tensor, textures: Tensor) -> Tensor:
        """Return what a member adds, (..., H, W): amplitudes are (..., 2 K + J, H, W), fields (..., K + J, H, W)."""
        count, fields = self.smooth.out_channels, len(WIDTHS)
        strength, lean, volatility = amplitudes.split([count, count, fields], dim=-3)
        textures, smooth = textures.split([count, fields], dim=-3)
        bounded = textures.square().clamp(max=BOUND**2)
        added = torch.einsum("...khw,...khw->...hw", strength, textures)
        added = added + torch.einsum("...khw,...khw->...hw", lean, bounded) - MEAN_SQUARE * lean.sum(dim=-3)
        return added * (volatility * smooth.clamp(-BOUND, BOUND) - volatility.square()).sum(dim=-3).exp()

    def deviations(self) -> Tensor:
        """Return the standard deviation of each unscaled texture within a lowres pixel, (K, s, s)."""
        # What a pixel of noise adds is the kernel itself, turned around.
        impulses = functional.pad(self.mix.weight.transpose(0, 1).flip(-2, -1), (2, 2, 2, 2))
        responses = self._smoothed(impulses).square().sum(dim=0)
        blocks = responses.unflatten(-1, (-1, self.scale)).unflatten(-3, (-1, self.scale))
        return blocks.sum(dim=(-4, -2)).sqrt()

    def _smoothed(self, mixed: Tensor) -> Tensor:
        smooth = self.smooth(functional.pixel_shuffle(mixed, self.scale))
        beyond = self.scale - 2
        return smooth[..., beyond : smooth.shape[-2] - beyond, beyond : smooth.shape[-1] - beyond]


class Dressing(nn.Module):
    """White highres noise whose strength is a function of the local spread alone: the baseline.

    Parameters
    ----------
    scale
        Highres pixels along a lowres pixel.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale, self.noise_channels = scale, scale**2
        self.register_buffer("edges", torch.zeros(BINS - 1))
        self.register_buffer("deviations", torch.zeros(BINS))
        self.edges: Tensor
        self.deviations: Tensor

    def fit(self, spread: Tensor, squares: Tensor) -> None:
        """Fit the deviation of each of `BINS` equally filled bins.

        Parameters
        ----------
        spread
            (N,) of lowres pixels, as `local_spread` returns it.
        squares
            (N,) mean square errors of the mean frame within these lowres pixels.
        """
        order = spread.double().argsort()
        parts = list(zip(spread[order].tensor_split(BINS), squares[order].tensor_split(BINS), strict=True))
        # The projection leaves this share of the variance of white noise.
        left = 1 - 1 / self.scale**2
        self.edges.copy_(torch.stack([part[0] for part, _ in parts[1:]]))
        self.deviations.copy_(torch.stack([(part.double().mean() / left).sqrt() for _, part in parts]))

    def amplitudes(self, features: Tensor, frames: Tensor, description: Tensor) -> Tensor:
        """Return the deviation of the noise, (B, 1, H, W); parameters as for `Textures.amplitudes`."""
        deviation = self.deviations[torch.bucketize(local_spread(frames), self.edges, right=True)]
        return functional.interpolate(deviation, scale_factor=self.scale, mode="nearest")

    def textures(self, noise: Tensor) -> Tensor:
        """Return the noise on the highres grid, (N, 1, H, W)."""
        return functional.pixel_shuffle(noise[..., MARGIN:-MARGIN, MARGIN:-MARGIN], self.scale)

    def combine(self, amplitudes: Tensor, textures: Tensor) -> Tensor:
        """Return what a member adds, (..., H, W), from amplitudes and textures (..., 1, H, W)."""
        return (amplitudes * textures).sum(dim=-3)


class Ensemble(nn.Module):
    """A frozen generator of the mean, with learned textures and the dressing.

    Parameters
    ----------
    description, n_residual_blocks, upsample_factor, channels
        As `ConditionedGenerator`.
    textures
        How many.
    """

    kind = "ensemble"

    def __init__(
        self,
        description: int,
        n_residual_blocks: int = 8,
        upsample_factor: int = 4,
        channels: int = 32,
        textures: int = 8,
    ) -> None:
        super().__init__()
        self.base = ConditionedGenerator(description, n_residual_blocks, upsample_factor, channels)
        self.base.requires_grad_(False)
        self.textures = Textures(channels, description, upsample_factor, textures)
        self.dressing = Dressing(upsample_factor)

    def forward(
        self, frames: Tensor, description: Tensor, noise: Tensor, dressing: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the mean and what each member adds to it, both before the projection onto what was measured.

        Parameters
        ----------
        frames
            (B, 1, h, w) scaled.
        description
            (B, D) of the sensors.
        noise
            (B, M, C, h + 2 `MARGIN`, w + 2 `MARGIN`) with the channels of the textures or of the dressing.
        dressing
            Use the dressing.

        Returns
        -------
        tuple
            (B, 1, H, W) and (B, M, H, W), scaled.
        """
        source = self.source(dressing)
        with torch.no_grad():
            mean, features = self.base.parts(frames, description)
        amplitudes = source.amplitudes(features.float(), frames, description)
        textures = source.textures(noise.flatten(0, 1)).unflatten(0, noise.shape[:2])
        return mean, source.combine(amplitudes[:, None], textures)

    def source(self, dressing: bool) -> Textures | Dressing:
        """Return the dressing, or the learned textures."""
        return self.dressing if dressing else self.textures

    @property
    def halo(self) -> int:
        """Lowres pixels around a pixel on which its mean, its amplitudes and the bound of its detail depend."""
        return max(self.base.generator.halo, NEAR)

    @staticmethod
    def complete(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights with what earlier releases lack: inflation, weights of squares, volatility and temperature."""
        added = {} if "textures.inflation" in weights else {"textures.inflation": torch.ones(())}
        for name, value in weights.items():
            lean = name.replace(".last.", ".lean.")
            if name.startswith("textures.last.") and lean not in weights:
                added[lean] = torch.zeros_like(value)
        last = weights.get("textures.last.weight")
        if last is not None and "textures.volatility.weight" not in weights:
            count = len(last) // len(weights["textures.smooth.weight"]) * len(WIDTHS)
            added["textures.volatility.weight"] = last.new_zeros(count, *last.shape[1:])
            added["textures.volatility.bias"] = last.new_full((count,), NONE)
        first, tail = (weights.get(name) for name in ("textures.first.weight", "base.generator.tail.weight"))
        if first is not None and tail is not None and first.shape[1:2] == (tail.shape[1] + 1,):
            added["textures.first.weight"] = functional.pad(first, (0, 0, 0, 0, 0, 1))
        return dict(weights) | added

    def adopt(self, weights: dict[str, Tensor]) -> None:
        """Load weights of an ensemble, or of a conditioned generator with one tail, which becomes the mean."""
        whole = any(name.startswith("base.") for name in weights)
        (self if whole else self.base).load_state_dict(weights)
