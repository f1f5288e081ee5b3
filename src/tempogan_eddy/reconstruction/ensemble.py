"""Blocks of lowres frames to the members of an ensemble, or to their summary, tile by tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.device import choose_device
from tempogan_eddy.errors import InputError, require_seed, require_whole
from tempogan_eddy.fingerprint import network_digest
from tempogan_eddy.model.members import noise_of_sensor
from tempogan_eddy.model.noise import white_noise
from tempogan_eddy.reconstruction.members import MemberDraw
from tempogan_eddy.reconstruction.noise import NOISES, CarriedTile, carry_noise
from tempogan_eddy.reconstruction.reconstructor import TILE
from tempogan_eddy.reconstruction.summary import SUMMARY, summarise
from tempogan_eddy.reconstruction.tiles import SMALLEST, Tile, Tiled
from tempogan_eddy.reconstruction.transfer import Transfer
from tempogan_eddy.weights import Model, model_of

__all__ = ["EnsembleReconstructor"]

MOST_MEMBERS = 1000

WHOLE_TILE = 8
"""The summary of more members uses smaller tiles, so its memory does not grow."""


class EnsembleReconstructor(Tiled):
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
        ``coherent``: carried from frame to frame with the clouds; ``white``: independent at each time;
        ``dressing``: white noise whose strength follows the local spread, in place of the learned textures.

    Attributes
    ----------
    scale
        Highres pixels along the side of one lowres pixel.
    dtype
        Of the members: float32, or int16 where they are packed.

    Raises
    ------
    InputError
        The model is no ensemble, the noise is unknown, or the members or the side of a tile are out of range.
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
    ) -> None:
        super().__init__(tile, packed)
        require_whole("The number of members", members, 1, MOST_MEMBERS)
        seed = require_seed(seed)
        if noise not in NOISES:
            raise InputError(f"The noise {noise!r} is unknown; use {', '.join(NOISES)}.")
        model = model_of(model)
        self.device = choose_device(device) if isinstance(device, str) else device
        self.draw = MemberDraw(model, sensor, dressing=noise == "dressing").to(self.device)
        self.members, self.seed, self.noise = members, seed, noise
        self.scale, self.halo = model.scale, self.draw.halo
        self._key = (
            network_digest(model.generator), model.for_sensor(sensor).sensor, model.kelvin_range, members, seed, tile,
            str(self.device), packed, noise,
        )  # fmt: skip

    def __call__(self, block: np.ndarray, times: np.ndarray, band: slice | None = None) -> np.ndarray:
        """Draw the members of a frame, or of a band of its rows.

        Parameters
        ----------
        block
            (K + 1, h, w) in kelvin, NaN where missing: the frame, and those before it from which its noise is carried,
            as `earlier_frames` names them.
        times
            (K + 1,) of the frames, in nanoseconds since 1970.
        band
            The rows to draw; all by default.

        Returns
        -------
        ndarray
            (M, H, W) float32 in kelvin, NaN where the lowres pixel is missing; or packed.
        """
        return self._highres(block, times, band, summary=False)

    def summary(self, block: np.ndarray, times: np.ndarray, band: slice | None = None) -> np.ndarray:
        """Return the summary of the members of a frame: (S, H, W) float32, by `SUMMARY`; parameters as for a call.

        It holds the members of one tile at a time; the more there are, the smaller is the tile.
        """
        return self._highres(block, times, band, summary=True)

    @torch.inference_mode()
    def _highres(self, block: np.ndarray, times: np.ndarray, band: slice | None, *, summary: bool) -> np.ndarray:
        frame, *_ = lowres = np.ascontiguousarray(block, np.float32)
        carried = carry_noise(lowres, times) if self.noise == "coherent" else []
        fresh, transfer = [CarriedTile(int(times[0]))], Transfer(self.device)

        def compute(tile: Tile, kept: tuple[slice, ...], filled: Tensor) -> Tensor:
            sources = [source.tile(tile, self.scale).to(self.device) for source in carried]
            shared = self.draw.share(filled[0])
            parts = (
                (self._textures(tile, number, sources or fresh), self._noise_of_sensor(tile, number, int(times[0])))
                for number in range(self.members)
            )
            members = torch.stack([self.draw.member(shared, *each)[kept] for each in parts])
            return summarise(members) if summary else members

        layers, dtype = (len(SUMMARY), np.dtype(np.float32)) if summary else (self.members, self.dtype)
        band = band or slice(0, frame.shape[0])
        sides = (band.stop - band.start, frame.shape[1])
        highres = np.empty((layers, *(side * self.scale for side in sides)), dtype)
        largest = max(SMALLEST, int(self.tile * (WHOLE_TILE / self.members) ** 0.5)) if summary else None
        self._fill(highres, frame[None], compute, transfer, largest, band)
        transfer.finish()
        return highres

    def _noise_of_sensor(self, tile: Tile, member: int, time: int) -> Tensor | None:
        """Return the noise of the sensor that a member draws, new for each frame; None where it has none."""
        if not self.draw.noisy:
            return None
        return noise_of_sensor(tile.rows, tile.columns, self.seed, member, time).to(self.device)

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
