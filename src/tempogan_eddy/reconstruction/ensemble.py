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
from tempogan_eddy.model.noise import white_noise
from tempogan_eddy.reconstruction.members import MemberDraw
from tempogan_eddy.reconstruction.noise import NOISES, Carried, CarriedTile, carry_noise
from tempogan_eddy.reconstruction.packing import pack_kelvin
from tempogan_eddy.reconstruction.reconstructor import TILE, Keyed, model_of
from tempogan_eddy.reconstruction.summary import SUMMARY, summarise
from tempogan_eddy.reconstruction.tiles import Tile, plan_tiles, within_memory
from tempogan_eddy.weights import Model

__all__ = ["EnsembleReconstructor"]


class EnsembleReconstructor(Keyed):
    """Draw members of blocks of frames. It can be pickled.

    Fresh noise depends on seed, member, the time of the frame and the place in it alone: not on tiles or other members.
    Coherent noise adds that of earlier frames, moved along the flow between the lowres frames.

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
    noise
        ``coherent``: carried from frame to frame with the clouds; ``white``: independent at each time.
    dressing
        Draw white noise whose strength follows the local spread, in place of the learned textures.

    Attributes
    ----------
    scale
        Highres pixels along the side of one lowres pixel.
    dtype
        Of the members: float32, or int16 where they are packed.

    Raises
    ------
    InputError
        The model is no ensemble, the noise is unknown, or there is less than one member or pixel of a tile.
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
        noise: str = "coherent",
        dressing: bool = False,
    ) -> None:
        if members < 1:
            raise InputError(f"An ensemble has at least 1 member, not {members}.")
        if tile < 1:
            raise InputError(f"The tile must be at least 1 pixel wide, not {tile}.")
        if noise not in NOISES:
            raise InputError(f"The noise {noise!r} is unknown; use {' or '.join(NOISES)}.")
        model = model_of(model)
        self.device = choose_device(device) if isinstance(device, str) else device
        self.draw = MemberDraw(model, sensor, dressing=dressing).to(self.device)
        self.members, self.seed, self.tile, self.scale = members, seed, tile, model.scale
        self.noise = noise
        self.dtype = np.dtype(np.int16 if packed else np.float32)
        self._fitting = tile  # the side that fits the memory
        self._key = (
            network_digest(model.generator), model.for_sensor(sensor).sensor, model.kelvin_range, members, seed, tile,
            str(self.device), packed, noise, dressing,
        )  # fmt: skip

    def __call__(self, block: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Draw the members of a frame.

        Parameters
        ----------
        block
            (K + 1, h, w) in kelvin, NaN where missing: the frame, and those before it from which its noise is carried,
            as `earlier_frames` names them.
        times
            (K + 1,) of the frames, in nanoseconds since 1970.

        Returns
        -------
        ndarray
            (M, H, W) float32 in kelvin, NaN where the lowres pixel is missing; or packed.
        """
        return self._highres(block, times, self.members, self.dtype, self._stored)

    def summary(self, block: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the summary of the members of a frame: (S, H, W) float32, by `SUMMARY`; parameters as for a call.

        It holds the members of one tile at a time.
        """
        return self._highres(block, times, len(SUMMARY), np.dtype(np.float32), summarise)

    def _stored(self, members: Tensor) -> Tensor:
        return pack_kelvin(members) if self.dtype == np.int16 else members

    @torch.inference_mode()
    def _highres(
        self, block: np.ndarray, times: np.ndarray, layers: int, dtype: np.dtype, of_members: Callable[[Tensor], Tensor]
    ) -> np.ndarray:
        """Return what a function makes of the members (M, rows, columns) of each tile, for the whole frame."""
        frame, *_ = lowres = np.ascontiguousarray(block, np.float32)
        carried = carry_noise(lowres, times) if self.noise == "coherent" else []
        highres = np.empty((layers, frame.shape[0] * self.scale, frame.shape[1] * self.scale), dtype)

        def draw(tile_side: int) -> None:
            for (rows, columns), members in self._tiles(frame, carried, int(times[0]), tile_side):
                highres[:, rows, columns] = of_members(members).cpu().numpy()

        self._fitting = within_memory(draw, self._fitting, max(frame.shape))
        return highres

    def _tiles(
        self, frame: np.ndarray, carried: list[Carried], time: int, tile_side: int
    ) -> Iterator[tuple[tuple[slice, ...], Tensor]]:
        """Yield the place of each tile in the highres frame, and its members (M, rows, columns)."""
        missing, filled = torch.from_numpy(np.isnan(frame)), torch.from_numpy(fill_missing(frame))
        for tile in plan_tiles(frame.shape[0], frame.shape[1], tile_side, self.draw.halo):
            kept, place = tile.on_highres(self.scale)
            sources = [source.tile(tile, self.scale).to(self.device) for source in carried] or [CarriedTile(time)]
            shared = self.draw.share(filled[tile.rows, tile.columns].to(self.device))
            textures = (self._textures(tile, number, sources) for number in range(self.members))
            members = torch.stack([self.draw.member(shared, each)[kept] for each in textures])
            unseen = missing[tile.rows, tile.columns]
            if unseen.any():
                unseen = unseen.repeat_interleave(self.scale, 0).repeat_interleave(self.scale, 1)[kept]
                members.masked_fill_(unseen.to(self.device), math.nan)
            yield place, members

    def _textures(self, tile: Tile, member: int, sources: list[CarriedTile]) -> Tensor:
        """Return the textures of a tile with its halo: the sum over the sources of its noise."""
        parts = []
        for source in sources:
            rows, columns = (
                slice(span.start - source.reach, span.stop + source.reach + 2 * self.draw.margin)
                for span in (tile.rows, tile.columns)
            )
            noise = white_noise(self.draw.noise_channels, rows, columns, self.seed, member, source.time)
            parts.append(source.read(self.draw.textures(noise.to(self.device))))
        return torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]
