"""Folders of grey PNG frames: the seed's tree, and 16-bit frames that record their own kelvins and times.

Grey is mapped linearly to kelvin. What :func:`write_png` writes carries, in a text chunk named
``tempogan-eddy``, the mapping, the level that means missing, the time and the coordinates as JSON; a recorded
mapping wins.
"""

import dataclasses
import functools
import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.frames import FrameStack, iterate_frames, lazy_sequence
from tempogan_eddy.io.png_times import frame_times
from tempogan_eddy.io.quality import VALID_KELVIN
from tempogan_eddy.io.sequence import as_sequence

__all__ = ["WRITTEN_KELVIN", "open_png", "write_png"]

log = logging.getLogger(__name__)

TEXT_KEY = "tempogan-eddy"
WRITTEN_KELVIN = (100.0, 427.67)
"""Kelvin of levels 1 and 65535 in the 16-bit frames we write: steps of 0.005 K, so that whole kelvins are exact."""


@dataclasses.dataclass(frozen=True)
class Mapping:
    """Grey level to kelvin: two levels and their kelvins, and the level that means missing."""

    levels: tuple[int, int]
    kelvins: tuple[float, float]
    missing: int | None = None

    def to_kelvin(self, grey: np.ndarray) -> np.ndarray:
        """Return the kelvins of grey levels, NaN where missing."""
        slope = (self.kelvins[1] - self.kelvins[0]) / (self.levels[1] - self.levels[0])
        kelvin = (self.kelvins[0] + (grey.astype(np.float64) - self.levels[0]) * slope).astype(np.float32)
        return kelvin if self.missing is None else np.where(grey == self.missing, np.float32(np.nan), kelvin)

    def to_level(self, kelvin: np.ndarray) -> np.ndarray:
        """Return the grey levels (uint16) of kelvins; NaN becomes the missing level."""
        slope = (self.levels[1] - self.levels[0]) / (self.kelvins[1] - self.kelvins[0])
        level = np.rint(self.levels[0] + (kelvin.astype(np.float64) - self.kelvins[0]) * slope)
        return np.where(np.isnan(level), self.missing or 0, level).astype(np.uint16)


WRITTEN = Mapping((1, 65535), WRITTEN_KELVIN, missing=0)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key in which frame_2 comes before frame_10."""
    pieces = re.findall(r"\d+|\D+", path.stem.lower())
    return [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in pieces]


def open_png(
    path: Path,
    *,
    files: Sequence[Path] = (),
    grey_kelvin: tuple[float, float] = (170.0, 320.0),
    cadence: str = "1h",
    valid_kelvin: tuple[float, float] = VALID_KELVIN,
    unreadable: str = "error",
) -> xr.DataArray:
    """Open a folder of PNG frames as one sequence, in natural order of their names.

    Times are the recorded ones, else YYYYMMDDHH[MM] in every file name, else 2000-01-01 plus the frame's
    number times the cadence; ``attrs["time_source"]`` says which.

    Parameters
    ----------
    path : Path
        The folder.
    files : sequence of Path, optional
        Some of its frames; all by default.
    grey_kelvin : tuple of float
        Kelvin of black and of white, where the frames record no mapping.
    cadence : str
        Time between frames that tell no time, as a pandas offset.
    valid_kelvin : tuple of float
        Values outside these kelvins are missing.
    unreadable : {"error", "gap"}
        What a frame that cannot be read is: an error that names the file, or (every frame is then read once
        now) a frame left out, with a warning.

    Returns
    -------
    DataArray (time, y, x)
        A sequence named by the folder.

    Raises
    ------
    InputError
        For a frame that is no PNG, is coloured, or has another size than the first; for a cadence that is
        none.
    """
    files = sorted((file for file in files or path.iterdir() if _is_frame(file)), key=natural_key)
    if unreadable == "gap":
        files = [file for file in files if _is_readable(file)]
    if not files:
        raise InputError(f"{path} holds no PNG frame that can be read.")
    headers = [_read_header(file) for file in files]
    for file, (size, _) in zip(files, headers, strict=True):
        if size != headers[0][0]:
            raise InputError(f"{file} has {size} pixels, the first frame of its folder {headers[0][0]}; resize it.")
    records = [record for _, record in headers]
    times, time_source = frame_times(files, records, cadence)
    order = np.argsort(times, kind="stable") if time_source == "file name" else np.arange(len(files))
    files, records = [files[i] for i in order], [records[i] for i in order]
    read = functools.partial(_read_frame, files, records, grey_kelvin)
    stack = FrameStack(path, read, (len(files), *headers[0][0]))
    attrs = {"units": "K", "sequence": path.resolve().name, **records[0].get("attrs", {})}
    if time_source != "recorded":
        attrs["time_source"] = time_source
    coords = {"time": times[order], **_recorded_coordinates(records)}
    return as_sequence(lazy_sequence(stack, coords, attrs), valid_kelvin=valid_kelvin)


def _is_frame(path: Path) -> bool:
    return path.suffix.lower() == ".png" and not path.name.startswith(".")


def _is_readable(path: Path) -> bool:
    try:
        _read_grey(path)
    except InputError as error:
        log.warning("left out as a gap: %s", error)
        return False
    return True


def _read_header(path: Path) -> tuple[tuple[int, int], dict[str, Any]]:
    """Return a frame's rows and columns, and what it records."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return (image.height, image.width), json.loads(image.info.get(TEXT_KEY, "{}"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is not a PNG image that can be read; replace or remove it.") from error


def _read_frame(
    files: list[Path], records: list[dict[str, Any]], grey_kelvin: tuple[float, float], number: int
) -> np.ndarray:
    grey, white = _read_grey(files[number])
    record = records[number].get("mapping")
    mapping = Mapping(**record) if record else Mapping((0, white), grey_kelvin)
    return mapping.to_kelvin(grey)


def _read_grey(path: Path) -> tuple[np.ndarray, int]:
    """Return a frame's grey levels and the level of white."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            if image.mode in ("I;16", "I;16B", "I"):
                return np.asarray(image, dtype=np.int32), 65535
            if image.mode in ("1", "L", "LA"):
                return np.asarray(image.convert("L")), 255
            colours = np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} cannot be read as PNG ({error}); replace or remove it.") from error
    if (colours != colours[..., :1]).any():
        raise InputError(f"{path} is coloured; a frame is grey, black to white being kelvin.")
    return colours[..., 0], 255


def _recorded_coordinates(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the coordinates along time that every frame records."""
    first = records[0].get("coordinates", {})
    coords = {}
    for name, (_, attrs) in first.items():
        if all(name in record.get("coordinates", {}) for record in records):
            values = [record["coordinates"][name][0] for record in records]
            coords[name] = ("time", np.array([np.nan if value is None else value for value in values]), attrs)
    return coords


def write_png(da: xr.DataArray, folder: Path, on_frame: Callable[[int], None]) -> None:
    """Write a sequence as 16-bit grey frames ``frame_001.png`` and so on into a new folder.

    Parameters
    ----------
    da : DataArray (time, y, x)
        A sequence.
    folder : Path
        Does not exist yet.
    on_frame : callable
        Called with the number of frames written.

    Raises
    ------
    InputError
        If a frame has kelvins outside ``WRITTEN_KELVIN``.
    """
    folder.mkdir()
    low, high = WRITTEN.kelvins
    width = max(3, len(str(da.sizes["time"])))
    held = [c for name, c in da.coords.items() if c.dims == ("time",) and name != "time" and c.dtype.kind in "iufU"]
    if left_out := sorted({str(name) for name in da.coords} - {"time"} - {str(coord.name) for coord in held}):
        log.warning("PNG frames hold no %s; left out.", ", ".join(left_out))
    for number, frame in enumerate(iterate_frames(da)):
        if ((frame < low) | (frame > high)).any():
            extremes = f"{np.nanmin(frame):.1f} to {np.nanmax(frame):.1f} K"
            raise InputError(f"Frame {number} has {extremes}; PNG holds {low:g} to {high:g} K: write NetCDF.")
        record = {
            "mapping": dataclasses.asdict(WRITTEN),
            "time": str(da["time"].values[number]),
            "coordinates": {str(c.name): (_plain(c.values[number]), dict(c.attrs)) for c in held},
            "attrs": da.attrs,
        }
        text = PngImagePlugin.PngInfo()
        text.add_itxt(TEXT_KEY, json.dumps(record))
        image = Image.fromarray(WRITTEN.to_level(frame))
        image.save(folder / f"frame_{number + 1:0{width}d}.png", pnginfo=text)
        on_frame(number + 1)


def _plain(value: np.generic) -> Any:
    """Return a number or text as JSON knows it; NaN as null."""
    plain = value.item()
    return None if isinstance(plain, float) and np.isnan(plain) else plain
