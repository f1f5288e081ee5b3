"""Options of training that nothing but their effect shows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tempogan_eddy.io import save_sequence
from tempogan_eddy.model.losses import CONTENT_UNIT, Losses, content_loss
from tempogan_eddy.training.trainer import TempoGANTrainer
from training_cases import moving_clouds, recorded, small_config, write_storms


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


def scalars(folder, storms, **training):
    config = small_config(folder, storms, steps_per_epoch=1, **training)
    TempoGANTrainer(config).train()
    return recorded(config)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        ("linear", [1, 1, 1, 0.5]),
        ("cosine", [1, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4]),
    ],
)
def test_learning_rates_follow_their_schedule(tmp_path, storms, schedule, factors):
    rates = scalars(tmp_path, storms, epochs=4, lr_g=1e-3, lr_schedule=schedule)["learning_rate"]
    assert rates == pytest.approx([1e-3 * factor for factor in factors])


def test_both_learning_rates_fall(tmp_path, storms):
    trainer = TempoGANTrainer(
        small_config(tmp_path, storms, steps_per_epoch=1, epochs=4, lr_g=1e-3, lr_d=4e-3, lr_schedule="linear")
    )
    checkpoint = torch.load(trainer.train().checkpoint, weights_only=True)
    rates = {name: checkpoint[f"optimizer_{name}"]["param_groups"][0]["lr"] for name in "gd"}
    assert rates == pytest.approx({"g": 0.5e-3, "d": 2e-3})


def test_time_that_is_over_ends_a_run_at_the_end_of_an_epoch(tmp_path, storms, caplog):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, epochs=50, max_minutes=1e-6))
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        result = trainer.train()
    assert result.epochs == 1
    assert not result.interrupted
    assert result.checkpoint.name == "checkpoint_epoch_1.pth"
    assert "1e-06 minutes of training.max_minutes are over" in caplog.text


def test_time_that_is_left_ends_nothing(tmp_path, storms):
    assert TempoGANTrainer(small_config(tmp_path, storms, epochs=2, max_minutes=60)).train().epochs == 2


def test_training_takes_the_content_distance_that_was_asked_for(tmp_path, storms):
    first = {
        distance: scalars(tmp_path / distance, storms, epochs=1, content_distance=distance)["loss/content"][0]
        for distance in ("l1", "l2")
    }
    # Jensen: the mean square is at least the square of the mean.
    assert first["l2"] > first["l1"] ** 2 / (2 * CONTENT_UNIT)
    assert first["l2"] != pytest.approx(first["l1"], rel=0.05)


def test_windows_that_are_not_aligned_change_what_dt_sees_and_nothing_else(tmp_path, storms):
    """The first step of two runs whose clouds drift: all losses but Dt's are the same."""
    aligned, still = (
        scalars(tmp_path / str(choice), storms, epochs=1, pretrain_epochs=0, align_windows=choice)
        for choice in (True, False)
    )
    for name in ("loss/content", "loss/d_spatial", "loss/g_spatial"):
        assert aligned[name] == still[name]
    assert aligned["loss/d_temporal"] != pytest.approx(still["loss/d_temporal"], rel=1e-4)


def test_without_motion_alignment_changes_nothing(tmp_path):
    """Frames that stand still have no flow: aligned windows are the windows."""
    (tmp_path / "still").mkdir()
    for number in range(2):
        storm = moving_clouds(seed=number, name=f"storm{number}")
        still = storm.copy(data=np.repeat(storm.values[:1], len(storm), axis=0))
        save_sequence(still, tmp_path / "still" / f"storm{number}.nc")
    aligned, as_they_are = (
        scalars(tmp_path / str(choice), tmp_path / "still", epochs=1, pretrain_epochs=0, align_windows=choice)
        for choice in (True, False)
    )
    assert aligned["loss/d_temporal"] == pytest.approx(as_they_are["loss/d_temporal"], rel=1e-6)


def gradient_norm(checkpoint, name):
    """Of the first step: Adam's first moment is then the gradient times 1 - beta1."""
    saved = checkpoint[f"optimizer_{name}"]
    squares = sum(float(moments["exp_avg"].square().sum()) for moments in saved["state"].values())
    return squares**0.5 / (1 - saved["param_groups"][0]["betas"][0])


def test_the_generators_gradient_is_bounded_and_the_discriminators_is_not(tmp_path, storms):
    def first_step(folder, **training):
        config = small_config(folder, storms, epochs=1, steps_per_epoch=1, pretrain_epochs=0, **training)
        checkpoint = torch.load(TempoGANTrainer(config).train().checkpoint, weights_only=True)
        return {name: gradient_norm(checkpoint, name) for name in "gd"}

    free = first_step(tmp_path / "free", grad_clip=0)
    bound = first_step(tmp_path / "bound", grad_clip=free["g"] / 4)
    assert bound["g"] == pytest.approx(free["g"] / 4, rel=1e-3)
    assert bound["d"] == pytest.approx(free["d"])


def test_the_generator_sees_a_context_that_no_loss_counts(tmp_path, storms):
    config, seen = small_config(tmp_path, storms, epochs=1, steps_per_epoch=1, context=2), []

    def content(generated, truth, valid):
        seen.append((generated.shape[-2:], truth.shape[-2:], valid.shape[-2:]))
        return content_loss(generated, truth, valid)

    trainer, inputs = TempoGANTrainer(config, losses=replace(Losses.from_config(config.training), content=content)), []
    trainer.networks.generator.register_forward_pre_hook(lambda _, given: inputs.append(given[0].shape[-1]))
    trainer.train()
    side = config.training.patch_size
    assert seen == [((side, side),) * 3]
    assert inputs[0] == side // config.scale + 2 * 2


def test_a_penalty_sees_what_both_discriminators_see_and_counts_for_the_steps_between(tmp_path, storms):
    config, seen = small_config(tmp_path, storms, epochs=1, steps_per_epoch=4, pretrain_epochs=0), []

    def penalty(discriminator, real, upsampled):
        seen.append((type(discriminator).__name__, real.dim(), real.shape == upsampled.shape, len(real)))
        return 0.25 + 0 * next(discriminator.parameters()).sum()

    losses = replace(Losses.from_config(config.training), penalty=penalty, penalty_every=2)
    TempoGANTrainer(config, losses=losses).train()
    windows = config.training.batch_size
    judged = int(windows * config.training.temporal_share)
    step = [("SpatialDiscriminator", 4, True, windows), ("TemporalDiscriminator", 5, True, judged)]
    assert seen == step * 2, "in two of four steps"
    assert recorded(config)["loss/d_penalty"] == [2 * 2 * 0.25] * 2
