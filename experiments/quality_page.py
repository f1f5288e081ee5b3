"""The tables of the quality benchmark, on the screen and in docs/quality.md."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.quality_methods import EDDY, FAITHFUL, SHARPENED, order
from experiments.quality_scoring import Scored
from experiments.quality_targets import TARGETS, Target
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Evaluation, Metric, Score
from tempogan_eddy.io.aside import written_aside

__all__ = ["VERDICTS", "full_text", "page_text", "rewrite", "rows", "verdicts"]

BLOCK = re.compile(r"(<!-- tables -->\n).*?(<!-- end -->)", re.DOTALL)

# Metric, heading and format; mean error (bias), MAE and PSNR are in the JSON only.
COLUMNS = {
    "rmse": ("RMSE, K", ".2f"),
    "cold_rmse": ("cold RMSE, K", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "lsd": ("LSD, dB", ".2f"),
    "detail_energy": ("energy, dB", "+.2f"),
    "least_rmse": ("least RMSE, K", ".2f"),
    "excess": ("excess, %", ".1f"),
    "efficiency": ("efficiency", ".3f"),
    "gradient_distance": ("gradients, K/px", ".2f"),
    "coldest_bias": ("coldest pixel, K", "+.1f"),
    "detail_kurtosis": ("kurtosis", ".2f"),
    "detail_correlation": ("correlation", ".2f"),
    "grid_traces": ("traces, %", ".1f"),
    "lsd_hourly": ("hourly LSD, dB", ".2f"),
    "fss_225": ("FSS 225 K", ".3f"),
    "fss_241": ("FSS 241 K", ".3f"),
    "tof": ("tOF, px", ".2f"),
    "consistency_max": ("LR max, K", ".0e"),
}

# What the user's page shows; the full tables show everything.
PAGE_COLUMNS = ("rmse", "excess", "efficiency", "cold_rmse", "coldest_bias", "detail_kurtosis", "lsd", "detail_energy")
PAGE_COLUMNS += ("grid_traces", "lsd_hourly", "fss_225", "tof")
PAGE_METHODS = ("nearest", "bicubic", "back-projected bicubic", FAITHFUL, SHARPENED, EDDY)

VERDICTS = {
    "model": ("", ""),
    "target": ("target", ""),
    "limit": ("", ""),
    "value": ("reached", ".3g"),
    "met": ("", ""),
}


def rows(evaluation: Evaluation) -> tuple[list[dict[str, Any]], dict[str, tuple[str, str]]]:
    """Scores and columns of one storm for `report.table`."""
    scores = {method: evaluation.scores[method] for method in order(evaluation.scores)}
    lines = [{"method": method, **{name: by[name].value for name in COLUMNS}} for method, by in scores.items()]
    return lines, {"method": ("", ""), **COLUMNS}


def verdicts(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Every target with what was reached and whether that is enough."""
    found = []
    for target in TARGETS:
        value = target.measure(evaluation).value
        told = {"model": target.method, "target": target.label, "limit": target.limit}
        met = "met" if target.met(value) else "not met"
        found.append(told | {"value": value if math.isfinite(value) else None, "met": met})
    return found


def page_text(
    scored: Sequence[Scored],
    evaluations: Sequence[Evaluation],
    details: Mapping[str, float],
    result: Mapping[str, Any],
) -> str:
    """Return the short tables for the user's page: the targets by storm, and the main methods over all storms.

    Parameters
    ----------
    evaluations
        The storms, and last all of them together.
    details
        Interpolation weights of the methods.
    result
        With `date`, `minutes` and the description of the `models`.
    """
    pooled = evaluations[-1]
    parts = [_measured(result), "### Targets", _targets(evaluations), "### All sequences together"]
    parts += [f"{_counts(pooled).capitalize()}.", _scores(pooled, details, PAGE_COLUMNS, PAGE_METHODS)]
    return "\n\n".join(parts)


def full_text(
    scored: Sequence[Scored],
    evaluations: Sequence[Evaluation],
    details: Mapping[str, float],
    result: Mapping[str, Any],
) -> str:
    """Return every score of every storm as tables; parameters as for `page_text`."""
    parts = ["# Scores of the released models", _measured(result)]
    for one in scored:
        first, last = one.hours
        told = f"{first} to {last}: {_counts(one.evaluation)}. The models saw {one.storm.seen}."
        parts += [f"## {one.storm.title}", told, _scores(one.evaluation, details, tuple(COLUMNS))]
    pooled = evaluations[-1]
    parts += ["## All sequences together", f"{_counts(pooled).capitalize()}.", _scores(pooled, details, tuple(COLUMNS))]
    return "\n\n".join(parts) + "\n"


def _measured(result: Mapping[str, Any]) -> str:
    sizes = " and ".join(f"{name} ({model['size']}, step {model['step']})" for name, model in result["models"].items())
    return f"Measured on {result['date']} in {result['minutes']:g} minutes with {sizes}."


def rewrite(page: Path, text: str) -> None:
    """Put new text between the markers of a page.

    Raises
    ------
    InputError
        If the page or its markers are missing.
    """
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    new, found = BLOCK.subn(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", old)
    if found != 1:
        raise InputError(
            f"{page} has no place for tables; write <!-- tables --> and <!-- end --> on lines of their own."
        )
    with written_aside(page, None) as aside:
        aside.write_text(new, encoding="utf-8")


def _counts(evaluation: Evaluation) -> str:
    return f"frames {evaluation.frames}, hourly pairs {evaluation.pairs}, blocks of hours {evaluation.time_blocks}"


def _targets(evaluations: Sequence[Evaluation]) -> str:
    """What was meant to be reached, storm by storm and together, and a sentence on what was not."""
    lines = [["model", "target", "limit", *(evaluation.storm for evaluation in evaluations)]]
    for target in TARGETS:
        cells = [_verdict(target, target.measure(evaluation)) for evaluation in evaluations]
        lines.append([target.method, target.label, target.limit, *cells])
    summary = [_summary(evaluation) for evaluation in evaluations]
    return _table(lines) + "\n\n" + "\n".join(f"- {line}" for line in summary)


def _summary(evaluation: Evaluation) -> str:
    found = verdicts(evaluation)
    missed = [f"{told['model']} {told['target']}" for told in found if told["met"] != "met"]
    ending = f" **Not met:** {'; '.join(missed)}." if missed else ""
    return f"{evaluation.storm}: {len(found) - len(missed)} of {len(found)} targets are met.{ending}"


def _verdict(target: Target, score: Score) -> str:
    return f"{_cell(score, target.form)}<br>{'met' if target.met(score.value) else '**not met**'}"


def _scores(
    evaluation: Evaluation,
    details: Mapping[str, float],
    columns: Sequence[str],
    methods: Sequence[str] | None = None,
) -> str:
    """Methods of one storm, a row each; the best as printed is bold."""
    metrics = {metric.name: metric for metric in evaluation.metrics}
    shown = [method for method in order(evaluation.scores) if methods is None or method in methods]
    best = {name: _best(evaluation, metrics[name], COLUMNS[name][1], shown) for name in columns}
    lines = [["", *(f"{COLUMNS[name][0]} {metrics[name].arrow}" for name in columns)]]
    for method in shown:
        scores = evaluation.scores[method]
        cells = [_cell(scores[name], COLUMNS[name][1], best[name]) for name in columns]
        lines.append([_named(method, details), *cells])
    return _table(lines)


def _best(evaluation: Evaluation, metric: Metric, form: str, methods: Sequence[str]) -> set[str]:
    """Return how the best score is printed; nothing if all print alike."""
    values = [evaluation.scores[method][metric.name].value for method in methods]
    costs = {_text(value, form): metric.cost(float(_text(value, form))) for value in values if math.isfinite(value)}
    return {text for text, cost in costs.items() if cost == min(costs.values())} if len(costs) > 1 else set()


def _cell(score: Score, form: str, best: set[str] | None = None) -> str:
    if math.isnan(score.value):
        return "–"
    value = _text(score.value, form)
    value = f"**{value}**" if best and value in best else value
    if math.isnan(score.low):
        return value
    return f"{value}<br><sub>{_text(score.low, form)} … {_text(score.high, form)}</sub>"


def _text(value: float, form: str) -> str:
    return "0" if value == 0 else format(value, form)


def _named(method: str, details: Mapping[str, float]) -> str:
    if method == EDDY:
        return f"**{EDDY}** (interpolation weight {details[EDDY]:g})"
    return f"**{method}**" if method == FAITHFUL else method


def _table(lines: Sequence[Sequence[str]]) -> str:
    first, *others = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([first, "|" + " --- |" * len(lines[0]), *others])
