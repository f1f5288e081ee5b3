"""Times of pictures: recorded in them, stated by their names, or counted."""

import logging
import re
from pathlib import Path

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.formats.png.record import Record
from tempogan_eddy.io.times.cadence import NATIVE, parse_duration
from tempogan_eddy.io.times.stamps import time_in_name, zone_in_name

__all__ = ["frame_times", "natural_key"]

log = logging.getLogger(__name__)

EPOCH = np.datetime64("2000-01-01", "ns")
COUNTED_CADENCE = "1h"  # the meaning of ``native`` for frames without times
LARGEST_NUMBER = 999_999  # that counts frames in a name

CLOCK = re.compile(r"([01][0-9]|2[0-3])[0-5][05](00)?")
PIECES = re.compile(r"[0-9]+|[^0-9]+")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key in which frame_2 comes before frame_10."""
    pieces = PIECES.findall(path.stem.lower())
    return [(0, int(piece), "") if piece[0] in "0123456789" else (1, 0, piece) for piece in pieces]


def frame_times(files: list[Path], records: list[Record], cadence: str) -> tuple[np.ndarray, str]:
    """Return the times of frames (datetime64[ns]) and their source.

    The files are in natural order. `cadence` is the time between frames with a number only, counted from 2000-01-01;
    ``native`` means 1 h. Raise `InputError` if names state the times of some frames only, a day without an hour, an
    ambiguous time, or neither time nor number.
    """
    recorded = [record.time for record in records if record.time is not None]
    if len(recorded) == len(files):
        return np.array(recorded, dtype="datetime64[ns]"), "recorded"
    try:
        stamps = [time_in_name(file.stem) for file in files]
        stated = [stamp for stamp in stamps if stamp is not None]
        if len(stated) == len(files):
            if zone := zone_in_name(files[0].stem):
                log.warning("The names in %s state times in %s; they are converted to UTC.", files[0].parent, zone)
            return np.array(stated, dtype="datetime64[ns]"), "file name"
        timeless = next(file for file, stamp in zip(files, stamps, strict=True) if stamp is None)
        only_a_date = time_in_name(timeless.stem, date_is_enough=True) is not None
    except InputError as error:
        raise InputError(f"In {files[0].parent}, {error}") from error
    if stated or only_a_date:
        raise InputError(f"{timeless} states no hour; name all frames by YYYYMMDDHH[MM], or all frame_001.png.")
    return _counted(files, cadence), "frame number"


def _counted(files: list[Path], cadence: str) -> np.ndarray:
    """Return times counted by the only number in which the names differ, or the last number of a single name."""
    step = parse_duration(COUNTED_CADENCE if cadence == NATIVE else cadence)
    keys = [natural_key(file) for file in files]
    texts = {tuple(text for _, _, text in key) for key in keys}
    varying = [set(numbers) for numbers in zip(*([n for kind, n, _ in key if kind == 0] for key in keys), strict=False)]
    counts = [numbers for numbers in varying if len(numbers) > 1]
    if len(files) == 1:
        last = next((number for kind, number, _ in reversed(keys[0]) if kind == 0), 0)
        return np.array([EPOCH + step * (last if last <= LARGEST_NUMBER else 0)])
    if len(texts) > 1 or len(counts) != 1 or len(counts[0]) < len(files) or max(counts[0]) > LARGEST_NUMBER:
        raise InputError(
            f"The names in {files[0].parent} state neither time nor number of every frame; "
            "name them frame_001.png, frame_002.png or by YYYYMMDDHH."
        )
    if _like_clocks([PIECES.findall(file.stem) for file in files]):
        raise InputError(
            f"The names in {files[0].parent} look like clock times without a date of four digits for the year, as in "
            f"{files[0].name}; name the frames by YYYYMMDD_HHMM, or count them from 1 in steps of 1."
        )
    return EPOCH + step * np.array(sorted(counts[0]))


def _like_clocks(names: list[list[str]]) -> bool:
    """Return whether the number that varies is HHMM or HHMMSS, at multiples of 5 minutes."""
    varying = next(set(pieces) for pieces in zip(*names, strict=True) if len(set(pieces)) > 1)
    return max(map(int, varying)) >= 100 and all(CLOCK.fullmatch(piece) for piece in varying)
