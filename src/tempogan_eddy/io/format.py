"""Formats of sequences, and the stored sequences that they open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.ownership import Kind
from tempogan_eddy.io.reading import ReaderOptions, Reading
from tempogan_eddy.io.values.precision import PRECISIONS, Precision
from tempogan_eddy.io.workers import Workers
from tempogan_eddy.io.writing.parts import Job, Parts, write_jobs
from tempogan_eddy.registry import FORMATS

if TYPE_CHECKING:
    from tempogan_eddy.io.joining.headers import Header

__all__ = ["Format", "StoredSequence", "Writing", "in_parts", "named_like_data", "recognise"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Writing:
    """Options of writing a sequence."""

    precision: Precision
    on_frame: Callable[[int], None]  # called with the number of frames written
    overwrite: bool = False  # replace outputs of other programs
    fingerprint: str = ""  # of what the sequence is made from; an unfinished output of the same is continued
    workers: Workers | None = None  # who computes and writes the parts


@dataclass(frozen=True)
class StoredSequence:
    """One sequence on disk: a file or store, files that continue each other, a folder of frames, or a group."""

    path: Path  # of several files the first
    format: Format
    parts: tuple[str, ...] = field(compare=False)  # names on the way to it
    name: str = field(default="", compare=False)  # unique among the sequences found with it
    group: str | None = None  # in a store
    files: tuple[Path, ...] = ()  # frames of a folder, if the user named only some
    headers: tuple[Header, ...] = ()  # of several files, in the order of their times
    fault: str = ""  # why one file of many cannot be read

    def open(self, **options: Unpack[ReaderOptions]) -> xr.DataArray:
        """Open it, with the options of `open_sequence`; raise InputError if it cannot be read."""
        reading = Reading(**options)
        if self.fault:
            raise InputError(self.fault)
        if not self.format.has_variables and (reading.variable is not None or reading.time_from != "auto"):
            log.warning(
                "%s: %s has neither variables nor times of them, so the variable and the source of times (variable, "
                "time_from) change nothing", self.path, self.format.title,
            )  # fmt: skip
        return self.format.open(self, reading)


@dataclass(frozen=True)
class Format:
    """One format of sequences; `FORMATS` of `tempogan_eddy.registry` holds all."""

    name: str  # on the command line
    title: str  # in messages
    # Given a path, return whether the file, store or folder is a sequence of this format. Called for every file of a
    # folder with a suffix of any format, so it tests the name first.
    recognise: Callable[[Path], bool]
    open: Callable[[StoredSequence, Reading], xr.DataArray]  # return the sequence, lazily (`lazy_sequence`)
    # Write a sequence to a path that does not exist yet; the path is moved to the place of the output afterwards.
    # `in_parts` makes it of `begin`.
    write: Callable[[xr.DataArray, Path, Writing], None]
    owns: Kind  # recognises outputs of this package, and knows whether they are folders
    suffixes: tuple[str, ...] = ()  # of files and stores, lower case; they choose the format of an output
    also_reads: tuple[str, ...] = ()  # suffixes of inputs only
    frame_suffix: str = ""  # of the frames, if a sequence is a folder of files with one frame each
    precisions: tuple[str, ...] = tuple(PRECISIONS)  # of kelvins that it can store
    holds_ensembles: bool = False
    has_variables: bool = False  # of which one is chosen by `Reading.variable`
    groups: Callable[[Path], Iterable[str]] | None = None  # given a store, its groups that each hold a sequence
    # Return a function from the path of a file to its `Header`. Files of a format with headers are one sequence if they
    # continue each other.
    header_reader: Callable[[Reading], Callable[[Path], Header]] | None = None
    # For a format that adds to a folder: given sequence, path, overwrite and the paths that are read, refuse an output.
    # `write` then gets the path itself.
    check_place: Callable[[xr.DataArray, Path, bool, Iterable[Path]], None] | None = None
    # For a format whose parts can be written in any order: make the place of a sequence, or find what an earlier run
    # left at the path, and return its parts.
    begin: Callable[[xr.DataArray, Path, Writing], Parts] | None = None
    # Given a path and a fingerprint, return whether an earlier run has written parts of the same output to the path.
    continues: Callable[[Path, str], bool] | None = None

    def __reduce__(self) -> tuple[Callable[[str], Format], tuple[str]]:
        # Its functions cannot all be pickled; another process has it in its own registry.
        return _registered, (self.name,)


def _registered(name: str) -> Format:
    return FORMATS[name]


def in_parts(begin: Callable[[xr.DataArray, Path, Writing], Parts]) -> Callable[[xr.DataArray, Path, Writing], None]:
    """Return `Format.write` for a format that has `begin`."""

    def write(da: xr.DataArray, path: Path, writing: Writing) -> None:
        write_jobs([Job(da, begin(da, path, writing), writing.on_frame)], writing.workers)

    return write


def recognise(path: Path) -> Format | None:
    """Return the format of a file, store or folder of frames, or None."""
    return next((known for known in FORMATS.values() if known.recognise(path)), None)


def named_like_data(name: str) -> bool:
    """Return whether a file or store has the suffix of a format; frames of a folder do not count."""
    return name.lower().endswith(tuple(s for known in FORMATS.values() for s in (*known.suffixes, *known.also_reads)))
