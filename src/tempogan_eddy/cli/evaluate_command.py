"""The command that scores a reconstruction: a table, JSON, CSV, figures, and a page with all of it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tempogan_eddy.cli import options
from tempogan_eddy.cli.files import history, read_one_of, read_pairs
from tempogan_eddy.cli.progress import frame_progress
from tempogan_eddy.errors import InputError
from tempogan_eddy.missing import refuse_missing

__all__ = ["evaluate"]

STANDARD_OUTPUT = Path("-")


def _existing_named(texts: list[str] | None) -> list[str] | None:
    refuse_missing(_named_paths(texts).values())
    return texts


def evaluate(
    truth: Annotated[
        list[Path],
        typer.Option(
            callback=options.existing,
            help="The true highres sequence, or a pattern (may be repeated).",
        ),
    ],
    reconstructed: Annotated[
        list[Path],
        typer.Option(
            callback=options.existing,
            help="The reconstruction, or a pattern (may be repeated).",
        ),
    ],
    lowres: Annotated[
        list[Path] | None,
        typer.Option(
            "--lowres",
            callback=options.existing,
            help="The lowres input (may be repeated); made from the truth where left out.",
        ),
    ] = None,
    compared: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="NAME=PATH",
            callback=_existing_named,
            help="Score another reconstruction beside it, under a name (may be repeated).",
        ),
    ] = None,
    storm: options.Storm = None,
    time: options.Time = None,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    scale: options.Scale = None,
    sensor: Annotated[
        str | None,
        typer.Option(help="How the lowres was seen: seviri, or gaussian,fwhm=1.0; else as its file states, or area."),
    ] = None,
    input_format: Annotated[
        options.FormatName | None, typer.Option(help="Format of the truth, where it is not recognised.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all scores as JSON; - prints them and nothing else.")
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write all scores as CSV.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for STORM-crops.png and STORM-spectra.png.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write one page, NAME.html, that holds everything.")] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "-m",
            help="The model that made the reconstruction; the report describes it.",
            autocompletion=options.model_names,
        ),
    ] = None,
    colours: options.Colours = "infrared",
    credit: options.Credit = "",
    baselines: Annotated[bool, typer.Option(help="Score simple restorations too, up to the Wiener filter.")] = True,
    regression: Annotated[
        str | None,
        typer.Option(
            help="To what the least RMSE is relative: a name of --compare, a baseline or a model; faithful by default."
        ),
    ] = None,
    chosen: Annotated[
        list[str] | None, typer.Option("--metrics", help="Score only these, such as rmse,lsd (may be repeated).")
    ] = None,
    dask: options.Dask = None,
    overwrite: options.Overwrite = False,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
) -> None:
    """Score a reconstruction against the truth."""
    from tempogan_eddy.device import keep_freed_memory
    from tempogan_eddy.evaluation import Settings, combine
    from tempogan_eddy.evaluation import evaluate as score
    from tempogan_eddy.evaluation.matching import RECONSTRUCTED
    from tempogan_eddy.evaluation.report import as_json, table, to_csv, to_json
    from tempogan_eddy.io.workers import Workers
    from tempogan_eddy.terminal import results_console

    others = _named_paths(compared, RECONSTRUCTED)
    sources = [*truth, *reconstructed, *others.values(), *(lowres or []), *([model] if model else [])]
    _check_outputs(json_file, csv_file, report, overwrite, sources)
    metrics = _named_metrics(chosen, report)
    page = _page(model, colours, credit) if report else None
    drawings = _Drawings(figures, overwrite, sources) if figures else None
    # JSON for a program stands alone on standard output.
    people = sys.stderr if json_file == STANDARD_OUTPUT else sys.stdout
    console = results_console(people)
    data = options.reading(config, overrides, "kelvin_range", variable=variable, select=select, time_from=time_from)
    cadence = _stated_cadence(data, config, overrides)
    results = []
    pairs = read_pairs(truth, reconstructed, lowres, storm, time, input_format, data)
    keep_freed_memory()
    with Workers.entered(dask) as workers:
        for name, truth_part, ours, lowres_part in pairs:
            beside = {other: read_one_of(path, name, time, None, data) for other, path in others.items()}
            places = drawings.places(str(truth_part.attrs.get("sequence", name))) if drawings else None
            with frame_progress(f"evaluating {name}") as advance:
                try:
                    result = score(
                        truth_part,
                        {RECONSTRUCTED: ours, **beside},
                        lowres_part,
                        sensor_scale=scale,
                        sensor=sensor,
                        baselines=baselines,
                        regression=regression,
                        cadence=cadence,
                        time_tolerance=data.time_tolerance,
                        settings=Settings(kelvin_range=data.kelvin_range),
                        metrics=metrics,
                        valid_kelvin=data.valid_kelvin,
                        progress=advance,
                        dask=workers,
                    )
                except InputError as error:
                    raise InputError(f"{name}: {error}") from error
            results.append(result)
            console.print(table(result))
            if drawings and places:
                print(*drawings.draw(places, result, truth_part, ours, lowres_part, beside), sep="\n", file=people)
            if page:
                with frame_progress(f"drawing {name}") as advance:
                    page.add(result, truth_part, ours, lowres_part, advance, beside)
    if len(results) > 1:
        results.append(combine(results))
        console.print(table(results[-1]))
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


def _page(model: Path | None, colours: str, credit: str) -> Any:
    """Return the empty report; a damaged model or a missing extra fails here, before hours of scoring."""
    from tempogan_eddy.display.report_page import ReportPage
    from tempogan_eddy.inspection import model_facts

    return ReportPage(history(), model_facts(model) if model else {}, colours, credit)


def _named_paths(texts: list[str] | None, *taken: str) -> dict[str, Path]:
    """Return the paths of texts such as ``faithful=plain.nc`` by name, which must not be taken."""
    named: dict[str, Path] = {}
    for text in texts or []:
        name, equals, path = text.partition("=")
        if not (name and equals and path) or name in {*named, *taken}:
            raise InputError(f"--compare {text} is not NAME=PATH with a name of its own, such as faithful=plain.nc.")
        named[name] = Path(path)
    return named


def _named_metrics(chosen: list[str] | None, report: Path | None) -> list[str] | None:
    """Return the names of a list such as ``rmse,lsd``; check them before hours of scoring."""
    from tempogan_eddy.evaluation.metrics import choose_metrics

    if not chosen:
        return None
    if report is not None:
        raise InputError("The report shows all metrics; leave out --metrics or --report.")
    return [metric.name for metric in choose_metrics(name.strip() for text in chosen for name in text.split(","))]


def _stated_cadence(data: Any, config: Path | None, overrides: list[str] | None) -> str | None:
    """Return the cadence that the user set; None for the default, which the step of the data may replace."""
    asked = any(text.partition("=")[0].strip() == "data.cadence" for text in overrides or [])
    written = config is not None and "cadence" in data.model_fields_set
    return data.cadence if asked or written or data.cadence != type(data)().cadence else None


def _check_outputs(
    json_file: Path | None, csv_file: Path | None, report: Path | None, overwrite: bool, sources: list[Path]
) -> None:
    """Check the outputs before hours of scoring."""
    from tempogan_eddy.evaluation.report import SCORES, TABLE
    from tempogan_eddy.io.ownership import check_place

    for target, kind in ((json_file, SCORES), (csv_file, TABLE)):
        if target is not None and target != STANDARD_OUTPUT:
            check_place(target, kind, overwrite=overwrite, sources=sources)
    if report is not None:
        from tempogan_eddy.display.report_page import check_name

        check_name(report, overwrite=overwrite, sources=sources)


class _Drawings:
    """Files of figures: safe names, none twice in a command, overwriting only earlier figures."""

    def __init__(self, folder: Path, overwrite: bool, sources: list[Path]) -> None:
        from tempogan_eddy.display import figures  # needs an extra, so it is imported before hours of scoring

        self.figures = figures
        self.folder, self.overwrite, self.sources = folder, overwrite, sources
        self.taken: set[str] = set()

    def places(self, storm: str) -> tuple[Path, Path]:
        """Return the files for the crops and the spectra of a storm."""
        from tempogan_eddy.io.files.names import safe_name
        from tempogan_eddy.io.ownership import check_place

        name = safe_name(storm, self.taken)
        self.taken.add(name.lower())
        crops, spectra = (self.folder / f"{name}-{what}.png" for what in ("crops", "spectra"))
        for place in (crops, spectra):
            check_place(place, self.figures.FIGURE, overwrite=self.overwrite, sources=self.sources)
        return crops, spectra

    def draw(
        self, places: tuple[Path, Path], result: Any, truth: Any, ours: Any, lowres: Any, beside: Any
    ) -> list[Path]:
        """Draw the crops and, if they are known, the spectra of a storm."""
        shown: Any = {"time": result.example_time, "time_tolerance": result.time_tolerance, "sensor": result.sensor}
        shown |= {"overwrite": self.overwrite}
        drawn = [self.figures.save_crops(truth, ours, places[0], lowres=lowres, beside=beside, **shown)]
        if result.spectra is None:
            return drawn
        return [*drawn, self.figures.save_spectra(result, places[1], overwrite=self.overwrite)]
