"""The kinds of files and folders that hold sequences, and how ours are told from others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
from PIL import Image
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from tempogan_eddy.io.ownership import Kind, attributes_are_ours

__all__ = ["FLOW", "SEQUENCES", "hdf5_is_ours", "holds_only_zarr", "zarr_attributes"]

PNG_TEXT = "tempogan-eddy"


def hdf5_is_ours(path: Path, kind: str) -> bool:
    """Whether a NetCDF-4 or HDF5 file holds the mark of a kind."""
    with NETCDF4_PYTHON_LOCK, h5py.File(path, "r") as file:
        return attributes_are_ours(dict(file.attrs), kind)


def zarr_attributes(path: Path) -> dict[str, Any]:
    """The attributes of a Zarr v3 group."""
    return dict(json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"])


def holds_only_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store or group, of any version, without files of somebody else in it."""
    marks = {"zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata"}
    entries = list(path.iterdir())
    return any(entry.name in marks for entry in entries) and all(
        entry.name in marks if entry.is_file() else entry.is_dir() and any((entry / mark).exists() for mark in marks)
        for entry in entries
    )


def _is_zarr(path: Path) -> bool:
    return holds_only_zarr(path) and attributes_are_ours(zarr_attributes(path), "sequence")


def _holds_only(suffix: str) -> Any:
    return lambda path: all(entry.is_file() and entry.suffix.lower() == suffix for entry in path.iterdir())


def _is_png(path: Path) -> bool:
    return all(_is_frame(entry) for entry in path.iterdir())


def _is_frame(path: Path) -> bool:
    with Image.open(path, formats=["PNG"]) as image:
        return "mapping" in json.loads(image.info[PNG_TEXT])


def _is_basin_part(path: Path) -> bool:
    return all(hdf5_is_ours(entry, "sequence") for entry in path.iterdir())


SEQUENCES = {
    "netcdf": Kind("a NetCDF sequence", lambda path: hdf5_is_ours(path, "sequence")),
    "zarr": Kind("a Zarr sequence", _is_zarr, holds_only_zarr),
    "png": Kind("a folder of PNG frames", _is_png, _holds_only(".png")),
    "digital-typhoon": Kind("a folder of Digital Typhoon frames", _is_basin_part, _holds_only(".h5")),
}

FLOW = Kind("the flow of a simulated storm", lambda path: hdf5_is_ours(path, "flow"))
