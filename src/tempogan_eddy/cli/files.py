"""Sequences in files as commands read and write them, and the command line for their history."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempogan_eddy.wording import count

if TYPE_CHECKING:
    import xarray as xr

    from tempogan_eddy.config import DataConfig

__all__ = [
    "WORDS",
    "history",
    "one_or_all",
    "read",
    "read_one_of",
    "read_pairs",
    "refuse_nothing_valid",
]

WORDS: ContextVar[Sequence[str]] = ContextVar("words", default=())
"""The words of the command line."""


def history() -> str:
    """Return the command, as one line of a shell."""
    return shlex.join(["tempogan-eddy", *WORDS.get()])


def one_or_all(paths: list[Path]) -> Path | list[Path]:
    """Return the inputs of a command as readers expect them: a single path, or a list."""
    return paths[0] if len(paths) == 1 else paths


def read(
    paths: list[Path], storm: str | None, time: str | None, input_format: str | None, data: DataConfig
) -> xr.DataArray:
    """Open the one sequence that a command asks for."""
    from tempogan_eddy.io import open_sequence, select_time

    def opened_as(**options: Any) -> xr.DataArray:
        return select_time(open_sequence(one_or_all(paths), **options), time, data.time_tolerance)

    options = {"storm": storm, "format": input_format, **data.reader_options()}
    sequence = opened_as(**options)
    refuse_nothing_valid(sequence, paths[0], data, lambda valid: opened_as(**{**options, "valid_kelvin": valid}))
    return sequence


def refuse_nothing_valid(
    sequence: xr.DataArray, path: Path, data: DataConfig, reopen: Callable[[Any], xr.DataArray]
) -> None:
    """Raise InputError if no pixel of a sequence is valid; read it up to the first frame that has one.

    `reopen` opens it with other valid kelvins. Go on past frames that cannot be read, which the writer names, but not
    if all are so.
    """
    import numpy as np

    from tempogan_eddy.errors import InputError
    from tempogan_eddy.io.frames import FrameReader
    from tempogan_eddy.io.unread import unread_noted
    from tempogan_eddy.io.values.quality import EVERYTHING, refuse_celsius

    reader, frames = FrameReader(sequence), sequence.sizes["time"]
    with unread_noted() as unread:
        if np.isfinite(reader.frame(0)).any():
            return
        refuse_celsius(FrameReader(reopen(EVERYTHING)).frame(0), path)
        seen = any(np.isfinite(reader.frame(number)).any() for number in range(1, frames))
    if not seen and len({one.time for one in unread}) == frames:
        raise InputError(f"{path}: none of its {count(frames, 'frame')} can be read; the first: {unread[0]}")
    if not seen:
        low, high = data.valid_kelvin
        raise InputError(
            f"{path}: no pixel of its {count(frames, 'frame')} has a value from {low:g} to {high:g} K; are the units "
            "right? (data.valid_kelvin widens the range)"
        )


def read_one_of(
    source: Path, storm: str | None, time: str | None, input_format: str | None, data: DataConfig
) -> xr.DataArray:
    """Open one of the inputs of a command; only an input of several storms needs the name of the storm.

    Choices (``select``) count where the input has them.
    """
    from tempogan_eddy.io import select_time
    from tempogan_eddy.io.open import find_sequences, open_one

    options: Any = data.reader_options()
    found = find_sequences(source, input_format, **options)
    sequence = open_one(source, storm if len(found) > 1 else None, found, options)
    return select_time(sequence, time, data.time_tolerance)


def read_pairs(
    truth: list[Path],
    reconstructed: list[Path],
    lowres: list[Path] | None,
    storm: str | None,
    time: str | None,
    truth_format: str | None,
    data: DataConfig,
) -> Iterator[tuple[str, xr.DataArray, xr.DataArray, xr.DataArray | None]]:
    """Yield name, truth, reconstruction and lowres input of every storm that was reconstructed."""
    from tempogan_eddy.io import select_time
    from tempogan_eddy.io.open import choose, find_sequences, open_found
    from tempogan_eddy.io.variables.selection import require_selection

    # The variable names one of the truth; files of this package need no name.
    ours = data.model_copy(update={"variable": None})
    highres, inputs = (
        open_found(find_sequences(paths, **ours.reader_options()), paths, **ours.reader_options()) if paths else {}
        for paths in (one_or_all(reconstructed), one_or_all(lowres or []))
    )
    # Open only those storms of the truth that were reconstructed; it may hold a thousand more.
    truths = find_sequences(one_or_all(truth), truth_format, **data.reader_options())
    alone = len(highres) == 1
    for name in [storm] if storm and not alone else highres:
        rebuilt = choose(highres, name, one_or_all(reconstructed))
        label = storm or str(rebuilt.attrs.get("sequence", name))
        # A truth of one storm needs no name; one of several is found by the name that the reconstruction kept.
        wanted = storm or (None if len(truths) == 1 else label)
        whole = choose(truths, wanted, one_or_all(truth)).open(**data.reader_options())
        seen = choose(inputs, None if alone else name, lowres or "") if inputs else None
        require_selection([da for da in (whole, rebuilt, seen) if da is not None], data.select)
        whole, rebuilt = (select_time(part, time, data.time_tolerance) for part in (whole, rebuilt))
        yield label, whole, rebuilt, None if seen is None else select_time(seen, time, data.time_tolerance)
