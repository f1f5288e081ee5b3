"""The main job in one go: storms, training, reconstruction of hours it was not trained on, evaluation.

Each step is a command that is printed before it runs, so that it can be run again by hand.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from commands import run

HOME = Path("demo")
HOURS = 24


def held_out(data: Path) -> tuple[str, str]:
    """A storm of the test split and the first hours of it, as storm and time interval."""
    command = [sys.executable, "-m", "tempogan_eddy", "split", str(data), "-c", "configs/demo.json", "--json"]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(result.returncode)
    row = next(row for row in reversed(json.loads(result.stdout)) if row["split"] in {"test", "val"})
    hours = row["times"][:HOURS]
    return row["storm"], f"{hours[0]}/{hours[-1]}"


def main(data: Path | None) -> None:
    """Run the demonstration on ``data``, or on simulated storms."""
    run_folder = HOME / "run"
    shutil.rmtree(run_folder, ignore_errors=True)
    if data is None:
        data = HOME / "storms"
        run("synthesize", "-o", data, "--storms", 6, "--frames", 30, "--size", 256, "--format", "digital-typhoon")
    settings = [
        f"{key}={run_folder / value}"
        for key, value in {"training.checkpoint_dir": "checkpoints", "training.log_dir": "logs"}.items()
    ]
    settings.append(f"data.cache_dir={HOME / 'cache'}")
    overrides = [word for setting in settings for word in ("--set", setting)]
    run("train", "-c", "configs/demo.json", "--data", data, *overrides)

    storm, hours = held_out(data)
    coarse, fine = run_folder / "coarse.nc", run_folder / "reconstructed.nc"
    model = run_folder / "checkpoints" / "best_model.safetensors"
    run("coarsen", data, "--storm", storm, "--time", hours, "-o", coarse)
    run("reconstruct", coarse, "-o", fine, "--model", model)
    run(
        "evaluate", "--truth", data, "--storm", storm, "--time", hours, "--reconstructed", fine, "--lowres", coarse,
        "--json", run_folder / "scores.json", "--csv", run_folder / "scores.csv", "--figures", run_folder,
    )  # fmt: skip
    print(
        f"""
What was written:
  {coarse}         what the coarse instrument sees of storm {storm}
  {fine}  the reconstruction, on the 4x grid, in kelvin
  {run_folder}/{storm}-crops.png         coarse, bicubic, reconstructed and true, side by side
  {run_folder}/{storm}-spectra.png       where detail is lost and where it is regained
  {run_folder}/scores.json       every score with its interval
  {model}  the model

What to try next:
  .venv/bin/tempogan-eddy info {model}
  .venv/bin/tensorboard --logdir {run_folder}/logs
  make demo DATA=path/to/digital_typhoon/WP          the same on real frames
  .venv/bin/python train.py --data path/to/frames    a real training, hours long (configs/config.json)"""
    )


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else ""
    main(Path(argument) if argument else None)
