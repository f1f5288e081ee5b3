"""Run a model over a sequence, lazily: a few frames in, a few frames out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
import torch
import xarray as xr

from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.device import choose_device
from tempogan_eddy.errors import InputError
from tempogan_eddy.guards import warn_of_input
from tempogan_eddy.io import adapt, refine_grid
from tempogan_eddy.io.quality import VALID_KELVIN
from tempogan_eddy.io.resolution import rescaled
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


Held = TypeVar("Held", xr.DataArray, xr.Dataset, np.ndarray)


@overload
def reconstruct(
    sequence: Held,
    model: Model | str | Path = ...,
    *,
    kelvin: bool = ...,
    variable: str | None = ...,
    valid_kelvin: tuple[float, float] = ...,
    tile: int = ...,
    device: str | torch.device = ...,
    engine: str = ...,
    precision: str = ...,
) -> Held: ...
@overload
def reconstruct(
    sequence: str | Path,
    model: Model | str | Path = ...,
    *,
    variable: str | None = ...,
    valid_kelvin: tuple[float, float] = ...,
    tile: int = ...,
    device: str | torch.device = ...,
    engine: str = ...,
    precision: str = ...,
) -> xr.DataArray: ...
def reconstruct(
    sequence: Any,
    model: Model | str | Path = "eddy",
    *,
    kelvin: bool = False,
    variable: str | None = None,
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    tile: int = TILE,
    device: str | torch.device = "auto",
    engine: str = "auto",
    precision: str = "auto",
) -> Any:
    """Rebuild the fine detail of a coarse sequence or frame.

    Nothing is computed until values are asked for, except for numpy; one frame at a time (on a GPU, one batch) is then
    held. The model is copied: later changes to it have no effect.

    Parameters
    ----------
    sequence : DataArray, Dataset, array, str or Path
        Brightness temperature with NaN where missing, seen by the sensor that the model was trained for: a DataArray
        with dimensions along y and x, with or without one along time, in any order and called in any way; a Dataset
        with one such variable; a numpy array (y, x) or (time, y, x) with ``kelvin=True``; or the path of a file.
    model : Model, str or Path
        ``eddy``, ``faithful``, the path of a model, or from `load_model`.
    kelvin : bool
        The values are kelvin, although nothing says so.
    variable : str, optional
        Which variable of a Dataset or file, where several could be it.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing.
    tile : int
        Side of a tile in LR pixels; bounds the memory of the network. On a GPU this is all that is used there, and as
        many frames go at once as fill it.
    device : str or torch.device
        Where to compute: ``auto`` for a GPU where there is one, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    engine : str
        What computes the network: ``torch``, ``onnxruntime``, ``openvino``, or ``auto`` for the fastest installed.
    precision : str
        ``fp32``, ``bf16``, or ``auto`` for bf16 where it is fast and changes less than 0.05 K.

    Returns
    -------
    DataArray, Dataset or array
        Of the same type, with the same names and order of dimensions: float32 kelvin, ``scale`` times more rows and
        columns, on the refined grid, with the times, the coordinates and, as far as they are true of it, the
        attributes of the input; ``attrs`` hold the provenance too. Missing pixels stay missing.

    Raises
    ------
    InputError
        The input is no brightness temperature, or the device, model or engine is not to be had.
    """
    held = adapt(sequence, kelvin=kelvin, variable=variable, valid_kelvin=valid_kelvin)
    fine = _rebuilt(held.sequence, model, tile, device, engine, precision)
    return held.restore(fine, held.sequence.sizes["y"] / fine.sizes["y"])


def _rebuilt(
    sequence: xr.DataArray,
    model: Model | str | Path,
    tile: int,
    device: str | torch.device,
    engine: str,
    precision: str,
) -> xr.DataArray:
    """Rebuild a sequence as `io.as_sequence` returns it."""
    if not isinstance(model, Model):
        if not isinstance(model, str | Path):
            raise InputError(
                f"{type(model).__name__} is no model; give a name such as eddy, a path, or from load_model."
            )
        model = load_model(model)
    if tile < 1:
        raise InputError(f"The tile must be at least 1 pixel wide, not {tile}.")
    guard = warn_of_input(sequence, model)
    frames, height, width = sequence.shape
    device = choose_device(device) if isinstance(device, str) else device
    model = private_copy(model, device)
    detail = detail_engine(model, engine, device, precision)
    generator, scale, kelvin_range = model.generator, model.scale, model.kelvin_range
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
        attrs={
            **rescaled(sequence.attrs, scale),
            **provenance(model),
            "super_resolution_engine": f"{detail.name} {detail.precision}",
        },
    )


def _frames_at_once(height: int, width: int, side: int, pixels: int) -> int:
    """How many frames fill a device with so many LR pixels, given in tiles of at most ``side``."""
    filling = pixels // (min(side, height) * min(side, width))
    return max(1, min(filling, FRAMES_HELD * pixels // (height * width)))
