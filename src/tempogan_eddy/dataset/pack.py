"""The packed store: any input as one Zarr v3 store that training reads.

Each storm is a group that xarray opens by itself: ``brightness_temperature`` as CF-packed int16 at
0.01 K, its times and coordinates, and the low-resolution flow to both neighbours as int16 at 0.01 px.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.split import SPLITS
from tempogan_eddy.dataset.windows import linked_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequences
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.kinds import holds_only_zarr
from tempogan_eddy.io.names import safe_name
from tempogan_eddy.io.ownership import Kind, check_place
from tempogan_eddy.io.walk import walk

__all__ = [
    "FLOW_QUANTUM",
    "FORMAT",
    "KELVIN_OFFSET",
    "KELVIN_QUANTUM",
    "MISSING",
    "OUTSIDE",
    "is_pack",
    "open_source",
    "pack",
    "packed",
]

log = logging.getLogger(__name__)

FORMAT = "tempogan-eddy-pack"
KELVIN_QUANTUM, KELVIN_OFFSET, MISSING = 0.01, 250.0, -32768
# Beyond the edge of a frame; never in a store, only in what is cut out of it with a margin.
OUTSIDE = -32767
FLOW_QUANTUM = 0.01


def is_pack(path: Path) -> bool:
    """Whether a path is a packed store."""
    try:
        return json.loads((path / "zarr.json").read_text())["attributes"].get("format") == FORMAT
    except (OSError, ValueError, KeyError):
        return False


PACK = Kind("a packed store", lambda path: is_pack(path) and holds_only_zarr(path), holds_only_zarr)


def open_source(source: Path, config: Config) -> dict[str, tuple[xr.DataArray, str]]:
    """Every sequence below a path, with the split folder it lies in (or an empty text)."""
    options = config.data.reader_options()
    folders = [name for name in SPLITS if (source / name).is_dir()]
    if "train" not in folders:
        return {name: (sequence, "") for name, sequence in open_sequences(source, **options).items()}
    found: dict[str, tuple[xr.DataArray, str]] = {}
    for folder in folders:
        if not any((source / folder).iterdir()):
            continue
        for name, sequence in open_sequences(source / folder, **options).items():
            found[f"{folder}_{name}" if name in found else name] = (sequence, folder)
    return found


def pack(
    source: Path,
    output: Path,
    config: Config,
    on_frame: Callable[[str, int, int], None] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write every sequence below ``source`` into one packed store.

    Parameters
    ----------
    source
        Whatever `open_sequences` reads, or a folder with ``train``, ``val`` and ``test``.
    output
        The store; replaced only when complete.
    on_frame
        Called with (storm, frame, frames) after each frame.
    overwrite
        Replace a Zarr store that is no packed store of this package, too; never the source.

    Raises
    ------
    InputError
        Nothing readable is found, or a file is broken.
    """
    source, output = Path(source), Path(output)
    if output.suffix != ".zarr":
        raise InputError(f"A packed store is a Zarr store: call the output {output}.zarr instead of {output}.")
    check_place(output, PACK, overwrite=overwrite, sources=[source])
    sequences = open_source(source, config)
    sensor = SensorModel(config.sensor.kind, config.scale, config.sensor.sigma)
    with written_aside(output, PACK, overwrite=overwrite) as partial:
        zarr.open_group(partial, mode="w", zarr_format=3, attributes=_attributes(config))
        taken: set[str] = set()
        for name, (sequence, folder) in sequences.items():
            group = safe_name(name, taken)
            taken.add(group.lower())
            _pack_sequence(partial, group, sequence, folder, sensor, config, on_frame)
    return output


def packed(source: Path, config: Config, on_frame: Callable[[str, int, int], None] | None = None) -> Path:
    """The packed store of a source: itself where it is one, else made once in the cache folder.

    Raises
    ------
    InputError
        The path does not exist, or the store was packed for another scale or sensor.
    """
    source = Path(source)
    if not source.exists():
        raise InputError(
            f"The data folder {source} does not exist; set training.data_root, or make storms to try with "
            f"`tempogan-eddy synthesize -o {source}`."
        )
    if is_pack(source):
        _check(source, config)
        return source
    cached = Path(config.data.cache_dir) / f"{source.resolve().name or 'data'}-{_fingerprint(source, config)}.zarr"
    if not is_pack(cached):
        log.info("Packing %s into %s (once)", source, cached)
        pack(source, cached, config, on_frame)
    return cached


def _attributes(config: Config) -> dict[str, Any]:
    """What the flow in the store depends on."""
    return {
        "format": FORMAT,
        "format_version": 1,
        "scale": config.scale,
        "sensor": config.sensor.kind,
        "sensor_sigma": config.sensor.sigma if config.sensor.kind == "gaussian" else 0.0,
        "cadence": config.data.cadence,
    }


def _check(store: Path, config: Config) -> None:
    found = dict(zarr.open_group(store, mode="r").attrs)
    for key, wanted in _attributes(config).items():
        if found.get(key) != wanted:
            raise InputError(
                f"{store} was packed with {key} = {found.get(key)}, but the configuration says {wanted}; "
                "pack the raw data again with this configuration."
            )


def _fingerprint(source: Path, config: Config) -> str:
    """A hash that changes with any file below ``source`` and any setting that changes what is packed."""
    files = sorted(p for p in walk(source) if p.is_file()) if source.is_dir() else [source]
    listing = [(str(p.relative_to(source)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    settings = config.data.model_dump(include={"grey_kelvin", "variable", "unreadable"})
    text = json.dumps([str(source.resolve()), listing, _attributes(config), settings])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _pack_sequence(
    store: Path,
    name: str,
    sequence: xr.DataArray,
    folder: str,
    sensor: SensorModel,
    config: Config,
    on_frame: Callable[[str, int, int], None] | None,
) -> None:
    frames, height, width = sequence.shape
    rows, columns = height // sensor.scale, width // sensor.scale
    if not rows or not columns:
        raise InputError(f"The frames of {name} ({height}x{width}) are smaller than the scale {sensor.scale}.")
    linked = linked_frames(sequence, config.data.cadence)
    coordinates = sequence.coords.to_dataset().assign_attrs(split_folder=folder, sequence=name)
    with warnings.catch_warnings():
        # Strings have no Zarr v3 specification yet, though zarr-python and xarray agree on them.
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
        coordinates.to_zarr(store, group=name, mode="a", zarr_format=3, consolidated=False)
    group = zarr.open_group(store, path=name, mode="r+")
    kelvins = _kelvin_array(group, sequence)
    flows = [_flow_array(group, which, frames, rows, columns) for which in ("flow_previous", "flow_next")]
    seen_before: np.ndarray | None = None
    for index, frame in enumerate(_frames(sequence)):
        kelvins[index] = np.where(
            np.isnan(frame),
            MISSING,
            np.rint((np.nan_to_num(frame, nan=0.0) - KELVIN_OFFSET) / KELVIN_QUANTUM),
        ).astype(np.int16)
        fine = torch.from_numpy(frame[: rows * sensor.scale, : columns * sensor.scale])
        seen = sensor.apply(fine).numpy()
        if seen_before is not None and linked[index - 1]:
            flows[0][index] = _quantise_flow(estimate_flow(seen, seen_before))
            flows[1][index - 1] = _quantise_flow(estimate_flow(seen_before, seen))
        seen_before = seen
        if on_frame:
            on_frame(name, index + 1, frames)


def _frames(sequence: xr.DataArray) -> Iterator[np.ndarray]:
    for index in range(sequence.sizes["time"]):
        yield np.ascontiguousarray(sequence.isel(time=index).values, np.float32)


def _quantise_flow(flow: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(flow / FLOW_QUANTUM), -32767, 32767).astype(np.int16)


def _kelvin_array(group: zarr.Group, sequence: xr.DataArray) -> zarr.Array:
    spatial = [name for name in sequence.coords if name != "time" and {"y", "x"} & set(sequence[name].dims)]
    attributes: dict[str, Any] = {
        "units": "K",
        "standard_name": "brightness_temperature",
        "scale_factor": KELVIN_QUANTUM,
        "add_offset": KELVIN_OFFSET,
        "_FillValue": MISSING,
    }
    if spatial:
        attributes["coordinates"] = " ".join(str(name) for name in spatial)
    return group.create_array(
        "brightness_temperature",
        shape=sequence.shape,
        chunks=(1, *sequence.shape[1:]),
        dtype="int16",
        fill_value=MISSING,
        dimension_names=["time", "y", "x"],
        attributes=attributes,
        overwrite=True,
    )


def _flow_array(group: zarr.Group, name: str, frames: int, rows: int, columns: int) -> zarr.Array:
    neighbour = name.removeprefix("flow_")
    return group.create_array(
        name,
        shape=(frames, 2, rows, columns),
        chunks=(1, 2, rows, columns),
        dtype="int16",
        fill_value=0,
        dimension_names=["time", "component", "y_low", "x_low"],
        attributes={
            "long_name": f"displacement from a frame to its {neighbour} one; components x right, y down",
            "units": "pixel",
            "scale_factor": FLOW_QUANTUM,
            "add_offset": 0.0,
        },
        overwrite=True,
    )
