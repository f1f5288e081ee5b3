"""Each loss on numbers that can be checked by hand."""

import math

import pytest
import torch

from tempogan_eddy.config import load_config
from tempogan_eddy.model.losses import (
    CONTENT_UNIT,
    Losses,
    content_loss,
    discriminator_loss,
    feature_loss,
    generator_adversarial_loss,
)

VALID = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.75 * 3 * CONTENT_UNIT),
        ({"distance": "l1"}, 0.75 * 3 * CONTENT_UNIT),
        ({"distance": "l2"}, 0.75 * (3 * CONTENT_UNIT) ** 2 / (2 * CONTENT_UNIT)),
    ],
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_content_is_the_mean_over_all_pixels_of_what_is_valid(options, expected, sign):
    generated = torch.full((1, 1, 2, 2), sign * 3 * CONTENT_UNIT)
    assert content_loss(generated, torch.zeros(1, 1, 2, 2), VALID, **options).item() == pytest.approx(expected)


def test_content_distances_have_one_slope_at_their_unit():
    slopes = {}
    for distance in ("l1", "l2"):
        generated = torch.full((1, 1, 2, 2), CONTENT_UNIT, requires_grad=True)
        loss = content_loss(generated, torch.zeros(1, 1, 2, 2), VALID, distance)
        (slopes[distance],) = torch.autograd.grad(loss, generated)
    torch.testing.assert_close(slopes["l1"], VALID / 4)
    torch.testing.assert_close(slopes["l2"], slopes["l1"])


def test_adversarial_losses_are_cross_entropies():
    real, fake = torch.full((1, 1, 2, 2), 1.5), torch.full((1, 1, 2, 2), -0.5)
    taken_for_real = math.log1p(math.exp(-1.5)), math.log1p(math.exp(0.5))
    taken_for_fake = math.log1p(math.exp(-0.5))
    assert discriminator_loss(real, fake, VALID).item() == pytest.approx(0.75 * (taken_for_real[0] + taken_for_fake))
    assert generator_adversarial_loss(fake, VALID).item() == pytest.approx(0.75 * taken_for_real[1])


def test_features_are_compared_layer_by_layer_and_only_the_generated_learn():
    real = [torch.zeros(1, 2, 2, 2, requires_grad=True), torch.zeros(1, 4, 1, 1, requires_grad=True)]
    fake = [torch.full((1, 2, 2, 2), 2.0, requires_grad=True), torch.full((1, 4, 1, 1), 4.0, requires_grad=True)]
    loss = feature_loss(real, fake)
    assert loss.item() == pytest.approx((2**2 + 4**2) / 2)
    loss.backward()
    assert all(layer.grad is None for layer in real)
    assert all(layer.grad.abs().min() > 0 for layer in fake)
    with pytest.raises(ValueError, match="shorter"):
        feature_loss(real, fake[:1])


def test_losses_in_low_precision_are_computed_in_float32():
    half = torch.tensor([[[[60000.0]]]], dtype=torch.float16)
    one = torch.ones(1, 1, 1, 1)
    assert content_loss(half, -half, one).item() == pytest.approx(2 * half.item())  # beyond what float16 holds
    for loss in (
        discriminator_loss(half, half, one.half()),
        generator_adversarial_loss(-half, one.half()),
        feature_loss([half], [-half]),
    ):
        assert loss.dtype == torch.float32
        assert math.isfinite(loss.item())


def test_a_configuration_gives_its_weights_and_its_content_distance():
    weights = {
        "lambda_content": 0.5, "lambda_adv_s": 0.1, "lambda_adv_t": 0.2, "lambda_feature": 0.3, "lambda_spectral": 0.4,
        "lambda_traces": 0.6,
    }  # fmt: skip
    losses = Losses.from_config(load_config({"training": {**weights, "content_distance": "l2"}}).training)
    assert {name: getattr(losses, name) for name in weights} == weights
    named = {"loss_content": 0.5, "loss_g_spatial": 0.1, "loss_g_temporal": 0.2, "loss_feature": 0.3}
    assert losses.weights == named | {"loss_mean": 1.0, "loss_spectral": 0.4, "loss_traces": 0.6}
    frame, truth = torch.full((1, 1, 2, 2), 0.1), torch.zeros(1, 1, 2, 2)
    assert losses.content(frame, truth, VALID) == content_loss(frame, truth, VALID, "l2")
