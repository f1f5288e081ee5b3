"""Charts, crops and the animation of one storm, as data for the template of the page."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import xarray as xr
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from tempogan_eddy.display.animation import Animation
from tempogan_eddy.display.chart import draw_errors, draw_spectra, drawing, page_axes, svg_of
from tempogan_eddy.display.closeups import Closeup, choose_closeups, square_around
from tempogan_eddy.display.ensemble_chart import draw_ranks, draw_reliability, draw_spread
from tempogan_eddy.display.figures import rmse_label
from tempogan_eddy.display.film import SPREAD_LABEL, Film, FilmPanel, best_track_notes
from tempogan_eddy.display.lettering import undrawable
from tempogan_eddy.display.map_overlay import map_overlay
from tempogan_eddy.display.movie import save_animation
from tempogan_eddy.display.palettes import DIFFERENCE, SPREAD, Palette
from tempogan_eddy.display.places import Places, places_of
from tempogan_eddy.display.upright import turn_of
from tempogan_eddy.display.words import minus, minute_text
from tempogan_eddy.evaluation import Evaluation, error_by_kelvin
from tempogan_eddy.evaluation.baselines import bicubic, nearest
from tempogan_eddy.evaluation.ensemble_curves import ensemble_curves
from tempogan_eddy.evaluation.matching import RECONSTRUCTED, TRUTH, Loaded, Match

__all__ = ["Animator", "Part", "crops", "ensemble_charts", "error_charts", "spectrum_chart"]

OVERVIEW, OVERVIEW_LINE = 600, 2.0  # px: its side, twice that on the page, and a line of its map
FILM_FRAMES, FILM_SIDE, FILM_WIDTH = 48, 224, 1000
MEMBER_FRAMES, MEMBER_SIDE, MEMBERS_SHOWN = 8, 152, 3  # less, because members hardly compress

Part = dict[str, Any]
"""Data of one part of the template, by the names in the template."""


@drawing()
def spectrum_chart(evaluation: Evaluation) -> Markup | None:
    """Return the mean radial spectra of the truth and of every method; None where too much is missing."""
    if evaluation.spectra is None:
        return None
    axes = page_axes(1000, 430)
    draw_spectra(axes, evaluation.spectra)
    return svg_of(axes, f"Radially averaged power spectra of {evaluation.storm}")


@drawing()
def error_charts(evaluation: Evaluation) -> list[Markup]:
    """Return RMSE and bias by the true brightness temperature, with their intervals."""
    charts = []
    for quantity, name in (("rmse", "RMSE"), ("bias", "bias")):
        axes = page_axes(500, 320)
        draw_errors(axes, error_by_kelvin(evaluation), quantity)
        title = f"{name} of every method by true brightness temperature, {evaluation.storm}"
        charts.append(svg_of(axes, title))
    return charts


@drawing()
def ensemble_charts(evaluation: Evaluation) -> list[Part]:
    """Return the charts of an ensemble's calibration, each with its caption; none for a single frame."""
    curves = ensemble_curves(evaluation, RECONSTRUCTED)
    if curves is None:
        return []
    axes = {name: page_axes(500, 320) for name in ("Rank histogram", "Spread and error", "Reliability", "CRPS")}
    ranks, spread, reliability, crps = axes.values()
    draw_ranks(ranks, curves.ranks)
    draw_spread(spread, curves.spread, curves.error)
    draw_reliability(reliability, curves.reliability)
    draw_errors(crps, error_by_kelvin(evaluation), "crps")
    return [{"name": name, "chart": svg_of(on, f"{name}, {evaluation.storm}")} for name, on in axes.items()]


def crops(matched: Match, evaluation: Evaluation, palette: Palette) -> tuple[Part, list[Closeup]]:
    """Return three squares of the frame with the most cold cloud in every method, and where they lie."""
    index = _example(matched, evaluation)
    truth, reconstructed, lowres = _upright(matched, index)
    closeups = choose_closeups(truth, reconstructed[RECONSTRUCTED], matched.scale)
    simple = {"input": nearest(lowres, matched.scale), "bicubic": bicubic(lowres, matched.scale)}
    frames = {**simple, **reconstructed}

    def picture(name: str, kelvin: NDArray[np.floating], colours: Palette = palette, score: str = "") -> Part:
        uri = _picture_uri(Image.fromarray(colours.rgb(kelvin)), "png", optimize=True)
        return {"name": name, "uri": uri, "score": score}

    rows = []
    for closeup in closeups:
        real = closeup.cut(truth)
        cuts = {name: closeup.cut(frame) for name, frame in frames.items()}
        pictures = [
            *(picture(name, cut, score=rmse_label(cut, real)) for name, cut in cuts.items()),
            picture(TRUTH, real),
            picture("reconstructed − truth", cuts[RECONSTRUCTED] - real, DIFFERENCE),
        ]
        rows.append({"closeup": closeup, "crops": pictures})
    part = {
        "time": minute_text(matched.times[index]),
        "side": closeups[0].side,
        "height": truth.shape[0],
        "width": truth.shape[1],
        "overview": _overview_uri(truth, palette, places_of(_placed(matched), truth.shape), index),
        "rows": rows,
        "legends": [
            _legend(palette, palette.title, 20),
            _legend(DIFFERENCE, "Reconstructed minus truth", 5, signed=True),
        ],
    }
    return part, closeups


@dataclass(frozen=True)
class Animator:
    """Makes the animations of one storm: squares around a close-up, at the times around the example."""

    evaluation: Evaluation
    closeup: Closeup
    palette: Palette
    credit: str
    on_frame: Callable[[int, int], None]  # called with (frames drawn, frames to draw)

    def methods(self, matched: Match) -> Part:
        """Return the animation of the input, bicubic, the reconstruction and the truth."""
        chosen, load = self._around_example(matched, FILM_FRAMES)
        panels = [
            FilmPanel("input", lambda number: load(number)[2]),
            FilmPanel("bicubic", lambda number: bicubic(load(number)[2], matched.scale)),
            FilmPanel(RECONSTRUCTED, lambda number: load(number)[1][RECONSTRUCTED]),
            FilmPanel(TRUTH, lambda number: load(number)[0]),
        ]
        return self._draw(panels, _placed(matched).isel(time=chosen), FILM_SIDE)

    def members(self, matched: Match, names: Sequence[str]) -> Part:
        """Return the animation of an ensemble: truth, mean, spread and the first members; `names` are those of all."""
        chosen, load = self._around_example(matched, MEMBER_FRAMES)

        def member(place: int) -> FilmPanel:
            name = str(place) if undrawable(names[place]) else names[place]
            return FilmPanel(f"member {name}", lambda number: load(number)[1][RECONSTRUCTED][place])

        panels = [
            FilmPanel(TRUTH, lambda number: load(number)[0]),
            FilmPanel(f"mean of {len(names)} members", lambda number: load(number)[1][RECONSTRUCTED].mean(axis=0)),
            FilmPanel(SPREAD_LABEL, lambda number: load(number)[1][RECONSTRUCTED].std(axis=0, ddof=1), SPREAD),
            *map(member, range(min(len(names), MEMBERS_SHOWN))),
        ]
        return self._draw(panels, _placed(matched).isel(time=chosen), MEMBER_SIDE)

    def _around_example(self, matched: Match, most: int) -> tuple[slice, Callable[[int], Loaded]]:
        """Return at most so many times around the example, and how to load the frames at one of them."""
        count = len(matched.times)
        start = min(max(0, _example(matched, self.evaluation) - most // 2), max(0, count - most))
        return slice(start, start + most), lru_cache(maxsize=1)(lambda number: _upright(matched, start + number))

    def _draw(self, panels: list[FilmPanel], truth: xr.DataArray, side: int) -> Part:
        """Return an animation at the times of the truth, and a still picture for paper and readers without motion."""
        chosen, (height, width) = truth["time"].values, truth.shape[-2:]
        middle = self.closeup.top + self.closeup.side // 2, self.closeup.left + self.closeup.side // 2
        notes = best_track_notes([truth], chosen)
        animation = Animation(
            Film(panels, chosen, (height, width), self.evaluation.storm, notes, places_of(truth, (height, width))),
            palette=self.palette,
            width=FILM_WIDTH,
            crop=square_around(middle, (height, width), side),
            credit="" if undrawable(self.credit) else self.credit,  # the page prints it too
        )
        with TemporaryDirectory() as folder:
            path = Path(folder) / "film.webp"
            save_animation(animation, path, quality=72, on_frame=lambda done: self.on_frame(done, len(chosen)))
            moving = _data_uri(path.read_bytes(), "webp")
        return {
            "moving": moving,
            "still": _picture_uri(animation.picture(len(animation) // 2), "webp", quality=80),
            "width": animation.size[0],
            "height": animation.size[1],
            "panels": ", ".join(panel.label for panel in panels),
            "frames": len(chosen),
            "first": minute_text(chosen[0]),
            "last": minute_text(chosen[-1]),
        }


def _legend(palette: Palette, title: str, step: int, *, signed: bool = False) -> Part:
    """Return a palette as a CSS gradient with ticks in kelvin."""
    low, high = palette.limits

    def percent(kelvin: float) -> str:
        return f"{100 * (kelvin - low) / (high - low):.2f}%"

    ticks = range(ceil(low / step) * step, int(high) + 1, step)
    return {
        "title": title,
        "gradient": ", ".join(f"rgb{colour} {percent(kelvin)}" for kelvin, colour in palette.stops),
        "ticks": [
            {
                "text": minus(f"{tick:+d}" if signed and tick else str(tick)),
                "left": percent(tick),
                "kind": {low: "first", high: "last"}.get(tick, "inner"),  # those at the ends stay within
            }
            for tick in ticks
        ],
    }


def _placed(matched: Match) -> xr.DataArray:
    """Return the truth, which knows times and places, with north up."""
    return matched.truth[(..., *turn_of(matched.truth))]


def _upright(matched: Match, index: int) -> Loaded:
    """Return the frames of one time, as `Match.load`, with north up."""
    turn = turn_of(matched.truth)
    truth, reconstructed, lowres = matched.load(index)
    return truth[turn], {name: frame[(..., *turn)] for name, frame in reconstructed.items()}, lowres[turn]


def _example(matched: Match, evaluation: Evaluation) -> int:
    found = np.flatnonzero(matched.times == evaluation.example_time)
    return int(found[0]) if found.size else len(matched.times) // 2


def _data_uri(content: bytes, kind: str) -> str:
    """Return an address that holds an image of a kind, such as ``png``."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _picture_uri(picture: Image.Image, kind: str, **options: Any) -> str:
    """Return an address that holds a picture."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return _data_uri(buffer.getvalue(), kind)


def _overview_uri(kelvin: NDArray[np.floating], palette: Palette, places: Places | None, time: int) -> str:
    """Return a whole frame with its map, if its places are known, as an address."""
    picture = Image.fromarray(palette.rgb(kelvin))
    picture.thumbnail((OVERVIEW, OVERVIEW), Image.Resampling.BOX)
    if places:
        shown = picture.height, picture.width
        overlay = map_overlay(places.lines(time), (0, 0, *kelvin.shape), shown, OVERVIEW_LINE)
        picture.paste(overlay, mask=overlay)
    return _picture_uri(picture, "webp", quality=80)
