"""Parts of a frame for close-ups, chosen by rule and not by eye."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tempogan_eddy.evaluation.baselines import area_mean, nearest

__all__ = ["Closeup", "best_square", "choose_closeups", "square_around"]

Kelvins = NDArray[np.floating]


@dataclass(frozen=True)
class Closeup:
    """A square of a frame, aligned with lowres pixels, and the reason to choose it."""

    reason: str
    top: int  # highres pixels, as left and side
    left: int
    side: int

    def cut(self, frame: Kelvins) -> Kelvins:
        """Return this part of a highres frame (H, W)."""
        return frame[self.top : self.top + self.side, self.left : self.left + self.side]


def choose_closeups(truth: Kelvins, reconstructed: Kelvins, scale: int, side: int = 96) -> list[Closeup]:
    """Choose the coldest cloud, the richest detail and the largest error, none overlapping where there is room.

    Frames (H, W) are in kelvin, NaN where missing. The side, in highres pixels, becomes a multiple of `scale`, and less
    in a small frame.
    """
    height, width = truth.shape
    side = max(scale, min(side, height // 2, width // 2) // scale * scale)
    detail = truth - nearest(area_mean(truth, scale), scale)
    wanted = {
        "the coldest cloud": -truth,
        "the richest detail in the truth": detail**2,
        "the largest error of the reconstruction": (reconstructed - truth) ** 2,
    }
    free = np.ones(truth.shape, bool)
    closeups = []
    for reason, value in wanted.items():
        top, left = best_square(value, side, scale, free)
        closeups.append(Closeup(reason, top, left, side))
        # No square begins where it would overlap this one.
        free[max(0, top - side + 1) : top + side, max(0, left - side + 1) : left + side] = False
    return closeups


def square_around(
    middle: Sequence[int], size: Sequence[int], side: int, multiple: int = 1
) -> tuple[int, int, int, int]:
    """Return top, left, height and width of a square around a place (y, x) in a frame, all multiples of `multiple`."""
    sides = [min(side, length) // multiple * multiple for length in size]
    top, left = (
        min(max(0, place - extent // 2), length - extent) // multiple * multiple
        for place, extent, length in zip(middle, sides, size, strict=True)
    )
    return top, left, sides[0], sides[1]


def best_square(value: Kelvins, side: int, scale: int, free: NDArray[np.bool_] | None = None) -> tuple[int, int]:
    """Return top and left of the square with the greatest mean of valid pixels; its corner is free where any is."""
    valid = np.isfinite(value)
    floor = float(value[valid].min()) if valid.any() else 0.0
    filled = np.where(valid, value, floor)
    mean = ndimage.uniform_filter(filled.astype(np.float64), side, mode="constant", origin=-(side // 2))
    inside = tuple(slice(0, length - side + 1, scale) for length in value.shape)
    corners = mean[inside]
    if free is not None and free[inside].any():
        corners = np.where(free[inside], corners, -np.inf)
    row, column = np.unravel_index(int(np.argmax(corners)), corners.shape)
    return int(row) * scale, int(column) * scale
