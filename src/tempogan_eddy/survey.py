"""Survey the frames and the times of a sequence, with one frame in memory at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from tempogan_eddy.dataset.windows import find_windows, link_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.cadence import (
    DUPLICATE,
    NATIVE,
    SECOND,
    duration_text,
    minutes,
    native_step,
    step_of,
    tolerance_of,
)
from tempogan_eddy.io.frames import FrameReader
from tempogan_eddy.io.texture import texture_of

__all__ = ["SAMPLED", "Survey", "Timing", "survey", "timing"]

SAMPLED = 50  # frames read of a sequence by default


@dataclass(frozen=True)
class Survey:
    """Facts about the frames of a sequence.

    Parameters
    ----------
    looked : int
        Frames that were read.
    missing : float
        Mean share of missing pixels.
    blank : int
        Frames without a valid pixel.
    kelvins : (float, float) or None
        Lowest and highest.
    broken : list of str
        Frames that cannot be read: time and reason.
    repeated, interpolated : int
        Frames enlarged by repeating pixels, or by interpolation.
    """

    looked: int
    missing: float
    blank: int
    kelvins: tuple[float, float] | None
    broken: list[str]
    repeated: int
    interpolated: int


def survey(
    sequence: xr.DataArray, *, frames: int | None = SAMPLED, progress: Callable[[int, int], None] | None = None
) -> Survey:
    """Read frames spread over a sequence, or all of them; skip those that cannot be read.

    Parameters
    ----------
    sequence : DataArray (time, y, x)
        Kelvin, NaN where missing.
    frames : int, optional
        The number of frames to read; None for all of them.
    progress : callable, optional
        Called with (frames done, frames in all).
    """
    total = sequence.sizes["time"]
    count = total if frames is None else min(frames, total)
    chosen = np.unique(np.linspace(0, total - 1, count).round().astype(int))
    reader, times = FrameReader(sequence), sequence["time"].values
    low, high, missing, blank = np.inf, -np.inf, 0.0, 0
    broken: list[str] = []
    repeated = interpolated = 0
    for done, number in enumerate(chosen, start=1):
        try:
            frame = reader.frame(int(number))
        except InputError as error:
            broken.append(f"{minutes(times[number])}: {error}")
        else:
            valid = frame[np.isfinite(frame)]
            missing += 1 - valid.size / frame.size
            blank += not valid.size
            if valid.size:
                low, high = min(low, float(valid.min())), max(high, float(valid.max()))
            texture = texture_of(frame.reshape(-1, *frame.shape[-2:])[0])  # of the first member
            if texture is not None:
                repeated += texture.repeats
                interpolated += texture.is_interpolated
        if progress is not None:
            progress(done, len(chosen))
    looked = len(chosen) - len(broken)
    kelvins = (low, high) if high >= low else None
    share = missing / looked if looked else 1.0
    return Survey(looked, share, blank, kelvins, broken, repeated, interpolated)


@dataclass(frozen=True)
class Timing:
    """Facts about the times of a sequence.

    Parameters
    ----------
    step : str or None
        The usual step between frames.
    windows : dict of int
        Windows of three frames by cadence: the sequence's own and the configured one.
    tolerance : str
        By how much times may differ from the last of these cadences.
    deviation : str or None
        By how much they differ at most, if they do.
    gaps, duplicates, changes : list of str
        Steps longer than the usual one, the longest first; times of two frames; changes of satellite.
    satellites : dict of int
        Frames by satellite.
    """

    step: str | None
    windows: dict[str, int]
    tolerance: str | None
    deviation: str | None
    gaps: list[str]
    duplicates: list[str]
    changes: list[str]
    satellites: dict[str, int]


def timing(sequence: xr.DataArray, cadence: str = "1h", tolerance: str | None = None) -> Timing:
    """Return facts about the times and satellites of a sequence.

    Parameters
    ----------
    sequence : DataArray (time, y, x)
        No value is computed.
    cadence : str
        Windows are counted at it and at the sequence's own step.
    tolerance : str, optional
        As for `tolerance_of`; if it is too wide for a cadence, a tenth of that.
    """
    times = sequence["time"].values.astype("datetime64[ns]")
    satellites = None
    if "satellite" in sequence.coords:
        satellites = np.broadcast_to(sequence["satellite"].values.astype(str), times.shape)
    own = native_step(times)
    windows, allowed, deviation = _windows(sequence, cadence, tolerance)
    changes = []
    if satellites is not None:
        at = np.flatnonzero(satellites[1:] != satellites[:-1]) + 1
        changes = [f"{satellites[i - 1]} to {satellites[i]} at {minutes(times[i])}" for i in at]
    return Timing(
        step=None if own is None else duration_text(own),
        windows=windows,
        tolerance=allowed,
        deviation=deviation,
        gaps=_gaps(times, own),
        duplicates=minutes(times[1:][np.diff(times) <= DUPLICATE]).astype(str).tolist(),
        changes=changes,
        satellites={} if satellites is None else dict(Counter(satellites.tolist())),
    )


def _windows(
    sequence: xr.DataArray, cadence: str, tolerance: str | None
) -> tuple[dict[str, int], str | None, str | None]:
    """Return windows at the sequence's own cadence and at the configured one, tolerance and largest deviation."""
    times = sequence["time"].values.astype("datetime64[ns]")
    windows: dict[str, int] = {}
    allowed: str | None = None
    off: np.timedelta64 = np.timedelta64(0, "ns")
    for wanted in dict.fromkeys((NATIVE, cadence)):
        stated = tolerance
        try:
            found = step_of(times, wanted, stated)
        except InputError:  # too wide for this cadence
            stated = None
            found = step_of(times, wanted)
        if found is not None:
            links = link_frames(sequence, wanted, stated)
            windows[duration_text(found[0])] = len(find_windows(links))
            allowed = duration_text(found[1])
            off = max(off, links.deviation(times, wanted))
    return windows, allowed, duration_text(off) if off else None


def _gaps(times: np.ndarray, own: np.timedelta64 | None) -> list[str]:
    """Return the gaps, the longest first."""
    if own is None:
        return []
    steps = np.diff(times)
    wide = np.flatnonzero(steps > own + tolerance_of(own))
    rounded = (steps + SECOND // 2) // SECOND * SECOND
    return [
        f"{duration_text(rounded[i])} after {minutes(times[i])}" for i in wide[np.argsort(-steps[wide], kind="stable")]
    ]
