"""Write the summary of an ensemble: several variables on the grid of one sequence, frame by frame."""

from collections.abc import Callable
from pathlib import Path

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.format import Writing
from tempogan_eddy.io.formats.netcdf import write_netcdf
from tempogan_eddy.io.formats.zarr import begin_zarr
from tempogan_eddy.io.grids.coverage import covered
from tempogan_eddy.io.save import check_output, prepared
from tempogan_eddy.io.sequence import NAME
from tempogan_eddy.io.values.precision import precision_of
from tempogan_eddy.io.workers import Workers
from tempogan_eddy.io.writing.cf_dataset import Template, template_of
from tempogan_eddy.io.writing.history import with_line
from tempogan_eddy.io.writing.parts import Job, write_jobs
from tempogan_eddy.registry import FORMATS

__all__ = ["save_summary"]


def save_summary(
    summary: xr.Dataset,
    path: str | Path,
    *,
    format: str | None = None,
    history: str | None = None,
    overwrite: bool = False,
    on_frame: Callable[[int], None] | None = None,
    fingerprint: str = "",
    dask: Workers | str | None = None,
) -> None:
    """Write a summary of an ensemble as NetCDF or Zarr, computing and holding one frame at a time.

    `open_sequence` reads the mean of the members from the file, xarray the other variables too. Values are float32.

    Parameters
    ----------
    summary : Dataset
        From `reconstruct` with ``summary=True``.
    path, format, history, overwrite, on_frame, fingerprint, dask
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
    known = check_output(mean, path, format, precision="exact", overwrite=overwrite, summary=True)
    plain = {key: value for key, value in mean.attrs.items() if key != "cell_methods"}  # set for each variable below
    of_mean = template_of(mean.assign_attrs({**of_file, **plain}), precision_of("exact"))
    dataset, encoding = of_mean.dataset, of_mean.encoding
    variable, stored = dataset[NAME], encoding.pop(NAME)
    names = tuple(map(str, summary.data_vars))
    shared = {key: variable.attrs[key] for key in ("grid_mapping",) if key in variable.attrs}
    for name in names:
        dataset[name] = (variable.dims, variable.data, {**summary[name].attrs, **shared})
        encoding[name] = dict(stored)
    together = summary.to_dataarray("layer").transpose("layer", "time", "y", "x")
    together.attrs = dict(summary.attrs)
    template = Template(dataset, encoding, together, names)
    writing = Writing(precision_of("exact"), on_frame or (lambda done: None), overwrite, fingerprint)
    with prepared(FORMATS[known], path, writing, dask) as (place, writing):
        if known == "netcdf":
            write_netcdf(template, place, writing)
        else:
            write_jobs([Job(together, begin_zarr(template, place, writing), writing.on_frame)], writing.workers)
