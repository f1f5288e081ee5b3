"""Sequences in files as commands read and write them, and the command line for their history."""

from __future__ import annotations

import functools
import logging
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tempogan_eddy.cli.progress import frame_progress, storm_progress
from tempogan_eddy.wording import count

if TYPE_CHECKING:
    import xarray as xr

    from tempogan_eddy.config import DataConfig
    from tempogan_eddy.io.format import StoredSequence
    from tempogan_eddy.io.workers import Failures

__all__ = [
    "WORDS",
    "fingerprint",
    "given_options",
    "history",
    "one_or_all",
    "opened",
    "read",
    "read_one_of",
    "read_pairs",
    "storms_of",
    "write",
    "write_archive",
]

log = logging.getLogger(__name__)

WORDS: ContextVar[Sequence[str]] = ContextVar("words", default=())
"""The words of the command line."""

# Options that change no value; a configuration counts as read.
NO_VALUE = ("output", "overwrite", "dask", "config", "overrides")


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
    _refuse_nothing_valid(sequence, paths[0], data, lambda valid: opened_as(**{**options, "valid_kelvin": valid}))
    return sequence


def _refuse_nothing_valid(
    sequence: xr.DataArray, path: Path, data: DataConfig, reopen: Callable[[Any], xr.DataArray]
) -> None:
    """Raise InputError if no pixel of a sequence is valid; read it up to the first frame that has one.

    `reopen` opens it with other valid kelvins. Go on past frames that cannot be read, which the writer names, but not
    if all are so.
    """
    import numpy as np

    from tempogan_eddy.errors import InputError
    from tempogan_eddy.io.frames import FrameReader
    from tempogan_eddy.io.quality import EVERYTHING, refuse_celsius
    from tempogan_eddy.io.unread import unread_noted

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
    from tempogan_eddy.io.selection import require_selection

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


def storms_of(paths: list[Path], output: Path, input_format: str | None, data: DataConfig) -> dict[str, StoredSequence]:
    """Return the storms of an archive, where the output can hold them all: none if there is one, or no Zarr."""
    from tempogan_eddy.io.open import find_sequences

    if output.suffix.lower() != ".zarr":
        return {}
    found = find_sequences(one_or_all(paths), input_format, **data.reader_options())
    return found if len(found) > 1 else {}


def opened(
    found: Mapping[str, StoredSequence], time: str | None, data: DataConfig, failures: Failures
) -> Iterator[tuple[str, xr.DataArray]]:
    """Return the storms of an archive by name, those without brightness temperature left out with a warning.

    Those without a valid pixel are `failures`. Raise InputError if none is left, before anything is written.
    """
    from tempogan_eddy.errors import InputError

    storms = _usable(found, time, data, failures)
    first = next(storms, None)
    if first is None:
        raise InputError(f"None of the {count(len(found), 'sequence')} can be used; the warnings say why of each.")
    return chain([first], storms)


def _usable(
    found: Mapping[str, StoredSequence], time: str | None, data: DataConfig, failures: Failures
) -> Iterator[tuple[str, xr.DataArray]]:
    from tempogan_eddy.errors import InputError
    from tempogan_eddy.io import select_time
    from tempogan_eddy.io.choice import NoSequenceError
    from tempogan_eddy.io.messages import about
    from tempogan_eddy.io.selection import require_selection

    for name, stored in found.items():
        try:
            sequence = stored.open(**data.reader_options())
        except NoSequenceError as error:
            about(log, name, str(error).replace(str(stored.path), "")).warning("left out: %s", error)
            continue
        require_selection([sequence], data.select)
        sequence = select_time(sequence, time, data.time_tolerance)
        try:
            _refuse_nothing_valid(sequence, stored.path, data, functools.partial(_reopened, stored, time, data))
        except InputError as error:
            failures.add(name, error, "storm")
            continue
        yield name, sequence


def _reopened(stored: StoredSequence, time: str | None, data: DataConfig, valid_kelvin: Any) -> xr.DataArray:
    from tempogan_eddy.io import select_time

    options: Any = {**data.reader_options(), "valid_kelvin": valid_kelvin}
    return select_time(stored.open(**options), time, data.time_tolerance)


def write_archive(
    made: Iterable[tuple[str, xr.DataArray]],
    output: Path,
    verb: str,
    *,
    precision: str,
    overwrite: bool,
    dask: str | None,
    **decided_by: object,
) -> None:
    """Save the sequences of an archive in one Zarr store, with a progress bar for each; continue it as `write`."""
    from tempogan_eddy.io.archive import save_archive
    from tempogan_eddy.io.urls import shown

    frames: dict[str, int] = {}
    with storm_progress(verb) as advance:

        def advanced(name: str, done: int, total: int) -> None:
            frames[name] = total
            advance(name, done, total)

        save_archive(
            ((name, da, fingerprint(da, decided_by)) for name, da in made),
            output, fingerprint=fingerprint(None, decided_by), history=history(), precision=precision,
            overwrite=overwrite, dask=dask, on_frame=advanced,
        )  # fmt: skip
    print(f"{shown(output)}: {count(sum(frames.values()), 'frame')} of {count(len(frames), 'storm')}")


def given_options(context: typer.Context) -> dict[str, str]:
    """Return the options of a command that can change values, for the fingerprint of its output."""
    return {key: str(value) for key, value in context.params.items() if key not in NO_VALUE}


def fingerprint(made: xr.DataArray | xr.Dataset | None, decided_by: Mapping[str, object]) -> str:
    """Return the fingerprint of a sequence: of the files it is made from, its times, and what else decides its values.

    Whether frames that cannot be read are missing is no part of it: with `unreadable=gap` a command goes on where it
    failed without.
    """
    from tempogan_eddy import __version__
    from tempogan_eddy.fingerprint import fingerprint_of
    from tempogan_eddy.io.frames import source_paths

    times = [] if made is None else made["time"].values.astype("datetime64[ns]").astype(int).tolist()
    settings = {"version": __version__, "times": times, **decided_by}
    return fingerprint_of([] if made is None else source_paths(made), settings)


def write(
    made: xr.DataArray | xr.Dataset,
    output: Path,
    output_format: str | None,
    verb: str,
    *,
    precision: str,
    overwrite: bool,
    dask: str | None = None,
    **decided_by: object,
) -> None:
    """Save a sequence, or a summary, with a progress bar; an output without suffix takes the format of the input.

    If the same command was stopped, with equal options, files and what else the values are `decided_by`, continue it.
    """
    import xarray as xr

    from tempogan_eddy.io import save_sequence
    from tempogan_eddy.io.summary import save_summary
    from tempogan_eddy.io.urls import shown

    with frame_progress(verb, made.sizes["time"]) as advance:
        options: dict[str, Any] = {
            "format": output_format, "history": history(), "overwrite": overwrite, "on_frame": advance,
            "fingerprint": fingerprint(made, decided_by), "dask": dask,
        }  # fmt: skip
        if isinstance(made, xr.Dataset):
            save_summary(made, output, **options)
        else:
            save_sequence(made, output, precision=precision, **options)
    members = f"{count(made.sizes['member'], 'member')} of " if "member" in made.sizes else ""
    print(f"{shown(output)}: {members}{count(made.sizes['time'], 'frame')} of {made.sizes['y']}x{made.sizes['x']}")
