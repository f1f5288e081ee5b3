"""What a person sees of a run: a progress bar, one line an epoch, TensorBoard."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import summary

from tempogan_eddy.errors import InputError
from tempogan_eddy.terminal import messages

__all__ = ["Journal"]

log = logging.getLogger(__name__)

SHORT = {
    "loss_content": "content",
    "loss_d_spatial": "Ds",
    "loss_d_temporal": "Dt",
    "loss_g_spatial": "G/s",
    "loss_g_temporal": "G/t",
    "loss_feature": "feat",
    "loss_spectral": "spec",
}


FLUSH_SECONDS = 30.0


class EventFile:
    """TensorBoard's file of a run, written in this thread, so that a disk that is full stops the run with one sentence.

    Parameters
    ----------
    folder
        Where the file goes, under a name of its own.
    purge_step
        Hides what an earlier file of the folder holds from this step on.

    Raises
    ------
    InputError
        From every method: the file cannot be written.
    """

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}.0"
            self.file = (folder / name).open("ab")
        except OSError as error:
            raise self._refusal(error) from error
        self.records = RecordWriter(self.file)
        self.flushed = time.monotonic()
        self.add(Event(file_version="brain.Event:2"))
        if purge_step is not None:
            self.add(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))
        self.flush()

    def add(self, event: Event) -> None:
        """Append an event; it is in the file half a minute later at the latest."""
        event.wall_time = time.time()
        try:
            self.records.write(event.SerializeToString())
        except OSError as error:
            raise self._refusal(error) from error
        if time.monotonic() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory still."""
        try:
            self.file.flush()
        except OSError as error:
            raise self._refusal(error) from error
        self.flushed = time.monotonic()

    def close(self) -> None:
        """End the file."""
        try:
            self.file.close()
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> InputError:
        return InputError(
            f"The log in {self.folder} (training.log_dir) cannot be written ({error.strerror or error}); free space or "
            "name another folder, and go on with --resume auto where there is a checkpoint."
        )


class Journal:
    """Writes what happens, and shows it on a terminal.

    Parameters
    ----------
    folder
        Where TensorBoard's files go.
    total, done
        Steps of the whole run, and those already taken.
    windows_per_step
        Patches that the generator learns from in a step, for the rate.
    """

    def __init__(self, folder: Path, total: int, done: int, windows_per_step: int) -> None:
        # purge_step hides what a run wrote after the checkpoint that this one goes on from.
        self.events = EventFile(folder, done + 1 if done else None)
        self.windows_per_step = windows_per_step
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]} patches/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=messages(),
            disable=not messages().is_terminal,
        )
        self.task = self.progress.add_task("", total=total, completed=done, epoch="-", rate="-", losses="")
        self.sums: dict[str, float] = {}
        self.steps = 0

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        try:
            self.events.close()
        except InputError:
            if error is None:  # else the run ended for a reason of its own, the same one maybe
                raise

    def step(self, step: int, epoch: int, losses: Mapping[str, float]) -> None:
        """Note one step's losses."""
        for name, value in losses.items():
            self._add(summary.scalar(f"loss/{name.removeprefix('loss_')}", value), step)
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps += 1
        speed = self.progress.tasks[self.task].speed
        self.progress.update(
            self.task,
            advance=1,
            epoch=epoch,
            rate=f"{speed * self.windows_per_step:.0f}" if speed else "-",
            losses=_losses(losses),
        )

    def epoch(self, epoch: int, step: int, metrics: Mapping[str, float], score: float, best: bool, rate: float) -> None:
        """Note the end of an epoch: mean losses, validation metrics, learning rate."""
        for name, value in {**metrics, "score": score}.items():
            self._add(summary.scalar(f"validation/{name}", value), step)
        self._add(summary.scalar("learning_rate", rate), step)
        self.events.flush()
        losses = _losses({name: value / max(self.steps, 1) for name, value in self.sums.items()})
        log.info(
            "epoch %d: %s | RMSE %.3f K, bias %+.3f K, LSD %.1f dB, hourly LSD %.1f dB, energy %+.1f dB | score %.4f%s",
            epoch, losses, metrics["rmse"], metrics["bias"], metrics["lsd"], metrics["lsd_hourly"], metrics["energy"],
            score, " (best)" if best else "",
        )  # fmt: skip
        self.sums, self.steps = {}, 0

    def pictures(self, step: int, kelvin_range: tuple[float, float], **frames: np.ndarray) -> None:
        """Add frames (H, W) in kelvin as pictures, cold white as the trade has it, on the fixed range."""
        low, high = kelvin_range
        for name, frame in frames.items():
            grey = np.clip((high - frame) / (high - low), 0, 1)
            self._add(summary.image(f"frames/{name}", (grey * 255).astype(np.uint8)[None], dataformats="CHW"), step)

    def _add(self, value: object, step: int) -> None:
        self.events.add(Event(step=step, summary=value))


def _losses(losses: Mapping[str, float]) -> str:
    return " ".join(f"{SHORT.get(name, name)} {value:.4f}" for name, value in losses.items())
