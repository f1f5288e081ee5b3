"""Bring frames from a lazy sequence to a writer: read and compute the next chunk while one is written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing

import numpy as np
import xarray as xr

from tempogan_eddy.interrupts import HeldSignals, signals_held
from tempogan_eddy.io.frames import FrameReader, report_masked, stacks_of
from tempogan_eddy.io.precision import PACKED_MISSING
from tempogan_eddy.io.quality import EVERYTHING
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = ["is_seen", "report_read", "write_frames"]

log = logging.getLogger(__name__)

# Seconds between two looks for a signal while a chunk is computed, and seconds that a chunk may still take after one.
POLL, PATIENCE = 0.1, 2.0


def write_frames(da: xr.DataArray, write: Callable[[int, np.ndarray], None], on_frame: Callable[[int], None]) -> None:
    """Compute the frames of a sequence in order and call `write` with the number, from 0, and the frame (y, x) of each.

    Read and compute a chunk in a second thread while writing the chunk before; hold two chunks at most. SIGINT and
    SIGTERM end the loop between two frames with a KeyboardInterrupt, or whatever their former handler raises, and wait
    two seconds at most for the thread, which changes no file. Call `on_frame` with the number of frames written. At the
    end, warn if every pixel was missing: only then do wrong units of a lazy sequence show.
    """
    something_seen = False
    with signals_held() as signals, closing(_frames_ahead(FrameReader(da), signals)) as frames:
        for number, frame in enumerate(frames):
            signals.check()
            something_seen = something_seen or is_seen(frame)
            write(number, frame)
            on_frame(number + 1)
    report_read(da, something_seen=something_seen)


def report_read(da: xr.DataArray, *, something_seen: bool) -> None:
    """Log how many pixels of a sequence were masked, and warn if all were missing."""
    report_masked(da)
    if not something_seen:
        log.warning(
            "Every pixel of %s is missing. Values outside %g-%g K are read as missing: are the input's units right "
            "(degrees Celsius called K, say)?",
            da.attrs.get("sequence", "the sequence"),
            *next((s.valid_kelvin for s in stacks_of(da) if s.valid_kelvin != EVERYTHING), VALID_KELVIN),
        )


def is_seen(frame: np.ndarray) -> bool:
    """Return whether a pixel of frames, packed or not, is valid."""
    return bool((frame != PACKED_MISSING).any() if frame.dtype == np.int16 else not np.isnan(frame).all())


def _frames_ahead(reader: FrameReader, signals: HeldSignals) -> Generator[np.ndarray]:
    """Yield the frames (y, x); compute each chunk while the frames of the one before are in use."""
    worker = ThreadPoolExecutor(1)
    computed: Future[np.ndarray] | None = None
    pending: Future[np.ndarray] | None = None
    try:
        for number in range(len(reader.ends) + 1):
            computed = pending
            pending = worker.submit(reader.chunk, number) if number < len(reader.ends) else None
            if computed is not None:
                while not wait([computed], POLL).done:
                    signals.check()
                yield from computed.result()
    finally:
        worker.shutdown(wait=False, cancel_futures=True)
        wait([future for future in (computed, pending) if future and not future.cancelled()], PATIENCE)
