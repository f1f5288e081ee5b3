"""Find the sequences in files, folders and patterns of names, and the files that make one sequence."""

import glob
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Unpack

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import restored
from tempogan_eddy.io.files.file_kind import file_kind
from tempogan_eddy.io.files.foreign import foreign_format
from tempogan_eddy.io.files.urls import fetch
from tempogan_eddy.io.files.walk import Seen, entries, refuse_special, walk
from tempogan_eddy.io.format import Format, StoredSequence, named_like_data, recognise
from tempogan_eddy.io.joining.grouping import joined
from tempogan_eddy.io.reading import ReaderOptions, Reading
from tempogan_eddy.io.variables.container import stem_of
from tempogan_eddy.missing import missing
from tempogan_eddy.registry import FORMATS
from tempogan_eddy.wording import listed

__all__ = ["Paths", "Refused", "expand", "search"]

log = logging.getLogger(__name__)

PACKED_SUFFIXES = {".gz", ".bz2", ".xz", ".zst", ".z"}

FOREIGN_FILES = 50  # in a folder, that are looked into to say what it holds

Paths = str | Path | Sequence[str | Path]
"""A file, a folder, a pattern such as ``merg_2019*.nc4``, a URL of such, or several of these."""

Refused = list[tuple[Path, InputError]]
"""Files and folders that cannot be searched, and why."""


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


def search(
    paths: Paths, format: str | None = None, refused: Refused | None = None, **options: Unpack[ReaderOptions]
) -> dict[str, StoredSequence]:
    """Return the unopened sequences that paths hold, by name.

    Walk folders, and read headers to see which files continue each other. A sequence whose `fault` says that it cannot
    be read is one of many; opening it raises the error. The options are those of `open_sequence`.

    Raises
    ------
    InputError
        A path is missing, holds nothing known (in `format`, if given), or two sequences have one name. If `refused` is
        given, errors other than a missing path are added to it, and the search goes on.
    """
    reading = Reading(**options)
    wanted = None if format is None else FORMATS[format]
    roots = expand(paths)
    for root in roots:
        if root.is_dir() and not any(root.iterdir()):
            _refuse(root, InputError(f"{root} is an empty folder; it should hold a sequence of frames."), refused)
    tops = [(root, () if len(roots) == 1 else (root.name,)) for root in roots]
    seen = Seen()
    found = [stored for root, parts in tops for stored in _walk(root, parts, seen, refused)]
    found = [stored for stored in found if wanted in (None, stored.format)]
    if not found and not refused:
        _refuse(roots[0], InputError(_nothing(roots, wanted)), refused)
    together = len(roots) > 1 and all(root.is_file() for root in roots)
    return _named(list(joined(found, roots, reading, together=together)), unique=refused is None)


def _refuse(path: Path, error: InputError, refused: Refused | None) -> None:
    if refused is None:
        raise error
    refused.append((path, error))


def _walk(path: Path, parts: tuple[str, ...], seen: Seen, refused: Refused | None) -> Iterator[StoredSequence]:
    """Yield the sequences at and below a path; ``parts`` are the names on the way to it."""
    if not seen.first_time(path):
        return
    try:
        known = recognise(path)
        here = list(_at(path, known, parts or (path.resolve().name,))) if known else []
        # Never look into a store.
        inside = [] if path.is_file() or (known and not known.frame_suffix) else entries(path)
    except InputError as error:
        _refuse(path, error, refused)
        return
    yield from here
    for entry in inside:
        suffix = entry.suffix.lower()
        if entry.name.startswith("."):
            continue
        if suffix in PACKED_SUFFIXES and named_like_data(entry.stem):
            log.warning("left out: %s", foreign_format(entry) or f"{entry} is packed; unpack it first")
        is_frame = known is not None and suffix == known.frame_suffix
        if entry.is_dir() or (named_like_data(entry.name) and not is_frame) or _is_data(entry):
            yield from _walk(entry, (*parts, entry.name), seen, refused)


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


def _named(sequences: list[StoredSequence], *, unique: bool) -> dict[str, StoredSequence]:
    """Return sequences by name; of two with one name the second has its path, or if names must be unique, refuse it."""
    uses = Counter(stored.parts[-1] for stored in sequences)
    found: dict[str, StoredSequence] = {}
    for stored in sequences:
        name = stored.parts[-1] if uses[stored.parts[-1]] == 1 else "_".join(stored.parts)
        if name in found and stored.headers and found[name].headers:
            name = f"{name}_{sum(key.startswith(name) for key in found) + 1}"
        if name in found and not unique:
            name = str(stored.path)
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
