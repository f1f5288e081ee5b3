"""One page that holds a whole evaluation: what was run, the scores, pictures, the model, how to do it again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy import __version__
from tempogan_eddy.display.colours import COLOUR_TABLES
from tempogan_eddy.display.report_parts import (
    glossary,
    model_section,
    reproduce_section,
    run_section,
    scores_element,
    training_record,
)
from tempogan_eddy.display.report_storm import (
    Look,
    crops,
    error_charts,
    film,
    headline,
    score_table,
    spectrum_chart,
)
from tempogan_eddy.display.words import summary, training_overlap
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Evaluation
from tempogan_eddy.evaluation.evaluate import RECONSTRUCTED
from tempogan_eddy.evaluation.matching import match
from tempogan_eddy.evaluation.report import as_json
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.history import MADE, commands_of
from tempogan_eddy.io.ownership import Kind, check_place

__all__ = ["REPORT", "ReportPage", "check_name"]

PICTURED = 3  # storms with pictures: with more, nobody would open the page
MAKER = '<meta name="generator" content="TempoGAN-Eddy'
MARK = f'{MAKER} {__version__}">'

# Pages of the viewer carry another mark.
REPORT = Kind("a report", lambda path: MAKER.encode() in path.read_bytes()[:2000])


@dataclass
class ReportPage:
    """Collects storms one by one, keeping the text of each and none of its frames.

    Parameters
    ----------
    command
        The command line that makes the page.
    model
        Facts of the model, from `inspection.model_facts`, where its file was given.
    colours
        Which colour table pictures have.
    credit
        Whom the data are from.
    """

    command: str
    model: dict[str, Any] = field(default_factory=dict)
    colours: str = "infrared"
    credit: str = ""
    results: list[Evaluation] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    inputs: dict[str, object] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    histories: list[str] = field(default_factory=list)

    def add(
        self,
        result: Evaluation,
        truth: xr.DataArray,
        reconstructed: xr.DataArray,
        lowres: xr.DataArray | None,
        on_frame: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Add a storm with the sequences it was scored from, of which pictures are drawn.

        Parameters
        ----------
        on_frame
            Called with (frames drawn, frames to draw).
        """
        matched = match(truth, {RECONSTRUCTED: reconstructed}, lowres, result.scale, result.time_tolerance)
        look = Look(COLOUR_TABLES[self.colours], self.credit)
        _, sentence = training_overlap(training_record(self.model, reconstructed.attrs), result.storm, matched.times)
        section = _Section(result)
        section.add(f'<p class="tag {_mood(sentence)}">{escape(sentence)}</p>')
        section.add(f"{headline(result)}")
        section.add(score_table(result), "Scores", "scores")
        section.add(spectrum_chart(result), "Spectra (RAPSD)", "spectra")
        section.add(error_charts(result), "Error by brightness temperature", "temperature")
        if len(self.results) < PICTURED:
            pictures, places = crops(matched, result, look)
            section.add(pictures, "Crops", "crops")
            section.add(film(matched, result, places, look, on_frame), "Animation", "animation")
        else:
            section.add(f'<p class="quiet">Pictures are drawn of the first {PICTURED} storms only.</p>')
        self.results.append(result)
        self.sections.append(section.text())
        self.overlaps.append(sentence)
        self._note_inputs(result, matched.times, truth, reconstructed, lowres)

    def add_combined(self, result: Evaluation) -> None:
        """Add several storms together; the page begins with them."""
        section = _Section(result)
        section.add(headline(result))
        section.add(score_table(result), "Scores", "scores")
        section.add(error_charts(result), "Error by brightness temperature", "temperature")
        self.results.insert(0, result)
        self.sections.insert(0, section.text())

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the page, aside and then renamed.

        Parameters
        ----------
        path
            Ends in ``.html``.
        overwrite
            Replace a file that this package did not write, too.

        Raises
        ------
        InputError
            The place cannot be written, or something else than a page is there.
        """
        path = Path(path)
        check_name(path, overwrite=overwrite)
        with written_aside(path, REPORT, overwrite=overwrite) as aside:
            aside.write_text(self.html(), encoding="utf-8")
        return path

    def html(self) -> str:
        """The whole page; it needs nothing but itself."""
        first = self.results[0]
        title = f"{first.storm}: {first.scale}× reconstruction against the truth"
        style = resources.files("tempogan_eddy.display").joinpath("report.css").read_text(encoding="utf-8")
        many = len(self.results) > 1
        anchors = _anchors(self.results) if many else _parts(first)
        anchors |= {
            "run": "What was run",
            "model": "Model",
            "reproduce": "How to reproduce it",
            "words": "What the numbers mean",
        }
        links = "".join(f'<a href="#{name}">{escape(text)}</a>' for name, text in anchors.items())
        lead, *details = summary(first)
        body = [
            '<header><p class="kind">Evaluation of a super-resolution of infrared brightness temperature</p>'
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">{escape(lead)}</p><p>{escape(" ".join(details))}</p>',
            f"<nav>{links}</nav></header><main>",
            *self.sections,
            run_section(self.command, {**self.inputs, "held out": sorted(set(self.overlaps)), "data": self.credit}),
            model_section(self.provenance, self.model),
            reproduce_section([*self.histories, self.command]),
            glossary(),
            f"</main><footer>{self._foot()}</footer>",
            scores_element(as_json(self.results)),
        ]
        return (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{MARK}\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
            + "\n".join(body)
            + "\n</body>\n</html>\n"
        )

    def _note_inputs(
        self,
        result: Evaluation,
        times: np.ndarray,
        truth: xr.DataArray,
        reconstructed: xr.DataArray,
        lowres: xr.DataArray | None,
    ) -> None:
        first, last = (np.datetime_as_string(moment, unit="m").replace("T", " ") for moment in (times[0], times[-1]))
        satellites = (
            sorted(set(map(str, np.atleast_1d(truth["satellite"].values)))) if "satellite" in truth.coords else []
        )
        about = [str(truth.attrs[key]) for key in ("title", "institution", "source") if truth.attrs.get(key)]
        self.inputs[f"storm {result.storm}"] = [
            f"{first} to {last} UTC, {result.frames} frames of {reconstructed.sizes['y']}×{reconstructed.sizes['x']}",
            "input: "
            + (f"{lowres.sizes['y']}×{lowres.sizes['x']}" if lowres is not None else "the area mean of the truth"),
            *([f"seen by {', '.join(satellites)}"] if satellites else []),
            *about,
        ]
        self.provenance |= {
            key: value for key, value in reconstructed.attrs.items() if key.startswith((MADE, "sensor_model"))
        }
        self.histories = list(dict.fromkeys([*self.histories, *commands_of(reconstructed.attrs)]))

    def _foot(self) -> str:
        credit = f"Data: {escape(self.credit)}<br>" if self.credit else ""
        link = '<a href="#reproduce">How to reproduce it</a>.'
        return f"{credit}Made by TempoGAN-Eddy {__version__}. This page needs no network. {link}"


class _Section:
    """The parts of one storm, each with a heading that can be linked to."""

    def __init__(self, result: Evaluation) -> None:
        self.name = _anchor(result)
        self.parts = [f'<section id="{self.name}"><h2>Storm {escape(result.storm)}</h2>']

    def add(self, content: str, heading: str = "", part: str = "") -> None:
        title = f'<h3 id="{self.name}-{part}">{escape(heading)}</h3>' if heading else ""
        self.parts.append(title + content)

    def text(self) -> str:
        return "\n".join([*self.parts, "</section>"])


def check_name(path: Path, *, overwrite: bool = False, sources: Iterable[Path] = ()) -> None:
    """Refuse to write where the name is no page's, or where `check_place` does."""
    if path.suffix.lower() not in {".html", ".htm"}:
        raise InputError(f"{path} does not end in .html; give the report such a name.")
    check_place(path, REPORT, overwrite=overwrite, sources=sources)


def _mood(sentence: str) -> str:
    return "good" if sentence.startswith("Held out") else "warn"


def _anchor(result: Evaluation) -> str:
    return "storm-" + re.sub(r"[^A-Za-z0-9_-]+", "-", result.storm)


def _anchors(results: Sequence[Evaluation]) -> dict[str, str]:
    return {_anchor(result): result.storm for result in results}


def _parts(result: Evaluation) -> dict[str, str]:
    words = {
        "scores": "Scores",
        "spectra": "Spectra",
        "temperature": "Error by temperature",
        "crops": "Crops",
        "animation": "Animation",
    }
    return {f"{_anchor(result)}-{part}": text for part, text in words.items()}
