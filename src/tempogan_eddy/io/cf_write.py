"""Writing a sequence as CF-1.8 NetCDF or as a Zarr v3 store with the same names and attributes."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr
import zarr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from tempogan_eddy.io.cf_dataset import to_dataset
from tempogan_eddy.io.frames import iterate_frames
from tempogan_eddy.io.sequence import NAME

__all__ = ["write_cf"]


def write_cf(da: xr.DataArray, path: Path, format: str, on_frame: Callable[[int], None]) -> None:
    """Write a sequence frame by frame to a path that does not exist yet.

    xarray writes coordinates and attributes, with times in seconds as double (CF-1.8 knows no 64-bit
    integers); the frames, float32 and so without loss, are then appended one at a time.

    Parameters
    ----------
    da : DataArray (time, y, x)
        A sequence.
    path : Path
        The new file or store.
    format : {"netcdf", "zarr"}
        What to write.
    on_frame : callable
        Called with the number of frames written.
    """
    dataset = to_dataset(da)
    chunks = (1, da.sizes["y"], da.sizes["x"])
    encoding: dict[str, dict[str, Any]] = {
        "time": {
            "units": "seconds since 1970-01-01",
            "calendar": "standard",
            "dtype": "float64",
            "_FillValue": None,
        }
    }
    for name, coord in dataset.coords.items():
        if name != "time" and not (coord.dtype.kind == "f" and np.isnan(coord.values).any()):
            encoding[str(name)] = {"_FillValue": None}
    if format == "netcdf":
        encoding[NAME] = {
            "zlib": True,
            "complevel": 1,
            "shuffle": True,
            "chunksizes": chunks,
            "_FillValue": np.nan,
        }
        dataset.to_netcdf(
            path, compute=False, unlimited_dims=[dataset[NAME].dims[0]], encoding=encoding, engine="netcdf4"
        )
        with netCDF4.Dataset(path, "a") as file:
            file.set_auto_mask(False)
            # Frames are written once and never asked for again.
            file[NAME].set_var_chunk_cache(1 << 20)
            for number, frame in enumerate(iterate_frames(da)):
                # The library is not for several threads, and the next frame is being read in another.
                with NETCDF4_PYTHON_LOCK:
                    file[NAME][number] = frame
                on_frame(number + 1)
    else:
        encoding[NAME] = {"chunks": chunks, "_FillValue": np.nan}
        with warnings.catch_warnings():
            # Strings have no Zarr v3 specification yet, though zarr-python and xarray agree on them.
            warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
            dataset.to_zarr(path, compute=False, zarr_format=3, consolidated=False, encoding=encoding)
        array = zarr.open_group(path, mode="r+")[NAME]
        for number, frame in enumerate(iterate_frames(da)):
            array[number] = frame  # type: ignore[index]
            on_frame(number + 1)
        with warnings.catch_warnings():
            # Not in the Zarr v3 specification either, but what xarray looks for first.
            warnings.filterwarnings("ignore", message=".*([Cc]onsolidated metadata|Zarr V3 specification).*")
            zarr.consolidate_metadata(path)
