"""One page that holds a whole evaluation: command, scores, pictures, model, how to reproduce it."""

import platform
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import xarray as xr
from markupsafe import Markup

from tempogan_eddy import __version__
from tempogan_eddy.display.chart import page_colours
from tempogan_eddy.display.palettes import PALETTES
from tempogan_eddy.display.report_parts import SCORES_ID, same_file, scores_element, training_record, wrapped
from tempogan_eddy.display.report_storm import (
    Animator,
    Part,
    crops,
    ensemble_charts,
    error_charts,
    spectrum_chart,
)
from tempogan_eddy.display.words import minus, minute_text, summary, training_overlap
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Evaluation
from tempogan_eddy.evaluation.matching import RECONSTRUCTED, match
from tempogan_eddy.evaluation.report import as_json, best, caption, number
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.member import member_names, select_member
from tempogan_eddy.io.ownership import Kind, check_place
from tempogan_eddy.io.writing.history import MADE, commands_of
from tempogan_eddy.wording import count

__all__ = ["REPORT", "ReportPage", "check_name"]

PICTURED = 3  # storms with pictures: each takes some megabytes
MAKER = '<meta name="generator" content="TempoGAN-Eddy'
MARK = f'{MAKER} {__version__}">'

PARTS = {
    "scores": "Scores",
    "spectra": "Spectra",
    "temperature": "Error by temperature",
    "ensemble": "Ensemble",
    "crops": "Crops",
    "animation": "Animation",
}
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("tempogan_eddy.display"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)

TEMPLATES.filters["minus"] = minus
TEMPLATES.globals |= {"best": best, "caption": caption, "number": number, "page_colours": page_colours}

# Pages of the viewer carry another mark.
REPORT = Kind("a report", lambda path: MAKER.encode() in path.read_bytes()[:2000])


@dataclass
class ReportPage:
    """Collect storms one by one for the page, without keeping their frames."""

    command: str  # the command line that makes the page
    model: dict[str, Any] = field(default_factory=dict)  # from `inspection.model_facts`, if its file is given
    colours: str = "infrared"  # palette of the pictures
    credit: str = ""  # source of the data
    results: list[Evaluation] = field(default_factory=list)
    storms: list[Part] = field(default_factory=list)
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
        beside: Mapping[str, xr.DataArray] | None = None,
    ) -> None:
        """Add a storm with the sequences that it was scored from, and draw pictures of it.

        Pictures show the first member of an ensemble; the crops show the reconstructions `beside` it, by name, too.
        Call `on_frame` with (frames drawn, frames to draw).
        """
        members, together = member_names(reconstructed), reconstructed
        reconstructed, seen = select_member(reconstructed), None if lowres is None else select_member(lowres)
        settings = result.scale, result.time_tolerance, result.sensor
        matched = match(truth, {RECONSTRUCTED: reconstructed}, seen, *settings)
        record = training_record(self.model, reconstructed.attrs)
        overlap, sentence = training_overlap(record, result.storm, matched.times)
        part = _storm(result) | {"overlap": sentence, "held_out": overlap == 0, "spectra": spectrum_chart(result)}
        part["members"] = members
        if len(self.results) < PICTURED:
            palette = PALETTES[self.colours]
            others = {name: select_member(da) for name, da in (beside or {}).items()}
            every = match(truth, {RECONSTRUCTED: reconstructed, **others}, seen, *settings) if others else matched
            part["crops"], closeups = crops(every, result, palette)
            animator = Animator(result, closeups[0], palette, self.credit, on_frame)
            part["films"] = [animator.methods(matched)]
            if len(members) > 1:
                whole = match(truth, {RECONSTRUCTED: together}, seen, *settings)
                part["films"].append(animator.members(whole, members))
        self.results.append(result)
        self.storms.append(part)
        self.inputs[f"storm {result.storm}"] = _inputs(result, matched.times, truth, reconstructed, lowres)
        self.provenance |= {
            key: value for key, value in reconstructed.attrs.items() if key.startswith((MADE, "sensor_model"))
        }
        self.histories = list(dict.fromkeys([*self.histories, *commands_of(reconstructed.attrs)]))

    def add_combined(self, result: Evaluation) -> None:
        """Add the scores of all storms together, at the top of the page."""
        self.results.insert(0, result)
        self.storms.insert(0, _storm(result))

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the page to a path that ends in ``.html``; with `overwrite`, replace any file."""
        path = Path(path)
        check_name(path, overwrite=overwrite)
        with written_aside(path, REPORT, overwrite=overwrite) as aside:
            aside.write_text(self.html(), encoding="utf-8")
        return path

    def html(self) -> str:
        """Return the whole page; it loads no other file."""
        first = self.results[0]
        overlaps = sorted({storm["overlap"] for storm in self.storms if "overlap" in storm})
        run = {
            "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "by": f"TempoGAN-Eddy {__version__}, Python {platform.python_version()}, {platform.system()}",
            **self.inputs,
            "held out": overlaps,
            "data": self.credit,
        }
        return (
            TEMPLATES.get_template("report.html")
            .render(
                mark=Markup(MARK),
                version=__version__,
                title=f"{first.storm}: {first.scale}× reconstruction against the truth",
                summary=summary(first),
                storms=self.storms,
                parts={key: text for key, text in PARTS.items() if key != "ensemble" or self.storms[0]["ensemble"]},
                ours=RECONSTRUCTED,
                pictured=PICTURED,
                command=wrapped(self.command),
                run=run,
                recorded={
                    _spaced(key.removeprefix(MADE)): value.split("; ") if isinstance(value, str) else value
                    for key, value in self.provenance.items()
                },
                model={_spaced(key): value for key, value in self.model.items()},
                same_file=same_file(self.provenance, self.model),
                commands=[wrapped(command) for command in (*self.histories, self.command)],
                credit=self.credit,
                scores_id=SCORES_ID,
                scores_element=scores_element(as_json(self.results)),
            )
            .strip()
            + "\n"
        )


def _inputs(
    result: Evaluation, times: np.ndarray, truth: xr.DataArray, ours: xr.DataArray, lowres: xr.DataArray | None
) -> list[str]:
    """Return facts about the sequences of a storm, as lines of the table."""
    satellites = sorted(set(map(str, np.atleast_1d(truth.coords.get("satellite", [])))))
    seen = f"{lowres.sizes['y']}×{lowres.sizes['x']}" if lowres is not None else "the area mean of the truth"
    return [
        f"{minute_text(times[0])} to {minute_text(times[-1])} UTC, {count(result.frames, 'frame')} of "
        f"{ours.sizes['y']}×{ours.sizes['x']}",
        f"input: {seen}",
        *([f"seen by {', '.join(satellites)}"] if satellites else []),
        *(str(truth.attrs[key]) for key in ("title", "institution", "source") if truth.attrs.get(key)),
    ]


def check_name(path: Path, *, overwrite: bool = False, sources: Iterable[Path] = ()) -> None:
    """Refuse a name without the suffix of a page, and a place that `check_place` refuses."""
    if path.suffix.lower() not in {".html", ".htm"}:
        raise InputError(f"{path} does not end in .html; give the report such a name.")
    check_place(path, REPORT, overwrite=overwrite, sources=sources)


def _storm(result: Evaluation) -> Part:
    """Return the data of one section of the template: one storm, or all together."""
    return {
        "anchor": "storm-" + re.sub(r"[^A-Za-z0-9_-]+", "-", result.storm),
        "result": result,
        "errors": error_charts(result),
        "ensemble": ensemble_charts(result),
    }


def _spaced(key: str) -> str:
    return key.replace("_", " ")
