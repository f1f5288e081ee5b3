"""What the page of an evaluation says once: what was run, the model, how to do it again, what the numbers mean."""

import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from tempogan_eddy import __version__
from tempogan_eddy.display.html import facts
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.history import MADE
from tempogan_eddy.io.json_text import parse_json, read_bounded

__all__ = [
    "glossary",
    "model_section",
    "reproduce_section",
    "run_section",
    "training_record",
    "wrapped",
]

SCORES_ID = "scores-json"
SCORES_START = f'<script type="application/json" id="{SCORES_ID}">'
SLASH = "<\\/"
NOT_RECORDED = "not recorded"
LINE = 96
LARGEST_PAGE = 1 << 30  # bytes; the pictures of a storm take some megabytes

GLOSSARY = {
    "RMSE, MAE, bias": "Reconstruction minus truth, over all valid pixels and frames.",
    "Cold RMSE": "The same where the truth is cold cloud.",
    "PSNR, SSIM": "Of kelvins with a fixed data range, never a range per frame.",
    "LSD of spectra": "Log-spectral distance: how far the radial power spectra lie apart, root mean square over "
    "wavenumbers.",
    "Energy > lowres Nyquist": "Power in detail that the input’s pixels cannot hold, over the truth’s. 0 dB is as much "
    "as the truth, −3 dB half of it.",
    "LSD of time differences": "The same distance, of each frame minus the one a cadence before: whether detail lasts "
    "and moves as it should.",
    "FSS": "Fractions skill score of “colder than”, in small neighbourhoods; 1 is perfect.",
    "tOF": "Mean length of the difference between the optical flow of the reconstruction and of the truth.",
    "LR consistency": "Area mean of the reconstruction minus its input; 0 means that nothing measured was changed.",
    "Baselines": "Nearest repeats pixels, bicubic interpolates, back-projected bicubic is bicubic shifted block by "
    "block until its means are the input. None of them learns anything. The edges of nearest’s blocks have about the "
    "right amount of fine energy, in the wrong places: read error and detail together.",
}


def training_record(model: Mapping[str, Any], attributes: Mapping[Any, Any]) -> list[str]:
    """What a model was trained on, as its file says, else as the reconstruction does; empty where neither tells."""
    if model.get("training_data"):
        return list(model["training_data"])
    text = str(attributes.get(f"{MADE}training_data", NOT_RECORDED))
    return [] if text == NOT_RECORDED else text.split("; ")


def run_section(command: str, inputs: Mapping[str, object]) -> str:
    """The command, when and with what it ran, and on which data."""
    rows = {
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "by": f"TempoGAN-Eddy {__version__}, Python {platform.python_version()}, {platform.system()}",
        **inputs,
    }
    return f'<section id="run"><h2>What was run</h2><pre>{escape(wrapped(command))}</pre>{facts(rows)}</section>'


def model_section(recorded: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """The model as the reconstruction records it, and as its file tells where that was given."""
    parts = ['<p class="quiet">The reconstruction does not say what made it.</p>']
    if recorded:
        rows = {
            key.removeprefix(MADE).replace("_", " "): value.split("; ") if isinstance(value, str) else value
            for key, value in recorded.items()
        }
        parts = ["<h3>As the reconstruction records it</h3>", facts(rows)]
    if model:
        parts += [f"<h3>As its file tells</h3><p>{_same_file(recorded, model)}</p>"]
        parts += [facts({key.replace("_", " "): value for key, value in model.items()})]
    parts.append("<p>Detail finer than the input’s pixels is plausible, not observed: do not use it for warnings.</p>")
    return f'<section id="model"><h2>The model and where it comes from</h2>{"".join(parts)}</section>'


def reproduce_section(commands: Sequence[str]) -> str:
    """Every command from the fine frames to this page, as files record them."""
    lines = [f"# with TempoGAN-Eddy {__version__}", *map(wrapped, commands)]
    steps = (
        "The commands that the reconstruction records, then the evaluation"
        if len(commands) > 1
        else "The reconstruction records no command, so only the evaluation is listed"
    )
    return (
        f'<section id="reproduce"><h2>How to reproduce it</h2><p>{steps}. Run them in one folder, with the data under '
        "the names that stand here; another engine or machine may change the last digits.</p>"
        f"<pre>{escape(chr(10).join(lines))}</pre>"
        "<p>All numbers of this page, with intervals and spectra, are in it as JSON, in the element "
        f"<code>{SCORES_ID}</code>; <code>tempogan-eddy info</code> on this file prints a digest.</p></section>"
    )


def scores_element(scores: str) -> str:
    """The scores, given as JSON, as an element that shows nothing."""
    # Within JSON a slash may be written so, and then nothing in it looks like the end of the element.
    return f"{SCORES_START}{scores.replace('</', SLASH)}</script>"


def read_scores(path: Path) -> list[Any]:
    """The scores that a page holds.

    Raises
    ------
    InputError
        The file is no such page, or damaged.
    """
    text = read_bounded(path, LARGEST_PAGE).decode(errors="replace")
    if SCORES_START not in text:
        raise InputError(f"{path} is no report of tempogan-eddy evaluate.")
    content = text.split(SCORES_START, 1)[1].split("</script>", 1)[0]
    try:
        storms = parse_json(content.replace(SLASH, "</"))["storms"]
    except (ValueError, TypeError, KeyError):
        storms = None
    if not isinstance(storms, list):
        raise InputError(f"The report {path} is damaged; write it anew.")
    return storms


def glossary() -> str:
    """The metrics in a line each."""
    entries = "".join(f"<dt>{escape(word)}</dt><dd>{escape(meaning)}</dd>" for word, meaning in GLOSSARY.items())
    return f'<section id="words"><h2>What the numbers mean</h2><dl>{entries}</dl></section>'


def wrapped(command: str) -> str:
    """A long command with an option a line, which a shell reads as the same command."""
    if len(command) <= LINE:
        return command
    lines = [""]
    for word in shlex.split(command):
        if word.startswith("-") and word != "-":
            lines.append("   ")
        lines[-1] += f" {shlex.quote(word)}"
    return " \\\n".join(lines).strip()


def _same_file(recorded: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    told = recorded.get(f"{MADE}model_sha256")
    if not told:
        return "The reconstruction records no fingerprint, so whether this file made it is not known."
    if told == model.get("sha256"):
        return "This file made the reconstruction: the fingerprints are equal."
    return "This is another file than the one that made the reconstruction: the fingerprints differ."
