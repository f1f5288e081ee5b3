"""What the members of an ensemble say together, one frame at a time."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.io.frames import FrameReader

__all__ = ["Members"]

Kelvins = NDArray[np.float32]

OFFSET = 250.0  # kelvin; sums of differences from it keep their last digits


class Members:
    """Frames of an ensemble's members, and their mean, spread and probabilities; safe to share between threads.

    It reads one member after the other and keeps their frames of the time read last, at most `limit` bytes, so memory
    does not grow with the number of members.
    """

    def __init__(self, members: Sequence[xr.DataArray], limit: int = 128 << 20) -> None:
        self.readers = [FrameReader(member) for member in members]
        self.limit = limit
        self._kept: tuple[int, list[Kelvins]] = (-1, [])
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.readers)

    def frame(self, time: int, member: int) -> Kelvins:
        """Return a frame (y, x) of one member in kelvin, or their mean for the number after the last member."""
        if member == len(self):
            return self.mean(time)
        with self._lock:
            return np.asarray(self.readers[member].frame(time), np.float32)

    def mean(self, time: int) -> Kelvins:
        """Return the mean of the members (y, x) in kelvin, NaN where one is missing."""
        total = sum(frame - OFFSET for frame in self._frames(time))
        return np.asarray(total / len(self) + OFFSET, np.float32)

    def spread(self, time: int) -> Kelvins:
        """Return the standard deviation over the members (y, x) in kelvin, with their number less one."""
        total = squares = np.zeros((), np.float64)
        for frame in self._frames(time):
            total, squares = total + (frame - OFFSET), squares + (frame - OFFSET) ** 2
        variance = (squares - total**2 / len(self)) / (len(self) - 1)
        return np.sqrt(np.maximum(variance, 0)).astype(np.float32)

    def probability(self, time: int, kelvin: float) -> Kelvins:
        """Return the share of the members colder than a temperature (y, x) in percent, NaN where one is missing."""
        colder = sum(np.where(np.isnan(frame), np.nan, frame < kelvin) for frame in self._frames(time))
        return np.asarray(100 * colder / len(self), np.float32)

    def _frames(self, time: int) -> Iterator[NDArray[np.float64]]:
        """Yield the frames of all members at one time."""
        with self._lock:
            known, frames = self._kept
            if known != time:
                frames, self._kept = [], (-1, [])
            for number in range(len(self)):
                if number < len(frames):
                    frame = frames[number]
                else:
                    frame = _read_once(self.readers[number], time)
                    if (number + 1) * frame.nbytes <= self.limit:
                        frames.append(frame)
                yield frame.astype(np.float64)
            self._kept = (time, frames)


def _read_once(reader: FrameReader, time: int) -> Kelvins:
    """Read a frame without keeping the chunk that holds it."""
    chunk = int(np.searchsorted(reader.ends, time, side="right"))
    return np.asarray(reader.chunk(chunk)[time - reader.ends[chunk]], np.float32)
