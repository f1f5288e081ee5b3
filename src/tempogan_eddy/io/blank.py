"""Frames without content: an archive's placeholder of one value, or a picture of which most is a fill."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

__all__ = ["mask_blank"]

log = logging.getLogger(__name__)

FLAT_PIXELS = 256
"""A frame of fewer pixels is too small to tell a blank from a cloud."""

FLAT_SHARE = 0.5
"""A frame has no value in more of its pixels: at most 11 % are equal in 295 real frames."""

STEP = 31
SUSPICIOUS_SHARE = 0.4


def mask_blank(kelvin: np.ndarray, path: Path, told: set[Path]) -> np.ndarray:
    """Return a frame with NaN where it is blank.

    A frame of one or two values is missing as a whole. The lowest value is a fill, and missing, where more than half of
    the pixels have it; the highest may be warm sea in a picture whose greys end there. A line in the log says so, once
    a file.

    Parameters
    ----------
    kelvin : array (y, x)
        Brightness temperature, NaN where missing.
    path : Path
        The file.
    told : set of Path
        Files that the log has told of; this one is added.
    """
    few = kelvin.ravel()[::STEP]
    few = few[np.isfinite(few)]
    values, counts = np.unique(few, return_counts=True)
    if kelvin.size < FLAT_PIXELS or (len(values) > 2 and counts.max() <= SUSPICIOUS_SHARE * len(few)):
        return kelvin
    values, counts = np.unique(kelvin[np.isfinite(kelvin)], return_counts=True)
    if not len(values) or (len(values) > 2 and counts[0] <= FLAT_SHARE * kelvin.size):
        return kelvin
    blank = len(values) <= 2
    if path not in told:
        told.add(path)
        shown = " and ".join(f"{value:.1f} K" for value in values[:2])
        what = f"is blank ({shown} alone)" if blank else f"is {values[0]:.1f} K in {counts[0] / kelvin.size:.0%}"
        log.warning("%s %s, which is no picture; it is missing.", path, what)
    return np.where(np.isfinite(kelvin) if blank else kelvin == values[0], np.float32(np.nan), kelvin)
