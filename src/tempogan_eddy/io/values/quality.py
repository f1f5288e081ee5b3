"""Mask pixels that hold no brightness temperature, and find frames whose values are not kelvin.

(a) In every format, a value below 160 K, from 330 K on, or not finite, is missing. (b) In Digital Typhoon frames with
such impossible values (a fill of -19.1 K, printed text near 335 K), a region that they cut off may be no picture: GMS
frames carry a grey calibration bar, in steps of plausible kelvins, between two bands of fill. A bar is flat: 98.4 to
98.6 % of the horizontal neighbours in each bar of storm 198702 are exactly equal, against 22 to 43 % in the picture,
85 % in its flattest 16x16 pixels (warm sea, 0.5 K a step of an 8-bit sensor) and 75 % in its flattest 32x32. Pixels
beside the fill are valid: nothing was interpolated across the edge.
"""

import logging
from pathlib import Path

import numpy as np
from scipy import ndimage

from tempogan_eddy.errors import InputError
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = [
    "EVERYTHING",
    "FLAT_SHARE",
    "looks_drawn",
    "looks_edged",
    "looks_white_cold",
    "mask_blank",
    "mask_calibration_bars",
    "mask_impossible",
    "refuse_celsius",
]

log = logging.getLogger(__name__)

EVERYTHING = (float("-inf"), float("inf"))  # valid kelvins that mask nothing
CELSIUS = (-115.0, 60.0)  # range of brightness temperatures in degrees Celsius

FLAT_SHARE = 0.92  # of equal horizontal neighbours, above which a region is a calibration bar
SMALLEST_ISLAND = 256  # pixels; a smaller region is too small to tell a bar from a cloud

SMALLEST_BLANK = 256  # pixels; a smaller frame is too small to tell a blank from a cloud
BLANK_SHARE = 0.5  # of the pixels with one value, above which it is fill; at most 11 % in 295 real frames
BLANK_STEP, SUSPICIOUS_SHARE = 31, 0.4  # look at every 31st pixel first

COLDEST_CLOUD = 180.0  # kelvin; few clouds of a typhoon are colder

SMALLEST_SIDE = 32  # pixels, of a frame that can be judged
COLD_MEAN = 237.0  # kelvin; wide frames are warmer on average, at least 255 K in 200717
LEAST_SKEWNESS, LEAST_ROUGHNESS = 0.3, 1.1

SMALLEST_CHART = 64  # pixels, of the shorter side
MARGIN_SHARE = 0.9  # of the pixels around a chart, which labels may reach
LINE_SHARE, BESIDE_SHARE = 0.5, 0.25  # of the row or column of an axis, and of those beside it
THICKEST_LINE = 50  # axes are thinner than this part of the picture


def mask_impossible(frames: np.ndarray, valid_kelvin: tuple[float, float] = VALID_KELVIN) -> np.ndarray:
    """Return a float32 copy of kelvins, NaN where they are not finite, below the first limit or from the second on."""
    frames = np.asarray(frames, dtype=np.float32)
    low, high = np.float32(valid_kelvin[0]), np.float32(valid_kelvin[1])
    return np.where((frames >= low) & (frames < high), frames, np.float32(np.nan))


def mask_calibration_bars(frame: np.ndarray, valid_kelvin: tuple[float, float] = VALID_KELVIN) -> np.ndarray:
    """Mask impossible values, and regions cut off by them that are no picture, in a Digital Typhoon frame (y, x).

    Such a region is flat (more than ``FLAT_SHARE`` of its horizontal neighbours are equal) or, the largest region
    apart, smaller than ``SMALLEST_ISLAND``. NaN alone cuts nothing off.
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


def mask_blank(kelvin: np.ndarray, path: Path, warned: set[Path]) -> np.ndarray:
    """Return a frame (y, x) of kelvins with NaN where it is blank, with one warning a file, kept in `warned`.

    A frame of one or two values is missing as a whole. The lowest value is a fill, and missing, if more than half of
    the pixels have it; the highest may be warm sea in a picture whose greys end there.
    """
    few = kelvin.ravel()[::BLANK_STEP]
    few = few[np.isfinite(few)]
    values, counts = np.unique(few, return_counts=True)
    if kelvin.size < SMALLEST_BLANK or (len(values) > 2 and counts.max() <= SUSPICIOUS_SHARE * len(few)):
        return kelvin
    values, counts = np.unique(kelvin[np.isfinite(kelvin)], return_counts=True)
    if not len(values) or (len(values) > 2 and counts[0] <= BLANK_SHARE * kelvin.size):
        return kelvin
    blank = len(values) <= 2
    if path not in warned:
        warned.add(path)
        shown = " and ".join(f"{value:.1f} K" for value in values[:2])
        what = f"is blank ({shown} alone)" if blank else f"is {values[0]:.1f} K in {counts[0] / kelvin.size:.0%}"
        log.warning("%s %s, which is no picture; it is missing.", path, what)
    return np.where(np.isfinite(kelvin) if blank else kelvin == values[0], np.float32(np.nan), kelvin)


def refuse_celsius(frame: np.ndarray, path: Path | str) -> None:
    """Raise `InputError` if the kelvins of a frame differ and all are in the range of degrees Celsius.

    Call it before masking, which would mask all of them.
    """
    seen = frame[np.isfinite(frame)]
    if seen.size and CELSIUS[0] <= seen.min() < seen.max() <= CELSIUS[1]:
        raise InputError(
            f"{path}: the first frame goes from {seen.min():.1f} to {seen.max():.1f} K, which no cloud or ground has; "
            "if these are degrees Celsius, set the attribute units to degrees_Celsius."
        )


def looks_white_cold(kelvin: np.ndarray) -> bool:
    """Return whether a frame looks like infrared with its kelvins upside down.

    In wide infrared frames most pixels are warm, cold cloud tops are a tail, and the warmest quarter (sea, ground) is
    smoother than the coldest. Upside down, the mean is below 237 K, the skewness above 0.3, and the warmest quarter
    more than 1.1 times as rough as the coldest. Of 224 real frames (two typhoons, merged infrared over four regions),
    at full and at a quarter of the resolution, none looks so, and all do upside down. Of 448 pieces of 128x128 pixels,
    1.6 % look so, all within cold cloud, and 79 % upside down. The lowest and the highest value are ignored: they may
    be an edge or a fill.
    """
    if min(kelvin.shape) < SMALLEST_SIDE or not np.isfinite(kelvin).any():
        return False
    inside = np.where((kelvin > np.nanmin(kelvin)) & (kelvin < np.nanmax(kelvin)), kelvin, np.nan)
    rough = (np.abs(np.diff(inside, axis=0))[:, :-1] + np.abs(np.diff(inside, axis=1))[:-1]).astype(np.float64)
    near = inside[:-1, :-1]
    known = np.isfinite(rough)
    if known.sum() < SMALLEST_SIDE**2:
        return False
    values, rough = near[known].astype(np.float64), rough[known]
    mean, spread = values.mean(), values.std()
    if mean >= COLD_MEAN or spread == 0:
        return False
    cold, warm = np.quantile(values, [0.25, 0.75])
    skewness = (((values - mean) / spread) ** 3).mean()
    return bool(
        skewness > LEAST_SKEWNESS and rough[values >= warm].mean() > LEAST_ROUGHNESS * rough[values <= cold].mean()
    )


def looks_edged(kelvin: np.ndarray, coldest: float) -> bool:
    """Return whether more than 1 % of a frame have the coldest of its kelvins, and that is colder than most clouds."""
    share = (kelvin == np.float32(coldest)).mean()
    return bool(kelvin.size >= SMALLEST_BLANK and coldest < COLDEST_CLOUD and share > 0.01)


def looks_drawn(frame: np.ndarray) -> bool:
    """Return whether a frame (y, x) looks like the picture of a chart: two axes within a margin of one value.

    An axis is a thin line of another value along more than half of the picture. Of 5,010 real frames and pieces (two
    typhoons, merged infrared over four regions) in five ranges of grey and four resolutions, none looks so, and none
    does within a margin of fill. Of 158 charts of Matplotlib in six styles, 142 do: all but those of 1.5 inches a
    side at 50 and 100 dpi.
    """
    if min(frame.shape) < SMALLEST_CHART:
        return False
    margin, edges = frame[0, 0], (frame[0], frame[-1], frame[:, 0], frame[:, -1])
    around = np.concatenate(edges) == margin
    return bool(around.mean() > MARGIN_SHARE) and _has_axis(frame, margin) and _has_axis(frame.T, margin)


def _has_axis(frame: np.ndarray, margin: float) -> bool:
    value = np.median(frame, axis=1)  # that of more than half of a row, if one is
    away = max(1, len(frame) // THICKEST_LINE) + 1
    for row in np.flatnonzero(((frame == value[:, None]).mean(axis=1) > LINE_SHARE) & (value != margin)):
        beside = frame[np.clip([row - away, row + away], 0, len(frame) - 1)]
        if ((beside == value[row]).mean(axis=1) < BESIDE_SHARE).all():
            return True
    return False
