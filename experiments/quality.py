"""How well the released models rebuild storms that they were not trained on, beside interpolation.

    python -m experiments.quality [--frames 24] [--docs] [--faithful PATH] [--eddy PATH] [--regression PATH]

Prints the scores, writes all of them as JSON and draws the figures. docs/quality.md says what they mean.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.paths import DATA, ROOT
from benchmarks.report import console, rounded, table
from experiments import quality_figures as figures
from experiments.quality_methods import EDDY, FAITHFUL, load_detail, load_networks
from experiments.quality_page import VERDICTS, full_text, page_text, rewrite, rows, verdicts
from experiments.quality_scoring import Scored, hour, score
from experiments.quality_storms import STORMS, Storm
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Evaluation, combine
from tempogan_eddy.evaluation.report import as_dict
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.weights import Model


def main() -> None:
    """Score, print, write."""
    options = parse()
    try:
        run(STORMS, options)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


def run(storms: Sequence[Storm], options: argparse.Namespace) -> None:
    """Score all storms, each told of as soon as it is done, then print and write."""
    screen, begun = console(), time.monotonic()
    detail = load_detail(options.faithful, options.eddy, options.detail)
    networks = load_networks(detail, options.regression, options.device)
    scored = []
    for storm in storms:
        scored.append(score(storm, options.data, options.frames, networks))
        screen.print(f"{storm.title}: {scored[-1].evaluation.frames} frames, {_minutes(begun):.1f} minutes so far")
    evaluations = [one.evaluation for one in scored]
    evaluations.append(combine(evaluations))
    draw(scored, evaluations, networks.details, options.images)
    for evaluation in evaluations:
        screen.print(table(evaluation.storm, *rows(evaluation)))
        screen.print(table(f"{evaluation.storm}: targets", verdicts(evaluation), VERDICTS))
    result = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "minutes": round(_minutes(begun), 1)}
    result |= {"models": {FAITHFUL: _described(detail.faithful), EDDY: _described(detail.full)}}
    write(result | rounded(_scores(scored, evaluations, networks.details)), options.output)
    if options.docs:
        rewrite(options.page, page_text(scored, evaluations, networks.details, result))
        with written_aside(options.output.with_suffix(".md"), None) as aside:
            aside.write_text(full_text(scored, evaluations, networks.details, result), encoding="utf-8")
    screen.print(f"{result['minutes']} minutes; written to {options.output} and {options.images}", soft_wrap=True)


def draw(
    scored: Sequence[Scored], evaluations: Sequence[Evaluation], details: Mapping[str, float], folder: Path
) -> None:
    """Write all figures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = {one.storm.title: one.curves for one in scored}
    centred = [one for one in scored if one.profile]
    rows = {f"{one.storm.title}\n{hour(one.evaluation.example_time)}": one.panels for one in centred}
    figures.crops(rows, evaluations[0].scale, folder / "quality-crops.png")
    figures.spectra(evaluations[:-1], folder / "quality-spectra.png")
    figures.errors(evaluations[:-1], folder / "quality-errors.png")
    figures.reliability(curves, folder / "quality-reliability.png")
    figures.profiles([one.profile for one in centred], folder / "quality-profiles.png")
    figures.detail(evaluations, details, folder / "quality-detail.png")


def write(result: Mapping[str, Any], path: Path) -> None:
    """Write the results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path, None) as aside:
        aside.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _minutes(begun: float) -> float:
    return (time.monotonic() - begun) / 60


def _described(model: Model) -> dict[str, Any]:
    size = model.specification.network
    told = {key: model.metadata.get(key) for key in ("version", "step", "training_data")}
    return {"size": f"{size.blocks}x{size.channels}", **told}


def _scores(
    scored: Sequence[Scored], evaluations: Sequence[Evaluation], details: Mapping[str, float]
) -> dict[str, Any]:
    """Everything but the spectra, which the figure shows."""
    return {
        "details": dict(details),
        "storms": {one.storm.title: {"hours": one.hours, "seen": one.storm.seen} for one in scored},
        "targets": {evaluation.storm: verdicts(evaluation) for evaluation in evaluations},
        "scores": [{key: value for key, value in as_dict(one).items() if key != "spectra"} for one in evaluations],
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=_frames, default=24, help="hours of each storm with most cold cloud, or all")
    parser.add_argument("--faithful", type=Path, help="model file instead of the released one")
    parser.add_argument("--eddy", type=Path, help="the same, trained to the full tempoGAN")
    parser.add_argument("--detail", type=float, help="interpolation weight of eddy; what its file says, if not given")
    parser.add_argument("--regression", type=Path, help="a plain regression network to score beside them")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--docs", action="store_true", help="put short tables into the page, full ones beside the JSON")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real frames")
    parser.add_argument("--output", type=Path, default=ROOT / "experiments" / "results" / "quality.json")
    parser.add_argument("--images", type=Path, default=ROOT / "docs" / "images", help="folder of the figures")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "quality.md", help="where --docs writes")
    return parser.parse_args(arguments)


def _frames(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text} is neither all nor a number above 1")
    return int(text)


if __name__ == "__main__":
    main()
