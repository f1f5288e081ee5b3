"""Run a model over a sequence, lazily: a few frames in, a few frames out."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.device import choose_device
from tempogan_eddy.errors import InputError
from tempogan_eddy.guards import warn_of_input
from tempogan_eddy.io import as_sequence, refine_grid
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.reconstruction.engines import detail_engine, private_copy
from tempogan_eddy.reconstruction.provenance import provenance
from tempogan_eddy.reconstruction.tiles import run_tiled
from tempogan_eddy.weights import Model, load_model

__all__ = ["reconstruct"]

# Kept part of a tile, LR pixels: a full frame of Digital Typhoon at 4x is one tile.
TILE = 256

# LR pixels that a device computes in one go, by its type; all others are full with one frame, as the CPU is.
PIXELS_AT_ONCE = {"cuda": 64 * 128 * 128}

# Frames that are cut into tiles may together have so many times more LR pixels: only their tiles go there.
FRAMES_HELD = 4


def reconstruct(
    sequence: xr.DataArray,
    model: Model | str | Path,
    *,
    tile: int = TILE,
    device: str | torch.device = "cpu",
    engine: str = "auto",
    precision: str = "auto",
) -> xr.DataArray:
    """Rebuild the fine detail of a coarse sequence.

    Nothing is computed until values are asked for; one frame at a time (on a GPU, one batch) is then held. The model
    is copied: it is not changed, and what becomes of it later changes nothing here.

    Parameters
    ----------
    sequence
        (time, y, x) in kelvin, NaN where missing, seen by the sensor that the model was trained for.
    model
        From `load_model`, or the path of a model.
    tile
        Side of a tile in LR pixels; bounds the memory of the network. On a GPU this is all that is used there, and as
        many frames go at once as fill it.
    device
        Where to compute: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for a GPU where there is one.
    engine
        What computes the network: ``torch``, ``onnxruntime``, ``openvino``, or ``auto`` for the fastest installed.
    precision
        ``fp32``, ``bf16``, or ``auto`` for bf16 where it is fast and changes less than 0.05 K.

    Returns
    -------
    DataArray
        (time, y * scale, x * scale) float32 kelvin on the refined grid, with the times, coordinates and
        attributes of the input and the provenance in ``attrs``. Missing pixels stay missing.

    Raises
    ------
    InputError
        The input is no sequence of brightness temperatures, or the device or engine is not to be had.
    """
    if not isinstance(model, Model):
        model = load_model(model)
    if tile < 1:
        raise InputError(f"The tile must be at least 1 pixel wide, not {tile}.")
    sequence = as_sequence(sequence)
    guard = warn_of_input(sequence, model)
    frames, height, width = sequence.shape
    device = choose_device(device) if isinstance(device, str) else device
    model = private_copy(model, device)
    detail = detail_engine(model, engine, device, precision)
    generator, scale, kelvin_range = model.generator, model.scale, model.config.data.kelvin_range
    # dask would run several batches at once; the network already uses every core.
    lock = threading.Lock()

    def refine(coarse: torch.Tensor) -> torch.Tensor:
        scaled = from_kelvin(coarse.to(device), kelvin_range)
        return to_kelvin(generator.combine(scaled, detail(scaled)), kelvin_range)

    def rebuild(block: np.ndarray) -> np.ndarray:
        coarse = np.array(block, np.float32)
        with lock, torch.inference_mode():
            guard(coarse)
            filled = torch.from_numpy(fill_missing(coarse))[:, None]
            kelvin = run_tiled(refine, filled, scale, tile, generator.reach)[:, 0].numpy()
        missing = np.isnan(coarse)
        if missing.any():
            kelvin[missing.repeat(scale, 1).repeat(scale, 2)] = np.nan
        return kelvin

    batch = _frames_at_once(height, width, tile + 2 * generator.reach, PIXELS_AT_ONCE.get(device.type, 1))
    lazy = sequence.chunk({"time": min(batch, frames), "y": height, "x": width}).data
    fine = lazy.map_blocks(
        rebuild,
        dtype=np.float32,
        chunks=(lazy.chunks[0], (height * scale,), (width * scale,)),
        meta=np.empty((0, 0, 0), np.float32),
    )
    return xr.DataArray(
        fine,
        dims=sequence.dims,
        coords=refine_grid(sequence, scale),
        name=sequence.name,
        attrs={**sequence.attrs, **provenance(model), "super_resolution_engine": f"{detail.name} {detail.precision}"},
    )


def _frames_at_once(height: int, width: int, side: int, pixels: int) -> int:
    """How many frames fill a device with so many LR pixels, given in tiles of at most ``side``."""
    filling = pixels // (min(side, height) * min(side, width))
    return max(1, min(filling, FRAMES_HELD * pixels // (height * width)))
