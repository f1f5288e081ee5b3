"""Train one configuration for a budget of processor time and write what it reached as one row.

    python -m experiments.ablation NAME --data DATA --minutes 10 --set model.channels=32

The budget counts processor seconds, not those on the wall, so that rows compare on a shared machine. A step's
cost is measured first, and the number of steps chosen from it, so that the learning rate ends where it should.
`--variant` trains by one of the ideas in variants.py, which are not part of the package.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.paths import DATA, ROOT
from experiments.variants import VARIANTS, trainer
from tempogan_eddy.config import Config, load_config
from tempogan_eddy.training.batches import step_batches

EPOCHS = 8  # validations in a run


def main() -> None:
    """Train, then append the row to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--config", default=str(ROOT / "configs" / "config.json"))
    parser.add_argument("--minutes", type=float, default=10.0, help="processor minutes of optimiser steps")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--variant", choices=VARIANTS, help="train by an idea that is not part of the package")
    parser.add_argument("--output", type=Path, default=ROOT / "experiments" / "results" / "ablation.json")
    parser.add_argument("--keep", type=Path, help="folder to leave the run in")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        row = train_row(options, options.keep or Path(scratch))
    rows = json.loads(options.output.read_text()) if options.output.exists() else []
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps([*(old for old in rows if old["name"] != row["name"]), row], indent=1) + "\n")
    print(json.dumps(row, indent=1))


def train_row(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """One row: what was trained, for how long, and how it scores on the validation frames."""
    fixed = [f"training.data_root={options.data}", f"training.checkpoint_dir={folder}/checkpoints"]
    fixed += [f"training.log_dir={folder}/logs", "training.lr_schedule=cosine", "training.checkpoint_every=1000"]
    needed = VARIANTS[options.variant].settings if options.variant else ()
    config = load_config(options.config, [*fixed, *options.overrides, *needed])
    cost = cost_of_a_step(config, options.variant)
    total = max(EPOCHS, int(options.minutes * 60 / cost))
    schedule = {"epochs": EPOCHS, "steps_per_epoch": total // EPOCHS, "image_every": EPOCHS}
    adversarial = config.training.lambda_adv_s > 0 or config.training.lambda_adv_t > 0
    schedule["pretrain_epochs"] = config.training.pretrain_epochs if adversarial else 0
    config = config.model_copy(update={"training": config.training.model_copy(update=schedule)})
    run = trainer(config, options.variant)
    begun = time.process_time()
    run.train()
    metrics, bicubic = run.validation.measure(run.reconstruct, run.fabric.device), run.validation.bicubic
    return {
        "name": options.name,
        **({"variant": options.variant} if options.variant else {}),
        "settings": options.overrides,
        "parameters": sum(parameter.numel() for parameter in run.networks.generator.parameters()),
        "steps": run.step,
        "windows": run.step * config.training.batch_size * config.training.accumulate,
        "processor_minutes": round((time.process_time() - begun) / 60, 2),
        **{key: round(value, 4) for key, value in metrics.items()},
        **{f"bicubic_{key}": round(value, 4) for key, value in bicubic.items()},
    }


def cost_of_a_step(config: Config, variant: str | None) -> float:
    """Processor seconds of a step of the kind that the run is mostly made of."""
    with tempfile.TemporaryDirectory() as scratch:
        places = {"checkpoint_dir": f"{scratch}/c", "log_dir": f"{scratch}/l", "validation_frames": 1}
        run = trainer(config.model_copy(update={"training": config.training.model_copy(update=places)}), variant)
        times = []
        for batches in step_batches(run.dataset, run.config.training, 0, 12, run.fabric.device):
            begun = time.process_time()
            run.steps.run(batches, adversarial=True)
            times.append(time.process_time() - begun)
    return sorted(times[2:])[5]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
