"""The figures of the quality benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as Picture

from experiments.quality_curves import THRESHOLDS, Curves, Profile
from experiments.quality_methods import EDDY, FAITHFUL, REGRESSION
from experiments.quality_storms import CREDIT
from tempogan_eddy.display.figures import coldest_area
from tempogan_eddy.display.palettes import PALETTES
from tempogan_eddy.evaluation import Evaluation, error_by_kelvin
from tempogan_eddy.io.aside import written_aside

__all__ = ["crops", "detail", "errors", "profiles", "reliability", "spectra"]

Image = NDArray[np.floating]

# The colours of Okabe and Ito, which the colour-blind tell apart; dashes tell the methods apart in grey.
STYLES = {
    "truth": {"color": "black", "linewidth": 2.0},
    "bicubic": {"color": "#56B4E9", "linewidth": 1.6, "linestyle": (0, (4, 1.5))},
    "back-projected bicubic": {"color": "#009E73", "linewidth": 1.4, "linestyle": (0, (1, 1))},
    REGRESSION: {"color": "#CC79A7", "linewidth": 1.4, "linestyle": (0, (6, 1, 1, 1))},
    FAITHFUL: {"color": "#0072B2", "linewidth": 1.8},
    EDDY: {"color": "#D55E00", "linewidth": 1.8},
}
MARKERS = {"bicubic": "o", "back-projected bicubic": "D", REGRESSION: "P"}
STORM_STYLES = ((":", "o"), ("--", "s"), ("-.", "^"), (":", "D"), ("--", "v"))

PALETTE = PALETTES["viridis"]
SIDE = 128  # of a crop, highres pixels
DPI = 200
COLOURS = 200  # of the palette, so that a PNG of 256 holds all of them
FEWEST = 100  # lowres pixels behind a point that is drawn
COMPARED = ("bicubic", FAITHFUL, EDDY)  # where more lines would hide each other
LARGEST_SHOWN = 8  # wavenumber: all methods agree on what is larger

TEXT = {"font.size": 9, "axes.titlesize": 9.5, "legend.fontsize": 8, "legend.frameon": False}


@mpl.rc_context(TEXT)
def crops(panels: Mapping[str, Mapping[str, Image]], scale: int, path: Path) -> None:
    """Draw the input, methods and truth side by side around the coldest cloud, a row for each storm.

    Parameters
    ----------
    panels
        By the row's title and the panel's, (H, W) kelvin; the truth last.
    """
    columns = len(next(iter(panels.values())))
    figure = _figure(2.1 * columns + 0.7, 2.3 * len(panels) + 0.35)
    grid = figure.subplots(len(panels), columns, squeeze=False)
    norm, palette = Normalize(*PALETTE.limits), PALETTE.colormap(COLOURS)
    for row, (title, images) in zip(grid, panels.items(), strict=True):
        top, left, height, width = coldest_area(images["truth"], SIDE, scale)
        cut = {name: image[top : top + height, left : left + width] for name, image in images.items()}
        for axes, (name, image) in zip(row, cut.items(), strict=True):
            shown = axes.imshow(image, cmap=palette, norm=norm, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            error = np.sqrt(np.nanmean((image - cut["truth"]) ** 2))
            axes.set_xlabel(" " if name == "truth" else f"RMSE {error:.2f} K", fontsize=8)
        row[0].set_ylabel(title, fontsize=8.5)
    for axes, name in zip(grid[0], images, strict=True):
        axes.set_title(name)
    figure.colorbar(shown, ax=grid, label="brightness temperature, K", shrink=0.8, pad=0.01, extend="both")
    _save(figure, path)


@mpl.rc_context(TEXT)
def spectra(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw mean radial spectra, and below them how far each lies from the truth's."""
    figure = _figure(3.3 * len(evaluations) + 0.3, 5.0)
    grid = figure.subplots(2, len(evaluations), squeeze=False, sharex="col", sharey="row", height_ratios=(1.25, 1))
    peaks = []
    for column, evaluation in zip(grid.T, evaluations, strict=True):
        spectrum = evaluation.spectra
        if spectrum is None:
            continue
        truth = spectrum.power["truth"]
        peaks += [truth[LARGEST_SHOWN - 1], truth.min()]
        for name in _known(spectrum.power):
            column[0].loglog(spectrum.wavenumber, spectrum.power[name], label=name, **STYLES[name])
            column[1].semilogx(spectrum.wavenumber, 10 * np.log10(spectrum.power[name] / truth), **STYLES[name])
        for axes in column:
            axes.axvline(spectrum.lowres_nyquist, color="0.4", linestyle=":", linewidth=1)
        _note(column[0], spectrum.lowres_nyquist, "lowres Nyquist")
        column[0].set_title(evaluation.storm)
        column[0].set_xlim(LARGEST_SHOWN, spectrum.wavenumber[-1])
        column[1].set_ylim(-21, 3)
        column[1].set_xlabel("wavenumber, cycles per side of the frame")
    grid[0, 0].set_ylim(min(peaks) / 30, max(peaks) * 2)
    grid[0, 0].set_ylabel("power per mode, K²")
    grid[1, 0].set_ylabel("relative to the truth, dB")
    grid[0, 0].legend(loc="lower left")
    _save(figure, path)


@mpl.rc_context(TEXT)
def errors(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Draw bias and RMSE against the true brightness temperature with their 95 % intervals, by storm."""
    figure = _figure(3.3 * len(evaluations) + 0.3, 5.0)
    grid = figure.subplots(2, len(evaluations), squeeze=False, sharex=True, sharey="row")
    for column, evaluation in zip(grid.T, evaluations, strict=True):
        bins = error_by_kelvin(evaluation)
        middle = [(part.low + part.high) / 2 for part in bins]
        for name in (name for name in COMPARED if name in evaluation.scores):
            for axes, scores in zip(column, ([b.bias[name] for b in bins], [b.rmse[name] for b in bins]), strict=True):
                axes.plot(middle, [score.value for score in scores], label=name, **STYLES[name])
                low, high = ([getattr(score, end) for score in scores] for end in ("low", "high"))
                axes.fill_between(middle, low, high, color=STYLES[name]["color"], alpha=0.15, linewidth=0)
        column[0].axhline(0, color="black", linewidth=0.8)
        column[0].set_title(evaluation.storm)
        column[1].set_xlabel("true brightness temperature, K")
    grid[1, 0].set_ylim(bottom=0)
    grid[0, 0].set_ylabel("bias, K")
    grid[1, 0].set_ylabel("RMSE, K")
    grid[0, 0].legend(loc="best")
    _save(figure, path)


@mpl.rc_context(TEXT)
def reliability(curves: Mapping[str, Curves], path: Path) -> None:
    """Draw the true share of cold cloud against the reconstructed one, by threshold and storm."""
    figure = _figure(2.9 * len(curves) + 0.4, 2.8 * len(THRESHOLDS) + 0.3)
    grid = figure.subplots(len(THRESHOLDS), len(curves), squeeze=False, sharex=True, sharey=True)
    for number, (row, kelvin) in enumerate(zip(grid, THRESHOLDS, strict=True)):
        for axes, (storm, measured) in zip(row, curves.items(), strict=True):
            axes.plot((0, 1), (0, 1), color="black", linewidth=1)
            for name in _known(measured.shares):
                count, ours, theirs = measured.shares[name][number]
                enough = count >= FEWEST
                area = f"area x{ours.sum() / theirs.sum():.3f}" if theirs.sum() else "no such cloud"
                axes.plot(
                    ours[enough] / count[enough],
                    theirs[enough] / count[enough],
                    marker="o",
                    markersize=3,
                    label=f"{name}, {area}",
                    **STYLES[name],
                )
            axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
            axes.legend(loc="upper left", fontsize=7)
            if number == 0:
                axes.set_title(storm)
        row[0].set_ylabel(f"true share below {kelvin:g} K")
    for axes in grid[-1]:
        axes.set_xlabel("reconstructed share")
    _save(figure, path)


@mpl.rc_context(TEXT)
def profiles(drawn: Sequence[Profile], path: Path) -> None:
    """Draw west-east transects through storms' centres."""
    figure = _figure(4.8 * len(drawn), 3.4)
    grid = figure.subplots(1, len(drawn), squeeze=False, sharey=True)[0]
    for axes, one in zip(grid, drawn, strict=True):
        for name in _known(one.kelvin):
            axes.plot(one.distance, one.kelvin[name], label=name, **STYLES[name])
        axes.set_title(one.title)
        axes.set_xlabel("distance east of the centre, km")
    grid[0].set_ylabel("brightness temperature, K")
    grid[0].legend(loc="best")
    _save(figure, path)


@mpl.rc_context(TEXT)
def detail(evaluations: Sequence[Evaluation], details: Mapping[str, float], path: Path) -> None:
    """Draw RMSE over bicubic's and LSD along the interpolation weight, and one against the other.

    Parameters
    ----------
    evaluations
        The storms, and last all of them together.
    details
        Interpolation weights of methods.
    """
    figure = _figure(10.2, 3.5)
    left, middle, right = figure.subplots(1, 3)
    for number, evaluation in enumerate(evaluations):
        together = evaluation is evaluations[-1]
        dashes, marker = ("-", "o") if together else STORM_STYLES[number % len(STORM_STYLES)]
        style = {"color": STYLES[EDDY]["color"] if together else "0.45", "linestyle": dashes, "marker": marker}
        style |= {"linewidth": 2.2 if together else 1.2, "label": evaluation.storm, "markersize": 3.5}
        ratio, distance = (_along(evaluation, details, key) for key in ("rmse", "lsd"))
        left.plot(list(details.values()), ratio, **style)
        middle.plot(list(details.values()), distance, **style)
    pooled = evaluations[-1]
    right.plot(
        ratio,
        distance,
        color=STYLES[EDDY]["color"],
        marker="o",
        markersize=3,
        linewidth=2.2,
        label="interpolation weight",
    )
    for name, place in details.items():
        point = _rmse_ratio(pooled, name), pooled.scores[name]["lsd"].value
        right.annotate(f"{place:g}", point, (-4, -8), textcoords="offset points", fontsize=7.5, ha="right")
    for name in (name for name in MARKERS if name in pooled.scores):
        point = _rmse_ratio(pooled, name), pooled.scores[name]["lsd"].value
        right.plot(*point, MARKERS[name], color=STYLES[name]["color"], markersize=6, label=name, linestyle="none")
    _finish_detail(left, middle, right, details[EDDY])
    _save(figure, path)


def _finish_detail(left: Axes, middle: Axes, right: Axes, default: float) -> None:
    """Write on the axes of the curve of the detail, with the targets as thin lines."""
    limit = {"color": "black", "linewidth": 0.8, "linestyle": "--", "zorder": 0}
    for axes in (left, middle):
        axes.axvline(default, color="0.7", linewidth=0.8, zorder=0)
        axes.set_xlabel("detail, from faithful (0) to the full tempoGAN (1)")
    for axes in (middle, right):
        axes.axhline(1.5, **limit)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("LSD of spectra, dB")
    left.axhline(1.08, label="target (limit)", **limit)
    right.axvline(1.08, **limit)
    left.set(ylabel="RMSE over bicubic's", title="error")
    middle.set(title="truth of the detail")
    right.set(xlabel="RMSE over bicubic's", title="one against the other, all storms")
    right.margins(x=0.1)  # for the number at the end of the curve
    left.legend(loc="best", fontsize=7)
    right.legend(loc="best", fontsize=7, frameon=True, framealpha=1, edgecolor="none")


def _along(evaluation: Evaluation, details: Mapping[str, float], metric: str) -> list[float]:
    if metric == "rmse":
        return [_rmse_ratio(evaluation, name) for name in details]
    return [evaluation.scores[name][metric].value for name in details]


def _rmse_ratio(evaluation: Evaluation, name: str) -> float:
    return evaluation.scores[name]["rmse"].value / evaluation.scores["bicubic"]["rmse"].value


def _known(names: Mapping[str, object]) -> list[str]:
    """The methods that have a style, the truth first so that the others lie over it."""
    return [name for name in STYLES if name in names]


def _note(axes: Axes, place: float, text: str) -> None:
    """Write along a vertical line."""
    across = axes.get_xaxis_transform()
    axes.text(place * 0.96, 0.97, text, transform=across, rotation=90, ha="right", va="top", fontsize=7.5, color="0.3")


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours, which takes a third of the space."""
    figure.supxlabel(CREDIT, fontsize=6.5, color="0.35")
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Picture.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with written_aside(path, None) as aside:
        picture.quantize(256, dither=Picture.Dither.NONE).save(aside, format="PNG", dpi=(DPI, DPI), optimize=True)
