"""NetCDF and HDF5 by the CF conventions."""

from pathlib import Path

import netCDF4
import numpy as np

from tempogan_eddy.io.aside import require_space
from tempogan_eddy.io.files.file_kind import file_kind
from tempogan_eddy.io.files.netcdf_lock import NETCDF_LOCK, OUR_PART
from tempogan_eddy.io.format import Format, Writing
from tempogan_eddy.io.joining.headers import HeaderReader
from tempogan_eddy.io.joining.join import join_files
from tempogan_eddy.io.ownership import Kind, hdf5_is_ours
from tempogan_eddy.io.pipeline import write_frames
from tempogan_eddy.io.unread import UNREADABLE, recorded, report_unread
from tempogan_eddy.io.variables.cf import open_cf
from tempogan_eddy.io.writing.cf_dataset import NETCDF_FILTERS, Template, template_of

__all__ = ["NETCDF", "is_netcdf", "write_netcdf"]


def is_netcdf(path: Path) -> bool:
    """Return whether a file is NetCDF or HDF5, by its name or its first bytes."""
    suffix = path.suffix.lower()
    known = suffix in NETCDF.suffixes or suffix in NETCDF.also_reads
    return path.is_file() and (known or file_kind(path) in ("hdf5", "classic", "cdf5"))


def write_netcdf(template: Template, path: Path, writing: Writing) -> None:
    """Write coordinates and attributes by xarray, then append the frames one at a time."""
    dataset, encoding, names = template.dataset, template.encoding, template.names
    for name in names:
        encoding[name] |= {**NETCDF_FILTERS, "chunksizes": encoding[name].pop("chunks")}
    # HDF5 may crash the process if a write fails, so first check that there is space.
    require_space(path, sum(coord.nbytes for coord in dataset.coords.values()))
    frames_along = dataset[names[0]].dims[-3]
    with OUR_PART:
        dataset.to_netcdf(path, compute=False, unlimited_dims=[frames_along], encoding=encoding, engine="netcdf4")
    with NETCDF_LOCK:
        file = netCDF4.Dataset(path, "a")
        file.set_auto_maskandscale(False)
        for name in names:
            file[name].set_var_chunk_cache(0)  # frames are written once and never read again

    def append(number: int, frame: np.ndarray) -> None:
        stored = writing.precision.stored(frame)
        require_space(path, stored.nbytes)
        with NETCDF_LOCK:  # another thread is reading the next frame
            for name, layer in zip(names, stored if len(names) > 1 else [stored], strict=True):
                file[name][..., number, :, :] = layer

    try:
        unread = write_frames(template.frames, append, writing.on_frame)
        if unread:
            with NETCDF_LOCK:
                file.setncattr(UNREADABLE, recorded(dataset.attrs, unread))
        report_unread(dataset.attrs.get("sequence"), unread, template.frames.sizes["time"])
    finally:
        with NETCDF_LOCK:
            file.close()


NETCDF = Format(
    "netcdf",
    "NetCDF",
    recognise=is_netcdf,
    open=lambda stored, reading: (
        join_files(list(stored.headers), stored.name, reading) if stored.headers else open_cf(stored.path, reading)
    ),
    write=lambda da, path, writing: write_netcdf(template_of(da, writing.precision), path, writing),
    owns=Kind("a NetCDF sequence", lambda path: hdf5_is_ours(path, "sequence")),
    holds_ensembles=True,
    has_variables=True,
    suffixes=(".nc", ".nc4", ".nc3", ".cdf", ".netcdf"),
    also_reads=(".h5", ".he5", ".hdf5"),
    header_reader=HeaderReader,
)
