"""The variants that the ablation trains and the package lacks."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn import functional

from experiments.variants import (
    VARIANTS,
    TwoScales,
    charbonnier_loss,
    haar_energies,
    r1_penalty,
    steepness,
    trainer,
)
from model_cases import detailed_model
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.losses import Losses, discriminator_loss
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.weights import NETWORKS, build_generator, load_model
from training_cases import small_config, write_storms

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


def test_the_variants_have_names():
    assert set(VARIANTS) == {"charbonnier", "wide-kernels", "attention", "r1", "scales", "noise", "wavelet"}


@pytest.mark.parametrize("kind", ["attention", "noise"])
def test_a_grown_generator_starts_as_the_plain_model_that_it_loads(kind):
    plain = detailed_model()
    network = plain.specification.network.model_copy(update={"kind": kind})
    grown = build_generator(plain.specification.model_copy(update={"network": network}))
    grown.load_state_dict(plain.generator.state_dict())
    frames = torch.rand(2, 1, 24, 24)
    assert torch.equal(grown(frames), plain.generator(frames))
    branches = [module for module in grown.modules() if type(module).__module__ == "experiments.variants"]
    for parameter in (parameter for branch in branches for parameter in branch.parameters()):
        parameter.data.add_(0.1)
    assert not torch.allclose(grown(frames), plain.generator(frames)), "the branches must be able to learn"


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_and_loads_what_it_saved(tmp_path, storms, name):
    run = trainer(small_config(tmp_path, storms, lambda_spectral=1e-3, pretrain_epochs=0), name)
    result = run.train()
    assert math.isfinite(result.best_score)
    for path in (result.best_model, result.checkpoint):
        assert load_model(path).generator.state_dict().keys() == run.average.module.state_dict().keys()


def test_a_network_of_unknown_kind_is_refused_by_name(tmp_path, storms, monkeypatch):
    result = trainer(small_config(tmp_path, storms, epochs=1), "noise").train()
    monkeypatch.delitem(NETWORKS, "noise")
    with pytest.raises(InputError, match="kind 'noise'"):
        load_model(result.best_model)


def test_the_wavelet_divergence_is_zero_for_equal_frames_only():
    frames = torch.rand(3, 1, 32, 32)
    wavelet = VARIANTS["wavelet"].losses(Losses()).spectral
    assert wavelet(frames, frames) == 0
    assert wavelet(frames, frames.flip(-1)) < 1e-6, "only energies count"
    assert wavelet(functional.avg_pool2d(frames, 3, 1, 1), frames) > 0.1


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


def test_r1_flattens_the_discriminator_at_real_frames(tmp_path, storms):
    frames = torch.rand(2, 1, 8, 8, requires_grad=True)
    assert steepness(frames, 6 * functional.avg_pool2d(frames, 2)).item() == pytest.approx(4 * 1.5**2)

    def trained(gamma):
        options = {"pretrain_epochs": 0, "epochs": 4, "lr_d": 1e-2}
        config = small_config(tmp_path / str(gamma), storms, **options)
        losses = replace(Losses.from_config(config.training), penalty=partial(r1_penalty, gamma=gamma), penalty_every=8)
        run = TempoGANTrainer(config, losses=losses)
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
    assert VARIANTS["charbonnier"].losses(Losses()).content is charbonnier_loss
