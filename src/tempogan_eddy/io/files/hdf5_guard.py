"""Refuse HDF5 files that lead to other files, or claim more than a frame can hold.

HDF5 lets a file take its data from elsewhere: external links, raw data in other files, virtual datasets. A file
from a stranger can thus copy any file of this machine into an output. Our readers take data inside the file only.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import h5py

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.netcdf_lock import NETCDF_LOCK
from tempogan_eddy.io.files.walk import refuse_special

__all__ = [
    "check_axis",
    "check_claim",
    "check_dataset",
    "check_storage",
    "find_dataset",
    "opened",
    "read_hdf5",
    "refuse_outside_data",
]

# The largest frames in use are full disks at 0.5 km: 22,000 x 22,000 of Himawari, 21,696 x 21,696 of GOES.
LARGEST_FRAME_PIXELS = 23_000 * 23_000
# Frames up to this size are read whatever the file's size; larger ones have to be in the file. Deflate packs by
# 1,032 at most, and constant fields under Zstandard by some 7,000.
SMALL_FRAME_BYTES = 64 << 20
LARGEST_PACKING = 10_000

# 50 years of frames every ten minutes are 2.6 million; the library reads whole axes when it opens a file.
LONGEST_AXIS = 10_000_000

MOST_OBJECTS = 10_000

# The NetCDF library takes floats of other sizes for text: it crashes where it reads values, and drops attributes.
FLOAT_SIZES = (4, 8)
DECIDING = (b"_FillValue", b"missing_value", b"valid_min", b"valid_max", b"valid_range", b"scale_factor", b"add_offset")


def check_claim(path: Path, shape: tuple[int, ...], itemsize: int = 4) -> None:
    """Refuse a frame that no instrument sees or that the file cannot hold, before it takes memory.

    `shape` is that of one frame, or of one chunk that packs several, and `itemsize` the bytes of one stored value. The
    size of a folder does not count.
    """
    pixels = math.prod(int(side) for side in shape[-2:])
    size = math.prod(int(side) for side in shape) * itemsize
    claim = "x".join(str(side) for side in shape)
    if pixels > LARGEST_FRAME_PIXELS:
        raise InputError(
            f"{path} says that a frame has {claim} pixels, more than any full disk (23000x23000); "
            "if that is right, cut it into parts."
        )
    if size > SMALL_FRAME_BYTES and path.is_file() and size > LARGEST_PACKING * path.stat().st_size:
        raise InputError(
            f"{path} says that it holds {claim} values at once ({size / 1e6:.0f} MB), but is a file of "
            f"{path.stat().st_size / 1e3:.1f} kB; it is damaged or incomplete."
        )


def check_axis(path: Path, name: str, shape: tuple[int, ...]) -> None:
    """Refuse a variable of one dimension with more than ten million values, before it takes memory."""
    if len(shape) == 1 and shape[0] > LONGEST_AXIS:
        raise InputError(f"{path} says that {name} has {shape[0]:,} values along one axis; it is damaged.")


def find_dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """Return a dataset of numbers by name, of an open file all of whose parts lie in it.

    Hold ``NETCDF_LOCK`` where several threads read. Raise InputError if there is none, or it is too
    large.
    """
    _refuse_outside_data(file, path)
    try:
        found = file.get(name)
    except RuntimeError as error:  # links in a circle
        raise InputError(f"{path} holds no dataset {name} ({error}); the file is damaged.") from error
    if not isinstance(found, h5py.Dataset):
        raise InputError(f"{path} holds no dataset {name}.")
    check_dataset(found.id, name, path)
    return found


@contextmanager
def opened(path: Path) -> Iterator[h5py.h5f.FileID]:
    """Open an HDF5 file for the low-level interface of h5py, under the lock of the NetCDF library, or raise OSError."""
    with NETCDF_LOCK:
        file = h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, fapl=_access())
        try:
            yield file
        finally:
            file.close()


@cache
def _access() -> h5py.h5p.PropFAID:
    """Return how files are opened: without locks, and all that is open in one is closed with it."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_file_locking(False, ignore_when_disabled=True)
    return access


def refuse_outside_data(path: Path) -> None:
    """Refuse an HDF5 or NetCDF-4 file of which a part lies elsewhere, or that is damaged or crashes the library.

    Call it before the NetCDF library opens a file: the library follows all links, whichever variable is wanted.
    Takes about 0.5 ms for ten variables.
    """
    with read_hdf5(path) as file:
        _refuse_outside_data(file, path, by_library=True)


@contextmanager
def read_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file under the lock of the NetCDF library, with which it may share a library of one thread.

    Raise InputError if it is damaged, or no file.
    """
    refuse_special(path)
    try:
        with NETCDF_LOCK, h5py.File(path, "r", locking=False) as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # h5py raises any of a dozen for a damaged file
        raise InputError(f"{path} cannot be read as HDF5 ({error}); fetch it again or leave it out.") from error


def attribute_of_rank_two(path: Path) -> tuple[str, str] | None:
    """Return the object and the name of an attribute with two or more dimensions, or None if no attribute has them."""
    with NETCDF_LOCK, h5py.File(path, "r", locking=False) as file:
        for name, found in [("/", file.id), *_objects(file, path)]:
            for number in range(h5py.h5a.get_num_attrs(found)):
                attribute = h5py.h5a.open(found, index=number)
                if len(attribute.shape) > 1:
                    return name, attribute.name.decode(errors="replace")
    return None


def _refuse_outside_data(file: h5py.File, path: Path, *, by_library: bool = False) -> None:
    for name, identifier in _objects(file, path):
        if isinstance(identifier, h5py.h5d.DatasetID):
            _refuse_storage_outside(identifier, name, path)
            check_axis(path, name, identifier.shape or ())
            if by_library:
                _refuse_empty(identifier, name, path)
                _refuse_odd_floats(identifier, name, path)


def _refuse_empty(dataset: h5py.h5d.DatasetID, name: str, path: Path) -> None:
    """Refuse a dataset without even a shape, beside which the NetCDF library reads nothing of a file."""
    if dataset.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        inner = name.strip("/")
        raise InputError(
            f"{path}: {inner} is empty, without a shape (h5py.Empty); write its values, or remove it: "
            f"del h5py.File({str(path)!r}, 'r+')[{inner!r}]"
        )


def _refuse_odd_floats(dataset: h5py.h5d.DatasetID, name: str, path: Path) -> None:
    """Refuse float16 and long doubles, as values and in attributes that decide what values mean."""
    types = {name: dataset.get_type()}
    for key in DECIDING:
        if h5py.h5a.exists(dataset, key):
            types[f"the attribute {key.decode()} of {name}"] = h5py.h5a.open(dataset, key).get_type()
    for where, stored in types.items():
        if stored.get_class() == h5py.h5t.FLOAT and stored.get_size() not in FLOAT_SIZES:
            raise InputError(
                f"{path}: {where} is a float of {8 * stored.get_size()} bits, which the NetCDF library cannot read; "
                "write it as float32."
            )


def _objects(file: h5py.File, path: Path) -> Iterator[tuple[str, h5py.h5g.GroupID | h5py.h5d.DatasetID]]:
    """Yield the name and the identifier of every object once."""
    root = h5py.h5o.get_info(file.id).addr
    seen = {root}
    waiting = [("", file.id, frozenset({root}))]
    while waiting:
        above, group, ancestors = waiting.pop()
        if len(seen) + len(group) > MOST_OBJECTS:
            raise InputError(f"{path} holds more than {MOST_OBJECTS:,} objects; give files of fewer.")
        for name in group:
            shown = f"{above}/{name.decode(errors='replace')}"
            link = group.links.get_info(name).type
            if link == h5py.h5l.TYPE_SOFT:
                continue  # it stays in the file, and its target has another name
            if link != h5py.h5l.TYPE_HARD:
                raise _outside(path, shown, "is a link to another file")
            found = h5py.h5o.open(group, name)
            address = h5py.h5o.get_info(found).addr
            if address in ancestors:
                raise InputError(f"{path}: the group {shown} holds itself; the file is damaged.")
            if address in seen:
                continue
            seen.add(address)
            yield shown, found
            if isinstance(found, h5py.h5g.GroupID):
                waiting.append((shown, found, ancestors | {address}))


def check_dataset(dataset: h5py.h5d.DatasetID, name: str, path: Path) -> None:
    """Refuse a dataset that has its data elsewhere, holds no numbers or is too large."""
    check_storage(dataset, name, path)
    if dataset.dtype.kind not in "iuf":
        raise InputError(f"{path}: {name} holds {dataset.dtype}, not numbers.")
    check_claim(path, dataset.shape, dataset.dtype.itemsize)


def check_storage(dataset: h5py.h5d.DatasetID, name: str, path: Path) -> None:
    """Refuse a dataset of any type that has its data elsewhere, or chunks that are too large."""
    plan = _refuse_storage_outside(dataset, name, path)
    _refuse_empty(dataset, name, path)
    if plan.get_layout() == h5py.h5d.CHUNKED:
        check_claim(path, plan.get_chunk(), dataset.get_type().get_size())


def _refuse_storage_outside(dataset: h5py.h5d.DatasetID, name: str, path: Path) -> h5py.h5p.PropDCID:
    plan = dataset.get_create_plist()
    if plan.get_layout() == h5py.h5d.VIRTUAL:
        raise _outside(path, name, "is a virtual dataset, put together from other files")
    if plan.get_external_count():
        raise _outside(path, name, f"has its values in the file {plan.get_external(0)[0].decode(errors='replace')}")
    return plan


def _outside(path: Path, name: str, how: str) -> InputError:
    return InputError(
        f"{path}: {name} {how}, which is not read for safety; copy the data into one file (h5repack, or ncks)."
    )
