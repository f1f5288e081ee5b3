"""Draw the picture of the README: input, bicubic, faithful, eddy, truth and the spread of the ensemble.

Run as: python scripts/front_picture.py path/to/digital_typhoon/WP

The frame is one of typhoon 198702 that no released model was trained on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from commands import ROOT
from tempogan_eddy import coarsen, open_sequence, reconstruct
from tempogan_eddy.display.figures import coldest_area
from tempogan_eddy.display.palettes import PALETTES
from tempogan_eddy.evaluation.baselines import bicubic, nearest
from tempogan_eddy.io.aside import written_aside

STORM, HOUR, SCALE, MEMBERS = "198702", "1987-04-14T06", 4, 8
SIDE = 160  # of the crop, highres pixels
SPREAD = "spread of 8 members"
CREDIT = (
    "Typhoon 198702, GMS-3, 1987-04-14 06 UTC. Digital Typhoon, Asanobu Kitamoto, NII, CC BY 4.0, doi:10.20783/DIAS.664"
)


def panels(data: Path) -> dict[str, NDArray[np.floating]]:
    """Return the six panels by title, kelvin, cut around the coldest cloud."""
    truth = open_sequence(data, storm=STORM).sel(time=[HOUR]).load()
    lowres = coarsen(truth, SCALE)
    summary = reconstruct(lowres, "ensemble", members=MEMBERS, seed=1, summary=True)
    whole = {
        f"input ({SCALE}x coarser)": nearest(lowres.values[0], SCALE),
        "bicubic": bicubic(lowres.values[0], SCALE),
        "faithful": reconstruct(lowres, "faithful").values[0],
        "eddy": reconstruct(lowres, "eddy").values[0],
        "truth": truth.values[0],
        SPREAD: summary["spread"].values[0],
    }
    top, left, height, width = coldest_area(whole["truth"], SIDE, SCALE)
    return {title: frame[top : top + height, left : left + width] for title, frame in whole.items()}


@mpl.rc_context({"font.size": 9})
def draw(frames: dict[str, NDArray[np.floating]], path: Path) -> None:
    """Write the panels in two rows of three, as PNG of 256 colours."""
    figure = Figure(figsize=(8.4, 5.6), layout="constrained", dpi=110)
    palette = PALETTES["infrared"]
    grid = figure.subplots(2, 3).ravel()
    for axes, (title, frame) in zip(grid, frames.items(), strict=True):
        kelvin = title != SPREAD
        norm = Normalize(*palette.limits) if kelvin else Normalize(0, 10)
        shown = axes.imshow(frame, cmap=palette.colormap() if kelvin else "magma", norm=norm, interpolation="nearest")
        axes.set(title=title, xticks=[], yticks=[])
        if title == "truth":
            figure.colorbar(shown, ax=grid[:3], label="brightness temperature, K", pad=0.01, extend="both")
    figure.colorbar(shown, ax=grid[3:], label="standard deviation, K", pad=0.01, extend="max")
    figure.supxlabel(CREDIT, fontsize=6.5, color="0.35")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with written_aside(path, None) as aside:
        picture.quantize(256, dither=Image.Dither.NONE).save(aside, format="PNG", optimize=True)


if __name__ == "__main__":
    place = ROOT / "docs" / "images" / "front.png"
    draw(panels(Path(sys.argv[1])), place)
    print(f"{place}: {place.stat().st_size // 1000} kB")
