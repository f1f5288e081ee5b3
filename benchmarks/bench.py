"""How fast training and reconstruction are, beside the naive reference and beside what the machine can do.

    python -m benchmarks.bench [--only training,memory] [--repeats 5] [--threads 2] [--device cpu]

Prints tables and writes all numbers as JSON. benchmarks/README.md says what the columns mean.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks import loader, machine, memory, reconstruction, scaling, training, viewer
from benchmarks.paths import DATA, ROOT
from benchmarks.report import console, rounded
from benchmarks.workbench import Workbench, find_frames

RESULTS = ROOT / "benchmarks" / "results"
GPU_SECONDS = 120
"""On a GPU no section begins later, so that all of it ends within three minutes."""
SECTIONS = {
    "training": training, "loader": loader, "reconstruction": reconstruction, "scaling": scaling, "memory": memory,
    "viewer": viewer,
}  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    options = _options()
    # Processes that are started from here take their number of threads from the environment.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    device = machine.device_or_exit(options.device)
    result = run(device, options.repeats, options.only, options.data)
    output = options.output
    if output is None and options.only == list(SECTIONS):
        output = RESULTS / f"{slug(result['machine']['device'])}.json"
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(rounded(result), indent=1) + "\n")
        console().print(f"Written to {output}", soft_wrap=True)


def run(device: torch.device, repeats: int, only: list[str], data: Path) -> dict[str, Any]:
    """All sections asked for, each printed as soon as it is measured."""
    screen, begun = console(), time.monotonic()
    result: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "repeats": repeats}
    result["machine"] = machine.measure(device, repeats)
    screen.print(*machine.tables(result["machine"]))
    probe = machine.fastest_convolution(result["machine"], device)
    with tempfile.TemporaryDirectory() as scratch:
        folder, result["frames"] = find_frames(data, Path(scratch))
        screen.print(f"Frames: {result['frames']}")
        bench = Workbench(device, repeats, folder, Path(scratch), probe)
        for name in only:
            if device.type != "cpu" and time.monotonic() - begun > GPU_SECONDS:
                screen.print(f"Not measured, because {GPU_SECONDS} s are over: {name}; measure it with --only {name}")
                continue
            result[name] = SECTIONS[name].measure(bench)
            screen.print(*SECTIONS[name].tables(result[name]))
    result["minutes"] = round((time.monotonic() - begun) / 60, 1)
    screen.print(f"{result['minutes']} minutes")
    return result


def slug(name: str) -> str:
    """A device's name as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_sections, default=list(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--repeats", type=_positive, default=5, help="turns of each measurement")
    parser.add_argument("--threads", type=_positive, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder of the real data; without, storms are simulated"
    )
    parser.add_argument(
        "--output", type=Path, help="JSON file; default benchmarks/results/DEVICE.json, none with --only"
    )
    return parser.parse_args()


def _sections(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"no {', '.join(sorted(unknown))}; use some of {','.join(SECTIONS)}")
    return names


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


if __name__ == "__main__":
    main()
