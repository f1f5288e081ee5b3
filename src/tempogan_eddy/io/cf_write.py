"""Write a sequence as CF-1.8 NetCDF or as a Zarr v3 store with the same names and attributes."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr
import zarr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK
from zarr.codecs import BloscCodec

from tempogan_eddy.io.aside import require_space
from tempogan_eddy.io.cf_dataset import EPOCH, to_dataset
from tempogan_eddy.io.ownership import MARK, mark_attributes
from tempogan_eddy.io.pipeline import write_frames
from tempogan_eddy.io.precision import STATED, Precision
from tempogan_eddy.io.sequence import NAME

__all__ = ["write_cf"]

# Pixels of a frame that is still one chunk, and the longest side of the chunks of a larger one.
WHOLE_FRAME, SIDE = 2048 * 2048, 1024


def write_cf(da: xr.DataArray, path: Path, format: str, precision: Precision, on_frame: Callable[[int], None]) -> None:
    """Write a sequence frame by frame to a path that does not exist yet.

    xarray writes coordinates and attributes, with times in seconds as double (CF-1.8 knows no 64-bit
    integers); then the frames are appended one at a time.

    Parameters
    ----------
    da : DataArray (time, y, x)
        A sequence.
    path : Path
        The new file or store.
    format : {"netcdf", "zarr"}
        The kind of file.
    precision : Precision
        How exactly kelvins are stored.
    on_frame : callable
        Called with the number of frames written.
    """
    dataset = to_dataset(da)
    for attrs in (dataset.attrs, dataset[NAME].attrs):
        for key in (*STATED, MARK):
            attrs.pop(key, None)
    dataset[NAME].attrs.update(precision.attrs)
    dataset.attrs |= mark_attributes("sequence", dataset.attrs["history"])
    write = _write_netcdf if format == "netcdf" else _write_zarr
    write(dataset, path, da, precision, on_frame)


def chunk_sides(height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of a chunk: the whole frame, or about equal parts of a large one."""
    if height * width <= WHOLE_FRAME:
        return height, width
    return -(-height // -(-height // SIDE)), -(-width // -(-width // SIDE))


def _encoding(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return the encoding of the coordinates."""
    seconds = {"units": EPOCH, "calendar": "standard", "dtype": "float64", "_FillValue": None}
    encoding: dict[str, dict[str, Any]] = {"time": seconds}
    for name, coord in dataset.coords.items():
        if name != "time" and not (coord.dtype.kind == "f" and np.isnan(coord.values).any()):
            encoding[str(name)] = {"_FillValue": None}
    return encoding


def _write_netcdf(
    dataset: xr.Dataset, path: Path, da: xr.DataArray, precision: Precision, on_frame: Callable[[int], None]
) -> None:
    encoding = _encoding(dataset)
    chunks = (1,) * (da.ndim - 2) + chunk_sides(da.sizes["y"], da.sizes["x"])
    encoding[NAME] = precision.encoding | {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": chunks}
    # HDF5 may crash the process if a write fails, so first check that there is space.
    require_space(path, sum(coord.nbytes for coord in dataset.coords.values()))
    dataset.to_netcdf(path, compute=False, unlimited_dims=[dataset[NAME].dims[-3]], encoding=encoding, engine="netcdf4")
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)
        # Frames are written once and never read again.
        file[NAME].set_var_chunk_cache(0)

        def append(number: int, frame: np.ndarray) -> None:
            stored = precision.stored(frame)
            require_space(path, stored.nbytes)
            # The library is not thread-safe, and another thread is reading the next frame.
            with NETCDF4_PYTHON_LOCK:
                file[NAME][..., number, :, :] = stored

        write_frames(da, append, on_frame)


def _write_zarr(
    dataset: xr.Dataset, path: Path, da: xr.DataArray, precision: Precision, on_frame: Callable[[int], None]
) -> None:
    encoding = _encoding(dataset)
    itemsize = np.dtype(precision.encoding.get("dtype", np.float32)).itemsize
    # Bits that rounding made zero lie beside each other after shuffling.
    compressor = BloscCodec(typesize=itemsize, cname="zstd", clevel=3, shuffle="bitshuffle")
    encoding[NAME] = precision.encoding | {
        "chunks": (1,) * (da.ndim - 2) + chunk_sides(da.sizes["y"], da.sizes["x"]),
        "compressors": [compressor],
    }
    with warnings.catch_warnings():
        # Strings have no Zarr v3 specification yet, though zarr-python and xarray agree on them.
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
        dataset.to_zarr(path, compute=False, zarr_format=3, consolidated=False, encoding=encoding)
    array = zarr.open_group(path, mode="r+")[NAME]

    def append(number: int, frame: np.ndarray) -> None:
        array[..., number, :, :] = precision.stored(frame)  # type: ignore[index]

    write_frames(da, append, on_frame)
    with warnings.catch_warnings():
        # Not in the Zarr v3 specification either, but xarray looks for it first.
        warnings.filterwarnings("ignore", message=".*([Cc]onsolidated metadata|Zarr V3 specification).*")
        zarr.consolidate_metadata(path)
