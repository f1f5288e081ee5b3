"""Check and time what a GPU computes, in under four minutes, on a machine without network or browser.

    python -m benchmarks.gpu_check [--device cuda] [--quick] [--compiled] [--output FILE.json]

Runs the tests marked cuda, then measures reconstruction in memory, the network alone, training steps and packing.
Prints one JSON object. Exits with 2 where there is no GPU, with 1 where a test fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.machine import Probe, device_name, device_or_exit, processor_name
from benchmarks.paths import DATA, ROOT
from benchmarks.timing import clock
from benchmarks.training import Ours
from benchmarks.workbench import Workbench, find_frames, generator_sizes, untrained
from tempogan_eddy import reconstruct
from tempogan_eddy.dataset.pack import pack
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.reconstruction.engines import open_engine

SECONDS_OF_TESTS = 110  # and as much again for those that compile
SIZE = "8x64"


def main() -> int:
    """Test, measure, print; return the exit code."""
    options = _options()
    device = device_or_exit(options.device)
    begun = time.monotonic()
    result: dict[str, Any] = {
        "device": device_name(device),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "tests": _tests(device, options.compiled),
    }
    with tempfile.TemporaryDirectory() as scratch:
        # A tenth of a second for each figure shows that it can be measured; it is not a measurement.
        result |= measure(device, Path(scratch), 0.1 if options.quick else 8.0, options.quick, options.compiled)
    result["seconds"] = round(time.monotonic() - begun, 1)
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")
    return 1 if result["tests"] == "failed" else 0


def measure(device: torch.device, scratch: Path, seconds: float, quick: bool, compiled: bool = False) -> dict[str, Any]:
    """Return the figures, each from rounds of at most so many seconds."""
    frames, size = (12, 64) if quick else (96, 512)
    folder, origin = find_frames(DATA if not quick else scratch / "none", scratch, frames, size)
    bench = Workbench(device, 1, folder, scratch, Probe(lambda: None, 1.0))
    return {
        "frames": origin,
        "reconstruction": _reconstruction(bench, seconds, quick),
        "training": _training(bench, seconds, quick, compiled),
        "pack": _packing(bench),
    }


def _reconstruction(bench: Workbench, seconds: float, quick: bool) -> list[dict[str, Any]]:
    """Frames a second of 8x64 in memory, and of the network alone, by engine."""
    count, side = (4, 16) if quick else (512, 128)
    lowres, model = bench.lowres(count, side), untrained(generator_sizes()[SIZE])
    rows = []
    for engine in ("torch", "compiled"):
        if quick and engine == "compiled":  # compiling for a CPU takes half a minute
            continue
        whole = reconstruct(lowres, model, device=bench.device, engine=engine)
        opened = open_engine(model, engine, bench.device)
        batch = torch.from_numpy(lowres.values[:64, None]).to(bench.device)
        scaled = from_kelvin(batch, model.kelvin_range)
        rows.append(
            {
                "engine": engine,
                "precision": opened.precision,
                "frames_a_second": count / _seconds(whole.compute, bench.device, seconds),
                "network_alone": len(scaled) / _seconds(lambda run=opened, at=scaled: run(at), bench.device, seconds),
            }
        )
    return rows


def _training(bench: Workbench, seconds: float, quick: bool, compiled: bool) -> dict[str, float]:
    """Milliseconds of a content step with 48 windows and an adversarial one with 16, loader included."""
    batches, patch = ((2, 2), 32) if quick else ((48, 16), 64)
    small = ("model.n_residual_blocks=1", "model.channels=8") if quick else ()
    figures = {}
    kinds = (("content", batches[0], False), ("adversarial", batches[1], True))
    for (name, batch, adversarial), graphs in product(kinds, (False, True) if compiled else (False,)):
        sizes = f"training.batch_size={batch}", f"training.patch_size={patch}"
        config = bench.training(*sizes, f"training.compile={graphs}", *small)
        ours = Ours(config, adversarial)
        for _ in range(3 if graphs else 0):  # CUDA graphs are recorded at the second call and replayed at the third
            ours.step()
        figures[f"{name}{'_compiled' * graphs}_ms"] = 1e3 * _seconds(ours.step, bench.device, seconds)
    return figures


def _packing(bench: Workbench) -> dict[str, float]:
    """Seconds to pack the frames in one process, and in one process a core."""
    config, figures = bench.training(), {}
    for name, workers in (("one_process_s", 1), ("one_a_core_s", None)):
        begun = time.perf_counter()
        pack(bench.folder, bench.scratch / f"{name}.zarr", config, workers=workers)
        figures[name] = time.perf_counter() - begun
    return figures | {"frames": len(bench.files)}


def _seconds(task: Callable[[], Any], device: torch.device, limit: float) -> float:
    """Return the median of rounds that together take about the limit; the first round warms up."""
    task()
    end, rounds = time.perf_counter() + limit, []
    while not rounds or time.perf_counter() < end:
        begun = clock(device)
        task()
        rounds.append(clock(device) - begun)
    return median(rounds)


def _tests(device: torch.device, compiled: bool) -> str:
    if device.type != "cuda":
        return "not run: they need a GPU"
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-m", "cuda" if compiled else "cuda and not slow", "tests"]
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, timeout=SECONDS_OF_TESTS * (1 + compiled))
    except subprocess.TimeoutExpired:
        return "failed"
    return "passed" if done.returncode == 0 else "failed"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1; cpu tries the measurements out")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether everything runs")
    parser.add_argument("--compiled", action="store_true", help="also training steps with CUDA graphs: minutes more")
    parser.add_argument("--output", type=Path, help="JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
