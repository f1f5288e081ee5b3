"""What a person sees of a run: a progress bar, one line an epoch, TensorBoard."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

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
        self.writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)
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
        self.writer.close()

    def step(self, step: int, epoch: int, losses: Mapping[str, float]) -> None:
        """Note one step's losses."""
        for name, value in losses.items():
            self.writer.add_scalar(f"loss/{name.removeprefix('loss_')}", value, step)
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
            self.writer.add_scalar(f"validation/{name}", value, step)
        self.writer.add_scalar("learning_rate", rate, step)
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
            self.writer.add_image(f"frames/{name}", (grey * 255).astype(np.uint8)[None], step)


def _losses(losses: Mapping[str, float]) -> str:
    return " ".join(f"{SHORT.get(name, name)} {value:.4f}" for name, value in losses.items())
