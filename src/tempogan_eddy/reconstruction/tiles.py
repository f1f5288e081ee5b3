"""Tiles that overlap by what the network sees around a pixel, so that no seam can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Tile", "plan_tiles", "run_tiled"]


@dataclass(frozen=True)
class Tile:
    """One tile along both axes, in LR pixels.

    Parameters
    ----------
    rows, columns
        What the network is given.
    inner_rows, inner_columns
        The part of it, counted from its own corner, that is kept.
    """

    rows: slice
    columns: slice
    inner_rows: slice
    inner_columns: slice


def plan_tiles(height: int, width: int, tile: int, overlap: int) -> Iterator[Tile]:
    """Cover a frame with tiles whose kept parts meet exactly.

    Parameters
    ----------
    height, width
        The frame, in LR pixels.
    tile
        Side of the kept part.
    overlap
        How far a tile reaches beyond its kept part where the frame goes on.
    """
    for rows, inner_rows in _spans(height, tile, overlap):
        for columns, inner_columns in _spans(width, tile, overlap):
            yield Tile(rows, columns, inner_rows, inner_columns)


def run_tiled(network: Callable[[Tensor], Tensor], frame: Tensor, scale: int, tile: int, overlap: int) -> Tensor:
    """Apply a network to one frame, tile by tile.

    Parameters
    ----------
    network
        (1, 1, h, w) to (1, 1, h * scale, w * scale).
    frame
        (h, w).

    Returns
    -------
    Tensor
        (h * scale, w * scale) float32 on the CPU.
    """
    height, width = frame.shape
    fine = torch.empty(height * scale, width * scale)
    for part in plan_tiles(height, width, tile, overlap):
        result = network(frame[part.rows, part.columns][None, None])[0, 0]
        top, left = part.rows.start + part.inner_rows.start, part.columns.start + part.inner_columns.start
        kept = result[_scaled(part.inner_rows, scale), _scaled(part.inner_columns, scale)]
        fine[top * scale : top * scale + kept.shape[0], left * scale : left * scale + kept.shape[1]] = kept
    return fine


def _spans(length: int, tile: int, overlap: int) -> Iterator[tuple[slice, slice]]:
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        first, last = max(start - overlap, 0), min(stop + overlap, length)
        yield slice(first, last), slice(start - first, stop - first)


def _scaled(span: slice, scale: int) -> slice:
    return slice(span.start * scale, span.stop * scale)
