"""Traces of the lowres grid, in numpy arrays and torch tensors: for scores and for losses.

Real scenes do not know where the pixels of a coarser instrument lay: their detail has the same statistics at each of
the scale x scale places within a lowres pixel. A network sees these places, and can draw a pattern that repeats with
every lowres pixel. No radial spectrum and no projection onto the input forbids it, and the eye finds it in calm areas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MARGIN", "halves", "moments_by_place", "traces"]

# Blocks on each side that give detail and its local strength to the blocks within.
MARGIN = 2


@overload
def moments_by_place(
    frames: NDArray[np.floating], scale: int, floor: float, weights: NDArray[np.float64]
) -> NDArray[np.float64]: ...
@overload
def moments_by_place(frames: Tensor, scale: int, floor: float, weights: Tensor) -> Tensor: ...
def moments_by_place(frames: Any, scale: int, floor: float, weights: Any) -> Any:
    """Return moments of the detail of frames at each place within a lowres pixel.

    Detail is what differs from a smooth frame that holds nothing of a pattern that repeats with every lowres pixel. It
    is divided by its own root mean square in the 3x3 blocks around, so calm and rough areas count alike.

    Parameters
    ----------
    frames : (..., H, W) array or Tensor
        Finite; H and W are multiples of `scale`, and hold more than 2 `MARGIN` blocks.
    scale : int
        Side of a block, at least 2.
    floor : float
        Detail much weaker than this, in the unit of the frames, counts for nothing.
    weights : (2, H / scale - 2 MARGIN, W / scale - 2 MARGIN) array or Tensor
        Of the blocks in each of two sums, as `halves` gives them.

    Returns
    -------
    (2, M, scale, scale) array or Tensor
        Two sums over blocks and frames: the detail, its square, and its products with the detail 1..scale // 2 pixels
        off along y and along x, both ways. Gradients pass through.
    """
    detail = _detail(frames, scale)
    first = (MARGIN - 1) * scale + (scale + 1) // 2  # of the detail's rows and columns, in the blocks that are returned
    inner = [length // scale - 2 * MARGIN for length in frames.shape[-2:]]

    def blocks(down: int, right: int, around: int = 0) -> Any:
        start, (rows, columns) = first - around * scale, (count + 2 * around for count in inner)
        y, x = (slice(start + moved, start + moved + n * scale) for moved, n in ((down, rows), (right, columns)))
        return detail[..., y, x].reshape(-1, rows, scale, columns, scale)

    energy = _running_mean((blocks(0, 0, around=1) ** 2).mean((2, 4)), 3)[:, :, None, :, None] + floor**2
    here, lags = blocks(0, 0), [lag for lag in range(-(scale // 2), scale // 2 + 1) if lag]
    others = [here, *(blocks(lag, 0) for lag in lags), *(blocks(0, lag) for lag in lags)]
    products = [here / energy**0.5, *(here * other / energy for other in others)]
    if isinstance(frames, np.ndarray):
        return np.stack([np.einsum("yaxb,hyx->hab", product.sum(0), weights) for product in products], axis=1)
    import torch

    return torch.stack([torch.einsum("yaxb,hyx->hab", product.sum(0), weights) for product in products], dim=1)


def halves(counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the blocks that count (h, w) as the white and the black squares of a chessboard: weights (2, h, w)."""
    white = np.indices(counted.shape).sum(0) % 2 == 0
    return np.stack([counted & white, counted & ~white]).astype(np.float64)


def traces(ours: Any, theirs: Any) -> Any:
    """Return the mean square of how much more or less ours depend on the place than theirs: (...).

    Both are means over the blocks of two halves, (..., 2, M, s, s). What both show by chance at one place, because the
    scene is rough there, cancels. The product of the halves takes the place of a square, since it is not larger by
    what chance alone does to each half: it is right on average, and can be negative.
    """
    difference = ours - theirs
    difference = difference - difference.mean((-2, -1))[..., None, None]
    return (difference[..., 0, :, :, :] * difference[..., 1, :, :, :]).mean((-3, -2, -1))


def _detail(frames: Any, scale: int) -> Any:
    """Return frames (..., H, W) minus a smooth frame, without scale // 2 rows and columns at each edge."""
    smooth, edge = _running_mean(frames, scale), scale // 2
    smooth = _running_mean(smooth, 2) if scale % 2 == 0 else smooth
    return frames[..., edge : frames.shape[-2] - edge, edge : frames.shape[-1] - edge] - smooth


def _running_mean(values: Any, side: int) -> Any:
    """Return the mean of each whole square of pixels, (..., H - side + 1, W - side + 1)."""
    height, width = (length - side + 1 for length in values.shape[-2:])
    rows = sum(values[..., n : n + height, :] for n in range(side))
    return sum(rows[..., n : n + width] for n in range(side)) / side**2
