"""Make the examples of docs/: the report of an evaluation and an animation, of real frames of typhoon 200717.

Run as: python scripts/examples.py path/to/digital_typhoon/WP [MODEL]

Each step is a command that is printed before it runs. They run in a folder of their own, in which the data are called
WP and a model file model.safetensors, so that the commands that the report lists hold no path of this machine.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from commands import ROOT, rebuilt, run, words_given

DOCS = ROOT / "docs"
STORM, HOURS = "200717", "2007-10-07T12/.."  # hours of the validation split: no model here was trained on them
MEMBERS = 4
CREDIT = "Digital Typhoon, Asanobu Kitamoto, National Institute of Informatics, CC BY 4.0, doi:10.20783/DIAS.664"


def main(data: Path, model: str) -> None:
    """Coarsen, reconstruct, evaluate and animate; then put what came out into docs/."""
    chosen = ("--storm", STORM, "--time", HOURS)
    with rebuilt(data, model, *chosen) as (folder, _):
        run("reconstruct", "lowres.nc", "-o", "faithful.nc", "--model", "faithful", folder=folder)
        run(
            "reconstruct", "lowres.nc", "-o", "members.nc", "--model", "ensemble", "--members", MEMBERS, folder=folder
        )  # fmt: skip
        run(
            "evaluate", "--truth", "WP", *chosen, "--reconstructed", "members.nc", "--lowres", "lowres.nc",
            "--compare", "faithful=faithful.nc", "--compare", "eddy=highres.nc", "--model", "ensemble",
            "--credit", CREDIT, "--report", f"report-{STORM}.html", folder=folder,
        )  # fmt: skip
        run(
            "animate", "lowres.nc", "highres.nc", "WP", *chosen, "-o", f"typhoon-{STORM}.webp",
            "--labels", "input (20 km), reconstructed (5 km), truth (5 km)", "--crop", "24,80,368,368",
            "--quality", 72, "--credit", CREDIT, folder=folder,
        )  # fmt: skip
        for made, place in ((f"report-{STORM}.html", "examples"), (f"typhoon-{STORM}.webp", "images")):
            (DOCS / place).mkdir(exist_ok=True)
            shutil.copyfile(folder / made, DOCS / place / made)
            print(DOCS / place / made)


if __name__ == "__main__":
    main(*words_given())
