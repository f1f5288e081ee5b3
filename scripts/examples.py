"""Make the examples of docs/: the report of an evaluation and an animation, of real frames of typhoon 200717.

Run as: python scripts/examples.py path/to/digital_typhoon/WP [MODEL]

Each step is a command that is printed before it runs. They run in a folder of their own, in which the data are called
WP and a model file model.safetensors, so that the commands that the report lists hold no path of this machine.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

DOCS = Path(__file__).resolve().parents[1] / "docs"
STORM, HOURS = "200717", "2007-10-07T12/.."  # hours of the validation split: no model here was trained on them
CREDIT = "Digital Typhoon, Asanobu Kitamoto, National Institute of Informatics, CC BY 4.0, doi:10.20783/DIAS.664"


def run(folder: Path, *words: object) -> None:
    """Print a command, run it in the folder, and stop where it fails."""
    command = ["tempogan-eddy", *map(str, words)]
    print(f"\n$ {shlex.join(command)}", flush=True)
    paths = [str(DOCS.parent / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    arguments = [sys.executable, "-m", "tempogan_eddy", *command[1:]]
    status = subprocess.run(arguments, cwd=folder, env=environment, check=False).returncode
    if status:
        sys.exit(status)


def main(data: Path, model: str) -> None:
    """Coarsen, reconstruct, evaluate and animate; then put what came out into docs/."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "WP").symlink_to(data.resolve())
        if Path(model).is_file():
            (folder / "model.safetensors").symlink_to(Path(model).resolve())
            model = "model.safetensors"
        chosen = ("--storm", STORM, "--time", HOURS)
        run(folder, "coarsen", "WP", *chosen, "-o", "coarse.nc")
        run(folder, "reconstruct", "coarse.nc", "-o", "fine.nc", "--model", model)
        run(
            folder, "evaluate", "--truth", "WP", *chosen, "--reconstructed", "fine.nc", "--lowres", "coarse.nc",
            "--model", model, "--credit", CREDIT, "--report", f"report-{STORM}.html",
        )  # fmt: skip
        run(
            folder, "animate", "coarse.nc", "fine.nc", "WP", *chosen, "-o", f"typhoon-{STORM}.webp",
            "--labels", "input (20 km), reconstructed (5 km), truth (5 km)", "--crop", "24,80,368,368",
            "--quality", 72, "--credit", CREDIT,
        )  # fmt: skip
        for made, place in ((f"report-{STORM}.html", "examples"), (f"typhoon-{STORM}.webp", "images")):
            (DOCS / place).mkdir(exist_ok=True)
            shutil.copyfile(folder / made, DOCS / place / made)
            print(DOCS / place / made)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("Give the folder of the Digital Typhoon basin WP, and a model if not eddy.")
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "eddy")
