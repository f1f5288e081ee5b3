"""Zarr stores, in a folder or a zip archive, with a sequence in each group."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec

from tempogan_eddy.io.bands import bands_of
from tempogan_eddy.io.files.objects import publish
from tempogan_eddy.io.files.urls import shown, url_of
from tempogan_eddy.io.files.zarr_seal import begin_group, filled, seal
from tempogan_eddy.io.format import Format, Writing, in_parts
from tempogan_eddy.io.ownership import FINGERPRINT, Kind, attributes_are_ours
from tempogan_eddy.io.sequence import NAME
from tempogan_eddy.io.unread import UNREADABLE, Unread, recorded
from tempogan_eddy.io.values.precision import Precision
from tempogan_eddy.io.variables.cf import open_cf
from tempogan_eddy.io.variables.container import ZARR_MARKS, is_zipped_zarr, zarr_groups
from tempogan_eddy.io.writing.cf_dataset import Template, side_within, template_of
from tempogan_eddy.io.writing.parts import Part

__all__ = ["ZARR", "begin_zarr", "holds_only_zarr", "zarr_attributes"]

# A full disk is rounded in parts, or its copies take several GB.
ROWS_AT_ONCE = 1024

# A shard is one file of many small frames, or of the chunks of one large frame.
PIXELS_OF_SHARD = 1 << 21


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


def _recognise(path: Path) -> bool:
    return is_zipped_zarr(path) or (path.is_dir() and any((path / mark).exists() for mark in ZARR_MARKS))


@dataclass(frozen=True)
class _Frames:
    """The frames of a sequence in a store, a part of which is one shard: written at once, and there or not.

    It holds some frames, or a band of rows of a large one; each member has its own. Of several variables, each is a
    layer of the sequence (layer, time, y, x).
    """

    path: Path  # of the metadata
    place: str  # of the frames, perhaps a URL
    precision: Precision
    frames: int  # of a shard
    rows: int
    names: tuple[str, ...]

    def missing(self, parts: Iterable[Part]) -> list[Part]:
        group: Any = zarr.open_group(self.path, mode="r+")
        arrays = [group[name] for name in self.names]
        return [part for part in parts if not all(self._holds(array, part) for array in arrays)]

    def _holds(self, array: Any, part: Part) -> bool:
        sides = array.shards or array.chunks
        grid = [range(-(-size // side)) for size, side in zip(array.shape, sides, strict=True)]
        for axis, some in ((-3, part.frames), (-2, part.rows)):
            grid[axis] = range(some.start // sides[axis], -(-some.stop // sides[axis]))
        files = [self.path / array.basename / array.metadata.encode_chunk_key(place) for place in product(*grid)]
        if not all(file.exists() for file in files):
            return False
        if url_of(self.path):  # an object is written whole or not at all; the file stands for it and is empty
            return True
        # A power cut can leave a file that is empty or cut. The index at its end has a checksum, which this reads.
        try:
            array[..., part.frames.start, part.rows.start, 0]
        except Exception:  # of any codec
            for file in files:  # zarr would read it to write it
                file.unlink(missing_ok=True)
            return False
        return True

    def write(self, part: Part, kelvins: np.ndarray) -> None:
        # Missing values too, so that a shard that is not there was not written.
        layers = np.moveaxis(kelvins, 1, 0) if len(self.names) > 1 else [kelvins]
        for name, frames in zip(self.names, layers, strict=True):
            array: Any = filled(self.place, name)
            stored = np.empty((*array.shape[:-3], len(part.frames), *kelvins.shape[-2:]), array.dtype)
            for place, frame in enumerate(frames):
                for first in range(0, frame.shape[-2], ROWS_AT_ONCE):
                    rows = slice(first, first + ROWS_AT_ONCE)
                    stored[..., place, rows, :] = self.precision.stored(frame[..., rows, :])
            array[..., part.frames.start : part.frames.stop, part.rows.start : part.rows.stop, :] = stored

    def note(self, unread: Iterable[Unread]) -> _Frames:
        attrs = zarr.open_group(self.path, mode="r+").attrs
        attrs[UNREADABLE] = recorded(attrs, unread)
        publish(self.path)
        return self

    def finish(self) -> None:
        for left in self.path.rglob("*.partial"):  # by zarr, of a shard, when its process was killed
            left.unlink()
        seal(self.path)
        publish(self.path)


def _begin(da: xr.DataArray, path: Path, writing: Writing) -> _Frames:
    return begin_zarr(template_of(da, writing.precision), path, writing)


def begin_zarr(template: Template, path: Path, writing: Writing) -> _Frames:
    """Write coordinates and attributes by xarray, and the arrays without their frames."""
    da, encoding = template.frames, template.encoding
    frames = max(1, min(PIXELS_OF_SHARD // (da.sizes["y"] * da.sizes["x"]), da.sizes["time"]))
    rows = bands_of(da)
    place = _Frames(path, shown(path), writing.precision, frames, rows, template.names)
    if _continues(path, writing.fingerprint):
        begun: Any = zarr.open_group(path, mode="r")[NAME]
        *_, frames, rows, _ = begun.shards or begun.chunks  # an equal sequence may have other chunks
        return replace(place, frames=frames, rows=rows)
    for name in template.names:
        itemsize = np.dtype(encoding[name].get("dtype", np.float32)).itemsize
        # Bits that rounding made zero lie beside each other after shuffling.
        encoding[name]["compressors"] = [BloscCodec(typesize=itemsize, cname="zstd", clevel=3, shuffle="bitshuffle")]
        *front, height, width = encoding[name]["chunks"]
        if rows < da.shape[-2]:
            height = side_within(rows)
        encoding[name]["chunks"] = (*front, height, width)
        shard = (*front[:-1], frames, -(-rows // height) * height, -(-da.shape[-1] // width) * width)
        if shard != encoding[name]["chunks"]:
            encoding[name]["shards"] = shard
    begin_group(template.dataset, path, encoding)
    if writing.fingerprint:  # last, since what lacks it is not continued
        zarr.open_group(path, mode="r+").attrs[FINGERPRINT] = writing.fingerprint
    publish(path)
    return place


def _continues(path: Path, fingerprint: str) -> bool:
    """Return whether a store was begun from the same, and at least one of its parts is written."""
    if not fingerprint or not (path / "zarr.json").exists():
        return False
    return zarr_attributes(path).get(FINGERPRINT) == fingerprint and (path / NAME / "c").is_dir()


ZARR = Format(
    "zarr",
    "Zarr",
    recognise=_recognise,
    open=lambda stored, reading: open_cf(stored.path, reading, stored.group),
    write=in_parts(_begin),
    owns=Kind(
        "a Zarr sequence",
        lambda path: holds_only_zarr(path) and attributes_are_ours(zarr_attributes(path), "sequence"),
        holds_only_zarr,
        by_url=True,
    ),
    holds_ensembles=True,
    has_variables=True,
    suffixes=(".zarr",),
    also_reads=(".zarr.zip",),
    groups=zarr_groups,
    begin=_begin,
    continues=_continues,
)
