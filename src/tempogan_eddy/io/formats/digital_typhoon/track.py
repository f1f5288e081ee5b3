"""Read Digital Typhoon's metadata: the storm in ``metadata.json``, its best track in a CSV."""

import csv
import io
import logging
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.json_text import parse_json, read_bounded

__all__ = ["TRACK", "basin_of", "read_metadata", "read_storm", "read_track"]

log = logging.getLogger(__name__)

TRACK = {
    "center_lat": ("lat", {"long_name": "latitude of the storm centre, positive north", "units": "degrees_north"}),
    "center_lon": ("lng", {"long_name": "longitude of the storm centre, positive east", "units": "degrees_east"}),
    "grade": ("grade", {"long_name": "best-track grade of the storm", "units": "1"}),
    "pressure": ("pressure", {"long_name": "lowest sea-level pressure", "units": "hPa"}),
    "wind": ("wind", {"long_name": "highest sustained wind", "units": "knot"}),
    "mask_percent": ("mask_pct", {"long_name": "share of masked pixels in the original image", "units": "percent"}),
}

UNKNOWN = -1.0
MISSING = {"", "na", "nan", "none", "null", "-"}
"""What stands for a label that is not known, besides ``UNKNOWN``."""

LARGEST_METADATA = 256 << 20


def basin_of(folder: Path) -> Path:
    """Return the basin's folder, which holds the metadata, of a sequence's folder.

    It is two folders up (``<basin>/image/<sequence>``), or one if the sequences lie in the basin's folder itself.
    """
    # Not resolve(): where the frames' folder is a link, the metadata lie beside the link.
    folder = Path(os.path.abspath(folder))  # noqa: PTH100
    held = [above for above in (folder.parent.parent, folder.parent) if _has_metadata(above)]
    return held[0] if held else folder.parent.parent


def _has_metadata(folder: Path) -> bool:
    return (folder / "metadata").is_dir() or (folder / "metadata.json").is_file()


def read_metadata(basin: Path) -> dict[str, Any]:
    """Return the entries of ``metadata.json`` by sequence, none without the file; raise InputError if it is damaged."""
    path = basin / "metadata.json"
    try:
        entries = parse_json(read_bounded(path, LARGEST_METADATA)) if path.is_file() else {}
        if not isinstance(entries, dict):
            raise ValueError("it is not an object")
    except ValueError as error:
        raise InputError(f"{path} is not the dataset's metadata ({error}); repair or remove it.") from error
    return entries


def read_storm(basin: Path, sequence: str) -> dict[str, Any]:
    """Return the entry of a storm in ``metadata.json`` as attributes; empty where there is none."""
    entry = read_metadata(basin).get(sequence, {})
    if not isinstance(entry, dict):
        raise InputError(f"{basin / 'metadata.json'} is not the dataset's metadata; repair or remove it.")
    known = {key: entry.get(key) for key in ("name", "season", "number")}
    return {
        f"storm_{key}": value for key, value in known.items() if value != "" and isinstance(value, str | int | float)
    }


def read_track(basin: Path, sequence: str, names: Sequence[str], times: np.ndarray) -> dict[str, Any]:
    """Return the best track at the frames as coordinates along time; empty if the basin has no table of the sequence.

    Join rows to frames by the file names in the columns ``file_<channel>``, else by hour. A label that is empty or -1
    is NaN. Of positions only a longitude of -1 is unknown, with its latitude: storms pass 1 S, but none of the
    dataset's basins reaches 1 W. Raise InputError if the table is not text in the dataset's columns.
    """
    path = basin / "metadata" / f"{sequence}.csv"
    if not path.is_file():
        return {}
    by_key: dict[object, dict[str, float]] = {}
    try:
        text = read_bounded(path, LARGEST_METADATA).decode("utf-8-sig")
        if ";" in text.partition("\n")[0]:  # spreadsheets write 15;130,5 in countries that write 130,5
            text = text.replace(",", ".").replace(";", ",")
        table = csv.DictReader(io.StringIO(text, newline=""))
        for row in (row for row in table if any(row.values())):
            for key, values in _track_keys(row):
                by_key.setdefault(key, values)
    except (KeyError, ValueError, TypeError, OverflowError, AttributeError, csv.Error) as error:
        why = f"it has no column {error}" if isinstance(error, KeyError) else error
        raise InputError(
            f"{path} is not a best-track table in the dataset's columns ({why}); repair or remove it."
        ) from error
    hours = times.astype("datetime64[h]")
    rows = [by_key.get(name) or by_key.get(hour) or {} for name, hour in zip(names, hours, strict=True)]
    return {
        name: ("time", np.array([row.get(column, math.nan) for row in rows]), attrs)
        for name, (column, attrs) in TRACK.items()
    }


def _track_keys(row: dict[str, str]) -> list[tuple[object, dict[str, float]]]:
    """Return a CSV row's values under its hour and under each file it names."""
    year, month, day, hour = (_whole(row[column]) for column in ("year", "month", "day", "hour"))
    time = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}", "h")
    values = {name: _label(row.get(name)) for name in ("lng", "grade", "pressure", "wind")}
    nowhere = _label(row.get("lng"), unknown=None) == UNKNOWN
    values["lat"] = math.nan if nowhere else _label(row.get("lat"), unknown=None)
    keys: list[tuple[object, dict[str, float]]] = []
    for column in [column for column in row if column and re.fullmatch(r"file_\d+", column) and row[column]]:
        percent = _label(row.get(column.replace("file", "mask") + "_pct"))
        keys.append((row[column].strip(), values | {"mask_pct": percent}))
    return [*keys, (time, values)]


def _whole(text: str) -> int:
    """Return a whole number, also one that a table of floats holds as 12.0."""
    value = float(text)
    if not value.is_integer():
        raise ValueError(f"{text!r} is no whole number")
    return int(value)


def _label(text: str | None, unknown: float | None = UNKNOWN) -> float:
    """Return a label as a number, NaN where it is not known."""
    if text is None or text.strip().lower() in MISSING:
        return math.nan
    value = float(text)
    return value if math.isfinite(value) and value != unknown else math.nan
