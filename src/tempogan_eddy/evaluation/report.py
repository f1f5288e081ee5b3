"""Scores for people (a table) and for programs (JSON, CSV)."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from tempogan_eddy.evaluation.bootstrap import MINIMUM_BLOCKS, Score
from tempogan_eddy.evaluation.by_kelvin import error_by_kelvin
from tempogan_eddy.evaluation.metrics import Metric
from tempogan_eddy.evaluation.result import Evaluation
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.files.json_text import parse_json, read_bounded
from tempogan_eddy.io.ownership import Kind, is_mark, mark
from tempogan_eddy.wording import count

__all__ = [
    "LARGEST_SCORES",
    "SCORES",
    "TABLE",
    "as_dict",
    "as_json",
    "as_text",
    "best",
    "caption",
    "number",
    "storms_in",
    "table",
    "to_csv",
    "to_json",
]

DASH = "–"
COLUMNS = ("storm", "method", "metric", "unit", "value", "low", "high")
DECIMALS = {"K": 3, "dB": 2, "px": 3, "1": 4, "%": 1, "K/px": 3}

LARGEST_SCORES = 256 << 20  # bytes; a storm has some ten thousands


def table(evaluation: Evaluation) -> Table:
    """Lay out an evaluation for a terminal of 100 columns: metrics down, methods across.

    Under each value stands its interval; the best method of a row is bold.
    """
    result = Table(
        title=f"{evaluation.storm}: {evaluation.scale}x reconstruction against the truth",
        caption=caption(evaluation),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    result.add_column("metric", max_width=22)
    result.add_column("unit")
    for method in evaluation.scores:
        result.add_column(method, justify="right", max_width=15)
    for metric in evaluation.informative_metrics:
        scores = [by_metric[metric.name] for by_metric in evaluation.scores.values()]
        winners = best(metric, scores)
        cells = [_cell(metric, score, index in winners) for index, score in enumerate(scores)]
        unit = "" if metric.unit == "1" else metric.unit
        result.add_row(metric.label, f"{unit:2} {metric.arrow}", *cells)
    return result


def as_text(evaluation: Evaluation) -> str:
    """Return `table` as plain text of at most 110 columns."""
    console = Console(file=io.StringIO(), width=110, color_system=None)
    with console.capture() as captured:
        console.print(table(evaluation))
    return captured.get().rstrip()


def to_json(evaluations: Sequence[Evaluation], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write `as_json` to a file; ``overwrite`` overwrites even a file of another program."""
    return _write(Path(path), as_json(evaluations) + "\n", SCORES, overwrite)


def as_json(evaluations: Sequence[Evaluation]) -> str:
    """Return evaluations with their settings and mean spectra as JSON; undefined values are null."""
    content = {"maker": mark("scores"), "storms": [as_dict(e) for e in evaluations]}
    return json.dumps(content, indent=2, ensure_ascii=False)


def _is_scores(path: Path) -> bool:
    """Return whether `to_json` wrote a file; earlier releases left no mark, but no other file has these keys."""
    content = parse_json(read_bounded(path, LARGEST_SCORES))
    if "maker" in content:
        return is_mark(content["maker"], "scores")
    keys = {"storm", "frames", "left_out", "settings", "metrics", "scores"}
    return bool(content["storms"]) and all(keys <= storm.keys() for storm in content["storms"])


def _is_table(path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        return file.readline(200).rstrip("\r\n") == ",".join(COLUMNS)


SCORES = Kind("scores in JSON", _is_scores)
TABLE = Kind("a table of scores", _is_table)


def storms_in(text: str | bytes) -> list[Any] | None:
    """Return the storms of a text by `as_json`; None for another text."""
    try:
        storms = parse_json(text)["storms"]
    except (ValueError, TypeError, KeyError):
        return None
    return storms if isinstance(storms, list) else None


def to_csv(evaluations: Sequence[Evaluation], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write one line for each storm, method and metric; undefined values are empty.

    ``overwrite`` overwrites even a file of another program.
    """
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(COLUMNS)
    for evaluation in evaluations:
        for method, scores in evaluation.scores.items():
            for metric in evaluation.metrics:
                score = scores[metric.name]
                numbers = ["" if math.isnan(n) else repr(n) for n in (score.value, score.low, score.high)]
                writer.writerow([evaluation.storm, method, metric.name, metric.unit, *numbers])
    return _write(Path(path), lines.getvalue(), TABLE, overwrite)


def caption(evaluation: Evaluation) -> str:
    """Return the basis of a table's numbers: frames, ranges, intervals; one sentence or two a line."""
    settings, metrics = evaluation.settings, " ".join(metric.name for metric in evaluation.metrics)
    left_out = ", ".join(f"{count} {name}" for name, count in evaluation.left_out.items() if count)
    low, high = settings.kelvin_range
    ranges = {
        "psnr": f"PSNR and SSIM: data range {settings.data_range:g} K ({low:g}-{high:g} K).",
        "fss": f"FSS: {settings.fss_neighbourhood}x{settings.fss_neighbourhood} pixels.",
        "tof": "tOF: {:g}-{:g} K in 8 bits.".format(*settings.flow_range),
    }
    lines = [
        f"{count(evaluation.frames, 'frame')}, {count(evaluation.pairs, 'pair')} {evaluation.cadence} apart; "
        f"{evaluation.missing:.1%} of the pixels missing; frames left out: {left_out or 'none'}.",
        " ".join(text for name, text in ranges.items() if name in metrics),
        f"Sensor: {evaluation.sensor.text}." if evaluation.sensor else "",
        f"Least RMSE, and efficiency: relative to {evaluation.regression}." if evaluation.regression else "",
        _about_intervals(evaluation),
    ]
    shown = evaluation.informative_metrics
    if dead := [metric.label for metric in evaluation.metrics if metric not in shown]:
        lines.append(f"Not shown, as 0 wherever a reconstruction keeps its input: {'; '.join(dead)}.")
    return "\n".join(filter(None, lines))


def _about_intervals(evaluation: Evaluation) -> str:
    settings, blocks = evaluation.settings, evaluation.time_blocks
    if blocks < MINIMUM_BLOCKS:
        within = "one block" if blocks == 1 else f"{blocks} blocks"
        return (
            f"No intervals: all frames lie within {within} of {settings.block}, and an interval needs {MINIMUM_BLOCKS}."
        )
    few = any(_lacks_interval(score) for scores in evaluation.scores.values() for score in scores.values())
    return (
        f"Below each value: {settings.confidence:.0%} interval, {settings.resamples} resamples of {blocks} blocks of "
        f"{settings.block}" + (f"; none that rests on fewer than {MINIMUM_BLOCKS} of them." if few else ".")
    )


def _lacks_interval(score: Score) -> bool:
    """Return whether a value has too few blocks for an interval."""
    return math.isfinite(score.value) and score.blocks < MINIMUM_BLOCKS


def best(metric: Metric, scores: Sequence[Score]) -> set[int]:
    """Return which scores are best as printed (several, if they print alike)."""
    decimals = DECIMALS.get(metric.unit, 3)
    costs = [round(metric.cost(round(score.value, decimals)), decimals) for score in scores]
    known = [cost for cost in costs if not math.isnan(cost)]
    return {i for i, cost in enumerate(costs) if cost == min(known)} if len(known) > 1 else set()


def _cell(metric: Metric, score: Score, best: bool) -> str:
    value = number(score.value, metric)
    if best:
        value = f"[bold]{value}[/bold]"
    if math.isnan(score.low):
        return value
    return f"{value}\n[dim]{number(score.low, metric)} … {number(score.high, metric)}[/dim]"


def number(value: float, metric: Metric) -> str:
    """Format a value with the decimals of its unit; a dash if it is undefined."""
    if math.isnan(value):
        return DASH
    decimals = DECIMALS.get(metric.unit, 3)
    if metric.better == "lower" and 0 < value < 0.5 * 10.0**-decimals:
        return f"{value:.0e}"
    # Adding zero turns -0.0 into 0.0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("inf", "∞")


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as JSON values; undefined values are None."""
    spectra, time = evaluation.spectra, evaluation.example_time
    return {
        "storm": evaluation.storm,
        "frames": evaluation.frames,
        "pairs": evaluation.pairs,
        "missing": evaluation.missing,
        "left_out": evaluation.left_out,
        "scale": evaluation.scale,
        "sensor": evaluation.sensor.text if evaluation.sensor else None,
        "regression": evaluation.regression or None,
        "cadence": evaluation.cadence,
        "time_blocks": evaluation.time_blocks,
        "example_time": None if time is None else str(np.datetime_as_string(time, unit="s")),
        "settings": asdict(evaluation.settings) | {"data_range": evaluation.settings.data_range},
        "metrics": {m.name: {"label": m.label, "unit": m.unit, "better": m.better} for m in evaluation.metrics},
        "scores": {method: _scores_as_dict(scores) for method, scores in evaluation.scores.items()},
        "error_by_kelvin": [
            {key: value if isinstance(value, float) else _scores_as_dict(value) for key, value in vars(part).items()}
            for part in error_by_kelvin(evaluation)
        ],
        "spectra": None
        if spectra is None
        else {
            "wavenumber": spectra.wavenumber.tolist(),
            "coarse_nyquist": spectra.lowres_nyquist,
            "power": {name: power.tolist() for name, power in spectra.power.items()},
        },
    }


def _scores_as_dict(scores: Mapping[str, Score]) -> dict[str, dict[str, Any]]:
    return {name: _score_as_dict(score) for name, score in scores.items()}


def _score_as_dict(score: Score) -> dict[str, Any]:
    numbers = {"value": score.value, "low": score.low, "high": score.high}
    entry: dict[str, Any] = {key: number if math.isfinite(number) else None for key, number in numbers.items()}
    if math.isinf(score.value):
        entry["reason"] = "infinite"
    elif _lacks_interval(score):
        entry["reason"] = f"no interval: {count(score.blocks, 'block')} of time, and {MINIMUM_BLOCKS} are needed"
    return entry


def _write(path: Path, text: str, kind: Kind, overwrite: bool) -> Path:
    with written_aside(path, kind, overwrite=overwrite) as aside:
        aside.write_text(text, encoding="utf-8")
    return path
