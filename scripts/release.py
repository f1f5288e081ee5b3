"""Make the released models of two training runs: weights with what a user must know, and the runs' logs.

    python scripts/release.py [--runs weights] [--detail 0.91]

Takes ``RUNS/faithful`` and ``RUNS/eddy`` as `make weights` leaves them, writes the package's
``src/tempogan_eddy/released/*.safetensors`` and ``docs/training/*.csv`` (one row an epoch). Paths of the machine
they were trained on are left out.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tempogan_eddy.config import Config, TrainingConfig
from tempogan_eddy.errors import InputError
from tempogan_eddy.released import RELEASED
from tempogan_eddy.training.checkpoint import best_path
from tempogan_eddy.weights import Model, load_model, save_model

ROOT = Path(__file__).resolve().parent.parent

TRAINED_ON = [
    "Digital Typhoon 198702 (GMS-3) to 1987-04-13T11 and 200717 (MTSAT-1R) to 2007-10-06T23: Asanobu Kitamoto, "
    "National Institute of Informatics, CC BY 4.0, doi:10.20783/DIAS.664, from images of the Japan Meteorological "
    "Agency",
    "Merged infrared 2019-12-25 to 2019-12-31, 10 S - 20 N, 90 - 60 W: NOAA NCEP/CPC, distributed by NASA GES DISC "
    "(GPM_MERGIR)",
]
USE = "Research. Adds plausible, not observed detail; not for warnings. See docs/model-card.md."


def main() -> None:
    """Check that both runs are one family, then write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=ROOT / "weights")
    parser.add_argument("--detail", type=float, default=0.91, help="the dial of eddy where the user sets none")
    options = parser.parse_args()
    faithful, best_eddy = (load_model(best_path(options.runs / name / "checkpoints")) for name in RELEASED)
    # The last epoch, sharpest and settled: how much of it there is to be is the dial's to say.
    eddy = load_model(last_checkpoint(options.runs / "eddy" / "checkpoints"))
    eddy.metadata["training_data"] = best_eddy.metadata["training_data"]
    for section in ("model", "sensor"):
        if getattr(faithful.config, section) != getattr(eddy.config, section):
            raise InputError(f"The two runs differ in their section {section}; the dial needs one family.")
    for name, model in zip(RELEASED, (faithful, eddy), strict=True):
        release(name, model, options.detail)
        write_log(options.runs / name / "logs", ROOT / "docs" / "training" / f"{name}.csv")


def last_checkpoint(folder: Path) -> Path:
    """The checkpoint of the latest epoch."""
    found = sorted(folder.glob("checkpoint_epoch_*.pth"), key=lambda path: int(path.stem.rpartition("_")[2]))
    if not found:
        raise InputError(f"{folder} holds no checkpoint_epoch_N.pth; train first, with `make weights`.")
    return found[-1]


def release(name: str, model: Model, detail: float) -> None:
    """Write one model file of the package."""
    kept = ("step", "epoch", "score", "training_data")
    metadata = {key: model.metadata[key] for key in kept if key in model.metadata}
    metadata |= {"trained_on": TRAINED_ON, "use": USE} | ({"detail": detail} if name == "eddy" else {})
    path = ROOT / "src" / "tempogan_eddy" / "released" / f"{name}.safetensors"
    save_model(path, model.generator, without_paths(model.config), metadata)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def without_paths(config: Config) -> Config:
    """The same configuration with the places of files as they are by default."""
    default = TrainingConfig()
    places = {key: getattr(default, key) for key in ("data_root", "start_from", "teacher", "checkpoint_dir", "log_dir")}
    data = config.data.model_copy(update={"cache_dir": type(config.data)().cache_dir})
    return config.model_copy(update={"training": config.training.model_copy(update=places), "data": data})


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
