"""Reconstruct a sequence lazily: a few lowres frames in, a few highres frames out."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

import dask.array
import numpy as np
import torch
import xarray as xr

from tempogan_eddy import __version__
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.fingerprint import sha256
from tempogan_eddy.guards import ValueGuard, warn_of_input
from tempogan_eddy.io import adapt, refine_grid
from tempogan_eddy.io.bands import PIXELS_OF_BAND
from tempogan_eddy.io.grids.resolution import rescaled
from tempogan_eddy.io.member import MEMBER
from tempogan_eddy.io.messages import Teller, about
from tempogan_eddy.io.unread import unread_noted
from tempogan_eddy.io.values.precision import PACKING
from tempogan_eddy.kelvin import VALID_KELVIN
from tempogan_eddy.reconstruction.bands import map_bands
from tempogan_eddy.reconstruction.ensemble import EnsembleReconstructor
from tempogan_eddy.reconstruction.noise import earlier_frames
from tempogan_eddy.reconstruction.reconstructor import TILE, Reconstructor
from tempogan_eddy.reconstruction.sensors import choose_sensor
from tempogan_eddy.reconstruction.summary import SUMMARY
from tempogan_eddy.released import model_file
from tempogan_eddy.weights import Model, model_of

__all__ = ["reconstruct"]

log = logging.getLogger(__name__)

Held = TypeVar("Held", xr.DataArray, xr.Dataset, np.ndarray)


class Options(TypedDict, total=False):
    """Keyword options of `reconstruct`, which it describes."""

    sensor: SensorModel | str | None
    trust_sensor: bool
    kelvin: bool
    variable: str | None
    select: Mapping[str, Any] | None
    valid_kelvin: tuple[float, float]
    tile: int
    device: str | torch.device
    engine: str
    precision: str
    packed: bool
    members: int | None
    seed: int | None
    noise: str | None


@overload
def reconstruct(
    sequence: Any, model: Model | str | Path = ..., *, summary: Literal[True], **options: Unpack[Options]
) -> xr.Dataset: ...
@overload
def reconstruct(
    sequence: Any, model: Model | str | Path = ..., *, summary: bool, **options: Unpack[Options]
) -> Any: ...
@overload
def reconstruct(sequence: Held, model: Model | str | Path = ..., **options: Unpack[Options]) -> Held: ...
@overload
def reconstruct(sequence: str | Path, model: Model | str | Path = ..., **options: Unpack[Options]) -> xr.DataArray: ...
def reconstruct(
    sequence: Any,
    model: Model | str | Path = "eddy",
    *,
    sensor: SensorModel | str | None = None,
    trust_sensor: bool = False,
    kelvin: bool = False,
    variable: str | None = None,
    select: Mapping[str, Any] | None = None,
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    tile: int = TILE,
    device: str | torch.device = "auto",
    engine: str = "auto",
    precision: str = "auto",
    packed: bool = False,
    members: int | None = None,
    seed: int | None = None,
    noise: str | None = None,
    summary: bool = False,
) -> Any:
    """Reconstruct a lowres sequence or frame at high resolution.

    The result is lazy, except for numpy: its values are computed when they are used, one frame (on a GPU, one batch) at
    a time. The model is copied; later changes have no effect.

    Parameters
    ----------
    sequence : DataArray, Dataset, array, str or Path
        Brightness temperature with NaN where missing, seen by the sensor that the model was trained for: a DataArray
        with dimensions along y and x, with or without one along time, in any order and called in any way; a Dataset
        with one such variable; a numpy array (y, x) or (time, y, x) with ``kelvin=True``; or the path of a file.
    model : Model, str or Path
        ``eddy``, ``faithful``, the path of a model, or from `load_model`.
    sensor : SensorModel or str, optional
        The sensor that saw the input, as a preset or a form, see `SensorModel.parse`; by default the one that the
        attributes of the input record, else the area mean. Only models that adapt to the sensor take one.
    trust_sensor : bool
        Use the stated sensor even if the spectrum of the input contradicts it.
    kelvin : bool
        The values are kelvin, although nothing says so.
    variable : str, optional
        Which variable of a Dataset or file, where several could be it.
    select : mapping, optional
        Which band or member of a file, such as ``{"band": 13}``, as for `open_sequence`.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing.
    tile : int
        Side of a tile in lowres pixels; bounds the memory of the network. On a GPU, as many frames are computed at
        once as fill it.
    device : str or torch.device
        Where to compute: ``auto`` for a GPU where there is one, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    engine : str
        What computes the network: ``torch``, ``compiled``, ``onnxruntime``, ``openvino``, or ``auto`` for the fastest
        installed; see `open_engine`.
    precision : str
        ``fp32``, ``bf16``, or ``auto`` for bf16 where it is fast and changes less than 0.05 K.
    packed : bool
        Return int16 in steps of 0.01 K, with the attributes ``scale_factor``, ``add_offset`` and ``_FillValue`` of CF,
        from which `xarray.decode_cf` makes kelvins. `save_sequence` with ``precision="packed"`` writes them unchanged.
    members : int, optional
        Draw so many members of an ensemble, each of which keeps the input; by default the model makes one frame, which
        of an ensemble is the mean. Members compute with torch in fp32.
    seed : int, default 0
        Decides the noise of the members, together with the number of the member and the time of the frame. Frames
        without times count as hours from 2000-01-01.
    noise : str, default "coherent"
        ``coherent``: the noise of a member moves with the clouds from frame to frame, where frames are less than an
        hour apart. ``white``: the noise of each time is independent, so a part of a sequence gets the same members as
        the whole. ``dressing``: white noise without a network, the baseline of ensembles.
    summary : bool
        Return the summary of the members in place of them.

    Returns
    -------
    DataArray, Dataset or array
        Of the same type, with the same names and order of dimensions: float32 kelvin, ``scale`` times more rows and
        columns, on the refined grid, with the times, the coordinates and, as far as they are true of it, the
        attributes of the input; ``attrs`` hold the provenance too. Missing pixels stay missing. With ``members`` the
        dimension ``member`` comes first. With ``summary`` always a lazy Dataset on (time, y, x): the mean of the
        members as ``brightness_temperature``, ``spread`` (their standard deviation), ``probability_below_225K`` and
        ``_241K``, and ``quantile_05``, ``_50`` and ``_95``.

    Raises
    ------
    InputError
        The input is no brightness temperature, the device, model or engine is not available, or an option would have
        no effect.
    """
    if trust_sensor and sensor is None:
        raise InputError("Only a stated sensor can be trusted; state it (sensor=, --sensor), or leave the trust out.")
    if summary and packed:
        raise InputError("A summary is not packed; leave the packing out (packed, --packed).")
    if members is None:
        _refuse_idle(seed, noise, summary)
    else:
        _check_members(members, summary, engine, precision)
    held = adapt(sequence, kelvin=kelvin, variable=variable, select=select, valid_kelvin=valid_kelvin)
    tell = about(log, held.sequence.attrs.get("sequence", ""))
    model = model_of(model)
    chosen = None
    if model.adapts or sensor:
        with unread_noted():  # whoever computes the frames names them
            chosen = choose_sensor(held.sequence, model, sensor, trust=trust_sensor, tell=tell)
    if members is not None:
        ensemble = EnsembleReconstructor(
            model, members, seed or 0, sensor=chosen, tile=tile, device=device, packed=packed, noise=noise or "coherent"
        )
        drawn = _drawn(held.sequence, ensemble, model.for_sensor(chosen), summary, tell, stated=chosen is not None)
        return drawn if isinstance(drawn, xr.Dataset) else held.restore(drawn, 1 / ensemble.scale)
    reconstructor = Reconstructor(
        model, sensor=chosen, tile=tile, device=device, engine=engine, precision=precision, packed=packed
    )
    return held.restore(
        _reconstructed(held.sequence, reconstructor, tell, stated=chosen is not None), 1 / reconstructor.scale
    )


def _refuse_idle(seed: int | None, noise: str | None, summary: bool) -> None:
    """Refuse options that would change nothing without members."""
    if summary:
        raise InputError("A summary is one of members; say how many (members=8, --members 8).")
    for name, value in (("seed", seed), ("noise", noise)):
        if value is not None:
            raise InputError(
                f"The {name} is that of members; say how many (members=8, --members 8), or leave the {name} out."
            )


def _check_members(members: int, summary: bool, engine: str, precision: str) -> None:
    if engine not in ("auto", "torch") or precision not in ("auto", "fp32"):
        raise InputError(
            "Members compute with torch in fp32; leave the engine and the precision out, or the number of members."
        )
    if summary and members == 1:
        raise InputError("A summary needs at least 2 members, because one has no spread.")


def _reconstructed(sequence: xr.DataArray, reconstructor: Reconstructor, tell: Teller, *, stated: bool) -> xr.DataArray:
    """Reconstruct a sequence as `io.as_sequence` returns it."""
    guard = warn_of_input(sequence, reconstructor.model, tell, stated=stated)
    engine, scale = reconstructor.opened, reconstructor.scale
    frames, height, width = sequence.shape
    large = height * width * scale**2 > PIXELS_OF_BAND
    at_once = min(reconstructor.frames_at_once(height, width), frames)
    lowres = sequence.chunk({"time": 1 if large else at_once, "y": height, "x": width}).data
    map_blocks = partial(map_bands, reconstructor.tile) if large else dask.array.map_blocks
    highres = map_blocks(
        partial(_reconstruct_block, reconstructor, guard),
        lowres,
        dtype=reconstructor.dtype,
        chunks=(lowres.chunks[0], (height * scale,), (width * scale,)),
        meta=np.empty((0, 0, 0), reconstructor.dtype),
    )
    return _on_highres_grid(highres, sequence, reconstructor.model, f"{engine.name} {engine.precision}")


def _drawn(
    sequence: xr.DataArray,
    ensemble: EnsembleReconstructor,
    model: Model,
    summary: bool,
    tell: Teller,
    *,
    stated: bool,
) -> xr.DataArray | xr.Dataset:
    """Draw the members of a sequence as `io.as_sequence` returns it, or their summary; one frame a chunk."""
    guard = warn_of_input(sequence, model, tell, stated=stated)
    height, width = sequence.shape[1:]
    lowres = sequence.chunk({"time": 1, "y": height, "x": width}).data
    times = sequence["time"].values.astype("datetime64[ns]").astype(np.int64)
    satellites = np.broadcast_to(sequence.coords.get("satellite", ""), times.shape)
    earlier = list(earlier_frames(times, satellites).T) if ensemble.noise == "coherent" else []
    clock = dask.array.from_array(times, chunks=1)[:, None, None]
    layers, dtype = (len(SUMMARY), np.dtype(np.float32)) if summary else (ensemble.members, ensemble.dtype)
    # Noise is carried along the motion in whole frames.
    large = not earlier and height * width * ensemble.scale**2 > PIXELS_OF_BAND
    map_blocks = partial(map_bands, ensemble.tile) if large else dask.array.map_blocks
    highres = map_blocks(
        partial(_draw_block, ensemble.summary if summary else ensemble, guard),
        *(lowres, *(lowres[numbers].rechunk(lowres.chunks) for numbers in earlier)),
        *(clock, *(clock[numbers].rechunk(clock.chunks) for numbers in earlier)),
        dtype=dtype,
        new_axis=0,
        chunks=((layers,), lowres.chunks[0], (height * ensemble.scale,), (width * ensemble.scale,)),
        meta=np.empty((0,) * 4, dtype),
    )
    drawn = _on_highres_grid(highres, sequence, model, "torch fp32")
    drawn.attrs |= {"super_resolution_members": ensemble.members, "super_resolution_seed": ensemble.seed}
    drawn.attrs["super_resolution_noise"] = ensemble.noise
    if summary:
        plain = drawn.drop_attrs(deep=False)
        layers_by_name = {name: plain[layer].assign_attrs(attrs) for layer, (name, attrs) in enumerate(SUMMARY.items())}
        of_all = {key: value for key, value in drawn.attrs.items() if key not in ("units", "standard_name")}
        return xr.Dataset(layers_by_name, attrs=of_all)
    return drawn.assign_coords({MEMBER: (MEMBER, np.arange(ensemble.members), {"standard_name": "realization"})})


def _on_highres_grid(highres: dask.array.Array, sequence: xr.DataArray, model: Model, engine: str) -> xr.DataArray:
    """Name the highres frames ([member, ]time, y, x) of a sequence, with its refined grid and the provenance."""
    scale = model.specification.scale
    coords, attrs = refine_grid(sequence, scale), rescaled(sequence.attrs, scale)
    kept = {key: value for key, value in attrs.items() if not key.startswith("sensor_model")}
    return xr.DataArray(
        highres,
        dims=(MEMBER, *sequence.dims)[-highres.ndim :],
        coords=coords,
        name=sequence.name,
        attrs={
            **kept,
            **_provenance(model),
            "super_resolution_engine": engine,
            **(PACKING if highres.dtype == np.int16 else {}),
        },
    )


def _provenance(model: Model) -> dict[str, object]:
    """Return the attributes that name the model of a reconstruction and its training data."""
    low, high = model.specification.kelvin_range
    file = model_file(model.name)
    return {
        "super_resolution_software": f"TempoGAN-Eddy {__version__}",
        "super_resolution_model": Path(model.name).name,
        **({"super_resolution_model_sha256": sha256(file)} if file else {}),
        "super_resolution_training_data": "; ".join(model.metadata.get("training_data", [])) or "not recorded",
        "super_resolution_comment": "Detail finer than the input's pixels is plausible, not observed.",
        "super_resolution_model_version": str(model.metadata.get("version", "")),
        "super_resolution_model_step": int(model.metadata.get("step", 0)),
        **(
            {"super_resolution_model_history": "; ".join(history)} if (history := model.metadata.get("history")) else {}
        ),
        "super_resolution_kelvin_range": [low, high],
        **model.sensor.attributes(),
        **({"super_resolution_detail": model.metadata["detail"]} if "detail" in model.metadata else {}),
        "scale": model.specification.scale,
    }


def _reconstruct_block(
    reconstructor: Reconstructor, guard: ValueGuard, block: np.ndarray, band: slice | None = None
) -> np.ndarray:
    guard(block)  # for any band, since a run that goes on may lack the first one
    return reconstructor(block, band)


def _draw_block(
    draw: Callable[[np.ndarray, np.ndarray, slice | None], np.ndarray],
    guard: ValueGuard,
    block: np.ndarray,
    *others: np.ndarray,
    band: slice | None = None,
) -> np.ndarray:
    """Draw the members of one frame; the others are those before it, then the times of them all."""
    guard(block)
    earlier = len(others) // 2
    times = np.concatenate([time[:, 0, 0] for time in others[earlier:]])
    return draw(np.concatenate([block, *others[:earlier]]), times, band)[:, None]
