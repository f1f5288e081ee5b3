"""What the machine can do at best: the measure of everything else."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Group
from torch import nn

from benchmarks.report import table
from benchmarks.timing import Task, interleave, ratio
from tempogan_eddy.device import choose_device, computes_bf16
from tempogan_eddy.errors import InputError

# (images, side) of the convolutions, and the side of the matrices. A GPU needs more to be full.
CONVOLUTIONS = {"cpu": [(1, 128), (1, 256), (24, 32)], "cuda": [(128, 128), (32, 256), (1024, 32)]}
MATRIX = {"cpu": 2048, "cuda": 8192}
CHANNELS = (64, 128)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def measure(device: torch.device, repeats: int) -> dict[str, Any]:
    """Names and versions, and the rate of convolutions and matrix products in every precision that is native."""
    rows, kind = [], "cuda" if device.type == "cuda" else "cpu"
    for precision in precisions(device):
        rows += _rates(device, precision, repeats, CONVOLUTIONS[kind], MATRIX[kind])
    best = {
        f"{kind} {precision}": max(r["rate"] for r in rows if r["kind"] == kind and r["precision"] == precision)
        for kind in ("convolution", "matrix product")
        for precision in precisions(device)
    }
    return {
        "device": device_name(device),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "tf32_convolutions": device.type == "cuda" and torch.backends.cudnn.allow_tf32,
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "best": best,
        "rates": rows,
    }


def precisions(device: torch.device) -> list[str]:
    """The precisions that the device computes in natively."""
    return ["fp32", "bf16"] if computes_bf16(device) else ["fp32"]


def device_or_exit(name: str) -> torch.device:
    """Return the device of a name; where there is none, say so and end with exit code 2."""
    try:
        return choose_device(name)
    except InputError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def device_name(device: torch.device) -> str:
    """``cpu``, or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def processor_name() -> str:
    """What the system calls its processor."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def tables(result: dict[str, Any]) -> Iterator[Group]:
    """The rates, under what was measured."""
    title = f"Machine: {result['processor']}, {result['threads']} threads, torch {result['torch']}, {result['device']}"
    names = dict.fromkeys((row["kind"], row["size"]) for row in result["rates"])
    rates = {(row["size"], row["precision"]): row["rate"] / 1e9 for row in result["rates"]}
    found = dict.fromkeys(row["precision"] for row in result["rates"])
    rows = [{"kind": kind, "size": size} | {name: rates[size, name] for name in found} for kind, size in names]
    columns = {"kind": ("forward", ""), "size": ("size", "")} | {name: (f"{name} GFLOP/s", ".0f") for name in found}
    yield table(title, rows, columns)


@dataclass(frozen=True)
class Probe:
    """The fastest convolution, to run among what is measured: a peak of a quieter minute would be no measure.

    Parameters
    ----------
    run
        Takes long enough to be timed, about 0.2 s.
    flops
        Floating-point operations of a run.
    """

    run: Task
    flops: float

    def share(self, flops: float, seconds: Sequence[float], own: Sequence[float]) -> float:
        """Which share of this rate a task reaches: its operations, its seconds and this one's, turn by turn."""
        return flops / self.flops * ratio(own, seconds)


def fastest_convolution(result: dict[str, Any], device: torch.device) -> Probe:
    """The winner among those measured."""
    row = max((row for row in result["rates"] if row["kind"] == "convolution"), key=lambda row: row["rate"])
    convolve = _convolution(*row["shape"], device, DTYPES[row["precision"]])
    times = max(1, round(200 / row["milliseconds"]))

    def run() -> None:
        for _ in range(times):
            convolve()

    return Probe(run, times * _convolution_flops(*row["shape"]))


def _rates(
    device: torch.device, precision: str, repeats: int, convolutions: list[tuple[int, int]], side: int
) -> list[dict[str, Any]]:
    dtype = DTYPES[precision]
    shapes = {
        f"{channels} channels, {images} x {width} x {width}": (channels, images, width)
        for channels in CHANNELS
        for images, width in convolutions
    }
    tasks = {name: _convolution(*shape, device, dtype) for name, shape in shapes.items()}
    flops = {name: _convolution_flops(*shape) for name, shape in shapes.items()}
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    tasks[f"{side} x {side}"], flops[f"{side} x {side}"] = lambda: left @ right, 2 * side**3
    seconds = {name: median(times) for name, times in interleave(tasks, repeats, device).items()}
    return [
        {
            "kind": "convolution" if name in shapes else "matrix product",
            "size": name,
            "shape": shapes.get(name),
            "precision": precision,
            "milliseconds": 1000 * seconds[name],
            "rate": flops[name] / seconds[name],
        }
        for name in tasks
    ]


def _convolution_flops(channels: int, images: int, side: int) -> int:
    return 2 * 9 * channels**2 * images * side**2


def _convolution(channels: int, images: int, side: int, device: torch.device, dtype: torch.dtype) -> Task:
    layer = nn.Conv2d(channels, channels, 3, padding=1).to(device, dtype, memory_format=torch.channels_last)
    frames = torch.randn(images, channels, side, side, device=device, dtype=dtype)
    frames = frames.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode():
            layer(frames)

    return run
