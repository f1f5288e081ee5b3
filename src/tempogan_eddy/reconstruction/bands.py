"""Map large frames band by band, so that several workers share one."""

from collections.abc import Callable
from functools import partial
from typing import Any

import dask
import dask.array
import numpy as np

__all__ = ["map_bands"]


def map_bands(
    rows: int,
    function: Callable[..., np.ndarray],
    frames: dask.array.Array,
    *others: dask.array.Array,
    chunks: tuple[tuple[int, ...], ...],
    **options: Any,
) -> dask.array.Array:
    """Map blocks as `dask.array.map_blocks` does, but in several bands of rows, each a block of the result.

    Parameters
    ----------
    rows
        Lowres rows of a band.
    function
        Called for each band with whole blocks and the slice of their lowres rows that it is to compute, ``band``.
    frames, others
        Lowres frames, each a block, and other arrays.
    chunks
        Of the result, if it were in whole frames.
    options
        Of `dask.array.map_blocks`.
    """
    *outer, (highres,), columns = chunks
    height = frames.shape[-2]
    starts = np.arange(0, height, rows)
    sides = tuple(int(side) * (highres // height) for side in np.minimum(rows, height - starts))
    firsts = dask.array.from_array(starts[:, None], chunks=1)
    # dask would compute layers that it fuses with a band once for each band; it fuses none of other annotations.
    with dask.annotate(bands=rows):
        return dask.array.map_blocks(
            partial(_compute_band, rows, function), firsts, frames, *others, chunks=(*outer, sides, columns), **options
        )


def _compute_band(
    rows: int, function: Callable[..., np.ndarray], first: np.ndarray, frames: np.ndarray, *others: np.ndarray
) -> np.ndarray:
    start = int(first[0, 0])
    return function(frames, *others, band=slice(start, min(start + rows, frames.shape[-2])))
