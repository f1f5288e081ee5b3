"""Statistics of what a spectrum cannot see: extremes, edges, how unevenly the detail is spread, traces of the grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tempogan_eddy.dataset.blocks import block_means, split_blocks
from tempogan_eddy.evaluation.aggregation import Mean
from tempogan_eddy.evaluation.baselines import nearest
from tempogan_eddy.evaluation.masked import Mask, MaskedFrame, kept
from tempogan_eddy.evaluation.statistics import Statistic
from tempogan_eddy.grid_traces import MARGIN, count_halves, moments_by_place, traces

__all__ = [
    "ColdestPixel",
    "DetailMoments",
    "Gradients",
    "GridTraces",
    "coldest_pixels",
    "detail_correlation",
    "detail_kurtosis",
    "gradient_distance",
    "grid_traces",
]

Values = NDArray[np.float64]

BOX = 64  # side of the boxes whose coldest pixel counts, pixels
STEEPEST, GRADIENT_BINS = 64.0, 256  # K/px; the bins are narrow where gradients are small
FAINTEST = 0.05  # detail much weaker than this is no trace of the grid that anyone would see, K
GRADIENTS = STEEPEST * np.linspace(0, 1, GRADIENT_BINS + 1) ** 2


@dataclass(frozen=True)
class ColdestPixel(Statistic[MaskedFrame]):
    """Mean of the coldest pixel minus that of the truth in boxes of 64 pixels that the lowres frame sees as cold, K.

    Attributes
    ----------
    cold_kelvin : float
        A box is cold if a lowres pixel in it is colder.
    """

    cold_kelvin: float

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        ours, theirs = (coldest_pixels(frame, truth, self.cold_kelvin) for frame in (reconstructed, truth))
        return Mean(float((ours - theirs).sum()), float(ours.size))


@kept
def coldest_pixels(frame: MaskedFrame, truth: MaskedFrame, cold_kelvin: float) -> Values:
    """Return the coldest valid pixel of each cold box, (N,); outer rows and columns that fill no box are dropped."""
    assert truth.lowres is not None
    side = BOX // truth.scale
    coldest = _box_minimum(frame.filled(np.inf), side * truth.scale, truth.scale)
    seen = _box_minimum(truth.lowres, side, 1)
    return coldest[(seen < cold_kelvin) & np.isfinite(coldest)].astype(np.float64)


def _box_minimum(values: NDArray[np.floating], side: int, step: int) -> NDArray[np.floating]:
    # In the middle, so that a flipped frame has the same boxes wherever the scale allows.
    top, left = (length % side // 2 // step * step for length in values.shape)
    return np.fmin.reduce(np.fmin.reduce(split_blocks(values[top:, left:], side), axis=1), axis=2)


@dataclass(frozen=True)
class Gradients(Statistic[MaskedFrame]):
    """Histograms of the steps to the next pixel, K/px, of the reconstruction and the truth: (2, GRADIENT_BINS).

    Steps along y and along x count alike, without their signs, so a flipped or turned frame has the same.
    """

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        ours, theirs = (_gradients(frame) for frame in (reconstructed, truth))
        return Mean(np.stack([ours, theirs]), float(theirs.sum()))


@kept
def _gradients(frame: MaskedFrame) -> Values:
    import cv2

    histogram = np.zeros(GRADIENT_BINS)
    for values, valid in ((frame.values, frame.mask.valid), (frame.values.T, frame.mask.valid.T)):
        steps = np.abs(values[1:] - values[:-1])
        steps = steps.ravel(order="K") if frame.mask.complete else steps[valid[1:] & valid[:-1]]
        place = np.minimum(np.sqrt(steps * (GRADIENT_BINS**2 / STEEPEST)), GRADIENT_BINS - 1).astype(np.uint8)
        histogram += cv2.calcHist([place], [0], None, [GRADIENT_BINS], [0, GRADIENT_BINS]).ravel()
    return histogram


def gradient_distance(histograms: Values) -> Values:
    """Return the Wasserstein-1 distance of the two histograms, K/px: (N,) from (N, 2, GRADIENT_BINS)."""
    gap = np.cumsum(histograms[:, 0] - histograms[:, 1], axis=1)  # of the distributions at the upper ends
    start = np.pad(gap[:, :-1], ((0, 0), (1, 0)))
    return np.abs((gap + start) / 2) @ np.diff(GRADIENTS)


@dataclass(frozen=True)
class DetailMoments(Statistic[MaskedFrame]):
    """Moments of the detail within blocks of the lowres grid, (9,): what remains when its block mean is removed.

    Means over the pixels of complete blocks: square and fourth power, of the reconstruction and of the truth; then over
    blocks, of the standard deviations a and b of both: a, b, a^2, b^2, a b.
    """

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        (square, fourth, a), (true_square, true_fourth, b) = (
            _detail(frame, truth.scale) for frame in (reconstructed, truth)
        )
        parts = (square, fourth, true_square, true_fourth, a, b, a * a, b * b, a * b)
        return Mean(np.array([part.sum(dtype=np.float64) for part in parts]), float(a.size))


@kept
def _detail(frame: MaskedFrame, scale: int) -> tuple[Values, Values, Values]:
    """Return the mean square, the mean fourth power and the standard deviation of the detail in complete blocks."""
    means = nearest(block_means(frame.values, scale).astype(frame.values.dtype), scale)
    square = np.square(frame.values[: means.shape[0], : means.shape[1]] - means)
    whole = frame.mask.whole_blocks(scale)
    second, fourth = (block_means(power, scale)[whole] for power in (square, square**2))
    return second, fourth, np.sqrt(second)


def detail_kurtosis(moments: Values) -> Values:
    """Return the kurtosis of the detail over that of the truth: (N,) from (N, 9)."""
    square, fourth, true_square, true_fourth = moments.T[:4]
    return (fourth / square**2) / (true_fourth / true_square**2)


def detail_correlation(moments: Values) -> Values:
    """Return the correlation over blocks of the standard deviation of the detail with the truth's: (N,)."""
    a, b, aa, bb, ab = moments.T[4:]
    return (ab - a * b) / np.sqrt((aa - a**2) * (bb - b**2))


@dataclass(frozen=True)
class GridTraces(Statistic[MaskedFrame]):
    """Moments of the detail at each place within a lowres pixel, of the reconstruction and the truth: (2, M, s, s).

    Means over one of two halves of the lowres pixels whose 5x5 neighbours are complete. See `moments_by_place`.

    Attributes
    ----------
    half : int
        0 or 1.
    """

    half: int

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean | None:
        count = _halves(truth.mask, truth.scale)[self.half]
        if not count:
            return None
        ours, theirs = (_moments_by_place(frame, truth.scale)[self.half] for frame in (reconstructed, truth))
        return Mean(np.stack([ours, theirs]), count)


@kept
def _halves(mask: Mask, scale: int) -> tuple[float, float]:
    return count_halves(_surrounded(mask, scale))


@kept
def _surrounded(mask: Mask, scale: int) -> NDArray[np.bool_]:
    """Return the blocks that have no missing pixel near, without `MARGIN` blocks at each edge."""
    whole = mask.whole_blocks(scale)
    around = ndimage.minimum_filter(whole, 2 * MARGIN + 1, mode="constant", cval=0)
    return around[MARGIN:-MARGIN, MARGIN:-MARGIN]


@kept
def _moments_by_place(frame: MaskedFrame, scale: int) -> NDArray[np.floating]:
    counted = _surrounded(frame.mask, scale)
    rows, columns = (length // scale * scale for length in frame.shape)
    return moments_by_place(frame.filled(0)[:rows, :columns], scale, FAINTEST, None if counted.all() else counted)


def grid_traces(half: Values, other: Values) -> Values:
    """Return how much more or less than the truth's the detail depends on the place, % of its strength: (N,).

    Of the moments of two halves, (N, 2, M, s, s) each; 0 where chance explains all.
    """
    found: Values = traces(*np.moveaxis(np.stack([half, other], axis=1), 2, 0))
    return 100 * np.sqrt(np.where(found < 0, 0, found))  # NaN stays
