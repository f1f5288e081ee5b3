"""Update attributes for a finer or coarser grid: its resolution, its size, the identity of the product."""

import logging
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tempogan_eddy.io.messages import about

__all__ = ["rescaled"]

log = logging.getLogger(__name__)

RESOLUTION = re.compile(
    r"res(olution)?|.*resolution.*|.*pixel_?(size|spacing|scale|width|height).*|.*(grid|cell)_?(size|spacing|interval|step)"
    r"|.*ground_?sampl(e|ing)_?distance|gsd|d[xy]|(delta|step|d)_?(lat|lon)(itude|gitude)?"
    r"|(lat|lon)(itude|gitude)?_?(step|delta|spacing|interval)|.*directionincrement\w*|.*d[xy]inmetres",
    re.IGNORECASE,
)
NOT_OF_THE_GRID = re.compile(
    r"super_resolution.*|.*(time|tempor|spectr|radiom|vertical|bit|wave|thermal).*resol.*|.*resol.*(time|tempor|units?).*",
    re.IGNORECASE,
)
OF_AXIS = r"(pixels?|lines?|rows?|col(umn)?s?|lats?|lons?|latitudes?|longitudes?|x|y)"
COUNT = re.compile(
    rf"(number_?of_?|n_?|num_?|grib_n){OF_AXIS}|{OF_AXIS}_?(number|count|size|dim)|pixels|lines|rows|columns",
    re.IGNORECASE,
)
OF_OLD_CELLS = re.compile(
    r"(geo_?)?transform|affine\w*|[cl](fac|off)|(upper|lower|top|bottom)_?(left|right)\w*|(first|last)_?(lat(itude)?|lon(gitude)?|[xy])|geospatial_bounds.*"
    r"|_satpy_id|grib_(latitude|longitude)of\w+|grib_numberof(data)?points|chunk_?sizes?"
    r"|[lu][lr]_?(lat|lon|corner|[xy])\w*|[xy]ll(corner|center)|((image|grid|array)_?)?(shape|dimensions?)|(image|grid|array)_?size",
    re.IGNORECASE,
)
# Of the numbers along a coordinate: GrADS's minimum, maximum and grads_size, its steps and its ends.
OF_AXIS_ALONE = re.compile(
    r"min(imum)?|max(imum)?|start|stop|end|first|last|increment|spacing|step|interval|delta|grads_(?!dim).*",
    re.IGNORECASE,
)
IDENTITY = re.compile(
    r"id|uuid|naming_authority|product_version|processing_level|dataset_name|(identifier_)?(product_)?doi(_authority)?"
    r"|date_(created|modified|issued|metadata_modified)|creation_(date|time)|production_?(date_?)?time|tracking_id"
    r"|(local)?granule_?id|granule_?name|file_?(name|size)|input_?pointer|file_?header|md5\w*|sha\d+\w*|checksum",
    re.IGNORECASE,
)
SOURCE = "source_"

NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
UNIT = (
    r"k(?:ilo)?m(?:et(?:er|re)s?)?|met(?:er|re)s?|m|[\u00b5\u03bcu]?rad(?:ians?)?|microrad(?:ians?)?"
    r"|arc[ _-]?(?:sec|min)\w*|deg(?:ree)?s?(?:_\w+)?|nmi?|nautical miles?"
)
WITH_UNIT = rf"[\s-]*(?:\u00b0|(?:{UNIT})(?![a-z]))"
LENGTH = re.compile(
    rf"(?<![\d./_a-wyz])({NUMBER})(?=(?:\s*(?:x|\u00d7|by|,|and)\s*(?:{NUMBER}))?{WITH_UNIT})", re.IGNORECASE
)
BARE = re.compile(rf"\s*(?:{NUMBER})(?:[\s,;x\u00d7]+(?:{NUMBER}))*\s*", re.IGNORECASE)


def rescaled(attrs: Mapping[Any, Any], factor: float, *, of_axis: bool = False) -> dict[str, Any]:
    """Return the attributes of a sequence, spatial coordinate (`of_axis`) or grid mapping for a finer grid.

    It is ``factor`` times finer, or coarser if this is below 1. Change resolutions (numbers, or text with a number and
    a unit, such as ``2km at nadir``) and counts of pixels. Remove ambiguous ones and places of the old cells (GDAL's
    ``GeoTransform``). Rename identifiers of the original product (`id`, `date_created`, ...) to ``source_id``, ... .
    The log names the removed and the renamed ones.
    """
    changed: dict[str, Any] = {}
    removed, renamed, storm = [], [], attrs.get("sequence", "")
    for key, value in attrs.items():
        prefix, name = re.fullmatch(r"((?:file:|variable:)?)(.*)", str(key), re.DOTALL).groups()  # type: ignore[union-attr]
        if IDENTITY.fullmatch(name):
            changed.setdefault(prefix + SOURCE + name, value)
            renamed.append(SOURCE + name)
        elif (of_axis and OF_AXIS_ALONE.fullmatch(name)) or (new := _value(name, value, factor)) is None:
            removed.append(name)
        else:
            changed[str(key)] = new
    if removed:
        about(log, storm).info("Not true of the new grid, left out: %s", ", ".join(removed))
    if renamed:
        about(log, storm).info("What identifies the original product is kept as %s", ", ".join(renamed))
    return changed


def _value(name: str, value: Any, factor: float) -> Any:
    """Return the new value of an attribute, None if it is unknown."""
    if NOT_OF_THE_GRID.fullmatch(name):
        return value
    if OF_OLD_CELLS.fullmatch(name) or (name == "area" and "Area ID" in str(value)):  # satpy's description
        return None
    if RESOLUTION.fullmatch(name):
        return _resolution(value, factor)
    if COUNT.fullmatch(name) and not isinstance(value, str):
        counts = np.asarray(value)
        return np.floor(counts * factor + 1e-6).astype(int).tolist() if counts.dtype.kind in "iuf" else None
    return value


def _resolution(value: Any, factor: float) -> Any:
    """Return the resolution of the new grid from that of the old one, None if its numbers are ambiguous."""
    if isinstance(value, str):
        if BARE.fullmatch(value):
            return re.sub(NUMBER, lambda found: _text(found[0], factor), value)
        new = LENGTH.sub(lambda found: "\0" + _text(found[1], factor) + "\0", value)
        rest = re.sub("\0[^\0]*\0", "", new)
        return new.replace("\0", "") if "\0" in new and not re.search(r"\d", rest) else None
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "iuf":
        return None
    digits = [float(f"{number:.7g}") for number in np.ravel(numbers.astype(np.float64) / factor)]
    return digits if numbers.ndim else digits[0]


def _text(number: str, factor: float) -> str:
    new = float(f"{float(number) / factor:.7g}")
    return f"{new:g}" if "e" in number.lower() else np.format_float_positional(new, trim="-")
