"""Writing sequences: one frame at a time, aside, then renamed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.arrays import adapt
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.cf_write import write_cf
from tempogan_eddy.io.coverage import covered
from tempogan_eddy.io.digital_typhoon_write import check_basin, write_digital_typhoon
from tempogan_eddy.io.frames import source_paths
from tempogan_eddy.io.history import with_line
from tempogan_eddy.io.kinds import SEQUENCES
from tempogan_eddy.io.ownership import check_place
from tempogan_eddy.io.png import write_png
from tempogan_eddy.io.precision import Precision, precision_of
from tempogan_eddy.io.quality import EVERYTHING
from tempogan_eddy.io.sequence import DIMS, as_sequence
from tempogan_eddy.io.sources import FORMATS, NETCDF_SUFFIXES, recognise

__all__ = ["check_output", "save_sequence"]


def save_sequence(
    da: Any,
    path: str | Path,
    *,
    format: str | None = None,
    history: str | None = None,
    precision: str = "rounded",
    overwrite: bool = False,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Write a sequence, computing and holding one of its chunks along time, one frame as a rule, at a time.

    The output is written beside its place under a hidden name and renamed when whole: a failure or Ctrl-C
    leaves nothing, and an older output stays until then. Missing parent folders are made. Where two frames have
    the same time, NetCDF and Zarr count the frames along ``frame``, since CF has times increase along ``time``.

    Parameters
    ----------
    da : DataArray (time, y, x)
        A sequence; other arrays are taken as `reconstruct` takes them, if they say when they were seen.
    path : str or Path
        ``*.nc`` (CF NetCDF), ``*.zarr`` (Zarr v3), a folder of 16-bit PNG frames, or the folder of a Digital
        Typhoon basin, to which the sequence is added under its ``attrs["sequence"]``.
    format : {"netcdf", "zarr", "png", "digital-typhoon"}, optional
        The suffix's, else, for an output without suffix, that of the folder that the sequence is read from.
    history : str, optional
        What made this sequence; appended with the date to the file's history.
    precision : {"rounded", "packed", "exact"}, default "rounded"
        ``rounded``: to multiples of 2**-10 K, an error of at most 0.0005 K, so that values compress.
        ``packed``: 16 bits in steps of 0.01 K, an error of at most 0.005 K.
        ``exact``: every bit of float32. The file's attribute ``value_rounding`` says which. LR consistency
        holds to the same error. The choice is for NetCDF and Zarr: PNG frames always have steps of 0.005 K, and
        Digital Typhoon frames every bit.
    overwrite : bool, default False
        Replace what this package did not write too: any file, and a folder of the same format. The input is
        never replaced.
    on_frame : callable, optional
        Called with the number of frames written so far, for a progress bar.

    Raises
    ------
    InputError
        If the format is not known, the sequence still reads what would be replaced, something else than such
        an output is in the way, the format cannot hold these values, or the place cannot be written.
    """
    path = Path(path)
    da = _sequence(da)
    format = check_output(da, path, format, precision=precision, overwrite=overwrite)
    da = as_sequence(da, valid_kelvin=EVERYTHING)
    da.attrs = covered(da) | {"history": with_line(da.attrs, history or "written by tempogan-eddy")}
    on_frame = on_frame or (lambda done: None)
    if format == "digital-typhoon":
        write_digital_typhoon(da, path, on_frame, overwrite=overwrite)
        return
    with written_aside(path, SEQUENCES[format], overwrite=overwrite) as partial:
        if format == "png":
            write_png(da, partial, on_frame)
        else:
            write_cf(da, partial, format, precision_of(precision), on_frame)


def _sequence(held: Any) -> xr.DataArray:
    """Return what people hold, as `adapt` takes it, as a sequence with times."""
    if isinstance(held, xr.DataArray) and set(held.dims) == set(DIMS):
        return held
    adapted = adapt(held)
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
) -> str:
    """Return the format in which a sequence, or one made from it, would be written to a place.

    Raises
    ------
    InputError
        As `save_sequence`: before a long computation rather than after.
    """
    sources = {Path(os.path.realpath(source)) for source in source_paths(da)}
    format = _format(path, format, sources)
    _check_precision(precision_of(precision), format)
    if sources & set(Path(os.path.realpath(path)).parents):
        raise InputError(f"{path} lies in what the input is read from; write to another place.")
    if format == "digital-typhoon":
        check_basin(da, path, overwrite, sources)
    else:
        check_place(path, SEQUENCES[format], overwrite=overwrite, sources=sources)
    return format


def _check_precision(precision: Precision, format: str) -> None:
    fixed = {"png": ("packed", "exact"), "digital-typhoon": ("packed",)}
    if precision.name in fixed.get(format, ()):
        raise InputError(f"The format {format} holds no {precision.name} values; write NetCDF or Zarr.")


def _format(path: Path, format: str | None, sources: set[Path]) -> str:
    if format is not None and format not in FORMATS:
        raise InputError(f"Unknown format {format!r}; use one of {', '.join(FORMATS)}.")
    suffix = path.suffix.lower()
    found = format or ("netcdf" if suffix in NETCDF_SUFFIXES else "zarr" if suffix == ".zarr" else None)
    if found is None and not suffix:  # a folder, like the input
        found = next((recognise(source) for source in sources if source.is_dir()), None)
    if found is None:
        raise InputError(f"{path} does not tell its format; end it with .nc or .zarr, or give {', '.join(FORMATS)}.")
    return found
