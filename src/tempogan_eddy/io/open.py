"""Opening sequences, whatever their format."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import sources
from tempogan_eddy.io.cf import NoSequenceError, open_cf
from tempogan_eddy.io.digital_typhoon import open_digital_typhoon
from tempogan_eddy.io.join import join_files
from tempogan_eddy.io.png import open_png
from tempogan_eddy.io.quality import VALID_KELVIN
from tempogan_eddy.io.sources import Paths, Source
from tempogan_eddy.io.time_axis import TIME_FROM

__all__ = ["ReaderOptions", "choose", "find_sources", "open_sequence", "open_sequences", "open_source", "search"]

log = logging.getLogger(__name__)

Found = TypeVar("Found")

FEW = 20  # sequences that are opened to see whether they are any


class ReaderOptions(TypedDict, total=False):
    """How files are read; what each means and its default stand at :func:`open_sequence`."""

    variable: str | None
    grey_kelvin: tuple[float, float]
    cadence: str
    valid_kelvin: tuple[float, float]
    unreadable: str
    time_from: str


def open_sequence(
    path: Paths,
    *,
    storm: str | None = None,
    format: str | None = None,
    **options: Unpack[ReaderOptions],
) -> xr.DataArray:
    """Open one sequence of brightness temperature, whatever its format.

    Parameters
    ----------
    path : str, Path or sequence of such
        A NetCDF or HDF5 file, a Zarr store, a folder of PNG or Digital Typhoon frames, a folder that holds such, a
        pattern such as ``merg_2019*.nc4``, or several of these. Files that continue each other (same variable, grid
        and sensor, other times) are one sequence.
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
        Values below the first or from the second on are missing; the log says how many.
    unreadable : {"error", "gap"}, default "error"
        Whether a frame or one file of many that cannot be read is an error, or is left out with a warning.
    time_from : {"auto", "attributes", "name"}, default "auto"
        Where a single frame has its time from: its time variable, else its attributes, else the file's name; or one of
        the last two alone.

    Returns
    -------
    DataArray (time, y, x)
        Lazy float32 kelvin, NaN where missing, one dask chunk a frame.

    Raises
    ------
    InputError
        If the path is missing, unreadable, holds nothing known, or several sequences and none was named.
    """
    found = find_sources(path, format, **options)
    if storm is None and 1 < len(found) <= FEW:
        opened = _with_temperatures(found, options)
        if len(opened) == 1:
            (only,) = opened.values()
            if isinstance(only, InputError):
                raise only
            return only
        found = {name: found[name] for name in opened or found}
    if len(found) == 1 and storm not in found:
        alone = open_source(*found.values(), **options)
        if storm in {None, alone.attrs["sequence"]}:
            return alone
    return open_source(choose(found, storm, path), **options)


def _with_temperatures(found: dict[str, Source], options: ReaderOptions) -> dict[str, xr.DataArray | InputError]:
    """Open what holds brightness temperature, or say why it cannot: a table or a flow beside it is no choice."""
    opened: dict[str, xr.DataArray | InputError] = {}
    for name, source in found.items():
        try:
            opened[name] = open_source(source, **options)
        except NoSequenceError as error:
            log.warning("left out: %s", error)
        except InputError as error:
            opened[name] = error
    return opened


def open_sequences(
    path: Paths,
    *,
    format: str | None = None,
    **options: Unpack[ReaderOptions],
) -> dict[str, xr.DataArray]:
    """Open every sequence that paths hold, by name.

    A sequence is named by its folder, file stem (without the time, where files were joined) or Zarr group, and where
    two names are the same by the whole relative path joined with ``_``. Hidden files and folders are passed over. A
    NetCDF file without brightness temperature beside others is left out with a warning.

    Parameters
    ----------
    path, format, variable, grey_kelvin, cadence, valid_kelvin, unreadable, time_from
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
    found = find_sources(path, format, **options)
    for name, source in found.items():
        try:
            opened[name] = open_source(source, name=name, **options)
        except NoSequenceError as error:
            if len(found) == 1:
                raise
            log.warning("left out: %s", error)
    if not opened:
        raise InputError(f"{_shown(path)} holds no sequence of brightness temperature in {_listed(found)}.")
    return opened


def find_sources(paths: Paths, format: str | None = None, **options: Unpack[ReaderOptions]) -> dict[str, Source]:
    """Return what paths hold, by name, unopened; the options are those of :func:`open_sequence`.

    Raises
    ------
    InputError
        As `sources.find_sources`, or if one of many files that continue each other cannot be read.
    """
    found = search(paths, format, **options)
    for source in found.values():
        if source.fault and len(found) > 1:
            raise InputError(source.fault)
    return found


def search(paths: Paths, format: str | None = None, **options: Unpack[ReaderOptions]) -> dict[str, Source]:
    """Return the same where a file cannot be read; opened, its source says why."""
    return sources.find_sources(
        paths,
        format,
        variable=options.get("variable"),
        time_from=options.get("time_from", "auto"),
        unreadable=options.get("unreadable", "error"),
    )


def choose(found: Mapping[str, Found], name: str | None, path: Paths) -> Found:
    """Return the sequence of this name among those found at a path, or without a name the only one.

    Raises
    ------
    InputError
        If there is none of this name, or there are several and none was named.
    """
    if name is None and len(found) > 1:
        raise InputError(
            f"{_shown(path)} holds {len(found)} sequences ({_listed(found)}); name one (storm, or --storm)."
        )
    if name is not None and name not in found:
        raise InputError(f"{_shown(path)} holds no sequence {name!r}; it holds {_listed(found)}.")
    return found[name or next(iter(found))]


def _shown(path: Paths) -> str:
    if isinstance(path, str | Path):
        return str(path)
    return ", ".join(map(str, path[:3])) + (f" and {len(path) - 3} more" if len(path) > 3 else "")


def _listed(names: Mapping[str, object]) -> str:
    shown = list(names)[:12]
    return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def open_source(
    source: Source,
    *,
    name: str | None = None,
    variable: str | None = None,
    grey_kelvin: tuple[float, float] = (170.0, 320.0),
    cadence: str = "1h",
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    unreadable: str = "error",
    time_from: str = "auto",
) -> xr.DataArray:
    """Open what was found, joined files under a name; the options are those of :func:`open_sequence`."""
    if time_from not in TIME_FROM:
        raise InputError(f"Unknown time_from {time_from!r}; use one of {', '.join(TIME_FROM)}.")
    if source.fault:
        raise InputError(source.fault)
    match source.format:
        case "digital-typhoon":
            return open_digital_typhoon(
                source.path, files=source.files, valid_kelvin=valid_kelvin, unreadable=unreadable
            )
        case "png":
            return open_png(
                source.path,
                files=source.files,
                grey_kelvin=grey_kelvin,
                cadence=cadence,
                valid_kelvin=valid_kelvin,
                unreadable=unreadable,
            )
        case _ if source.headers:
            return join_files(
                list(source.headers),
                name or source.parts[-1],
                variable=variable,
                valid_kelvin=valid_kelvin,
                time_from=time_from,
            )
        case _:
            return open_cf(
                source.path, group=source.group, variable=variable, valid_kelvin=valid_kelvin, time_from=time_from
            )
