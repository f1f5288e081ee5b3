"""The networks of a run, and their optimisers."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import nn
from torch.optim import Adam, Optimizer

from tempogan_eddy.config import Config, TrainingConfig
from tempogan_eddy.errors import reason_of
from tempogan_eddy.model.tempogan import DRAWING_WEIGHTS, SpatialDiscriminator, TemporalDiscriminator
from tempogan_eddy.weights import build_generator

__all__ = ["Networks", "Optimizers", "bare", "build_networks", "build_optimizers", "learning_rate_factor"]

log = logging.getLogger(__name__)

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
        for network in self._present:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def compile(self, device: torch.device) -> None:
        """Compute the networks through `torch.compile`, on a GPU with CUDA graphs.

        Modules and weights stay the same, so checkpoints do too. If it does not work here, the networks compute
        uncompiled, with a warning.
        """
        mode = "reduce-overhead" if device.type == "cuda" else "default"
        for network in self._present:
            # Not network.compile(): all modules share its code, and torch compiles a code for 8 cases only.
            compiled = torch.compile(network.forward, mode=mode, dynamic=False)
            network._compiled_call_impl = self._or_uncompiled(network, compiled)

    def _or_uncompiled(self, network: nn.Module, compiled: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            try:
                return compiled(*arguments, **options)
            except Exception as error:  # a missing compiler shows at the first call
                log.warning("torch.compile does not work here (%s); the networks compute uncompiled", reason_of(error))
                for each in self._present:
                    each._compiled_call_impl = None
                return network(*arguments, **options)

        return call

    @property
    def _present(self) -> list[nn.Module]:
        return list(filter(None, (self.generator, self.spatial, self.temporal, self.teacher)))


@dataclass
class Optimizers:
    """The optimiser of G, and that of Ds and Dt together."""

    generator: Optimizer
    discriminators: Optimizer

    @property
    def rate(self) -> float:
        """The learning rate of G."""
        return float(self.generator.param_groups[0]["lr"])

    def set_rates(self, training: TrainingConfig, progress: float) -> None:
        """Set the learning rates of a configuration for a share of its steps, 0 to 1."""
        factor = learning_rate_factor(training.lr_schedule, progress)
        for optimizer, rate in ((self.generator, training.lr_g), (self.discriminators, training.lr_d)):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor


def build_networks(config: Config) -> Networks:
    """Build the untrained networks that a configuration describes, the same for the same seed."""
    model = config.model
    with DRAWING_WEIGHTS:
        torch.manual_seed(config.training.seed)
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


def learning_rate_factor(schedule: str, progress: float) -> float:
    """Return the factor of the learning rates.

    Parameters
    ----------
    schedule
        ``constant``; ``linear``, which decays over the second half as in tempoGAN; or ``cosine``, over all of the run.
    progress
        Share of the steps that are done, 0 to 1.
    """
    return {
        "constant": 1.0,
        "linear": min(1.0, 2 * (1 - progress)),
        "cosine": 0.5 * (1 + math.cos(math.pi * progress)),
    }[schedule]


def bare(network: nn.Module) -> nn.Module:
    """Return the network below Fabric's wrapper."""
    return network.get_submodule("module")
