"""An evaluation in plain sentences, and its numbers and times as text."""

from collections.abc import Sequence
from math import floor, log10

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Evaluation, Score
from tempogan_eddy.evaluation.lacking import lacking
from tempogan_eddy.evaluation.matching import RECONSTRUCTED
from tempogan_eddy.io.sequence import times_within
from tempogan_eddy.io.times.cadence import minutes
from tempogan_eddy.wording import count

__all__ = ["minus", "minute_text", "summary", "training_overlap"]

Times = NDArray[np.datetime64]

COMPARED = ("bicubic", "Wiener filter")


def summary(evaluation: Evaluation) -> list[str]:
    """Return the scores as sentences: error, members, detail, motion, agreement with the input, lacking pixels."""
    scores = evaluation.scores[RECONSTRUCTED]
    rmse = scores["rmse"]
    sentences = [
        f"Over {count(evaluation.frames, 'frame')} of {evaluation.storm} the {evaluation.scale}× reconstruction "
        f"is {rmse.value:.2f} K off the truth (RMSE{_interval(rmse)})" + _comparisons(evaluation) + "."
    ]
    sentences += _ensemble(evaluation)
    energy = {method: by_metric["detail_energy"].value for method, by_metric in evaluation.scores.items()}
    if np.isfinite(energy[RECONSTRUCTED]):
        others = [f"{name} {_percent(energy[name])}" for name in COMPARED if name in energy]
        sentences.append(
            f"Of the truth’s energy in detail finer than the input’s pixels it has {_percent(energy[RECONSTRUCTED])}"
            + (f" ({', '.join(others)})." if others else ".")
        )
    motion = {method: by_metric["tof"].value for method, by_metric in evaluation.scores.items()}
    if np.isfinite(motion[RECONSTRUCTED]):
        other = f" (bicubic: {motion['bicubic']:.2f} px)" if "bicubic" in motion else ""
        sentences.append(
            f"Over {evaluation.cadence} its motion differs from the truth’s by {motion[RECONSTRUCTED]:.2f} px{other}."
        )
    if np.isfinite(worst := scores["consistency_max"].value):
        sentences.append(f"Seen by the sensor it differs from the input by at most {_small(worst)} K.")
    if sentence := lacking(evaluation.sums, RECONSTRUCTED):
        sentences.append(sentence)
    return sentences


def _ensemble(evaluation: Evaluation) -> list[str]:
    """Return what the members are worth together: one of them alone errs more than a smooth frame, if calibrated."""
    scores = evaluation.scores[RECONSTRUCTED]
    if "spread_skill" not in scores:
        return []
    spread, crps, ratio = (scores[name].value for name in ("spread_skill", "crps", "crps_ratio"))
    beside = f", {ratio:.2f} times the mean error of {evaluation.regression}" if np.isfinite(ratio) else ""
    return [
        f"That is an average member; all together have a CRPS of {crps:.2f} K{beside}, and a spread of {spread:.2f} "
        "times the error of their mean."
    ]


def training_overlap(record: Sequence[str], storm: str, times: Times) -> tuple[int | None, str]:
    """Count the evaluated frames that the model was trained on, and describe the count in a sentence.

    The record is the model's ``training_data``: ``STORM START/END``, both ends included. The count is None if the
    record does not decide it.
    """
    if not record:
        return None, "The model does not record what it was trained on: whether these hours are held out is not known."
    seen, others = np.zeros(len(times), bool), list[str]()
    for entry in record:
        name, _, interval = entry.rpartition(" ")
        try:
            same_time = times_within(times, interval)
        except InputError:
            return None, f"The model’s record of its training data ({entry}) cannot be read."
        if name == storm or name.endswith(f"_{storm}"):
            seen |= same_time
        elif same_time.any():
            others.append(name)
    seen_frames = int(seen.sum())
    if not seen_frames and others:
        return None, (
            f"The model was trained on hours of {', '.join(others)} at these times: whether they are the same frames "
            "under another name is not known."
        )
    if not seen_frames:
        return 0, "Held out: the model was trained on none of these frames."
    return seen_frames, (
        f"Not held out: the model was trained on {seen_frames} of these {count(len(times), 'frame')}, so these scores "
        "do not tell how it does on new storms."
    )


def _comparisons(evaluation: Evaluation) -> str:
    words = []
    for method in COMPARED:
        if method not in evaluation.scores:
            continue
        gap = evaluation.difference("rmse", RECONSTRUCTED, method)
        size = f"{abs(gap.value):.2f} K {'less' if gap.value < 0 else 'more'} than {method}"
        low, high = sorted((abs(gap.low), abs(gap.high)))
        certain = gap.high < 0 or gap.low > 0
        doubt = "" if np.isnan(gap.low) else " (not a clear difference)"
        words.append(size + (f" ({low:.2f} to {high:.2f} K)" if certain else doubt))
    return "".join(f", {word}" for word in words)


def _interval(score: Score) -> str:
    return "" if np.isnan(score.low) else f"; 95 % interval {score.low:.2f} to {score.high:.2f} K"


def _small(kelvin: float) -> str:
    """Return a number with one significant digit, without an exponent."""
    return f"{kelvin:.{max(0, -floor(log10(kelvin)))}f}" if kelvin > 0 else "0"


def minus(text: str) -> str:
    """Replace the hyphen before a negative number with a minus sign."""
    return "−" + text[1:] if text.startswith("-") else text


def minute_text(time: np.datetime64) -> str:
    """Return a time as text, such as ``2015-09-01 06:30``."""
    return str(minutes(np.asarray(time))).replace("T", " ")


def _percent(decibel: float) -> str:
    return f"{100 * 10 ** (decibel / 10):.0f} %"
