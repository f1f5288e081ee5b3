"""The public benchmark of docs/benchmark.md: write the inputs, and score anybody's frames beside ours.

    python -m experiments.benchmark inputs FOLDER
    python -m experiments.benchmark score FOLDER [--entry NAME=FOLDER] [--json FILE]

An entry is a folder with a file of highres frames for each input, under the name of the input.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from benchmarks.paths import DATA
from tempogan_eddy import coarsen, open_sequence, reconstruct, save_sequence
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Evaluation, Mean, Metric, Statistic, evaluate
from tempogan_eddy.evaluation.masked import MaskedFrame
from tempogan_eddy.evaluation.metrics import choose_metrics
from tempogan_eddy.evaluation.report import as_dict
from tempogan_eddy.evaluation.statistics import StructuralSimilarity

__all__ = ["NORMALISED", "SENSORS", "STORMS", "main", "score", "write_inputs"]

SCALE, FRAMES = 4, 8
MODELS = {"faithful": None, "eddy": None, "ensemble": 8}  # and the number of members
SENSORS = {"area": "area", "gaussian": "gaussian,fwhm=1.0", "box": "box,width=1.6"}

# Frames that no released model was trained on; `configs/release-*.json` state the split.
STORMS = {
    "198702": ("digital-typhoon/WP/image/198702", "1987-04-14", None),
    "200717": ("digital-typhoon/WP/image/200717", "2007-10-07T12", None),
}


@dataclass(frozen=True)
class NormalisedRatio(Statistic[MaskedFrame]):
    """PSNR in dB of a frame whose least and largest true kelvin become 0 and 1."""

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        """Return it with weight 1."""
        valid = truth.mask.valid
        true, made = truth.values[valid].astype(np.float64), reconstructed.values[valid]
        return Mean(10 * np.log10(np.ptp(true) ** 2 / np.mean((made - true) ** 2)), 1.0)


@dataclass(frozen=True)
class NormalisedSimilarity(Statistic[MaskedFrame]):
    """SSIM of a frame whose least and largest true kelvin become 0 and 1."""

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        """Return the mean over windows with weight 1."""
        true = truth.values[truth.mask.valid]
        one = StructuralSimilarity((float(true.min()), float(true.max()))).compute(reconstructed, truth)
        return Mean(one.total / one.weight, 1.0)


NORMALISED = (
    Metric("psnr_normalised", "PSNR, normalised", "dB", "higher", (NormalisedRatio(),)),
    Metric("ssim_normalised", "SSIM, normalised", "1", "higher", (NormalisedSimilarity(),)),
)
METRICS = ("rmse", "cold_rmse", "lsd", "detail_energy", "detail_kurtosis", "consistency_max")
OF_ENSEMBLES = ("crps", "spread_skill")


def truth_of(storm: str, data: Path) -> xr.DataArray:
    """Return the evenly spaced complete frames of a storm that are scored, (time, y, x) in kelvin."""
    path, start, stop = STORMS[storm]
    sequence = open_sequence(data / path).sel(time=slice(start, stop))
    whole = np.flatnonzero(np.isfinite(sequence).all(("y", "x")).values)
    return sequence[whole[np.linspace(0, len(whole) - 1, FRAMES).round().astype(int)]].load()


def names() -> dict[str, tuple[str, str]]:
    """Return storm and sensor of each input by its name."""
    return {f"{storm}-{short}": (storm, text) for storm in STORMS for short, text in SENSORS.items()}


def write_inputs(folder: Path, data: Path) -> None:
    """Write the lowres frames that entries start from, one NetCDF file for each storm and sensor."""
    for name, (storm, sensor) in names().items():
        save_sequence(coarsen(truth_of(storm, data), SCALE, sensor=sensor), folder / f"{name}.nc", precision="exact")
        print(folder / f"{name}.nc", flush=True)


def score(name: str, folder: Path, entries: Mapping[str, Path], data: Path) -> Evaluation:
    """Score entries and the released models on one input."""
    storm, sensor = names()[name]
    lowres = open_sequence(folder / f"{name}.nc").load()
    made = {entry: open_sequence(place / f"{name}.nc") for entry, place in entries.items()}
    ours = {
        model: reconstruct(lowres, model, members=count, seed=1) if count else reconstruct(lowres, model)
        for model, count in MODELS.items()
    }
    return evaluate(
        truth_of(storm, data), {**made, **ours}, lowres, sensor=sensor, baselines=("bicubic", "Wiener filter"),
        metrics=[*choose_metrics((*METRICS, *OF_ENSEMBLES)), *NORMALISED],
    )  # fmt: skip


def named_folder(text: str) -> tuple[str, Path]:
    """Read ``NAME=FOLDER``."""
    name, _, folder = text.partition("=")
    if not name or not folder or name in MODELS:
        raise InputError(f"--entry {text} is not NAME=FOLDER with a name of its own; write --entry mine=folder.")
    return name, Path(folder)


def print_table(name: str, result: Evaluation) -> None:
    """Print the scores of one input as a table in Markdown."""
    labels = [f"{metric.label}, {metric.unit} {metric.arrow}".replace(", 1 ", " ") for metric in result.metrics]
    print(f"\n{name}, {result.frames} frames\n\n| method | {' | '.join(labels)} |\n|{' --- |' * (len(labels) + 1)}")
    for method, scores in result.scores.items():
        values = [scores[metric.name].value if metric.name in scores else np.nan for metric in result.metrics]
        print(
            f"| {method} | {' | '.join('-' if np.isnan(value) else f'{value:.4g}' for value in values)} |", flush=True
        )


def main(arguments: list[str] | None = None) -> None:
    """Write inputs or score entries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("inputs", "score"))
    parser.add_argument("folder", type=Path, help="of the inputs")
    parser.add_argument("--entry", action="append", default=[], metavar="NAME=FOLDER", help="may be repeated")
    parser.add_argument("--json", type=Path, help="also write all scores there")
    parser.add_argument("--only", choices=list(names()), help="one input")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real frames")
    options = parser.parse_args(arguments)
    try:
        if options.action == "inputs":
            write_inputs(options.folder, options.data)
            return
        entries = dict(map(named_folder, options.entry))
        results = {}
        for name in [options.only] if options.only else names():
            results[name] = score(name, options.folder, entries, options.data)
            print_table(name, results[name])
    except InputError as error:
        parser.error(str(error))
    if options.json:
        options.json.write_text(json.dumps({name: as_dict(result) for name, result in results.items()}, indent=1))


if __name__ == "__main__":
    main()
