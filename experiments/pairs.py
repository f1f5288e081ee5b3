"""What pairs of one's own recover: offset, calibration line, sensor, and the gain of knowing it.

The pair is simulated, so that the truth is known: merged IR seen by a SEVIRI-like sensor, displaced by a part of a
lowres pixel, on another calibration, four minutes late. The same small network then learns from it in several ways, in
equally many steps.

    python -m experiments.pairs OUTPUT [--steps 600]
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.paths import DATA
from tempogan_eddy.config import Config, load_config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.typhoon import TyphoonDataset
from tempogan_eddy.io import open_sequence, save_sequence
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.training.validation import Validation

SENSOR = {"width": 1.6, "fwhm": 0.47, "wavelength": 10.8}
NOISE, OFFSET, LINE = 0.2, (0.5, -0.3), (4.0, 0.98)
LATE = np.timedelta64(4, "m")
SOURCES = {"2019": ("merg_20191225-31_hourly.nc", 72), "2001": ("merg_20011230-31_hourly.nc", 20)}
SIDE = 512


def simulate_pair(folder: Path) -> None:
    """Write both archives: ``highres`` as it is, ``lowres`` as the sensor sees it."""
    sensor = SensorModel("box", 4, noise_kelvin=NOISE, phase=OFFSET[0], phase_x=OFFSET[1], **SENSOR)
    for name, (file, frames) in SOURCES.items():
        sequence = open_sequence(DATA / "merged-ir" / file)
        highres = sequence.isel(time=slice(frames), y=slice(SIDE), x=slice(SIDE))
        with xr.set_options(keep_attrs=True):
            lowres = LINE[0] + LINE[1] * sensor.coarsen(highres)
        lowres = lowres.assign_coords(time=lowres["time"] + LATE)
        # What a real archive does not say.
        lowres.attrs = {key: value for key, value in lowres.attrs.items() if not str(key).startswith("sensor")}
        save_sequence(highres, folder / "highres" / f"{name}.nc", overwrite=True)
        save_sequence(lowres, folder / "lowres" / f"{name}.nc", overwrite=True)


def settings(folder: Path, name: str, steps: int, sensor: dict[str, Any], pairs: dict[str, Any] | None) -> Config:
    """Return the configuration of one way to train; of a conditioned generator where the sensor is known."""
    own = None if pairs is None else {"lowres": str(folder / "lowres"), "tolerance": "10min"} | pairs
    return load_config(
        {
            "model": {
                "channels": 16,
                "n_residual_blocks": 4,
                "conditioned": bool(sensor) and (pairs is None or bool(own and own["sensor_known"])),
            },
            "sensor": sensor,
            "data": {
                "cache_dir": str(folder / "cache"),
                "pairs": own,
                "split": {"rules": {"train": ["2019"], "val": ["2001"]}},
            },
            "training": {
                "data_root": str(folder / "highres"),
                "checkpoint_dir": str(folder / name / "checkpoints"),
                "log_dir": str(folder / name / "logs"),
                "batch_size": 8, "epochs": 2, "steps_per_epoch": steps // 2, "pretrain_epochs": 2,
                "lr_g": 1e-3, "lr_schedule": "cosine", "content_distance": "l2", "score": "rmse", "grad_clip": 0,
                "lambda_adv_s": 0, "lambda_adv_t": 0, "ema_decay": 0.99, "validation_frames": 4, "image_every": 100,
            },
        }
    )  # fmt: skip


def suggested_sensor(folder: Path, steps: int) -> dict[str, Any]:
    """Return the sensor that the pair suggests, as a section of a configuration."""
    config = settings(folder, "unknown", steps, {}, {})
    dataset = TyphoonDataset(config.highres_root, "train", config)
    kind, *parts = dataset.storms["2019"].fit.suggested.split(",")
    values = {key: float(value) for key, value in (part.split("=") for part in parts)}
    return {"kind": kind, "noise_kelvin": values.pop("noise"), "parameters": values}


def run(folder: Path, steps: int) -> dict[str, dict[str, float]]:
    """Train in every way and return the validation metrics."""
    true = {"kind": "box", "noise_kelvin": NOISE, "parameters": SENSOR}
    known = {"sensor_known": True}
    ways: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
        "simulated with the true sensor": (true, None),
        "pair, sensor stated": (true, known),
        "pair, sensor as the pair suggests": (suggested_sensor(folder, steps), known),
        "pair, sensor not stated": ({}, {"sensor_known": False}),
        "pair as it is: no offset, no line, no sensor": (
            {}, {"sensor_known": False, "offset": [0.0, 0.0], "calibrate": False}
        ),
        "area mean, no pair": ({}, None),
    }  # fmt: skip
    results = {}
    for number, (way, (sensor, pairs)) in enumerate(ways.items()):
        config = settings(folder, f"run{number}", steps, sensor, pairs)
        trainer = TempoGANTrainer(config)
        trainer.train()
        scored = config if sensor or pairs is not None else settings(folder, "unknown", steps, {}, {})
        validation = Validation(TyphoonDataset(scored.highres_root, "val", scored), scored)
        results[way] = validation.measure(trainer.reconstruct)
        results[way]["bicubic"] = validation.bicubic["rmse"]
        print(f"{way}: {results[way]}", flush=True)
    return results


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not (options.output / "lowres").exists():
        simulate_pair(options.output)
    results = run(options.output, options.steps)
    (options.output / "results.json").write_text(json.dumps(results, indent=2))
    print("| way | RMSE, K | over bicubic's |\n| --- | --- | --- |")
    for way, metrics in results.items():
        print(f"| {way} | {metrics['rmse']:.3f} | {metrics['rmse'] / metrics['bicubic']:.3f} |")


if __name__ == "__main__":
    main()
