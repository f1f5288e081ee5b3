"""The variants that the ablation trains and the package lacks."""

import math

import pytest
import torch
from torch.nn import functional

from experiments.variants import VARIANTS, TwoScales, applied, charbonnier_loss, haar_energies, steepness
from model_cases import detailed_model
from tempogan_eddy.model.losses import discriminator_loss
from tempogan_eddy.model.spectrum import spectral_loss
from tempogan_eddy.training import steps, trainer
from tempogan_eddy.weights import load_model, save_model
from training_cases import small_config, write_storms


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


def test_names_and_that_all_is_as_ever_afterwards():
    assert set(VARIANTS) == {"charbonnier", "wide-kernels", "attention", "r1", "scales", "noise", "wavelet"}
    for name, variant in VARIANTS.items():
        before = [getattr(module, attribute) for module, attribute, _ in variant.replaced]
        with applied(name):
            assert all(getattr(module, attribute) is other for module, attribute, other in variant.replaced)
        assert [getattr(module, attribute) for module, attribute, _ in variant.replaced] == before


@pytest.mark.parametrize("name", ["attention", "noise"])
def test_a_grown_generator_starts_as_the_plain_model_that_it_loads(tmp_path, name):
    plain, path = detailed_model(), tmp_path / "plain.safetensors"
    save_model(path, plain.generator, plain.config, {})
    with applied(name):
        grown = load_model(path).generator
    frames = torch.rand(2, 1, 24, 24)
    assert torch.equal(grown(frames), plain.generator(frames))
    branches = [module for module in grown.modules() if type(module).__module__ == "experiments.variants"]
    for parameter in (parameter for branch in branches for parameter in branch.parameters()):
        parameter.data.add_(0.1)
    assert not torch.allclose(grown(frames), plain.generator(frames)), "the branches must be able to learn"


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_and_loads_what_it_saved(tmp_path, storms, name):
    config = small_config(tmp_path, storms, lambda_spectral=1e-3, pretrain_epochs=0)
    with applied(name):
        run = trainer.TempoGANTrainer(config)
        result = run.train()
        best = load_model(result.best_model).generator
    assert math.isfinite(result.best_score)
    assert best.state_dict().keys() == run.ema.module.state_dict().keys()


def test_the_wavelet_divergence_is_zero_for_equal_frames_only():
    frames = torch.rand(3, 1, 32, 32)
    with applied("wavelet"):
        assert spectral_loss(frames, frames) == 0
        assert spectral_loss(frames, frames.flip(-1)) < 1e-6, "only energies count"
        assert spectral_loss(functional.avg_pool2d(frames, 3, 1, 1), frames) > 0.1


def test_haar_subbands_tell_direction_and_scale():
    row, frame = torch.arange(32) % 2.0, torch.ones(32, 32)
    assert torch.allclose(haar_energies(frame * row[:, None]), torch.tensor([[1.0, 0, 0, 0, 0, 0]]))
    assert torch.allclose(haar_energies(frame * row), torch.tensor([[0, 1.0, 0, 0, 0, 0]]))
    pairs = (torch.arange(32) // 2) % 2.0
    assert torch.allclose(haar_energies(frame * pairs), torch.tensor([[0, 0, 0, 0, 4.0, 0]]))


def test_the_loss_of_two_scales_is_the_mean_of_both():
    judge = TwoScales(4, 8.0, False)
    real, fake, upsampled = torch.rand(3, 2, 1, 32, 32)
    halves = [functional.avg_pool2d(frames, 2) for frames in (real, fake, upsampled)]
    one = torch.ones(())
    both = discriminator_loss(judge(real, upsampled)[0], judge(fake, upsampled)[0], one)
    fine = discriminator_loss(judge.fine(real, upsampled)[0], judge.fine(fake, upsampled)[0], one)
    coarse = discriminator_loss(judge.coarse(halves[0], halves[2])[0], judge.coarse(halves[1], halves[2])[0], one)
    assert both.item() == pytest.approx((fine + coarse).item() / 2)


def test_r1_flattens_the_discriminator_at_real_frames(monkeypatch, tmp_path, storms):
    frames = torch.rand(2, 1, 8, 8, requires_grad=True)
    assert steepness(frames, 6 * functional.avg_pool2d(frames, 2)).item() == pytest.approx(4 * 1.5**2)

    def trained(gamma):
        monkeypatch.setattr("experiments.variants.R1Steps.GAMMA", gamma)
        with applied("r1"):
            run = trainer.TempoGANTrainer(
                small_config(tmp_path / str(gamma), storms, pretrain_epochs=0, epochs=4, lr_d=1e-2)
            )
            run.train()
        real = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
        return steepness(real, run.networks.spatial.module(real, real.detach())[0]).item()

    assert trained(10.0) < 0.5 * trained(0.0)


def test_charbonnier_is_l1_far_from_the_truth_and_smooth_at_it():
    truth, valid = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    assert charbonnier_loss(truth + 0.5, truth, valid).item() == pytest.approx(0.5, rel=1e-3)
    generated = truth.clone().requires_grad_()
    charbonnier_loss(generated, truth, valid).backward()
    assert not generated.grad.any()
    with applied("charbonnier"):
        assert steps.content_loss is charbonnier_loss
