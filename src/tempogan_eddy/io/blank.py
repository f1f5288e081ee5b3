"""Mask frames without content: a placeholder of one value, or a picture that is mostly fill."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

__all__ = ["mask_blank"]

log = logging.getLogger(__name__)

FLAT_PIXELS = 256  # a smaller frame is too small to tell a blank from a cloud
FLAT_SHARE = 0.5  # of the pixels of a picture with one value; at most 11 % in 295 real frames
STEP, SUSPICIOUS_SHARE = 31, 0.4  # look at every 31st pixel first


def mask_blank(kelvin: np.ndarray, path: Path, warned: set[Path]) -> np.ndarray:
    """Return a frame (y, x) of kelvins with NaN where it is blank, with one warning a file, kept in `warned`.

    A frame of one or two values is missing as a whole. The lowest value is a fill, and missing, if more than half of
    the pixels have it; the highest may be warm sea in a picture whose greys end there.
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
    if path not in warned:
        warned.add(path)
        shown = " and ".join(f"{value:.1f} K" for value in values[:2])
        what = f"is blank ({shown} alone)" if blank else f"is {values[0]:.1f} K in {counts[0] / kelvin.size:.0%}"
        log.warning("%s %s, which is no picture; it is missing.", path, what)
    return np.where(np.isfinite(kelvin) if blank else kelvin == values[0], np.float32(np.nan), kelvin)
