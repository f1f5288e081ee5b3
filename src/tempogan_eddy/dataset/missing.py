"""Fill missing pixels before inference; every loss masks them."""

import numpy as np
from scipy import ndimage

__all__ = ["MINIMUM_SEEN", "fill_missing"]

# The share of a lowres pixel that must be valid; below it the pixel is missing.
MINIMUM_SEEN = 0.5

# The fill of a frame without a valid pixel, K.
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
