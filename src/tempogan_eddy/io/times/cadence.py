"""Cadence: the step between frames, their nominal slots, and the frames that follow each other.

Real times differ from their slots: a float of days is off by microseconds, a scan's mid time by seconds or minutes. So
compare times within a tolerance, by default a tenth of the cadence. Keep the original times; nominal times only decide
which frames belong together.
"""

import re

import numpy as np
import pandas as pd

from tempogan_eddy.errors import InputError

__all__ = [
    "DUPLICATE",
    "NATIVE",
    "duration_text",
    "minutes",
    "native_step",
    "neighbours",
    "nominal_times",
    "parse_duration",
    "step_of",
    "tolerance_of",
]

NATIVE = "native"
"""Stands for the cadence of the sequence itself."""

TOLERATED_SHARE = 10  # one tenth of the cadence
SECOND = np.timedelta64(1_000_000_000, "ns")
DUPLICATE = SECOND
"""Two times no farther apart than this are the same."""
MINUTE = 60 * SECOND
# A step within the tolerated share of one of these is rounded to it.
USUAL_STEPS = np.array([1, 2, 2.5, 5, 7.5, 10, 15, 20, 30, 60, 90, 120, 180, 240, 360, 480, 720, 1440]) * MINUTE


def parse_duration(text: str, key: str = "cadence") -> np.timedelta64:
    """Return a time span such as ``1h``, ``30min`` or ``90s`` as timedelta64[ns].

    Raise InputError, which names `key`, if it is not a positive time span.
    """
    try:
        step = pd.Timedelta(text) if re.search(r"[A-Za-z]", text) else pd.NaT  # a bare number would be nanoseconds
    except ValueError:
        step = pd.NaT
    if step is pd.NaT or not step > pd.Timedelta(0):
        raise InputError(f"The {key} {text!r} is not a time span; write it like 1h, 30min or 10min.")
    return step.to_timedelta64().astype("timedelta64[ns]")


def tolerance_of(step: np.timedelta64, tolerance: str | None = None) -> np.timedelta64:
    """Return how far a time may lie from its slot: as stated, else a tenth of the step.

    Raise InputError if the stated tolerance is no time span, or not less than half of the step.
    """
    step = step.astype("timedelta64[ns]")  # a tenth of an hour is no whole number of hours
    if tolerance is None:
        return step // TOLERATED_SHARE
    stated = parse_duration(tolerance, "time_tolerance")
    if 2 * stated >= step:
        raise InputError(
            f"The time_tolerance {tolerance} is half of the cadence {duration_text(step)} or more, so frames could be "
            "taken for their neighbours; make it smaller."
        )
    return stated


def duration_text(span: np.timedelta64) -> str:
    """Return a time span as text such as ``3h``, ``30min``, ``21s`` or ``13us``, to three digits."""
    count = span.astype("timedelta64[ns]").astype(np.int64)
    for unit, nanoseconds in (("h", 3600 * 10**9), ("min", 60 * 10**9), ("s", 10**9)):
        if count and count % nanoseconds == 0:
            return f"{count // nanoseconds}{unit}"
    units = (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))
    unit, nanoseconds = next((unit for unit in units if count >= unit[1]), units[-1])
    return f"{float(f'{count / nanoseconds:.3g}'):g}{unit}"


def minutes(times: np.ndarray) -> np.ndarray:
    """Return the minutes in which times lie, as datetime64[m]; 00:29:59.99998 is 00:30."""
    return (times.astype("datetime64[ns]") + SECOND // 2).astype("datetime64[m]")


def step_of(
    times: np.ndarray, cadence: str, tolerance: str | None = None
) -> tuple[np.timedelta64, np.timedelta64] | None:
    """Return the step of a cadence (a time span or ``native``) for these times, and its tolerance by `tolerance_of`.

    Return None for the native cadence of a single time.
    """
    step = native_step(times) if cadence == NATIVE else parse_duration(cadence)
    return None if step is None else (step, tolerance_of(step, tolerance))


def native_step(times: np.ndarray) -> np.timedelta64 | None:
    """Return the most frequent step between frames, rounded to a usual cadence if near one; None for one time.

    Of two equally frequent steps, return the smaller.
    """
    steps = np.diff(np.sort(times.astype("datetime64[ns]")))
    steps = steps[steps > DUPLICATE]
    if not steps.size:
        return None
    values, counts = np.unique(_rounded(steps), return_counts=True)
    step = values[counts.argmax()]
    if step not in USUAL_STEPS:
        # Two times may be off in opposite directions, but their average is not.
        mean = _rounded(steps.mean(keepdims=True))[0]
        step = mean if mean in USUAL_STEPS else step
    return step.astype("timedelta64[ns]")


def _rounded(steps: np.ndarray) -> np.ndarray:
    """Return steps, rounded to a usual cadence if near one."""
    usual = USUAL_STEPS[np.abs(USUAL_STEPS[None] - steps[:, None]).argmin(axis=1)]
    return np.where(np.abs(usual - steps) * TOLERATED_SHARE <= usual, usual, steps)


def nominal_times(
    times: np.ndarray, step: np.timedelta64 | None = None, tolerance: np.timedelta64 | None = None
) -> np.ndarray:
    """Return the slots of times (T,) as datetime64[ns]; a time farther from its slot than the tolerance is unchanged.

    A slot is a whole number of steps after midnight. By default the step is the times' own and the tolerance a tenth
    of it; round a single time to the minute if it is within a second of it.
    """
    times = times.astype("datetime64[ns]")
    if not times.size:
        return times
    step = native_step(times) if step is None else step
    if step is None:
        step, tolerance = MINUTE, SECOND
    step = step.astype("timedelta64[ns]")
    tolerance = step // TOLERATED_SHARE if tolerance is None else tolerance
    days = times.min().astype("datetime64[D]").astype("datetime64[ns]")
    since = times - days
    slots = days + (since + step // 2) // step * step
    return np.where(np.abs(slots - times) <= tolerance, slots, times)


def neighbours(
    times: np.ndarray, step: np.timedelta64, tolerance: np.timedelta64, satellites: np.ndarray | None = None
) -> np.ndarray:
    """Return for each frame the number of the frame one step later, -1 if there is none.

    In a half-hourly archive the frame one hour later is the second next. Choose the nearest frame within the tolerance,
    the first of equally near ones. A frame is the next of at most one other.

    Parameters
    ----------
    times : (T,) datetime64
        Never decreasing.
    step, tolerance : timedelta64
        The cadence, and by how much the distance of two frames may differ from it.
    satellites : (T,) array of str, optional
        Only frames of the same satellite follow each other.
    """
    times = times.astype("datetime64[ns]")
    following = np.full(len(times), -1)
    wanted = times + step
    first = np.searchsorted(times, wanted - tolerance, side="left")
    last = np.searchsorted(times, wanted + tolerance, side="right")
    taken: set[int] = set()
    for number in np.flatnonzero(last > first):
        candidates = np.arange(max(first[number], number + 1), last[number])
        if satellites is not None:
            candidates = candidates[satellites[candidates] == satellites[number]]
        if candidates.size:
            nearest = int(candidates[np.abs(times[candidates] - wanted[number]).argmin()])
            if nearest not in taken:
                taken.add(nearest)
                following[number] = nearest
    return following
