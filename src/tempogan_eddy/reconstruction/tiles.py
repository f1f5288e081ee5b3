"""Tiles that overlap by what the network sees around a pixel, so that no seam can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


def run_tiled(network: Callable[[Tensor], Tensor], frames: Tensor, scale: int, tile: int, overlap: int) -> Tensor:
    """Apply a network to frames, tile by tile.

    Parameters
    ----------
    network
        (N, C, h, w) to (N, C, h * scale, w * scale), float32, on any device: no more than a tile is there at once.
    frames
        (N, C, h, w); one that fits into a tile is computed in one piece.

    Returns
    -------
    Tensor
        (N, C, h * scale, w * scale) float32 on the device of the frames.
    """
    height, width = frames.shape[-2:]
    if max(height, width) <= tile:
        return network(frames).to(frames.device)
    fine = frames.new_empty(*frames.shape[:2], height * scale, width * scale)
    for part in plan_tiles(height, width, tile, overlap):
        result = network(frames[..., part.rows, part.columns])
        top, left = part.rows.start + part.inner_rows.start, part.columns.start + part.inner_columns.start
        kept = result[..., _scaled(part.inner_rows, scale), _scaled(part.inner_columns, scale)]
        rows, columns = kept.shape[-2:]
        fine[..., top * scale : top * scale + rows, left * scale : left * scale + columns] = kept
    return fine


def _spans(length: int, tile: int, overlap: int) -> Iterator[tuple[slice, slice]]:
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        first, last = max(start - overlap, 0), min(stop + overlap, length)
        yield slice(first, last), slice(start - first, stop - first)


def _scaled(span: slice, scale: int) -> slice:
    return slice(span.start * scale, span.stop * scale)
