"""Find the sequences in files, folders and patterns of names, and the files that make one sequence."""

from __future__ import annotations

import glob
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Unpack

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import restored
from tempogan_eddy.io.choice import NoSequenceError, SeveralError
from tempogan_eddy.io.container import stem_of
from tempogan_eddy.io.file_kind import file_kind
from tempogan_eddy.io.foreign import foreign_format
from tempogan_eddy.io.format import Format, StoredSequence, named_like_data, recognise
from tempogan_eddy.io.headers import Header
from tempogan_eddy.io.join import adjoining, continuing, name_pattern
from tempogan_eddy.io.reading import ReaderOptions, Reading
from tempogan_eddy.io.stamps import time_in_name
from tempogan_eddy.io.urls import fetch
from tempogan_eddy.io.walk import Seen, entries, refuse_special, walk
from tempogan_eddy.missing import missing
from tempogan_eddy.registry import FORMATS
from tempogan_eddy.wording import listed

__all__ = ["Paths", "expand", "search"]

log = logging.getLogger(__name__)

PACKED_SUFFIXES = {".gz", ".bz2", ".xz", ".zst", ".z"}

FOREIGN_FILES = 50  # in a folder, that are looked into to say what it holds

Paths = str | Path | Sequence[str | Path]
"""A file, a folder, a pattern such as ``merg_2019*.nc4``, a URL of such, or several of these."""


def expand(paths: Paths) -> list[Path]:
    """Return the files and folders that the user named, patterns resolved; raise InputError if one is missing."""
    found: list[Path] = []
    named = [paths] if isinstance(paths, str | Path) else list(paths)
    for name in (place for each in named for place in fetch(each)):
        path = Path(name)
        if restored(path) or path.is_symlink():
            refuse_special(path)
            found.append(path)
        elif glob.has_magic(str(name)):
            matching = sorted(glob.glob(str(name), recursive=True))  # noqa: PTH207 - absolute or not, as it comes
            if not matching:
                raise InputError(f"{name} matches no file; check the pattern.")
            found += map(Path, matching)
        else:
            raise missing(path)
    if not found:
        raise InputError("No input is named; give a file, a folder or a pattern such as 'merg_2019*.nc4'.")
    return list(dict.fromkeys(found))


def search(paths: Paths, format: str | None = None, **options: Unpack[ReaderOptions]) -> dict[str, StoredSequence]:
    """Return the unopened sequences that paths hold, by name.

    Walk folders, and read headers to see which files continue each other. A sequence whose `fault` says that it cannot
    be read is one of many; opening it raises the error. The options are those of `open_sequence`.

    Raises
    ------
    InputError
        A path is missing, holds nothing known (in `format`, if given), or two sequences have one name.
    """
    reading = Reading(**options)
    wanted = None if format is None else FORMATS[format]
    roots = expand(paths)
    for root in roots:
        if root.is_dir() and not any(root.iterdir()):
            raise InputError(f"{root} is an empty folder; it should hold a sequence of frames.")
    seen = Seen()
    found = [stored for root in roots for stored in _walk(root, () if len(roots) == 1 else (root.name,), seen)]
    found = [stored for stored in found if wanted in (None, stored.format)]
    if not found:
        raise InputError(_nothing(roots, wanted))
    together = len(roots) > 1 and all(root.is_file() for root in roots)
    return _named(list(_grouped(found, roots, reading, together=together)))


def _walk(path: Path, parts: tuple[str, ...], seen: Seen) -> Iterator[StoredSequence]:
    """Yield the sequences at and below a path; ``parts`` are the names on the way to it."""
    if not seen.first_time(path):
        return
    known = recognise(path)
    if known:
        yield from _at(path, known, parts or (path.resolve().name,))
    if path.is_file() or (known and not known.frame_suffix):  # never look into a store
        return
    for entry in entries(path):
        suffix = entry.suffix.lower()
        if entry.name.startswith("."):
            continue
        if suffix in PACKED_SUFFIXES and named_like_data(entry.stem):
            log.warning("left out: %s", foreign_format(entry) or f"{entry} is packed; unpack it first")
        is_frame = known is not None and suffix == known.frame_suffix
        if entry.is_dir() or (named_like_data(entry.name) and not is_frame) or _is_data(entry):
            yield from _walk(entry, (*parts, entry.name), seen)


def _is_data(path: Path) -> bool:
    """Return whether a file whose suffix tells little (``.hdf``, ``wrfout_d01_2005-08-25_00:00:00``) can be read."""
    suffix = path.suffix.lower()
    if suffix != ".hdf" and re.search("[a-z]", suffix):
        return False
    with suppress(OSError):
        return path.is_file() and file_kind(path) in ("hdf5", "classic", "cdf5")
    return False


def _at(path: Path, known: Format, parts: tuple[str, ...]) -> Iterator[StoredSequence]:
    """Yield the sequences of a file, store or folder itself, without those below it."""
    stem = (*parts[:-1], stem_of(path))
    if known.groups is not None:
        for group in known.groups(path):
            yield StoredSequence(path, known, (*stem, *filter(None, group.split("/"))), group=group or None)
    elif known.frame_suffix and path.is_file():
        yield StoredSequence(path.parent, known, (*parts[:-1], path.resolve().parent.name), files=(path,))
    else:
        yield StoredSequence(path, known, parts if known.frame_suffix else stem)


def _grouped(
    sequences: list[StoredSequence], roots: list[Path], reading: Reading, *, together: bool
) -> Iterator[StoredSequence]:
    """Yield the sequences; join those that continue each other."""
    top = roots[0] if len(roots) == 1 and roots[0].is_dir() else None
    alike: dict[str, dict[str, list[StoredSequence]]] = {}
    for stored in sequences:
        if stored.format.header_reader is not None:
            folder = "" if together or top else stored.path.parent
            key = f"{folder} {name_pattern(stored.path, None if together else top)}"
        else:  # frames named one by one are the sequence of their folder
            key = f"{stored.path} {stored.group}"
        alike.setdefault(stored.format.name, {}).setdefault(key, []).append(stored)
    for by_key in alike.values():
        related = together and len(by_key) > 1
        compared = []
        for members in by_key.values():
            first = members[0]
            if first.format.header_reader is not None and (len(members) > 1 or related):
                compared.append(members)
            elif len(members) > 1 and all(member.files for member in members):
                yield replace(first, files=tuple(file for member in members for file in member.files))
            else:
                yield from members
        if compared:
            yield from _continued(compared, reading, together)


def _continued(patterns: list[list[StoredSequence]], reading: Reading, together: bool) -> list[StoredSequence]:
    """Return one sequence for each group of files that continue each other, and one for each other file."""
    make_reader = patterns[0][0].format.header_reader
    assert make_reader is not None
    header_of = make_reader(reading)
    found: list[StoredSequence] = []
    groups: list[list[Header]] = []
    by_path = {member.path: member for members in patterns for member in members}
    for members in patterns:
        stamped = all(_has_stamp(member.path) for member in members)
        leave_out = (stamped or together) and reading.unreadable == "gap"
        headers, refused = _headers(members, header_of, leave_out=leave_out)
        # Each raises its error when opened; if no file of an archive can be read, one of them is enough.
        found += refused if headers or not stamped else refused[:1]
        groups += continuing(headers, stamped=stamped, together=together)
    groups = adjoining(groups) if together else groups
    names = Counter(_common_name(group[0].path) for group in groups if len(group) > 1)
    for group in groups:
        first = by_path[group[0].path]
        if len(group) == 1:
            found.append(first)
            continue
        name = _common_name(first.path)
        if names[name] > 1:
            name += "_" + np.datetime_as_string(group[0].times[0], unit="D").replace("-", "")
        found.append(replace(first, parts=(*first.parts[:-1], name), headers=tuple(group)))
    return sorted(found, key=lambda stored: stored.path)


def _headers(
    members: list[StoredSequence], header_of: Callable[[Path], Header], *, leave_out: bool
) -> tuple[list[Header], list[StoredSequence]]:
    """Return the headers of files, and the files that cannot be read, unless they are left out."""
    headers: list[Header] = []
    refused: list[StoredSequence] = []
    for member in members:
        try:
            headers.append(header_of(member.path))
        except InputError as error:
            if leave_out:
                log.warning("left out as a gap: %s", error)
            elif isinstance(error, NoSequenceError):
                refused.append(member)  # no fault beside others
            elif isinstance(error, SeveralError):
                refused.append(replace(member, fault=str(error)))
            else:
                refused.append(replace(member, fault=f"{error} --set data.unreadable=gap leaves such files out."))
    return headers, refused


def _has_stamp(path: Path) -> bool:
    try:
        return time_in_name(path.name, date_is_enough=True) is not None
    except InputError:
        return False


def _common_name(path: Path) -> str:
    """Return the name of joined files: the name of one without its time, or else of the folder."""
    plain = Path(name_pattern(Path(path.name))).stem.replace("#", "").strip("-_. ")
    while plain.lower().endswith((".nc4", ".nc")):
        plain = plain.rsplit(".", 1)[0]
    plain = re.sub(r"[-_.]{2,}", lambda found: found[0][0], plain)
    return plain or path.resolve().parent.name


def _named(sequences: list[StoredSequence]) -> dict[str, StoredSequence]:
    uses = Counter(stored.parts[-1] for stored in sequences)
    found: dict[str, StoredSequence] = {}
    for stored in sequences:
        name = stored.parts[-1] if uses[stored.parts[-1]] == 1 else "_".join(stored.parts)
        if name in found and stored.headers and found[name].headers:
            name = f"{name}_{sum(key.startswith(name) for key in found) + 1}"
        if name in found:
            both = f"{found[name].path} and {stored.path}"
            raise InputError(f"{both} are both the sequence {name!r}; rename one or choose a format.")
        found[name] = replace(stored, name=name)
    return found


def _nothing(roots: list[Path], wanted: Format | None) -> str:
    files = islice((path for root in roots for path in (root, *walk(root)) if path.is_file()), FOREIGN_FILES)
    foreign = [] if wanted else [found for path in files if (found := foreign_format(path))]
    if foreign:
        first = next((found for found in foreign if found.is_data), foreign[0])
        return str(first) if first.path in roots else f"{listed(roots, 3)} holds no sequence of frames; {first}"
    *titles, last = [known.title for known in ([wanted] if wanted else FORMATS.values())]
    return f"{listed(roots, 3)} holds no sequence of frames in {', '.join(titles)}{' or ' if titles else ''}{last}."
