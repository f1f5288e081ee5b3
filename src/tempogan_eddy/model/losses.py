"""Losses, as pure functions.

Each is masked and divided by the number of all pixels, missing ones included: every pixel then
counts the same whichever batch it comes in, and accumulated small batches equal the big one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["CONTENT_UNIT", "content_loss", "discriminator_loss", "feature_loss", "generator_adversarial_loss"]

# 3 K of the default range, what reconstruction usually errs by.
CONTENT_UNIT = 0.02


def content_loss(generated: Tensor, truth: Tensor, valid: Tensor, distance: str = "l1") -> Tensor:
    """Distance over valid pixels.

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
    """Cross-entropy on logits: real to 1, generated to 0 (Goodfellow et al. 2014, eq. 1).

    Parameters
    ----------
    real_logits, fake_logits
        (B, 1, H', W') patch logits.
    weight
        (B, 1, H', W'), the valid share of what each logit looks at.
    """
    real, fake = real_logits.float(), fake_logits.float()
    return ((functional.softplus(-real) + functional.softplus(fake)) * weight).mean()


def generator_adversarial_loss(fake_logits: Tensor, weight: Tensor) -> Tensor:
    """Non-saturating loss: generated should pass for real (Goodfellow et al. 2014, sec. 3)."""
    return (functional.softplus(-fake_logits.float()) * weight).mean()


def feature_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean square distance in the feature space of Ds's layers (Xie et al. 2018, eq. 5).

    Missing pixels were made equal in both before the discriminator, so no mask is needed here.
    """
    distances = [functional.mse_loss(f.float(), r.detach().float()) for r, f in zip(real, fake, strict=True)]
    return torch.stack(distances).mean()
