"""Digital Typhoon, V1, V2 and V3-2025: a folder of HDF5 frames, with the best track beside it.

``<basin>/image/<sequence>/YYYYMMDDHH-<sequence>-<satellite>-<n>.h5``, ``<basin>/metadata/<sequence>.csv`` and
``<basin>/metadata.json``. The metadata may be absent. Times and satellites come from the file names.
"""

import csv
import functools
import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import xarray as xr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.hdf5_guard import find_dataset
from tempogan_eddy.io.json_text import parse_json
from tempogan_eddy.io.quality import VALID_KELVIN, mask_calibration_bars
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.units import kelvin_conversion
from tempogan_eddy.io.walk import refuse_special

__all__ = ["FILE_NAME", "open_digital_typhoon"]

log = logging.getLogger(__name__)

FILE_NAME = re.compile(r"(?P<hour>\d{10})-(?P<sequence>.+)-(?P<satellite>[^-]+)-(?P<number>\d+)\.h5")
KEYS = ("Infrared", "infrared", "Data")
UNKNOWN_SATELLITE = "unknown"

TRACK = {
    "center_lat": ("lat", {"long_name": "latitude of the storm centre, positive north", "units": "degrees_north"}),
    "center_lon": ("lng", {"long_name": "longitude of the storm centre, positive east", "units": "degrees_east"}),
    "grade": ("grade", {"long_name": "best-track grade of the storm", "units": "1"}),
    "pressure": ("pressure", {"long_name": "lowest sea-level pressure", "units": "hPa"}),
    "wind": ("wind", {"long_name": "highest sustained wind", "units": "knot"}),
    "mask_percent": (
        "mask_pct",
        {"long_name": "share of masked pixels in the original image", "units": "percent"},
    ),
}


@dataclass(frozen=True)
class Frame:
    """One file of a sequence, and what its name says."""

    path: Path
    time: np.datetime64
    satellite: str


def open_digital_typhoon(
    path: Path,
    *,
    files: Sequence[Path] = (),
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    unreadable: str = "error",
) -> xr.DataArray:
    """Open one Digital Typhoon sequence.

    Parameters
    ----------
    path : Path
        The folder of a sequence's frames, or one frame.
    files : sequence of Path, optional
        Some of its frames; all by default.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing.
    unreadable : {"error", "gap"}
        What a frame that cannot be read is: an error that names the file, or (every frame is then read once
        now) a frame left out, with a warning.

    Returns
    -------
    DataArray (time, y, x)
        A sequence, with ``satellite`` and what the best track tells as coordinates along ``time``.

    Raises
    ------
    InputError
        For a file that is not named or built like the dataset's, or of another size than the first.
    """
    if not files:
        files = [path] if path.is_file() else [f for f in sorted(path.glob("*.h5")) if not f.name.startswith(".")]
    frames = sorted((_parse_name(file) for file in files), key=lambda frame: (frame.time, frame.path.name))
    if unreadable == "gap":
        frames = [frame for frame in frames if _is_readable(frame)]
    if not frames:
        raise InputError(f"{path} holds no frame (*.h5) that can be read.")
    shape = _read(frames[0].path, header_only=True)
    for frame in frames[1:]:
        _check_size(frame.path, _read(frame.path, header_only=True), shape)
    stack = FrameStack(path, functools.partial(_read_frame, frames, valid_kelvin), (len(frames), *shape))
    sequence = _sequence_name(frames[0].path)
    coords = {
        "time": np.array([frame.time for frame in frames]),
        **_satellites(frames),
        **_read_track(path if path.is_dir() else path.parent, sequence, frames),
    }
    attrs = {"long_name": "infrared brightness temperature", "units": "K", "sequence": sequence}
    attrs |= _read_storm(path if path.is_dir() else path.parent, sequence) | _read_attributes(frames[0].path)
    return as_sequence(lazy_sequence(stack, coords, attrs), valid_kelvin=valid_kelvin)


def _satellites(frames: list[Frame]) -> dict[str, Any]:
    names = [frame.satellite for frame in frames]
    return (
        {}
        if set(names) == {UNKNOWN_SATELLITE}
        else {"satellite": ("time", np.array(names), {"long_name": "satellite"})}
    )


def _parse_name(path: Path) -> Frame:
    match = FILE_NAME.fullmatch(path.name)
    hour = pd.to_datetime(match["hour"], format="%Y%m%d%H", errors="coerce") if match else pd.NaT
    if match is None or hour is pd.NaT:
        raise InputError(f"{path} is not named like a Digital Typhoon frame, YYYYMMDDHH-sequence-satellite-number.h5.")
    return Frame(path, hour.to_datetime64(), match["satellite"])


def _sequence_name(path: Path) -> str:
    match = FILE_NAME.fullmatch(path.name)
    return match["sequence"] if match else path.parent.name


def _read(path: Path, header_only: bool = False) -> Any:
    """Return the image of one file in kelvin, or only its shape.

    Under the lock of the NetCDF library, which may share an HDF5 library that is not for several threads.
    """
    refuse_special(path)
    try:
        with NETCDF4_PYTHON_LOCK, h5py.File(path, "r") as file:
            key = next((key for key in KEYS if file.get(key, getlink=True)), None)
            if key is None:
                raise InputError(f"{path} holds {sorted(file)}, none of the datasets {', '.join(KEYS)}.")
            image = find_dataset(file, key, path)
            conversion = kelvin_conversion(image.attrs.get("units", "K"))
            if image.ndim != 2 or conversion is None:
                units = image.attrs.get("units")
                raise InputError(f"{path}: {key} has shape {image.shape} and units {units!r}, not 2-D kelvin.")
            return image.shape if header_only else conversion(image[()])
    except InputError:
        raise
    except Exception as error:  # h5py raises any of a dozen for a damaged file
        raise InputError(f"{path} cannot be read as HDF5 ({error}); fetch it again or leave it out.") from error


def _read_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of the file itself; the dataset's own files have none, ours do."""
    try:
        with NETCDF4_PYTHON_LOCK, h5py.File(path, "r") as file:
            return dict(file.attrs)
    except Exception as error:  # h5py raises any of a dozen for a damaged file
        raise InputError(f"The attributes of {path} cannot be read ({error}); fetch it again.") from error


def _check_size(path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise InputError(f"{path} has {shape} pixels, the first frame of its sequence {expected}; remove or resize it.")


def _read_frame(frames: list[Frame], valid_kelvin: tuple[float, float], number: int) -> np.ndarray:
    return mask_calibration_bars(_read(frames[number].path), valid_kelvin)


def _is_readable(frame: Frame) -> bool:
    try:
        _read(frame.path)
    except InputError as error:
        log.warning("left out as a gap: %s", error)
        return False
    return True


def _read_storm(folder: Path, sequence: str) -> dict[str, Any]:
    """Return what metadata.json tells about the storm, as attributes."""
    path = folder.parent.parent / "metadata.json"
    if not path.is_file():
        return {}
    try:
        entry = parse_json(path.read_text(encoding="utf-8")).get(sequence, {})
        return {f"storm_{key}": entry[key] for key in ("name", "season", "number") if entry.get(key) not in (None, "")}
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is not the dataset's metadata ({error}); repair or remove it.") from error


def _read_track(folder: Path, sequence: str, frames: list[Frame]) -> dict[str, Any]:
    """Return the best-track coordinates of the frames, joined by file name, else by hour."""
    path = folder.parent.parent / "metadata" / f"{sequence}.csv"
    if not path.is_file():
        return {}
    by_key: dict[object, dict[str, float]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            for key, values in _track_keys(path, row):
                by_key.setdefault(key, values)
    rows = [by_key.get(frame.path.name) or by_key.get(frame.time) or {} for frame in frames]
    return {
        name: ("time", np.array([row.get(column, math.nan) for row in rows]), attrs)
        for name, (column, attrs) in TRACK.items()
    }


def _track_keys(path: Path, row: dict[str, str]) -> list[tuple[object, dict[str, float]]]:
    """Return a CSV row's values under its hour and under each file it names."""
    try:
        year, month, day, hour = (int(row[column]) for column in ("year", "month", "day", "hour"))
        time = pd.Timestamp(year, month, day, hour).to_datetime64().astype("datetime64[ns]")
        values = {name: float(row[name]) for name in ("lat", "lng", "grade", "pressure", "wind") if row.get(name)}
        keys: list[tuple[object, dict[str, float]]] = []
        for column in [column for column in row if column and re.fullmatch(r"file_\d+", column) and row[column]]:
            percent = row.get(column.replace("file", "mask") + "_pct")
            keys.append((row[column], values | ({"mask_pct": float(percent)} if percent else {})))
        return [*keys, (time, values)]
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not a best-track table in the dataset's columns ({error}).") from error
