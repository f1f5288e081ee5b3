"""What a command makes of a storm, or of every storm of an archive, and writes; continued if it was stopped."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

from tempogan_eddy.cli.files import history, one_or_all, read, refuse_nothing_valid
from tempogan_eddy.cli.progress import frame_progress, storm_progress
from tempogan_eddy.registry import FORMATS
from tempogan_eddy.wording import count

if TYPE_CHECKING:
    import xarray as xr

    from tempogan_eddy.config import DataConfig
    from tempogan_eddy.io.format import StoredSequence
    from tempogan_eddy.io.workers import Failures

__all__ = ["Asked", "make"]

log = logging.getLogger(__name__)

# Options that change no value; a configuration counts as read.
NO_VALUE = ("output", "overwrite", "dask", "config", "overrides")


@dataclass(frozen=True)
class Asked:
    """The options of a command that makes one output of what it reads.

    Parameters
    ----------
    given
        All options that can change values, for the fingerprint of the output.
    """

    source: list[Path]
    output: Path
    storm: str | None
    time: str | None
    format: str | None
    input_format: str | None
    data: DataConfig
    precision: str
    overwrite: bool
    dask: str | None
    given: dict[str, str]

    @classmethod
    def of(cls, context: typer.Context, data: DataConfig, precision: str) -> Asked:
        """Return them from the parameters of a command; these names mean the same in every command."""
        names = ("source", "output", "storm", "time", "format", "input_format", "overwrite", "dask")
        given = {key: str(value) for key, value in context.params.items() if key not in NO_VALUE}
        chosen: dict[str, Any] = {name: context.params[name] for name in names}
        return cls(**chosen, data=data, precision=precision, given=given)


Make: TypeAlias = "Callable[[xr.DataArray], Any]"


def make(
    asked: Asked, verb: str, prepare: Callable[[], tuple[Make, dict[str, object]]], *, summary: bool = False
) -> None:
    """Make and write the sequence that a command asks for, or all storms of an archive into one Zarr store.

    If the same command was stopped, continue it.

    Parameters
    ----------
    verb
        Beside the progress bar.
    prepare
        Called once the output is known to be allowed; return a function that makes the output of one sequence, and what
        decides its values besides the options and the input.
    summary
        The output is a summary, of one storm.
    """
    from tempogan_eddy.io import check_output

    several = {} if asked.storm or summary else _storms_of(asked)
    if several:
        _make_archive(asked, verb, prepare, several)
        return
    sequence = read(asked.source, asked.storm, asked.time, asked.input_format, asked.data)
    precision = "exact" if summary else asked.precision
    check_output(sequence, asked.output, asked.format, precision=precision, overwrite=asked.overwrite, summary=summary)
    make_one, decided_by = prepare()
    _write(make_one(sequence), asked, verb, decided_by)


def _storms_of(asked: Asked) -> dict[str, StoredSequence]:
    """Return the storms of an archive, where the output can hold them all: none if there is one, or no Zarr."""
    from tempogan_eddy.io.open import find_sequences

    if asked.output.suffix.lower() != ".zarr":
        return {}
    found = find_sequences(one_or_all(asked.source), asked.input_format, **asked.data.reader_options())
    return found if len(found) > 1 else {}


def _make_archive(
    asked: Asked,
    verb: str,
    prepare: Callable[[], tuple[Make, dict[str, object]]],
    several: Mapping[str, StoredSequence],
) -> None:
    """Write all storms that can be used; then raise InputError for the others, or before, if there is none."""
    from tempogan_eddy.errors import InputError
    from tempogan_eddy.io.ownership import check_place
    from tempogan_eddy.io.workers import Failures

    if asked.format not in (None, "zarr"):
        raise InputError(
            f"Several storms go into one Zarr store; leave out --format {asked.format}, or name one --storm."
        )
    check_place(asked.output, FORMATS["zarr"].owns, overwrite=asked.overwrite, sources=asked.source)
    make_one, decided_by = prepare()
    failures = Failures()
    made = _made(several, asked, make_one, failures)
    first = next(made, None)
    if first is None:
        raise InputError(f"None of the {count(len(several), 'sequence')} can be used; the warnings say why of each.")
    _write_archive(chain([first], made), len(several), asked, verb, decided_by)
    failures.end("cannot be used")


def _made(
    several: Mapping[str, StoredSequence], asked: Asked, make_one: Make, failures: Failures
) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield what is made of each storm; storms that cannot be used are failures, or left out with a warning."""
    from tempogan_eddy.errors import InputError
    from tempogan_eddy.io import select_time
    from tempogan_eddy.io.messages import about
    from tempogan_eddy.io.sequence import NoFrameError
    from tempogan_eddy.io.variables.choice import NoSequenceError
    from tempogan_eddy.io.variables.selection import require_selection
    from tempogan_eddy.io.workers import Failures

    said, made, changed = "", None, Failures()
    for name, stored in several.items():
        try:
            sequence = stored.open(**asked.data.reader_options())
        except NoSequenceError as error:
            about(log, name, str(error).replace(str(stored.path), "")).warning("left out: %s", error)
            continue
        except InputError as error:  # the file has changed since it was found
            if made is None:
                raise
            changed.add(name, error, "storm")
            continue
        require_selection([sequence], asked.data.select)
        try:
            sequence = select_time(sequence, asked.time, asked.data.time_tolerance)
        except NoFrameError as error:
            about(log, name, f"no frame lies in --time {asked.time}").warning("left out: %s", error)
            continue
        try:
            refuse_nothing_valid(sequence, stored.path, asked.data, functools.partial(_reopened, stored, asked))
            made = make_one(sequence)
        except InputError as error:
            if made is None and str(error) == said:  # of the options rather than of two storms
                raise
            said = str(error)
            failures.add(name, error, "storm")
            continue
        yield name, made
    changed.end("cannot be read")  # before the output is put in place: the same command continues it


def _reopened(stored: StoredSequence, asked: Asked, valid_kelvin: Any) -> xr.DataArray:
    from tempogan_eddy.io import select_time

    options: Any = {**asked.data.reader_options(), "valid_kelvin": valid_kelvin}
    return select_time(stored.open(**options), asked.time, asked.data.time_tolerance)


def _write_archive(
    made: Iterable[tuple[str, xr.DataArray]], storms: int, asked: Asked, verb: str, decided_by: Mapping[str, object]
) -> None:
    from tempogan_eddy.io.archive import save_archive
    from tempogan_eddy.io.files.urls import shown

    frames: dict[str, int] = {}
    with storm_progress(verb, storms) as advance:

        def advanced(name: str, done: int, total: int) -> None:
            frames[name] = total
            advance(name, done, total)

        save_archive(
            ((name, da, _fingerprint(da, asked, decided_by)) for name, da in made),
            asked.output, fingerprint=_fingerprint(None, asked, decided_by), history=history(),
            precision=asked.precision, overwrite=asked.overwrite, dask=asked.dask, on_frame=advanced,
        )  # fmt: skip
    print(f"{shown(asked.output)}: {count(sum(frames.values()), 'frame')} of {count(len(frames), 'storm')}")


def _write(made: xr.DataArray | xr.Dataset, asked: Asked, verb: str, decided_by: Mapping[str, object]) -> None:
    """Save a sequence, or a summary, with a progress bar; an output without suffix takes the format of the input."""
    import xarray as xr

    from tempogan_eddy.io import save_sequence
    from tempogan_eddy.io.files.urls import shown
    from tempogan_eddy.io.summary import save_summary

    with frame_progress(verb, made.sizes["time"]) as advance:
        options: dict[str, Any] = {
            "format": asked.format, "history": history(), "overwrite": asked.overwrite, "on_frame": advance,
            "fingerprint": _fingerprint(made, asked, decided_by), "dask": asked.dask,
        }  # fmt: skip
        if isinstance(made, xr.Dataset):
            save_summary(made, asked.output, **options)
        else:
            save_sequence(made, asked.output, precision=asked.precision, **options)
    members = f"{count(made.sizes['member'], 'member')} of " if "member" in made.sizes else ""
    frames = f"{count(made.sizes['time'], 'frame')} of {made.sizes['y']}x{made.sizes['x']}"
    print(f"{shown(asked.output)}: {members}{frames}")


def _fingerprint(made: xr.DataArray | xr.Dataset | None, asked: Asked, decided_by: Mapping[str, object]) -> str:
    """Return the fingerprint of a sequence: of the files it is made from, its times, and what else decides its values.

    Whether frames that cannot be read are missing is no part of it: with ``unreadable=gap`` a command goes on where it
    failed without.
    """
    from tempogan_eddy import __version__
    from tempogan_eddy.fingerprint import fingerprint_of
    from tempogan_eddy.io.frames import source_paths

    files = set() if made is None else source_paths(made)
    times = [] if made is None else made["time"].values.astype("datetime64[ns]").astype(int).tolist()
    data = asked.data.model_dump(exclude={"unreadable"})
    return fingerprint_of(
        files, {"version": __version__, "times": times, "options": asked.given, "data": data, **decided_by}
    )
