"""Digital Typhoon, V1, V2 and V3-2025: a folder of HDF5 frames, with the best track beside it.

``<basin>/image/<sequence>/YYYYMMDDHH-<sequence>-<satellite>-<n>.h5``, ``<basin>/metadata/<sequence>.csv`` and
``<basin>/metadata.json``; in V3-2025 a basin lies in the folder of its channel, ``1`` to ``4``. The metadata may be
absent. Times and satellites come from the file names.

Images without content (blank, or more than half of them one value), of which V3-2025 has some, are missing. Several
files of one hour are all kept, with a line in the log.
"""

import functools
import logging
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.hdf5_guard import find_dataset, read_hdf5
from tempogan_eddy.io.files.walk import entries
from tempogan_eddy.io.formats.digital_typhoon.track import basin_of, read_storm, read_track
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.times.source import with_source
from tempogan_eddy.io.unread import REMEDY
from tempogan_eddy.io.values.quality import mask_blank, mask_calibration_bars
from tempogan_eddy.io.values.units import KELVIN, kelvin_conversion
from tempogan_eddy.io.values.validity import Decoding, refuse_unknown_packing
from tempogan_eddy.spread import spread_evenly

__all__ = ["FILE_NAME", "open_digital_typhoon"]

log = logging.getLogger(__name__)

FILE_NAME = re.compile(r"(?P<hour>\d{10})-(?P<sequence>.+)-(?P<satellite>[^-]+)-(?P<number>\d+)\.[hH]5")
KEYS = ("Infrared", "infrared", "Data")
UNKNOWN_SATELLITE = "unknown"

LAYERS = {
    "2": "infrared 2 (split window) brightness temperature",
    "3": "water vapour brightness temperature",
    "4": "near infrared (shortwave) brightness temperature",
}
"""What the channels of V3-2025 after the first hold, by the folder above the basin's."""

HEADERS_CHECKED = 64
"""Frames of a sequence whose headers are read when it is opened; the others are checked when they are read."""

SUPERBLOCKS = {0: (40, 24), 1: (44, 28), 2: (28, 12), 3: (28, 12)}
"""Where HDF5 files of each version hold their end and their start."""


class Frame(NamedTuple):
    """One file of a sequence, with the contents of its name."""

    path: Path
    time: np.datetime64
    satellite: str
    sequence: str


def open_digital_typhoon(path: Path, reading: Reading, files: Sequence[Path]) -> xr.DataArray:
    """Open one Digital Typhoon sequence: a folder of frames, some `files` of it, or one frame.

    Return a sequence with ``satellite`` and the best track as coordinates along ``time``. If unreadable frames are
    gaps, read every frame once now; otherwise check 64 headers of a long sequence now, and the others when read. Raise
    InputError for a file that is not named or built like the dataset's, of another size than the first, or of another
    storm.
    """
    if not files:
        held = [path] if path.is_file() else entries(path)
        files = [file for file in held if file.suffix.lower() == ".h5" and not file.name.startswith(".")]
    frames = sorted((_parse_name(file) for file in files), key=lambda frame: (frame.time, frame.path.name))
    if reading.unreadable == "gap":
        frames = [frame for frame in frames if _is_readable(frame)]
    if not frames:
        raise InputError(f"{path} holds no frame (*.h5) that can be read.")
    sequence, shape = _sequence_name(path, frames), _check_headers(frames)
    coords = {"time": np.array([frame.time for frame in frames]), **_satellites(frames, sequence)}
    basin = basin_of(frames[0].path.parent)
    coords |= read_track(basin, sequence, [frame.path.name for frame in frames], coords["time"])
    layer = LAYERS.get(basin.parent.name, "infrared brightness temperature")
    attrs = {"long_name": layer, "units": "K", "sequence": sequence}
    attrs |= read_storm(basin, sequence)
    with read_hdf5(frames[0].path) as file:
        attrs |= dict(file.attrs)  # the dataset's own files have none, ours do
    read = functools.partial(_read_frame, frames, shape, reading.valid_kelvin, set())
    stack = FrameStack(path, read, (len(frames), *shape))
    lazy = lazy_sequence(stack, coords, attrs, unreadable=reading.unreadable)
    return with_source(as_sequence(lazy, valid_kelvin=reading.valid_kelvin), "file name")


def _satellites(frames: list[Frame], sequence: str) -> dict[str, Any]:
    """Return the satellites as a coordinate, and say where several files are of one hour."""
    times, counts = np.unique([frame.time for frame in frames], return_counts=True)
    repeated = times[counts > 1]
    if repeated.size:
        log.warning(
            "%s has several files of %d hours (%s: %s); all are kept, and no window mixes satellites.",
            sequence,
            len(repeated),
            repeated[0].astype("datetime64[h]"),
            ", ".join(frame.satellite for frame in frames if frame.time == repeated[0]),
        )
    names = [frame.satellite for frame in frames]
    if set(names) == {UNKNOWN_SATELLITE}:
        return {}
    return {"satellite": ("time", np.array(names), {"long_name": "satellite"})}


def _parse_name(path: Path) -> Frame:
    match = FILE_NAME.fullmatch(path.name)
    try:
        if match is None:
            raise ValueError
        time = np.datetime64(datetime.strptime(match["hour"], "%Y%m%d%H"), "ns")
    except ValueError:
        raise InputError(
            f"{path} is not named like a Digital Typhoon frame, YYYYMMDDHH-sequence-satellite-number.h5; rename or "
            "move it."
        ) from None
    return Frame(path, time, match["satellite"], match["sequence"])


def _sequence_name(path: Path, frames: list[Frame]) -> str:
    names = sorted({frame.sequence for frame in frames})
    if len(names) > 1:
        raise InputError(
            f"{path} mixes frames of {len(names)} storms ({', '.join(names[:3])}); put each into its own folder."
        )
    return names[0]


def _check_headers(frames: list[Frame]) -> tuple[int, ...]:
    """Return the shape of the first frame; refuse a file that is cut short, and another shape in those looked into."""
    shape = _header(frames[0].path)
    looked_into = set(spread_evenly(len(frames), HEADERS_CHECKED))
    for number, frame in enumerate(frames):
        if number in looked_into or not _seems_whole(frame.path):
            _check_size(frame.path, _header(frame.path), shape)
    return shape


def _header(path: Path) -> tuple[int, ...]:
    try:
        return tuple(_read(path, header_only=True))
    except InputError as error:
        raise InputError(f"{error} {REMEDY}") from error


def _seems_whole(path: Path) -> bool:
    """Return whether an HDF5 file is as long as its first bytes state; False where they state no length."""
    try:
        with path.open("rb") as file:
            start, size = file.read(64), file.seek(0, 2)
    except OSError:
        return False
    if len(start) < 64 or not start.startswith(b"\x89HDF\r\n\x1a\n") or start[8] not in SUPERBLOCKS:
        return False
    end, base = (int.from_bytes(start[place : place + 8], "little") for place in SUPERBLOCKS[start[8]])
    return base == 0 and start[13 if start[8] < 2 else 9] == 8 and end <= size


def _read(path: Path, header_only: bool = False) -> Any:
    """Return the image of one file in kelvin, or only its shape."""
    with read_hdf5(path) as file:
        key = next((key for key in KEYS if file.get(key, getlink=True)), None)
        if key is None:
            raise InputError(
                f"{path} holds {sorted(file)}, none of the datasets {', '.join(KEYS)}; name its image {KEYS[0]}."
            )
        image = find_dataset(file, key, path)
        conversion = kelvin_conversion(image.attrs.get("units", "K"))
        shape = tuple(size for size in image.shape if size > 1 or image.ndim == 2)  # without channels of one
        if len(shape) != 2 or conversion is None:
            units = image.attrs.get("units")
            raise InputError(f"{path}: {key} has shape {image.shape} and units {units!r}, not 2-D kelvin.")
        if conversion == KELVIN:
            refuse_unknown_packing(image.attrs, image.dtype, path, key)
        if header_only:
            return shape
        return conversion(Decoding.of(image.attrs, image.dtype, path)(image[()].reshape(shape)))


def _check_size(path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise InputError(f"{path} has {shape} pixels, the first frame of its sequence {expected}; remove or resize it.")


def _read_frame(
    frames: list[Frame], shape: tuple[int, ...], valid_kelvin: tuple[float, float], logged: set[Path], number: int
) -> np.ndarray:
    path = frames[number].path
    image = _read(path)
    _check_size(path, image.shape, shape)
    return mask_blank(mask_calibration_bars(image, valid_kelvin), path, logged)


def _is_readable(frame: Frame) -> bool:
    try:
        _read(frame.path)
    except InputError as error:
        log.warning("left out as a gap: %s", error)
        return False
    return True
