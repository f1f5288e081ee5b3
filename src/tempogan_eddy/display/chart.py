"""Charts of an evaluation by matplotlib: on axes of a figure, or as SVG that takes its colours from a page."""

import io
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import NDArray

from tempogan_eddy.display.palettes import METHOD_COLOURS, OTHER_COLOURS, method_colours
from tempogan_eddy.evaluation import KelvinBin, Score, Spectra
from tempogan_eddy.evaluation.matching import RECONSTRUCTED, TRUTH

__all__ = ["FAINT", "QUIET", "draw_errors", "draw_spectra", "drawing", "page_axes", "page_colours", "rows_of", "svg_of"]

SMALLEST_POWER = 1e-3  # of the smallest of the truth; interpolation leaves almost nothing there
QUANTITIES = {"rmse": "RMSE", "bias": "bias", "crps": "CRPS"}
TALLEST_BAR = 0.25  # of the height of the axes
WIDE = {TRUTH: 2.3, RECONSTRUCTED: 2.3, "nearest": 1.3}

# A colour of a chart and the variable of the page's style sheet that takes its place.
QUIET, FAINT = "#5d6773", "#dfe4ea"
VARIABLES = {
    **{colour: f"--{method.replace(' ', '-')}" for method, colour in METHOD_COLOURS.items()},
    **{colour: f"--{name}" for name, colour in OTHER_COLOURS.items()},
    QUIET: "--quiet",
    FAINT: "--line",
}
STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "font.size": 12,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 1,
    "axes.labelcolor": QUIET,
    "axes.labelsize": 12.5,
    "lines.solid_capstyle": "butt",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 1,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    **dict.fromkeys(("xtick.major.size", "ytick.major.size", "xtick.minor.size", "ytick.minor.size"), 0),
    "axes.labelpad": 6,
    "xtick.major.pad": 8,
    "ytick.major.pad": 6,
}
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 12, 46  # around the axes, px


_ONE_DRAWS = threading.RLock()


@contextmanager
def drawing() -> Iterator[None]:
    """Let one thread draw at a time, as matplotlib has one style for all; hold it from the first axes to the file."""
    with _ONE_DRAWS:
        yield


def page_colours(methods: Iterable[str]) -> dict[str, str]:
    """Return the colour of each method as the page's style sheet names it."""
    return {name: f"var({VARIABLES[colour]})" for name, colour in method_colours(methods).items()}


def page_axes(width: int, height: int) -> Axes:
    """Return axes of a new figure of this size in px of the page."""
    inside = (width - LEFT - RIGHT) / width, (height - TOP - BOTTOM) / height
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72))
        return figure.add_axes((LEFT / width, BOTTOM / height, *inside))


def svg_of(axes: Axes, title: str) -> Markup:
    """Return the figure of axes as an ``<svg>`` element; the title is for people who do not see it."""
    buffer, figure = io.StringIO(), axes.figure
    assert isinstance(figure, Figure)
    with mpl.rc_context(STYLE | {"svg.hashsalt": title}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Title": title, **nothing})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|font-family: [^;]*; ", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[\w.]+_\d+"', "", text[text.index("<svg") :])  # names of parts, equal in all charts
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r'\1 class="chart" role="img"', text, count=1)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return Markup(text)


def draw_spectra(axes: Axes, spectra: Spectra) -> None:
    """Draw the mean radial spectra of the truth and of every method, with the lowres Nyquist marked."""
    truth, colours = spectra.power[TRUTH], method_colours(spectra.power)
    others = [name for name in spectra.power if name not in (TRUTH, RECONSTRUCTED)]
    for name in [*others, TRUTH, *({RECONSTRUCTED} & spectra.power.keys())]:
        look: Any = {"color": colours[name], "linewidth": WIDE.get(name, 1.7)}
        axes.loglog(spectra.wavenumber, spectra.power[name], label=name, **look)
    axes.axvline(spectra.lowres_nyquist, color=QUIET, linestyle=(0, (3, 4)), linewidth=1)
    place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "right", "va": "top"}
    size = axes.xaxis.label.get_fontsize()
    axes.annotate("lowres Nyquist", (spectra.lowres_nyquist, 1), (-6, -4), color=QUIET, fontsize=size, **place)
    axes.set_xlim(1, float(spectra.wavenumber[-1]))
    axes.set_ylim(float(truth.min()) * SMALLEST_POWER, float(truth.max()) * 3)
    axes.set_xlabel("radial wavenumber, cycles per shorter side of the frame")
    axes.set_ylabel("mean power of a mode, K²")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=12))
        axis.set_major_formatter(FuncFormatter(_power))
        axis.set_minor_locator(LogLocator(subs=()))


def draw_errors(axes: Axes, bins: Sequence[KelvinBin], quantity: str) -> None:
    """Draw "rmse", "bias" or "crps" of every method by the true brightness temperature, over pixel shares.

    The bins are those of `error_by_kelvin`.
    """
    edges = [part.low for part in bins]
    tallest = max(part.share for part in bins)
    heights = [TALLEST_BAR * part.share / tallest for part in bins]
    widths = [0.975 * (part.high - part.low) for part in bins]
    below = axes.get_xaxis_transform()
    axes.bar(edges, heights, widths, align="edge", color=FAINT, transform=below, linewidth=0, zorder=1)
    middle = np.array([(part.low + part.high) / 2 for part in bins])
    rows = {}
    for method in getattr(bins[0], quantity):
        rows[method] = rows_of([getattr(part, quantity)[method] for part in bins])
    colours = method_colours(rows)
    for order, (method, (value, low, high)) in enumerate(reversed(rows.items())):  # the reconstruction on top
        width = WIDE.get(method, 1.7)
        (line,) = axes.plot(middle, value, color=colours[method], linewidth=width, zorder=3 + order)
        axes.fill_between(middle, low, high, color=line.get_color(), alpha=0.15, linewidth=0, zorder=2)
    top = 1.04 * float(np.nanmax(np.abs(list(rows.values()))))
    axes.set_xlim(bins[0].low, bins[-1].high)
    axes.set_ylim(-top if quantity == "bias" else 0, top)
    axes.set_xlabel("true brightness temperature, K")
    axes.set_ylabel(f"{QUANTITIES[quantity]}, K")
    axes.locator_params(nbins=6)


def rows_of(scores: Sequence[Score]) -> NDArray[np.float64]:
    """Return values, lower and upper ends: (3, N)."""
    return np.transpose([(score.value, score.low, score.high) for score in scores])


def _power(value: float, _: int | None = None) -> str:
    """Return a power of ten as text."""
    power = round(np.log10(value))
    if -1 <= power <= 3:
        return f"{10.0**power:g}"
    return f"10{str(power).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
