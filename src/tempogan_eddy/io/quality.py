"""Which pixels are missing: the stated rule.

(a) In every format, a value below 160 K, from 330 K on, or not finite, is missing. (b) In Digital Typhoon frames that
hold such impossible values (a fill of -19.1 K, printed text near 335 K), a piece of picture that they cut off
may be no picture: GMS frames carry a grey calibration bar, in steps of plausible kelvins, between two bands
of fill. A bar is flat: 98.4 to 98.6 % of the horizontal neighbours in each bar of storm 198702 are exactly
equal, against 22 to 43 % in the picture, 85 % in its flattest 16x16 pixels (warm sea, 0.5 K a step of an
8-bit sensor) and 75 % in its flattest 32x32. Pixels beside the fill are as good as any other: nothing was
interpolated across the edge.
"""

from pathlib import Path

import numpy as np
from scipy import ndimage

from tempogan_eddy.errors import InputError
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = [
    "EVERYTHING",
    "FLAT_SHARE",
    "SMALLEST_ISLAND",
    "mask_calibration_bars",
    "mask_impossible",
    "refuse_celsius",
]

EVERYTHING = (float("-inf"), float("inf"))
"""Kelvins that leave every value as it came."""

CELSIUS = (-115.0, 60.0)
"""What brightness temperatures are in degrees Celsius."""

FLAT_SHARE = 0.92
"""A region in which more of the horizontal neighbours are exactly equal is a calibration bar."""

SMALLEST_ISLAND = 256
"""A cut-off region of fewer pixels is too small to tell a bar from a cloud."""


def mask_impossible(frames: np.ndarray, valid_kelvin: tuple[float, float] = VALID_KELVIN) -> np.ndarray:
    """Set every value that no brightness temperature can have to NaN.

    Parameters
    ----------
    frames : array of any shape
        Brightness temperature in kelvin.
    valid_kelvin : tuple of float
        Lowest kelvin that is kept, and the kelvin below which all are.

    Returns
    -------
    array of float32, same shape
        A copy, with NaN where the value is outside the range or not finite.
    """
    frames = np.asarray(frames, dtype=np.float32)
    low, high = np.float32(valid_kelvin[0]), np.float32(valid_kelvin[1])
    return np.where((frames >= low) & (frames < high), frames, np.float32(np.nan))


def mask_calibration_bars(frame: np.ndarray, valid_kelvin: tuple[float, float] = VALID_KELVIN) -> np.ndarray:
    """Set what is impossible, and what impossible values cut off and is no picture, to NaN.

    Parameters
    ----------
    frame : array (y, x)
        Brightness temperature in kelvin as a Digital Typhoon file holds it. NaN alone cuts nothing off: where
        a file marks its missing pixels, its others are taken at their word.
    valid_kelvin : tuple of float
        Lowest and highest kelvin that are kept.

    Returns
    -------
    array of float32 (y, x)
        With NaN also in every region of valid pixels that is flat (more than ``FLAT_SHARE`` of its horizontal
        neighbours are equal) or, the largest region apart, smaller than ``SMALLEST_ISLAND``.
    """
    kelvin = mask_impossible(frame, valid_kelvin)
    valid = np.isfinite(kelvin)
    if not (np.isfinite(frame) & ~valid).any() or not valid.any():
        return kelvin
    labels, count = ndimage.label(valid)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    inside = labels[:, 1:] * (labels[:, 1:] == labels[:, :-1])
    pairs = np.bincount(inside.ravel(), minlength=count + 1)
    equal = np.bincount(inside.ravel(), weights=(kelvin[:, 1:] == kelvin[:, :-1]).ravel(), minlength=count + 1)
    small = sizes < SMALLEST_ISLAND
    small[1 + sizes[1:].argmax()] = False
    kelvin[((equal > FLAT_SHARE * pairs) | small)[labels]] = np.nan
    return kelvin


def refuse_celsius(frame: np.ndarray, path: Path | str) -> None:
    """Refuse values that can only be degrees Celsius where they are called kelvin: all would be missing.

    Parameters
    ----------
    frame : array
        One frame as it came, nothing masked.
    path : Path
        Where it was read, for the message.

    Raises
    ------
    InputError
        Not all values are equal, and every one lies where brightness temperatures lie in degrees Celsius.
    """
    seen = frame[np.isfinite(frame)]
    if seen.size and CELSIUS[0] <= seen.min() < seen.max() <= CELSIUS[1]:
        raise InputError(
            f"{path}: the first frame goes from {seen.min():.1f} to {seen.max():.1f} K, which no cloud or ground has; "
            "if these are degrees Celsius, set the attribute units to degrees_Celsius."
        )
