"""The progress of a run: a bar or lines, one line an epoch, TensorBoard."""

import logging
import math
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor
from torch.utils.tensorboard import summary

from tempogan_eddy.config import TrainingConfig
from tempogan_eddy.distributed import rank
from tempogan_eddy.errors import InputError, TrainingError
from tempogan_eddy.terminal import messages
from tempogan_eddy.training.selection import Rank
from tempogan_eddy.training.steps import REMEDY

__all__ = ["Journal", "describe_metrics", "refuse_unwritable_log"]

log = logging.getLogger(__name__)

SHORT = {
    "loss_content": "content",
    "loss_mean": "mean",
    "loss_d_spatial": "Ds",
    "loss_d_temporal": "Dt",
    "loss_d_penalty": "penalty",
    "loss_g_spatial": "G/s",
    "loss_g_temporal": "G/t",
    "loss_feature": "feat",
    "loss_spectral": "spec",
    "loss_traces": "trace",
    "loss_crps": "CRPS",
    "loss_modes": "modes",
    "loss_patches": "patches",
    "loss_steps": "steps",
    "loss_coldest": "coldest",
}

FLUSH_SECONDS = 30.0
SECONDS_A_LINE = 60.0
STEPS_A_READ = 10
"""Reading a loss waits for the device, so read several steps at once."""
WIDE = 80  # columns of a terminal that has room for more than the epoch and the time left


@contextmanager
def _refusal_of(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"The log in {folder} (training.log_dir) cannot be written ({error.strerror or error}); free "
            "space or name another folder, and go on with --resume auto where there is a checkpoint."
        ) from error


def refuse_unwritable_log(folder: Path) -> None:
    """Raise InputError if no log can be written to a folder; leave nothing there."""
    with (
        _refusal_of(folder),
        tempfile.TemporaryFile(dir=next(place for place in (folder, *folder.parents) if place.exists())),
    ):
        pass


class EventFile:
    """A TensorBoard file, written in this thread so that a full disk stops the run with one sentence.

    Of several processes only the first writes.

    Parameters
    ----------
    folder
        Where to write a new file.
    purge_step
        Hide steps from this one on in earlier files of the folder.

    Raises
    ------
    InputError
        From every method: the file cannot be written.
    """

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        self.folder = folder
        with self._refusal():
            folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}.0"
            self.file = (Path(os.devnull) if rank() else folder / name).open("ab")
        self.records = RecordWriter(self.file)
        self.flushed = time.monotonic()
        self.add(Event(file_version="brain.Event:2"))
        if purge_step is not None:
            self.add(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))
        self.flush()

    def add(self, event: Event) -> None:
        """Append an event; the file has it after half a minute at the latest."""
        event.wall_time = time.time()
        with self._refusal():
            self.records.write(event.SerializeToString())
        if time.monotonic() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the events that are still in memory."""
        with self._refusal():
            self.file.flush()
        self.flushed = time.monotonic()

    def close(self) -> None:
        """Close the file."""
        with self._refusal():
            self.file.close()

    def _refusal(self) -> AbstractContextManager[None]:
        return _refusal_of(self.folder)


class Journal:
    """Write what happens, and show it on a terminal or in a log.

    Parameters
    ----------
    training
        Length and log folder of the run.
    done
        Steps taken before this run began.
    """

    def __init__(self, training: TrainingConfig, done: int) -> None:
        self.training, self.first, self.done = training, done, done
        # Hide what an earlier run wrote after the checkpoint that this one resumes.
        self.events = EventFile(Path(training.log_dir), done + 1 if done else None)
        console = messages()
        columns: list[ProgressColumn] = [TextColumn("{task.description}", table_column=Column(no_wrap=True))]
        if console.width >= WIDE:
            columns += [BarColumn(bar_width=20), TextColumn("{task.fields[losses]}", table_column=Column(no_wrap=True))]
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal or rank() > 0)
        total = training.epochs * training.steps_per_epoch
        self.task = self.progress.add_task("", total=total, completed=done, losses="")
        self.unread: list[tuple[int, dict[str, Tensor]]] = []
        self.losses: dict[str, list[float]] = {}
        self.started = self.reported = time.monotonic()

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        try:
            if error is None:
                self._read()
            self.events.close()
        except InputError:
            if error is None:  # else the run has failed already, maybe for the same reason
                raise

    def step(self, step: int, losses: Mapping[str, Tensor]) -> None:
        """Note one step's losses, scalars on any device; they are read every few steps."""
        self.done = step
        self.unread.append((step, dict(losses)))
        if len(self.unread) >= STEPS_A_READ or step % self.training.steps_per_epoch == 0:
            latest = self._read()
            self.progress.update(self.task, completed=step, description=self._where(step), losses=_losses(latest))
        if not self.progress.disable:
            return
        if time.monotonic() - self.reported > SECONDS_A_LINE:
            self.reported = time.monotonic()
            within = (step - 1) % self.training.steps_per_epoch + 1
            log.info("%s: step %d of %d", self._where(step), within, self.training.steps_per_epoch)

    def epoch(
        self,
        step: int,
        metrics: Mapping[str, float],
        bicubic: Mapping[str, float],
        candidate: Rank,
        best: bool,
        rate: float,
    ) -> None:
        """Note the end of an epoch: mean losses, validation metrics, the candidate's rank, learning rate."""
        scalars = {**metrics, "score": candidate.score, "missed_max_rmse": float(candidate.missed)}
        for name, value in scalars.items():
            self._add(summary.scalar(f"validation/{name}", value), step)
        self._add(summary.scalar("learning_rate", rate), step)
        self.events.flush()
        losses = _losses({name: sum(values) / len(values) for name, values in self.losses.items()})
        bound = ""
        if self.training.score == "lsd_within_rmse":
            bound = f", {'above' if candidate.missed else 'within'} {self.training.max_rmse:g}"
        scores = describe_metrics(metrics, bicubic, bound)
        log.info("%s: %s | %s%s", self._where(step), losses, scores, " (best)" if best else "")
        self.losses = {}
        self.reported = time.monotonic()

    def pictures(self, step: int, kelvin_range: tuple[float, float], **frames: np.ndarray) -> None:
        """Add frames (H, W) in kelvin as pictures on the fixed range, cold white."""
        low, high = kelvin_range
        for name, frame in frames.items():
            grey = np.clip((high - frame) / (high - low), 0, 1)
            self._add(summary.image(f"frames/{name}", (grey * 255).astype(np.uint8)[None], dataformats="CHW"), step)

    def _where(self, step: int) -> str:
        """Return the epoch of a step and the time left."""
        training = self.training
        text = f"epoch {math.ceil(step / training.steps_per_epoch)} of {training.epochs}"
        spent, steps = time.monotonic() - self.started, step - self.first
        left = spent / steps * (training.epochs * training.steps_per_epoch - step) if steps else math.inf
        if training.max_minutes:
            left = min(left, max(training.max_minutes * 60 - spent, 0))
        return f"{text}, {_time_text(left)} left" if 0 < left < math.inf else text

    def _read(self) -> dict[str, float]:
        """Write the losses of the last steps, read from the device at once; return the latest."""
        latest: dict[str, float] = {}
        if self.unread:
            values = iter(torch.stack([loss for _, losses in self.unread for loss in losses.values()]).tolist())
            unread, self.unread = self.unread, []
            for step, losses in unread:
                latest = dict(zip(losses, values, strict=False))
                _refuse_what_is_not_finite(step, latest)
                for name, value in latest.items():
                    self._add(summary.scalar(f"loss/{name.removeprefix('loss_')}", value), step)
                    self.losses.setdefault(name, []).append(value)
        return latest

    def _add(self, value: object, step: int) -> None:
        self.events.add(Event(step=step, summary=value))


def describe_metrics(metrics: Mapping[str, float], bicubic: Mapping[str, float], bound: str = "") -> str:
    """Return the validation metrics in words; ``bound`` follows the RMSE over bicubic's."""
    rmse = f"RMSE {metrics['rmse']:.3f} K ({metrics['rmse'] / bicubic['rmse']:.2f} of bicubic's{bound})"
    texture = f"LSD {metrics['lsd']:.1f} dB"
    if "crps" in metrics:
        rmse = (
            f"CRPS {metrics['crps']:.4f} of the mean's MAE, spread-skill {metrics['spread_skill']:.3f}, "
            f"ranks {metrics['rank_low']:.2f} to {metrics['rank_high']:.2f}, mean {rmse}"
        )
    else:
        texture += f", hourly LSD {metrics['lsd_hourly']:.1f} dB"
    return f"{rmse}, {texture}, energy {metrics['energy']:+.1f} dB"


def _refuse_what_is_not_finite(step: int, losses: Mapping[str, float]) -> None:
    """Raise TrainingError if a loss or the norm of a gradient is not finite; the optimiser has skipped that step."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise TrainingError(f"At step {step} {name} is {value}; no weight was changed by it. {REMEDY}")


def _losses(losses: Mapping[str, float]) -> str:
    shown = {name: value for name, value in losses.items() if not name.startswith("gradient")}
    return " ".join(f"{SHORT.get(name, name)} {value:.4f}" for name, value in shown.items())


def _time_text(seconds: float) -> str:
    """Return a time such as ``40 s``, ``14 min`` or ``2 h 5 min``."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
