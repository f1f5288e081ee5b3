"""Write the summary of an ensemble: several variables on the grid of one sequence, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import require_space, written_aside
from tempogan_eddy.io.cf_dataset import NETCDF_FILTERS, to_dataset
from tempogan_eddy.io.coverage import covered
from tempogan_eddy.io.history import with_line
from tempogan_eddy.io.pipeline import write_frames
from tempogan_eddy.io.precision import precision_of
from tempogan_eddy.io.save import check_output
from tempogan_eddy.io.sequence import NAME
from tempogan_eddy.io.zarr_seal import begin_group, every_chunk, seal
from tempogan_eddy.registry import FORMATS

__all__ = ["check_summary_output", "save_summary"]

FORMATS_OF_SUMMARY = ("netcdf", "zarr")


def check_summary_output(
    sequence: xr.DataArray, path: Path, format: str | None = None, *, overwrite: bool = False
) -> str:
    """Return the format in which a summary of a sequence would be written, as `check_output` does."""
    known = check_output(sequence, path, format, precision="exact", overwrite=overwrite)
    if known not in FORMATS_OF_SUMMARY:
        raise InputError(f"The format {known} holds no summary; write NetCDF or Zarr.")
    return known


def save_summary(
    summary: xr.Dataset,
    path: str | Path,
    *,
    format: str | None = None,
    history: str | None = None,
    overwrite: bool = False,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Write a summary of an ensemble as NetCDF or Zarr, computing and holding one frame at a time.

    `open_sequence` reads the mean of the members from the file, xarray the other variables too. Values are float32.

    Parameters
    ----------
    summary : Dataset
        From `reconstruct` with ``summary=True``.
    path, format, history, overwrite, on_frame
        As for `save_sequence`.

    Raises
    ------
    InputError
        As `save_sequence`, or the Dataset has no variable ``brightness_temperature``.
    """
    path = Path(path)
    if NAME not in summary:
        raise InputError(f"The Dataset has no variable {NAME}; give what reconstruct returns with summary=True.")
    mean = summary[NAME]
    of_file = covered(mean.assign_attrs(summary.attrs)) | {
        "history": with_line(summary.attrs, history or "written by tempogan-eddy")
    }
    known = check_summary_output(mean, path, format, overwrite=overwrite)
    plain = {key: value for key, value in mean.attrs.items() if key != "cell_methods"}  # set for each variable below
    template, encoding = to_dataset(mean.assign_attrs({**of_file, **plain}), precision_of("exact"))
    variable, stored = template[NAME], encoding.pop(NAME)
    names = [str(name) for name in summary.data_vars]
    shared = {key: variable.attrs[key] for key in ("grid_mapping",) if key in variable.attrs}
    for name in names:
        template[name] = (variable.dims, variable.data, {**summary[name].attrs, **shared})
        encoding[name] = dict(stored)
    together = summary.to_dataarray("layer").transpose("layer", "time", "y", "x")
    together.attrs = dict(summary.attrs)
    with written_aside(path, FORMATS[known].owns, overwrite=overwrite) as partial:
        (_write_netcdf if known == "netcdf" else _write_zarr)(
            template, encoding, names, partial, together, on_frame or (lambda done: None)
        )


def _write_netcdf(
    template: xr.Dataset,
    encoding: dict[str, dict[str, Any]],
    names: list[str],
    path: Path,
    together: xr.DataArray,
    on_frame: Callable[[int], None],
) -> None:
    for name in names:
        encoding[name] |= {**NETCDF_FILTERS, "chunksizes": encoding[name].pop("chunks")}
    frames = template[NAME].dims[0]
    template.to_netcdf(path, compute=False, unlimited_dims=[frames], encoding=encoding, engine="netcdf4")
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)

        def append(number: int, frame: np.ndarray) -> None:
            require_space(path, frame.nbytes)
            with NETCDF4_PYTHON_LOCK:  # another thread reads the next frame
                for name, layer in zip(names, frame, strict=True):
                    file[name][number] = layer

        write_frames(together, append, on_frame)


def _write_zarr(
    template: xr.Dataset,
    encoding: dict[str, dict[str, Any]],
    names: list[str],
    path: Path,
    together: xr.DataArray,
    on_frame: Callable[[int], None],
) -> None:
    begin_group(template, path, encoding)
    group: dict[str, Any] = every_chunk(path)

    def append(number: int, frame: np.ndarray) -> None:
        for name, layer in zip(names, frame, strict=True):
            group[name][number] = layer

    write_frames(together, append, on_frame)
    seal(path)
