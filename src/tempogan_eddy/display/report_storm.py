"""What the page of an evaluation says of one storm: scores, spectra, error by temperature, crops, an animation."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tempogan_eddy.display.animation import Animation, undrawable
from tempogan_eddy.display.chart import Axis, Line, chart
from tempogan_eddy.display.colours import COLOUR_TABLES, ColourTable
from tempogan_eddy.display.html import STYLES, data_uri, keys, legend, png_uri
from tempogan_eddy.display.movie import save_animation
from tempogan_eddy.display.panels import Panel, Panels, best_track_notes
from tempogan_eddy.display.places import Place, choose_places
from tempogan_eddy.evaluation import Evaluation, Metric, Score, error_by_kelvin
from tempogan_eddy.evaluation.baselines import bicubic, nearest
from tempogan_eddy.evaluation.evaluate import RECONSTRUCTED, TRUTH
from tempogan_eddy.evaluation.matching import Match
from tempogan_eddy.evaluation.report import best, caption, number

__all__ = ["Look", "crops", "error_charts", "film", "headline", "score_table", "spectrum_chart"]

FILM_FRAMES, FILM_SIDE, FILM_WIDTH = 48, 224, 1000
SMALLEST_POWER = 1e-3  # of the truth's smallest: interpolation leaves next to nothing there

DIFFERENCE = ColourTable(
    "difference",
    "Reconstructed minus truth",
    (
        (-20.0, (8, 48, 107)),
        (-8.0, (66, 146, 198)),
        (0.0, (245, 245, 245)),
        (8.0, (239, 101, 72)),
        (20.0, (103, 0, 13)),
    ),
    COLOUR_TABLES["infrared"].missing,
)

HEADLINE = {
    "rmse": "RMSE, K",
    "cold_rmse": "RMSE of cold cloud, K",
    "lsd": "distance of spectra, dB",
    "detail_energy": "energy of fine detail, dB",
    "tof": "difference of motion, px",
}


@dataclass(frozen=True)
class Look:
    """How pictures are coloured, and whom the data are from."""

    table: ColourTable
    credit: str = ""


def headline(evaluation: Evaluation) -> str:
    """A few numbers large, each beside those of interpolation."""
    tiles = []
    for metric in evaluation.metrics:
        score = evaluation.scores[RECONSTRUCTED][metric.name]
        if metric.name not in HEADLINE or np.isnan(score.value):
            continue
        others = "".join(
            f"<span>{escape(method.removesuffix(' bicubic'))} "
            f"<i>{_minus(number(scores[metric.name].value, metric))}</i></span>"
            for method, scores in evaluation.scores.items()
            if method in ("bicubic", "back-projected bicubic")
        )
        value = _minus(number(score.value, metric))
        tiles.append(f"<div><b>{value}</b><span>{escape(HEADLINE[metric.name])}</span>{others}</div>")
    return f'<div class="facts">{"".join(tiles)}</div>'


def score_table(evaluation: Evaluation) -> str:
    """Metrics down, methods across, under each value its interval; the best of a row is bold."""
    methods = list(evaluation.scores)
    head = "".join(f"<th{_ours(method)}>{escape(method)}</th>" for method in methods)
    rows = []
    for metric in evaluation.informative_metrics:
        scores = [evaluation.scores[method][metric.name] for method in methods]
        winners = best(metric, scores)
        cells = "".join(
            _cell(metric, score, index in winners, method)
            for index, (method, score) in enumerate(zip(methods, scores, strict=True))
        )
        unit = "" if metric.unit == "1" else f"{metric.unit} "
        rows.append(f'<tr><th>{escape(metric.label)} <span class="unit">{unit}{metric.arrow}</span></th>{cells}</tr>')
    notes = "<br>".join(escape(line) for line in caption(evaluation).splitlines())
    return (
        f'<div class="wide"><table><thead><tr><th>metric</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        '</div><p class="note">Bold: the best of a row. ↓ less is better, ↑ more is better, →0 closer to zero.'
        f"<br>{notes}</p>"
    )


def spectrum_chart(evaluation: Evaluation) -> str:
    """Mean radial spectra of the truth and of every method; nothing where too much is missing."""
    spectra = evaluation.spectra
    if spectra is None:
        return '<p class="quiet">Too much is missing for a mean spectrum.</p>'
    truth = spectra.power[TRUTH]
    order = [name for name in spectra.power if name not in (TRUTH, RECONSTRUCTED)] + [TRUTH, RECONSTRUCTED]
    wavenumber = spectra.wavenumber.astype(np.float64)
    drawing = chart(
        [Line(STYLES.get(name, "nearest"), wavenumber, spectra.power[name]) for name in order],
        Axis("radial wavenumber, cycles per shorter side of the frame", 1, float(wavenumber[-1]), log=True),
        Axis("mean power of a mode, K²", float(truth.min()) * SMALLEST_POWER, float(truth.max()) * 3, log=True),
        title=f"Radially averaged power spectra of {evaluation.storm}",
        marker=(spectra.lowres_nyquist, "lowres Nyquist"),
        size=(1000, 430),
    )
    return f"<figure>{keys([TRUTH, *evaluation.scores])}{drawing}</figure>"


def error_charts(evaluation: Evaluation) -> str:
    """RMSE and bias by the true brightness temperature, with their intervals."""
    bins = error_by_kelvin(evaluation)
    methods = list(reversed(evaluation.scores))  # the reconstruction on top
    middle = np.array([(part.low + part.high) / 2 for part in bins])
    tallest = max(part.share for part in bins)
    bars = [(part.low, part.high, 0.25 * part.share / tallest) for part in bins]
    across = Axis("true brightness temperature, K", bins[0].low, bins[-1].high)
    drawings = []
    for label, scores in (("RMSE, K", [p.rmse for p in bins]), ("bias, K", [p.bias for p in bins])):
        lines = [_line(method, middle, [part[method] for part in scores]) for method in methods]
        values = np.concatenate([edge for line in lines for edge in (line.y, line.low, line.high) if edge is not None])
        top = 1.04 * float(np.nanmax(np.abs(values)))
        bottom = 0.0 if label.startswith("RMSE") else -top
        title = f"{label.split(',')[0]} of every method by true brightness temperature"
        drawings.append(chart(lines, across, Axis(label, bottom, top), title=title, bars=bars))
    return (
        f'<figure>{keys(list(evaluation.scores))}<div class="pair">{"".join(drawings)}</div>'
        "<figcaption>In bins of 10 K of the truth; shaded: the interval; grey bars: how many of the pixels lie there. "
        "Sorted by the truth, every smooth method looks too warm in the coldest bins and too cold in the warmest, "
        "because it does not reach the extremes: compare methods with each other.</figcaption></figure>"
    )


def crops(matched: Match, evaluation: Evaluation, look: Look) -> tuple[str, list[Place]]:
    """Three places of the frame with the most cold cloud, in every method, with the difference from the truth."""
    index = _example(matched, evaluation)
    truth, ours, coarse = _frames(matched, index)
    places = choose_places(truth, ours, matched.scale)
    frames = {"input": nearest(coarse, matched.scale), "bicubic": bicubic(coarse, matched.scale), RECONSTRUCTED: ours}
    rows = []
    for order, place in enumerate(places, 1):
        here = {name: place.cut(frame) for name, frame in frames.items()}
        real = place.cut(truth)
        pictures = [_crop(name, look.table.rgb(cut), _rmse(cut, real)) for name, cut in here.items()]
        pictures.append(_crop(TRUTH, look.table.rgb(real), ""))
        pictures.append(_crop("reconstructed − truth", DIFFERENCE.rgb(here[RECONSTRUCTED] - real), ""))
        rows.append(
            f'<h4>{order}. {escape(place.reason.capitalize())}</h4><div class="crops">{"".join(pictures)}</div>'
        )
    moment = np.datetime_as_string(matched.times[index], unit="m").replace("T", " ")
    side = places[0].side
    where = (
        f'<div class="where">{_overview(look.table.rgb(truth), places)}<p>{moment} UTC, the frame with the most cold '
        f"cloud. The three squares of {side}×{side} pixels are chosen by rule, not by eye: the coldest mean, the most "
        "energy finer than the input’s pixels, and the largest mean squared error of the reconstruction.</p></div>"
    )
    legends = (
        f'<div class="legends">{legend(look.table, f"{look.table.title}, K", 20)}'
        f"{legend(DIFFERENCE, 'Reconstructed minus truth, K', 5, signed=True)}</div>"
    )
    return where + "".join(rows) + legends, places


def film(
    matched: Match, evaluation: Evaluation, places: list[Place], look: Look, on_frame: Callable[[int, int], None]
) -> str:
    """Hours around that frame, moving; where a reader wants no motion, and on paper, one picture."""
    times = matched.times
    start = min(max(0, _example(matched, evaluation) - FILM_FRAMES // 2), max(0, len(times) - FILM_FRAMES))
    chosen = times[start : start + FILM_FRAMES]
    loaded: dict[int, tuple[NDArray[np.float32], ...]] = {}

    def load(number: int) -> tuple[NDArray[np.float32], ...]:
        if number not in loaded:
            loaded.clear()
            loaded[number] = _frames(matched, start + number)
        return loaded[number]

    panels = [
        Panel("input", lambda number: load(number)[2]),
        Panel("bicubic", lambda number: bicubic(load(number)[2], matched.scale)),
        Panel(RECONSTRUCTED, lambda number: load(number)[1]),
        Panel(TRUTH, lambda number: load(number)[0]),
    ]
    height, width = matched.truth.shape[1:]
    animation = Animation(
        Panels(panels, chosen, (height, width), evaluation.storm, best_track_notes([matched.truth], chosen)),
        table=look.table,
        width=FILM_WIDTH,
        crop=_around(places[0], (height, width)),
        credit="" if undrawable(look.credit) else look.credit,  # which the page prints too
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.webp"
        save_animation(animation, path, quality=72, on_frame=lambda done: on_frame(done, len(chosen)))
        moving = data_uri(path.read_bytes(), "image/webp")
    still = io.BytesIO()
    animation.picture(len(animation) // 2).save(still, "WEBP", quality=80)
    first, last = (np.datetime_as_string(moment, unit="m").replace("T", " ") for moment in (chosen[0], chosen[-1]))
    across, down = animation.size
    return (
        f'<figure class="film"><picture><source media="(prefers-reduced-motion: reduce), print" '
        f'srcset="{data_uri(still.getvalue(), "image/webp")}"><img src="{moving}" width="{across}" height="{down}" '
        f'alt="Input, bicubic, reconstruction and truth side by side, moving"></picture>'
        f"<figcaption>{len(chosen)} frames, {first} to {last} UTC, around the coldest cloud of the crops."
        "</figcaption></figure>"
    )


def _cell(metric: Metric, score: Score, winner: bool, method: str) -> str:
    words = [name for name, holds in (("ours", method == RECONSTRUCTED), ("best", winner)) if holds]
    shown = f"<b>{_minus(number(score.value, metric))}</b>"
    if not np.isnan(score.low):
        shown += f"<small>{_minus(number(score.low, metric))} … {_minus(number(score.high, metric))}</small>"
    return f'<td class="{" ".join(words)}">{shown}</td>' if words else f"<td>{shown}</td>"


def _ours(method: str) -> str:
    return ' class="ours"' if method == RECONSTRUCTED else ""


def _minus(text: str) -> str:
    return "−" + text[1:] if text.startswith("-") else text


def _line(method: str, middle: NDArray[np.float64], scores: list[Score]) -> Line:
    value, low, high = (np.array([getattr(score, part) for score in scores]) for part in ("value", "low", "high"))
    return Line(STYLES.get(method, "nearest"), middle, value, low, high)


def _frames(matched: Match, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The truth, the one reconstruction and its input at one time."""
    truth, reconstructed, coarse = matched.load(index)
    return truth, reconstructed[RECONSTRUCTED], coarse


def _example(matched: Match, evaluation: Evaluation) -> int:
    found = np.flatnonzero(matched.times == evaluation.example_time)
    return int(found[0]) if found.size else len(matched.times) // 2


def _rmse(cut: NDArray[np.floating], truth: NDArray[np.floating]) -> str:
    error = (cut - truth)[np.isfinite(cut) & np.isfinite(truth)]
    return f"RMSE {np.sqrt(np.mean(error.astype(np.float64) ** 2)):.2f} K" if error.size else ""


def _crop(name: str, colours: NDArray[np.uint8], score: str) -> str:
    uri = png_uri(Image.fromarray(np.ascontiguousarray(colours)))
    return (
        f'<figure><img src="{uri}" alt="{escape(name)}"><figcaption><b>{escape(name)}</b>'
        f"{'<br>' + score if score else ''}</figcaption></figure>"
    )


def _overview(colours: NDArray[np.uint8], places: list[Place]) -> str:
    """The whole frame, small, with the places marked."""
    height, width = colours.shape[:2]
    picture = Image.fromarray(colours)
    picture.thumbnail((360, 360), Image.Resampling.BOX)
    marks = "".join(
        f'<rect x="{place.left}" y="{place.top}" width="{place.side}" height="{place.side}"/>'
        f'<text x="{place.left + 8}" y="{place.top + 22}">{order}</text>'
        for order, place in enumerate(places, 1)
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="The whole frame with the three places">'
        f'<image href="{png_uri(picture)}" width="{width}" height="{height}" preserveAspectRatio="none"/>{marks}</svg>'
    )


def _around(place: Place, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square of the animation's side around a place, inside the frame."""
    sides = [min(FILM_SIDE, length) for length in size]
    middles = place.top + place.side // 2, place.left + place.side // 2
    top, left = (
        min(max(0, middle - side // 2), length - side)
        for middle, side, length in zip(middles, sides, size, strict=True)
    )
    return top, left, sides[0], sides[1]
