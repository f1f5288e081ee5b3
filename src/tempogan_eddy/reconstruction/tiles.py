"""Tiles with a halo as wide as the receptive field of the network, so that no seam can show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from tempogan_eddy.errors import is_out_of_memory

__all__ = ["Tile", "plan_tiles", "within_memory"]

log = logging.getLogger(__name__)

SMALLEST = 8  # lowres pixels of a tile; its halo takes most of the memory then


@dataclass(frozen=True)
class Tile:
    """One tile along both axes, in lowres pixels.

    Parameters
    ----------
    rows, columns
        The tile with its halo: the input of the network.
    inner_rows, inner_columns
        The tile without its halo, counted from the corner of ``rows`` and ``columns``: what is kept of the output.
    """

    rows: slice
    columns: slice
    inner_rows: slice
    inner_columns: slice

    @property
    def kept(self) -> tuple[slice, slice]:
        """The rows and columns of the frame that the tile without its halo covers."""
        rows, columns = (
            slice(whole.start + inner.start, whole.start + inner.stop)
            for whole, inner in ((self.rows, self.inner_rows), (self.columns, self.inner_columns))
        )
        return rows, columns

    def on_highres(self, scale: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Return rows and columns that are kept of the output of the network, and those of the whole where they belong.

        Both are ``scale`` times finer than the tile.
        """
        spans_of = (self.inner_rows, self.inner_columns), self.kept
        finer = [tuple(slice(span.start * scale, span.stop * scale) for span in spans) for spans in spans_of]
        return finer[0], finer[1]


def plan_tiles(height: int, width: int, tile: int, halo: int) -> Iterator[Tile]:
    """Cover a frame with tiles whose kept parts meet exactly.

    Parameters
    ----------
    height, width
        The frame, in lowres pixels.
    tile
        Side of the kept part.
    halo
        Pixels around the kept part, as far as the frame goes.
    """
    for rows, inner_rows in _spans(height, tile, halo):
        for columns, inner_columns in _spans(width, tile, halo):
            yield Tile(rows, columns, inner_rows, inner_columns)


def _spans(length: int, tile: int, halo: int) -> Iterator[tuple[slice, slice]]:
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        first, last = max(start - halo, 0), min(stop + halo, length)
        yield slice(first, last), slice(start - first, stop - first)


def within_memory(work: Callable[[int], None], tile: int, side: int) -> int:
    """Do work with tiles of this side; halve the side and begin again while memory runs out.

    Parameters
    ----------
    work
        Called with the side of a tile; writes the whole result each time.
    tile
        The first side to try.
    side
        The longest side of the frame, lowres pixels.

    Returns
    -------
    int
        The side that served. The result does not depend on it.
    """
    while True:
        try:
            work(tile)
            return tile
        except (RuntimeError, MemoryError) as error:
            smaller = min(tile, side) // 2
            if not is_out_of_memory(error) or smaller < SMALLEST:
                raise
        log.warning("Memory ran out with tiles of %d pixels; going on with tiles of %d (--tile)", tile, smaller)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        tile = smaller
