"""The parts of a run: losses and their weights, schedule, selection, progress, resuming, and data of one's own."""

import io
import logging
import math
import re
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from tempogan_eddy.config import TrainingConfig, load_config
from tempogan_eddy.dataset.protocol import DataSource
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.losses import CONTENT_UNIT, Losses
from tempogan_eddy.stored import read_checkpoint
from tempogan_eddy.training import journal, loop
from tempogan_eddy.training.average import average_decay
from tempogan_eddy.training.batch import Batch
from tempogan_eddy.training.batches import step_batches
from tempogan_eddy.training.loop import Trainer, TrainingData
from tempogan_eddy.training.networks import build_networks, learning_rate_factor
from tempogan_eddy.training.selection import Rank, Selection, rank
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.weights import load_model
from tracing import traced
from training_cases import small_config, write_storms


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


def first_batches(trainer):
    return next(step_batches(trainer.dataset, trainer.config.training, 0, 1))


# Losses


def test_each_term_of_the_generators_loss_has_its_own_weight(tmp_path, storms, monkeypatch):
    config = small_config(
        tmp_path, storms, patch_size=32, lambda_content=3, lambda_spectral=5, lambda_adv_s=7, lambda_adv_t=11,
        lambda_feature=13, lambda_traces=17,
    )  # fmt: skip
    values = iter([100.0, 1000.0])  # of Ds, then of Dt

    def constant(value):
        return lambda *tensors: value + 0 * sum(part.sum() for part in tensors[:1])

    losses = replace(
        Losses.from_config(config.training),
        content=constant(1.0),
        spectral=constant(10.0),
        traces=lambda ours, theirs, scale: 1e5 * scale + 0 * ours.sum(),
        adversarial=lambda logits, _: next(values) + 0 * logits.sum(),
        feature=lambda _, fake: 1e4 + 0 * fake[0].sum(),
    )
    trainer = TempoGANTrainer(config, losses=losses)
    totals, backward = [], trainer.fabric.backward
    monkeypatch.setattr(trainer.fabric, "backward", lambda loss: (totals.append(loss.item()), backward(loss)))
    found = trainer.steps.run(first_batches(trainer), adversarial=True)
    assert totals[-1] == 3 * 1 + 5 * 10 + 7 * 100 + 11 * 1000 + 13 * 1e4 + 17 * 4e5
    assert (found["loss_g_spatial"], found["loss_g_temporal"], found["loss_feature"]) == (100, 1000, 1e4)
    assert totals[0] == pytest.approx(float(found["loss_d_spatial"] + found["loss_d_temporal"]))


def test_content_distance_chooses_between_distance_and_square():
    generated, truth, valid = torch.tensor([0.1, 0.5]), torch.tensor([0.0, 0.1]), torch.tensor([1.0, 1.0])
    l1, l2 = (
        Losses.from_config(TrainingConfig(content_distance=kind)).content(generated, truth, valid)
        for kind in ("l1", "l2")
    )
    assert l1.item() == pytest.approx((0.1 + 0.4) / 2)
    assert l2.item() == pytest.approx((0.01 + 0.16) / 2 / (2 * CONTENT_UNIT))


def test_align_windows_shows_dt_frames_without_their_motion(tmp_path, storms):
    changes = {}
    for aligned in (True, False):
        config = small_config(tmp_path, storms, align_windows=aligned, temporal_share=1)
        trainer = TempoGANTrainer(config)
        truth, _, mask = Batch.from_sample(first_batches(trainer)[0][0], config).warped
        before, middle, after = truth.unbind(1)
        changes[aligned] = float((((before - middle).abs() + (after - middle).abs()) * mask).sum() / mask.sum())
    assert changes[True] < 0.6 * changes[False]


def test_a_penalty_joins_every_nth_discriminator_step(tmp_path, storms):
    config = small_config(tmp_path, storms, pretrain_epochs=0)
    shapes = []

    def penalty(judge, real, upsampled):
        assert next(judge.parameters()).dtype == real.dtype == torch.float32
        shapes.append((real.shape[-3:], upsampled.shape[-3:]))
        return real.new_tensor(2.0, requires_grad=True)

    losses = replace(Losses.from_config(config.training), penalty=penalty, penalty_every=2)
    trainer = TempoGANTrainer(config, losses=losses)
    found = [
        trainer.steps.run(batches, adversarial=True) for batches in step_batches(trainer.dataset, config.training, 0, 3)
    ]
    assert ["loss_d_penalty" in one for one in found] == [True, False, True]
    assert found[0]["loss_d_penalty"] == 2 * (2.0 + 2.0)
    assert len(shapes) == 4


# Schedule


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [("constant", [1, 1, 1, 1]), ("linear", [1, 1, 0.5, 0]), ("cosine", [1, 0.5, 0.5 * (1 - math.sqrt(0.5)), 0])],
)
def test_lr_schedule(schedule, factors):
    found = [learning_rate_factor(schedule, progress) for progress in (0.0, 0.5, 0.75, 1.0)]
    assert found == pytest.approx(factors, abs=1e-12)


def test_the_average_forgets_the_untrained_weights():
    assert average_decay(0.999, 0) == pytest.approx(0.1)
    assert average_decay(0.999, 10**6) == 0.999


# Which model is best

BICUBIC = {"rmse": 4.0, "lsd": 20.0}


def ranked(rmse, lsd, epoch=1, **settings):
    return rank(TrainingConfig(max_rmse=1.1, **settings), {"rmse": rmse, "lsd": lsd}, BICUBIC, epoch)


def test_the_best_model_has_the_least_lsd_within_the_bound_on_rmse():
    sharp, blurred, wild = ranked(4.3, 2.0), ranked(3.5, 15.0), ranked(4.5, 1.0)
    assert sharp < blurred < wild
    assert (sharp, wild) == (Rank(False, 0.1), Rank(True, 4.5 / 4))
    assert ranked(4.5, 1.0) < ranked(4.6, 0.5), "above the bound, the least RMSE"
    assert not ranked(4.4, 1.0).missed, "the bound itself is within"


def test_one_metric_alone_knows_no_bound():
    assert ranked(8.0, 5.0, score="lsd") == Rank(False, 0.25)
    assert ranked(8.0, 5.0, score="rmse") == Rank(False, 2.0)


def test_the_last_epoch_is_the_best_where_asked():
    assert ranked(8.0, 5.0, epoch=3, score="last") < ranked(2.0, 1.0, epoch=2, score="last")


def test_a_selection_comes_back_from_its_checkpoint_and_not_from_another_rule():
    selection = Selection(TrainingConfig())
    assert selection.offer(Rank(True, 1.2), {"step": 3})
    assert selection.offer(Rank(False, 0.5), {"step": 6})
    assert not selection.offer(Rank(True, 0.1), {"step": 9})
    resumed = Selection(TrainingConfig())
    assert resumed.restore(selection.state())
    assert (resumed.best, resumed.stale, resumed.details) == (Rank(False, 0.5), 1, {"step": 6})
    for other in (TrainingConfig(max_rmse=1.3), TrainingConfig(score="rmse")):
        resumed = Selection(other)
        assert not resumed.restore(selection.state())
        assert (resumed.best, resumed.stale, resumed.details) == (Rank(), 0, {})


def test_the_old_name_of_a_score_is_replaced_with_a_word(caplog):
    assert load_config({"training": {"score": "balanced"}}).training.score == "lsd_within_rmse"
    assert "lsd_within_rmse takes its place" in caplog.text


def test_the_log_shows_which_epochs_met_the_bound(tmp_path, storms, caplog):
    caplog.set_level(logging.INFO)
    TempoGANTrainer(small_config(tmp_path / "met", storms, epochs=1, max_rmse=5)).train()
    assert "of bicubic's, within 5)" in caplog.text
    TempoGANTrainer(small_config(tmp_path / "missed", storms, epochs=1, max_rmse=0.01)).train()
    assert "of bicubic's, above 0.01)" in caplog.text


# Killed runs

KILLED = """
import os, signal, sys
from tempogan_eddy.training.trainer import TempoGANTrainer
trainer = TempoGANTrainer(sys.argv[1])
run = trainer.steps.run
def run_or_die(*arguments):
    if trainer.step == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return run(*arguments)
trainer.steps.run = run_or_die
trainer.train()
"""


def test_a_run_killed_before_its_first_periodic_checkpoint_goes_on(tmp_path, storms):
    config = small_config(tmp_path, storms, epochs=2, checkpoint_every=10)
    (tmp_path / "config.json").write_text(config.to_json())
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "config.json"], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {
        ".lock",
        "best_model.safetensors",
        "best_model-discriminators.safetensors",
        "checkpoint_best.pth",
    }
    with pytest.raises(InputError, match="--resume auto"):
        TempoGANTrainer(config).train()
    (tmp_path / "checkpoints" / ".checkpoint_epoch_1.pth.lock").touch()  # as if it was killed while it wrote one
    resumed = TempoGANTrainer(config).train("auto")
    assert not list((tmp_path / "checkpoints").glob(".*"))
    whole = TempoGANTrainer(small_config(tmp_path / "whole", storms, epochs=2)).train()
    states = [read_checkpoint(result.checkpoint)["generator"] for result in (resumed, whole)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_run_killed_between_checkpoint_and_model_writes_the_model_when_it_resumes(tmp_path, storms, monkeypatch):
    class KilledError(Exception):
        pass

    def die(*_):
        raise KilledError

    config = small_config(tmp_path, storms, epochs=2)
    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_model", die)
        with pytest.raises(KilledError):
            TempoGANTrainer(config).train()
    trainer = TempoGANTrainer(config)
    trainer._train_step = die  # before another epoch can write a model
    with pytest.raises(KilledError):
        trainer.train("auto")
    assert load_model(tmp_path / "checkpoints" / "best_model.safetensors").metadata["step"] == 3


# Progress


def shown(monkeypatch, width, minutes_spent=2.0, **settings):
    """What a terminal of this width shows after step 120 of 60 epochs of 50 steps."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width)
    monkeypatch.setattr(journal, "messages", lambda: console)
    monkeypatch.setattr(journal, "EventFile", lambda *_: SimpleNamespace(close=lambda: None, add=lambda event: None))
    training = TrainingConfig(epochs=60, steps_per_epoch=50, **settings)
    with journal.Journal(training, 0) as book:
        book.started = time.monotonic() - 60 * minutes_spent
        for step in range(1, 121):
            book.step(step, {"loss_content": torch.tensor(0.5)})
    return screen.getvalue()


def test_a_narrow_terminal_shows_the_epoch_and_the_time_left(monkeypatch):
    assert "epoch 3 of 60, 48 min left" in shown(monkeypatch, 40)
    assert "content 0.5000" in shown(monkeypatch, 120)


def test_the_time_left_knows_max_minutes(monkeypatch):
    assert "epoch 3 of 60, 28 min left" in shown(monkeypatch, 40, max_minutes=30.0)
    assert "epoch 3 of 60, 39 h 12 min left" in shown(monkeypatch, 40, minutes_spent=98.0)


def test_a_log_tells_the_epoch_and_the_time_left(tmp_path, storms, caplog):
    caplog.set_level(logging.INFO)
    TempoGANTrainer(small_config(tmp_path, storms, epochs=2)).train()
    lines = [line for line in caplog.messages if line.startswith("epoch ")]
    assert re.match(r"epoch 1 of 2, \d+ (s|min) left: content \S+ \| RMSE", lines[0])
    assert re.match(r"epoch 2 of 2: Ds \S+ Dt \S+ content", lines[1]), "nothing is left"


# Data of one's own


class Waves(DataSource):
    """Waves that move one lowres pixel a step, without a file."""

    def __len__(self):
        return 8

    def draw(self, index):
        return self._window(index, 32)

    def full_frame(self, position):
        return self._window(position, 48)

    def intervals(self):
        return ["waves 2001-01-01T00:00/2001-01-01T07:00"]

    def _window(self, index, size):
        y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        highres = torch.stack([250 + 20 * torch.sin((x + 4 * t + index) / 3) + y / 8 for t in range(3)])[:, None]
        flow = torch.zeros(2, 2, size // 4, size // 4)
        flow[0, 0], flow[1, 0] = 1, -1
        return {
            "highres": highres,
            "lowres": torch.nn.functional.avg_pool2d(highres, 4),
            "valid": torch.ones_like(highres),
            "flow": flow,
            "times": torch.arange(3) + index,
        }


def test_a_trainer_takes_any_source_of_windows(tmp_path):
    config = small_config(tmp_path, tmp_path / "no such folder", pretrain_epochs=0)
    trainer = Trainer(config, TrainingData(Waves(), Waves()), build_networks(config))
    assert not list(tmp_path.iterdir()), "nothing is read or written before training"
    result = trainer.train()
    assert result.epochs == 2
    assert load_model(result.best_model).metadata["training_data"] == Waves().intervals()


def test_one_training_step_crosses_at_most_40_file_switches(tmp_path, storms):
    trainer = TempoGANTrainer(small_config(tmp_path, storms, pretrain_epochs=0))
    batches = first_batches(trainer)
    trainer._train_step(batches)
    with traced() as trace:
        trainer._train_step(batches)
    assert trace.switches <= 40, "\n".join(trace.visits()[0])
