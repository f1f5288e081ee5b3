"""When a picture was taken: recorded in it, told by its name, or counted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tempogan_eddy.errors import InputError

__all__ = ["frame_times"]

EPOCH = pd.Timestamp("2000-01-01")
STAMP = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_.T]?(\d\d)(?:[-_.:]?(\d\d))?(?:[-_.:]?(\d\d))?(?!\d)"
)
DATE = re.compile(r"(?<!\d)(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d(?!\d)")
LARGEST_NUMBER = 999_999
"""A longer number in a name is no count of frames."""


def frame_times(files: list[Path], records: list[dict[str, Any]], cadence: str) -> tuple[np.ndarray, str]:
    """Return the times of frames (datetime64[ns]) and where they come from.

    Parameters
    ----------
    files : list of Path
        In order.
    records : list of dict
        What each frame records of itself.
    cadence : str
        Time between frames that bear a number only, counted from 2000-01-01.

    Raises
    ------
    InputError
        The names tell the times of some frames only, a day without an hour, or neither time nor number.
    """
    if all("time" in record for record in records):
        return np.array([record["time"] for record in records], dtype="datetime64[ns]"), "recorded"
    stamps = [_stamp(file.stem) for file in files]
    told = [stamp for stamp in stamps if stamp is not None]
    if len(told) == len(files):
        return np.array(told, dtype="datetime64[ns]"), "file name"
    timeless = next(file for file, stamp in zip(files, stamps, strict=True) if stamp is None)
    if told or DATE.search(timeless.stem):
        raise InputError(f"{timeless} does not tell its hour; name all frames by YYYYMMDDHH[MM], or all frame_001.png.")
    return _counted(files, cadence), "frame number"


def _counted(files: list[Path], cadence: str) -> np.ndarray:
    try:
        step = pd.Timedelta(cadence)
    except ValueError as error:
        raise InputError(f"The cadence {cadence!r} is no length of time; write it as 1h or 30min.") from error
    digits = [re.findall(r"\d+", file.stem) for file in files]
    numbers = [int(found[-1]) if found else -1 for found in digits]
    if len(files) > 1 and (min(numbers) < 0 or max(numbers) > LARGEST_NUMBER or len(set(numbers)) < len(numbers)):
        raise InputError(
            f"The names in {files[0].parent} tell neither time nor number of every frame; "
            "name them frame_001.png, frame_002.png or by YYYYMMDDHH."
        )
    return np.array([EPOCH + step * max(number, 0) for number in numbers], dtype="datetime64[ns]")


def _stamp(stem: str) -> np.datetime64 | None:
    match = STAMP.search(stem)
    if match is None:
        return None
    text = "".join(part or "00" for part in match.groups())
    time = pd.to_datetime(text, format="%Y%m%d%H%M%S", errors="coerce")
    return None if time is pd.NaT else time.to_datetime64()
