"""Write sequences: one frame at a time, aside, then renamed."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.format import Format, Writing, recognise
from tempogan_eddy.io.frames import source_paths
from tempogan_eddy.io.grids.coverage import covered
from tempogan_eddy.io.in_memory.adapting import adapt
from tempogan_eddy.io.member import MEMBER
from tempogan_eddy.io.ownership import check_place
from tempogan_eddy.io.sequence import as_sequence, has_dims
from tempogan_eddy.io.values.precision import precision_of
from tempogan_eddy.io.values.quality import EVERYTHING
from tempogan_eddy.io.workers import Workers
from tempogan_eddy.io.writing.history import with_line
from tempogan_eddy.registry import FORMATS

__all__ = ["check_output", "described", "prepared", "save_sequence"]

FORMATS_OF_SUMMARY = ("netcdf", "zarr")


def save_sequence(
    da: Any,
    path: str | Path,
    *,
    format: str | None = None,
    history: str | None = None,
    precision: str = "rounded",
    overwrite: bool = False,
    on_frame: Callable[[int], None] | None = None,
    fingerprint: str = "",
    dask: Workers | str | None = None,
) -> None:
    """Write a sequence, computing and holding one of its chunks along time, one frame as a rule, at a time.

    Write beside the place under a hidden name and rename when whole: a failure or Ctrl-C leaves nothing, and an
    older output stays until then. Make missing parent folders. If two frames have the same time, NetCDF and Zarr
    count the frames along ``frame``, since CF has times increase along ``time``.

    Parameters
    ----------
    da : DataArray (time, y, x) or (member, time, y, x)
        A sequence or an ensemble; other arrays that `reconstruct` takes, if they have times.
    path : str or Path
        ``*.nc`` (CF NetCDF), ``*.zarr`` (Zarr v3), a folder of 16-bit PNG frames, or the folder of a Digital
        Typhoon basin, to which the sequence is added under its ``attrs["sequence"]``.
    format : {"netcdf", "zarr", "png", "digital-typhoon"}, optional
        The suffix's, else, for an output without suffix, that of the folder that the sequence is read from.
    history : str, optional
        The origin of this sequence; appended with the date to the file's history.
    precision : {"rounded", "packed", "exact"}, default "rounded"
        ``rounded``: to multiples of 2**-10 K, an error of at most 0.0005 K, so that values compress.
        ``packed``: 16 bits in steps of 0.01 K, an error of at most 0.005 K.
        ``exact``: every bit of float32. The file's attribute ``value_rounding`` says which. LR consistency
        holds to the same error. The choice is for NetCDF and Zarr: PNG frames always have steps of 0.005 K, and
        Digital Typhoon frames every bit.
    overwrite : bool, default False
        Replace outputs of other programs too: any file, and a folder of the same format, but never the input.
    on_frame : callable, optional
        Called with the number of frames written so far, for a progress bar.
    fingerprint : str, optional
        Changes with anything that the values depend on. If an earlier call with the same fingerprint was stopped, write
        only the frames that it did not (Zarr and PNG; a NetCDF file starts anew). What is written before a failure or
        Ctrl-C then stays, under a hidden name, to be continued.
    dask : Workers or str, optional
        Who computes and writes the frames of Zarr and PNG: ``threads:N``, ``local:N`` processes, or the address of a
        Dask scheduler; see `Workers`. By default this process, one frame after the other. The values are the same.

    Raises
    ------
    InputError
        The format is unknown or cannot hold these values, the output would replace the input or another program's
        file, or the place cannot be written.
    """
    path = Path(path)
    da = _sequence(da)
    known = FORMATS[check_output(da, path, format, precision=precision, overwrite=overwrite)]
    da = described(da, precision, history)
    writing = Writing(precision_of(precision), on_frame or (lambda done: None), overwrite, fingerprint)
    with prepared(known, path, writing, dask) as (place, writing):
        known.write(da, place, writing)


def described(da: xr.DataArray, precision: str, history: str | None) -> xr.DataArray:
    """Return a sequence to be written: with the times and the extent that it has now, and one more line of history."""
    da = as_sequence(da, valid_kelvin=EVERYTHING, keep_packed=precision == "packed")
    da.attrs = covered(da) | {"history": with_line(da.attrs, history or "written by tempogan-eddy")}
    return da


@contextmanager
def prepared(known: Format, path: Path, writing: Writing, dask: Workers | str | None) -> Iterator[tuple[Path, Writing]]:
    """Yield the place to write to, which becomes the output when the block ends well, and the options with workers."""
    if dask is not None and known.begin is None:
        raise InputError(f"{known.title} is written by one process; leave out --dask (dask), or write Zarr.")
    found = known.continues
    continues = (lambda left: found(left, writing.fingerprint)) if found is not None and writing.fingerprint else None
    with Workers.entered(dask) as workers:
        writing = replace(writing, workers=workers)
        if known.check_place is not None:  # it adds to a folder
            yield path, writing
            return
        with written_aside(path, known.owns, overwrite=writing.overwrite, continues=continues) as place:
            yield place, writing


def _sequence(held: Any) -> xr.DataArray:
    """Return any array that `adapt` takes as a sequence with times."""
    if isinstance(held, xr.DataArray) and has_dims(held):
        return held
    adapted = adapt(held, ensembles=True)
    if not adapted.timed:
        raise InputError("The frames have no time to be written; give them one (da.assign_coords(time=...)).")
    return adapted.sequence


def check_output(
    da: xr.DataArray,
    path: Path,
    format: str | None = None,
    *,
    precision: str = "rounded",
    overwrite: bool = False,
    summary: bool = False,
) -> str:
    """Return the format in which a sequence, or one made from it, or its summary, would be written to a place.

    Raise InputError as `save_sequence` does, but before a long computation.
    """
    inputs = {Path(os.path.realpath(path)) for path in source_paths(da)}
    known = _format(path, format, inputs)
    if precision_of(precision).name not in known.precisions:
        raise InputError(f"The format {known.name} holds no {precision} values; write NetCDF or Zarr.")
    if MEMBER in da.dims and not known.holds_ensembles:
        raise InputError(
            f"The format {known.name} holds one member, not {da.sizes[MEMBER]}; write NetCDF or Zarr, or one member "
            "at a time (da.isel(member=0))."
        )
    if inputs & set(Path(os.path.realpath(path)).parents):
        raise InputError(f"{path} lies in a folder that the input is read from; write to another place.")
    if known.check_place is not None:
        known.check_place(da, path, overwrite, inputs)
    else:
        check_place(path, known.owns, overwrite=overwrite, sources=inputs)
    if summary and known.name not in FORMATS_OF_SUMMARY:
        raise InputError(f"The format {known.name} holds no summary; write NetCDF or Zarr.")
    return known.name


def _format(path: Path, format: str | None, inputs: set[Path]) -> Format:
    if format is not None:
        return FORMATS[format]
    suffix = path.suffix.lower()
    found = next((known for known in FORMATS.values() if suffix in known.suffixes), None)
    if found is None and not suffix:  # a folder, like the input
        found = next((recognise(folder) for folder in inputs if folder.is_dir()), None)
    if found is None:
        raise InputError(f"{path} does not tell its format; end it with .nc or .zarr, or give {', '.join(FORMATS)}.")
    return found
