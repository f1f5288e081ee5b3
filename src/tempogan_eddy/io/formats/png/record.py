"""Records in our own PNG frames, and the mapping of grey to kelvin."""

import math
import re
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.json_text import parse_json
from tempogan_eddy.io.formats.png.pixels import WHITE, Pixels
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = ["WRITTEN", "WRITTEN_KELVIN", "Mapping", "Record", "parts_of_kelvin", "read_record"]

# Kelvin of levels 1 and 65535 in the 16-bit frames we write: steps of 0.005 K, so that whole kelvins are exact.
WRITTEN_KELVIN = (100.0, 427.67)
LARGEST_LEVEL, LARGEST_KELVIN = WHITE, float(WHITE)  # whole kelvins are levels themselves
ROWS_AT_ONCE = 512
RESERVED = {"time", "y", "x"}


@dataclass(frozen=True)
class Mapping:
    """Grey level to kelvin: two levels and their kelvins, and the level that means missing."""

    levels: tuple[int, int]
    kelvins: tuple[float, float]
    missing: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless this is a line through two points."""
        (low, high), (at_low, at_high) = self.levels, self.kelvins
        whole = [low, high] if self.missing is None else [low, high, self.missing]
        if not all(isinstance(level, int) and 0 <= level <= LARGEST_LEVEL for level in whole) or low == high:
            raise ValueError("a mapping needs two levels from 0 to 65535")
        if not (0 <= at_low <= LARGEST_KELVIN and 0 <= at_high <= LARGEST_KELVIN):
            raise ValueError("a mapping needs two kelvins")

    def to_kelvin(self, pixels: Pixels) -> np.ndarray:
        """Return the kelvins (float32) of grey levels, NaN where missing."""
        slope = (self.kelvins[1] - self.kelvins[0]) / (self.levels[1] - self.levels[0])
        table = self.kelvins[0] + (np.arange(pixels.white + 1, dtype=np.float64) - self.levels[0]) * slope
        table = table.astype(np.float32)
        if self.missing is not None and self.missing <= pixels.white:
            table[self.missing] = np.nan
        kelvin = np.empty(pixels.levels.shape, np.float32)
        for row in range(0, len(kelvin), ROWS_AT_ONCE):  # indexing takes 8 bytes a pixel
            rows = slice(row, row + ROWS_AT_ONCE)
            kelvin[rows] = table[pixels.levels[rows]]
        if pixels.transparent is not None:
            kelvin[pixels.transparent] = np.nan
        return kelvin

    def to_level(self, kelvin: np.ndarray) -> np.ndarray:
        """Return the grey levels (uint16) of kelvins; NaN becomes the missing level."""
        slope = (self.levels[1] - self.levels[0]) / (self.kelvins[1] - self.kelvins[0])
        level = np.rint(self.levels[0] + (kelvin.astype(np.float64) - self.kelvins[0]) * slope)
        # 330 K itself reads as missing, so never round a valid value up to it.
        last = np.ceil(self.levels[0] + (VALID_KELVIN[1] - self.kelvins[0]) * slope - 1e-6) - 1
        level = np.where(kelvin < VALID_KELVIN[1], np.minimum(level, last), level)
        return np.where(np.isnan(level), self.missing or 0, level).astype(np.uint16)


WRITTEN = Mapping((1, 65535), WRITTEN_KELVIN, missing=0)


def parts_of_kelvin(pixels: Pixels) -> int | None:
    """Return 100, 10 or 1 if all 16-bit levels but black and white are valid kelvins times this number, else None."""
    seen = pixels.levels[(pixels.levels > 0) & (pixels.levels < WHITE)]
    if pixels.white != WHITE or not seen.size:
        return None
    low, high = seen.min(), seen.max()
    return next((part for part in (100, 10, 1) if VALID_KELVIN[0] * part <= low < high < VALID_KELVIN[1] * part), None)


@dataclass(frozen=True)
class Record:
    """The record of one frame: its mapping and time, and the sequence's other coordinates and attributes."""

    mapping: Mapping | None = None
    time: np.datetime64 | None = None
    coordinates: Dictionary[str, tuple[float | str, dict[str, Any]]] = field(default_factory=dict)
    attrs: Dictionary[str, Any] = field(default_factory=dict)


def read_record(path: Path, text: str | None) -> Record:
    """Return the record in a frame's text; raise `InputError` if this package did not write it so."""
    if text is None:
        return Record()
    try:
        stated = parse_json(text)
        mapping, time = stated.get("mapping"), stated.get("time")
        return Record(
            None if mapping is None else Mapping(**mapping),
            None if time is None else _moment(time),
            {str(name): _coordinate(name, *entry) for name, entry in stated.get("coordinates", {}).items()},
            dict(stated.get("attrs", {})),
        )
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise InputError(f"{path} holds a damaged record ({error}); write it again or remove its text.") from error


def _moment(text: str) -> np.datetime64:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+", text):
        raise ValueError(f"{text!r} is no time")
    return np.datetime64(text, "ns")


def _coordinate(name: str, value: object, attrs: dict[str, Any]) -> tuple[float | str, dict[str, Any]]:
    if name in RESERVED or not isinstance(value, float | int | str | None) or not isinstance(attrs, dict):
        raise ValueError(f"{name!r} is no coordinate")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError(f"{name!r} is too large")
    return (math.nan if value is None else value), attrs
