"""Reconstruction of 128x128 lowres pixels to 512x512: the naive generator against ours on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Group

from benchmarks.naive import KELVIN_RANGE, NaiveGenerator
from benchmarks.report import table
from benchmarks.timing import Elsewhere, Task, count_flops, interleave, ratio, spread
from benchmarks.workbench import Workbench, generator_sizes, untrained
from tempogan_eddy import open_sequence, reconstruct, save_sequence
from tempogan_eddy.device import computes_bf16
from tempogan_eddy.errors import InputError
from tempogan_eddy.reconstruction.engines import ENGINES, open_engine
from tempogan_eddy.weights import Model

SIDE = 128
FRAMES_IN_FILE = 60
NAIVE_SIZE = "8x64"


def measure(bench: Workbench, side: int = SIDE, frames_in_file: int = FRAMES_IN_FILE) -> dict[str, Any]:
    """The rows in memory, and those from file to file."""
    models = {size: untrained(config) for size, config in generator_sizes().items()}
    return {
        "in_memory": [row for size, model in models.items() for row in _in_memory(bench, size, model, side)],
        "files": _from_file_to_file(bench, models, side, frames_in_file),
    }


def tables(result: dict[str, Any]) -> Iterator[Group]:
    """In memory, then from file to file."""
    columns = {
        "size": ("size", ""), "engine": ("engine", ""), "precision": ("precision", ""), "whole": ("ms/frame", ".1f"),
        "spread": ("spread", ".0%"), "detail": ("detail alone", ".1f"), "frames_a_second": ("frames/s", ".1f"),
        "gflop": ("GFLOP", ".1f"), "share_of_peak": ("of peak", ".0%"), "speedup": ("x naive", ".1f"),
    }  # fmt: skip
    yield table(f"Reconstruction in memory, {SIDE}x{SIDE} to {4 * SIDE}x{4 * SIDE}", result["in_memory"], columns)
    columns = {
        "size": ("size", ""), "engine": ("engine", ""), "frames": ("frames", "d"), "milliseconds": ("ms/frame", ".1f"),
        "frames_a_second": ("frames/s", ".1f"),
    }  # fmt: skip
    yield table("Reconstruction from NetCDF to NetCDF", result["files"], columns)


def engines(model: Model, device: torch.device) -> list[tuple[str, str]]:
    """Every engine and precision that is to be had here."""
    found = []
    for engine in ENGINES:
        for precision in ("fp32", "bf16") if computes_bf16(device) else ("fp32",):
            try:
                open_engine(model, engine, device, precision)
            except InputError:
                continue
            found.append((engine, precision))
    return found


def frames_at_once(device: torch.device) -> int:
    """Frames of one measurement: a batch that fills a GPU, few on a CPU, which takes them one by one."""
    return 64 if device.type == "cuda" else 6


def _in_memory(bench: Workbench, size: str, model: Model, side: int) -> list[dict[str, Any]]:
    count = frames_at_once(bench.device)
    lowres = bench.lowres(count, side)
    scaled = torch.rand(count if bench.device.type == "cuda" else 1, 1, side, side, device=bench.device)
    # The reference is of the seed's size, whatever ours is: what a smaller size saves is part of its gain.
    naive = Elsewhere(_naive, lowres.values[0], bench.device, threads=bench.threads)
    tasks: dict[tuple[str, ...], Task] = {("naive", "fp32"): naive}
    frames: dict[tuple[str, ...], int] = {("naive", "fp32"): 1}
    for engine, precision in engines(model, bench.device):
        highres = reconstruct(lowres, model, device=bench.device, engine=engine, precision=precision)
        # Lazy: every call computes anew, with the engine that was made ready once.
        tasks[engine, precision] = highres.compute
        tasks[engine, precision, "detail"] = partial(
            open_engine(model, engine, bench.device, precision).compute, scaled
        )
        frames[engine, precision], frames[engine, precision, "detail"] = count, len(scaled)
    turns = interleave({**tasks, ("peak",): bench.probe.run}, bench.repeats, bench.device)
    naive.close()
    seconds = {key: [second / frames[key] for second in times] for key, times in turns.items() if key in frames}
    one = scaled[:1]
    flops = {
        "naive": count_flops(lambda: _naive_generator(bench.device)(one)),
        "ours": count_flops(lambda: model.generator(one)),
    }
    rows = []
    for key in (key for key in tasks if "detail" not in key):
        engine, precision = key
        if engine == "naive" and size != NAIVE_SIZE:
            continue
        whole, detail = median(seconds[key]), seconds.get((*key, "detail"))
        work = flops["naive" if engine == "naive" else "ours"]
        rows.append(
            {
                "size": size,
                "engine": engine,
                "precision": precision,
                "whole": 1e3 * whole,
                "spread": spread(seconds[key]),
                "detail": 1e3 * median(detail) if detail else None,
                "frames_a_second": 1 / whole,
                "gflop": work / 1e9,
                "share_of_peak": bench.probe.share(work, seconds[key], turns[("peak",)]),
                "speedup": ratio(seconds["naive", "fp32"], seconds[key]),
            }
        )
    return rows


def _naive_generator(device: torch.device) -> NaiveGenerator:
    return NaiveGenerator().to(device).eval().requires_grad_(False)


def _naive(kelvins: np.ndarray, device: torch.device) -> Task:
    """One frame, kelvin in and kelvin out."""
    generator, (low, high) = _naive_generator(device), KELVIN_RANGE

    def rebuild() -> np.ndarray:
        with torch.inference_mode():
            scaled = (torch.from_numpy(kelvins).to(device) - low) / (high - low)
            return (generator(scaled[None, None]) * (high - low) + low)[0, 0].cpu().numpy()

    return rebuild


def _from_file_to_file(bench: Workbench, models: dict[str, Model], side: int, frames: int) -> list[dict[str, Any]]:
    source, target = bench.scratch / "lowres.nc", bench.scratch / "highres.nc"
    save_sequence(bench.lowres(frames, side), source)
    chosen: dict[str, str] = {}

    def run(size: str) -> None:
        chosen[size] = rebuild_file(source, target, models[size], bench.device)

    seconds = interleave({size: partial(run, size) for size in models}, max(1, bench.repeats // 2), bench.device)
    return [
        {
            "size": size,
            "engine": f"auto: {chosen[size]}",
            "frames": frames,
            "milliseconds": 1e3 * median(times) / frames,
            "frames_a_second": frames / median(times),
        }
        for size, times in seconds.items()
    ]


def rebuild_file(source: Path, target: Path, model: Model | Path, device: torch.device) -> str:
    """Reconstruct a file as the command does; the engine that was chosen."""
    highres = reconstruct(open_sequence(source), model, device=device)
    save_sequence(highres, target)
    return str(highres.attrs["super_resolution_engine"])
