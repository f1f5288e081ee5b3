"""Recognise files that differ only in their times from one opened in full.

HDF5's low-level interface takes half the time of h5py's objects.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.attributes import STORED
from tempogan_eddy.io.files.hdf5_guard import check_dataset, check_storage
from tempogan_eddy.io.times.axis import frame_time
from tempogan_eddy.io.values.units import text_of
from tempogan_eddy.io.variables.companions import decoded_times
from tempogan_eddy.io.variables.image import Image

__all__ = ["FAULTS", "Example"]

TIME_ATTRIBUTES = {"units", "calendar", "_FillValue", "missing_value", "valid_range", "valid_min", "valid_max"} | {
    *("_Unsigned", "scale_factor", "add_offset")
}
PACKING = {"scale_factor", "add_offset"}
SAMPLED = 32  # places compared along each side of a large coordinate

FAULTS = (InputError, OSError, RuntimeError, KeyError, ValueError, TypeError)
"""Errors after which a file is opened in full, which reports the fault."""

Named: TypeAlias = h5py.h5g.GroupID | h5py.h5d.DatasetID


class Example:
    """Everything that other HDF5 files must share with one that was opened in full.

    `file` is that of `image`, `kept` its coordinates without times, and `telling` names, in lower case, the attributes
    of file and group that must be equal. Raise ValueError if more than the times may differ from file to file.
    """

    def __init__(self, image: Image, file: h5py.h5f.FileID, kept: Collection[str], telling: Collection[str]) -> None:
        frames, dataset = image.layout.time, image.dataset
        if not image.times.size or any(name not in dataset or frames in dataset[name].dims for name in kept):
            raise ValueError("a coordinate lies along the frames, or above the group")
        self.group, self.name, self.time = image.group, image.name, image.time
        self.frames_axis = None if frames is None else image.stored.dims.index(frames)
        self.kept, self.telling = list(kept), telling
        group = self._group(file)
        links = _links(group)
        if any(links[name.encode()] != h5py.h5l.TYPE_HARD for name in filter(None, (self.name, *kept, self.time))):
            raise ValueError("a variable is a link")
        self._shared = list(self._parts(file, group, h5py.h5d.open(group, self.name.encode()), image.path))

    def times_if_alike(self, file: h5py.h5f.FileID, path: Path, time_from: str) -> np.ndarray | None:
        """Return the sorted times of an open file; None if anything else differs."""
        try:
            group = self._group(file)
            image = h5py.h5d.open(group, self.name.encode())
            parts = zip(self._parts(file, group, image, path), self._shared, strict=True)
            if any(part != expected for part, expected in parts):
                return None
            check_dataset(image, self.name, path)
            count = 1 if self.frames_axis is None else image.shape[self.frames_axis]
            if time_from != "auto" and count == 1 and self.time is not None:
                return None  # the time of a single frame is elsewhere
            times = self._times(file, group, image, path, time_from)
        except FAULTS:
            return None
        return np.sort(times) if len(times) == count > 0 and not np.isnat(times).any() else None

    def _group(self, file: h5py.h5f.FileID) -> h5py.h5g.GroupID:
        group = file
        for part in filter(None, self.group.encode().split(b"/")):
            if group.links.get_info(part).type != h5py.h5l.TYPE_HARD:
                raise ValueError(f"{part!r} is a link")
            group = h5py.h5g.open(group, part)
        return group

    def _parts(
        self, file: h5py.h5f.FileID, group: h5py.h5g.GroupID, image: h5py.h5d.DatasetID, path: Path
    ) -> Iterator[Any]:
        """Yield everything that must be equal; a comparison stops at the first difference and reads little."""
        yield _links(group)
        for holder in (file, group) if self.group else (file,):
            yield _attributes(holder, {name for name in _names(holder) if name.lower() in self.telling})
        yield tuple(size for axis, size in enumerate(image.shape) if axis != self.frames_axis)
        # Packing may differ from file to file: read it anew with each.
        yield _attributes(image, _names(image) - STORED)
        for name in self.kept:
            coordinate = h5py.h5d.open(group, name.encode())
            check_storage(coordinate, name, path)
            yield coordinate.shape, str(coordinate.dtype)
            names = _names(coordinate)
            yield len(names), _attributes(coordinate, names & PACKING)
            yield _compared(coordinate)

    def _times(
        self, file: h5py.h5f.FileID, group: h5py.h5g.GroupID, image: h5py.h5d.DatasetID, path: Path, time_from: str
    ) -> np.ndarray:
        if self.time is None:
            attributes = (_attributes(holder, _names(holder) - STORED) for holder in (image, file))
            found = frame_time(path, attributes, time_from)
            return np.array([] if found is None else [found[0]], "datetime64[ns]")
        stored = h5py.h5d.open(group, self.time.encode())
        check_dataset(stored, self.time, path)
        values, attrs = _read(stored), _attributes(stored, _names(stored) & TIME_ATTRIBUTES)
        return decoded_times(
            xr.Variable([f"d{axis}" for axis in range(values.ndim)], values, attrs), f"{path}: {self.time}"
        )


def _links(group: h5py.h5g.GroupID) -> dict[bytes, int]:
    """Return the type of each link in a group."""
    found: dict[bytes, int] = {}
    group.links.iterate(lambda name, link: found.update({name: link.type}), info=True)
    return found


def _names(holder: Named) -> set[str]:
    """Return the names of an object's attributes."""
    found: set[str] = set()
    h5py.h5a.iterate(holder, lambda name: found.add(name.decode()))
    return found


def _attributes(holder: Named, names: Collection[str]) -> dict[str, Any]:
    """Return attributes as text, a number or a list of numbers."""
    attrs: dict[str, Any] = {}
    for name in names:
        value = _read(h5py.h5a.open(holder, name.encode())).tolist()
        single = value[0] if isinstance(value, list) and len(value) == 1 else value
        attrs[name] = text_of(single) if isinstance(single, bytes) else single
    return attrs


def _read(holder: h5py.h5d.DatasetID | h5py.h5a.AttrID) -> np.ndarray:
    values = np.zeros(holder.shape, holder.dtype)
    if isinstance(holder, h5py.h5a.AttrID):
        holder.read(values)
    else:
        holder.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def _compared(coordinate: h5py.h5d.DatasetID) -> Any:
    """Return the compared values of a coordinate: all, or a sample spread over one of two dimensions."""
    if coordinate.rank < 2:
        values = _read(coordinate)
    else:
        steps = tuple(slice(None, None, max(1, size // SAMPLED)) for size in coordinate.shape)
        values = np.asarray(h5py.Dataset(coordinate)[steps])
    return values.tolist() if values.dtype.kind == "O" else values.tobytes()
