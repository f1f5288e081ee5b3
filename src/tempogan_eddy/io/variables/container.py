"""Open NetCDF, HDF5 and Zarr as xarray datasets of stored numbers: nothing masked, scaled or decoded."""

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import netCDF4
import xarray as xr
import zarr

from tempogan_eddy.errors import InputError, reason_of
from tempogan_eddy.io.files.file_kind import file_kind
from tempogan_eddy.io.files.foreign import foreign_format, foreign_store
from tempogan_eddy.io.files.hdf5_guard import attribute_of_rank_two, check_axis, refuse_outside_data
from tempogan_eddy.io.files.netcdf_lock import NETCDF_LOCK
from tempogan_eddy.io.files.zarr_seal import checked_store
from tempogan_eddy.io.grids.axes import role_of
from tempogan_eddy.quiet import ignored_warnings

__all__ = ["ZARR_MARKS", "groups_of", "is_zipped_zarr", "open_stored", "stem_of", "zarr_groups"]

# The library's own 64 MiB for each variable fill up with frames that are read once.
netCDF4.set_chunk_cache(16 << 20)

ZARR_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
MOST_GROUPS = 500  # of one file


def is_zipped_zarr(path: Path) -> bool:
    """Return whether a file is a Zarr store in a zip archive, by its first bytes and its name."""
    return ".zarr" in path.name.lower() and path.is_file() and file_kind(path) == "zip"


def stem_of(path: Path) -> str:
    """Return the name of a file or store without its suffix, such as ``.nc`` or ``.zarr.zip``."""
    return path.name.removesuffix(".zip").rsplit(".", 1)[0] or path.name


def open_stored(path: Path, group: str | None = None) -> xr.Dataset:
    """Open a file or store, or one group of it, lazily, without decoding; raise InputError if it cannot be read.

    Variables that the CF attributes of others name (coordinates, grid mappings, bounds, flags) are coordinates.
    A group sees the coordinates and attributes of the groups above it, as CF says.
    """
    if path.is_file() and file_kind(path) == "hdf5":
        refuse_outside_data(path)
    try:
        # Ignore names that no variable has, and text types without a Zarr specification.
        with NETCDF_LOCK, ignored_warnings():
            dataset = _open(path, group)
            for parent in PurePosixPath((group or "").strip("/")).parents:
                above = _open(path, str(parent) if parent.name else None)
                fitting = {
                    name: coord.variable
                    for name, coord in above.coords.items()
                    if name not in dataset.variables
                    and all(dataset.sizes.get(dim, size) == size for dim, size in coord.sizes.items())
                }
                dataset = dataset.assign_coords(fitting)
                dataset.attrs = above.attrs | dataset.attrs
    except InputError:
        raise
    except Exception as error:  # xarray's engines raise whatever their libraries raise
        raise _unreadable(path, error) from error
    for variable in dataset.variables.values():
        _spell_units(variable.attrs)
    return _name_phony_dimensions(dataset)


def groups_of(path: Path) -> list[str]:
    """Return the groups of a NetCDF-4 or HDF5 file that hold variables, the root ("") first; no others have groups."""
    if path.is_dir() or is_zipped_zarr(path) or file_kind(path) == "classic":
        return [""]
    try:
        with NETCDF_LOCK, netCDF4.Dataset(path) as file:
            return list(_walk(file, ""))[:MOST_GROUPS]
    except Exception as error:  # the library raises OSError, RuntimeError or what its bindings meet
        raise _unreadable(path, error) from error


def zarr_groups(path: Path) -> list[str]:
    """Return the groups of a Zarr store that hold arrays, "" for the store itself; raise InputError if unreadable."""
    try:
        store: Any = zarr.storage.ZipStore(path, mode="r") if path.is_file() else path
        return sorted(_groups_with_arrays(zarr.open_group(store, mode="r", path=_zip_folder(path)), ""))
    except Exception as error:  # zarr raises whatever its metadata parsing meets
        raise _unreadable(path, error) from error


def _zip_folder(path: Path) -> str:
    """Return the folder in a zip archive that holds the store; "" where it lies at the top, or for no archive."""
    if not path.is_file():
        return ""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    marks = sorted((name for name in names if name.rsplit("/", 1)[-1] in ZARR_MARKS), key=lambda name: name.count("/"))
    return marks[0].rpartition("/")[0] if marks else ""


def _groups_with_arrays(group: zarr.Group, name: str) -> Iterator[str]:
    if next(iter(group.arrays()), None) is not None:
        yield name
        return
    for child, subgroup in group.groups():
        yield from _groups_with_arrays(subgroup, f"{name}/{child}" if name else child)


def _walk(group: Any, name: str) -> Iterator[str]:
    if group.variables or not name:
        yield name
    for child, subgroup in group.groups.items():
        yield from _walk(subgroup, f"{name}/{child}" if name else child)


def _open(path: Path, group: str | None) -> xr.Dataset:
    options: dict[str, Any] = {"decode_coords": "all", "decode_times": False, "mask_and_scale": False, "cache": False}
    if path.is_dir() or is_zipped_zarr(path):
        inner = "/".join(filter(None, (_zip_folder(path), group)))
        source: Any = checked_store(path, [inner]) if path.is_dir() else zarr.storage.ZipStore(path, mode="r")
        for name, array in zarr.open_group(source, mode="r", path=inner).arrays():
            check_axis(path, name, array.shape)
        return xr.open_dataset(source, group=inner or None, engine="zarr", consolidated=False, **options)
    # The NetCDF library reads the missing end of a classic file as zeros; scipy raises an error. It needs the lock too:
    # xarray keeps few files open, so where it opens one, it closes another, of whichever library.
    engine = "scipy" if file_kind(path) == "classic" else "netcdf4"
    return xr.open_dataset(path, group=group or None, engine=engine, lock=NETCDF_LOCK, **options)


def _spell_units(attrs: dict[Any, Any]) -> None:
    """Rename the attribute of units to that of CF where a variable spells it ``Units`` or ``unit``, as HDF-EOS does."""
    others = [name for name in attrs if str(name).lower() in ("units", "unit")]
    if len(others) == 1:
        attrs["units"] = attrs.pop(others[0])


def _name_phony_dimensions(dataset: xr.Dataset) -> xr.Dataset:
    """Find the dimensions of coordinates where HDF5 names none, and the library numbers them.

    Of several dimensions of one size the library may choose the wrong one: time comes first and longitude last.
    MATLAB's vectors have rows and columns too.
    """
    phony = [dim for dim in dataset.dims if str(dim).startswith("phony_dim_")]
    phonies = [da for da in dataset.data_vars.values() if da.ndim in (2, 3) and set(da.dims) <= set(phony)]
    images = [da for da in phonies if 1 not in da.shape[-2:]]
    if not images:
        return dataset
    dims = dict(zip(("time", "y", "x")[-images[0].ndim :], images[0].dims, strict=True))
    place = {"time": "time", "latitude": "y", "y": "y", "longitude": "x", "x": "x"}
    for name, variable in dataset.variables.items():
        vector, dim = variable.squeeze(), dims.get(place.get(role_of(name, variable.attrs) or "", ""))
        if vector.ndim == 1 and dim is not None:
            dim = dim if vector.size == dataset.sizes[dim] else vector.dims[0]
            dataset[name] = xr.Variable((dim,), vector.values, vector.attrs)
    return dataset


def _unreadable(path: Path, error: Exception) -> InputError:
    foreign = foreign_store(path, str(error)) if path.is_dir() else foreign_format(path)
    if foreign:
        return InputError(str(foreign))
    if "HDF5 attribute" in str(error) and (found := attribute_of_rank_two(path)):
        name, key = found
        return InputError(
            f"{path}: the attribute {key} of {name} has two or more dimensions, which the NetCDF library cannot read; "
            f"delete it: del h5py.File({str(path)!r}, 'r+')[{name!r}].attrs[{key!r}]"
        )
    kind = "Zarr" if path.is_dir() or is_zipped_zarr(path) else "NetCDF"
    return InputError(f"{path} cannot be read as {kind} ({reason_of(error)}); is it whole?")
