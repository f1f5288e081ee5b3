"""Kelvins of counts by a table in the same file: ISCCP B1 and DX, GMS VISSR."""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.grids.axes import role_of
from tempogan_eddy.io.values.units import kelvin_conversion, text_of
from tempogan_eddy.io.values.validity import Decoding
from tempogan_eddy.io.variables.channel import OTHER, channel_of
from tempogan_eddy.wording import listed

__all__ = ["kelvins_by_count", "look_up", "with_tables"]

SIZES = (256, 1024, 4096, 65536)  # counts of 8, 10, 12 and 16 bits
KELVIN = (100.0, 400.0)  # the first counts of a window channel are of 110 K, the last of a shortwave one of 400 K
ENDING = re.compile(r"[A-Z]*\d+$")  # 12, IR1
UNMARKED = 3  # fill values that no attribute of a table marks, such as -1000


def kelvins_by_count(dataset: xr.Dataset, image: str, path: Path) -> tuple[str, np.ndarray] | None:
    """Return the name and the values of the table of the counts in a stored variable, NaN where missing, or None.

    It is the table that an attribute of the counts names, else the only one: as many kelvins as counts, along no
    dimension of the image, not named after another image, and not for visible light; of several, the one that is named
    after this image, as CALChannel12 is after NOMChannel12. Raise InputError if several fit.
    """
    counts = dataset[image]
    packed = {"scale_factor", "add_offset"} & set(counts.attrs)
    if (
        counts.dtype.kind not in "iu"
        or packed
        or "flag_meanings" in counts.attrs
        or kelvin_conversion(counts.attrs.get("units", ""))
    ):
        return None
    found = {str(name): kelvins for name in dataset.variables if (kelvins := _kelvins(dataset, name)) is not None}
    texts = [text_of(value) for value in counts.attrs.values() if isinstance(value, str | bytes)]
    words = {word for text in texts for word in text.split()}
    others = [str(name) for name, da in dataset.data_vars.items() if da.ndim > 1 and name not in (image, *found)]
    tables = [name for name in found if name in words] or [
        name
        for name in found
        if not set(dataset[name].dims) & set(counts.dims)
        and not role_of(name, dataset[name].attrs)
        and (_is_of(name, image) or not any(_is_of(name, other) for other in others))
        and channel_of(image, counts.attrs).kind not in (OTHER, "visible")
    ]
    tables = [name for name in tables if len(tables) > 1 and _is_of(name, image)] or tables
    if len(tables) > 1:
        raise InputError(
            f"{path}: {listed(tables)} could each be the table of the counts in {image}; name it in an attribute: "
            f"ncatted -a calibration_table,{image},o,c,{tables[0]} {path.name}"
        )
    return (tables[0], found[tables[0]]) if tables else None


def with_tables(groups: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Return the groups of a file, each with the tables of the others (Calibration of FengYun-4B)."""
    tables = {
        name: xr.Variable(f"{name}_count", group.variables[name].values.ravel(), group.variables[name].attrs)
        for group in groups.values()
        for name in group.variables
        if len(groups) > 1 and _kelvins(group, name) is not None
    }
    shared = {}
    for part, group in groups.items():
        shared[part] = group.assign({name: table for name, table in tables.items() if name not in group.variables})
        shared[part].set_close(group.close)
    return shared


def look_up(counts: np.ndarray, kelvins: np.ndarray) -> np.ndarray:
    """Return the kelvins of decoded counts, NaN for those that are missing or beyond the table."""
    if counts.dtype == np.int8:  # the byte of classic NetCDF, which has no unsigned one
        counts = counts.view(np.uint8)
    known = np.isfinite(counts) & (counts >= 0) & (counts < len(kelvins))
    return np.where(known, kelvins[np.where(known, counts, 0).astype(np.intp)], np.nan)


def _is_of(table: str, image: str) -> bool:
    """Return whether a table is named after an image: with its name in it, or with the same number at the end."""
    ends = [found[0] for name in (table, image) if (found := ENDING.search(name))]
    return image in table or (len(ends) == 2 and ends[0] == ends[1])


def _kelvins(dataset: xr.Dataset, name: Hashable) -> np.ndarray | None:
    """Return the values of a variable if they can be a table of kelvins: most of them, but for a few fill values.

    Fill values that nothing marks stay, for counts of them to be reported as pixels outside the valid kelvins.
    """
    variable = dataset.variables[name]
    in_line = variable.size in SIZES and max(variable.shape) == variable.size
    if not in_line or variable.dtype.kind not in "iuf":
        return None
    variable.load()  # small, and wanted again for each image and by the frames
    values = np.asarray(Decoding.of(variable.attrs, variable.dtype, str(name))(variable.values.ravel()), np.float64)
    valid = values[np.isfinite(values)]
    in_kelvin = (valid >= KELVIN[0]) & (valid <= KELVIN[1])
    fills = np.unique(valid[~in_kelvin]).size
    is_table = np.unique(valid[in_kelvin]).size > 2 and fills <= UNMARKED and 2 * in_kelvin.sum() > valid.size
    return values if is_table else None
