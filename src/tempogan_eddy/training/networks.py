"""The networks of a run, and their optimisers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from lightning.fabric import Fabric
from torch import nn
from torch.optim import Adam, Optimizer

from tempogan_eddy.config import Config, TrainingConfig
from tempogan_eddy.model.tempogan import SpatialDiscriminator, TemporalDiscriminator
from tempogan_eddy.weights import build_generator

__all__ = ["Networks", "Optimizers", "bare", "build_networks", "build_optimizers"]

# With a beta2 of 0.999 Adam remembers the small gradients of the content epochs for so long that the first
# adversarial ones, thirty times larger, made the generator diverge (L1 0.02 -> 58 in one epoch).
BETA2 = 0.99


@dataclass
class Networks:
    """G, Ds and Dt, as a step calls them.

    Attributes
    ----------
    generator
        Maps (B, 1, h, w) to (B, 1, H, W), scaled.
    spatial
        Ds: maps frames and their upsampled lowres frames (B, 1, H, W), and whether to return features, to both
        logits and features.
    temporal
        Dt: maps warped windows and their upsampled lowres frames (B, 3, 1, H, W) to logits.
    teacher
        A trained generator whose frames stand for the truth in the content loss.
    """

    generator: nn.Module
    spatial: nn.Module
    temporal: nn.Module
    teacher: nn.Module | None = None

    def channels_last(self) -> None:
        """Lay the weights out as convolutions are fastest."""
        for network in filter(None, (self.generator, self.spatial, self.temporal, self.teacher)):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@dataclass
class Optimizers:
    """The optimiser of G, and that of Ds and Dt together."""

    generator: Optimizer
    discriminators: Optimizer

    @property
    def rate(self) -> float:
        """The learning rate of G."""
        return float(self.generator.param_groups[0]["lr"])

    def set_rates(self, training: TrainingConfig, factor: float) -> None:
        """Set the learning rates of a configuration times ``factor``."""
        for optimizer, rate in ((self.generator, training.lr_g), (self.discriminators, training.lr_d)):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor


def build_networks(config: Config) -> Networks:
    """Build the untrained networks that a configuration describes, the same for the same seed."""
    torch.manual_seed(config.training.seed)
    model = config.model
    generator = build_generator(config)
    spatial, temporal = (
        kind(model.discriminator_channels, model.detail_gain, model.spectral_norm)
        for kind in (SpatialDiscriminator, TemporalDiscriminator)
    )
    return Networks(generator, spatial, temporal)


def build_optimizers(networks: Networks, training: TrainingConfig, fabric: Fabric) -> Optimizers:
    """Build an Adam optimiser for G, and one for Ds and Dt."""
    # A fused optimiser unscales gradients itself, so they cannot be clipped before.
    scaled = bool(fabric.strategy.precision.state_dict())
    fused = fabric.device.type in ("cpu", "cuda") and not scaled
    betas = (training.beta1, BETA2)
    discriminators = [*networks.spatial.parameters(), *networks.temporal.parameters()]
    return Optimizers(
        Adam(networks.generator.parameters(), training.lr_g, betas=betas, fused=fused),
        Adam(discriminators, training.lr_d, betas=betas, fused=fused),
    )


def bare(network: nn.Module) -> nn.Module:
    """Return the network below Fabric's wrapper."""
    return network.get_submodule("module")
