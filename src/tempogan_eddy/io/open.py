"""Open sequences, whatever their format."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar, Unpack

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.finding import Paths, search
from tempogan_eddy.io.format import StoredSequence
from tempogan_eddy.io.messages import about
from tempogan_eddy.io.reading import ReaderOptions
from tempogan_eddy.io.variables.choice import NoSequenceError
from tempogan_eddy.io.variables.selection import require_selection
from tempogan_eddy.wording import count, listed

__all__ = ["choose", "find_sequences", "open_found", "open_one", "open_sequence", "open_sequences", "openers"]

log = logging.getLogger(__name__)

Found = TypeVar("Found")

FEW = 20  # sequences that are opened to see whether they are any


def open_sequence(
    path: Paths, *, storm: str | None = None, format: str | None = None, **options: Unpack[ReaderOptions]
) -> xr.DataArray:
    """Open one sequence of brightness temperature, whatever its format.

    Parameters
    ----------
    path : str, Path or sequence of such
        A NetCDF or HDF5 file, a Zarr store, a folder of PNG or Digital Typhoon frames, a folder of these, a pattern
        such as ``merg_2019*.nc4``, or several of these. Files that continue each other (same variable, grid and
        sensor, other times) are one sequence.
    storm : str, optional
        Name of the sequence, if the path holds several; a single file also answers to its attribute ``sequence``.
    format : str, optional
        One of ``FORMATS``: open nothing else.
    variable : str, optional
        The variable of a NetCDF file or Zarr store; by default found by the CF conventions.
    select : mapping, optional
        Choices along dimensions beside time and the grid, such as ``{"band": 13, "member": 2}``: values of the
        coordinate of this name, else numbers from 0.
    grey_kelvin : tuple of float, default (170, 320)
        Kelvin of black and of white in PNGs that do not record them.
    cadence : str, default "1h"
        Time between PNG frames whose names hold no time, such as ``1h`` or ``30min``.
    valid_kelvin : tuple of float, default (160, 330)
        Values below the first or from the second on are missing; the log says how many.
    unreadable : {"error", "gap"}, default "error"
        What cannot be read is an error; or one file of many is left out, and a frame within a file is missing as a
        whole, each with a warning.
    time_from : {"auto", "attributes", "name"}, default "auto"
        Source of a single frame's time: its time variable, else its attributes, else the file's name; or one of the
        last two alone.

    Returns
    -------
    DataArray (time, y, x)
        Lazy float32 kelvin, NaN where missing, one dask chunk a frame.

    Raises
    ------
    InputError
        The path is missing or unreadable, or holds nothing known, or several sequences and `storm` is not given.
    """
    sequence = open_one(path, storm, find_sequences(path, format, **options), options)
    require_selection([sequence], options.get("select", {}))
    return sequence


def open_one(
    path: Paths, storm: str | None, found: Mapping[str, StoredSequence], options: ReaderOptions
) -> xr.DataArray:
    """Open one of the sequences found at a path, as `open_sequence`; ignore choices that it does not have."""
    if storm is None and len(found) > 1:
        opened = _opened(dict(islice(found.items(), FEW)), path, options)
        if len(found) <= FEW:
            if len(opened) == 1:
                return _result(*opened.values())
            found = {name: found[name] for name in opened}
    if len(found) == 1 and storm not in found:
        (stored,) = found.values()
        alone = stored.open(**options)
        if storm in {None, alone.attrs["sequence"]}:
            return alone
    return choose(found, storm, path).open(**options)


def openers(
    found: Mapping[str, StoredSequence], path: Paths, options: ReaderOptions
) -> dict[str, Callable[[], xr.DataArray]]:
    """Return functions that open the sequences found at a path; a few sequences are opened at once, to see if they are.

    Of these leave out those that are no sequences with a warning. Raise InputError if none is one.
    """
    unopened: dict[str, Callable[[], xr.DataArray]] = {
        name: partial(stored.open, **options) for name, stored in found.items()
    }
    if not 1 < len(found) <= FEW:
        return unopened
    # One that cannot be read is read again when asked for: it may be whole by then.
    return {
        name: unopened[name] if isinstance(result, InputError) else partial(_result, result)
        for name, result in _opened(found, path, options).items()
    }


def _opened(
    found: Mapping[str, StoredSequence], path: Paths, options: ReaderOptions, *, strict: bool = False
) -> dict[str, xr.DataArray | InputError]:
    """Return the sequences found at a path by name, or unless `strict` their errors.

    Of several leave out those without brightness temperature with a warning. Raise InputError if none has any.
    """
    opened: dict[str, xr.DataArray | InputError] = {}
    reasons: list[NoSequenceError] = []
    for name, stored in found.items():
        try:
            opened[name] = stored.open(**options)
        except NoSequenceError as error:
            if len(found) == 1:
                raise
            reasons.append(error)
            about(log, name, str(error).replace(str(stored.path), "")).warning("left out: %s", error)
        except InputError as error:
            if strict:
                raise
            opened[name] = error
    if not opened:
        nothing = f"{_shown(path)} holds no sequence of brightness temperature in {listed(found, 4)}"
        raise InputError(f"{nothing}; of the first: {reasons[0]}")
    return opened


def _result(result: xr.DataArray | InputError) -> xr.DataArray:
    if isinstance(result, InputError):
        raise result
    return result


def open_sequences(
    path: Paths, *, format: str | None = None, **options: Unpack[ReaderOptions]
) -> dict[str, xr.DataArray]:
    """Open every sequence that paths hold, by name.

    The name of a sequence is its folder, file stem (without the time, if files were joined) or Zarr group; if two names
    are the same, the whole relative path joined with ``_``. Skip hidden files and folders. Leave out a NetCDF file
    without brightness temperature beside others with a warning.

    Parameters
    ----------
    path, format, **options
        As for :func:`open_sequence`.

    Returns
    -------
    dict of DataArray
        Sequences in the order of their paths.

    Raises
    ------
    InputError
        The path is missing, holds no sequence, or one cannot be opened.
    """
    sequences = open_found(find_sequences(path, format, **options), path, **options)
    require_selection(sequences.values(), options.get("select", {}))
    return sequences


def open_found(
    found: Mapping[str, StoredSequence], path: Paths, **options: Unpack[ReaderOptions]
) -> dict[str, xr.DataArray]:
    """Open the sequences found at a path, as `open_sequences`; ignore choices that none of them has."""
    return {name: _result(result) for name, result in _opened(found, path, options, strict=True).items()}


def find_sequences(
    paths: Paths, format: str | None = None, **options: Unpack[ReaderOptions]
) -> dict[str, StoredSequence]:
    """Return the unopened sequences that paths hold, by name; the options are those of :func:`open_sequence`.

    Raise InputError as `search` does, and if one of many files cannot be read.
    """
    found = search(paths, format, **options)
    for stored in found.values():
        if stored.fault and len(found) > 1:
            raise InputError(stored.fault)
    return found


def choose(found: Mapping[str, Found], name: str | None, path: Paths) -> Found:
    """Return the sequence of this name, or the only one, among those found at a path; raise InputError otherwise."""
    if name is None and len(found) > 1:
        raise InputError(
            f"{_shown(path)} holds {count(len(found), 'sequence')}: {listed(found)}; choose one with --storm "
            "(in Python: storm=)."
        )
    if name is not None and name not in found:
        raise InputError(f"{_shown(path)} holds no sequence {name!r}; it holds {listed(found)}.")
    return found[name or next(iter(found))]


def _shown(path: Paths) -> str:
    return str(path) if isinstance(path, str | Path) else listed(path, 3)
