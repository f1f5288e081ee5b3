"""Blocks of highres pixels, one for each lowres pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["block_means", "repeat_pixels", "split_blocks", "whole_blocks"]

Kind = TypeVar("Kind", bound=np.generic)


def repeat_pixels(lowres: Tensor, scale: int) -> Tensor:
    """Give every highres pixel of a block the value of its lowres pixel: (..., h, w) to (..., H, W)."""
    return lowres.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


def split_blocks(values: NDArray[Kind], side: int) -> NDArray[Kind]:
    """Return values (H, W) as square blocks, (H // side, side, W // side, side); drop what does not fill a block."""
    rows, columns = (length // side for length in values.shape)
    return values[: rows * side, : columns * side].reshape(rows, side, columns, side)


def block_means(values: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Return the mean of each square block, (H // side, W // side), added up in double precision."""
    # Rows first, then columns: many times as fast as a sum over both axes of a block. No matrix product, because the
    # threads of BLAS would wait for each other where frames are scored in several threads.
    rows = split_blocks(values, side).sum(axis=1, dtype=np.float64)
    return np.asarray(np.einsum("ijk,k->ij", rows, np.full(side, 1 / side**2)))


def whole_blocks(valid: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Return the square blocks without a missing pixel, (H // side, W // side)."""
    if valid.all():
        return np.ones([length // side for length in valid.shape], bool)
    rows: NDArray[np.bool_] = np.logical_and.reduce(split_blocks(valid, side), axis=1)
    return np.logical_and.reduce(rows, axis=2)
