"""The memory of a reconstruction from file to file, which the number of frames must not change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Group

from benchmarks.reconstruction import rebuild_file
from benchmarks.report import table
from benchmarks.timing import peak_memory
from benchmarks.workbench import Workbench, untrained
from tempogan_eddy import save_sequence
from tempogan_eddy.weights import save_model

LENGTHS = (10, 100, 1000)
SIDE = 128
# Frames are what could pile up, not features: a small network shows it sooner.
SMALL = ("model.n_residual_blocks=2", "model.channels=16")


def measure(bench: Workbench, lengths: tuple[int, ...] = LENGTHS, side: int = SIDE) -> list[dict[str, Any]]:
    """One row for each number of frames, each in a process of its own."""
    model, source, target = (bench.scratch / name for name in ("small.safetensors", "long.nc", "highres.nc"))
    small = untrained(bench.training(*SMALL))
    save_model(model, small)
    peaks = []
    for frames in lengths:
        save_sequence(bench.lowres(frames, side), source)
        host = torch.device("cpu")  # whose memory the frames would fill, wherever the network runs
        peaks.append(peak_memory(_rebuild, source, target, model, bench.device, device=host, threads=bench.threads))
    return [
        {"frames": frames, "peak_bytes": peak, "growth": peak / peaks[0] - 1}
        for frames, peak in zip(lengths, peaks, strict=True)
    ]


def tables(rows: list[dict[str, Any]]) -> Iterator[Group]:
    """The peaks, and how much more than the first they are."""
    columns = {"frames": ("frames", "d"), "mebibytes": ("peak MiB", ".0f"), "growth": ("growth", ".1%")}
    shown = [{**row, "mebibytes": row["peak_bytes"] / 2**20} for row in rows]
    yield table(f"Memory of a process that reconstructs a file of {SIDE}x{SIDE} frames", shown, columns)


def _rebuild(source: Path, target: Path, model: Path, device: torch.device) -> None:
    rebuild_file(source, target, model, device)
