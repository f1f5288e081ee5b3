"""Losses as pure functions, and `Losses`, the set of them that a run trains with.

Each loss is masked and divided by the number of all pixels, missing ones included: so every pixel counts the same in
every batch, and accumulated small batches equal the big one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from tempogan_eddy.config import TrainingConfig
from tempogan_eddy.model.spectrum import spectral_loss
from tempogan_eddy.model.traces import trace_loss

__all__ = [
    "CONTENT_UNIT",
    "Losses",
    "content_loss",
    "discriminator_loss",
    "feature_loss",
    "generator_adversarial_loss",
]

# 3 K of the default range: a usual error of a reconstruction.
CONTENT_UNIT = 0.02


def content_loss(generated: Tensor, truth: Tensor, valid: Tensor, distance: str = "l1") -> Tensor:
    """Return the distance over valid pixels.

    Parameters
    ----------
    generated, truth
        (..., H, W), finite everywhere.
    valid
        The same shape, 1 where the truth was observed, else 0.
    distance
        ``l1`` leads to the median of all frames that fit. ``l2``, the square over twice `CONTENT_UNIT`, leads to
        their mean, and with it to the least RMSE; both have the same slope at a difference of `CONTENT_UNIT`.
    """
    difference = generated.float() - truth.float()
    cost = difference.abs() if distance == "l1" else difference.square() / (2 * CONTENT_UNIT)
    return (cost * valid).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, weight: Tensor) -> Tensor:
    """Return the cross-entropy on logits: real to 1, generated to 0 (Goodfellow et al. 2014, eq. 1).

    All are (B, 1, H', W'); the weight is the valid share of the pixels that a logit sees.
    """
    real, fake = real_logits.float(), fake_logits.float()
    return ((functional.softplus(-real) + functional.softplus(fake)) * weight).mean()


def generator_adversarial_loss(fake_logits: Tensor, weight: Tensor) -> Tensor:
    """Return the non-saturating loss: generated to 1 (Goodfellow et al. 2014, sec. 3)."""
    return (functional.softplus(-fake_logits.float()) * weight).mean()


def feature_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Return the mean square distance in the feature space of Ds's layers (Xie et al. 2018, eq. 5).

    It needs no mask: both frames hold the upsampled lowres frame where pixels are missing.
    """
    distances = [functional.mse_loss(f.float(), r.detach().float()) for r, f in zip(real, fake, strict=True)]
    return torch.stack(distances).mean()


@dataclass(frozen=True)
class Losses:
    """The losses of a training step: functions and their weights.

    Replace any of them, e.g. ``dataclasses.replace(Losses.from_config(config.training), content=my_loss)``.

    Attributes
    ----------
    content, spectral : callable
        Distance of generated from true frames, as `content_loss` and `spectral_loss`.
    traces : callable
        As `trace_loss`.
    adversarial, discriminator, feature : callable
        As `generator_adversarial_loss`, `discriminator_loss` and `feature_loss`.
    penalty : callable, optional
        Maps (discriminator, real frames, their upsampled lowres frames) to a penalty that is added to the
        discriminators' loss, e.g. R1. Computed in float32.
    penalty_every : int
        Discriminator steps from one penalty to the next; it counts that many times as much.
    lambda_mean : float
        Weight of the squared error of the mean frame, where the generator makes one.
    lambda_content, lambda_adv_s, lambda_adv_t, lambda_feature, lambda_spectral, lambda_traces : float
        Weights in the generator's loss; a loss of weight 0 is not computed.
    """

    content: Callable[[Tensor, Tensor, Tensor], Tensor] = content_loss
    spectral: Callable[[Tensor, Tensor], Tensor] = spectral_loss
    traces: Callable[[Tensor, Tensor, int], Tensor] = trace_loss
    adversarial: Callable[[Tensor, Tensor], Tensor] = generator_adversarial_loss
    discriminator: Callable[[Tensor, Tensor, Tensor], Tensor] = discriminator_loss
    feature: Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor] = feature_loss
    penalty: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None
    penalty_every: int = 1
    lambda_content: float = 1.0
    lambda_mean: float = 1.0
    lambda_adv_s: float = 0.0
    lambda_adv_t: float = 0.0
    lambda_feature: float = 0.0
    lambda_spectral: float = 0.0
    lambda_traces: float = 0.0

    @classmethod
    def from_config(cls, config: TrainingConfig) -> Losses:
        """Return the losses that a configuration describes."""
        return cls(
            content=partial(content_loss, distance=config.content_distance),
            lambda_content=config.lambda_content,
            lambda_mean=config.lambda_mean,
            lambda_adv_s=config.lambda_adv_s,
            lambda_adv_t=config.lambda_adv_t,
            lambda_feature=config.lambda_feature,
            lambda_spectral=config.lambda_spectral,
            lambda_traces=config.lambda_traces,
        )

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each term of the generator's loss, by its name in the log."""
        return {
            "loss_content": self.lambda_content,
            "loss_mean": self.lambda_mean,
            "loss_spectral": self.lambda_spectral,
            "loss_traces": self.lambda_traces,
            "loss_g_spatial": self.lambda_adv_s,
            "loss_feature": self.lambda_feature,
            "loss_g_temporal": self.lambda_adv_t,
        }
