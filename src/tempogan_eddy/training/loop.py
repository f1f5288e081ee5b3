"""The training loop, from top to bottom."""

import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.protocol import DataSource, Sample
from tempogan_eddy.dataset.sensor_bank import SensorBatch
from tempogan_eddy.distributed import agree, explain_lost_process, gather, rank
from tempogan_eddy.model.losses import Losses
from tempogan_eddy.training.average import Average
from tempogan_eddy.training.batch import project
from tempogan_eddy.training.batches import refuse_uneven_shares, step_batches
from tempogan_eddy.training.checkpoint import (
    best_checkpoint_path,
    best_path,
    claimed_folder,
    epoch_path,
    find_checkpoint,
    interrupted_path,
    load_checkpoint,
    prune_checkpoints,
    refuse_earlier_run,
    save_checkpoint,
    state_of,
)
from tempogan_eddy.training.discriminators import save_discriminators
from tempogan_eddy.training.fabric import make_fabric
from tempogan_eddy.training.interruption import Interruption
from tempogan_eddy.training.journal import Journal, describe_metrics
from tempogan_eddy.training.networks import Networks, Optimizers, bare, build_optimizers
from tempogan_eddy.training.selection import Selection
from tempogan_eddy.training.selection import rank as rank_candidate
from tempogan_eddy.training.steps import Steps
from tempogan_eddy.training.validation import Validation
from tempogan_eddy.weights import Model, save_model
from tempogan_eddy.wording import count

__all__ = ["Trainer", "TrainingData", "TrainingResult"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """The windows to train on, and those to score every epoch."""

    train: DataSource
    validation: DataSource


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Attributes
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


class Trainer:
    """Trains G, Ds and Dt.

    Parameters
    ----------
    config
        The section ``training`` says how; the others describe the model that is saved.
    data
        Windows to train and to validate on.
    networks
        Networks to train, on the CPU.
    losses
        Losses to minimise; those of the configuration by default.
    """

    steps_kind: type[Steps] = Steps

    def __init__(self, config: Config, data: TrainingData, networks: Networks, losses: Losses | None = None) -> None:
        training = config.training
        self.config, self.folder = config, Path(training.checkpoint_dir)
        refuse_uneven_shares(training)
        self.fabric: Fabric = make_fabric(training.device, training.precision)
        self.dataset = data.train.to(self.fabric.device)
        self.validation = Validation(data.validation, config)
        self.networks, self.optimizers = self._set_up(networks)
        losses = losses or Losses.from_config(training)
        self.steps = self.steps_kind(self.fabric, self.networks, self.optimizers, losses, config, data.train.sensors)
        self.average = Average(bare(self.networks.generator), training.ema_decay)
        self.selection, self.interruption = Selection(training), Interruption()
        self.step = 0
        self.inherited: dict[str, list[str]] = {}  # metadata of the models that the run began with or learns from
        # Steps that train only the discriminators, since they are new and the generator is not.
        self.warm_up = config.training.warm_up if config.training.start_from and self.steps.adversarial_on else 0

    @explain_lost_process()
    def train(self, resume_from: str | Path | None = None) -> TrainingResult:
        """Train until ``epochs`` are done, patience or time is over, or a signal asks to stop.

        Parameters
        ----------
        resume_from
            A checkpoint, or ``auto`` for the one in ``checkpoint_dir`` that got furthest and is not damaged; None
            starts anew, and so does ``auto`` before the first checkpoint.

        Raises
        ------
        InputError
            The checkpoint is not usable, or another run trains into ``checkpoint_dir``.
        TrainingError
            A loss is not finite.
        """
        with claimed_folder(self.folder) if self.fabric.is_global_zero else nullcontext():
            return self._train(resume_from)

    def _train(self, resume_from: str | Path | None) -> TrainingResult:
        training, started = self.config.training, time.monotonic()
        self._begin(resume_from)
        self._announce()
        checkpoint, interrupted = None, False
        with self.interruption.listen():
            with Journal(training, self.step) as journal:
                for batches in step_batches(
                    self.dataset, training, self.step, self._last, self.fabric.device, self._sees_whole_windows
                ):
                    journal.step(self.step + 1, self._train_step(batches))
                    self.step += 1
                    if self.step % training.steps_per_epoch == 0:
                        checkpoint = self._end_epoch(journal) or checkpoint
                        if self._is_over(started):
                            break
                    if agree(self.interruption.asked):
                        interrupted = self.step < self._last
                        break
            checkpoint = self._save_last(interrupted) if self.step else checkpoint
        self.fabric.barrier()
        best = best_path(self.folder) if self.selection.details else None
        return TrainingResult(self.epoch, self.selection.best.score, best, checkpoint, interrupted)

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.step // self.config.training.steps_per_epoch

    @property
    def _last(self) -> int:
        return self.config.training.epochs * self.config.training.steps_per_epoch

    def _set_up(self, networks: Networks) -> tuple[Networks, Optimizers]:
        """Move the networks to the device and wrap them for its precision."""
        networks.channels_last()
        if self.config.training.compile:
            networks.compile(self.fabric.device)
        optimizers = build_optimizers(networks, self.config.training, self.fabric)
        generator, optimizer_g = self.fabric.setup(networks.generator, optimizers.generator)
        spatial, temporal = (self.fabric.setup_module(part) for part in (networks.spatial, networks.temporal))
        optimizer_d: Any = self.fabric.setup_optimizers(optimizers.discriminators)
        teacher = self.fabric.setup_module(networks.teacher) if networks.teacher else None
        return Networks(generator, spatial, temporal, teacher), Optimizers(optimizer_g, optimizer_d)

    def _begin(self, resume_from: str | Path | None) -> None:
        """Resume a run or start one."""
        found = None if resume_from is None else find_checkpoint(resume_from, self.folder)
        path = gather(found)[0]  # the folder may look otherwise from another machine
        if path:
            self._resume(path)
            return
        if resume_from:
            log.info("There is no checkpoint in %s yet; starting anew", self.folder)
        refuse_earlier_run(self.folder)
        self._start()

    def _start(self) -> None:
        """Prepare a run that does not resume another: an earlier model is the first candidate for the best one."""
        if self.config.training.start_from:
            self._score()

    def _train_step(self, batches: Sequence[Sequence[Sample]]) -> dict[str, Tensor]:
        training = self.config.training
        self.optimizers.set_rates(training, self.step / self._last)
        adversarial = self._is_adversarial(self.step)
        if adversarial and self.step < self.warm_up:
            return self.steps.warm_up(batches)
        losses = self.steps.run(batches, adversarial)
        self.average.update()
        return losses

    def _is_adversarial(self, step: int) -> bool:
        return step >= self.config.training.pretrain_epochs * self.config.training.steps_per_epoch

    def _sees_whole_windows(self, step: int) -> bool:
        return self.steps.sees_whole_windows(self._is_adversarial(step))

    def _announce(self) -> None:
        training, bicubic = self.config.training, self.validation.bicubic
        for line in self.dataset.describe():
            log.info("%s", line)
        weights = sum(parameter.numel() for parameter in self.networks.generator.parameters())
        log.info(
            "%d training windows; generator of %.2f million weights; on %s, %s; bicubic RMSE %.3f K, LSD %.1f dB",
            len(self.dataset), weights / 1e6, self.fabric.device, self.fabric.strategy.precision.precision,
            bicubic["rmse"], bicubic["lsd"],
        )  # fmt: skip
        if self.steps.adversarial_on and training.epochs <= training.pretrain_epochs:
            log.warning(
                "The discriminators never join: training.epochs is %d and training.pretrain_epochs %d; this trains the "
                "content loss alone", training.epochs, training.pretrain_epochs,
            )  # fmt: skip
        if self.step >= self._last:
            log.info("Done already (%s); raise training.epochs to go on", count(training.epochs, "epoch"))
        elif self.step:
            log.info("Resuming after step %d, in epoch %d of %d", self.step, self.epoch + 1, training.epochs)

    def reconstruct(self, frames: Tensor, sensors: SensorBatch | None = None) -> Tensor:
        """Reconstruct scaled frames (N, 1, h, w) with the averaged generator, one at a time to save memory."""
        averaged = self.average.module.eval()
        described = [] if sensors is None else [sensors.description]
        with self.fabric.autocast():
            highres = torch.cat([averaged(frame[None], *described).float() for frame in frames])
        highres = highres[:, -1:]  # of two tails the sharp one
        if sensors is None:
            return highres
        return project(highres, frames, sensors.repeat(len(frames)), self.config.data.kelvin_range)

    def _end_epoch(self, journal: Journal) -> Path | None:
        """Validate; write the best model and its checkpoint, pictures, and a periodic checkpoint if they are due."""
        training, epoch = self.config.training, self.epoch
        adversarial = self.steps.adversarial_on
        if adversarial and epoch == training.pretrain_epochs + 1 and not training.start_from:
            # A model of content loss alone is a start, not a candidate: its block edges flatter a spectrum.
            self.selection.restart()
        self._score(journal, counts=not (adversarial and epoch <= training.pretrain_epochs))
        if epoch % training.image_every == 0 and not rank() and self.validation.samples:
            pictures = self.validation.pictures(self.reconstruct, self.fabric.device)
            journal.pictures(self.step, self.config.data.kelvin_range, **pictures)
        return None if epoch % training.checkpoint_every else self._save_epoch()

    def _score(self, journal: Journal | None = None, *, counts: bool = True) -> None:
        """Validate, and write the model and a checkpoint if it is the best so far."""
        training = self.config.training
        metrics = self._measure()
        candidate = rank_candidate(training, metrics, self.validation.bicubic, self.epoch)
        inherited = {key: list(texts) for key, texts in self.inherited.items() if texts}
        intervals = dict.fromkeys([*inherited.pop("training_data", []), *self.dataset.intervals()])
        details = {
            "training_data": list(intervals), "epoch": self.epoch, "step": self.step, "score": candidate.score,
            "score_kind": training.score, "missed_max_rmse": candidate.missed, **metrics, **self.dataset.notes(),
            **inherited,
        }  # fmt: skip
        better = self.selection.offer(candidate, details, counts=counts)
        if journal:
            journal.epoch(self.step, metrics, self.validation.bicubic, candidate, better, self.optimizers.rate)
        else:
            log.info("start: %s", describe_metrics(metrics, self.validation.bicubic))
        if better:
            # First the checkpoint: a run that is killed in between writes the model when it resumes.
            self._save(best_checkpoint_path(self.folder))
            self._write_best()

    def _measure(self) -> dict[str, float]:
        """Return the validation metrics of the averaged generator."""
        return self.validation.measure(self.reconstruct, self.fabric.device)

    def _write_best(self) -> None:
        if rank():
            return
        save_model(best_path(self.folder), self._model())
        if self.steps.adversarial_on:
            save_discriminators(best_path(self.folder), self.networks)

    def _model(self) -> Model:
        return Model.from_config(self.average.module, self.config, metadata=self.selection.details)

    def _is_over(self, started: float) -> bool:
        """Return whether patience or time is over."""
        training = self.config.training
        if 0 < training.early_stopping_patience <= self.selection.stale:
            log.info("No better score for %s; stopping early", count(self.selection.stale, "epoch"))
            return True
        if agree(0 < training.max_minutes <= (time.monotonic() - started) / 60):
            log.info("The %g minutes of training.max_minutes are over", training.max_minutes)
            return True
        return False

    def _save_last(self, interrupted: bool) -> Path:
        if interrupted:
            path = self._save(interrupted_path(self.folder))
            log.warning("Stopped in epoch %d; go on with --resume %s (or --resume auto)", self.epoch + 1, path)
            return path
        path = self._save_epoch()
        if not rank():
            interrupted_path(self.folder).unlink(missing_ok=True)
        return path

    def _save(self, path: Path) -> Path:
        if not rank():
            save_checkpoint(path, self._state(), self.config)
        return path

    def _save_epoch(self) -> Path:
        """Write the checkpoint of the epoch, then remove those that are no longer needed."""
        path = self._save(epoch_path(self.folder, self.epoch))
        if not rank():
            prune_checkpoints(self.folder, path, self.selection.ranks, self.config.training.keep_checkpoints)
        return path

    def _stateful(self) -> dict[str, Any]:
        """Return the parts of a checkpoint that have a ``state_dict``."""
        return {
            "generator": self.networks.generator,
            "spatial_discriminator": self.networks.spatial,
            "temporal_discriminator": self.networks.temporal,
            "optimizer_g": self.optimizers.generator,
            "optimizer_d": self.optimizers.discriminators,
            "scaler": self.fabric.strategy.precision,
        }

    def _state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._stateful().items()} | {
            "ema": self.average.module.state_dict() if self.config.training.ema_decay else {},
            "ema_updates": self.average.updates,
            "specification": self._model().specification.model_dump(mode="json"),
            "step": self.step,
            "epoch": self.epoch,
            "warm_up": self.warm_up,
            "inherited": self.inherited,  # a checkpoint holds no container twice, so the details have copies
            **self.selection.state(),
        }

    def _resume(self, path: Path) -> None:
        state = load_checkpoint(path, self.config)
        with state_of(path):
            for name, part in self._stateful().items():
                part.load_state_dict(state[name])
            self.average.module.load_state_dict(state["ema"] or state["generator"])
            self.average.updates = int(state["ema_updates"])
            self.step, self.warm_up = state["step"], state.get("warm_up", 0)
            self.inherited = state.get("inherited", {"history": state.get("history", [])})
            if not self.selection.restore(state):
                log.warning("%s followed another training.score: the selection of the best model begins anew", path)
        if self.selection.details.get("step") == self.step:
            self._write_best()
