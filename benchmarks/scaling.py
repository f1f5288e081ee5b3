"""How cost grows: with the size and the number of frames, and with the batch and the patch of a training step."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from rich.console import Group

from benchmarks.report import table
from benchmarks.timing import Task, interleave
from benchmarks.training import Ours
from benchmarks.workbench import Workbench, untrained
from tempogan_eddy import reconstruct

FRAME_SIZES = ((1, 64), (1, 128), (1, 256), (1, 512), (4, 128), (16, 128))  # frames, side in LR pixels
STEP_SIZES = ((2, 64), (4, 64), (8, 64), (16, 64), (8, 32), (8, 128))  # batch, patch

Sizes = tuple[tuple[int, int], ...]


def measure(
    bench: Workbench, frame_sizes: Sizes = FRAME_SIZES, step_sizes: Sizes = STEP_SIZES, *small: str
) -> dict[str, Any]:
    """One row for each size of a reconstruction and of a training step."""
    model, repeats = untrained(bench.training(*small)), max(1, bench.repeats // 2)
    tasks: dict[tuple[int, int], Task] = {
        (frames, side): reconstruct(bench.lowres(frames, side), model, device=bench.device).compute
        for frames, side in frame_sizes
    }
    seconds = {size: median(times) for size, times in interleave(tasks, repeats, bench.device).items()}
    work = {(frames, side): frames * (side * model.scale) ** 2 for frames, side in frame_sizes}
    reconstruction = _rows(seconds, work, ("frames", "side"))
    tasks = {
        (batch, patch): Ours(
            bench.training(f"training.batch_size={batch}", f"training.patch_size={patch}", *small)
        ).step
        for batch, patch in step_sizes
    }
    seconds = {size: median(times) for size, times in interleave(tasks, repeats, bench.device).items()}
    work = {(batch, patch): batch * 3 * patch**2 for batch, patch in step_sizes}
    return {"reconstruction": reconstruction, "training": _rows(seconds, work, ("batch", "patch"))}


def tables(result: dict[str, Any]) -> Iterator[Group]:
    """Both, with the cost of a pixel, which stays the same where cost is linear."""
    cost = {"milliseconds": ("ms", ".1f"), "nanoseconds": ("ns / highres pixel", ".0f")}
    frames = {"frames": ("frames", "d"), "side": ("LR side", "d")}
    yield table("Reconstruction in memory, engine auto: growth", result["reconstruction"], frames | cost)
    steps = {"batch": ("batch", "d"), "patch": ("patch", "d")}
    yield table("Training step with its loader: growth", result["training"], steps | cost)


def _rows(
    seconds: dict[tuple[int, int], float], work: dict[tuple[int, int], int], names: tuple[str, str]
) -> list[dict[str, Any]]:
    return [
        dict(zip(names, size, strict=True)) | {"milliseconds": 1e3 * time, "nanoseconds": 1e9 * time / work[size]}
        for size, time in seconds.items()
    ]
