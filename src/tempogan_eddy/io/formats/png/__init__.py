"""Folders of grey PNG frames: the seed's tree, and 16-bit frames that record their own kelvins and times.

Grey is mapped linearly to kelvin, black to white; transparent pixels (alpha 0, or the key of tRNS) are missing.
`_write` records the mapping, the level that means missing, the time and the coordinates as JSON in a text
chunk named ``tempogan-eddy``; a recorded mapping overrides the setting.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from PIL import Image, PngImagePlugin

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.walk import names_in
from tempogan_eddy.io.format import Format, Writing, in_parts, named_like_data
from tempogan_eddy.io.formats.digital_typhoon.frames import FILE_NAME
from tempogan_eddy.io.formats.png.pixels import WHITE, Pixels, read_header, read_pixels
from tempogan_eddy.io.formats.png.record import WRITTEN, Mapping, Record, parts_of_kelvin, read_record
from tempogan_eddy.io.formats.png.times import frame_times, natural_key
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.ownership import FINGERPRINT, Kind
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.sequence import as_sequence
from tempogan_eddy.io.times.source import with_source
from tempogan_eddy.io.unread import UNREADABLE, Unread, recorded
from tempogan_eddy.io.values.quality import looks_drawn, looks_edged, looks_white_cold, mask_blank, mask_impossible
from tempogan_eddy.io.writing.parts import Part
from tempogan_eddy.kelvin import GREY_KELVIN

__all__ = ["PNG", "open_png"]

log = logging.getLogger(__name__)

TEXT_KEY = "tempogan-eddy"
END = b"\0\0\0\0IEND\xaeB`\x82"  # of every PNG file


def open_png(path: Path, reading: Reading | None = None, files: Sequence[Path] = ()) -> xr.DataArray:
    """Open a folder of PNG frames as one sequence, or one frame as a sequence of one.

    Times are the recorded ones, else those in every file name (`tempogan_eddy.io.times.stamps`), else 2000-01-01 plus
    the frame's number times the cadence; ``attrs["time_source"]`` states which. Frames of 1 to 16 bits are exact, also
    if grey is stored as colour or as a grey palette. Hidden files are skipped. A blank frame is missing, with a
    warning. `files` are some of the folder's frames, by default all. Raise `InputError` if a frame is no PNG, damaged,
    coloured, too large for its file, or of another size than the first, and if times or cadence are ambiguous.
    """
    reading = reading or Reading()
    found = [path] if path.is_file() else [file for file in files or path.iterdir() if _is_frame(file)]
    files = sorted(found, key=natural_key)
    if reading.unreadable == "gap":
        files = [file for file in files if _is_readable(file)]
    if not files:
        raise InputError(f"{path} holds no PNG frame that can be read.")
    shape, _ = read_header(files[0], TEXT_KEY)
    records = []
    for file in files:
        size, text = read_header(file, TEXT_KEY)
        if size != shape:
            for one in (files[0], file):
                if looks_drawn(read_pixels(one).levels):  # which refuses colours first
                    raise InputError(
                        f"{one} looks like the picture of a chart, not a frame; move it to another folder."
                    )
            raise InputError(f"{file} has {size} pixels, the first frame of its folder {shape}; resize it.")
        records.append(read_record(file, text))
    times, time_source = frame_times(files, records, reading.cadence)
    order = np.argsort(times, kind="stable")
    frames = _Frames([files[i] for i in order], [records[i] for i in order], reading.grey_kelvin)
    _warn_of_looks(path, frames, reading.valid_kelvin)
    attrs = {"units": "K", "sequence": path.stem if path.is_file() else path.resolve().name, **frames.records[0].attrs}
    if time_source != "recorded":
        attrs["time_source"] = time_source
    coords = {"time": times[order], **_satellites(frames.files), **_recorded_coordinates(frames.records)}
    stack = FrameStack(path, frames, (len(files), *shape))
    lazy = lazy_sequence(stack, coords, attrs, unreadable=reading.unreadable)
    sequence = as_sequence(lazy, valid_kelvin=reading.valid_kelvin)
    return with_source(sequence, time_source)


def _is_frame(path: Path) -> bool:
    return path.suffix.lower() == ".png" and not path.name.startswith(".") and not path.is_dir()


def _is_readable(path: Path) -> bool:
    try:
        read_pixels(path)
    except InputError as error:
        log.warning("left out as a gap: %s", error)
        return False
    return True


@dataclass(frozen=True)
class _Frames:
    """Frames of a folder by number, in kelvin; a blank one is missing."""

    files: list[Path]
    records: list[Record]
    grey_kelvin: tuple[float, float]
    warned: set[Path] = field(default_factory=set)

    def kelvin(self, number: int, pixels: Pixels | None = None) -> np.ndarray:
        pixels = pixels or read_pixels(self.files[number])
        return (self.records[number].mapping or Mapping((0, pixels.white), self.grey_kelvin)).to_kelvin(pixels)

    def __call__(self, number: int) -> np.ndarray:
        kelvin = self.kelvin(number)
        return kelvin if self.records[number].mapping else mask_blank(kelvin, self.files[number], self.warned)


def _warn_of_looks(path: Path, frames: _Frames, valid_kelvin: tuple[float, float]) -> None:
    """Warn if the first, middle and last frame all look drawn or upside down; trust frames that record a mapping."""
    last = len(frames.files) - 1
    numbers = sorted({0, (last + 1) // 2, last})
    if any(frames.records[number].mapping for number in numbers):
        return
    try:
        pixels = [read_pixels(frames.files[number]) for number in numbers]
    except InputError:
        return  # raised again when the frame is read
    log.info("%s: black is %g K and white %g K (data.grey_kelvin)", path, *frames.grey_kelvin)
    parts = {parts_of_kelvin(one) for one in pixels}
    if len(parts) == 1 and (part := parts.pop()) and frames.grey_kelvin == GREY_KELVIN:
        log.warning(
            "%s looks like kelvin times %d in 16 bits; if it is, set data.grey_kelvin to [0, %g].",
            *(path, part, WHITE / part),
        )
        return
    top = max(int(one.levels[one.levels < WHITE].max(initial=0)) for one in pixels)
    bits = next((bits for bits in (8, 10, 12, 14) if 0 < top < 1 << bits), None)
    if bits and pixels[0].white == WHITE and frames.grey_kelvin == GREY_KELVIN:  # as 10-bit counts in 16 bits
        black, white = GREY_KELVIN
        log.warning(
            "%s uses %d of its 16 bits; if %d is white, set data.grey_kelvin to [%g, %g].",
            *(path, bits, (1 << bits) - 1, black, round(black + (white - black) * WHITE / ((1 << bits) - 1), 2)),
        )
        return
    coldest = min(frames.grey_kelvin)
    kelvins = [frames.kelvin(number, one) for number, one in zip(numbers, pixels, strict=True)]
    if all(map(looks_drawn, kelvins)):
        log.warning(
            "%s looks like the picture of a chart: two axes within a margin. Export the data, not their picture, or "
            "cut the axes off.",
            path,
        )
    elif all(looks_white_cold(mask_impossible(kelvin, valid_kelvin)) for kelvin in kelvins):
        log.warning(
            "%s looks upside down: most of it would be colder than clouds are. If white means cold in these pictures, "
            "swap the two numbers of data.grey_kelvin; the model is not for pictures of visible light.",
            path,
        )
    elif all(looks_edged(kelvin, coldest) for kelvin in kelvins) and valid_kelvin[0] <= coldest:
        log.warning(
            "%s is %g K, the end of its greys, in more than 1 %% of its pixels; if these are space or a caption, "
            "--set data.valid_kelvin=[%g,%g] makes them missing.",
            *(path, coldest, coldest + 0.1, valid_kelvin[1]),
        )


def _satellites(files: list[Path]) -> dict[str, Any]:
    """Return the satellites of frames that are named like those of Digital Typhoon."""
    names = [FILE_NAME.fullmatch(f"{file.stem}.h5") for file in files]
    found = [name["satellite"] for name in names if name]
    return {"satellite": ("time", np.array(found), {"long_name": "satellite"})} if len(found) == len(files) else {}


def _recorded_coordinates(records: list[Record]) -> dict[str, Any]:
    """Return the coordinates along time that every frame records."""
    return {
        name: ("time", np.array([record.coordinates[name][0] for record in records]), attrs)
        for name, (_, attrs) in records[0].coordinates.items()
        if all(name in record.coordinates for record in records)
    }


def _is_whole(path: Path) -> bool:
    """Return whether a file is there and ends as a PNG does: a power cut can leave one that is empty or cut."""
    if not path.exists() or path.stat().st_size < len(END):
        return False
    with path.open("rb") as file:
        file.seek(-len(END), os.SEEK_END)
        return file.read() == END


@dataclass(frozen=True)
class _Files:
    """The files ``frame_001.png`` and so on of a sequence, each a part."""

    folder: Path
    digits: int
    records: list[dict[str, Any]]
    attrs: dict[str, Any]
    rows: int
    frames: int = 1

    def path(self, number: int) -> Path:
        return self.folder / f"frame_{number + 1:0{self.digits}d}.png"

    def missing(self, parts: Iterable[Part]) -> list[Part]:
        return [part for part in parts if not _is_whole(self.path(part.frames.start))]

    def write(self, part: Part, kelvins: np.ndarray) -> None:
        """Write 16-bit grey; raise `InputError` for kelvins outside the mapping."""
        (number,), (frame,) = part.frames, kelvins
        low, high = WRITTEN.kelvins
        if ((frame < low) | (frame > high)).any():
            extremes = f"{np.nanmin(frame):.1f} to {np.nanmax(frame):.1f} K"
            raise InputError(f"Frame {number + 1} has {extremes}; PNG holds {low:g} to {high:g} K: write NetCDF.")
        text = PngImagePlugin.PngInfo()
        text.add_itxt(TEXT_KEY, json.dumps({"mapping": asdict(WRITTEN), **self.records[number], "attrs": self.attrs}))
        path = self.path(number)
        unfinished = path.with_name(f".{path.name}")
        Image.fromarray(WRITTEN.to_level(frame)).save(unfinished, format="PNG", pnginfo=text)
        unfinished.replace(path)

    def note(self, unread: Iterable[Unread]) -> _Files:
        return replace(self, attrs={**self.attrs, UNREADABLE: recorded(self.attrs, unread)})

    def finish(self) -> None:
        """Remove what a killed process left of a frame."""
        for left in self.folder.glob(".frame_*"):
            left.unlink()


def _begin(da: xr.DataArray, folder: Path, writing: Writing) -> _Files:
    folder.mkdir(exist_ok=True)
    held = [c for name, c in da.coords.items() if c.dims == ("time",) and name != "time" and c.dtype.kind in "iufU"]
    if left_out := sorted({str(name) for name in da.coords} - {"time"} - {str(coord.name) for coord in held}):
        log.warning("PNG frames hold no %s; left out.", ", ".join(left_out))

    records = [
        {"time": str(time), "coordinates": {str(c.name): (_plain(c.values[number]), dict(c.attrs)) for c in held}}
        for number, time in enumerate(da["time"].values)
    ]
    attrs = {key: value for key, value in da.attrs.items() if key != FINGERPRINT}
    if writing.fingerprint:
        attrs[FINGERPRINT] = writing.fingerprint
    return _Files(folder, max(3, len(str(da.sizes["time"]))), records, attrs, da.sizes["y"])


def _continues(folder: Path, fingerprint: str) -> bool:
    """Return whether a folder holds a frame that was made from the same."""
    if not folder.is_dir():
        return False
    frame = next(folder.glob("frame_*.png"), None)
    if frame is None:
        return False
    return read_record(frame, read_header(frame, TEXT_KEY)[1]).attrs.get(FINGERPRINT) == fingerprint


def _plain(value: np.generic) -> Any:
    """Return a number or text as JSON writes it; NaN as null."""
    plain = value.item()
    return None if isinstance(plain, float) and np.isnan(plain) else plain


def _recognise(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix.lower() == ".png"
    names = names_in(path)
    # Pictures beside sequences of another format only illustrate them.
    return any(name.lower().endswith(".png") for name in names) and not any(map(named_like_data, names))


def _is_ours(path: Path) -> bool:
    with Image.open(path, formats=["PNG"]) as image:
        return "mapping" in json.loads(image.info[TEXT_KEY])


PNG = Format(
    "png",
    "PNG",
    recognise=_recognise,
    open=lambda stored, reading: open_png(stored.path, reading, stored.files),
    write=in_parts(_begin),
    owns=Kind.of_frames("a folder of PNG frames", ".png", _is_ours),
    frame_suffix=".png",
    precisions=("rounded",),
    begin=_begin,
    continues=_continues,
)
