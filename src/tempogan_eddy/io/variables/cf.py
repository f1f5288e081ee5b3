"""Open a variable of NetCDF, HDF5 or Zarr as a sequence, by the CF conventions."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.io.attributes import STORED, merge
from tempogan_eddy.io.frames import lazy_sequence
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.times.source import with_source
from tempogan_eddy.io.values.quality import EVERYTHING
from tempogan_eddy.io.variables.channel import channel_of
from tempogan_eddy.io.variables.companions import log_left_out, place_coordinates
from tempogan_eddy.io.variables.container import stem_of
from tempogan_eddy.io.variables.image import Image, find_image
from tempogan_eddy.io.variables.selection import SELECTION

__all__ = ["attributes_of", "coordinates_of", "open_cf"]


def open_cf(path: Path, reading: Reading | None = None, group: str | None = None) -> xr.DataArray:
    """Open the brightness temperature of a NetCDF or HDF5 file, a Zarr store, or one group of it.

    A Zarr store may be a zip archive. Without `group`, search the root and then the groups of a NetCDF-4 file. The
    frames are in the order of time. Pixels outside the valid range, equal to a fill value, or flagged as bad are
    missing. Coordinates, grid mapping and attributes are those of file and variable.

    Raises
    ------
    NoSequenceError
        No variable fits, or its frames have no times.
    InputError
        The file cannot be read, several variables fit, or the one that fits has too many dimensions.
    """
    reading = reading or Reading()
    image = find_image(path, reading, group)
    stacks = image.stacks(reading.valid_kelvin)
    attrs = attributes_of(image)
    named = image.group.rsplit("/", 1)[-1] if image.group and path.is_dir() else stem_of(path)
    attrs["sequence"] = str(attrs.get("sequence", named))
    lazy = lazy_sequence(
        stacks if image.members else stacks[0], coordinates_of(image), attrs, unreadable=reading.unreadable
    )
    return with_source(as_sequence(lazy, valid_kelvin=EVERYTHING), image.time_source)


def attributes_of(image: Image) -> dict[str, Any]:
    """Return the attributes of the file and of its image, without those of storage."""
    stored = image.stored
    attrs = merge(image.dataset.attrs, stored.attrs)
    if image.selection:
        attrs[SELECTION] = ", ".join(filter(None, [str(attrs.get(SELECTION, "")), image.selection]))
    if grid_mapping := stored.encoding.get("grid_mapping"):
        attrs["grid_mapping"] = grid_mapping
    attrs = {key: value for key, value in attrs.items() if key not in STORED} | {"units": "K"}
    if channel_of(image.name).kind and not channel_of("", attrs).kind:
        attrs.setdefault("original_name", image.name)  # names the channel
    return attrs


def coordinates_of(image: Image) -> dict[str, xr.Variable]:
    """Return the decoded coordinates on (time, y, x), frames in the order of time."""
    names = image.layout.names
    held = place_coordinates(image.dataset, image.stored, image.path, kept=set(names), time=image.time)
    log_left_out(image.dataset, {*held, image.time}, image.path)
    coords = {"time": xr.Variable("time", image.times[image.order])}
    for name, variable in held.items():
        renamed = xr.Variable([names[dim] for dim in variable.dims], variable.values, variable.attrs)
        renamed = _of_all_frames(renamed.isel(time=image.order)) if "time" in renamed.dims else renamed
        # The name of a dimension is not free for a coordinate on others too: y(y, x).
        clashes = name == "time" or (name in ("y", "x") and renamed.dims != (name,))
        coords["member" if name == image.layout.member else f"{name}_coordinate" if clashes else name] = renamed
    return coords


def _of_all_frames(variable: xr.Variable) -> xr.Variable:
    """Return numbers on the grid and along time (WRF's XLAT) without time, if they are the same in all frames."""
    if not {"y", "x"} & set(variable.dims) or variable.dtype.kind not in "iuf":
        return variable
    first = variable.isel(time=0)
    frames = (variable.isel(time=number).values for number in range(1, variable.sizes["time"]))
    return first if all(np.array_equal(frame, first.values, equal_nan=True) for frame in frames) else variable
