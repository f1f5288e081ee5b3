import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tempogan_eddy.model.advection import advect, advect_window, seen_by_flow, upsample_flow
from tempogan_eddy.model.losses import (
    content_loss,
    discriminator_loss,
    feature_loss,
    generator_adversarial_loss,
)
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.model.spectrum import spectral_loss
from tempogan_eddy.model.tempogan import (
    Generator,
    SpatialDiscriminator,
    TemporalDiscriminator,
    update_spectral_norm,
    upsample,
)
from tempogan_eddy.rapsd import radial_power


def frames(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_upsample_factor_decides_the_output_grid(factor):
    generator = Generator(n_residual_blocks=1, upsample_factor=factor, channels=8)
    assert generator(frames(2, 1, 5, 7)).shape == (2, 1, 5 * factor, 7 * factor)


def test_an_untrained_generator_is_bicubic_interpolation():
    generator = Generator(n_residual_blocks=2, channels=8, lr_consistency=False)
    x = frames(1, 1, 8, 8)
    torch.testing.assert_close(generator(x), upsample(x, 4))


def shaken(generator, seed=1):
    """A generator whose weights are all far from their start."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return generator.eval()


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_block_mean_of_the_output_is_the_input(seed):
    generator = shaken(Generator(n_residual_blocks=1, channels=8), seed)
    x = frames(1, 1, 6, 9, seed=seed)
    with torch.no_grad():
        error = functional.avg_pool2d(generator(x), 4) - x
    assert error.abs().max() * 150 < 0.01  # kelvin


def test_without_the_switch_the_block_mean_is_free():
    generator = shaken(Generator(n_residual_blocks=1, channels=8, lr_consistency=False))
    x = frames(1, 1, 6, 6)
    with torch.no_grad():
        assert (functional.avg_pool2d(generator(x), 4) - x).abs().max() * 150 > 0.01


def test_reach_bounds_what_an_output_pixel_sees():
    generator = shaken(Generator(n_residual_blocks=2, channels=4))
    x = frames(1, 1, 41, 41)
    changed = x.clone()
    changed[..., 20, 20] += 1
    with torch.no_grad():
        rows = (generator(x) != generator(changed)).any(dim=-1).flatten().nonzero().flatten() // 4
    assert 20 - rows.min() <= generator.halo
    assert rows.max() - 20 <= generator.halo


def test_output_is_not_clipped():
    generator = Generator(n_residual_blocks=1, channels=4)
    with torch.no_grad():
        output = generator(torch.full((1, 1, 4, 4), 1.7))
    assert output.mean().item() == pytest.approx(1.7, abs=1e-5)


@given(kelvin=st.floats(100, 400), low=st.floats(120, 200), width=st.floats(50, 250))
def test_kelvin_scaling_round_trip(kelvin, low, width):
    value = torch.tensor(kelvin, dtype=torch.float64)
    bounds = (low, low + width)
    assert to_kelvin(from_kelvin(value, bounds), bounds).item() == pytest.approx(kelvin, abs=1e-9)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_zero_flow_is_the_identity_exactly(seed):
    x = torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(seed)) * 300
    assert torch.equal(advect(x, torch.zeros(2, 2, 7, 9)), x)


def test_flow_points_to_where_the_value_comes_from():
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 3, 5] = 1.0
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0], flow[:, 1] = 2, -1  # x right, y down
    assert advect(x, flow)[0, 0, 4, 3] == 1.0


def test_what_lies_beyond_the_edge_is_not_seen():
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = 3  # right
    assert torch.equal(seen_by_flow(flow), torch.tensor([1.0] * 5 + [0.0] * 3).expand(1, 1, 8, 8))
    assert seen_by_flow(flow * 0).all()


def test_advection_interpolates_a_ramp_exactly():
    ramp = torch.arange(10.0).expand(1, 1, 10, 10)
    flow = torch.zeros(1, 2, 10, 10)
    flow[:, 0] = 0.25
    torch.testing.assert_close(advect(ramp, flow)[..., :9], ramp[..., :9] + 0.25)


def test_upsampled_flow_counts_fine_pixels():
    flow = torch.ones(1, 2, 4, 4)
    assert torch.equal(upsample_flow(flow, 4), torch.full((1, 2, 16, 16), 4.0))


def test_window_advection_leaves_the_middle_and_passes_gradients_to_all_three():
    window = frames(1, 3, 1, 8, 8).requires_grad_()
    moved = advect_window(window, torch.randn(1, 2, 2, 8, 8))
    assert torch.equal(moved[:, 1], window[:, 1])
    moved.sum().backward()
    assert (window.grad.abs().sum(dim=(2, 3, 4)) > 0).all()


def test_each_neighbour_moves_along_its_own_flow():
    window = torch.zeros(1, 3, 1, 4, 4)
    window[0, 0, 0, 1, 0] = window[0, 2, 0, 1, 2] = 1.0
    flow = torch.zeros(1, 2, 2, 4, 4)
    flow[:, 0, 0], flow[:, 1, 0] = -1, 1
    moved = advect_window(window, flow)
    assert moved[0, 0, 0, 1, 1] == moved[0, 2, 0, 1, 1] == 1.0


def test_missing_pixels_do_not_count_in_the_content_loss():
    truth, valid = frames(2, 1, 8, 8), torch.ones(2, 1, 8, 8)
    valid[..., :4] = 0
    generated = truth.clone()
    generated[..., :4] += 100
    assert content_loss(generated, truth, valid) == 0


def test_adversarial_losses_reward_the_right_side():
    weight = torch.ones(1, 1, 2, 2)
    sure, wrong = torch.full((1, 1, 2, 2), 9.0), torch.full((1, 1, 2, 2), -9.0)
    assert discriminator_loss(sure, wrong, weight) < 0.01 < 9 < discriminator_loss(wrong, sure, weight)
    assert generator_adversarial_loss(sure, weight) < 0.01 < 8 < generator_adversarial_loss(wrong, weight)
    assert discriminator_loss(wrong, sure, weight * 0) == 0


def test_losses_stay_finite_for_extreme_logits():
    logits = torch.tensor([[[[1e4, -1e4]]]])
    assert torch.isfinite(discriminator_loss(logits, -logits, torch.ones_like(logits)))


def test_feature_loss_pulls_the_generated_only():
    real, fake = frames(1, 2, 4, 4).requires_grad_(), frames(1, 2, 4, 4, seed=1).requires_grad_()
    feature_loss([real], [fake]).backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0


@pytest.mark.parametrize("detail_gain", [0.0, 8.0])
def test_discriminators_judge_patches(detail_gain):
    x = frames(2, 1, 32, 32)
    logits, features = SpatialDiscriminator(8, detail_gain)(x, x, with_features=True)
    assert logits.shape == (2, 1, 4, 4)
    assert features[0].shape[-2:] == (32, 32), "the first layer has no stride"
    window = frames(2, 3, 1, 32, 32)
    assert TemporalDiscriminator(8, detail_gain)(window, window).shape == (2, 1, 4, 4)


def test_spectral_norm_moves_only_when_asked():
    discriminator = SpatialDiscriminator(8)
    x = frames(1, 1, 16, 16)
    update_spectral_norm(discriminator)
    with torch.no_grad():
        first, second = discriminator(x, x)[0], discriminator(x, x)[0]
        assert torch.equal(first, second)
        before = {name: value.clone() for name, value in discriminator.state_dict().items()}
        update_spectral_norm(discriminator)
    assert any(not torch.equal(before[name], value) for name, value in discriminator.state_dict().items())


# --- spectra


@pytest.mark.parametrize("shape", [(32, 32), (24, 40), (31, 33)])
def test_the_spectrum_of_a_frame_is_the_one_that_evaluation_measures(shape):
    batch = frames(3, 1, *shape)
    np.testing.assert_allclose(radial_power(batch).numpy(), radial_power(batch.numpy()), rtol=1e-3)


def test_spectral_loss_is_a_divergence_and_pulls_towards_the_truth():
    truth = frames(4, 1, 32, 32)
    assert float(spectral_loss(truth, truth)) == pytest.approx(0, abs=1e-6)
    assert float(spectral_loss(truth * 10, truth)) == pytest.approx(99 - np.log(100), rel=1e-4)
    faint = (truth / 2).requires_grad_()
    spectral_loss(faint, truth).backward()
    assert spectral_loss(faint.detach() - 0.1 * faint.grad / faint.grad.abs().max(), truth) < spectral_loss(
        faint.detach(), truth
    )


def test_where_two_truths_fit_the_spectral_loss_wants_their_mean_power():
    one = frames(1, 1, 32, 32) - 0.5
    truth = torch.cat([one, 3 * one])
    gain = torch.tensor(5**0.5, requires_grad=True)  # power 5, the mean of 1 and 9
    spectral_loss(gain * one.expand_as(truth), truth).backward()
    assert float(gain.grad) == pytest.approx(0, abs=1e-4)
