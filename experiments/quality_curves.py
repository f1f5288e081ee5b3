"""What the figures of the quality benchmark show beyond scores: cold-cloud area, profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from tempogan_eddy.evaluation.baselines import area_mean

__all__ = ["THRESHOLDS", "Curves", "Profile", "cold_shares", "measure", "profile"]

Array = NDArray[np.float64]

THRESHOLDS = (225.0, 241.0)  # K
HALF_PROFILE = 50  # pixels to each side of the centre
ROWS = 3  # pixels averaged across a profile
EYE_REACH = 12  # pixels around the middle of a frame within which an eye is looked for


@dataclass(frozen=True)
class Curves:
    """Sums over the pixels of a storm.

    Attributes
    ----------
    shares : dict of (len(THRESHOLDS), 3, scale**2 + 1) arrays
        By method: lowres pixels, sum of the reconstructed and of the true share of cold cloud in them, by the
        reconstructed share.
    """

    shares: dict[str, Array]


@dataclass(frozen=True)
class Profile:
    """Brightness temperature from west to east through a centre.

    Attributes
    ----------
    title : str
    distance : array
        Kilometres east of the centre.
    kelvin : dict of arrays
        By method, the truth among them.
    """

    title: str
    distance: Array
    kelvin: dict[str, Array]


def measure(truth: xr.DataArray, methods: Mapping[str, xr.DataArray], scale: int) -> Curves:
    """Sum up shares of cold cloud over all frames.

    Parameters
    ----------
    truth, methods
        (time, y, x) kelvin at the same times; the truth may have a few more rows and columns at its end.
    scale
        Refinement of the grid.
    """
    shares = {name: np.zeros((len(THRESHOLDS), 3, scale**2 + 1)) for name in methods}
    for index in range(truth.sizes["time"]):
        frames = {name: sequence[index].values for name, sequence in methods.items()}
        height, width = next(iter(frames.values())).shape
        expected = truth[index, :height, :width].values
        valid = np.isfinite(expected) & np.logical_and.reduce([np.isfinite(frame) for frame in frames.values()])
        true_shares = [cold_shares(expected, valid, kelvin, scale) for kelvin in THRESHOLDS]
        for name, frame in frames.items():
            for number, (kelvin, observed) in enumerate(zip(THRESHOLDS, true_shares, strict=True)):
                predicted = cold_shares(frame, valid, kelvin, scale)
                shares[name][number] += _reliability(predicted, observed, scale**2)
    return Curves(shares)


def cold_shares(frame: NDArray[np.floating], valid: NDArray[np.bool_], kelvin: float, scale: int) -> Array:
    """Share of the highres pixels colder than a threshold in each lowres pixel, as far as half of it is valid."""
    shares = area_mean(np.where(valid, (frame < kelvin).astype(float), np.nan), scale)
    return shares[np.isfinite(shares)]


def profile(
    title: str, truth: NDArray[np.floating], methods: Mapping[str, NDArray[np.floating]], pixel_km: float, eye: bool
) -> Profile:
    """Mean over a few rows from west to east through the middle of a frame, or through the eye nearby.

    Parameters
    ----------
    truth, methods
        (H, W) kelvin, north up.
    pixel_km
        Side of a pixel.
    eye
        Whether to look for the warmest spot near the middle.
    """
    row, column = _eye(truth) if eye else (truth.shape[0] // 2, truth.shape[1] // 2)
    rows = slice(row - ROWS // 2, row + ROWS // 2 + 1)
    columns = slice(max(0, column - HALF_PROFILE), column + HALF_PROFILE + 1)
    kelvin = {name: frame[rows, columns].mean(axis=0) for name, frame in {"truth": truth, **methods}.items()}
    return Profile(title, (np.arange(truth.shape[1])[columns] - column) * pixel_km, kelvin)


def _eye(frame: NDArray[np.floating]) -> tuple[int, int]:
    middle = [side // 2 for side in frame.shape]
    smooth = ndimage.uniform_filter(np.asarray(frame, float), ROWS, mode="nearest")
    rows, columns = np.indices(frame.shape)
    near = np.hypot(rows - middle[0], columns - middle[1]) <= EYE_REACH
    row, column = np.unravel_index(int(np.argmax(np.where(near, smooth, -np.inf))), frame.shape)
    return int(row), int(column)


def _reliability(predicted: Array, observed: Array, levels: int) -> Array:
    number = np.rint(predicted * levels).astype(int)
    return np.stack([np.bincount(number, weight, levels + 1) for weight in (predicted**0, predicted, observed)])
