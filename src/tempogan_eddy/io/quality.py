"""Which pixels are missing: the stated rule."""

import numpy as np

__all__ = ["VALID_KELVIN", "mask_impossible"]

VALID_KELVIN = (160.0, 330.0)
"""No cloud top is colder and no ground seen in the infrared window is warmer (kelvin, both ends included)."""


def mask_impossible(frames: np.ndarray, valid_kelvin: tuple[float, float] = VALID_KELVIN) -> np.ndarray:
    """Set every value that no brightness temperature can have to NaN.

    Parameters
    ----------
    frames : array of any shape
        Brightness temperature in kelvin.
    valid_kelvin : tuple of float
        Lowest and highest kelvin that are kept, both included.

    Returns
    -------
    array of float32, same shape
        A copy, with NaN where the value is outside the range or not finite.
    """
    frames = np.asarray(frames, dtype=np.float32)
    low, high = valid_kelvin
    return np.where((frames >= low) & (frames <= high), frames, np.float32(np.nan))
