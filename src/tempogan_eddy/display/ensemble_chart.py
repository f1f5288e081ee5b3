"""Charts of the calibration of an ensemble, on axes of a figure or of the page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from tempogan_eddy.display.chart import FAINT, QUIET, rows_of
from tempogan_eddy.display.palettes import METHOD_COLOURS
from tempogan_eddy.evaluation import Score
from tempogan_eddy.evaluation.ensembles import REGIONS
from tempogan_eddy.evaluation.matching import RECONSTRUCTED

__all__ = ["draw_ranks", "draw_reliability", "draw_spread"]

OURS = METHOD_COLOURS[RECONSTRUCTED]
# Colours of the page, as regions and thresholds have none of their own; dashes tell them apart in grey.
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": METHOD_COLOURS["Wiener filter"], "linestyle": "-"},
    {"color": METHOD_COLOURS["bicubic"], "linestyle": (0, (4, 1.5))},
    {"color": METHOD_COLOURS["back-projected bicubic"], "linestyle": (0, (1, 1))},
)
PERFECT: dict[str, Any] = {"color": QUIET, "linewidth": 1, "linestyle": (0, (3, 4)), "zorder": 2}


def draw_ranks(axes: Axes, ranks: dict[str, list[Score]]) -> None:
    """Draw rank histograms relative to a flat one: all pixels as bars, the regions as lines."""
    everywhere = rows_of(ranks["all"])
    place = np.arange(1, everywhere.shape[1] + 1)
    axes.bar(place, everywhere[0], 0.92, color=FAINT, label="all pixels", linewidth=0)
    _reach(axes, place, everywhere, QUIET)
    axes.axhline(1, **PERFECT)
    top = 1.2
    for look, region in zip(LOOKS, REGIONS[1:], strict=True):
        if region in ranks:
            value = rows_of(ranks[region])[0]
            axes.plot(place, value, marker="o", markersize=4, linewidth=1.7, label=region, zorder=4, **look)
            top = max(top, float(value.max()))
    axes.set_ylim(0, 1.3 * max(top, float(everywhere[0].max())))
    axes.set_xticks(place[:: -(-len(place) // 12)])
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("rank of the truth among the members, coldest first")
    axes.set_ylabel("over a flat histogram")
    _legend(axes, "upper center", columns=4)


def draw_spread(axes: Axes, spread: Sequence[Score], error: Sequence[Score]) -> None:
    """Draw the RMSE of the mean of half of the members against their spread, by decile; the diagonal is calibrated."""
    if not spread:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "Deciles need four members or more.", ha="center", color=QUIET, transform=axes.transAxes)
        return
    across, up = rows_of(spread), rows_of(error)
    shown = np.stack([across[0], up[0]])
    shown = shown[:, (shown > 0).all(axis=0)]
    low, high = (shown.min() / 1.3, shown.max() * 1.3) if shown.size else (0.1, 10.0)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    axes.plot([low, high], [low, high], **PERFECT)
    _reach(axes, across[0], up, OURS)
    axes.plot(*shown, marker="o", markersize=5, linewidth=1.7, color=OURS, zorder=4)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("spread of half of the members, K")
    axes.set_ylabel("RMSE of their mean, K")


def draw_reliability(axes: Axes, reliability: dict[float, list[Score]]) -> None:
    """Draw how often the truth is colder than a threshold against the share of the members that are."""
    axes.plot([0, 1], [0, 1], **PERFECT)
    for look, (kelvin, scores) in zip(LOOKS, reliability.items(), strict=False):
        rows = rows_of(scores)
        place = np.linspace(0, 1, rows.shape[1])
        axes.plot(place, rows[0], marker="o", markersize=4, linewidth=1.7, label=f"T < {kelvin:g} K", zorder=4, **look)
        axes.fill_between(place, *rows[1:], color=look["color"], alpha=0.15, linewidth=0, zorder=3)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_xlabel("share of the members that are colder")
    axes.set_ylabel("how often the truth is")
    _legend(axes, "upper left")


def _reach(axes: Axes, place: NDArray, rows: NDArray[np.float64], colour: str) -> None:
    """Draw intervals as vertical lines; none where they are NaN."""
    known = np.isfinite(rows).all(axis=0)
    axes.vlines(place[known], *rows[1:, known], color=colour, linewidth=1.2, zorder=3)


def _legend(axes: Axes, place: Any, columns: int = 1) -> None:
    axes.legend(loc=place, ncols=columns, frameon=False, labelcolor=QUIET, fontsize=12, columnspacing=1.4)
