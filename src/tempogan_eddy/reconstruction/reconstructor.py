"""The seam between arrays and networks: a block of lowres frames in, a block of highres frames out."""

import copy
import threading
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.device import choose_device
from tempogan_eddy.fingerprint import network_digest
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.reconstruction.engines import Engine, open_engine
from tempogan_eddy.reconstruction.tiles import Tile, Tiled
from tempogan_eddy.reconstruction.transfer import Transfer
from tempogan_eddy.weights import Model, model_of

__all__ = ["Reconstructor"]

# Side of a tile without its halo, in lowres pixels: a full frame of Digital Typhoon at 4x is one tile.
TILE = 256

# Lowres pixels that fill a device, by its type; one frame fills any other device, as it does the CPU.
PIXELS_AT_ONCE = {"cuda": 64 * 128 * 128}

# A block may have this many times the lowres pixels that fill the device, because only its tiles go there.
BLOCK_OVER_DEVICE = 4

# Batches in which a GPU computes a block.
BATCHES_OF_BLOCK = 4

# Engines that stay open in a process.
OPEN_ENGINES = 8


class Reconstructor(Tiled):
    """Reconstruct blocks of frames with one model.

    The object is small and can be pickled: it holds the weights of the model and the options. Its engine is opened at
    the first use, once per process for all reconstructors that are equal: same weights, kelvin range and options.
    Several threads may call it; they take turns, because one block already uses the whole device.

    Parameters
    ----------
    model
        From `load_model`, or what `load_model` takes. It is copied; later changes have no effect.
    sensor
        The sensor that saw the frames, for a model that adapts to it; the area mean by default.
    tile
        Side of a tile in lowres pixels, without its halo; bounds the memory of the network.
    device
        Where to compute: ``auto`` for a GPU where there is one, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    engine
        What computes the network; see `open_engine`.
    precision
        ``fp32``, ``bf16``, or ``auto``; see `open_engine`.
    packed
        Return int16 in steps of 0.01 K from 250 K, as packed files store it: half the transfer from a GPU.

    Attributes
    ----------
    scale
        Highres pixels along the side of one lowres pixel.
    dtype
        Of the highres frames: float32, or int16 where they are packed.
    halo
        Lowres pixels around a tile on which its highres pixels depend.
    kelvin_range
        The kelvins that the network sees as 0 and 1.

    Raises
    ------
    InputError
        The model cannot be loaded, or the tile is smaller than one pixel.
    """

    def __init__(
        self,
        model: Model | str | Path = "eddy",
        *,
        sensor: SensorModel | None = None,
        tile: int = TILE,
        device: str | torch.device = "auto",
        engine: str = "auto",
        precision: str = "auto",
        packed: bool = False,
    ) -> None:
        super().__init__(tile, packed)
        model = model_of(model).for_sensor(sensor)
        self.sensor = model.projecting_sensor
        self.model = copy.copy(model)  # with the sensor model that it has built
        self.model.generator = copy.deepcopy(model.plain).to("cpu", torch.float32)
        self.device, self.engine, self.precision = device, engine, precision
        self.scale, self.kelvin_range = model.specification.scale, model.specification.kelvin_range
        self.halo = self.model.plain.halo + (self.sensor.halo if self.sensor else 0)
        options = (tile, str(device), engine, precision)
        self._key = (network_digest(self.model.generator), self.sensor, self.kelvin_range, packed, *options)

    @property
    def opened(self) -> Engine:
        """Return the engine of this process.

        Raises
        ------
        InputError
            As `choose_device` and `open_engine`.
        """
        with _OPENING:
            engine = _OPENED.pop(self._key, None)
            if engine is None:
                device = choose_device(self.device) if isinstance(self.device, str) else self.device
                engine = open_engine(self.model, self.engine, device, self.precision)
            _OPENED[self._key] = engine  # the last used, last
            if len(_OPENED) > OPEN_ENGINES:
                del _OPENED[next(iter(_OPENED))]
            return engine

    def __call__(self, block: np.ndarray, band: slice | None = None) -> np.ndarray:
        """Reconstruct a block of frames, or a band of their rows.

        Parameters
        ----------
        block
            (N, h, w) in kelvin, NaN where missing.
        band
            The rows to reconstruct, from the first of a tile on; all by default.

        Returns
        -------
        ndarray
            (N, h * scale, w * scale) float32 in kelvin, NaN where the lowres pixel is missing; or packed.
        """
        lowres, engine = np.ascontiguousarray(block, np.float32), self.opened
        frames, height, width = lowres.shape
        band = band or slice(0, height)
        highres = np.empty((frames, (band.stop - band.start) * self.scale, width * self.scale), self.dtype)
        transfer, size = Transfer(engine.device), max(frames, 1)
        if transfer.overlaps:  # copying one batch with computing another
            size = -(-min(frames, self.frames_at_once(height, width)) // BATCHES_OF_BLOCK)
        with engine.lock, torch.inference_mode():
            for first in range(0, frames, size):
                part = slice(first, first + size)
                self._fill(highres[part], lowres[part], partial(self._compute, engine), transfer, band=band)
        transfer.finish()
        return highres

    def _compute(self, engine: Engine, tile: Tile, kept: tuple[slice, ...], frames: Tensor) -> Tensor:
        """Return the highres frames (N, rows, columns) of a tile without its halo, in kelvin."""
        low, high = self.kelvin_range
        kelvin = frames[:, None]
        scaled = from_kelvin(kelvin, self.kelvin_range)
        highres = engine.generator.combine(scaled, engine(scaled)).mul_(high - low).add_(low)
        if self.sensor:
            highres = self.sensor.project_complete(highres, kelvin)
        rows, columns = kept
        return highres[:, 0, rows, columns]

    def frames_at_once(self, height: int, width: int) -> int:
        """Return how many frames of (height, width) lowres pixels a block should have to fill the device."""
        pixels = PIXELS_AT_ONCE.get(self.opened.device.type, 1)
        side = self.tile + 2 * self.halo
        filling = pixels // (min(side, height) * min(side, width))
        return max(1, min(filling, BLOCK_OVER_DEVICE * pixels // (height * width)))


_OPENING = threading.Lock()
_OPENED: dict[tuple[object, ...], Engine] = {}  # those of this process, by key
