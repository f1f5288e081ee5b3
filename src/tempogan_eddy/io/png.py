"""Folders of grey PNG frames: the seed's tree, and 16-bit frames that record their own kelvins and times.

Grey is mapped linearly to kelvin, black to white; transparent pixels (alpha 0, or the key of tRNS) are missing. What
:func:`write_png` writes carries, in a text chunk named ``tempogan-eddy``, the mapping, the level that means missing,
the time and the coordinates as JSON; a recorded mapping wins.
"""

import dataclasses
import functools
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from PIL import Image, PngImagePlugin

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.blank import mask_blank
from tempogan_eddy.io.digital_typhoon import FILE_NAME
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.pipeline import write_frames
from tempogan_eddy.io.png_pixels import read_header, read_pixels
from tempogan_eddy.io.png_record import WRITTEN, WRITTEN_KELVIN, Mapping, Record, read_record
from tempogan_eddy.io.png_times import frame_times, natural_key
from tempogan_eddy.io.quality import looks_white_cold, mask_impossible
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.sequence import as_sequence

__all__ = ["WRITTEN_KELVIN", "open_png", "write_png"]

log = logging.getLogger(__name__)

TEXT_KEY = "tempogan-eddy"


def open_png(path: Path, reading: Reading | None = None, files: Sequence[Path] = ()) -> xr.DataArray:
    """Open a folder of PNG frames as one sequence, or one frame as a sequence of one.

    Times are the recorded ones, else those in every file name (:mod:`tempogan_eddy.io.stamps`), else 2000-01-01 plus
    the frame's number times the cadence; ``attrs["time_source"]`` says which. Hidden files are skipped. Frames of
    1 to 16 bits are exact, also where grey is stored as colour or as a grey palette. The log warns, once a folder, if
    the first, middle and last frame look as if white meant cold. A blank frame is missing, with a warning. Frames named
    like those of Digital Typhoon tell their satellites.

    Parameters
    ----------
    path : Path
        The folder, or one frame.
    reading : Reading, optional
        How it is read. If a frame that cannot be read is a gap, every frame is read once now.
    files : sequence of Path, optional
        Some of the folder's frames; all by default.

    Returns
    -------
    DataArray (time, y, x)
        A sequence named by the folder, or by the one frame.

    Raises
    ------
    InputError
        For a frame that is no PNG, is damaged, is coloured, claims a size that it cannot hold, or has another size
        than the first; for names whose times are none or can be read in two ways; for a cadence that is none.
    """
    reading = reading or Reading()
    grey_kelvin, valid_kelvin = reading.grey_kelvin, reading.valid_kelvin
    found = [path] if path.is_file() else [file for file in files or path.iterdir() if _is_frame(file)]
    files = sorted(found, key=natural_key)
    if reading.unreadable == "gap":
        files = [file for file in files if _is_readable(file)]
    if not files:
        raise InputError(f"{path} holds no PNG frame that can be read.")
    headers = [read_header(file, TEXT_KEY) for file in files]
    shape = headers[0].rows, headers[0].columns
    for file, header in zip(files, headers, strict=True):
        if (header.rows, header.columns) != shape:
            size = header.rows, header.columns
            raise InputError(f"{file} has {size} pixels, the first frame of its folder {shape}; resize it.")
    records = [read_record(file, header.text) for file, header in zip(files, headers, strict=True)]
    times, time_source = frame_times(files, records, reading.cadence)
    order = np.argsort(times, kind="stable")
    files, records = [files[i] for i in order], [records[i] for i in order]
    read = functools.partial(_read_frame, files, records, grey_kelvin, set())
    _warn_if_white_cold(path, files, records, grey_kelvin, valid_kelvin)
    attrs = {"units": "K", "sequence": path.stem if path.is_file() else path.resolve().name, **records[0].attrs}
    if time_source != "recorded":
        attrs["time_source"] = time_source
    coords = {"time": times[order], **_satellites(files), **_recorded_coordinates(records)}
    stack = FrameStack(path, read, (len(files), *shape))
    return as_sequence(lazy_sequence(stack, coords, attrs), valid_kelvin=valid_kelvin)


def _is_frame(path: Path) -> bool:
    return path.suffix.lower() == ".png" and not path.name.startswith(".") and not path.is_dir()


def _is_readable(path: Path) -> bool:
    try:
        read_pixels(path)
    except InputError as error:
        log.warning("left out as a gap: %s", error)
        return False
    return True


def _kelvin(files: list[Path], records: list[Record], grey_kelvin: tuple[float, float], number: int) -> np.ndarray:
    pixels = read_pixels(files[number])
    return (records[number].mapping or Mapping((0, pixels.white), grey_kelvin)).to_kelvin(pixels)


def _read_frame(
    files: list[Path], records: list[Record], grey_kelvin: tuple[float, float], told: set[Path], number: int
) -> np.ndarray:
    kelvin = _kelvin(files, records, grey_kelvin, number)
    return kelvin if records[number].mapping else mask_blank(kelvin, files[number], told)


def _warn_if_white_cold(
    path: Path,
    files: list[Path],
    records: list[Record],
    grey_kelvin: tuple[float, float],
    valid_kelvin: tuple[float, float],
) -> None:
    """Warn where the first, middle and last frame all look upside down; frames that record a mapping are believed."""
    numbers = sorted({0, len(files) // 2, len(files) - 1})
    if any(records[number].mapping for number in numbers):
        return
    try:
        frames = [_kelvin(files, records, grey_kelvin, number) for number in numbers]
    except InputError:
        return  # Said when the frame is asked for.
    if all(looks_white_cold(mask_impossible(frame, valid_kelvin)) for frame in frames):
        log.warning(
            "%s looks upside down: most of it would be colder than clouds are. If white means cold in these pictures, "
            "swap the two numbers of data.grey_kelvin; if they show visible light, they are not what the model is for.",
            path,
        )


def _satellites(files: list[Path]) -> dict[str, Any]:
    """Return the satellites of frames that are named like those of Digital Typhoon."""
    names = [FILE_NAME.fullmatch(f"{file.stem}.h5") for file in files]
    told = [name["satellite"] for name in names if name]
    return {"satellite": ("time", np.array(told), {"long_name": "satellite"})} if len(told) == len(files) else {}


def _recorded_coordinates(records: list[Record]) -> dict[str, Any]:
    """Return the coordinates along time that every frame records."""
    coords = {}
    for name, (_, attrs) in records[0].coordinates.items():
        if all(name in record.coordinates for record in records):
            coords[name] = ("time", np.array([record.coordinates[name][0] for record in records]), attrs)
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

    def add(number: int, frame: np.ndarray) -> None:
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

    write_frames(da, add, on_frame)


def _plain(value: np.generic) -> Any:
    """Return a number or text as JSON knows it; NaN as null."""
    plain = value.item()
    return None if isinstance(plain, float) and np.isnan(plain) else plain
