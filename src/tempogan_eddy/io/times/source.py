"""Where the times of a sequence come from, and which files are named by other times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.times.cadence import minutes, native_step
from tempogan_eddy.io.times.stamps import time_in_name
from tempogan_eddy.wording import count, listed

if TYPE_CHECKING:
    from tempogan_eddy.io.format import StoredSequence

__all__ = ["TimeSource", "time_source", "with_source"]

KEY = "time_source"  # in the encoding, which concerns the file that was read and is not written
HOUR = np.timedelta64(3600 * 10**9, "ns")


@dataclass(frozen=True)
class TimeSource:
    """The source of times, such as ``variable time``, and a sentence on names that state others, if there are any."""

    source: str
    disagreement: str = ""


def with_source(sequence: xr.DataArray, source: str) -> xr.DataArray:
    """Return a sequence that was just opened with the source of its times."""
    sequence.encoding[KEY] = source
    return sequence


def time_source(stored: StoredSequence, sequence: xr.DataArray) -> TimeSource:
    """Return the source of the times of an opened sequence; of several files, as the first has it.

    A name disagrees if its time is more than half a step away from all times of its file, so nearer to another frame.
    """
    source = str(sequence.encoding.get(KEY, "unknown"))
    times = sequence["time"].values
    files = [(header.path, header.times) for header in stored.headers] or [(stored.path, times)]
    step = native_step(times)
    others = _differing(files, (HOUR if step is None else step) // 2)
    if not others:
        return TimeSource(source)
    remedy = "; --time-from name takes that of the name" if all(len(own) == 1 for _, own in files) else ""
    return TimeSource(source, f"{source} and name differ in {count(len(others), 'file')}: {listed(others, 2)}{remedy}")


def _differing(files: list[tuple[Path, np.ndarray]], tolerance: np.timedelta64) -> list[str]:
    """Return the files whose names state a time that far from each of their own, and these times."""
    found = []
    for path, times in files:
        try:
            stamp = time_in_name(path.name) if path.is_file() else None
        except InputError:  # a name that can be read in two ways
            stamp = None
        if stamp is not None and (np.abs(times.astype("datetime64[ns]") - stamp) > tolerance).all():
            found.append(f"{path.name} is of {minutes(times[0])}")
    return found
