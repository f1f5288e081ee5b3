"""Read the packed store: frames and flow of one storm, by time and place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from tempogan_eddy.dataset.pack_layout import LOWRES, MISSING, NEIGHBOURS, OUTSIDE, PAIR
from tempogan_eddy.dataset.pair_fit import PairFit
from tempogan_eddy.dataset.split import Entry
from tempogan_eddy.dataset.windows import Links, find_windows
from tempogan_eddy.errors import InputError, reason_of
from tempogan_eddy.io.aside import restored
from tempogan_eddy.io.files.zarr_seal import checked_store
from tempogan_eddy.io.times.cadence import parse_duration
from tempogan_eddy.io.variables.cf import open_cf

__all__ = ["PackedStorm", "Window", "damage_refused", "open_storms"]

Packed = NDArray[np.int16]
Window = tuple[int, int, int]
"""The numbers of three frames: one cadence before the middle one, the middle one, and one cadence after it."""

KEYS = ("brightness_temperature", "flow_previous", "flow_next")

# A store that decodes to less than this is kept in memory.
IN_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True)
class PackedStorm:
    """One storm of a packed store.

    Parameters
    ----------
    name
        The storm's name.
    entry
        Its times and split folder.
    links
        Which frames follow each other one cadence apart.
    kelvins
        (T, H, W) int16; an array of numpy if it is held in memory.
    flow_previous, flow_next
        (T, 2, h, w) int16, lowres pixels.
    holed
        (T,) of bool, whether anything is missing in a frame; None if unknown.
    lowres
        (T, h, w) int16, the lowres frames of own pairs; None where they are simulated.
    fit
        What was fitted to an own pair.
    """

    name: str
    entry: Entry
    links: Links
    kelvins: Packed | _Lazy
    flow_previous: Packed | _Lazy
    flow_next: Packed | _Lazy
    holed: np.ndarray | None
    lowres: Packed | _Lazy | None = None
    fit: PairFit = field(default_factory=PairFit)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.kelvins.shape[1], self.kelvins.shape[2]

    def cut(self, frames: Window, top: int, left: int, height: int, width: int, scale: int = 1) -> Packed:
        """Return a part of three frames: (3, height, width), OUTSIDE beyond the frame's edge.

        Rows and columns at the end that do not fill a block of ``scale`` are outside too: the sensor never sees them.
        The part may be a view of the storm.
        """
        full_height, full_width = (side // scale * scale for side in self.size)
        rows = slice(max(top, 0), min(top + height, full_height))
        columns = slice(max(left, 0), min(left + width, full_width))
        inner = _three(self.kelvins, frames, rows, columns)
        if inner.shape[1:] == (height, width):
            return inner
        part = np.full((3, height, width), OUTSIDE, np.int16)
        part[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = inner
        return part

    def cut_flow(self, middle: int, rows: slice, columns: slice) -> Packed:
        """Return the flow from ``middle`` to the frames before and after it: (2, 2, rows, columns)."""
        both: Any = (self.flow_previous, self.flow_next)
        return np.stack([flow[middle, :, rows, columns] for flow in both])

    def cut_lowres(self, frames: Window, rows: slice, columns: slice) -> Packed:
        """Return a part of three lowres frames of own pairs: (3, rows, columns)."""
        return _three(self.lowres, frames, rows, columns)

    def may_miss(self, frames: Window) -> bool:
        """Return whether anything can be missing in one of three frames."""
        return self.holed is None or any(bool(self.holed[number]) for number in frames)

    @property
    def nbytes(self) -> int | None:
        """The size of the storm in memory, bytes; None if it is not held there."""
        held = (self.kelvins, self.flow_previous, self.flow_next, self.lowres)
        sizes = [array.nbytes for array in held if isinstance(array, np.ndarray)]
        return sum(sizes) if sizes else None


class _Lazy:
    """An array of a store that is too large for memory; damage of a chunk is an `InputError`."""

    def __init__(self, array: zarr.Array, store: Path) -> None:
        self.array, self.store, self.shape = array, store, array.shape

    def __getitem__(self, key: Any) -> Any:
        with damage_refused(self.store, f" at {self.array.path}"):
            return self.array[key]


@contextmanager
def damage_refused(store: Path, where: str = "") -> Iterator[None]:
    """Raise InputError for whatever zarr and its codecs raise for a damaged store: any of a dozen."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = reason_of(error)
        raise InputError(f"The packed store {store} is damaged{where} ({reason}); pack the data again.") from error


def _three(array: Any, frames: Window, rows: slice, columns: slice) -> Packed:
    before, _, after = frames
    if after - before == 2:  # neighbours in the store are read at once
        part: Packed = array[before : after + 1, rows, columns]
        return part
    return np.stack([array[number, rows, columns] for number in frames])


def open_storms(store: Path) -> dict[str, PackedStorm]:
    """Return all storms of a packed store, held in memory if they fit.

    Raises
    ------
    InputError
        The store holds no storm, or is damaged.
    """
    restored(store)
    with damage_refused(store):
        return _read_storms(store)


def _read_storms(store: Path) -> dict[str, PackedStorm]:
    names = list(zarr.open_group(store, mode="r").group_keys())
    root = zarr.open_group(checked_store(store, names), mode="r")
    arrays: dict[str, list[Any]] = {
        name: [group[key] for key in (*KEYS, *([LOWRES] if LOWRES in group else []))]
        for name, group in sorted(root.groups())
    }
    if not arrays:
        raise InputError(f"The packed store {store} holds no storm; pack it again.")
    for name, members in arrays.items():
        _check_shapes(name, *(array.shape for array in members[: len(KEYS)]))
    total = sum(array.nbytes for members in arrays.values() for array in members)
    in_memory = total <= IN_MEMORY_BYTES
    arrays = {
        name: [array[:] if in_memory else _Lazy(array, store) for array in members] for name, members in arrays.items()
    }
    storms = {}
    for name in arrays:
        sequence = open_cf(store, group=name)
        folder = str(root[name].attrs.get("split_folder", ""))
        links = _links(root, name, sequence)
        times = sequence["time"].values.astype("datetime64[ns]")
        storm = str(root[name].attrs.get("storm", ""))
        entry = Entry(times, folder or None, find_windows(links).size > 0, storm)
        kelvins, before, after, *lowres = arrays[name]
        holed = None
        if in_memory:
            holed = np.any([(frames == MISSING).any(axis=(1, 2)) for frames in (kelvins, *lowres)], axis=0)
        fit = PairFit.from_json(str(root[name].attrs.get(PAIR, "{}")))
        given = lowres[0] if lowres else None
        storms[name] = PackedStorm(name, entry, links, kelvins, before, after, holed, given, fit)
    return storms


def _check_shapes(name: str, kelvins: tuple[int, ...], *flows: tuple[int, ...]) -> None:
    """Raise ValueError unless the arrays of a storm belong together."""
    if len(kelvins) != 3 or any(len(flow) != 4 or flow[:2] != (kelvins[0], 2) for flow in flows):
        raise ValueError(f"the arrays of {name} do not fit each other")


def _links(root: zarr.Group, name: str, sequence: xr.DataArray) -> Links:
    """Return the links that the store holds; in the first version, neighbours exactly one cadence apart."""
    stored: Any = root.get(f"{name}/frame_{NEIGHBOURS[1]}")
    if stored is not None:
        return Links.from_following(np.asarray(stored[:]).astype(int))
    times = sequence["time"].values.astype("datetime64[ns]")
    linked = np.diff(times) == parse_duration(str(root.attrs["cadence"]))
    if "satellite" in sequence.coords:
        satellite = np.broadcast_to(sequence["satellite"].values.astype(str), times.shape)
        linked &= satellite[1:] == satellite[:-1]
    return Links.from_following(np.append(np.where(linked, np.arange(1, len(times)), -1), -1))
