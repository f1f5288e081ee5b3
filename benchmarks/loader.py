"""The loader alone: whether it can feed the networks."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from rich.console import Group

from benchmarks.report import table
from benchmarks.timing import interleave, ratio
from benchmarks.training import BATCH, PATCH, Naive, Ours
from benchmarks.workbench import Workbench

SIZES = ((BATCH, PATCH), (16, 64))


def measure(bench: Workbench, sizes: tuple[tuple[int, int], ...] = SIZES, *small: str) -> list[dict[str, Any]]:
    """One row for each size of batch and patch."""
    return [_row(bench, batch, patch, small) for batch, patch in sizes]


def tables(rows: list[dict[str, Any]]) -> Iterator[Group]:
    """What the loaders deliver beside what a step consumes."""
    columns = {
        "batch": ("batch", "d"), "patch": ("patch", "d"), "naive": ("naive loader", ".0f"), "ours": ("ours", ".0f"),
        "speedup": ("x naive", ".1f"), "consumed": ("a step consumes", ".0f"), "reserve": ("ours / consumed", ".1f"),
    }  # fmt: skip
    yield table("Loader alone, windows/s", rows, columns)


def _row(bench: Workbench, batch: int, patch: int, small: tuple[str, ...]) -> dict[str, Any]:
    overrides = (f"training.batch_size={batch}", f"training.patch_size={patch}", *small)
    naive, ours = Naive(bench.files, batch, patch, bench.device), Ours(bench.training(*overrides))
    held = ours.load()
    tasks = {"naive": naive.load, "ours": ours.load, "consumed": lambda: ours.train(held)}
    seconds = interleave(tasks, bench.repeats, bench.device)
    return {
        "batch": batch,
        "patch": patch,
        **{name: batch / median(times) for name, times in seconds.items()},
        "speedup": ratio(seconds["naive"], seconds["ours"]),
        "reserve": ratio(seconds["consumed"], seconds["ours"]),
    }
