"""Windows: three frames one cadence apart, in one storm, from one sensor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.io.times.cadence import NATIVE, duration_text, native_step, neighbours, parse_duration, step_of

__all__ = ["Links", "find_windows", "link_frames", "why_no_window"]

SHOWN = 3  # names of sequences in one message


@dataclass(frozen=True)
class Links:
    """Which frames lie one cadence before and after each, -1 where none does.

    Attributes
    ----------
    previous, following : (T,) arrays of int
        Frame numbers. If the following one of frame i is j, the previous one of j is i.
    """

    previous: NDArray[np.int_]
    following: NDArray[np.int_]

    @classmethod
    def from_following(cls, following: NDArray[np.int_]) -> Self:
        """Return both directions from one; a frame follows at most one other."""
        previous = np.full(len(following), -1)
        linked = np.flatnonzero(following >= 0)
        previous[following[linked]] = linked
        return cls(previous, following)

    def deviation(self, times: np.ndarray, cadence: str) -> np.timedelta64:
        """Return the largest difference between the cadence and the distance of two linked frames."""
        linked = np.flatnonzero(self.following >= 0)
        found = step_of(times, cadence)
        if found is None or not linked.size:
            return np.timedelta64(0, "ns")
        return np.abs(times[self.following[linked]] - times[linked] - found[0]).max()


def link_frames(sequence: xr.DataArray, cadence: str, tolerance: str | None = None) -> Links:
    """Find the frames of the same satellite one cadence apart, within a tolerance; interpolate nothing.

    They need not be next to each other: half-hourly frames have an hourly one before and after them.

    Parameters
    ----------
    sequence
        With a ``time`` coordinate and perhaps ``satellite``.
    cadence
        A time span such as ``1h``, or ``native``.
    tolerance
        How far two times may be from one cadence apart; a tenth of it by default.

    Raises
    ------
    InputError
        The cadence or the tolerance is no time span, or they do not fit each other.
    """
    times = sequence["time"].values.astype("datetime64[ns]")
    found = step_of(times, cadence, tolerance)
    if found is None:
        return Links.from_following(np.full(len(times), -1))
    satellites = None
    if "satellite" in sequence.coords:
        satellites = np.broadcast_to(sequence["satellite"].values.astype(str), times.shape)
    return Links.from_following(neighbours(times, *found, satellites))


def find_windows(links: Links, allowed: NDArray[np.bool_] | None = None) -> NDArray[np.int_]:
    """Return all three-frame windows: (N, 3) frame numbers before, in the middle and after, in order of the middle.

    ``allowed`` (T,) says which frames may be used; all by default.
    """
    frames = np.stack([links.previous, np.arange(len(links.previous)), links.following], axis=1)
    inside = (frames >= 0).all(axis=1)
    if allowed is not None:
        inside &= allowed[frames].all(axis=1)
    return frames[inside]


def why_no_window(times: Mapping[str, np.ndarray], cadence: str) -> str:
    """Return the end of a sentence: how far apart the frames without a window are, and which setting would work.

    Parameters
    ----------
    times
        (T,) datetime64 by the name of the sequence.
    cadence
        The configured one.
    """
    steps = {name: step for name, own in times.items() if (step := native_step(own)) is not None}
    whose = "its" if len(times) == 1 else "their"
    if not steps:
        return "a window needs three frames at different times of one storm"
    texts = sorted({duration_text(step) for step in steps.values()}, key=parse_duration)
    apart = f"{whose} frames are {' and '.join(texts[:SHOWN])}{' and more' if len(texts) > SHOWN else ''} apart"
    if cadence == NATIVE or parse_duration(cadence) in steps.values():
        return f"{apart}, but no three of one storm and satellite follow each other; check data.split and gaps"
    return f"{apart}; set data.cadence to {f'{texts[0]} or ' if len(texts) == 1 else ''}native"
