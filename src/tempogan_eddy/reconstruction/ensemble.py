"""Blocks of lowres frames to the members of an ensemble, or to their summary, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.device import choose_device
from tempogan_eddy.errors import InputError
from tempogan_eddy.fingerprint import network_digest
from tempogan_eddy.reconstruction.members import MemberDraw
from tempogan_eddy.reconstruction.noise import white_window
from tempogan_eddy.reconstruction.packing import pack_kelvin
from tempogan_eddy.reconstruction.reconstructor import TILE, Keyed, model_of
from tempogan_eddy.reconstruction.summary import SUMMARY, summarise
from tempogan_eddy.reconstruction.tiles import Tile, plan_tiles, within_memory
from tempogan_eddy.weights import Model

__all__ = ["EnsembleReconstructor"]


class EnsembleReconstructor(Keyed):
    """Draw members of blocks of frames. It can be pickled.

    The noise of a member depends on seed, member, the time of the frame and the place in it alone: not on tiles, nor on
    other frames or members.

    Parameters
    ----------
    model
        An ensemble, from `load_model`, or what `load_model` takes. It is copied; later changes have no effect.
    members
        How many.
    seed
        Decides the noise.
    sensor
        The sensor that saw the frames; the area mean by default.
    tile
        Side of a tile in lowres pixels, without its halo; bounds the memory of the network.
    device
        Where to compute: ``auto`` for a GPU where there is one, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    packed
        Return members as int16 in steps of 0.01 K from 250 K.

    Attributes
    ----------
    scale
        Highres pixels along the side of one lowres pixel.
    dtype
        Of the members: float32, or int16 where they are packed.

    Raises
    ------
    InputError
        The model is no ensemble, or there is less than one member or pixel of a tile.
    """

    def __init__(
        self,
        model: Model | str | Path = "ensemble",
        members: int = 8,
        seed: int = 0,
        *,
        sensor: SensorModel | None = None,
        tile: int = TILE,
        device: str | torch.device = "auto",
        packed: bool = False,
    ) -> None:
        if members < 1:
            raise InputError(f"An ensemble has at least 1 member, not {members}.")
        if tile < 1:
            raise InputError(f"The tile must be at least 1 pixel wide, not {tile}.")
        model = model_of(model)
        self.device = choose_device(device) if isinstance(device, str) else device
        self.draw = MemberDraw(model, sensor).to(self.device)
        self.members, self.seed, self.tile, self.scale = members, seed, tile, model.scale
        self.dtype = np.dtype(np.int16 if packed else np.float32)
        self._fitting = tile  # the side that fits the memory
        self._key = (
            network_digest(model.generator), model.for_sensor(sensor).sensor, model.kelvin_range, members, seed, tile,
            str(self.device), packed,
        )  # fmt: skip

    def __call__(self, block: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Draw the members of a block of frames.

        Parameters
        ----------
        block
            (N, h, w) in kelvin, NaN where missing.
        times
            (N,) of the frames, in nanoseconds since 1970.

        Returns
        -------
        ndarray
            (M, N, H, W) float32 in kelvin, NaN where the lowres pixel is missing; or packed.
        """
        return self._highres(block, times, self.members, self.dtype, self._stored)

    def summary(self, block: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the summary of the members of a block: (S, N, H, W) float32, by `SUMMARY`; parameters as for a call.

        It holds the members of one tile at a time.
        """
        return self._highres(block, times, len(SUMMARY), np.dtype(np.float32), summarise)

    def _stored(self, members: Tensor) -> Tensor:
        return pack_kelvin(members) if self.dtype == np.int16 else members

    def _highres(
        self, block: np.ndarray, times: np.ndarray, layers: int, dtype: np.dtype, of_members: Callable[[Tensor], Tensor]
    ) -> np.ndarray:
        """Return what a function makes of the members (M, rows, columns) of each tile, for whole frames."""
        lowres = np.ascontiguousarray(block, np.float32)
        frames, height, width = lowres.shape
        highres = np.empty((layers, frames, height * self.scale, width * self.scale), dtype)
        for number, time in enumerate(times.tolist()):

            def draw(tile: int, number: int = number, time: int = time) -> None:
                for place, members in self._tiles(lowres[number], time, tile):
                    highres[:, number, place[0], place[1]] = of_members(members).cpu().numpy()

            self._fitting = within_memory(draw, self._fitting, max(height, width))
        return highres

    @torch.inference_mode()
    def _tiles(self, frame: np.ndarray, time: int, tile_side: int) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
        """Yield the place of each tile in the highres frame, and its members (M, rows, columns)."""
        missing = torch.from_numpy(np.isnan(frame))
        filled = torch.from_numpy(fill_missing(frame[None])[0])
        for tile in plan_tiles(frame.shape[0], frame.shape[1], tile_side, self.draw.halo):
            kept, place = tile.on_highres(self.scale)
            shared = self.draw.share(filled[tile.rows, tile.columns].to(self.device))
            members = torch.stack(
                [self.draw.member(shared, self._noise(tile, number, time))[kept] for number in range(self.members)]
            )
            unseen = missing[tile.rows, tile.columns]
            if unseen.any():
                unseen = unseen.repeat_interleave(self.scale, 0).repeat_interleave(self.scale, 1)[kept]
                members.masked_fill_(unseen.to(self.device), math.nan)
            yield (place[0], place[1]), members

    def _noise(self, tile: Tile, member: int, time: int) -> Tensor:
        """Return the noise of a tile with its halo and the margin."""
        rows, columns = (slice(span.start, span.stop + 2 * self.draw.margin) for span in (tile.rows, tile.columns))
        return white_window(self.draw.noise_channels, rows, columns, self.seed, member, time).to(self.device)
