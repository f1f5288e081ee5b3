"""The training loop: exact resume, accumulation, signals, checkpoints, refusals."""

import importlib
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tempogan_eddy.cli.model_commands import train
from tempogan_eddy.config import SensorConfig
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError, TrainingError
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.model.tempogan import upsample
from tempogan_eddy.stored import read_checkpoint
from tempogan_eddy.training.batches import step_batches
from tempogan_eddy.training.checkpoint import find_checkpoint
from tempogan_eddy.training.selection import Rank
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.weights import load_model, save_model
from training_cases import small_config, write_storms

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


def same(first, second):
    """Whether two nested states are equal bit for bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    return first == second


def trained(folder, storms, resume_from=None, **training):
    trainer = TempoGANTrainer(small_config(folder, storms, **training))
    return trainer, trainer.train(resume_from=resume_from)


def state(folder, epoch):
    found = read_checkpoint(folder / "checkpoints" / f"checkpoint_epoch_{epoch}.pth")
    return {key: value for key, value in found.items() if key != "config"}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resumed_training_equals_uninterrupted_training_bit_for_bit(tmp_path, storms, precision):
    trained(tmp_path / "whole", storms, epochs=4, precision=precision, lambda_feature=0.1, d_steps=2)
    trained(tmp_path / "parts", storms, epochs=2, precision=precision, lambda_feature=0.1, d_steps=2)
    trained(tmp_path / "parts", storms, "auto", epochs=4, precision=precision, lambda_feature=0.1, d_steps=2)
    assert same(state(tmp_path / "whole", 4), state(tmp_path / "parts", 4))


def test_a_run_stopped_inside_an_epoch_goes_on_exactly(tmp_path, storms):
    trained(tmp_path / "whole", storms, epochs=3)
    trainer = TempoGANTrainer(small_config(tmp_path / "parts", storms, epochs=3))
    run, steps, handler = trainer.steps.run, [], signal.getsignal(signal.SIGTERM)

    def stop_after_five(batches, adversarial):
        steps.append(1)
        if len(steps) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return run(batches, adversarial)

    trainer.steps.run = stop_after_five
    result = trainer.train()
    assert result.interrupted
    assert result.epochs == 1
    assert result.checkpoint.name == "checkpoint_interrupted.pth"
    assert signal.getsignal(signal.SIGTERM) == handler
    trained(tmp_path / "parts", storms, "auto", epochs=3)
    assert same(state(tmp_path / "whole", 3), state(tmp_path / "parts", 3))
    assert not result.checkpoint.exists(), "a finished run needs no interrupted state"


def test_the_number_of_workers_changes_nothing(tmp_path, storms):
    trained(tmp_path / "none", storms, epochs=1)
    trained(tmp_path / "two", storms, epochs=1, num_workers=2)
    assert same(state(tmp_path / "none", 1)["generator"], state(tmp_path / "two", 1)["generator"])


def first_batches(trainer):
    """The batches of the first step."""
    return next(step_batches(trainer.dataset, trainer.config.training, 0, 1))


def gradients(folder, storms, **training):
    """Gradients of all three networks after one adversarial step."""
    config = small_config(folder, storms, pretrain_epochs=0, lambda_feature=0.1, **training)
    trainer = TempoGANTrainer(config)
    for optimizer in (trainer.optimizers.generator, trainer.optimizers.discriminators):
        optimizer.step = lambda *_: None
        optimizer.zero_grad = lambda *_, **__: None
    trainer.steps.run(first_batches(trainer), adversarial=True)
    networks = trainer.networks
    return [
        p.grad for network in (networks.generator, networks.spatial, networks.temporal) for p in network.parameters()
    ]


@pytest.mark.parametrize("gradient_frames", [1, 3])
def test_accumulated_batches_equal_the_big_batch(tmp_path, storms, gradient_frames):
    options = {"gradient_frames": gradient_frames, "temporal_share": 1}  # half of a batch of one is one
    big = gradients(tmp_path / "big", storms, batch_size=4, accumulate=1, **options)
    small = gradients(tmp_path / "small", storms, batch_size=1, accumulate=4, **options)
    assert len(big) > 20
    for one, other in zip(big, small, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def test_checkpoints_bear_the_epoch_that_is_finished_and_hold_everything(tmp_path, storms):
    trained(tmp_path, storms, epochs=5, steps_per_epoch=1, checkpoint_every=2)
    names = sorted(path.name for path in (tmp_path / "checkpoints").glob("*.pth"))
    assert names == ["checkpoint_best.pth", *(f"checkpoint_epoch_{epoch}.pth" for epoch in (2, 4, 5))]
    checkpoint = read_checkpoint(tmp_path / "checkpoints" / "checkpoint_epoch_4.pth")
    assert checkpoint["epoch"] == checkpoint["step"] == 4
    for key in (
        "generator",
        "spatial_discriminator",
        "temporal_discriminator",
        "optimizer_g",
        "optimizer_d",
        "ema",
    ):
        assert checkpoint[key], key
    assert {"scaler", "best_score", "config"} <= checkpoint.keys()


def test_the_best_model_is_saved_with_its_score_and_loads(tmp_path, storms):
    _, result = trained(tmp_path, storms, epochs=3)
    model = load_model(result.best_model)
    assert model.metadata["score"] == pytest.approx(result.best_score)
    assert model.metadata["score_kind"] == "lsd_within_rmse"
    assert model.scale == 4
    assert model.kelvin_range == (170, 320)
    assert load_model(result.checkpoint).metadata["epoch"] == 3


def test_training_learns_what_no_interpolation_knows(tmp_path):
    smooth = write_storms(tmp_path / "smooth", sharpness=0.4)
    trainer, _ = trained(
        tmp_path,
        smooth,
        epochs=1,
        pretrain_epochs=1,
        steps_per_epoch=120,
        lr_g=3e-3,
        ema_decay=0.9,
        batch_size=4,
    )
    area = SensorModel("area", 4)
    projected = trainer.validation.measure(lambda frames, _: area.project(upsample(frames, 4), frames))
    assert projected["rmse"] < trainer.validation.bicubic["rmse"]
    assert trainer.validation.measure(trainer.reconstruct)["rmse"] < 0.95 * projected["rmse"]


def test_content_alone_comes_first_and_leaves_the_discriminators_alone(tmp_path, storms, caplog):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, epochs=1, pretrain_epochs=1))
    before = {key: value.clone() for key, value in trainer.networks.spatial.state_dict().items()}
    trainer.train()
    assert same(before, dict(trainer.networks.spatial.state_dict()))
    assert "The discriminators never join" in caplog.text


def test_adversarial_losses_reach_all_three_networks(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, pretrain_epochs=0, lambda_content=0.0))
    networks = [trainer.networks.generator, trainer.networks.spatial, trainer.networks.temporal]
    before = [{key: value.clone() for key, value in network.state_dict().items()} for network in networks]
    losses = trainer.steps.run(first_batches(trainer), adversarial=True)
    assert {"loss_d_spatial", "loss_d_temporal", "loss_g_spatial", "loss_g_temporal"} <= losses.keys()
    for old, network in zip(before, networks, strict=True):
        assert not same(old, dict(network.state_dict()))


def test_the_generators_step_leaves_no_gradient_in_the_discriminators(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, pretrain_epochs=0))
    trainer.steps.run(first_batches(trainer), adversarial=True)
    for network in (trainer.networks.spatial, trainer.networks.temporal):
        assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_learning_from_the_middle_frame_shows_the_discriminators_all_three(tmp_path, storms):
    """The same losses at first, because only what the generator learns from differs."""
    losses = []
    for count in (3, 1):
        trainer = TempoGANTrainer(small_config(tmp_path, storms, pretrain_epochs=0, gradient_frames=count))
        torch.nn.init.normal_(trainer.networks.generator.module.tail.weight, std=0.01, generator=torch.manual_seed(0))
        losses.append(trainer.steps.run(first_batches(trainer), adversarial=True))
    for name in ("loss_d_spatial", "loss_d_temporal", "loss_g_spatial", "loss_g_temporal"):
        assert float(losses[0][name]) == pytest.approx(float(losses[1][name]), rel=1e-4)
    assert float(losses[0]["loss_content"]) != pytest.approx(float(losses[1]["loss_content"]), rel=1e-4)


def test_learning_from_the_middle_frame_is_the_gradient_of_its_loss(tmp_path, storms):
    config = small_config(tmp_path, storms, gradient_frames=1, grad_clip=0, batch_size=4, lr_g=1.0)
    trainer = TempoGANTrainer(config)
    generator = trainer.networks.generator.module
    ((batch,),) = first_batches(trainer)
    fake = generator(from_kelvin(batch["lowres"][:, 1], (170, 320)))
    (fake - from_kelvin(batch["highres"][:, 1], (170, 320))).abs().mean().backward()
    wanted = generator.tail.weight.grad.clone()
    generator.zero_grad()
    seen = []
    trainer.optimizers.generator.step = lambda: seen.append(generator.tail.weight.grad.clone())
    trainer.steps.run([[batch]], adversarial=False)
    torch.testing.assert_close(seen[0], wanted)


def test_training_starts_from_an_earlier_model(tmp_path, storms):
    _, first = trained(tmp_path / "first", storms)
    start = dict(load_model(first.best_model).generator.state_dict())
    trainer, _ = trained(tmp_path / "second", storms, epochs=1, start_from=str(first.best_model), lr_g=1e-12)
    torch.testing.assert_close(start, dict(trainer.networks.generator.module.state_dict()))
    other = small_config(tmp_path / "third", storms, start_from=str(first.best_model))
    other.model.channels = 16
    with pytest.raises(InputError, match=r"model\.channels = 8"):
        TempoGANTrainer(other).train()


def test_validation_of_the_truth_is_perfect_and_of_bicubic_is_not(tmp_path, storms):
    validation = TempoGANTrainer(small_config(tmp_path, storms)).validation
    truth = iter([from_kelvin(sample["highres"], (170, 320)) for sample in validation.samples.values()])
    perfect = validation.measure(lambda *_: next(truth))
    assert perfect["rmse"] < 1e-4
    assert perfect["lsd"] < 1e-2
    assert abs(perfect["energy"]) < 1e-3
    assert validation.bicubic["rmse"] > 1
    assert validation.bicubic["energy"] < -3


def test_without_an_average_the_generator_itself_is_validated(tmp_path, storms):
    trainer, result = trained(tmp_path, storms, epochs=1, ema_decay=0)
    assert same(dict(trainer.average.module.state_dict()), dict(trainer.networks.generator.state_dict()))
    assert same(
        dict(load_model(result.checkpoint).generator.state_dict()), dict(trainer.networks.generator.state_dict())
    )


@pytest.mark.parametrize(
    ("gradient_frames", "temporal_share", "seen"), [(3, 1, [6]), (3, 0.5, [6]), (1, 1, [2, 4]), (1, 0.5, [2, 2])]
)
def test_one_forward_pass_of_a_frame_serves_both_steps(tmp_path, storms, gradient_frames, temporal_share, seen):
    options = {"gradient_frames": gradient_frames, "temporal_share": temporal_share}
    trainer = TempoGANTrainer(small_config(tmp_path, storms, pretrain_epochs=0, **options))
    calls = []
    trainer.networks.generator.register_forward_hook(lambda _, frames, __: calls.append(len(frames[0])))
    trainer.steps.run(first_batches(trainer), adversarial=True)
    assert calls == seen


@pytest.mark.parametrize(("batch_size", "share", "judged"), [(4, 1, 4), (4, 0.5, 2), (3, 0.5, 2), (1, 0.1, 1)])
def test_dt_judges_its_share_of_the_windows_and_ds_all(tmp_path, storms, batch_size, share, judged):
    options = {"batch_size": batch_size, "temporal_share": share, "pretrain_epochs": 0}
    trainer = TempoGANTrainer(small_config(tmp_path, storms, **options))
    shown = {"spatial": [], "temporal": []}
    for name, counts in shown.items():
        network = getattr(trainer.networks, name)
        network.register_forward_pre_hook(lambda _, given, counts=counts: counts.append(len(given[0])))
    trainer.steps.run(first_batches(trainer), adversarial=True)
    # Real and generated in step A, generated in step B.
    assert shown == {"spatial": [2 * batch_size, batch_size], "temporal": [2 * judged, judged]}


def test_mixed_precision_leaves_the_kelvins_alone(tmp_path, storms):
    """Layers compute in bf16; what is measured and what the discriminators are shown is not rounded."""
    trainer = TempoGANTrainer(small_config(tmp_path, storms, precision="bf16", batch_size=4))
    torch.nn.init.normal_(trainer.networks.generator.module.tail.weight, std=0.01)
    ((batch,),) = first_batches(trainer)
    lr = from_kelvin(batch["lowres"].flatten(0, 1), (170, 320))
    fake = trainer.networks.generator(lr)
    assert float((torch.nn.functional.avg_pool2d(fake, 4) - lr).abs().max()) * 150 < 0.001
    shown = []
    spatial = trainer.networks.spatial
    spatial.module.network.register_forward_pre_hook(lambda _, given: shown.append(given[0]))
    spatial(fake, upsample(lr, 4))
    torch.testing.assert_close(shown[0][:, 2:3], 8 * (fake - upsample(lr, 4)))


def test_a_discriminators_gradient_that_is_not_finite_stops_before_the_optimiser_steps(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, pretrain_epochs=0))
    layer = next(trainer.networks.spatial.parameters())
    layer.register_hook(lambda gradient: gradient * math.nan)
    before = {key: value.detach().clone() for key, value in trainer.networks.temporal.named_parameters()}
    losses = trainer.steps.run(first_batches(trainer), adversarial=True)
    assert losses["gradient_d"].isnan()
    weights = dict(trainer.networks.temporal.named_parameters())
    assert all(torch.equal(value, before[name]) for name, value in weights.items())


def test_the_spectral_loss_joins_the_generators_step(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, lambda_spectral=1e-3))
    losses = trainer.steps.run(first_batches(trainer), adversarial=False)
    assert losses["loss_spectral"] > 0.1  # an untrained generator is far too smooth
    first = losses["loss_spectral"]
    for batches in step_batches(trainer.dataset, trainer.config.training, 1, 30):
        losses = trainer.steps.run(batches, adversarial=False)
    assert losses["loss_spectral"] < first


def test_the_loss_on_traces_joins_the_generators_step(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, lambda_traces=10, patch_size=32, lr_g=1e-3))
    losses = [
        trainer.steps.run(batches, adversarial=False)["loss_traces"].item()
        for batches in step_batches(trainer.dataset, trainer.config.training, 0, 30)
    ]
    assert 0 < sum(losses[-10:]) < 0.8 * sum(losses[:10])  # one small batch may be below 0 by chance


def test_an_earlier_model_is_not_asked_for_on_resume(tmp_path, storms):
    _, first = trained(tmp_path / "first", storms)
    trained(tmp_path / "second", storms, epochs=1, start_from=str(first.best_model))
    steps = load_model(first.best_model).metadata["step"]
    first.best_model.unlink()
    _, result = trained(tmp_path / "second", storms, "auto", epochs=2, start_from=str(first.best_model))
    assert result.epochs == 2
    # The model tells what came before its own steps, and hands it on.
    made = load_model(result.best_model)
    assert made.metadata["history"] == [f"first: {steps} steps of training"]
    trainer, _ = trained(tmp_path / "third", storms, epochs=1, start_from=str(result.best_model))
    own = f"second: {made.metadata['step']} steps of training"
    assert trainer.inherited["history"] == [*made.metadata["history"], own]


def test_a_model_names_the_training_data_of_its_start_and_its_teacher(tmp_path, storms):
    _, first = trained(tmp_path / "first", storms)
    start, teacher = load_model(first.best_model), tmp_path / "teacher.safetensors"
    own = start.metadata["training_data"]
    start.metadata |= {"training_data": ["a 2000-01-01T00/2000-01-02T00", *own], "trained_on": ["archive A"]}
    save_model(first.best_model, start)
    start.metadata |= {"training_data": ["b 2001-01-01T00/2001-01-02T00"], "trained_on": ["archive B"]}
    save_model(teacher, start)
    models = {"start_from": str(first.best_model), "teacher": str(teacher)}
    trained(tmp_path / "second", storms, epochs=1, **models)
    _, result = trained(tmp_path / "second", storms, "auto", epochs=2, **models)
    made = load_model(result.best_model).metadata
    assert made["training_data"] == ["b 2001-01-01T00/2001-01-02T00", "a 2000-01-01T00/2000-01-02T00", *own]
    assert made["trained_on"] == ["archive B", "archive A"]


def test_a_loss_that_is_not_finite_stops_before_the_optimiser_steps(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms))
    batches = first_batches(trainer)
    batches[0][0]["highres"][0] = math.inf
    before = {key: value.clone() for key, value in trainer.networks.generator.state_dict().items()}
    assert not trainer.steps.run(batches, adversarial=False)["loss_content"].isfinite()
    assert same(before, dict(trainer.networks.generator.state_dict()))


def test_content_epochs_are_no_candidates_for_the_best_model(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, epochs=2, pretrain_epochs=1))
    trainer.selection.best = Rank(False, 0.0)  # as if the content epoch had been perfect
    result = trainer.train()
    assert result.best_score > 0
    assert load_model(result.best_model).metadata["epoch"] == 2


def test_early_stopping_waits_for_its_patience(tmp_path, storms):
    alone = {"lambda_adv_s": 0, "lambda_adv_t": 0}
    trainer = TempoGANTrainer(small_config(tmp_path, storms, epochs=9, early_stopping_patience=2, **alone))
    trainer.selection.best = Rank(False, 0.0)  # nothing can be better
    assert trainer.train().epochs == 2


def test_early_stopping_does_not_count_the_epochs_before_the_discriminators_join(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, epochs=4, pretrain_epochs=3, early_stopping_patience=1))
    trainer.selection.best = Rank(False, 0.0)
    assert trainer.train().epochs == 4


def test_a_resumed_run_keeps_the_length_of_its_epochs(tmp_path, storms):
    trained(tmp_path, storms, epochs=1)
    with pytest.raises(InputError, match="steps_per_epoch = 3"):
        trained(tmp_path, storms, "auto", steps_per_epoch=5)


def test_a_gradient_that_is_not_finite_changes_no_weight(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms))
    before = {key: value.clone() for key, value in trainer.networks.generator.state_dict().items()}
    next(trainer.networks.generator.parameters()).register_hook(lambda gradient: gradient * math.nan)
    assert trainer.steps.run(first_batches(trainer), adversarial=False)["gradient_g"].isnan()
    assert same(before, dict(trainer.networks.generator.state_dict()))


def test_a_step_that_is_not_finite_ends_the_run_by_its_number_and_leaves_no_checkpoint(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, steps_per_epoch=4, epochs=1))
    run, steps = trainer.steps.run, []

    def spoil_the_second(batches, adversarial):
        steps.append(1)
        if len(steps) == 2:
            batches[0][0]["highres"][0] = math.nan
        return run(batches, adversarial)

    trainer.steps.run = spoil_the_second
    with pytest.raises(TrainingError, match=r"At step 2 loss_content is nan; no weight .* lower training\.lr_g"):
        trainer.train()
    assert not list((tmp_path / "checkpoints").glob("*"))


def test_fp16_trains_with_a_scaler_that_is_saved(tmp_path, storms):
    trained(tmp_path, storms, epochs=1, steps_per_epoch=1, precision="fp16", pretrain_epochs=0, grad_clip=0.1)
    assert state(tmp_path, 1)["scaler"]["scale"] > 0


def test_fp16_halves_its_scale_when_it_overflows_and_changes_no_weight(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, precision="fp16"))
    before = {key: value.clone() for key, value in trainer.networks.generator.state_dict().items()}
    scaler = trainer.fabric.strategy.precision.scaler
    scaler._init_scale = 2.0**120  # far beyond what a gradient in fp16 can hold
    trainer.steps.run(first_batches(trainer), adversarial=False)
    assert same(before, dict(trainer.networks.generator.state_dict()))
    assert scaler.get_scale() == 2.0**119


def test_tensorboard_holds_losses_metrics_and_pictures(tmp_path, storms):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained(tmp_path, storms)
    events = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert {"loss/content", "loss/g_temporal", "validation/rmse", "validation/score"} <= set(events.Tags()["scalars"])
    assert {"frames/lowres", "frames/generated", "frames/highres"} <= set(events.Tags()["images"])


def test_a_checkpoint_of_another_model_is_refused_by_key(tmp_path, storms):
    trained(tmp_path, storms, epochs=1)
    config = small_config(tmp_path, storms)
    config.model.channels = 16
    with pytest.raises(InputError, match=r"model\.channels is 8"):
        TempoGANTrainer(config).train(resume_from="auto")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing.pth", 'does not exist; resume from "auto"'),
        ("text.pth", "damaged or not a checkpoint"),
        ("foreign.pth", "is not a checkpoint of"),
        ("folder.pth", "no checkpoint but a folder; name a .pth file"),
        ("model.safetensors", "no checkpoint but a model, with which training.start_from begins"),
    ],
)
def test_a_checkpoint_that_is_none_is_named(tmp_path, storms, kind, words):
    path = tmp_path / kind
    if kind in ("text.pth", "model.safetensors"):
        path.write_text("not a checkpoint")
    elif kind == "foreign.pth":
        torch.save({"state_dict": {}}, path)
    elif kind == "folder.pth":
        path.mkdir()
    with pytest.raises(InputError, match=rf"{kind}.*{words}"):
        TempoGANTrainer(small_config(tmp_path, storms)).train(resume_from=path)


def test_auto_without_a_checkpoint_begins_anew_and_without_more_than_a_model_says_so(tmp_path, storms):
    trained(tmp_path, storms, "auto", epochs=1)
    for path in (tmp_path / "checkpoints").glob("*.pth"):
        path.unlink()
    with pytest.raises(InputError, match="holds a model but no checkpoint"):
        trained(tmp_path, storms, "auto")


def test_auto_takes_the_last_step_whatever_was_written_last_and_no_damaged_file(tmp_path, storms, caplog):
    trained(tmp_path, storms, epochs=3, steps_per_epoch=1)
    folder = tmp_path / "checkpoints"
    for path in sorted(folder.glob("*.pth"), reverse=True):  # an rsync, say
        path.touch()
    assert find_checkpoint("auto", folder).name == "checkpoint_epoch_3.pth"
    (folder / "checkpoint_best.pth").unlink()
    for epoch in (3, 2):
        content = bytearray((folder / f"checkpoint_epoch_{epoch}.pth").read_bytes())
        content[len(content) // 2] ^= 1
        (folder / f"checkpoint_epoch_{epoch}.pth").write_bytes(content)
    assert find_checkpoint("auto", folder).name == "checkpoint_epoch_1.pth"
    assert "Skipped" in caplog.text and "checkpoint_epoch_3.pth cannot be read" in caplog.text
    find_checkpoint("auto", folder)
    assert caplog.text.count("checkpoint_epoch_3.pth cannot be read") == 1
    trained(tmp_path, storms, "auto", epochs=3, steps_per_epoch=1)
    assert find_checkpoint("auto", folder).name == "checkpoint_epoch_3.pth"
    for path in folder.glob("*.pth"):
        path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"All checkpoints in .* are damaged"):
        find_checkpoint("auto", folder)


def test_the_last_and_the_best_checkpoints_stay(tmp_path, storms):
    def left():
        return sorted(int(path.stem[17:]) for path in (tmp_path / "checkpoints").glob("checkpoint_epoch_*.pth"))

    options = {"steps_per_epoch": 1, "pretrain_epochs": 0, "keep_checkpoints": 3, "score": "rmse"}
    trainer = TempoGANTrainer(small_config(tmp_path, storms, epochs=4, **options))
    rmse = iter([2.0, 1.0, 4.0, 3.0])
    measure = trainer._measure
    trainer._measure = lambda: measure() | {"rmse": next(rmse)}
    trainer.train()
    assert left() == [1, 2, 4]
    trainer = TempoGANTrainer(small_config(tmp_path, storms, epochs=5, **options))
    trainer._measure = lambda: measure() | {"rmse": 5.0}
    trainer.train("auto")
    assert left() == [1, 2, 5]


def test_a_device_that_is_not_there_is_named(tmp_path, storms):
    with pytest.raises(InputError, match="cuda:77"):
        TempoGANTrainer(small_config(tmp_path, storms, device="cuda:77"))


def test_train_py_trains_from_the_command_line_and_resumes_from_python(tmp_path, storms, monkeypatch):
    config = tmp_path / "config.json"
    config.write_text(small_config(tmp_path, storms, epochs=1, steps_per_epoch=1, pretrain_epochs=0).to_json())
    command = [sys.executable, str(ROOT / "train.py"), "-c", str(config)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    first = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    assert "Best model" in first.stdout
    values = json.loads(config.read_text())
    values["training"]["epochs"] = 2
    config.write_text(json.dumps(values))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    train = importlib.import_module("train")
    train.TempoGANTrainer("config.json").train(resume_from="./checkpoints/checkpoint_epoch_1.pth")
    assert (tmp_path / "checkpoints" / "checkpoint_epoch_2.pth").exists()


def test_a_teacher_stands_for_the_truth_in_the_content_loss(tmp_path, storms):
    _, result = trained(tmp_path / "teacher", storms, lambda_adv_s=0, lambda_adv_t=0)
    teacher = str(result.best_model)
    config = small_config(tmp_path / "pupil", storms, teacher=teacher, start_from=teacher, pretrain_epochs=0)
    pupil = TempoGANTrainer(config)
    pupil._start()
    (batches,) = step_batches(pupil.dataset, pupil.config.training, 0, 1)
    assert pupil.steps.run(batches, adversarial=True)["loss_content"] == 0.0, "the pupil begins as its teacher"
    assert pupil.steps.run(batches, adversarial=True)["loss_content"] > 0.0, "and moves away for the discriminators"
    assert same(dict(pupil.networks.teacher.module.state_dict()), dict(load_model(teacher).generator.state_dict()))


def test_a_teacher_knows_the_sensor_if_it_was_trained_on_it_or_adapts(tmp_path, storms):
    seen = {"kind": "gaussian", "parameters": {"fwhm": 1.2}}
    config = small_config(tmp_path, storms, teacher="faithful").model_copy(update={"sensor": SensorConfig(**seen)})
    config.model.conditioned = True
    assert TempoGANTrainer(config).networks.teacher is not None
    config.training.teacher = str(trained(tmp_path / "area", storms)[1].best_model)
    config.model.conditioned = False
    with pytest.raises(InputError, match=r"training\.teacher: .* has sensor = kind='area'"):
        TempoGANTrainer(config)


def test_a_teacher_of_another_scale_is_refused(tmp_path, storms):
    _, result = trained(tmp_path / "teacher", storms, lambda_adv_s=0, lambda_adv_t=0)
    config = small_config(tmp_path / "pupil", storms, teacher=str(result.best_model))
    config.model.upsample_factor = 2
    with pytest.raises(InputError, match=r"training\.teacher: .* model\.upsample_factor"):
        TempoGANTrainer(config)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"log_dir": "/dev/null/logs"}, r"The log in /dev/null/logs \(training\.log_dir\) cannot be written"),
        ({"device": "cuda:99"}, "The device 'cuda:99'"),
        ({"teacher": "nowhere.safetensors"}, "nowhere.safetensors"),
        ({"start_from": "nowhere.safetensors"}, "nowhere.safetensors"),
    ],
)
def test_what_data_cannot_change_is_refused_before_they_are_read(tmp_path, monkeypatch, settings, words):
    monkeypatch.setattr("tempogan_eddy.training.trainer.TyphoonDataset", lambda *_: pytest.fail("data are read"))
    training = {"checkpoint_dir": str(tmp_path / "checkpoints"), "log_dir": str(tmp_path / "logs"), **settings}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"training": training}))
    with pytest.raises(InputError, match=words):
        train(config=config)
    assert list(tmp_path.iterdir()) == [config]
