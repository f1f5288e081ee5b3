"""Zarr stores, in a folder or a zip archive, with a sequence in each group."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from tempogan_eddy.io.cf import open_cf
from tempogan_eddy.io.cf_dataset import to_dataset
from tempogan_eddy.io.container import ZARR_MARKS, is_zipped_zarr, zarr_groups
from tempogan_eddy.io.format import Format, Writing
from tempogan_eddy.io.ownership import Kind, attributes_are_ours
from tempogan_eddy.io.pipeline import write_frames
from tempogan_eddy.io.sequence import NAME
from tempogan_eddy.io.zarr_seal import begin_group, every_chunk, seal

__all__ = ["ZARR", "holds_only_zarr", "zarr_attributes"]


def zarr_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of a Zarr v3 group."""
    return dict(json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"])


def holds_only_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr store or group, of any version, and holds no other files."""
    marks = {*ZARR_MARKS, ".zattrs"}
    entries = list(path.iterdir())
    return any(entry.name in marks for entry in entries) and all(
        entry.name in marks if entry.is_file() else entry.is_dir() and any((entry / mark).exists() for mark in marks)
        for entry in entries
    )


def _is_ours(path: Path) -> bool:
    return holds_only_zarr(path) and attributes_are_ours(zarr_attributes(path), "sequence")


def _recognise(path: Path) -> bool:
    return is_zipped_zarr(path) or (path.is_dir() and any((path / mark).exists() for mark in ZARR_MARKS))


def _write(da: xr.DataArray, path: Path, writing: Writing) -> None:
    """Write coordinates and attributes by xarray, then append the frames one at a time."""
    dataset, encoding = to_dataset(da, writing.precision)
    itemsize = np.dtype(encoding[NAME].get("dtype", np.float32)).itemsize
    # Bits that rounding made zero lie beside each other after shuffling.
    encoding[NAME]["compressors"] = [BloscCodec(typesize=itemsize, cname="zstd", clevel=3, shuffle="bitshuffle")]
    begin_group(dataset, path, encoding)
    array: Any = every_chunk(path)[NAME]

    def append(number: int, frame: np.ndarray) -> None:
        array[..., number, :, :] = writing.precision.stored(frame)

    write_frames(da, append, writing.on_frame)
    seal(path)


ZARR = Format(
    "zarr",
    "Zarr",
    recognise=_recognise,
    open=lambda stored, reading: open_cf(stored.path, reading, stored.group),
    write=_write,
    owns=Kind("a Zarr sequence", _is_ours, holds_only_zarr),
    holds_ensembles=True,
    suffixes=(".zarr",),
    also_reads=(".zarr.zip",),
    groups=zarr_groups,
)
