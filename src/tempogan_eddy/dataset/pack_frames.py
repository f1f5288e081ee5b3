"""Pack a part of the frames of a storm: read, see, estimate the flow, compress; in this process or in several.

Every frame is one chunk of each array, and one part writes it, so parts need no lock.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import torch
import xarray as xr

from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.windows import Links
from tempogan_eddy.io.zarr_seal import every_chunk

__all__ = [
    "FLOW_QUANTUM",
    "KELVIN_OFFSET",
    "KELVIN_QUANTUM",
    "LOWRES",
    "MISSING",
    "NEIGHBOURS",
    "Part",
    "Workers",
    "parts_of",
]

KELVIN_QUANTUM, KELVIN_OFFSET, MISSING = 0.01, 250.0, -32768
FLOW_QUANTUM = 0.01
LOWRES = "lowres_brightness_temperature"
"""Holds the lowres frames of own pairs; a store without it has its lowres frames simulated."""
NEIGHBOURS = ("previous", "next")

# Frames of a part: enough that the one before, which is read twice, is a few percent of the work.
AT_ONCE = 32

# Frames for which a further process is started. Its imports take about 5 s of a core, as 35 frames of 512x512 do.
FRAMES_A_WORKER = 64

# Parts that wait for a process or are with it.
PARTS_A_WORKER = 2


@dataclass(frozen=True)
class Part:
    """Some frames of a storm, to be packed into a store whose arrays exist.

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
    frames
        The numbers of the frames.
    """

    store: Path
    name: str
    sequence: xr.DataArray
    lowres: xr.DataArray | None
    links: Links
    sensor: SensorModel
    frames: range

    def pack(self) -> None:
        """Write the frames, and the flow between each and the one before it."""
        group: dict[str, Any] = every_chunk(self.store, self.name)
        waiting: dict[int, np.ndarray] = {}  # lowres frames whose following one is still to come
        for index in self.frames:
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


def parts_of(
    store: Path, name: str, sequence: xr.DataArray, lowres: xr.DataArray | None, links: Links, sensor: SensorModel
) -> Iterator[Part]:
    """Divide a storm into parts."""
    frames = sequence.sizes["time"]
    for first in range(0, frames, AT_ONCE):
        yield Part(store, name, sequence, lowres, links, sensor, range(first, min(first + AT_ONCE, frames)))


class Workers:
    """The processes that pack parts; none but this one where the data are few.

    Parameters
    ----------
    wanted
        How many; None for one a core.
    frames
        Frames to pack, of which each process should have enough.
    """

    def __init__(self, wanted: int | None, frames: int) -> None:
        self.count = wanted or max(1, min(_cores(), frames // FRAMES_A_WORKER))

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.count > 1:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Pack parts; yield each, in order, once it is written. Take no more of them than keep the processes busy."""
        if self.count == 1:
            for part in parts:
                part.pack()
                yield part
            return
        waiting: deque[tuple[Part, Future[None]]] = deque()
        for part in parts:
            waiting.append((part, self._pool.submit(part.pack)))
            if len(waiting) >= PARTS_A_WORKER * self.count:
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        # A forked process would inherit the locks of torch's and HDF5's threads.
        return ProcessPoolExecutor(self.count, multiprocessing.get_context("spawn"), initializer=_begin)


def _finished(part: Part, packing: Future[None]) -> Part:
    packing.result()
    return part


def _begin() -> None:
    """Use one core; leave Ctrl-C to the first process, and end with it even where it is killed."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _frame(sequence: xr.DataArray, index: int) -> np.ndarray:
    return np.ascontiguousarray(sequence.isel(time=index).values, np.float32)


def _quantise_kelvin(frame: np.ndarray) -> np.ndarray:
    counts = np.rint((np.nan_to_num(frame, nan=0.0) - KELVIN_OFFSET) / KELVIN_QUANTUM)
    return np.where(np.isnan(frame), MISSING, counts).astype(np.int16)


def _quantise_flow(flow: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(flow / FLOW_QUANTUM), -32767, 32767).astype(np.int16)
