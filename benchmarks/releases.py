"""How much CPU time two models need for the same frame, with each engine.

    python -m benchmarks.releases BEFORE NOW [--sensor seviri] [--repeats 15]

Both reconstruct a frame of 128x128 lowres pixels in turn, on one thread, and each row compares the CPU time of their
process; the ratio is the median of the ratios within a turn. A model that adapts takes the sensor; any other one keeps
the sensor that it was trained for. For the release before the present one::

    git show b3b97fd0^:src/tempogan_eddy/released/eddy.safetensors > before.safetensors
    python -m benchmarks.releases before.safetensors eddy
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch

from benchmarks.report import Row, console, table
from benchmarks.timing import Task, ratio
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.reconstruction import Reconstructor
from tempogan_eddy.weights import Model, load_model

SIDE = 128  # lowres pixels
ENGINES = (("torch", "fp32"), ("torch", "bf16"), ("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
COLUMNS = {
    "engine": ("engine", ""), "before": ("before, ms", ".0f"), "now": ("now, ms", ".0f"),
    "ratio": ("before over now", ".2f"), "least": ("least", ".2f"), "most": ("most", ".2f"), "note": ("", ""),
}  # fmt: skip


def cpu_seconds(tasks: list[Task], repeats: int) -> list[list[float]]:
    """Run tasks in turn; return the CPU seconds of each, turn by turn, without the first, which warms up."""
    seconds: list[list[float]] = [[] for _ in tasks]
    for turn in range(repeats + 1):
        for task, entry in zip(tasks, seconds, strict=True):
            begun = time.process_time()
            task()
            if turn:
                entry.append(time.process_time() - begun)
    return seconds


def compare(models: list[Model], sensor: str, repeats: int) -> Iterator[Row]:
    """Yield a row for each engine; one that is not installed says so."""
    frame = np.random.default_rng(0).uniform(200, 300, (1, SIDE, SIDE)).astype(np.float32)
    for engine, precision in ENGINES:
        row: dict[str, object] = {"engine": f"{engine}, {precision}"}
        tasks: list[Task] = []
        try:
            for model in models:
                seen = SensorModel.parse(sensor, model.scale) if model.adapts else None
                reconstructor = Reconstructor(model, sensor=seen, device="cpu", engine=engine, precision=precision)
                reconstructor(frame)
                tasks.append(lambda network=reconstructor: network(frame))  # type: ignore[misc]
        except InputError as error:
            yield row | {"note": str(error)}
            continue
        before, now = cpu_seconds(tasks, repeats)
        ratios = [above / below for above, below in zip(before, now, strict=True)]
        row |= {"before": 1e3 * median(before), "now": 1e3 * median(now), "ratio": ratio(before, now)}
        yield row | {"least": min(ratios), "most": max(ratios)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs=2, metavar="MODEL", help="a file or the name of a released model")
    parser.add_argument("--sensor", default="area", help="of the models that adapt (default: area)")
    parser.add_argument("--repeats", type=int, default=15, help="turns of each engine")
    options = parser.parse_args()
    torch.set_num_threads(1)
    models = [load_model(Path(name) if "/" in name or "." in name else name) for name in options.models]
    rows = list(compare(models, options.sensor, options.repeats))
    console().print(table(f"{' and '.join(options.models)}, {options.sensor}", rows, COLUMNS))


if __name__ == "__main__":
    main()
