"""Reading the packed store: frames and flow of one storm, by time and place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.dataset.pack import MISSING, OUTSIDE
from tempogan_eddy.dataset.split import Entry
from tempogan_eddy.dataset.windows import linked_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequences

__all__ = ["PackedStorm", "open_storms"]

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
    linked
        (T - 1,) of bool: frames that follow each other.
    kelvins
        (T, H, W) int16; a tensor where it is held in memory, on whatever device.
    flow_previous, flow_next
        (T, 2, h, w) int16, LR pixels.
    holed
        (T,) of bool, whether anything is missing in a frame; None where that was not looked up.
    """

    name: str
    entry: Entry
    linked: np.ndarray
    kelvins: Tensor | zarr.Array
    flow_previous: Tensor | zarr.Array
    flow_next: Tensor | zarr.Array
    holed: np.ndarray | None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.kelvins.shape[1], self.kelvins.shape[2]

    def cut(self, middle: int, top: int, left: int, height: int, width: int, scale: int = 1) -> Tensor:
        """The window around ``middle``: (3, height, width) int16, OUTSIDE beyond the frame's edge.

        Rows and columns at the end that do not fill a block of ``scale`` are outside too: the sensor never sees them.
        """
        full_height, full_width = (side // scale * scale for side in self.size)
        rows = slice(max(top, 0), min(top + height, full_height))
        columns = slice(max(left, 0), min(left + width, full_width))
        inner = _tensor(self.kelvins[middle - 1 : middle + 2, rows, columns])
        if inner.shape[1:] == (height, width):
            return inner.clone()  # not a view, through which the store could be changed
        around = (columns.start - left, left + width - columns.stop, rows.start - top, top + height - rows.stop)
        return functional.pad(inner, around, value=OUTSIDE)

    def cut_flow(self, middle: int, rows: slice, columns: slice) -> Tensor:
        """Flow from ``middle`` to both neighbours: (2, 2, rows, columns) int16."""
        return torch.stack([_tensor(flow[middle, :, rows, columns]) for flow in (self.flow_previous, self.flow_next)])

    def may_miss(self, middle: int) -> bool:
        """Whether anything can be missing in the window around ``middle``."""
        return self.holed is None or bool(self.holed[middle - 1 : middle + 2].any())

    @property
    def nbytes(self) -> int | None:
        """What the storm takes in memory, bytes; None where it is not held there."""
        held = (self.kelvins, self.flow_previous, self.flow_next)
        return sum(array.nbytes for array in held) if isinstance(self.kelvins, Tensor) else None

    def to(self, device: torch.device) -> PackedStorm:
        """The same storm with its frames and flow, which must be in memory, on a device."""
        held = (self.kelvins, self.flow_previous, self.flow_next)
        kelvins, before, after = (torch.as_tensor(array).to(device) for array in held)
        return replace(self, kelvins=kelvins, flow_previous=before, flow_next=after)


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
    in_memory = total <= IN_MEMORY_BYTES
    if in_memory:
        arrays = {name: [torch.from_numpy(array[:]) for array in members] for name, members in arrays.items()}
    storms = {}
    for name, sequence in open_sequences(store).items():
        folder = str(root[name].attrs.get("split_folder", ""))
        entry = Entry(sequence["time"].values.astype("datetime64[ns]"), folder or None)
        kelvins, before, after = arrays[name]
        holed = (kelvins == MISSING).flatten(1).any(dim=1).numpy() if in_memory else None
        storms[name] = PackedStorm(name, entry, linked_frames(sequence, cadence), kelvins, before, after, holed)
    return storms


def _tensor(values: Any) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(np.asarray(values))
