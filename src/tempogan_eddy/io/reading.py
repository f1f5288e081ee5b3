"""Options of reading files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.times.axis import TIME_FROM
from tempogan_eddy.kelvin import GREY_KELVIN, VALID_KELVIN

__all__ = ["ReaderOptions", "Reading"]


class ReaderOptions(TypedDict, total=False):
    """Options of reading, any of them; `open_sequence` describes each."""

    variable: str | None
    select: Mapping[str, Any]
    grey_kelvin: tuple[float, float]
    cadence: str
    valid_kelvin: tuple[float, float]
    unreadable: str
    time_from: str


@dataclass(frozen=True)
class Reading:
    """Options of reading, all of them; `open_sequence` describes each."""

    variable: str | None = None
    select: Mapping[str, Any] = field(default_factory=dict)
    grey_kelvin: tuple[float, float] = GREY_KELVIN
    cadence: str = "1h"
    valid_kelvin: tuple[float, float] = VALID_KELVIN
    unreadable: str = "error"
    time_from: str = "auto"

    def __post_init__(self) -> None:
        """Refuse an unknown `time_from` or `unreadable`."""
        for key, known in (("time_from", TIME_FROM), ("unreadable", ("error", "gap"))):
            if (stated := getattr(self, key)) not in known:
                raise InputError(f"Unknown {key} {stated!r}; use one of {', '.join(known)}.")
