"""A training step with its loader: the naive reference against ours, and where ours spends its time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Group
from torch import Tensor

from benchmarks.naive import NaiveLoader, NaiveTraining
from benchmarks.report import table
from benchmarks.timing import Elsewhere, Stopwatch, Task, count_flops, interleave, peak_memory, ratio, spread
from benchmarks.workbench import Workbench
from tempogan_eddy.config import Config
from tempogan_eddy.training.batches import step_batches
from tempogan_eddy.training.trainer import TempoGANTrainer

BATCH, PATCH = 8, 128
VARIANTS = {
    "gradient_frames=1": ["training.gradient_frames=1"],
    "gradient_frames=3": ["training.gradient_frames=3"],
    "temporal_share=0.5": ["training.temporal_share=0.5"],
    "temporal_share=1": ["training.temporal_share=1"],
    "discriminator_channels=16": ["model.discriminator_channels=16"],
    "discriminator_channels=32": ["model.discriminator_channels=32"],
    # What the reference does: the same work, done in another way.
    "all as in naive": [
        "training.gradient_frames=3", "training.temporal_share=1", "model.discriminator_channels=32",
    ],
}  # fmt: skip
# The methods of `Steps` that make a step, and what they are called in the table.
PARTS = {
    "_prepare": "prepare",
    "_generate": "generate",
    "_discriminator_step": "discriminators",
    "_generator_step": "generator",
}


class Naive:
    """The reference on a device, with its loader."""

    def __init__(self, files: list[Path], batch: int, patch: int, device: torch.device) -> None:
        self.training, self.loader = NaiveTraining(), NaiveLoader(files, patch)
        self.batch, self.device = batch, device
        for network in (self.training.generator, self.training.spatial, self.training.temporal):
            network.to(device)

    def load(self) -> Tensor:
        """One batch."""
        return self.loader.batch(self.batch).to(self.device)

    def step(self) -> float:
        """Load and train once."""
        return self.training.step(self.load())


class Ours:
    """Our step as the trainer takes it: load, train, average."""

    def __init__(self, config: Config, adversarial: bool = True) -> None:
        self.trainer, self.adversarial = TempoGANTrainer(config), adversarial
        self.device = self.trainer.fabric.device
        # From the first adversarial step on, the batches are those of d_steps discriminator steps.
        first = config.training.pretrain_epochs * config.training.steps_per_epoch
        whole = self.trainer.steps.sees_whole_windows(adversarial)
        steps = first if adversarial else 0, 1 << 40
        self.batches = step_batches(self.trainer.dataset, config.training, *steps, self.device, lambda step: whole)
        self.stopwatch = Stopwatch(self.device)
        for method, part in PARTS.items():
            self.stopwatch.watch(self.trainer.steps, method, part)

    def load(self) -> Any:
        """The batches of one step."""
        with self.stopwatch.part("data"):
            return next(self.batches)

    def train(self, batches: Any) -> dict[str, Tensor]:
        """Train once."""
        losses = self.trainer.steps.run(batches, self.adversarial)
        with self.stopwatch.part("average"):
            self.trainer.average.update()
        return losses

    def step(self) -> dict[str, Tensor]:
        """Load and train once."""
        return self.train(self.load())


def measure(bench: Workbench, batch: int = BATCH, patch: int = PATCH, *small: str) -> list[dict[str, Any]]:
    """One row for the reference and for each variant of ours; ``small`` overrides every variant."""
    configs = variants(bench, f"training.batch_size={batch}", f"training.patch_size={patch}", *small)
    ours = {name: Ours(config, "content" not in name) for name, config in configs.items()}
    reference = Elsewhere(_naive_step, bench.files, batch, patch, bench.device, threads=bench.threads)
    tasks: dict[str, Task] = {"naive": reference, **{name: one.step for name, one in ours.items()}}
    seconds = interleave({**tasks, "peak": bench.probe.run}, bench.repeats, bench.device)
    reference.close()
    naive = Naive(bench.files, batch, patch, bench.device)
    flops = {name: _flops(one) for name, one in {"naive": naive, **ours}.items()}
    memory = partial(peak_memory, device=bench.device, threads=bench.threads)
    peaks = {"naive": memory(_naive_steps, bench.files, batch, patch, bench.device)}
    peaks |= {name: memory(_our_steps, config, ours[name].adversarial) for name, config in configs.items()}
    parts = {name: _parts(one, bench.repeats) for name, one in ours.items()}
    return [
        {
            "name": name,
            "seconds": median(seconds[name]),
            "spread": spread(seconds[name]),
            "speedup": ratio(seconds["naive"], seconds[name]),
            "windows_a_second": batch / median(seconds[name]),
            "flops": flops[name],
            "share_of_peak": bench.probe.share(flops[name], seconds[name], seconds["peak"]),
            "peak_bytes": peaks[name],
            "parts": parts.get(name, {}),
            "turns": seconds[name],
        }
        for name in tasks
    ]


def variants(bench: Workbench, *overrides: str) -> dict[str, Config]:
    """The configuration as shipped, and those variants that differ from it."""
    shipped = bench.training(*overrides)
    different: dict[str, Config] = {}
    for name, changes in VARIANTS.items():
        config = bench.training(*overrides, *changes)
        if config not in (shipped, *different.values()):
            different[name] = config
    return {"config.json": shipped, **different, "content loss only": shipped}


def tables(rows: list[dict[str, Any]]) -> Iterator[Group]:
    """The steps, and the parts of ours."""
    columns = {
        "name": ("", ""), "milliseconds": ("ms", ".0f"), "spread": ("spread", ".0%"), "speedup": ("x naive", ".2f"),
        "windows_a_second": ("windows/s", ".1f"), "gflop": ("GFLOP", ".0f"), "share_of_peak": ("of peak", ".0%"),
        "mebibytes": ("peak MiB", ".0f"),
    }  # fmt: skip
    title = f"Training step with its loader, {BATCH} windows of {PATCH}x{PATCH}"
    units = {"milliseconds": ("seconds", 1e3), "gflop": ("flops", 1e-9), "mebibytes": ("peak_bytes", 2**-20)}
    shown = [row | {name: row[key] * factor for name, (key, factor) in units.items()} for row in rows]
    yield table(title, shown, columns)
    names = list(dict.fromkeys(part for row in rows for part in row["parts"]))
    split = [
        {"name": row["name"]} | {part: 1e3 * seconds for part, seconds in row["parts"].items()}
        for row in rows
        if row["parts"]
    ]
    yield table("Where a step of ours goes, ms", split, {"name": ("", "")} | {part: (part, ".1f") for part in names})


def _flops(one: Naive | Ours) -> int:
    batch = one.load()
    train = one.training.step if isinstance(one, Naive) else one.train
    return count_flops(partial(train, batch))


def _parts(ours: Ours, repeats: int) -> dict[str, float]:
    """Timed apart from the whole, because waiting for a GPU at the end of every part slows it down."""
    ours.stopwatch.on = True
    for _ in range(max(2, repeats // 2)):
        ours.step()
    ours.stopwatch.on = False
    parts = {name: median(seconds) for name, seconds in ours.stopwatch.seconds.items()}
    return {name: parts[name] for name in ("data", *PARTS.values(), "average") if name in parts}


def _naive_step(files: list[Path], batch: int, patch: int, device: torch.device) -> Task:
    return Naive(files, batch, patch, device).step


def _naive_steps(files: list[Path], batch: int, patch: int, device: torch.device) -> None:
    naive = Naive(files, batch, patch, device)
    for _ in range(2):
        naive.step()


def _our_steps(config: Config, adversarial: bool) -> None:
    ours = Ours(config, adversarial)
    for _ in range(2):
        ours.step()
