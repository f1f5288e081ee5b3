"""Run the main job: first with the released models, then with a small model that is trained here.

Each step is a command, printed before it runs, so that it can be run again by hand. Each DATA has its own folder below
``demo/``. A second run keeps the storms and the trained model of the first.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from commands import command, run

HOME = Path("demo")
CONFIG = "configs/demo.json"
HOURS = 12
FIRST_STORM = "200001"  # as synthesize names it
SECONDS_MORE = 3.0  # into the next epoch


def main(data: Path | None) -> None:
    """Run the demonstration on ``data``, or on simulated storms."""
    home = folder_of(data)
    chosen: tuple[str, ...]
    if data is None:
        seen, training = home / "storm", home / "storms"
        simulate(seen, storms=1, frames=HOURS, seed=1)
        storm, chosen = FIRST_STORM, ("--storm", FIRST_STORM)
    else:
        seen = training = data
        storm, hours = held_out(data)
        chosen = ("--storm", storm, "--time", hours)
    lowres = home / "lowres.nc"
    run("coarsen", seen, *chosen, "-o", lowres)
    for name in ("eddy", "faithful"):
        run("reconstruct", lowres, "-o", home / f"{name}.nc", "--model", name)
    truth = ("--truth", seen, *chosen, "--lowres", lowres, "--reconstructed", home / "eddy.nc")
    released = ("--compare", f"faithful={home / 'faithful.nc'}")
    run("evaluate", *truth, *released, "--figures", home, "--report", home / "report.html", "--model", "eddy")
    first_result(home, storm, seen)

    if data is None:
        simulate(training, storms=5, frames=24, seed=2)
    model = train(training, home)
    run("reconstruct", lowres, "-o", home / "own.nc", "--model", model)
    own = ("--compare", f"own model={home / 'own.nc'}")
    run("evaluate", *truth, *released, *own, "--json", home / "scores.json", "--csv", home / "scores.csv")
    last_result(home, model)


def folder_of(data: Path | None) -> Path:
    """Return the output folder of some data: its name and a digest of its whole path."""
    if data is None:
        return HOME / "simulated"
    whole = data.resolve()
    return HOME / f"{whole.name}-{hashlib.sha256(str(whole).encode()).hexdigest()[:6]}"


def simulate(folder: Path, *, storms: int, frames: int, seed: int) -> None:
    """Simulate storms, unless an earlier run has."""
    if not folder.exists():
        sizes = ("--storms", storms, "--frames", frames, "--size", 256)
        run("synthesize", "-o", folder, *sizes, "--seed", seed, "--format", "digital-typhoon")


def held_out(data: Path) -> tuple[str, str]:
    """Return a storm that is not trained on and its first hours, as storm and time interval."""
    words = [sys.executable, "-m", "tempogan_eddy", "split", str(data), "-c", CONFIG, "--json"]
    result = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(result.returncode)
    row = next(row for row in reversed(json.loads(result.stdout)) if row["split"] in {"test", "val"})
    hours = row["times"][:HOURS]
    return row["storm"], f"{hours[0]}/{hours[-1]}"


def train(data: Path, home: Path) -> Path:
    """Train a small model, interrupt it as Ctrl-C does, and resume it; return its file."""
    checkpoints, logs = home / "checkpoints", home / "logs"
    settings = (
        f"training.checkpoint_dir={checkpoints}",
        f"training.log_dir={logs}",
        f"data.cache_dir={home / 'cache'}",
    )
    words = ("train", "-c", CONFIG, "--data", data, *(word for setting in settings for word in ("--set", setting)))
    model = checkpoints / "best_model.safetensors"
    if not model.exists():
        interrupt(command(*words), model)
    run(*words, "--resume", "auto")
    return model


def interrupt(words: list[str], model: Path) -> None:
    """Run a training and send it Ctrl-C some seconds after it has saved its first model."""
    with subprocess.Popen(words) as process:
        while process.poll() is None and not model.exists():
            time.sleep(0.2)
        time.sleep(SECONDS_MORE)
        print("\nCtrl-C, to show that training resumes:", flush=True)
        process.send_signal(signal.SIGINT)
    if process.returncode not in (0, 130):
        sys.exit(process.returncode)


def first_result(home: Path, storm: str, data: Path) -> None:
    """Say where the first results are."""
    print(
        f"""
The released models rebuilt {HOURS} hours of storm {storm}:
  {home}/report.html       everything on one page
  {home}/{storm}-crops.png  input, bicubic, reconstruction and truth
Look at it frame by frame:
  .venv/bin/tempogan-eddy view {home}/eddy.nc --lowres {home}/lowres.nc --truth {data} --storm {storm}

Now a small model is trained, with both discriminators, interrupted and resumed.""",
        flush=True,
    )


def last_result(home: Path, model: Path) -> None:
    """Say what was written and what to try next."""
    print(
        f"""
The small model stands in the same table as "own model". It was trained for minutes; the released ones for hours.
  {home}/scores.json, scores.csv    every score
  {model}    the model: .venv/bin/tempogan-eddy info {model}
  .venv/bin/tensorboard --logdir {home}/logs    its losses and scores

Next:
  make demo DATA=path/to/digital_typhoon/WP          the same on real frames
  .venv/bin/python train.py --data path/to/frames    a real training, hours long (configs/config.json)"""
    )


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else ""
    main(Path(argument) if argument else None)
