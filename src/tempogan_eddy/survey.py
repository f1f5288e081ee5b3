"""Survey the frames and the times of a sequence, with one frame in memory at a time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from tempogan_eddy.dataset.windows import find_windows, link_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.frames import FrameReader
from tempogan_eddy.io.times.cadence import (
    DUPLICATE,
    NATIVE,
    SECOND,
    duration_text,
    minutes,
    native_step,
    step_of,
    tolerance_of,
)
from tempogan_eddy.io.unread import Unread, unread_noted
from tempogan_eddy.io.values.texture import texture_of
from tempogan_eddy.spread import spread_evenly

__all__ = ["SAMPLED", "Survey", "Timing", "survey", "timing"]

SAMPLED = 50  # frames read of a sequence by default


@dataclass(frozen=True)
class Survey:
    """Facts about the frames of a sequence."""

    looked: int  # frames that were read
    missing: float  # mean share of missing pixels
    blank: int  # frames without a valid pixel
    kelvins: tuple[float, float] | None  # lowest and highest
    broken: list[str]  # frames that cannot be read: time and reason
    repeated: int  # frames enlarged by repeating pixels
    interpolated: int  # or by interpolation


def survey(
    sequence: xr.DataArray, *, frames: int | None = SAMPLED, progress: Callable[[int, int], None] | None = None
) -> Survey:
    """Read so many frames, spread over a sequence, or all of them for None; skip those that cannot be read.

    The progress is called with (frames done, frames in all).
    """
    total = sequence.sizes["time"]
    chosen = spread_evenly(total, total if frames is None else frames)
    reader, times = FrameReader(sequence), sequence["time"].values
    broken: list[str] = []
    seen: list[tuple[float, float, float, bool, bool]] = []  # missing, coldest, warmest, repeats, is interpolated
    for done, number in enumerate(chosen, start=1):
        try:
            with unread_noted() as unread:
                frame = reader.frame(number)
        except InputError as error:  # of what was computed from frames
            unread = [Unread(times[number], str(error))]
        broken += map(str, unread)
        if not unread:
            valid = frame[np.isfinite(frame)]
            ends = (float(valid.min()), float(valid.max())) if valid.size else (np.nan, np.nan)
            texture = texture_of(frame.reshape(-1, *frame.shape[-2:])[0])  # of the first member
            kinds = (texture.repeats, texture.is_interpolated) if texture else (False, False)
            seen.append((1 - valid.size / frame.size, *ends, *kinds))
        if progress is not None:
            progress(done, len(chosen))
    missing, cold, warm, repeats, interpolated = np.array(seen, dtype=float).reshape(-1, 5).T
    blank = np.isnan(cold)
    return Survey(
        looked=len(seen),
        missing=float(missing.mean()) if seen else 1.0,
        blank=int(blank.sum()),
        kelvins=None if blank.all() else (float(np.nanmin(cold)), float(np.nanmax(warm))),
        broken=broken,
        repeated=int(repeats.sum()),
        interpolated=int(interpolated.sum()),
    )


@dataclass(frozen=True)
class Timing:
    """Facts about the times of a sequence."""

    step: str | None  # the usual step between frames
    windows: dict[str, int]  # windows of three frames by cadence: the sequence's own and the configured one
    tolerance: str | None  # by how much times may differ from the last of these cadences
    deviation: str | None  # by how much they differ at most, if they do
    gaps: list[str]  # steps longer than the usual one, the longest first
    duplicates: list[str]  # times of two frames
    changes: list[str]  # of satellite
    satellites: dict[str, int]  # frames by satellite


def timing(sequence: xr.DataArray, cadence: str = "1h", tolerance: str | None = None) -> Timing:
    """Return facts about the times and satellites of a sequence, without computing a value.

    Windows are counted at the cadence and at the sequence's own step. If the tolerance is too wide for one of them, it
    is a tenth of that.
    """
    times = sequence["time"].values.astype("datetime64[ns]")
    satellites = np.array([], str)
    if "satellite" in sequence.coords:
        satellites = np.broadcast_to(sequence["satellite"].values.astype(str), times.shape)
    own = native_step(times)
    windows, allowed, deviation = _windows(sequence, cadence, tolerance)
    changes = np.flatnonzero(satellites[1:] != satellites[:-1]) + 1
    return Timing(
        step=None if own is None else duration_text(own),
        windows=windows,
        tolerance=allowed,
        deviation=deviation,
        gaps=_gaps(times, own),
        duplicates=minutes(times[1:][np.diff(times) <= DUPLICATE]).astype(str).tolist(),
        changes=[f"{satellites[i - 1]} to {satellites[i]} at {minutes(times[i])}" for i in changes],
        satellites=dict(Counter(satellites.tolist())),
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
