"""Bring frames from a lazy sequence to a writer: read and compute the next chunk while one is written."""

import logging
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing

import numpy as np
import xarray as xr

from tempogan_eddy.interrupts import HeldSignals, signals_held
from tempogan_eddy.io.frames import FrameReader, has_gaps, report_masked, stacks_of
from tempogan_eddy.io.unread import Unread, shared_out, unread_noted
from tempogan_eddy.io.values.precision import PACKED_MISSING
from tempogan_eddy.io.values.quality import EVERYTHING
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = ["is_seen", "report_read", "write_frames"]

log = logging.getLogger(__name__)

# Seconds between two looks for a signal while a chunk is computed, and seconds that a chunk may still take after one.
POLL, PATIENCE = 0.1, 2.0


def write_frames(
    da: xr.DataArray,
    write: Callable[[int, np.ndarray], None],
    on_frame: Callable[[int], None],
    note: Callable[[list[Unread]], None] | None = None,
) -> list[Unread]:
    """Compute the frames of a sequence in order and call `write` with the number, from 0, and the frame (y, x) of each.

    Read and compute a chunk in a second thread while writing the chunk before; hold two chunks at most. SIGINT and
    SIGTERM end the loop between two frames with a KeyboardInterrupt, or whatever their former handler raises, and wait
    two seconds at most for the thread, which changes no file. Call `on_frame` with the number of frames written. At the
    end, warn if every pixel was missing: only then do wrong units of a lazy sequence show.

    Input frames that cannot be read are missing, and returned, if the sequence has gaps (`has_gaps`); else an error.
    With `note` they are missing in either case; it gets those that a frame needs before this is written.
    """
    something_seen, lost, strict = False, dict[Unread, None](), note is None and not has_gaps(da)
    with signals_held() as signals, closing(_frames_ahead(FrameReader(da), signals)) as frames:
        for number, (frame, unread) in enumerate(frames):
            signals.check()
            if unread and strict:
                raise unread[0].error
            if note is not None:
                note(unread)
            lost |= dict.fromkeys(unread)
            something_seen = something_seen or is_seen(frame)
            write(number, frame)
            on_frame(number + 1)
    report_read(da, something_seen=something_seen or bool(lost))
    return list(lost)


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


def _noted_chunk(reader: FrameReader, number: int) -> Iterator[tuple[np.ndarray, list[Unread]]]:
    with unread_noted(tried_again=True) as unread:
        frames = reader.chunk(number)
    last = int(reader.ends[number])
    return zip(frames, shared_out(unread, reader.times[last - len(frames) : last]), strict=True)


def _frames_ahead(reader: FrameReader, signals: HeldSignals) -> Generator[tuple[np.ndarray, list[Unread]]]:
    """Yield the frames (y, x) with what could not be read for each; compute a chunk while those before are in use."""
    worker = ThreadPoolExecutor(1)
    computed: Future[Iterator[tuple[np.ndarray, list[Unread]]]] | None = None
    pending: Future[Iterator[tuple[np.ndarray, list[Unread]]]] | None = None
    try:
        for number in range(len(reader.ends) + 1):
            computed = pending
            pending = worker.submit(_noted_chunk, reader, number) if number < len(reader.ends) else None
            if computed is not None:
                while not wait([computed], POLL).done:
                    signals.check()
                yield from computed.result()
    finally:
        worker.shutdown(wait=False, cancel_futures=True)
        wait([future for future in (computed, pending) if future and not future.cancelled()], PATIENCE)
