"""The three networks: generator G, spatial discriminator Ds, temporal discriminator Dt.

After Y. Xie, E. Franz, M. Chu, N. Thuerey, "tempoGAN: A Temporally Coherent, Volumetric GAN for
Super-resolution Fluid Flow", ACM Transactions on Graphics 37(4), 2018, doi:10.1145/3197517.3201304.
All frames are scaled brightness temperatures: 0 and 1 are the ends of the configured kelvin range.
"""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

from tempogan_eddy.device import exact_convolutions

__all__ = [
    "DRAWING_WEIGHTS",
    "Generator",
    "SpatialDiscriminator",
    "TemporalDiscriminator",
    "update_spectral_norm",
    "upsample",
]

DRAWING_WEIGHTS = threading.RLock()
"""Held while untrained weights are drawn: all threads share the random numbers of torch."""


def upsample(frames: Tensor, scale: int) -> Tensor:
    """Interpolate (B, C, h, w) bicubically onto the grid ``scale`` times finer, in float32."""
    return functional.interpolate(frames.float(), scale_factor=scale, mode="bicubic", align_corners=False)


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity (EDSR, Lim et al. 2017).

    No batch norm, which would make kelvins relative.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            # Start near the identity, so that depth does not multiply the first steps.
            self.second.weight.mul_(0.1)

    def forward(self, features: Tensor) -> Tensor:
        # In place: new memory costs as much as the addition.
        return self.second(functional.relu(self.first(features), inplace=True)).add_(features)


def interpolation_kernel(scale: int, lr_consistency: bool) -> Tensor:
    """Return bicubic interpolation, and the projection after it, as one convolution before a pixel shuffle.

    Both are linear and invariant to shifts, so their impulse response defines them.

    Returns
    -------
    Tensor
        (scale ** 2, 1, 5, 5) float32: one 5x5 kernel on the lowres grid for each place within a block.
    """
    impulse = torch.zeros(1, 1, 9, 9, dtype=torch.float64, device="cpu")  # also where the default device is "meta"
    impulse[..., 4, 4] = 1
    response = functional.interpolate(impulse, scale_factor=scale, mode="bicubic", align_corners=False)
    if lr_consistency:
        error = impulse - functional.avg_pool2d(response, scale)
        response = response + functional.interpolate(error, scale_factor=scale, mode="nearest")
    places = functional.pixel_unshuffle(response, scale)[0]
    # A convolution weighs with the mirrored impulse response.
    return places[:, 2:7, 2:7].flip(-2, -1).unsqueeze(1).float()


class Generator(nn.Module):
    """G: one lowres frame to one highres frame.

    It adds a residual to bicubic interpolation. The residual starts at zero, so an untrained G interpolates. Both are
    computed on the lowres grid and added before one pixel shuffle (Shi et al. 2016).

    Parameters
    ----------
    in_channels, out_channels
        Channels of the frames.
    n_residual_blocks
        Depth of the residual branch.
    upsample_factor
        How many times finer the output grid is.
    channels
        Feature channels.
    lr_consistency
        Project the output so that its block mean equals the input.
    """

    kind = "residual"
    """The name under which a model file names this architecture."""

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        n_residual_blocks: int = 8,
        upsample_factor: int = 4,
        channels: int = 64,
        lr_consistency: bool = True,
    ) -> None:
        super().__init__()
        self.upsample_factor = upsample_factor
        self.lr_consistency = lr_consistency
        self.head = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.blocks = nn.Sequential(*[_ResidualBlock(channels) for _ in range(n_residual_blocks)])
        self.body = nn.Conv2d(channels, channels, 3, padding=1)
        self.tail = nn.Conv2d(channels, out_channels * upsample_factor**2, 3, padding=1)
        for parameter in self.tail.parameters():
            nn.init.zeros_(parameter)
        kernel = interpolation_kernel(upsample_factor, lr_consistency).repeat(in_channels, 1, 1, 1)
        self.register_buffer("interpolation", kernel, persistent=False)
        self.interpolation: Tensor

    @property
    def halo(self) -> int:
        """Radius of the receptive field in lowres pixels: what a tile needs around it."""
        convolutions = 2 * len(self.blocks) + 3
        return convolutions + 1  # interpolation sees two pixels, fewer than this

    def forward(self, frames: Tensor) -> Tensor:
        """Map (B, C, h, w) scaled kelvins without NaN to (B, C, h * factor, w * factor), float32."""
        return self.combine(frames, self.detail(frames))

    def detail(self, frames: Tensor) -> Tensor:
        """Return the residual, (B, C, h, w) to (B, C * factor ** 2, h, w): small numbers, so low precision suffices."""
        # Beyond the edge the convolutions see zero: the middle of the range.
        return self.detail_of_centred(frames - 0.5)

    def detail_of_centred(self, frames: Tensor) -> Tensor:
        """Return `detail` of frames less 0.5, in the precision of the weights, which must be that of the frames."""
        return self.tail(self.features_of_centred(frames))

    def features_of_centred(self, frames: Tensor) -> Tensor:
        """Return the features (B, channels, h, w) that the tail sees, of frames less 0.5."""
        shallow = self.head(frames)
        return shallow + self.body(self.blocks(shallow))

    def combine(self, frames: Tensor, detail: Tensor) -> Tensor:
        """Add the detail to the interpolated frames, in float32: (B, C, h * factor, w * factor)."""
        detail = detail.float()
        if self.lr_consistency:
            # The interpolated frame has the block means already; the detail must not change them.
            places = detail.unflatten(1, (frames.shape[1], -1))
            detail = (places - places.mean(2, keepdim=True)).flatten(1, 2)
        with torch.autocast(frames.device.type, enabled=False), exact_convolutions():
            padded = functional.pad(frames.float(), (2, 2, 2, 2), mode="replicate")
            interpolated = functional.conv2d(padded, self.interpolation, groups=frames.shape[1])
        return functional.pixel_shuffle(interpolated + detail, self.upsample_factor)


class _Discriminator(nn.Module):
    """Patch logits from a stack of convolutions; the first has no stride, which would alias the top octave."""

    def __init__(self, in_channels: int, channels: int, spectral_norm: bool) -> None:
        super().__init__()
        widths = [channels, channels * 2, channels * 4, channels * 8]
        layers = [nn.Conv2d(in_channels, widths[0], 3, padding=1)]
        layers += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1) for narrow, wide in pairwise(widths)]
        layers.append(nn.Conv2d(widths[-1], 1, 3, padding=1))
        if spectral_norm:
            for layer in layers:
                parametrize.register_parametrization(layer, "weight", _SpectralNorm(layer.weight))
        self.layers = nn.ModuleList(layers)
        update_spectral_norm(self)  # torch's own does when it is registered: a seed keeps its networks

    def forward(self, frames: Tensor, with_features: bool) -> tuple[Tensor, list[Tensor]]:
        """Map (B, C, H, W) to logits (B, 1, H / 8, W / 8) and, on demand, the features of every layer before."""
        features = []
        frames = frames.contiguous(memory_format=torch.channels_last)
        for layer in self.layers[:-1]:
            frames = functional.leaky_relu(layer(frames), 0.2, inplace=True)
            # Only on demand, because mixed precision converts every output to float32.
            if with_features:
                features.append(frames)
        return self.layers[-1](frames), features


class SpatialDiscriminator(nn.Module):
    """Ds: judge a frame, from the frame itself, its upsampled lowres frame and their amplified difference."""

    def __init__(self, channels: int = 16, detail_gain: float = 8.0, spectral_norm: bool = True) -> None:
        super().__init__()
        self.detail_gain = detail_gain
        self.network = _Discriminator(3 if detail_gain else 2, channels, spectral_norm)

    def forward(self, frames: Tensor, upsampled: Tensor, with_features: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Judge frames (B, C, H, W) beside their upsampled lowres frames (B, C, H, W): logits and features."""
        seen = [frames - 0.5, upsampled - 0.5]
        if self.detail_gain:
            seen.append((frames - upsampled) * self.detail_gain)
        return self.network(torch.cat(seen, dim=1), with_features)


class TemporalDiscriminator(nn.Module):
    """Dt: judge whether three frames, warped onto the middle one, change as real ones do.

    It sees the warped frames and, amplified, the difference of each from its warped, upsampled lowres frame.
    """

    def __init__(self, channels: int = 16, detail_gain: float = 8.0, spectral_norm: bool = True) -> None:
        super().__init__()
        self.detail_gain = detail_gain
        self.network = _Discriminator(6 if detail_gain else 3, channels, spectral_norm)

    def forward(self, windows: Tensor, upsampled: Tensor) -> Tensor:
        """Judge warped windows (B, 3, 1, H, W) beside their warped, upsampled lowres frames: logits."""
        seen = [windows.flatten(1, 2) - 0.5]
        if self.detail_gain:
            seen.append((windows - upsampled).flatten(1, 2) * self.detail_gain)
        return self.network(torch.cat(seen, dim=1), False)[0]


class _SpectralNorm(parametrizations._SpectralNorm):
    """Divide a weight by its largest singular value, estimated by `update_spectral_norm` alone.

    T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral Normalization for Generative Adversarial Networks",
    ICLR 2018.
    """

    def forward(self, weight: Tensor) -> Tensor:
        return weight / torch.dot(self._u, torch.mv(weight.flatten(1), self._v))


@torch.no_grad()
def update_spectral_norm(*discriminators: nn.Module) -> None:
    """Do one power iteration for each layer; forward passes do none.

    With one call for each optimiser step, accumulated small batches equal the big one.
    """
    layers = [module for network in discriminators for module in network.modules()]
    parts: list[Any] = [layer.parametrizations for layer in layers if parametrize.is_parametrized(layer, "weight")]
    pairs = [(part["weight"][0], part["weight"].original.flatten(1)) for part in parts]
    if not pairs:
        return
    left = [torch.mv(weight, norm._v) for norm, weight in pairs]
    _normalise(left)
    right = [torch.mv(weight.mT, u) for u, (_, weight) in zip(left, pairs, strict=True)]
    _normalise(right)
    torch._foreach_copy_([norm._u for norm, _ in pairs], left)
    torch._foreach_copy_([norm._v for norm, _ in pairs], right)


def _normalise(vectors: list[Tensor]) -> None:
    lengths = torch._foreach_norm(vectors)
    torch._foreach_clamp_min_(lengths, 1e-12)
    torch._foreach_div_(vectors, lengths)
