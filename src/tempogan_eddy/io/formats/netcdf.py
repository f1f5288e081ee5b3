"""NetCDF and HDF5 by the CF conventions."""

from __future__ import annotations

from pathlib import Path

from tempogan_eddy.io.cf import open_cf
from tempogan_eddy.io.cf_write import write_cf
from tempogan_eddy.io.file_kind import file_kind
from tempogan_eddy.io.format import Format
from tempogan_eddy.io.headers import HeaderReader
from tempogan_eddy.io.join import join_files
from tempogan_eddy.io.ownership import Kind, hdf5_is_ours

__all__ = ["NETCDF", "is_netcdf"]


def is_netcdf(path: Path) -> bool:
    """Return whether a file is NetCDF or HDF5, by its name or its first bytes."""
    suffix = path.suffix.lower()
    known = suffix in NETCDF.suffixes or suffix in NETCDF.also_reads
    return path.is_file() and (known or file_kind(path) in ("hdf5", "classic", "cdf5"))


NETCDF = Format(
    "netcdf",
    "NetCDF",
    recognise=is_netcdf,
    open=lambda stored, reading: (
        join_files(list(stored.headers), stored.name, reading) if stored.headers else open_cf(stored.path, reading)
    ),
    write=lambda da, path, writing: write_cf(da, path, "netcdf", writing.precision, writing.on_frame),
    owns=Kind("a NetCDF sequence", lambda path: hdf5_is_ours(path, "sequence")),
    holds_ensembles=True,
    suffixes=(".nc", ".nc4", ".nc3", ".cdf", ".netcdf"),
    also_reads=(".h5", ".he5", ".hdf5"),
    header_reader=HeaderReader,
)
