"""Reading the packed store: frames and flow of one storm, by time and place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from tempogan_eddy.dataset.pack import FLOW_QUANTUM, KELVIN_OFFSET, KELVIN_QUANTUM, MISSING
from tempogan_eddy.dataset.split import Entry
from tempogan_eddy.dataset.windows import linked_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequences

__all__ = ["PackedStorm", "open_storms"]

# A store that decodes to less than this is kept in memory.
IN_MEMORY_BYTES = 4 << 30


@dataclass
class PackedStorm:
    """One storm of a packed store.

    Parameters
    ----------
    name
        The storm's name.
    entry
        Its times and split folder.
    linked
        (T - 1,) of bool: frames that follow each other.
    kelvins
        (T, H, W) int16.
    flow_previous, flow_next
        (T, 2, h, w) int16, LR pixels.
    """

    name: str
    entry: Entry
    linked: np.ndarray
    kelvins: np.ndarray | zarr.Array
    flow_previous: np.ndarray | zarr.Array
    flow_next: np.ndarray | zarr.Array

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.kelvins.shape[1], self.kelvins.shape[2]

    def read(self, middle: int, rows: slice, columns: slice) -> np.ndarray:
        """The window around ``middle``: (3, rows, columns) float32 kelvin, NaN where missing."""
        raw = np.asarray(self.kelvins[middle - 1 : middle + 2, rows, columns])
        kelvin = raw * np.float32(KELVIN_QUANTUM) + np.float32(KELVIN_OFFSET)
        kelvin[raw == MISSING] = np.nan
        return kelvin

    def read_flow(self, middle: int, rows: slice, columns: slice) -> np.ndarray:
        """Flow from ``middle`` to both neighbours: (2, 2, rows, columns) float32, LR pixels."""
        both = [np.asarray(flow[middle, :, rows, columns]) for flow in (self.flow_previous, self.flow_next)]
        return np.stack(both) * np.float32(FLOW_QUANTUM)


def open_storms(store: Path, cadence: str) -> dict[str, PackedStorm]:
    """All storms of a packed store, held in memory where they fit.

    Raises
    ------
    InputError
        The store holds no storm.
    """
    root = zarr.open_group(store, mode="r")
    arrays: dict[str, list[Any]] = {
        name: [group[key] for key in ("brightness_temperature", "flow_previous", "flow_next")]
        for name, group in sorted(root.groups())
    }
    if not arrays:
        raise InputError(f"The packed store {store} holds no storm; pack it again.")
    total = sum(array.nbytes for members in arrays.values() for array in members)
    if total <= IN_MEMORY_BYTES:
        arrays = {name: [array[:] for array in members] for name, members in arrays.items()}
    storms = {}
    for name, sequence in open_sequences(store).items():
        folder = str(root[name].attrs.get("split_folder", ""))
        entry = Entry(sequence["time"].values.astype("datetime64[ns]"), folder or None)
        storms[name] = PackedStorm(name, entry, linked_frames(sequence, cadence), *arrays[name])
    return storms
