"""Writing sequences: one frame at a time, aside, then renamed."""

import os
from collections.abc import Callable
from pathlib import Path

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.cf_write import write_cf
from tempogan_eddy.io.digital_typhoon_write import write_digital_typhoon
from tempogan_eddy.io.frames import source_paths
from tempogan_eddy.io.history import with_line
from tempogan_eddy.io.png import write_png
from tempogan_eddy.io.quality import EVERYTHING
from tempogan_eddy.io.sequence import NAME, as_sequence
from tempogan_eddy.io.sources import FORMATS, NETCDF_SUFFIXES, is_netcdf, recognise

__all__ = ["check_output", "save_sequence"]


def save_sequence(
    da: xr.DataArray,
    path: str | Path,
    *,
    format: str | None = None,
    history: str | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Write a sequence, computing and holding one of its chunks along time, one frame as a rule, at a time.

    The output is written beside its place under a hidden name and renamed when whole: a failure or Ctrl-C
    leaves nothing, and an older output stays until then. Missing parent folders are made.

    Parameters
    ----------
    da : DataArray (time, y, x)
        A sequence.
    path : str or Path
        ``*.nc`` (CF NetCDF), ``*.zarr`` (Zarr v3), a folder of 16-bit PNG frames, or the folder of a Digital
        Typhoon basin, to which the sequence is added under its ``attrs["sequence"]``.
    format : {"netcdf", "zarr", "png", "digital-typhoon"}, optional
        The suffix's, else, for an output without suffix, that of the folder that the sequence is read from.
    history : str, optional
        What made this sequence; appended with the date to the file's history.
    on_frame : callable, optional
        Called with the number of frames written so far, for a progress bar.

    Raises
    ------
    InputError
        If the format is not known, the sequence still reads what would be replaced, something else than such
        an output is in the way, or the format cannot hold these values.
    """
    path = Path(path)
    format = check_output(da, path, format)
    da = as_sequence(da, valid_kelvin=EVERYTHING)
    da = da.assign_attrs(history=with_line(da.attrs, history or "written by tempogan-eddy"))
    on_frame = on_frame or (lambda done: None)
    if format == "digital-typhoon":
        write_digital_typhoon(da, path, on_frame)
        return
    with written_aside(path) as partial:
        if format == "png":
            write_png(da, partial, on_frame)
        else:
            write_cf(da, partial, format, on_frame)


def check_output(da: xr.DataArray, path: Path, format: str | None = None) -> str:
    """Return the format in which a sequence, or one made from it, would be written to a place.

    Raises
    ------
    InputError
        As `save_sequence`: before a long computation rather than after.
    """
    sources = {source.resolve() for source in source_paths(da)}
    format = _format(path, format, sources)
    _check_place(path, format, sources)
    return format


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


def _check_place(path: Path, format: str, sources: set[Path]) -> None:
    """Refuse to replace what the sequence is read from, or anything that is no such output."""
    place = path.resolve()
    folders = [place, *place.parents] if format == "digital-typhoon" else place.parents  # into the basin, or beside
    nearest = next(folder for folder in folders if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        why = "may not be written to" if nearest.is_dir() else "is a file, not a folder"
        raise InputError(f"{path} cannot be written: {nearest} {why}; write to another place.")
    if any(place == source or place in source.parents for source in sources) or sources & set(place.parents):
        raise InputError(f"{path} is where the sequence is read from; write to another place.")
    if not path.exists():
        return
    if format == "digital-typhoon":
        ours = path.is_dir() and (not any(path.iterdir()) or (path / "image").is_dir())
    elif format == "png":
        ours = path.is_dir() and all(entry.suffix == ".png" for entry in path.iterdir())
    elif format == "zarr":
        ours = path.is_dir() and (not any(path.iterdir()) or (path / NAME).is_dir())
    else:
        ours = path.is_file() and is_netcdf(path)
    if not ours:
        raise InputError(f"{path} exists and is no {format} sequence; remove it or write to another place.")
