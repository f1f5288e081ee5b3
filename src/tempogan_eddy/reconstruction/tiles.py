"""Tiles with a halo as wide as the receptive field of the network, so that no seam can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Tile", "plan_tiles", "run_tiled"]


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


def run_tiled(network: Callable[[Tensor], Tensor], frames: Tensor, scale: int, tile: int, halo: int) -> Tensor:
    """Apply a network to frames, tile by tile.

    Parameters
    ----------
    network
        (N, C, h, w) to (N, C, h * scale, w * scale), float32. It may compute on another device, which then
        holds one tile at a time.
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
    highres = frames.new_empty(*frames.shape[:2], height * scale, width * scale)
    for part in plan_tiles(height, width, tile, halo):
        result = network(frames[..., part.rows, part.columns])
        top, left = part.rows.start + part.inner_rows.start, part.columns.start + part.inner_columns.start
        kept = result[..., _scaled(part.inner_rows, scale), _scaled(part.inner_columns, scale)]
        rows, columns = kept.shape[-2:]
        highres[..., top * scale : top * scale + rows, left * scale : left * scale + columns] = kept
    return highres


def _spans(length: int, tile: int, halo: int) -> Iterator[tuple[slice, slice]]:
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        first, last = max(start - halo, 0), min(stop + halo, length)
        yield slice(first, last), slice(start - first, stop - first)


def _scaled(span: slice, scale: int) -> slice:
    return slice(span.start * scale, span.stop * scale)
