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

__all__ = ["MARGIN", "count_halves", "moments_by_place", "traces"]

# Blocks on each side that give detail and its local strength to the blocks within.
MARGIN = 2


@overload
def moments_by_place(
    frames: NDArray[np.floating], scale: int, floor: float, counted: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]: ...
@overload
def moments_by_place(frames: Tensor, scale: int, floor: float, counted: NDArray[np.bool_] | None = None) -> Tensor: ...
def moments_by_place(frames: Any, scale: int, floor: float, counted: NDArray[np.bool_] | None = None) -> Any:
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
    counted : (H / scale - 2 MARGIN, W / scale - 2 MARGIN) array, optional
        The blocks that count; all by default.

    Returns
    -------
    (2, M, scale, scale) array or Tensor
        Sums over the white and the black blocks of a chessboard, and over frames: the detail, its square, and its
        products with the detail 1..scale // 2 pixels off along y and along x, both ways. Gradients pass through.
    """
    detail = _detail(frames, scale)
    first = (MARGIN - 1) * scale + (scale + 1) // 2  # of the detail's rows and columns, in the blocks that are returned
    rows, columns = (length // scale - 2 * MARGIN for length in frames.shape[-2:])

    def moved(down: int, right: int) -> Any:
        top, left = first + down, first + right
        return detail[..., top : top + rows * scale, left : left + columns * scale]

    around = slice(first - scale, first + (rows + 1) * scale), slice(first - scale, first + (columns + 1) * scale)
    energy = _running_mean(_block_means(detail[(..., *around)] ** 2, scale), 3)
    weight = _repeat((energy + floor**2) ** -0.5, scale)
    here, lags = moved(0, 0), [lag for lag in range(-(scale // 2), scale // 2 + 1) if lag]
    even = here * weight
    weighed = even * weight
    others = [here, *(moved(lag, 0) for lag in lags), *(moved(0, lag) for lag in lags)]
    sums = [_by_place(values, scale, counted) for values in (even, *(weighed * other for other in others))]
    return _stack([_stack([halves[colour] for halves in sums]) for colour in (0, 1)])


def count_halves(counted: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the number of blocks (h, w) that count, on the white and on the black squares of a chessboard."""
    white = np.indices(counted.shape).sum(0) % 2 == 0
    return float((counted & white).sum()), float((counted & ~white).sum())


def traces(ours: Any, theirs: Any) -> Any:
    """Return the mean square of how much more or less ours depend on the place than theirs: (...).

    Both are means over the blocks of two halves, (..., 2, M, s, s). What both show by chance at one place, because the
    scene is rough there, cancels. The product of the halves takes the place of a square, since it is not larger by
    what chance alone does to each half: it is right on average, and can be negative.
    """
    difference = ours - theirs
    difference = difference - difference.mean((-2, -1))[..., None, None]
    return (difference[..., 0, :, :, :] * difference[..., 1, :, :, :]).mean((-3, -2, -1))


def _by_place(values: Any, scale: int, counted: NDArray[np.bool_] | None) -> tuple[Any, Any]:
    """Add up (..., H, W) over white and over black blocks: (scale, scale) each."""
    height, width = values.shape[-2:]
    blocks = values.reshape(-1, height // scale, scale, width)
    if counted is not None:
        weights = counted.repeat(scale, axis=1)[:, None]
        blocks = blocks * (weights if isinstance(blocks, np.ndarray) else blocks.new_tensor(weights))
    # Rows first, because a sum over both axes of a block takes many times as long.
    (a, b), (c, d) = (
        [row.reshape(scale, width // scale, scale)[:, start::2].sum(1) for start in (0, 1)]
        for row in (blocks[:, first::2].sum((0, 1)) for first in (0, 1))
    )
    return a + d, b + c


def _stack(parts: list[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.stack(parts)
    import torch

    return torch.stack(parts)


def _detail(frames: Any, scale: int) -> Any:
    """Return frames (..., H, W) minus a smooth frame, without scale // 2 rows and columns at each edge."""
    smooth, edge = _running_mean(frames, scale), scale // 2
    smooth = _running_mean(smooth, 2) if scale % 2 == 0 else smooth
    return frames[..., edge : frames.shape[-2] - edge, edge : frames.shape[-1] - edge] - smooth


def _block_means(values: Any, side: int) -> Any:
    """Return the mean of each block, (..., H // side, W // side), by sums of rows, then of columns."""
    rows = sum(values[..., n::side, :] for n in range(side))
    return sum(rows[..., n::side] for n in range(side)) / side**2


def _repeat(values: Any, side: int) -> Any:
    """Give each pixel of a block the value of the block: (..., h, w) to (..., h * side, w * side)."""
    for axis in (-2, -1):
        numpy = isinstance(values, np.ndarray)
        values = values.repeat(side, axis) if numpy else values.repeat_interleave(side, axis)
    return values


def _running_mean(values: Any, side: int) -> Any:
    """Return the mean of each whole square of pixels, (..., H - side + 1, W - side + 1)."""
    height, width = (length - side + 1 for length in values.shape[-2:])
    rows = sum(values[..., n : n + height, :] for n in range(side))
    return sum(rows[..., n : n + width] for n in range(side)) / side**2
