"""Semi-Lagrangian advection: one step of steady wind is one sparse matrix that moves any field."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_matrix

from tempogan_eddy.synthesis.grid import Field

__all__ = ["departure", "move", "step_matrix"]


def departure(wind: Field) -> Field:
    """Return the offsets ``(2, y, x)``, in pixels and x first, to where the air was one step before.

    The wind is ``(2, y, x)`` in pixels per step, the domain periodic. It uses the midpoint rule.
    """
    return -np.stack([move(component, -wind / 2, order=1) for component in wind])


def move(field: Field, offset: Field, *, order: int = 3) -> Field:
    """Return a periodic field ``(y, x)`` read at every pixel plus its offset ``(2, y, x)``."""
    rows, columns = np.indices(field.shape, dtype=float)
    return map_coordinates(field, [rows + offset[1], columns + offset[0]], order=order, mode="grid-wrap")


def step_matrix(offset: Field) -> csr_matrix:
    """Return the matrix that reads a flattened field at every pixel plus its offset.

    The interpolation is bicubic (R. G. Keys, 1981), exact at the pixels: still air changes nothing.
    """
    height, width = offset.shape[1:]
    rows, columns = np.indices((height, width), dtype=float)
    row_index, row_weight = _taps((rows + offset[1]).ravel(), height)
    column_index, column_weight = _taps((columns + offset[0]).ravel(), width)
    index = row_index[:, :, None] * width + column_index[:, None, :]
    weight = row_weight[:, :, None] * column_weight[:, None, :]
    starts = np.arange(0, index.size + 1, 16, dtype=np.int32)
    return csr_matrix((weight.ravel(), index.ravel(), starts), shape=(height * width,) * 2)


def _taps(position: Field, length: int) -> tuple[NDArray[np.int32], Field]:
    """Return the four neighbours ``(n, 4)`` of each position on a periodic axis, and their cubic weights."""
    whole = np.floor(position)
    t = position - whole
    weights = [
        t * (-0.5 + t * (1 - 0.5 * t)),
        1 + t * t * (1.5 * t - 2.5),
        t * (0.5 + t * (2 - 1.5 * t)),
        t * t * (0.5 * t - 0.5),
    ]
    index = (whole.astype(np.int32)[:, None] + np.arange(-1, 3, dtype=np.int32)) % np.int32(length)
    return index.astype(np.int32), np.stack(weights, axis=-1)
