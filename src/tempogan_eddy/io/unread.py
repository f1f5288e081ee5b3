"""Frames within a file that cannot be read: an error or missing, and named in either case."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.times.cadence import minutes
from tempogan_eddy.wording import count

__all__ = ["REMEDY", "UNREADABLE", "Unread", "noting", "recorded", "report_unread", "shared_out", "unread_noted"]

log = logging.getLogger(__name__)

UNREADABLE = "unreadable_frames"
"""The attribute of an output that lists the times of frames that are missing because they could not be read."""

LARGEST_SHARE = 0.5  # of the frames of a sequence may be missing so

REMEDY = "--set data.unreadable=gap makes such frames missing (in Python: open_sequence(PATH, unreadable='gap'))."

_NOTED: ContextVar[tuple[list[Unread], bool] | None] = ContextVar("noted", default=None)


@dataclass(frozen=True)
class Unread:
    """A frame that cannot be read: its time, and why."""

    time: np.datetime64
    why: str

    def __str__(self) -> str:
        return f"{self.minute}: {self.why}"

    @property
    def minute(self) -> str:
        """The time as text."""
        return str(minutes(np.array(self.time)))

    @property
    def error(self) -> InputError:
        """The error, with its remedy."""
        return InputError(f"{self} {REMEDY}")


@contextmanager
def unread_noted(*, tried_again: bool = False) -> Iterator[list[Unread]]:
    """Yield a list of the frames that this thread cannot read, perhaps in three tries; they are missing, and no error.

    Whoever enters it must say so.
    """
    noted: list[Unread] = []
    token = _NOTED.set((noted, tried_again))
    try:
        yield noted
    finally:
        _NOTED.reset(token)


def shared_out(unread: Collection[Unread], times: np.ndarray) -> list[list[Unread]]:
    """Return for each of the frames at some times, computed together, which frames that it needs were not read.

    It needs its own, and those at other times, such as the one before.
    """
    others = [one for one in unread if one.time not in times]
    return [[one for one in unread if one.time == time] + others for time in times]


def noting() -> tuple[list[Unread] | None, bool]:
    """Return the list of `unread_noted` in this thread, if it is entered, and whether frames are tried again."""
    return _NOTED.get() or (None, False)


def recorded(attrs: Mapping[Any, Any], unread: Iterable[Unread]) -> str:
    """Return the times that the attribute `UNREADABLE` lists, with those of further frames."""
    before = str(attrs.get(UNREADABLE, "")).split(", ") if UNREADABLE in attrs else []
    return ", ".join(sorted({*before, *(one.minute for one in unread)}))


def report_unread(name: object, unread: Iterable[Unread], frames: int) -> None:
    """Log which of the frames of an output are missing because they could not be read.

    Raise InputError if these are more than half: then it is a disk or a server that is gone, or another file.
    """
    told = sorted({str(one) for one in unread})
    if len(told) > frames * LARGEST_SHARE:
        raise InputError(
            f"{len(told)} of {count(frames, 'frame')} of {name} cannot be read, too many to be left missing; check the "
            f"disk or server, or choose frames with --time; the first: {told[0]}"
        )
    if told:
        log.warning("%s: %s unreadable and so missing: %s", name, count(len(told), "frame"), "; ".join(told))
