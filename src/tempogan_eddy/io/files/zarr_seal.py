"""Zarr stores that show damage: a checksum in every chunk, every chunk written, a digest over the metadata.

A sealed group was complete when it was written. Its seal is the SHA-256 of its own metadata and those of its arrays. It
stands in the consolidated metadata, which no program copies into a store made from this one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
import zarr
from zarr.abc.store import Store
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore, WrapperStore

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.urls import chunk_store, shown
from tempogan_eddy.quiet import ignored_warnings

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

__all__ = ["begin_group", "checked_store", "consolidate", "every_chunk", "filled", "seal"]

SEAL = "sha256"
CHUNK = re.compile(r"(.+)/c(/\d+)*")  # the key of a chunk; what is before is its array


def begin_group(dataset: xr.Dataset, path: Path, encoding: dict[str, dict[str, Any]], group: str | None = None) -> None:
    """Write attributes and coordinates of a dataset into a Zarr v3 group, and create its lazy variables.

    ``compressors`` in the encoding of a variable get a checksum (CRC-32C) in addition; the default is Zstandard.
    """
    for name in map(str, dataset.variables):
        given = encoding.setdefault(name, {})
        given["compressors"] = [*given.get("compressors", [ZstdCodec()]), Crc32cCodec()]
    # Strings have no Zarr v3 specification yet, though zarr-python and xarray agree on them.
    with ignored_warnings(".*does not have a Zarr V3 specification"):
        dataset.to_zarr(
            path, group=group, mode="w", compute=False, zarr_format=3, consolidated=False, encoding=encoding,
            write_empty_chunks=True, safe_chunks=False,
        )  # fmt: skip


def every_chunk(path: Path, group: str | None = None) -> dict[str, zarr.Array]:
    """Return the arrays of a group to be filled, which write chunks of missing values too."""
    arrays = zarr.open_group(path, path=group or "", mode="r+").arrays()
    return {name: array.with_config({"write_empty_chunks": True}) for name, array in arrays}


def filled(group: str, name: str) -> zarr.Array:
    """Return one array of a group, a path or URL, to be filled as those of `every_chunk`."""
    array = zarr.open_array(f"{group}/{name}", mode="r+", zarr_format=3)
    return array.with_config({"write_empty_chunks": True})


def consolidate(path: Path, group: str = "") -> None:
    """Copy the metadata of the arrays and groups of a group into its own."""
    # Not in the Zarr v3 specification either, but xarray looks for it first.
    with ignored_warnings(".*(consolidated metadata|Zarr V3 specification)"):
        zarr.consolidate_metadata(path, path=group, zarr_format=3)


def seal(path: Path, group: str | None = None) -> None:
    """Consolidate the metadata of a complete group and add the digest; `checked_store` then vouches for it."""
    consolidate(path, group or "")
    folder = path / (group or "")
    document = _document(folder)
    document["consolidated_metadata"][SEAL] = _digest(folder, document)
    (folder / "zarr.json").write_text(json.dumps(document, indent=2), encoding="utf-8")


def checked_store(path: Path, groups: Iterable[str] = ("",)) -> Store:
    """Return the store in a folder, to be read; in sealed groups a missing chunk is an error.

    Raises
    ------
    InputError
        The metadata of one of the groups are not what its seal says.
    """
    sealed = {group for group in groups if _is_sealed(path / group)}
    store = chunk_store(path) or LocalStore(path, read_only=True)
    return _Sealed(store, frozenset(sealed), shown(path)) if sealed else store


class _Sealed(WrapperStore[Store]):
    """A store that raises an error for a chunk that is missing in a sealed group."""

    def __init__(self, store: Store, groups: frozenset[str] = frozenset(), name: str = "") -> None:
        super().__init__(store)
        self.groups, self.name = groups, name

    def _with_store(self, store: Store) -> _Sealed:
        return type(self)(store, self.groups, self.name)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the value of a key; raise InputError for a missing chunk."""
        found = await self._store.get(key, prototype or default_buffer_prototype(), byte_range)
        if found is None and (chunk := CHUNK.fullmatch(key)) and chunk[1].rpartition("/")[0] in self.groups:
            raise InputError(f"{self.name}/{key} is missing, though the store was complete; fetch it anew.")
        return found


def _is_sealed(folder: Path) -> bool:
    """Return whether a group has a seal, and raise InputError if it does not fit."""
    try:
        document = _document(folder)
        stated = document["consolidated_metadata"].pop(SEAL)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # no group, or of another program; whoever opens it says what is wrong
    if stated != _digest(folder, document):
        raise InputError(
            f"The metadata of {folder} are not those it was written with: fetch it anew, or if you changed them, run "
            "zarr.consolidate_metadata on it."
        )
    return True


def _document(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "zarr.json").read_text(encoding="utf-8")))


def _digest(folder: Path, document: dict[str, Any]) -> str:
    """Return the digest of a group's metadata, given without seal, and of those of its arrays."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(document["consolidated_metadata"]["metadata"]):
        try:
            digest.update((folder / name / "zarr.json").read_bytes())
        except OSError:  # a missing array shows in the digest
            digest.update(name.encode())
    return digest.hexdigest()
