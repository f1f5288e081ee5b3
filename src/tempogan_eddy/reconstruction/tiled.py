"""Highres frames tile by tile: fill missing pixels, compute, mask, and copy the result into its array."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from tempogan_eddy.dataset.blocks import repeat_pixels
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.precision import PACKED_MISSING
from tempogan_eddy.reconstruction.fill import fill_nearest
from tempogan_eddy.reconstruction.packing import pack_kelvin
from tempogan_eddy.reconstruction.tiles import Tile, plan_tiles, within_memory
from tempogan_eddy.reconstruction.transfer import Transfer

__all__ = ["Tiled"]


class Tiled:
    """Computes highres frames tile by tile. Two of a class are equal if their keys are.

    Parameters
    ----------
    tile
        Side of a tile in lowres pixels, without its halo.
    packed
        Make int16 in steps of 0.01 K from 250 K.

    Raises
    ------
    InputError
        The tile is smaller than one pixel.
    """

    scale: int
    halo: int
    _key: tuple[object, ...]

    def __init__(self, tile: int, packed: bool) -> None:
        if tile < 1:
            raise InputError(f"The tile must be at least 1 pixel wide, not {tile}.")
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
    ) -> None:
        """Compute highres frames, and start to copy them into their array.

        Parameters
        ----------
        highres
            (L, H, W): the array, int16 for packed kelvin.
        lowres
            (N, h, w) in kelvin, NaN where missing.
        compute
            Maps a tile, the highres pixels to keep of it, and its lowres frames with the halo (N, rows, columns),
            without missing pixels, to the highres frames that are kept (L, rows, columns). L is N, or N is 1.
        transfer
            To the device.
        """
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
            if side != self._fitting:
                transfer.finish()  # an earlier try may still be on its way to the same array
            for tile in list(plan_tiles(lowres.shape[1], lowres.shape[2], side, self.halo)):
                kept, place = tile.on_highres(self.scale)
                target = highres[:, *place]
                if gaps.size and missing[:, *tile.kept].all():  # space beside a full disk
                    target[:] = PACKED_MISSING if highres.dtype == np.int16 else np.nan
                    continue
                result = compute(tile, kept, filled[:, tile.rows, tile.columns])
                if on_device is not None:
                    result = result.masked_fill_(repeat_pixels(on_device[:, *tile.kept], self.scale), math.nan)
                transfer.fetch(pack_kelvin(result) if highres.dtype == np.int16 else result, target)

        self._fitting = within_memory(start, self._fitting, max(lowres.shape[1:]))
