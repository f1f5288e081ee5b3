"""Tiles with a halo as wide as the receptive field of the network, so that no seam can show.

A frame is filled where pixels are missing, computed tile by tile, masked, and copied into its array.
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.dataset.blocks import repeat_pixels
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.errors import InputError, is_out_of_memory
from tempogan_eddy.io.values.precision import PACKED_LARGEST, PACKED_LAST, PACKED_MISSING, PACKED_OFFSET, PACKED_QUANTUM
from tempogan_eddy.kelvin import VALID_KELVIN
from tempogan_eddy.reconstruction.fill import fill_nearest
from tempogan_eddy.reconstruction.transfer import Transfer

__all__ = ["SMALLEST", "Tile", "Tiled", "pack_kelvin", "plan_tiles", "within_memory"]

log = logging.getLogger(__name__)

SMALLEST = 8
"""The least side of a tile, lowres pixels; its halo takes most of the memory then."""


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

    def moved(self, rows: int) -> Self:
        """Return the tile so many rows further down."""
        return replace(self, rows=slice(self.rows.start + rows, self.rows.stop + rows))

    def on_highres(self, scale: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Return rows and columns that are kept of the output of the network, and those of the whole where they belong.

        Both are ``scale`` times finer than the tile.
        """
        spans_of = (self.inner_rows, self.inner_columns), self.kept
        finer = [tuple(slice(span.start * scale, span.stop * scale) for span in spans) for spans in spans_of]
        return finer[0], finer[1]


def plan_tiles(height: int, width: int, tile: int, halo: int, band: slice | None = None) -> Iterator[Tile]:
    """Cover a frame, or a band of its rows, with tiles whose kept parts meet exactly.

    Parameters
    ----------
    height, width
        The frame, in lowres pixels.
    tile
        Side of the kept part.
    halo
        Pixels around the kept part, as far as the frame goes.
    band
        The rows to cover; all by default.
    """
    for rows, inner_rows in _spans(height, tile, halo, band or slice(0, height)):
        for columns, inner_columns in _spans(width, tile, halo, slice(0, width)):
            yield Tile(rows, columns, inner_rows, inner_columns)


def _spans(length: int, tile: int, halo: int, covered: slice) -> Iterator[tuple[slice, slice]]:
    for start in range(covered.start, covered.stop, tile):
        stop = min(start + tile, covered.stop)
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
        The side that fitted. The result does not depend on it.
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


class Tiled:
    """Computes highres frames tile by tile. Two objects of a class are equal if their keys are.

    Parameters
    ----------
    tile
        Side of a tile in lowres pixels, without its halo.
    packed
        Make int16 in steps of 0.01 K from 250 K.

    Raises
    ------
    InputError
        The side of the tile is no whole number of at least 1.
    """

    scale: int
    halo: int
    _key: tuple[object, ...]

    def __init__(self, tile: int, packed: bool) -> None:
        if not isinstance(tile, int | np.integer) or tile < 1:
            raise InputError(f"The tile must be a whole number of at least 1 pixel, not {tile!r}.")
        self.tile = self._fitting = tile  # the side that is asked for, and the side that fits the memory
        self.dtype = np.dtype(np.int16 if packed else np.float32)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """Name dask's tasks by the content, so that equal reconstructions share their results."""
        return self._key

    def _fill(
        self,
        highres: np.ndarray,
        lowres: np.ndarray,
        compute: Callable[[Tile, tuple[slice, ...], Tensor], Tensor],
        transfer: Transfer,
        largest: int | None = None,
        band: slice | None = None,
    ) -> None:
        """Compute highres frames, and start to copy them into their array.

        Parameters
        ----------
        highres
            (L, H, W): the array of the band, int16 for packed kelvin.
        lowres
            (N, h, w) in kelvin, NaN where missing.
        compute
            Maps a tile, the highres pixels to keep of it, and its lowres frames with the halo (N, rows, columns),
            without missing pixels, to the highres frames that are kept (L, rows, columns). L is N, or N is 1.
        transfer
            To the device.
        largest
            The side of a tile, at most.
        band
            The lowres rows to compute; all by default.
        """
        height, width = lowres.shape[1:]
        band = band or slice(0, height)
        # A missing pixel shows only in valid ones within the halo, so the nearest valid one is no farther than these.
        reach = self.halo + math.ceil(math.sqrt(2) * self.halo)
        above = max(band.start - reach, 0)
        lowres = np.ascontiguousarray(lowres[:, above : band.stop + reach])
        first = min(self._fitting, largest or self._fitting)
        # Look for missing pixels here: on the device this would need a device sync.
        missing = np.isnan(lowres)
        gaps = np.flatnonzero(missing)
        on_device: Tensor | None = None
        if not gaps.size:
            filled = transfer.send(lowres)
        elif transfer.device.type == "cpu":  # where scipy is faster
            filled, on_device = transfer.send(fill_missing(lowres)), transfer.send(missing)
        else:
            filled, on_device = fill_nearest(transfer.send(lowres), transfer.send(gaps)), transfer.send(missing)

        def start(side: int) -> None:
            if side != first:
                transfer.finish()  # an earlier try may still be on its way to the same array
            for tile in list(plan_tiles(height, width, side, self.halo, band)):
                here, kept = tile.moved(-above), tile.on_highres(self.scale)[0]
                target = highres[:, *tile.moved(-band.start).on_highres(self.scale)[1]]
                if gaps.size and missing[:, *here.kept].all():  # space beside a full disk
                    target[:] = PACKED_MISSING if highres.dtype == np.int16 else np.nan
                    continue
                result = compute(tile, kept, filled[:, here.rows, here.columns])
                if on_device is not None:
                    result = result.masked_fill_(repeat_pixels(on_device[:, *here.kept], self.scale), math.nan)
                transfer.fetch(pack_kelvin(result) if highres.dtype == np.int16 else result, target)

        fitting = within_memory(start, first, max(height, width))
        if fitting < first:
            self._fitting = fitting


def pack_kelvin(kelvin: Tensor) -> Tensor:
    """Return float32 kelvin, NaN where missing, as int16, exactly as `io.precision` packs it.

    Kelvins beyond what 16 bits hold become the first or last number, which `Precision.stored` refuses: to raise here
    would wait for the device.
    """
    # The writer computes in doubles; Apple's GPUs have none.
    doubled = torch.float32 if kelvin.device.type == "mps" else torch.float64
    steps = ((kelvin.to(doubled) - PACKED_OFFSET) / PACKED_QUANTUM).round_()
    steps = torch.where(kelvin < VALID_KELVIN[1], steps.clamp(max=PACKED_LAST), steps)
    steps = steps.clamp_(-PACKED_LARGEST, PACKED_LARGEST)
    return torch.where(kelvin.isnan(), PACKED_MISSING, steps).to(torch.int16)
