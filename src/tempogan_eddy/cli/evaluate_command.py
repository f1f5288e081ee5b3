"""The command that scores a reconstruction: a table, JSON, CSV, figures, and a page with all of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from tempogan_eddy.cli.files import read_one_of, read_pairs
from tempogan_eddy.cli.invocation import history
from tempogan_eddy.cli.options import (
    Colours,
    ConfigPath,
    Credit,
    FormatName,
    Overrides,
    Overwrite,
    Storm,
    Time,
    TimeFrom,
    Variable,
    model_names,
    settings,
)
from tempogan_eddy.cli.progress import frame_progress
from tempogan_eddy.errors import InputError

__all__ = ["evaluate"]

STANDARD_OUTPUT = Path("-")


def evaluate(
    truth: Annotated[
        list[Path],
        typer.Option("--truth", help="The true highres sequence, or a pattern (may be repeated).", show_default=False),
    ],
    reconstructed: Annotated[
        list[Path],
        typer.Option("--reconstructed", help="The reconstruction, or a pattern (may be repeated).", show_default=False),
    ],
    lowres: Annotated[
        list[Path] | None,
        typer.Option(
            "--lowres",
            help="The lowres input (may be repeated); made from the truth where left out.",
            show_default=False,
        ),
    ] = None,
    compared: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="NAME=PATH",
            help="Score another reconstruction beside it, under a name (may be repeated).",
            show_default=False,
        ),
    ] = None,
    storm: Storm = None,
    time: Time = None,
    variable: Variable = None,
    time_from: TimeFrom = None,
    scale: Annotated[
        int | None,
        typer.Option(min=2, max=64, help="How many times finer, where no file tells.", show_default=False),
    ] = None,
    input_format: Annotated[
        FormatName | None,
        typer.Option("--input-format", help="Format of the truth, where it is not recognised.", show_default=False),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write all scores as JSON; - prints them and nothing else.", show_default=False),
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write all scores as CSV.", show_default=False)] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", help="Folder for STORM-crops.png and STORM-spectra.png.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Write one page, NAME.html, that holds everything.", show_default=False),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "-m",
            help="The model that made the reconstruction, to tell of in the report.",
            show_default=False,
            autocompletion=model_names,
        ),
    ] = None,
    colours: Colours = "infrared",
    credit: Credit = "",
    baselines: Annotated[bool, typer.Option(help="Score nearest, bicubic and back-projected bicubic too.")] = True,
    chosen: Annotated[
        list[str] | None,
        typer.Option("--metrics", help="Score only these, such as rmse,lsd (may be repeated).", show_default=False),
    ] = None,
    overwrite: Overwrite = False,
    config: ConfigPath = None,
    overrides: Overrides = None,
) -> None:
    """Score a reconstruction against the truth, beside simple interpolation."""
    from tempogan_eddy.evaluation import Settings, combine
    from tempogan_eddy.evaluation import evaluate as score
    from tempogan_eddy.evaluation.matching import RECONSTRUCTED
    from tempogan_eddy.evaluation.report import as_json, table, to_csv, to_json

    others = _named_paths(compared)
    sources = [*truth, *reconstructed, *others.values(), *(lowres or []), *([model] if model else [])]
    _check_outputs(json_file, csv_file, report, overwrite, sources)
    metrics = _named_metrics(chosen, report)
    page = _page(model, colours, credit) if report else None
    drawings = _Drawings(figures, overwrite, sources) if figures else None
    # A program that reads the scores reads nothing else.
    people = sys.stderr if json_file == STANDARD_OUTPUT else sys.stdout
    data = settings(config, overrides, variable=variable, time_from=time_from).data
    cadence = _stated_cadence(data, config, overrides)
    results = []
    for name, truth_part, ours, lowres_part in read_pairs(
        truth, reconstructed, lowres, storm, time, input_format, data
    ):
        beside = {other: read_one_of(path, name, time, None, data) for other, path in others.items()}
        places = drawings.places(str(truth_part.attrs.get("sequence", name))) if drawings else None
        with frame_progress(f"evaluating {name}") as advance:
            result = score(
                truth_part,
                {RECONSTRUCTED: ours, **beside},
                lowres_part,
                sensor_scale=scale,
                baselines=baselines,
                cadence=cadence,
                time_tolerance=data.time_tolerance,
                settings=Settings(kelvin_range=data.kelvin_range),
                metrics=metrics,
                valid_kelvin=data.valid_kelvin,
                progress=advance,
            )
        results.append(result)
        _print(table(result), people)
        if places:
            _draw(places, overwrite, result, truth_part, ours, lowres_part, people)
        if page:
            with frame_progress(f"drawing {name}") as advance:
                page.add(result, truth_part, ours, lowres_part, advance)
    if len(results) > 1:
        results.append(combine(results))
        _print(table(results[-1]), people)
        if page:
            page.add_combined(results[-1])
    if json_file == STANDARD_OUTPUT:
        print(as_json(results))
    elif json_file:
        print(to_json(results, json_file, overwrite=overwrite))
    if csv_file:
        print(to_csv(results, csv_file, overwrite=overwrite), file=people)
    if page and report:
        print(page.save(report, overwrite=overwrite), file=people)


def _named_paths(texts: list[str] | None) -> dict[str, Path]:
    """Return the paths of texts such as ``faithful=plain.nc`` by name."""
    named: dict[str, Path] = {}
    for text in texts or []:
        name, equals, path = text.partition("=")
        if not (name and equals and path) or name in named:
            raise InputError(f"--compare {text} is not NAME=PATH with a name of its own, such as faithful=plain.nc.")
        named[name] = Path(path)
    return named


def _named_metrics(chosen: list[str] | None, report: Path | None) -> list[str] | None:
    """Return the names of a list such as ``rmse,lsd``; what is wrong with them shows before hours of scoring."""
    from tempogan_eddy.evaluation.metrics import choose_metrics

    if not chosen:
        return None
    if report is not None:
        raise InputError("The report shows all metrics; leave out --metrics or --report.")
    return [metric.name for metric in choose_metrics(name.strip() for text in chosen for name in text.split(","))]


def _stated_cadence(data: Any, config: Path | None, overrides: list[str] | None) -> str | None:
    """The cadence that somebody asked for; None for the default, which may give way to the data's own."""
    asked = any(text.partition("=")[0].strip() == "data.cadence" for text in overrides or [])
    written = config is not None and "cadence" in data.model_fields_set
    return data.cadence if asked or written or data.cadence != type(data)().cadence else None


def _check_outputs(
    json_file: Path | None, csv_file: Path | None, report: Path | None, overwrite: bool, sources: list[Path]
) -> None:
    """What is wrong with an output shows before hours of scoring."""
    from tempogan_eddy.display.report_page import check_name
    from tempogan_eddy.evaluation.report import SCORES, TABLE
    from tempogan_eddy.io.ownership import check_place

    for target, kind in ((json_file, SCORES), (csv_file, TABLE)):
        if target is not None and target != STANDARD_OUTPUT:
            check_place(target, kind, overwrite=overwrite, sources=sources)
    if report is not None:
        check_name(report, overwrite=overwrite, sources=sources)


def _page(model: Path | None, colours: str, credit: str) -> Any:
    """The page to collect storms for; what is wrong with the model shows before hours of scoring."""
    from tempogan_eddy.display.report_page import ReportPage
    from tempogan_eddy.inspection import model_facts

    return ReportPage(history(), model_facts(model) if model else {}, colours, credit)


class _Drawings:
    """Where figures go: under safe names, none twice in a command, over nothing but earlier figures."""

    def __init__(self, folder: Path, overwrite: bool, sources: list[Path]) -> None:
        self.folder, self.overwrite, self.sources = folder, overwrite, sources
        self.taken: set[str] = set()

    def places(self, storm: str) -> tuple[Path, Path]:
        """The files for the crops and the spectra of a storm."""
        from tempogan_eddy.display.figures import FIGURE
        from tempogan_eddy.io.names import safe_name
        from tempogan_eddy.io.ownership import check_place

        name = safe_name(storm, self.taken)
        self.taken.add(name.lower())
        crops, spectra = (self.folder / f"{name}-{what}.png" for what in ("crops", "spectra"))
        for place in (crops, spectra):
            check_place(place, FIGURE, overwrite=self.overwrite, sources=self.sources)
        return crops, spectra


def _draw(
    places: tuple[Path, Path], overwrite: bool, result: Any, truth: Any, ours: Any, lowres: Any, people: TextIO
) -> None:
    from tempogan_eddy.display.figures import save_crops, save_spectra

    crops, spectra = places
    shown = {"time": result.example_time, "time_tolerance": result.time_tolerance}
    print(save_crops(truth, ours, crops, lowres=lowres, overwrite=overwrite, **shown), file=people)
    if result.spectra is not None:
        print(save_spectra(result, spectra, overwrite=overwrite), file=people)


def _print(table: Any, people: TextIO) -> None:
    from rich.console import Console

    console = Console(file=people)
    # Redirected output has no width of its own.
    (console if console.is_terminal else Console(file=people, width=110)).print(table)
