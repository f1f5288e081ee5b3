"""The training loop, from top to bottom."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from tempogan_eddy.config import Config, load_config
from tempogan_eddy.dataset.typhoon import TyphoonDataset
from tempogan_eddy.device import keep_freed_memory
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.tempogan import SpatialDiscriminator, TemporalDiscriminator
from tempogan_eddy.training.batches import step_batches
from tempogan_eddy.training.checkpoint import (
    best_path,
    epoch_path,
    find_checkpoint,
    interrupted_path,
    load_checkpoint,
    refuse_earlier_run,
    save_checkpoint,
    state_of,
)
from tempogan_eddy.training.fabric import make_fabric
from tempogan_eddy.training.journal import Journal
from tempogan_eddy.training.steps import Networks, Steps
from tempogan_eddy.training.validation import Validation, score
from tempogan_eddy.weights import build_generator, load_model, save_model

__all__ = ["TempoGANTrainer", "TrainingResult"]

log = logging.getLogger(__name__)

# A beta2 of 0.999 remembers the small gradients of the content epochs for so long that
# the first adversarial ones, thirty times their size, threw the generator off (L1 0.02 -> 58 in one epoch).
BETA2 = 0.99


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Parameters
    ----------
    epochs
        Finished epochs.
    best_score, best_model
        The best validation score and its model file (None where no epoch finished).
    checkpoint
        The last checkpoint written.
    interrupted
        Whether a signal ended the run.
    """

    epochs: int
    best_score: float
    best_model: Path | None
    checkpoint: Path | None
    interrupted: bool


class TempoGANTrainer:
    """Trains G, Ds and Dt.

    Parameters
    ----------
    config
        Path of a configuration, or a `Config`.
    on_frame
        Called with (storm, frame, frames) while raw data are packed.

    Raises
    ------
    InputError
        The configuration or the data are not usable.
    """

    def __init__(
        self,
        config: str | Path | Config = "configs/config.json",
        on_frame: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.config = config if isinstance(config, Config) else load_config(config)
        training = self.config.training
        self.folder = Path(training.checkpoint_dir)
        self.fabric: Fabric = make_fabric(training.device, training.precision)
        if self.fabric.device.type == "cpu":
            keep_freed_memory()
        self.dataset = TyphoonDataset(training.data_root, "train", self.config, on_frame)
        self.validation = Validation(self.dataset.other("val"))
        self.dataset = self.dataset.to(self.fabric.device)
        self.networks = self._build()
        self.steps = Steps(self.fabric, self.networks, self.config, self._teacher())
        # An average over the last 1 / (1 - decay) steps, shorter at the start so that it does not remember zero.
        self.ema = AveragedModel(
            self._bare_generator(),
            multi_avg_fn=lambda averages, new, count: torch._foreach_lerp_(averages, new, 1 - self._ema_decay(count)),
        )
        self.step, self.best, self.stale = 0, math.inf, 0
        self.stop_asked = False

    def train(self, resume_from: str | Path | None = None) -> TrainingResult:
        """Train until ``epochs`` are done, nothing gets better, or a signal asks to stop.

        Parameters
        ----------
        resume_from
            A checkpoint, or ``auto`` for the newest one in ``checkpoint_dir``; None starts anew.

        Raises
        ------
        InputError
            The checkpoint is not usable.
        TrainingError
            A loss is not finite.
        """
        training = self.config.training
        self.stop_asked = False
        if resume_from is not None:
            self._resume(find_checkpoint(resume_from, self.folder))
        else:
            refuse_earlier_run(self.folder)
            if training.start_from:
                self._start_from(training.start_from)
        self._announce()
        last = training.epochs * training.steps_per_epoch
        checkpoint: Path | None = None
        windows, started = training.batch_size * training.accumulate, time.monotonic()
        with Journal(Path(training.log_dir), last, self.step, windows) as journal, self._signals():
            for batches in step_batches(self.dataset, self.step, last, self.fabric.device):
                self._set_learning_rates()
                adversarial = self.step >= training.pretrain_epochs * training.steps_per_epoch
                losses = self.steps.run(batches, adversarial)
                self.ema.update_parameters(self._bare_generator())
                self.step += 1
                journal.step(self.step, math.ceil(self.step / training.steps_per_epoch), losses)
                if self.step % training.steps_per_epoch == 0:
                    checkpoint = self._end_epoch(journal) or checkpoint
                    if self._out_of_patience() or self._out_of_time(started):
                        break
                if self.stop_asked:
                    break
        if self.stop_asked and self.step < last:
            checkpoint = interrupted_path(self.folder)
            save_checkpoint(checkpoint, self._state(), self.config)
            log.warning("Stopped in epoch %d; go on with --resume %s (or --resume auto)", self.epoch + 1, checkpoint)
        elif self.step:
            checkpoint = epoch_path(self.folder, self.epoch)
            save_checkpoint(checkpoint, self._state(), self.config)
            interrupted_path(self.folder).unlink(missing_ok=True)
        best = best_path(self.folder)
        return TrainingResult(
            self.epoch,
            self.best,
            best if math.isfinite(self.best) else None,
            checkpoint,
            self.stop_asked and self.step < last,
        )

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.step // self.config.training.steps_per_epoch

    def _build(self) -> Networks:
        config, training = self.config, self.config.training
        torch.manual_seed(training.seed)
        generator = build_generator(config)
        spatial, temporal = (
            kind(config.model.discriminator_channels, config.model.detail_gain, config.model.spectral_norm)
            for kind in (SpatialDiscriminator, TemporalDiscriminator)
        )
        for network in (generator, spatial, temporal):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        judges = [*spatial.parameters(), *temporal.parameters()]
        # A fused optimiser unscales by itself, which does not go with clipping.
        scaled = bool(self.fabric.strategy.precision.state_dict())
        fused = self.fabric.device.type in ("cpu", "cuda") and not scaled
        betas = (training.beta1, BETA2)
        optimizer_g = torch.optim.Adam(generator.parameters(), training.lr_g, betas=betas, fused=fused)
        optimizer_d = torch.optim.Adam(judges, training.lr_d, betas=betas, fused=fused)
        wrapped_generator, wrapped_g = self.fabric.setup(generator, optimizer_g)
        wrapped_spatial, wrapped_temporal = (
            self.fabric.setup_module(spatial),
            self.fabric.setup_module(temporal),
        )
        wrapped_d: Optimizer = self.fabric.setup_optimizers(optimizer_d)  # type: ignore[assignment]
        return Networks(wrapped_generator, wrapped_spatial, wrapped_temporal, wrapped_g, wrapped_d)

    def _teacher(self) -> nn.Module | None:
        path = self.config.training.teacher
        if path is None:
            return None
        model = load_model(path)
        for section in ("data.kelvin_range", "model.upsample_factor", "sensor"):
            of_teacher, of_run = (attrgetter(section)(config) for config in (model.config, self.config))
            if of_teacher != of_run:
                raise InputError(f"training.teacher: {path} was trained with another {section}; use the same.")
        network = model.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self.fabric.setup_module(network)

    def _start_from(self, path: str) -> None:
        """Begin with the generator of an earlier model, which must be of the size that the configuration asks for."""
        earlier = load_model(path)
        theirs, ours = earlier.config, self.config
        for key in ("n_residual_blocks", "channels", "upsample_factor"):
            found, wanted = getattr(theirs.model, key), getattr(ours.model, key)
            if found != wanted:
                raise InputError(
                    f"training.start_from: {path} has model.{key} = {found}, but the configuration says {wanted}; "
                    "make them equal."
                )
        if theirs.data.kelvin_range != ours.data.kelvin_range:
            raise InputError(f"training.start_from: {path} was trained with another data.kelvin_range; use the same.")
        if theirs.sensor != ours.sensor:
            log.warning("training.start_from: %s was trained for another sensor model", path)
        for network in (self._bare_generator(), self.ema.module):
            network.load_state_dict(earlier.generator.state_dict())

    def _bare_generator(self) -> nn.Module:
        """The generator below Fabric's wrapper."""
        module = self.networks.generator.module
        assert isinstance(module, nn.Module)
        return module

    def _announce(self) -> None:
        training = self.config.training
        for part in self.dataset.parts:
            log.info("%s", part)
        count = sum(parameter.numel() for parameter in self.networks.generator.parameters())
        log.info(
            "%d training windows; generator of %.2f million weights; on %s, %s; bicubic RMSE %.3f K, LSD %.1f dB",
            len(self.dataset), count / 1e6, self.fabric.device, self.fabric.strategy.precision.precision,
            self.validation.bicubic["rmse"], self.validation.bicubic["lsd"],
        )  # fmt: skip
        if self.steps.adversarial_on and training.epochs <= training.pretrain_epochs:
            log.warning(
                "The discriminators never join: training.epochs is %d and training.pretrain_epochs %d; this trains the "
                "content loss alone", training.epochs, training.pretrain_epochs,
            )  # fmt: skip
        if self.step >= training.epochs * training.steps_per_epoch:
            log.info("All %d epochs are done already; raise training.epochs to go on", training.epochs)
        elif self.step:
            log.info("Resuming after step %d, in epoch %d of %d", self.step, self.epoch + 1, training.epochs)

    def _set_learning_rates(self) -> None:
        training = self.config.training
        share = self.step / (training.epochs * training.steps_per_epoch)
        factor = {
            "constant": 1.0,
            "linear": min(1.0, 2 * (1 - share)),
            "cosine": 0.5 * (1 + math.cos(math.pi * share)),
        }[training.lr_schedule]
        for optimizer, rate in (
            (self.networks.optimizer_g, training.lr_g),
            (self.networks.optimizer_d, training.lr_d),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor

    def _ema_decay(self, count: Tensor | int) -> float:
        return min(self.config.training.ema_decay, (1 + int(count)) / (10 + int(count)))

    def _reconstruct(self, frames: Tensor) -> Tensor:
        """One frame at a time, which bounds the memory of full frames."""
        averaged = self.ema.module.eval()
        with self.fabric.autocast():
            return torch.cat([averaged(frame[None]).float() for frame in frames])

    def _end_epoch(self, journal: Journal) -> Path | None:
        training, epoch = self.config.training, self.epoch
        metrics = self.validation.measure(self._reconstruct, self.fabric.device)
        value = score(training.score, metrics, self.validation.bicubic)
        adversarial = self.steps.adversarial_on
        if adversarial and epoch == training.pretrain_epochs + 1:
            # What content alone had reached was a start, not a candidate: its block edges flatter a spectrum.
            self.best, self.stale = math.inf, 0
        better = value < self.best
        starting = adversarial and epoch <= training.pretrain_epochs
        self.best, self.stale = (value, 0) if better else (self.best, 0 if starting else self.stale + 1)
        if better:
            details = {
                "training_data": [part.interval for part in self.dataset.parts if part.split == "train"],
                "epoch": epoch,
                "step": self.step,
                "score": value,
                "score_kind": training.score,
                **metrics,
            }
            save_model(best_path(self.folder), self.ema.module, self.config, details)
        journal.epoch(epoch, self.step, metrics, value, better, self.networks.optimizer_g.param_groups[0]["lr"])
        if epoch % training.image_every == 0:
            sample = self.validation.samples[0]
            frames = self.validation.frames(sample, self._reconstruct, self.fabric.device)
            coarse = sample["lr"][1, 0].numpy().repeat(self.config.scale, 0).repeat(self.config.scale, 1)
            journal.pictures(
                self.step,
                self.config.data.kelvin_range,
                LR=coarse,
                SR=frames[1],
                HR=sample["hr"][1, 0].numpy(),
            )
        if epoch % training.checkpoint_every:
            return None
        path = epoch_path(self.folder, epoch)
        save_checkpoint(path, self._state(), self.config)
        return path

    def _out_of_patience(self) -> bool:
        patience = self.config.training.early_stopping_patience
        if patience and self.stale >= patience:
            log.info("No better score for %d epochs; stopping early", self.stale)
            return True
        return False

    def _out_of_time(self, started: float) -> bool:
        limit = self.config.training.max_minutes
        if limit and time.monotonic() - started >= limit * 60:
            log.info("The %g minutes of training.max_minutes are over", limit)
            return True
        return False

    def _state(self) -> dict[str, Any]:
        networks = self.networks
        return {
            "generator": networks.generator.state_dict(),
            "spatial_discriminator": networks.spatial.state_dict(),
            "temporal_discriminator": networks.temporal.state_dict(),
            "optimizer_g": networks.optimizer_g.state_dict(),
            "optimizer_d": networks.optimizer_d.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),
            "ema": self.ema.module.state_dict() if self.config.training.ema_decay else {},
            "ema_updates": int(self.ema.n_averaged),
            "step": self.step,
            "epoch": self.epoch,
            "best_score": self.best,
            "epochs_without_improvement": self.stale,
        }

    def _resume(self, path: Path) -> None:
        state = load_checkpoint(path, self.config)
        with state_of(path):
            self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        networks = self.networks
        networks.generator.load_state_dict(state["generator"])
        networks.spatial.load_state_dict(state["spatial_discriminator"])
        networks.temporal.load_state_dict(state["temporal_discriminator"])
        networks.optimizer_g.load_state_dict(state["optimizer_g"])
        networks.optimizer_d.load_state_dict(state["optimizer_d"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])
        self.ema.module.load_state_dict(state["ema"] or state["generator"])
        self.ema.n_averaged.fill_(state["ema_updates"])
        self.step, self.best, self.stale = (
            state["step"],
            state["best_score"],
            state["epochs_without_improvement"],
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the run after the current step; a second one ends it at once."""

        def ask(number: int, frame: object) -> None:
            if self.stop_asked:
                raise KeyboardInterrupt
            self.stop_asked = True
            log.warning("Stopping after this step")

        try:
            previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: signals are somebody else's
            previous = {}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
