"""Finding sequences: what a path holds, and which reader opens it."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.cf import NoSequenceError, open_cf, zarr_groups
from tempogan_eddy.io.digital_typhoon import FILE_NAME, open_digital_typhoon
from tempogan_eddy.io.png import open_png
from tempogan_eddy.io.quality import VALID_KELVIN

__all__ = ["FORMATS", "open_sequence", "open_sequences", "recognise"]

log = logging.getLogger(__name__)

FORMATS = ("digital-typhoon", "png", "netcdf", "zarr")
NETCDF_SUFFIXES = {".nc", ".nc4", ".cdf", ".netcdf"}
NETCDF_MAGIC = (b"CDF", b"\x89HDF")
ZARR_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")

Found = TypeVar("Found")


@dataclass(frozen=True)
class Source:
    """One sequence on disk: a file, a folder of frames, or a group of a Zarr store."""

    path: Path
    format: str
    parts: tuple[str, ...] = field(compare=False)
    group: str | None = None


class ReaderOptions(TypedDict, total=False):
    """How files are read; what each means and its default stand at :func:`open_sequence`."""

    variable: str | None
    grey_kelvin: tuple[float, float]
    cadence: str
    valid_kelvin: tuple[float, float]
    unreadable: str


def open_sequence(
    path: str | Path,
    *,
    storm: str | None = None,
    format: str | None = None,
    **options: Unpack[ReaderOptions],
) -> xr.DataArray:
    """Open one sequence of brightness temperature, whatever its format.

    Parameters
    ----------
    path : str or Path
        A NetCDF file, a Zarr store, a folder of PNG or Digital Typhoon frames, or a folder that holds such.
    storm : str, optional
        Which sequence, where the path holds several; a single file may be called by what it says of itself
        (its attribute ``sequence``) too.
    format : str, optional
        One of ``FORMATS``: open nothing else.
    variable : str, optional
        The variable of a NetCDF file or Zarr store; found by the CF conventions otherwise.
    grey_kelvin : tuple of float, default (170, 320)
        Kelvin of a PNG's black and of its white, where the PNG does not record them.
    cadence : str, default "1h"
        Time between PNG frames whose names hold no time, as a pandas offset such as ``1h`` or ``30min``.
    valid_kelvin : tuple of float, default (160, 330)
        Values outside these kelvins are missing.
    unreadable : {"error", "gap"}, default "error"
        Whether a Digital Typhoon or PNG frame that cannot be read is an error or is left out with a warning.

    Returns
    -------
    DataArray (time, y, x)
        Lazy float32 kelvin, NaN where missing, one dask chunk a frame.

    Raises
    ------
    InputError
        If the path is missing, unreadable, holds nothing known, or several sequences and none was named.
    """
    found = find_sources(Path(path), format)
    if len(found) == 1 and storm not in found:
        alone = open_source(*found.values(), **options)
        if storm in {None, alone.attrs["sequence"]}:
            return alone
    return open_source(choose(found, storm, path), **options)


def open_sequences(
    path: str | Path,
    *,
    format: str | None = None,
    **options: Unpack[ReaderOptions],
) -> dict[str, xr.DataArray]:
    """Open every sequence that a path holds, by name.

    A sequence is named by its folder, file stem or Zarr group, and where two names are the same by the whole
    relative path joined with ``_``. Hidden files and folders are passed over. A NetCDF file without
    brightness temperature beside others is left out with a warning.

    Parameters
    ----------
    path, format, variable, grey_kelvin, cadence, valid_kelvin, unreadable
        As for :func:`open_sequence`.

    Returns
    -------
    dict of DataArray
        Sequences in the order of their paths.

    Raises
    ------
    InputError
        If the path is missing, nothing in it is a sequence, or one cannot be opened.
    """
    opened: dict[str, xr.DataArray] = {}
    sources = find_sources(Path(path), format)
    for name, source in sources.items():
        try:
            opened[name] = open_source(source, **options)
        except NoSequenceError as error:
            if len(sources) == 1:
                raise
            log.warning("left out: %s", error)
    if not opened:
        raise InputError(f"{path} holds no sequence of brightness temperature in {_listed(sources)}.")
    return opened


def is_netcdf(path: Path) -> bool:
    """Whether a file begins like NetCDF, whatever its name."""
    with path.open("rb") as file:
        return file.read(8).startswith(NETCDF_MAGIC)


def recognise(path: Path) -> str | None:
    """Return the format of the sequence that a file or folder itself is, or None."""
    if path.is_file():
        if path.suffix == ".h5" and FILE_NAME.fullmatch(path.name):
            return "digital-typhoon"
        if path.suffix.lower() in NETCDF_SUFFIXES:
            return "netcdf"
        return "netcdf" if is_netcdf(path) else None
    if any((path / mark).exists() for mark in ZARR_MARKS):
        return "zarr"
    names = [entry.name.lower() for entry in path.iterdir() if not entry.name.startswith(".")]
    suffixes = {Path(name).suffix for name in names}
    if ".h5" in suffixes:
        return "digital-typhoon"
    # Pictures beside sequences of another format illustrate them.
    return "png" if ".png" in suffixes and not suffixes & {*NETCDF_SUFFIXES, ".zarr"} else None


def find_sources(path: Path, format: str | None = None) -> dict[str, Source]:
    """Return what a path holds, by name; nothing but the folders is read."""
    if format is not None and format not in FORMATS:
        raise InputError(f"Unknown format {format!r}; use one of {', '.join(FORMATS)}.")
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if path.is_dir() and not any(path.iterdir()):
        raise InputError(f"{path} is an empty folder; it should hold a sequence of frames.")
    sources = [source for source in _walk(path, ()) if format in (None, source.format)]
    if not sources:
        wanted = format or "NetCDF, Zarr, PNG or Digital Typhoon HDF5"
        raise InputError(f"{path} holds no sequence of frames in {wanted}.")
    uses = Counter(source.parts[-1] for source in sources)
    found: dict[str, Source] = {}
    for source in sources:
        name = _name(source, uses)
        if name in found:
            both = f"{found[name].path} and {source.path}"
            raise InputError(f"{both} are both the sequence {name!r}; rename one or choose a format.")
        found[name] = source
    return found


def choose(found: Mapping[str, Found], name: str | None, path: str | Path) -> Found:
    """Return the sequence of this name among those found at a path, or without a name the only one.

    Raises
    ------
    InputError
        If there is none of this name, or there are several and none was named.
    """
    if name is None and len(found) > 1:
        raise InputError(f"{path} holds {len(found)} sequences ({_listed(found)}); name one (storm, or --storm).")
    if name is not None and name not in found:
        raise InputError(f"{path} holds no sequence {name!r}; it holds {_listed(found)}.")
    return found[name or next(iter(found))]


def _walk(path: Path, parts: tuple[str, ...]) -> Iterator[Source]:
    """Yield the sources at and below a path; ``parts`` are the names that lead to it."""
    known = recognise(path)
    own = parts or (path.resolve().name,)
    stem = (*own[:-1], path.stem)
    if path.is_file():
        if known:
            yield Source(path, known, stem)
        return
    if known == "zarr":
        for group in zarr_groups(path):
            yield Source(path, known, (*stem, *filter(None, group.split("/"))), group or None)
        return
    if known:
        yield Source(path, known, own)
    for entry in sorted(path.iterdir()):
        hidden = entry.name.startswith(".")
        if not hidden and (entry.is_dir() or entry.suffix.lower() in NETCDF_SUFFIXES):
            yield from _walk(entry, (*parts, entry.name))


def _name(source: Source, uses: Counter[str]) -> str:
    return source.parts[-1] if uses[source.parts[-1]] == 1 else "_".join(source.parts)


def _listed(names: Mapping[str, object]) -> str:
    shown = list(names)[:12]
    return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def open_source(
    source: Source,
    *,
    variable: str | None = None,
    grey_kelvin: tuple[float, float] = (170.0, 320.0),
    cadence: str = "1h",
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    unreadable: str = "error",
) -> xr.DataArray:
    """Open what was found; the options are those of :func:`open_sequence`."""
    match source.format:
        case "digital-typhoon":
            return open_digital_typhoon(source.path, valid_kelvin=valid_kelvin, unreadable=unreadable)
        case "png":
            return open_png(
                source.path,
                grey_kelvin=grey_kelvin,
                cadence=cadence,
                valid_kelvin=valid_kelvin,
                unreadable=unreadable,
            )
        case _:
            return open_cf(source.path, group=source.group, variable=variable, valid_kelvin=valid_kelvin)
