"""Decide what may be overwritten: earlier outputs of the same kind by this package, others only if the user says so."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from tempogan_eddy import __version__
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.netcdf_lock import NETCDF_LOCK
from tempogan_eddy.io.files.objects import check_prefix
from tempogan_eddy.io.files.urls import local, url_of

__all__ = [
    "FINGERPRINT",
    "MAKER",
    "MARK",
    "Kind",
    "attributes_are_ours",
    "begins_with",
    "check_place",
    "hdf5_is_ours",
    "is_mark",
    "mark",
    "mark_attributes",
    "owns",
    "refuse_to_replace_input",
]

MAKER = "TempoGAN-Eddy"

MARK = "tempogan_eddy_output"
"""The attribute of NetCDF files, Zarr groups and HDF5 frames that holds our mark."""

BEGINNING = 1 << 20  # bytes

FINGERPRINT = "tempogan_eddy_fingerprint"
"""Attribute of an output: the fingerprint of the input, the model and the options that it was made from."""

# The last line of the history of files of releases without the attribute.
EARLIER = re.compile(r"\S+Z (written by )?tempogan-eddy\b")


@dataclass(frozen=True)
class Kind:
    """One kind of output: a file, or a folder if `alike` is given."""

    name: str  # in messages, with its article
    recognise: Callable[
        [Path], bool
    ]  # whether this package wrote a file or folder as such; may raise anything for "no"
    alike: Callable[[Path], bool] | None = None  # whether a folder is of the same format, whoever wrote it
    by_url: bool = False  # whether it can be written to an object store

    @classmethod
    def of_frames(cls, name: str, suffix: str, recognise: Callable[[Path], bool]) -> Kind:
        """Return the kind of a folder that holds frames alone, each a file with a suffix that `recognise` tests."""
        return cls(
            name,
            lambda folder: all(map(recognise, folder.iterdir())),
            lambda folder: all(entry.is_file() and entry.suffix.lower() == suffix for entry in folder.iterdir()),
        )


def mark(kind: str) -> str:
    """Return the text that an output carries inside, such as ``TempoGAN-Eddy figure 0.1.0``."""
    return f"{MAKER} {kind} {__version__}"


def is_mark(text: str | bytes | None, kind: str) -> bool:
    """Return whether a text is the mark of a kind, by any release."""
    return _text(text or "").startswith(f"{MAKER} {kind} ")


def mark_attributes(kind: str, history: str) -> dict[str, str]:
    """Return the attribute that marks a file with this history.

    Tools that change a file add a line to its history; the mark then no longer fits, and the file is the user's.
    """
    return {MARK: f"{mark(kind)}, history {_digest(history)}"}


def attributes_are_ours(attrs: Mapping[Any, Any], kind: str) -> bool:
    """Return whether attributes of a file hold the mark of a kind, or are those of a sequence of an earlier release."""
    history = _text(attrs.get("history", ""))
    found = _text(attrs.get(MARK, ""))
    if found:
        return is_mark(found, kind) and found.endswith(f", history {_digest(history)}")
    return kind == "sequence" and EARLIER.match(history.rstrip().rpartition("\n")[2]) is not None


def begins_with(path: Path, text: str) -> bool:
    """Return whether a text stands in the first bytes of a file, which may be damaged further on."""
    with path.open("rb") as file:
        return text.encode() in file.read(BEGINNING)


def hdf5_is_ours(path: Path, kind: str) -> bool:
    """Return whether a NetCDF-4 or HDF5 file holds the mark of a kind."""
    with NETCDF_LOCK, h5py.File(path, "r") as file:
        return attributes_are_ours(dict(file.attrs), kind)


def _digest(history: str) -> str:
    return hashlib.sha256(history.encode()).hexdigest()[:12]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def owns(path: Path, kind: Kind) -> bool:
    """Return whether this package wrote a file or folder as this kind of output."""
    # To open a pipe would wait for ever.
    return (path.is_file() if kind.alike is None else path.is_dir()) and _holds(kind.recognise, path)


def _holds(test: Callable[[Path], bool], path: Path) -> bool:
    try:
        return test(path)
    except Exception:  # whatever a reader says about a file that is not ours
        return False


def check_place(path: Path, kind: Kind, *, overwrite: bool = False, sources: Iterable[Path] = ()) -> None:
    """Refuse a place that cannot be written to or holds anything but an earlier output of the same kind.

    Ask before a long computation; `written_aside` asks again before it renames. A symbolic link stays, and the output
    takes the place of its target.

    Parameters
    ----------
    path, kind
        The place and the kind of the output.
    overwrite
        Allow any file, and any folder of the same format, to be replaced, but none of the ``sources``.
    sources
        The files and folders that are read.

    Raises
    ------
    InputError
        The place is refused; the message says why and what to do.
    """
    if url := url_of(path):
        if not kind.by_url:
            raise InputError(f"{url} cannot be written as {kind.name}; only Zarr (.zarr) is written to a URL.")
        check_prefix(url, [other for source in sources if (other := url_of(source))], overwrite=overwrite)
        return
    try:
        path = local(path)
        place = Path(os.path.realpath(path))
        _check_parent(path, place)
        refuse_to_replace_input(path, sources)
        is_empty = kind.alike is not None and place.is_dir() and not any(place.iterdir())
        if os.path.lexists(place) and not is_empty and not owns(place, kind):
            _check_type(path, place, kind)
            if not overwrite:
                raise InputError(
                    f"{path} exists and was not written by {MAKER} as {kind.name}; "
                    "name another place, or replace it with --overwrite (in Python: overwrite=True)."
                )
            if any(Path(os.path.realpath(source)) in place.parents for source in sources):
                raise InputError(f"{path} is part of the input that is read; write to another place.")
            if kind.alike is not None and not _holds(kind.alike, place):
                raise InputError(
                    f"{path} is a folder that holds more than {kind.name}, which --overwrite does not remove; "
                    "name another place."
                )
        # A rename would replace a file without write permission all the same.
        if place.is_file() and not (os.access(place, os.W_OK) and place.stat().st_mode & 0o222):
            raise InputError(f"{path} is write-protected; name another place, or make it writable.")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}); choose another place.") from error


def refuse_to_replace_input(path: Path, sources: Iterable[Path]) -> None:
    """Refuse a place that is, or holds, something that is read."""
    place = Path(os.path.realpath(path))
    for source in (Path(os.path.realpath(source)) for source in sources):
        if place == source or place in source.parents:
            raise InputError(f"{path} is where the input is read from; write to another place.")


def _check_parent(path: Path, place: Path) -> None:
    nearest = next(folder for folder in place.parents if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        why = "may not be written to" if nearest.is_dir() else "is a file, not a folder"
        raise InputError(f"{path} cannot be written: {nearest} {why}; write to another place.")


def _check_type(path: Path, place: Path, kind: Kind) -> None:
    """Refuse a place that no option makes replaceable: devices, links in a loop, a folder for a file or the reverse."""
    if kind.alike is None and place.is_dir():
        raise InputError(f"{path} is a folder; name a file.")
    if kind.alike is not None and place.is_file():
        raise InputError(f"{path} exists and is a file, but {kind.name} is a folder; name another place.")
    if not place.is_dir() and not place.is_file():
        raise InputError(f"{path} is neither a file nor a folder; name another place.")
