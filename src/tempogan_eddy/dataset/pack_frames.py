"""Pack a part of the frames of a storm: read, see, estimate the flow, compress; in this process or in several.

Every frame is one chunk of each array, and one part writes it, so parts need no lock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.dataset.pack_layout import FLOW_QUANTUM, KELVIN_OFFSET, KELVIN_QUANTUM, LOWRES, MISSING
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.windows import Links
from tempogan_eddy.io.files.zarr_seal import every_chunk
from tempogan_eddy.io.workers import cores

__all__ = ["Packing", "workers_for"]

# Frames of a part: enough that the one before, which is read twice, is a few percent of the work.
AT_ONCE = 32

# Frames for which a further process is started. The imports take about 5 s of a core, as 35 frames of 512x512 do.
FRAMES_A_WORKER = 64


@dataclass(frozen=True, eq=False)
class Packing:
    """A storm to be packed into a store whose arrays exist. It can be pickled.

    Parameters
    ----------
    store, name
        The packed store and the storm's group.
    sequence, lowres
        The storm, and its lowres frames where they are not simulated.
    links
        Which frames follow each other.
    sensor
        Simulates the lowres frames.
    """

    store: Path
    name: str
    sequence: xr.DataArray
    lowres: xr.DataArray | None
    links: Links
    sensor: SensorModel

    def parts(self) -> Iterator[range]:
        """Divide the frames into parts, which `pack` writes in any order."""
        frames = self.sequence.sizes["time"]
        for first in range(0, frames, AT_ONCE):
            yield range(first, min(first + AT_ONCE, frames))

    def pack(self, part: range) -> None:
        """Write the frames, and the flow between each and the one before it."""
        group: dict[str, Any] = every_chunk(self.store, self.name)
        waiting: dict[int, np.ndarray] = {}  # lowres frames whose following one is still to come
        for index in part:
            frame = _frame(self.sequence, index)
            group["brightness_temperature"][index] = _quantise_kelvin(frame)
            seen = self._seen(index, frame)
            if self.lowres is not None:
                group[LOWRES][index] = _quantise_kelvin(seen)
            previous = int(self.links.previous[index])
            if previous < 0:
                group["flow_previous"][index] = 0
            else:
                before = waiting.pop(previous) if previous in waiting else self._seen(previous)
                group["flow_previous"][index] = _quantise_flow(estimate_flow(seen, before))
                group["flow_next"][previous] = _quantise_flow(estimate_flow(before, seen))
            if self.links.following[index] < 0:
                group["flow_next"][index] = 0
            else:
                waiting[index] = seen

    def _seen(self, index: int, highres: np.ndarray | None = None) -> np.ndarray:
        """Return a lowres frame."""
        if self.lowres is not None:
            return _frame(self.lowres, index)
        highres = _frame(self.sequence, index) if highres is None else highres
        height, width = (side // self.sensor.scale * self.sensor.scale for side in highres.shape)
        return self.sensor.apply(torch.from_numpy(highres[:height, :width])).numpy()


def workers_for(frames: int, wanted: int | None) -> str | None:
    """Return the processes that pack so many frames: as many as wanted, or one a core where each has enough frames."""
    count = wanted or max(1, min(cores(), frames // FRAMES_A_WORKER))
    return f"processes:{count}" if count > 1 else None


def _frame(sequence: xr.DataArray, index: int) -> np.ndarray:
    # Without a scheduler named, a worker of a cluster would send the frame to the cluster's.
    return np.ascontiguousarray(sequence.isel(time=index).compute(scheduler="synchronous").values, np.float32)


def _quantise_kelvin(frame: np.ndarray) -> np.ndarray:
    counts = np.rint((np.nan_to_num(frame, nan=0.0) - KELVIN_OFFSET) / KELVIN_QUANTUM)
    return np.where(np.isnan(frame), MISSING, counts).astype(np.int16)


def _quantise_flow(flow: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(flow / FLOW_QUANTUM), -32767, 32767).astype(np.int16)
