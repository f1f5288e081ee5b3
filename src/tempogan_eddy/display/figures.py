"""Pictures of an evaluation: crops side by side, and radial spectra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tempogan_eddy.display.chart import draw_spectra, drawing
from tempogan_eddy.display.closeups import square_around
from tempogan_eddy.display.palettes import PALETTES
from tempogan_eddy.display.upright import turn_of
from tempogan_eddy.display.words import minute_text
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.baselines import bicubic, nearest, wiener
from tempogan_eddy.evaluation.matching import RECONSTRUCTED, TRUTH, match
from tempogan_eddy.evaluation.result import Evaluation
from tempogan_eddy.io.align import pair_times, tolerance_between
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.member import member_names, select_member
from tempogan_eddy.io.ownership import Kind, is_mark, mark
from tempogan_eddy.kelvin import INFRARED_KELVIN
from tempogan_eddy.wording import count

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel

__all__ = ["FIGURE", "coldest_area", "rmse_label", "save_crops", "save_spectra"]


def save_crops(
    truth: xr.DataArray,
    reconstructed: xr.DataArray,
    path: str | Path,
    *,
    lowres: xr.DataArray | None = None,
    beside: Mapping[str, xr.DataArray] | None = None,
    sensor_scale: int | None = None,
    sensor: SensorModel | str | None = None,
    time: np.datetime64 | None = None,
    time_tolerance: str | None = None,
    side: int = 160,
    overwrite: bool = False,
) -> Path:
    """Draw the input, bicubic, the Wiener filter, reconstructions and the truth around the coldest cloud, as PNG.

    Sequences, scale, sensor and tolerance are as for `evaluate`; `beside` holds further reconstructions by name. Of an
    ensemble it draws the first member. The time is that of the frame, by default the middle one; the side is that of
    the crop in highres pixels. With `overwrite` it replaces even a file that this package did not write.
    """
    members = member_names(reconstructed)
    reconstructed, lowres = select_member(reconstructed), None if lowres is None else select_member(lowres)
    drawn = {RECONSTRUCTED: reconstructed} | {name: select_member(da) for name, da in (beside or {}).items()}
    matched = match(truth, drawn, lowres, sensor_scale, time_tolerance, sensor)
    times = matched.times
    index = len(times) // 2
    if time is not None:
        allowed = tolerance_between([times], time_tolerance)
        found, _ = pair_times(times, np.array([time], "datetime64[ns]"), allowed)
        if not found.size:
            raise InputError(f"The sequences have no common frame at {time}; choose one of their common times.")
        index = int(found[0])
    highres, ours, lowres_frame = matched.load(index)
    panels = {
        f"input ({matched.scale}x coarser)": nearest(lowres_frame, matched.scale),
        "bicubic": bicubic(lowres_frame, matched.scale),
        "Wiener filter": wiener(lowres_frame, matched.sensor),
        **ours,
        TRUTH: highres,
    }
    top, left, height, width = coldest_area(highres, side, matched.scale)
    turn = turn_of(matched.truth)
    crops = {name: frame[top : top + height, left : left + width][turn] for name, frame in panels.items()}
    title = f"{matched.truth.attrs.get('sequence', '')}  {minute_text(times[index])} UTC"
    if members:
        title += f", member {members[0]}, the first of {len(members)}"
    return _draw_crops(crops, title, Path(path), overwrite)


@drawing()
def save_spectra(evaluation: Evaluation, path: str | Path, *, overwrite: bool = False) -> Path:
    """Draw the mean radial spectra of the truth and of every method, with the lowres Nyquist marked.

    With `overwrite` it replaces even a file that this package did not write.
    """
    spectra = evaluation.spectra
    if spectra is None:
        raise InputError(f"{evaluation.storm} has no mean spectrum to draw; evaluate one storm with less missing.")
    figure = Figure(figsize=(7.5, 5.2), layout="constrained")
    axes = figure.add_subplot()
    draw_spectra(axes, spectra)
    axes.set_title(f"{evaluation.storm}: radially averaged spectra, {count(evaluation.frames, 'frame')}")
    axes.legend(frameon=False, loc="lower left")
    axes.grid(alpha=0.25, which="both", linewidth=0.4)
    return _save(figure, Path(path), overwrite)


def coldest_area(frame: NDArray[np.floating], side: int, scale: int) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the crop with the coldest middle, aligned with lowres pixels."""
    filled = np.where(np.isfinite(frame), frame, INFRARED_KELVIN[1])
    smooth = ndimage.uniform_filter(filled, max(1, side // 3), mode="nearest")
    middle = np.unravel_index(int(np.argmin(smooth)), frame.shape)
    return square_around([int(place) for place in middle], frame.shape, side, scale)


def rmse_label(crop: NDArray[np.floating], truth: NDArray[np.floating]) -> str:
    """Return the RMSE of a crop as text, empty if no pixel is valid in both."""
    error = (crop - truth)[np.isfinite(crop) & np.isfinite(truth)]
    return f"RMSE {np.sqrt(np.mean(error.astype(np.float64) ** 2)):.2f} K" if error.size else ""


@drawing()
def _draw_crops(crops: dict[str, NDArray[np.floating]], title: str, path: Path, overwrite: bool) -> Path:
    figure = Figure(figsize=(3.1 * len(crops) + 0.9, 3.7), layout="constrained")
    all_axes = figure.subplots(1, len(crops))
    palette = PALETTES["infrared"]
    colours, norm = palette.colormap(), Normalize(*palette.limits)
    for axes, (name, crop) in zip(all_axes, crops.items(), strict=True):
        image = axes.imshow(crop, cmap=colours, norm=norm, interpolation="nearest")
        axes.set_title(f"{name}\n{'' if name == TRUTH else rmse_label(crop, crops[TRUTH])}", fontsize=10)
        axes.set_axis_off()
    figure.colorbar(image, ax=all_axes, label="brightness temperature, K", shrink=0.85, pad=0.01)
    figure.suptitle(title, fontsize=11)
    return _save(figure, path, overwrite)


def _is_figure(path: Path) -> bool:
    with Image.open(path, formats=["PNG"]) as image:
        return is_mark(image.info["Software"], "figure")


FIGURE = Kind("a figure", _is_figure)


def _save(figure: Figure, path: Path, overwrite: bool) -> Path:
    FigureCanvasAgg(figure)
    with written_aside(path, FIGURE, overwrite=overwrite) as aside:
        figure.savefig(aside, format="png", dpi=120, metadata={"Software": mark("figure")})
    return path
