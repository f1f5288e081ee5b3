"""Parts of the page of an evaluation: records of training and of the model, commands, scores that programs read."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.report import storms_in
from tempogan_eddy.io.files.json_text import read_bounded
from tempogan_eddy.io.writing.history import MADE

__all__ = ["SCORES_ID", "read_scores", "same_file", "scores_element", "training_record", "wrapped"]

SCORES_ID = "scores-json"
SCORES_START = f'<script type="application/json" id="{SCORES_ID}">'
SLASH = "<\\/"
NOT_RECORDED = "not recorded"
LINE = 96
LARGEST_PAGE = 1 << 30  # bytes; the pictures of a storm take some megabytes


def training_record(model: Mapping[str, Any], attributes: Mapping[Any, Any]) -> list[str]:
    """Return the training data of a model by its file, else by the reconstruction; empty if neither records it."""
    if model.get("training_data"):
        return list(model["training_data"])
    text = str(attributes.get(f"{MADE}training_data", NOT_RECORDED))
    return [] if text == NOT_RECORDED else text.split("; ")


def scores_element(scores: str) -> Markup:
    """Return scores in JSON as an invisible element."""
    # JSON allows an escaped slash, so no text in it can end the element.
    return Markup(f"{SCORES_START}{scores.replace('</', SLASH)}</script>")


def read_scores(path: Path) -> list[Any]:
    """Return the scores in a page; raise `InputError` if the file is not a page, or is damaged."""
    text = read_bounded(path, LARGEST_PAGE).decode(errors="replace")
    if SCORES_START not in text:
        raise InputError(f"{path} is no report of tempogan-eddy evaluate.")
    content = text.split(SCORES_START, 1)[1].split("</script>", 1)[0]
    storms = storms_in(content.replace(SLASH, "</"))
    if storms is None:
        raise InputError(f"The report {path} is damaged; write it anew.")
    return storms


def wrapped(command: str) -> str:
    """Break a long command for a shell into lines of one option."""
    if len(command) <= LINE:
        return command
    lines = [""]
    for word in shlex.split(command):
        if word.startswith("-") and word != "-":
            lines.append("   ")
        lines[-1] += f" {shlex.quote(word)}"
    return " \\\n".join(lines).strip()


def same_file(recorded: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """Return a sentence on whether a model file made the reconstruction, by the fingerprints."""
    fingerprint = recorded.get(f"{MADE}model_sha256")
    if not fingerprint:
        return "The reconstruction records no fingerprint, so whether this file made it is not known."
    if fingerprint == model.get("sha256"):
        return "This file made the reconstruction: the fingerprints are equal."
    return "This is another file than the one that made the reconstruction: the fingerprints differ."
