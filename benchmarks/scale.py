"""What long runs cost: workers, the memory of 10,000 frames, large frames, whole archives, and scores.

    python -m benchmarks.scale [--only engine,memory,frames,bands,scores] [--model faithful] [--output FILE.json]

Each measurement runs in a process of its own, with one thread of torch, on simulated clouds. Seconds are CPU seconds of
the process and its children, which a busy machine changes less than seconds of the clock.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import torch
import xarray as xr
from rich.console import Group

from benchmarks.paths import ROOT
from benchmarks.report import console, rounded, table
from benchmarks.timing import process_peak, ratio
from tempogan_eddy import coarsen, open_sequence, reconstruct, save_sequence
from tempogan_eddy.evaluation import evaluate
from tempogan_eddy.evaluation.metrics import metrics
from tempogan_eddy.io import bands
from tempogan_eddy.io.formats import zarr as zarr_format
from tempogan_eddy.io.workers import Workers
from tempogan_eddy.reconstruction import sequences
from tempogan_eddy.synthesis import simulate_storm

SHARDS = (1, 8, 32)  # frames
CASES: list[tuple[str | None, int]] = [
    *((place, 8) for place in (None, "threads:1", "threads:2", "local:1", "local:2")),
    *((place, shard) for shard in (1, 32) for place in (None, "local:1")),
]
"""Where to compute, and the frames of a shard."""
SIDE, SMALL_SIDE = 128, 32  # lowres pixels
POLL = 0.05  # seconds between two looks at the memory

ARCHIVES = {
    "Digital Typhoon, 263,043 frames of 512x512": 263_043 * 512**2,
    "GridSat, 40 years of three-hourly 8000x20572": 40 * 365.25 * 8 * 8000 * 20572,
    "full disks, a year of ten-minute 22000x22000": 365 * 144 * 22_000**2 * np.pi / 4,
}
"""Highres pixels; of full disks those on the Earth."""

CHOICES: dict[str, dict[str, Any]] = {
    "all metrics": {},
    "all metrics, no baselines": {"baselines": False},
    "all but tOF": {"metrics": [metric.name for metric in metrics() if metric.name != "tof"]},
    "lsd, detail_energy": {"metrics": ["lsd", "detail_energy"]},
    "rmse, mae, bias, psnr": {"metrics": ["rmse", "mae", "bias", "psnr"]},
}
"""Options of `evaluate`."""


def clouds(frames: int, height: int, width: int) -> xr.DataArray:
    """Return lowres frames of any size and number: one simulated storm, repeated, that moves a pixel a frame."""
    kelvins = simulate_storm(seed=1, frames=1, size=256)["brightness_temperature"].values[0]
    rows, columns = np.arange(height) % 256, np.arange(width) % 256
    held = np.stack([kelvins[np.ix_((rows + number) % 256, columns)] for number in range(frames)])
    times = np.datetime64("2000-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    attrs = {"units": "K", "standard_name": "brightness_temperature", "sequence": "scale"}
    return xr.DataArray(held, {"time": times}, ("time", "y", "x"), name="brightness_temperature", attrs=attrs)


def global_frame(height: int = 2000, width: int = 5143) -> xr.DataArray:
    """Return a frame like those of GridSat: nothing near the poles, nor between two satellites."""
    frame = clouds(1, height, width)
    frame[:, : height // 28] = frame[:, -(height // 28) :] = np.nan
    frame[:, :, width // 3 : width // 3 + width // 25] = np.nan
    return frame


def full_disk(side: int = 5500, radius: float = 0.49) -> xr.DataArray:
    """Return a disk of a radius, as a share of the side, with nothing around it."""
    frame, across = clouds(1, side, side), np.arange(side) - (side - 1) / 2
    frame.values[:, np.hypot(*np.meshgrid(across, across)) > radius * side] = np.nan
    return frame


def measure_engine(folder: Path, model: str, frames: int = 64, rounds: int = 3) -> list[dict[str, Any]]:
    """Return a row for each place of computing and for each size of a shard, measured in turns."""
    save_sequence(clouds(frames, SIDE, SIDE), folder / "engine.zarr")
    turns = elsewhere(_run_engine, folder, model, rounds)
    plain = {shard: [turn["cpu"] for turn in turns[None, shard]] for shard in SHARDS}
    return [
        {
            "workers": place or "plain", "frames_of_shard": shard, "frames": frames,
            "cpu": median(turn["cpu"] for turn in told) / frames,
            "clock": median(turn["clock"] for turn in told) / frames,
            "overhead": ratio([turn["cpu"] for turn in told], plain[shard]) - 1,
        }
        for (place, shard), told in turns.items()
    ]  # fmt: skip


def _run_engine(folder: Path, model: str, rounds: int) -> dict[tuple[str | None, int], list[dict[str, float]]]:
    """Time all cases in turns, after a round over two shards, in which workers and engines start."""
    sequence = open_sequence(folder / "engine.zarr")
    turns: dict[tuple[str | None, int], list[dict[str, float]]] = {case: [] for case in CASES}
    with ExitStack() as stack:
        places = {place: stack.enter_context(Workers.entered(place)) for place in dict.fromkeys(p for p, _ in CASES)}
        for turn in range(-1, rounds):
            for (place, shard), told in turns.items():
                made = reconstruct(sequence.isel(time=slice(None if turn >= 0 else 2 * shard)), model)
                began = _Clock()
                zarr_format.PIXELS_OF_SHARD = shard * (4 * SIDE) ** 2  # in this process, which ends with the turns
                save_sequence(made, folder / "out.zarr", dask=places[place])
                if turn >= 0:
                    told.append(began.seconds())
    return turns


def measure_memory(folder: Path, model: str, frames: int = 10_000) -> dict[str, Any]:
    """Return the peak of memory in each quarter of a long run over small frames."""
    source = folder / "long.zarr"
    save_sequence(clouds(frames, SMALL_SIDE, SMALL_SIDE), source)
    return elsewhere(_run_long, source, folder / "out.zarr", model, frames)


def _run_long(source: Path, target: Path, model: str, frames: int) -> dict[str, Any]:
    watch = _Watch(frames)
    with watch:
        save_sequence(reconstruct(open_sequence(source), model), target, on_frame=watch.count)
    return {"frames": frames, "side": SMALL_SIDE, "peak_bytes_of_quarters": watch.peaks, **watch.clock.seconds()}


def measure_frames(folder: Path, model: str) -> list[dict[str, Any]]:
    """Return a row for small frames, a global frame, a full disk, and a disk of one tile, whose others are empty."""
    made: dict[str, Callable[[], xr.DataArray]] = {
        "32 frames": lambda: clouds(32, SIDE, SIDE),
        "global": global_frame,
        "full disk": full_disk,
        "all but one tile empty": lambda: full_disk(radius=0.01),
    }
    rows = []
    for name, make in made.items():
        lowres = make()
        save_sequence(lowres, folder / "large.zarr", overwrite=True)
        row = {"input": name, "frames": lowres.sizes["time"], "height": lowres.sizes["y"], "width": lowres.sizes["x"]}
        row["seen"] = int(lowres.notnull().sum())
        del lowres
        rows.append(row | elsewhere(_run_frames, folder / "large.zarr", folder / "out.zarr", model))
    for row in rows:
        row["nanoseconds"] = 1e9 * row["cpu"] / (16 * row["seen"])
    return rows


def _run_frames(source: Path, target: Path, model: str) -> dict[str, Any]:
    made = reconstruct(open_sequence(source), model)
    began = _Clock()
    save_sequence(made, target)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    engine = made.attrs["super_resolution_engine"]
    return {**began.seconds(), "peak_bytes": process_peak(), "stored_bytes": size, "engine": engine}


def measure_bands(folder: Path, model: str) -> list[dict[str, Any]]:
    """Return a row for one global frame by one process and by two, each in one task and in bands.

    On free cores, the seconds of the clock are about the CPU seconds of the busiest process.
    """
    save_sequence(global_frame(), folder / "large.zarr")
    save_sequence(clouds(32, SIDE, SIDE), folder / "small.zarr")
    return elsewhere(_run_bands, folder, model)


def _run_bands(folder: Path, model: str) -> list[dict[str, Any]]:
    rows, usual = [], bands.PIXELS_OF_BAND
    for place in (None, "local:2"):
        with Workers.entered(place) as workers:
            save_sequence(reconstruct(open_sequence(folder / "small.zarr"), model), folder / "out.zarr", dask=workers)
            for limit in (sys.maxsize, usual):
                bands.PIXELS_OF_BAND = sequences.PIXELS_OF_BAND = limit
                made = reconstruct(open_sequence(folder / "large.zarr"), model)
                began, before = _Clock(), _cpu_of_each()
                save_sequence(made, folder / "out.zarr", dask=workers)
                busiest = max(now - before.get(process, 0) for process, now in _cpu_of_each().items())
                told = {"workers": place or "plain", "bands": len(made.chunks[1]), "busiest": busiest}
                rows.append(told | began.seconds())
    return rows


def measure_scores(folder: Path, model: str, frames: int = 12, rounds: int = 3) -> list[dict[str, Any]]:
    """Return a row for reconstruction into Zarr, and for each choice of scores of it, measured in turns."""
    turns = elsewhere(_run_scores, folder, model, frames, rounds)
    plain = turns["reconstruct"]
    return [
        {"command": name, "frames": frames, "cpu": median(told) / frames, "times": ratio(told, plain)}
        for name, told in turns.items()
    ]


def _run_scores(folder: Path, model: str, frames: int, rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each turn, after one over two frames."""
    truth, made = clouds(frames, 4 * SIDE, 4 * SIDE), folder / "made.zarr"
    low = coarsen(truth).load()
    save_sequence(reconstruct(low, model), made)
    highres = open_sequence(made).load()
    turns: dict[str, list[float]] = {name: [] for name in ("reconstruct", *CHOICES)}
    for turn in range(-1, rounds):
        some = {"time": slice(None if turn >= 0 else 2)}
        parts = [sequence.isel(some) for sequence in (truth, highres, low)]
        for name, told in turns.items():
            began = _Clock()
            if name == "reconstruct":
                save_sequence(reconstruct(parts[2], model), folder / "out.zarr", overwrite=True)
            else:
                evaluate(*parts, **CHOICES[name])
            if turn >= 0:
                told.append(began.seconds()["cpu"])
    return turns


def estimate(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return core-hours and bytes of archives from those of a highres pixel that is not missing."""
    measured = {row["input"]: row for row in frames}
    rows = [measured[name] for name in ("32 frames", "global", "full disk")]
    return [
        {
            "archive": name, "megapixels": pixels / 1e6, "core_hours": 1e-9 * row["nanoseconds"] * pixels / 3600,
            "days": 1e-9 * row["nanoseconds"] * pixels / 3600 / 24 / 64,
            "terabytes": row["stored_bytes"] / (16 * row["seen"]) * pixels / 1e12,
        }
        for (name, pixels), row in zip(ARCHIVES.items(), rows, strict=True)
    ]  # fmt: skip


def elsewhere(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns in a process of its own with one thread of torch."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return pool.submit(function, *arguments).result()


@dataclass
class _Clock:
    """Seconds since it was made: of the clock, and of the CPU for this process and its children."""

    cpu: float = field(default_factory=lambda: _cpu())
    clock: float = field(default_factory=time.perf_counter)

    def seconds(self) -> dict[str, float]:
        return {"cpu": _cpu() - self.cpu, "clock": time.perf_counter() - self.clock}


def _cpu() -> float:
    return sum(_cpu_of_each().values())


def _cpu_of_each() -> dict[int, float]:
    this = psutil.Process()
    return {process.pid: sum(process.cpu_times()[:2]) for process in (this, *this.children(recursive=True))}


class _Watch:
    """The peak of resident memory in each quarter of a run."""

    def __init__(self, frames: int) -> None:
        self.frames, self.done, self.peaks = frames, 0, [0, 0, 0, 0]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.clock = _Clock()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def count(self, done: int) -> None:
        self.done = done

    def _look(self) -> None:
        this = psutil.Process()
        while not self._over.wait(POLL):
            quarter = min(3, 4 * self.done // self.frames)
            self.peaks[quarter] = max(self.peaks[quarter], this.memory_info().rss)


def tables(result: dict[str, Any]) -> Iterator[Group]:
    """Return the tables of what was measured."""
    if rows := result.get("engine"):
        columns = {
            "workers": ("--dask", ""), "frames_of_shard": ("frames a shard", "d"), "cpu": ("CPU s/frame", ".4f"),
            "clock": ("s/frame", ".4f"), "overhead": ("CPU beside plain", "+.1%"),
        }  # fmt: skip
        yield table(f"Reconstruction of {rows[0]['frames']} frames of {SIDE}x{SIDE} into Zarr", rows, columns)
    if long := result.get("memory"):
        rows = [{"quarter": n, "peak": peak / 2**20} for n, peak in enumerate(long["peak_bytes_of_quarters"], 1)]
        heading = f"Memory of {long['frames']} frames of {SMALL_SIDE}x{SMALL_SIDE}, {long['cpu']:.0f} CPU s"
        yield table(heading, rows, {"quarter": ("quarter", "d"), "peak": ("peak MiB", ".1f")})
    if rows := result.get("frames"):
        columns = {
            "input": ("lowres input", ""), "height": ("rows", "d"), "width": ("columns", "d"),
            "cpu": ("CPU s", ".1f"), "clock": ("s", ".1f"), "nanoseconds": ("CPU ns / pixel seen", ".0f"),
            "peak": ("peak MiB", ".0f"), "engine": ("engine", ""),
        }  # fmt: skip
        yield table("Large frames", [row | {"peak": row["peak_bytes"] / 2**20} for row in rows], columns)
        columns = {
            "archive": ("archive", ""), "megapixels": ("highres Mpixel", ",.0f"), "core_hours": ("core-hours", ",.0f"),
            "days": ("days of 64 cores", ".1f"), "terabytes": ("TB written", ".1f"),
        }  # fmt: skip
        yield table("Estimates: CPU seconds and bytes of a highres pixel, times pixels", result["estimates"], columns)

    if rows := result.get("bands"):
        columns = {
            "workers": ("--dask", ""), "bands": ("tasks", "d"), "cpu": ("CPU s", ".1f"),
            "busiest": ("CPU s of the busiest process", ".1f"), "clock": ("s", ".1f"),
        }  # fmt: skip
        yield table("A global frame, 2000x5143", rows, columns)
    if rows := result.get("scores"):
        columns = {
            "command": ("reconstruct, and evaluate with", ""),
            "cpu": ("CPU s/frame", ".3f"),
            "times": ("of reconstruct", ".2f"),
        }
        yield table(f"Scores of {rows[0]['frames']} frames of {4 * SIDE}x{4 * SIDE}", rows, columns)


SECTIONS: dict[str, Callable[[Path, str], Any]] = {
    "engine": measure_engine, "memory": measure_memory, "frames": measure_frames, "bands": measure_bands,
    "scores": measure_scores,
}  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--model", default="faithful")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "scale.json")
    options = parser.parse_args()
    result: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}
    result["model"] = options.model
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            result[name] = SECTIONS[name](Path(folder), options.model)
        if name == "frames":
            result["estimates"] = estimate(result["frames"])
        console().print(*tables({key: result[key] for key in (name, "estimates") if key in result}))
        options.output.write_text(json.dumps(rounded(result), indent=1) + "\n")


if __name__ == "__main__":
    main()
