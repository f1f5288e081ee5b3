"""Finding sequences: what files, folders and patterns of names hold, and which files make one sequence."""

from __future__ import annotations

import glob
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.cf import stem_of
from tempogan_eddy.io.choice import NoSequenceError
from tempogan_eddy.io.container import ZARR_MARKS, is_zipped_zarr, zarr_groups
from tempogan_eddy.io.digital_typhoon import FILE_NAME
from tempogan_eddy.io.foreign import foreign_format
from tempogan_eddy.io.headers import Header, HeaderReader
from tempogan_eddy.io.join import adjoining, continuing, name_pattern
from tempogan_eddy.io.stamps import time_in_name
from tempogan_eddy.io.walk import Seen, entries, refuse_special

__all__ = ["FORMATS", "NETCDF_SUFFIXES", "Paths", "Source", "expand", "find_sources", "is_netcdf", "recognise"]

log = logging.getLogger(__name__)

FORMATS = ("digital-typhoon", "png", "netcdf", "zarr")
NETCDF_SUFFIXES = {".nc", ".nc4", ".nc3", ".cdf", ".netcdf"}
READ_SUFFIXES = {*NETCDF_SUFFIXES, ".h5", ".he5", ".hdf5"}
NETCDF_MAGIC = (b"CDF", b"\x89HDF")
PACKED_SUFFIXES = {".gz", ".bz2", ".xz", ".zst", ".z"}

Paths = str | Path | Sequence[str | Path]
"""A file, a folder, a pattern such as ``merg_2019*.nc4``, or several of these."""


@dataclass(frozen=True)
class Source:
    """One sequence on disk: files that continue each other, a folder of frames, or a group of a Zarr store.

    Parameters
    ----------
    path : Path
        The file or folder; of several files the first.
    format : str
        One of `FORMATS`.
    parts : tuple of str
        Names that lead to it.
    group : str, optional
        Of a Zarr store.
    files : tuple of Path
        The frames of a folder, where not all of it was named.
    headers : tuple of Header
        Of several NetCDF files, in the order of their times.
    fault : str
        Why a file of many cannot be read.
    """

    path: Path
    format: str
    parts: tuple[str, ...] = field(compare=False)
    group: str | None = None
    files: tuple[Path, ...] = ()
    headers: tuple[Header, ...] = ()
    fault: str = ""


def expand(paths: Paths) -> list[Path]:
    """Return the files and folders that the user named, patterns resolved.

    Raises
    ------
    InputError
        One does not exist, matches nothing, or is no file or folder.
    """
    found: list[Path] = []
    for name in [paths] if isinstance(paths, str | Path) else list(paths):
        path = Path(name)
        if path.exists() or path.is_symlink():
            refuse_special(path)
            found.append(path)
        elif glob.has_magic(str(name)):
            matching = sorted(glob.glob(str(name), recursive=True))  # noqa: PTH207 - absolute or not, as it comes
            if not matching:
                raise InputError(f"{name} matches no file; check the pattern.")
            found += map(Path, matching)
        else:
            raise InputError(f"{path} does not exist.")
    if not found:
        raise InputError("No input is named; give a file, a folder or a pattern such as 'merg_2019*.nc4'.")
    return list(dict.fromkeys(found))


def is_netcdf(path: Path) -> bool:
    """Whether a file begins like NetCDF or HDF5, whatever its name."""
    with path.open("rb") as file:
        return file.read(8).startswith(NETCDF_MAGIC)


def recognise(path: Path) -> str | None:
    """Return the format of the sequence that a file or folder itself is, or None."""
    if path.is_file():
        if path.suffix.lower() == ".h5" and FILE_NAME.fullmatch(path.name):
            return "digital-typhoon"
        if path.suffix.lower() == ".png":
            return "png"
        if is_zipped_zarr(path):
            return "zarr"
        return "netcdf" if path.suffix.lower() in READ_SUFFIXES or is_netcdf(path) else None
    if any((path / mark).exists() for mark in ZARR_MARKS):
        return "zarr"
    names = [entry.name for entry in entries(path) if not entry.name.startswith(".")]
    suffixes = {Path(name).suffix.lower() for name in names}
    if any(FILE_NAME.fullmatch(name) for name in names):
        return "digital-typhoon"
    # Pictures beside sequences of another format illustrate them.
    return "png" if ".png" in suffixes and not suffixes & {*READ_SUFFIXES, ".zarr"} else None


def find_sources(
    paths: Paths,
    format: str | None = None,
    *,
    variable: str | None = None,
    time_from: str = "auto",
    unreadable: str = "error",
) -> dict[str, Source]:
    """Return what paths hold, by name.

    Folders are walked. Of several NetCDF files alike, times, grid and sensor are read to see which continue each other.

    Parameters
    ----------
    paths : Paths
        What the user named.
    format : str, optional
        One of `FORMATS`: look for nothing else.
    variable, time_from, unreadable
        As for `open_sequence`.

    Raises
    ------
    InputError
        A path is missing, holds nothing known, or two sequences have one name.
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"Unknown format {format!r}; use one of {', '.join(FORMATS)}.")
    roots = expand(paths)
    for root in roots:
        if root.is_dir() and not any(root.iterdir()):
            raise InputError(f"{root} is an empty folder; it should hold a sequence of frames.")
    seen = Seen()
    found = [source for root in roots for source in _walk(root, () if len(roots) == 1 else (root.name,), seen)]
    found = [source for source in found if format in (None, source.format)]
    if not found:
        raise InputError(_nothing(roots, format))
    together = len(roots) > 1 and all(root.is_file() for root in roots)
    reader = HeaderReader(variable, time_from)
    return _named(list(_grouped(found, roots, reader, together=together, unreadable=unreadable)))


def _walk(path: Path, parts: tuple[str, ...], seen: Seen) -> Iterator[Source]:
    """Yield the sources at and below a path; ``parts`` are the names that lead to it."""
    if not seen.first_time(path):
        return
    known = recognise(path)
    own = parts or (path.resolve().name,)
    stem = (*own[:-1], stem_of(path))
    if known == "zarr":
        for group in zarr_groups(path):
            yield Source(path, known, (*stem, *filter(None, group.split("/"))), group or None)
        return
    if path.is_file():
        if known == "png" or (known == "digital-typhoon" and parts):
            yield Source(path.parent, known, (*own[:-1], path.resolve().parent.name), files=(path,))
        elif known:
            yield Source(path, known, stem)
        return
    if known:
        yield Source(path, known, own)
    for entry in entries(path):
        name, suffix = entry.name, entry.suffix.lower()
        if name.startswith("."):
            continue
        if suffix in PACKED_SUFFIXES and Path(entry.stem).suffix.lower() in READ_SUFFIXES:
            log.warning("left out: %s", foreign_format(entry) or f"{entry} is packed; unpack it first")
        is_frame = known == "digital-typhoon" and suffix == ".h5"
        if entry.is_dir() or is_zipped_zarr(entry) or (suffix in READ_SUFFIXES and not is_frame):
            yield from _walk(entry, (*parts, name), seen)


def _grouped(
    sources: list[Source], roots: list[Path], reader: HeaderReader, *, together: bool, unreadable: str
) -> Iterator[Source]:
    """Yield the sources, those joined that continue each other."""
    top = roots[0] if len(roots) == 1 and roots[0].is_dir() else None
    alike: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        if source.format == "netcdf":
            folder = "" if together or top else source.path.parent
            key = f"{folder} {name_pattern(source.path, None if together else top)}"
        else:  # frames that were named one by one are the sequence of their folder
            key = f"{source.path} {source.group}"
        alike.setdefault((source.format, key), []).append(source)
    related = together and sum(format == "netcdf" for format, _ in alike) > 1
    compared = []
    for (format, _), members in alike.items():
        if format == "netcdf" and (len(members) > 1 or related):
            compared.append(members)
        elif len(members) > 1 and all(member.files for member in members):
            files = tuple(file for member in members for file in member.files)
            yield Source(members[0].path, format, members[0].parts, files=files)
        else:
            yield from members
    yield from _continued(compared, reader, together, unreadable)


def _continued(patterns: list[list[Source]], reader: HeaderReader, together: bool, unreadable: str) -> list[Source]:
    """Return one source for the files of each group that continue each other, and one for each that does not."""
    found: list[Source] = []
    groups: list[list[Header]] = []
    by_path = {member.path: member for members in patterns for member in members}
    for members in patterns:
        stamped = all(_has_stamp(member.path) for member in members)
        headers, refused = _headers(members, reader, leave_out=(stamped or together) and unreadable == "gap")
        # Opened, each says what is wrong; where all files of an archive have one fault, one of them is enough.
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
        found.append(Source(first.path, first.format, (*first.parts[:-1], name), headers=tuple(group)))
    return sorted(found, key=lambda source: source.path)


def _headers(members: list[Source], reader: HeaderReader, *, leave_out: bool) -> tuple[list[Header], list[Source]]:
    """Return the headers of files, and the sources of those that cannot be read, unless they are left out."""
    headers: list[Header] = []
    refused: list[Source] = []
    for member in members:
        try:
            headers.append(reader(member.path))
        except InputError as error:
            if leave_out:
                log.warning("left out as a gap: %s", error)
            elif isinstance(error, NoSequenceError):
                refused.append(member)  # beside others it is no fault
            else:
                refused.append(replace(member, fault=f"{error} --set data.unreadable=gap leaves such files out."))
    return headers, refused


def _has_stamp(path: Path) -> bool:
    try:
        return time_in_name(path.name, date_is_enough=True) is not None
    except InputError:
        return False


def _common_name(path: Path) -> str:
    """Return the name of joined files: that of one without its time, or the folder's where nothing is left."""
    plain = Path(name_pattern(Path(path.name))).stem.replace("#", "").strip("-_. ")
    while plain.lower().endswith((".nc4", ".nc")):
        plain = plain.rsplit(".", 1)[0]
    plain = re.sub(r"[-_.]{2,}", lambda found: found[0][0], plain)
    return plain or path.resolve().parent.name


def _named(sources: list[Source]) -> dict[str, Source]:
    uses = Counter(source.parts[-1] for source in sources)
    found: dict[str, Source] = {}
    for source in sources:
        name = source.parts[-1] if uses[source.parts[-1]] == 1 else "_".join(source.parts)
        if name in found and source.headers and found[name].headers:
            name = f"{name}_{sum(key.startswith(name) for key in found) + 1}"
        if name in found:
            both = f"{found[name].path} and {source.path}"
            raise InputError(f"{both} are both the sequence {name!r}; rename one or choose a format.")
        found[name] = source
    return found


def _nothing(roots: list[Path], format: str | None) -> str:
    files = [root for root in roots if root.is_file()]
    foreign = next((known for known in map(foreign_format, files) if known), None) if format is None else None
    if foreign:
        return str(foreign)
    listed = ", ".join(map(str, roots[:3])) + (" and more" if len(roots) > 3 else "")
    return f"{listed} holds no sequence of frames in {format or 'NetCDF, Zarr, PNG or Digital Typhoon HDF5'}."
