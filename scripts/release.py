"""Make the released models of training runs: weights with what a user must know, and the runs' logs.

    python scripts/release.py [NAME ...] [--runs weights] [--detail 0.9]

Takes the best model of each ``RUNS/NAME`` (all released ones by default) as `make weights` leaves them, writes the
package's ``src/tempogan_eddy/released/*.safetensors``, with the discriminators of ``eddy`` for fine-tuning, and
``docs/training/*.csv`` (one row an epoch, with ``missed_max_rmse`` 1 where its RMSE was above the bound). Paths of the
machine they were trained on are left out.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tempogan_eddy.config import DataConfig, TrainingConfig
from tempogan_eddy.errors import InputError
from tempogan_eddy.released import RELEASED
from tempogan_eddy.training.checkpoint import best_path
from tempogan_eddy.training.discriminators import discriminators_path
from tempogan_eddy.weights import Model, load_model, save_model

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "src" / "tempogan_eddy" / "released"

TRAINED_ON = [
    "Digital Typhoon 198702 (GMS-3) to 1987-04-13T11 and 200717 (MTSAT-1R) to 2007-10-06T23: Asanobu Kitamoto, "
    "National Institute of Informatics, CC BY 4.0, doi:10.20783/DIAS.664, from images of the Japan Meteorological "
    "Agency",
    "Merged infrared 2019-12-25 to 2019-12-31, 10 S - 20 N, 90 - 60 W, and 2016-08-01 to 2016-08-03, 5 S - 19 N, "
    "27 - 11 W and 5 - 21 E: NOAA NCEP/CPC, distributed by NASA GES DISC (GPM_MERGIR)",
]
USE = "Research. Adds plausible, not observed detail; not for warnings. See docs/model-card.md."


def main() -> None:
    """Check both runs, then write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=RELEASED)
    parser.add_argument("--runs", type=Path, default=ROOT / "weights")
    parser.add_argument("--detail", type=float, default=0.9, help="the detail of eddy where the user sets none")
    options = parser.parse_args()
    models = {name: load_model(best_path(options.runs / name / "checkpoints")) for name in options.names}
    for name, model in models.items():
        if not model.adapts:
            raise InputError(f"The run {name} does not adapt to the sensor; set model.conditioned = true.")
        if not model.specification.network.projection:
            raise InputError(f"The run {name} does not keep what a sensor measured; set model.lr_consistency = true.")
        if model.metadata["missed_max_rmse"]:
            raise InputError(f"No epoch of the run {name} is within training.max_rmse; train on, or raise the bound.")
        release(name, model, options.detail)
        if name == "eddy":
            beside = (
                discriminators_path(path)
                for path in (best_path(options.runs / name / "checkpoints"), FILES / "eddy.safetensors")
            )
            shutil.copyfile(*beside)
        write_log(options.runs / name / "logs", ROOT / "docs" / "training" / f"{name}.csv")


def release(name: str, model: Model, detail: float) -> None:
    """Write one model file of the package."""
    kept = ("step", "epoch", "score", "score_kind", "history", "training_data")
    metadata = {key: model.metadata[key] for key in kept if key in model.metadata}
    metadata |= {"trained_on": TRAINED_ON, "use": USE} | ({"detail": detail} if name == "eddy" else {})
    path = FILES / f"{name}.safetensors"
    save_model(path, replace(model, config=without_paths(model.config), metadata=metadata))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """Return the same configuration with the places of files as they are by default."""
    training, data = TrainingConfig().model_dump(), DataConfig().model_dump()
    places = {key: training[key] for key in ("data_root", "start_from", "teacher", "checkpoint_dir", "log_dir")}
    changed = {"training": config["training"] | places, "data": config["data"] | {"cache_dir": data["cache_dir"]}}
    return config | changed


def write_log(folder: Path, path: Path) -> None:
    """One row an epoch, of everything that TensorBoard was told."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    rows: dict[int, dict[str, float]] = {}
    tags = [tag for tag in events.Tags()["scalars"] if tag.startswith("validation/")]
    for tag in tags:
        for event in events.Scalars(tag):
            rows.setdefault(event.step, {})[tag.partition("/")[2]] = round(event.value, 5)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", *(tag.partition("/")[2] for tag in tags)])
        writer.writeheader()
        writer.writerows({"step": step, **row} for step, row in sorted(rows.items()))


if __name__ == "__main__":
    main()
