"""Missing pixels before a network: filled for its eyes, masked in every loss."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["MINIMUM_SEEN", "fill_missing"]

# A coarse pixel of which a smaller share was seen is missing.
MINIMUM_SEEN = 0.5

# What a frame without a single valid pixel is filled with, K.
NOTHING_SEEN = 250.0


def fill_missing(frame: np.ndarray) -> np.ndarray:
    """Give each missing pixel the value of the nearest valid one.

    Parameters
    ----------
    frame
        (..., h, w) in kelvin, NaN where missing.

    Returns
    -------
    ndarray
        Finite everywhere; the same object where nothing is missing.
    """
    missing = np.isnan(frame)
    if not missing.any():
        return frame
    if frame.ndim > 2:
        return np.stack([fill_missing(part) for part in frame])
    if missing.all():
        return np.full_like(frame, NOTHING_SEEN)
    rows, columns = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return frame[rows, columns]
