"""Score several models on the same real hours, each with its difference from the first.

    python -m experiments.compare none=A.safetensors aligned=B.safetensors [--metrics rmse lsd_hourly tof] [--frames 24]
        [--half-hourly]

For ablations: a difference counts where its 95 % interval, from blocks of hours resampled alike, leaves out zero.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.paths import DATA
from benchmarks.report import Row, console, table
from experiments.quality_storms import STORMS, Storm, open_storm
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Evaluation, combine, evaluate
from tempogan_eddy.evaluation.metrics import metrics
from tempogan_eddy.reconstruction import reconstruct
from tempogan_eddy.weights import Model, load_model

BASELINE = "bicubic"
METRICS = ("rmse", "lsd", "detail_energy", "lsd_hourly", "tof")


def main() -> None:
    """Score, print."""
    options = parse()
    try:
        models = {name: load_model(path) for name, path in options.models}
        evaluations = [score(storm, models, options) for storm in chosen(options)]
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    for evaluation in [*evaluations, *([combine(evaluations)] if len(evaluations) > 1 else [])]:
        rows = [row(evaluation, metric, list(models)) for metric in options.metrics]
        console().print(table(evaluation.storm, rows, {key: (key, "") for key in rows[0]}))


def chosen(options: argparse.Namespace) -> list[Storm]:
    """The storms to score."""
    return [
        storm for storm in STORMS if storm.name in options.storms and ("30min" in storm.path or not options.half_hourly)
    ]


def score(storm: Storm, models: Mapping[str, Model], options: argparse.Namespace) -> Evaluation:
    """All models on one storm, in one pass."""
    step = np.timedelta64(30 if options.half_hourly else 60, "m")
    truth = open_storm(storm, options.data, options.frames, step).assign_attrs(sequence=storm.title)
    first = next(iter(models.values()))
    lowres = first.sensor.coarsen(truth).load()
    rebuilt = {name: reconstruct(lowres, model, precision="fp32") for name, model in models.items()}
    return evaluate(truth, rebuilt, lowres, baselines=[BASELINE])


def row(evaluation: Evaluation, metric: str, models: Sequence[str]) -> Row:
    """A metric of each model and how it differs from the first model's."""
    cells = {"metric": metric}
    for name in (*models, BASELINE):
        cells[name] = f"{evaluation.scores[name][metric].value:.3f}"
        if name not in (models[0], BASELINE):
            beyond = evaluation.difference(metric, name, models[0])
            cells[name] += f" ({beyond.value:+.3f}: {beyond.low:+.3f} to {beyond.high:+.3f})"
    return cells


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=_named, help="NAME=PATH of a model, or NAME of a released one")
    known, names = [metric.name for metric in metrics()], [storm.name for storm in STORMS]
    parser.add_argument("--metrics", nargs="+", choices=known, default=METRICS)
    parser.add_argument("--frames", type=int, default=24, help="frames of each storm, those with most cold cloud")
    parser.add_argument("--half-hourly", action="store_true", help="frames of 30 minutes, of the storms that have them")
    parser.add_argument("--storms", nargs="+", choices=names, default=names)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real frames")
    return parser.parse_args(arguments)


def _named(text: str) -> tuple[str, str]:
    name, separator, path = text.partition("=")
    return name, path if separator else name


if __name__ == "__main__":
    main()
