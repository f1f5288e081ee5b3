"""Ideas from other work on super-resolution, tried on this model but not part of it.

Each is a generator, a Ds or losses of its own, given to the trainer in place of those of the package. A generator that
grows starts as the plain one, so that it can go on from a plain model. Import this module to load what it saved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tempogan_eddy.config import Config
from tempogan_eddy.model.losses import Losses
from tempogan_eddy.model.spectrum import spectral_loss
from tempogan_eddy.model.tempogan import Generator, SpatialDiscriminator
from tempogan_eddy.training.networks import Networks, build_networks
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.weights import NETWORKS, Specification, build_generator

__all__ = ["VARIANTS", "Variant", "trainer"]


@dataclass(frozen=True)
class Variant:
    """One idea.

    Parameters
    ----------
    source
        Where it was proposed.
    kind
        The generator's kind in `weights.NETWORKS`.
    spatial
        Builds Ds from (channels, detail gain, spectral norm).
    losses
        Changes the losses of a configuration.
    settings
        Settings of the configuration that it needs, as ``section.key=value``.
    """

    source: str
    kind: str = Generator.kind
    spatial: Callable[[int, float, bool], nn.Module] = SpatialDiscriminator
    losses: Callable[[Losses], Losses] = lambda losses: losses
    settings: tuple[str, ...] = ()

    def networks(self, config: Config) -> Networks:
        """Build the networks of this variant."""
        plain, model = build_networks(config), config.model
        if self.kind != Generator.kind:
            torch.manual_seed(config.training.seed)
            plain.generator = build_generator(Specification.from_config(config, self.kind))
        if self.spatial is not SpatialDiscriminator:
            plain.spatial = self.spatial(model.discriminator_channels, model.detail_gain, model.spectral_norm)
        return plain


def trainer(config: Config, name: str | None = None) -> TempoGANTrainer:
    """Return the trainer of a variant of `VARIANTS`, or of the package where there is no name."""
    variant = VARIANTS[name] if name else Variant("the package")
    losses = variant.losses(Losses.from_config(config.training))
    return TempoGANTrainer(config, networks=variant.networks, losses=losses)


CHARBONNIER_EPSILON = 0.005  # scaled, 0.75 K of the default range: below it a square, above it a distance


def charbonnier_loss(generated: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Return a smooth L1, in place of `model.losses.content_loss`."""
    difference = generated.float() - truth.float()
    return ((difference.square() + CHARBONNIER_EPSILON**2).sqrt() * valid).mean()


def haar_energies(frames: Tensor) -> Tensor:
    """Return the mean energy of each frame in the Haar subbands, in place of `rapsd.radial_power`.

    Parameters
    ----------
    frames
        (..., H, W), finite, H and W divisible by 4.

    Returns
    -------
    Tensor
        (N, 6): LH, HL and HH of the finest level, then of the next; N frames.
    """
    low = frames.reshape(-1, 1, *frames.shape[-2:]).float()
    energies = []
    for _ in range(2):
        upper_left, upper_right, lower_left, lower_right = functional.pixel_unshuffle(low, 2).split(1, dim=1)
        upper, lower = upper_left + upper_right, lower_left + lower_right
        left, right = upper_left + lower_left, upper_right + lower_right
        diagonal = upper_left + lower_right - upper_right - lower_left
        bands = torch.cat([upper - lower, left - right, diagonal], dim=1) / 2
        energies.append(bands.square().mean(dim=(-2, -1)))
        low = (upper + lower) / 2
    return torch.cat(energies, dim=1)


def wide_kernels(specification: Specification) -> Generator:
    """Build the generator with 5x5 in place of 3x3 as the first convolution of each residual block."""
    generator, channels = _plain(specification), specification.network.channels
    for block in generator.blocks:
        block.first = nn.Conv2d(channels, channels, 5, padding=2)
    return generator


class _Branch(nn.Module):
    """What is added to a trained network: keeps its own weights where a loaded state has none for it."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name, value in self.state_dict().items():
            state_dict.setdefault(prefix + name, value)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class LargeKernelAttention(_Branch):
    """Features times what 23x23 pixels around them say, beside the identity; zero at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.far = nn.Conv2d(channels, channels, 7, padding=9, dilation=3, groups=channels)
        self.mix = nn.Conv2d(channels, channels, 1)
        for parameter in self.mix.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return features + features * self.mix(self.far(self.near(features)))


class Noise(_Branch):
    """One map of Gaussian noise a frame, new each time, added to each channel by a learned weight; zero at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return features + torch.randn_like(features[:, :1]) * self.weight.to(features.dtype)


def with_attention(specification: Specification) -> Generator:
    """Build the generator with large-kernel attention after every second residual block."""
    generator = _plain(specification)
    return _grow(generator, [*generator.blocks][1::2], LargeKernelAttention)


def with_noise(specification: Specification) -> Generator:
    """Build the generator with noise added after the head and after every second residual block."""
    generator = _plain(specification)
    return _grow(generator, [generator.head, *[*generator.blocks][1::2]], Noise)


def _plain(specification: Specification) -> Generator:
    """Build the package's generator, which bears the kind of the specification from now on."""
    generator = NETWORKS[Generator.kind](specification)
    generator.kind = specification.network.kind
    return generator


def _grow(generator: Generator, layers: Sequence[nn.Module], kind: type[_Branch]) -> Generator:
    """Send what each of these layers gives through a branch of its own."""
    for layer in layers:
        layer.add_module("branch", kind(generator.head.out_channels))
        layer.register_forward_hook(_through_branch)
    return generator


def _through_branch(layer: Any, _: Any, features: Tensor) -> Tensor:
    return layer.branch(features)


class TwoScales(nn.Module):
    """Ds beside a second Ds that sees frames twice coarser, in place of `SpatialDiscriminator`.

    The coarse logits are repeated to as many as the fine ones, so that the mean over both is the mean of two losses.
    """

    def __init__(self, channels: int, detail_gain: float, spectral_norm: bool) -> None:
        super().__init__()
        self.fine, self.coarse = (SpatialDiscriminator(channels, detail_gain, spectral_norm) for _ in range(2))

    def forward(self, frames: Tensor, upsampled: Tensor, with_features: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Judge frames (B, C, H, W) beside their upsampled LR frames: logits (B, 2, H / 8, W / 8) and features."""
        fine, features = self.fine(frames, upsampled, with_features)
        halves = (functional.avg_pool2d(image, 2) for image in (frames, upsampled))
        coarse, coarse_features = self.coarse(*halves, with_features)
        return torch.cat([fine, functional.interpolate(coarse, fine.shape[-2:])], dim=1), features + coarse_features


# After forty steps Ds was still near chance by 0.1 (loss 1.38, steepness 0.2) and steep and steeper by 0.001
# (loss 1.28, steepness 77); by 0.01 it learned (1.33, 7) and stayed so steep for as many again (1.32, 11).
GAMMA = 0.01


def r1_penalty(judge: nn.Module, real: Tensor, upsampled: Tensor, gamma: float = GAMMA) -> Tensor:
    """Return what keeps Ds and Dt flat around real frames.

    The gradient is by the frames themselves, amplified detail included, and its square counts for each logit, so that
    ``gamma`` serves patches of any size.
    """
    real = real.detach().requires_grad_()
    judged = judge(real, upsampled)
    return gamma / 2 * steepness(real, judged[0] if isinstance(judged, tuple) else judged)


def steepness(seen: Tensor, logits: Tensor) -> Tensor:
    """E |grad D|^2: square gradient of the patch logits by the frames that they came from, for each logit."""
    (gradient,) = torch.autograd.grad(logits.sum(), seen, create_graph=True)
    return gradient.square().sum() / logits.numel()


NETWORKS.update({"wide kernels": wide_kernels, "attention": with_attention, "noise": with_noise})

VARIANTS = {
    "charbonnier": Variant(
        "Lai et al. 2017, LapSRN, after Charbonnier et al. 1994",
        losses=partial(replace, content=charbonnier_loss),
    ),
    "wide-kernels": Variant("the 5x5 kernels of Xie et al. 2018, tempoGAN", kind="wide kernels"),
    "attention": Variant("Guo et al. 2022, Visual Attention Network", kind="attention"),
    "r1": Variant(
        "Mescheder et al. 2018, lazily as in Karras et al. 2020, StyleGAN2",
        losses=partial(replace, penalty=r1_penalty, penalty_every=8),
        settings=("model.spectral_norm=false",),
    ),
    "scales": Variant("Wang et al. 2018, pix2pixHD", spatial=TwoScales),
    "noise": Variant("Karras et al. 2019, StyleGAN", kind="noise"),
    # The divergence stays, of other energies; training.lambda_spectral is its weight.
    "wavelet": Variant(
        "Haar subbands, as in Huang et al. 2017, Wavelet-SRNet",
        losses=partial(replace, spectral=partial(spectral_loss, power=haar_energies)),
    ),
}
