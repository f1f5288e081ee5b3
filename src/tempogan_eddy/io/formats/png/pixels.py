"""Read the pixels of a PNG file exactly: grey levels, the level of white, and transparent pixels.

Every kind of PNG that holds grey is read: 1, 2, 4, 8 and 16 bits, a grey palette, grey stored as colour. Pillow only
decodes the pixels. This module reads the file around them, because Pillow does not check the checksums of the pixels,
cuts 16-bit colour to 8 bits, and prints warnings.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import PngImagePlugin

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.hdf5_guard import check_claim
from tempogan_eddy.io.files.walk import refuse_special

__all__ = ["WHITE", "Pixels", "read_header", "read_pixels"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8)}
DECODED = (b"IHDR", b"PLTE", b"IDAT")  # the chunks that Pillow gets

WHITE = 65535  # of 16 bits

LARGEST_PACKING = 1032  # of deflate
LARGEST_SEEN_PACKING = 200  # of clouds; a large frame beyond it would take memory and show one grey
SMALL_FRAME_BYTES = 64 << 20
LARGEST_TEXT = 1 << 20

OTHERS = {
    b"\xff\xd8": "a JPEG image, whose values are inexact",
    **{b"GIF8": "a GIF image", b"BM": "a BMP image", b"RIFF": "a WebP image", b"P5": "a PGM image"},
    **dict.fromkeys((b"II*\0", b"MM\0*"), "a TIFF image"),
}


@dataclass(frozen=True)
class Pixels:
    """Grey levels (rows, columns) in uint8 or uint16, the level of white, and which pixels are transparent."""

    levels: np.ndarray
    white: int
    transparent: np.ndarray | None


def read_header(path: Path, key: str) -> tuple[tuple[int, int], str | None]:
    """Return a PNG's rows and columns, and its text under a key.

    Raise `InputError` for another format, an animation, and more pixels than the file can hold.
    """
    size, text = None, None
    for kind, content in _chunks(path, stop=b"IDAT"):
        if kind == b"IHDR":
            size = _size(path, content)
        elif kind in (b"tEXt", b"iTXt"):
            text = _text(kind, content, key) or text
    if size is None:
        raise _damaged(path, "it has no header")
    return size[:2], text


def read_pixels(path: Path) -> Pixels:
    """Return a PNG's grey levels; raise `InputError` if it is coloured or damaged, by as little as one bit."""
    chunks = list(_chunks(path))
    parts = dict(chunks)
    if b"IHDR" not in parts or b"IDAT" not in parts:
        raise _damaged(path, "it has no pixels")
    rows, columns, bits, kind, interlace = _size(path, parts[b"IHDR"])
    header = parts[b"IHDR"]
    if (bits, kind) == (16, GREY_ALPHA):
        # Pillow keeps all four bytes of a pixel if it takes them for red, green, blue and alpha.
        header = struct.pack(">IIBBBBB", columns, rows, 8, COLOUR_ALPHA, 0, 0, interlace)
    kept = [(name, header if name == b"IHDR" else content) for name, content in chunks if name in DECODED]
    file = SIGNATURE + b"".join(_chunk(name, content) for name, content in [*kept, (b"IEND", b"")])
    try:
        values = _decode(file)
        if (bits, kind) == (16, GREY_ALPHA):
            values = values[..., ::2].astype(np.uint16) << 8 | values[..., 1::2]
        elif bits == 16 and kind in (COLOUR, COLOUR_ALPHA):
            low = _decode(file, "RGB;16L" if kind == COLOUR else "RGBA;16L")
            values = values.astype(np.uint16) << 8 | low
    except Exception as error:  # Pillow raises any of a dozen for a damaged file
        raise _damaged(path, str(error)) from error
    values = values.reshape(rows, columns, -1)
    white = WHITE if bits == 16 else 255
    if kind == PALETTE:
        return _from_palette(path, values[..., 0], parts)
    transparent = values[..., -1] == 0 if kind in (GREY_ALPHA, COLOUR_ALPHA) else None
    colours = values[..., : 3 if kind in (COLOUR, COLOUR_ALPHA) else 1]
    if (key := parts.get(b"tRNS")) and transparent is None:
        level = np.frombuffer(key[: len(key) // 2 * 2], ">u2")[: colours.shape[-1]] & (2**bits - 1)
        # Pillow spreads levels of 1, 2 and 4 bits over 0 to 255; the key is in the file's own levels.
        transparent = (colours == level * (255 // (2**bits - 1) if bits < 8 else 1)).all(axis=-1)
    return Pixels(_grey(path, colours, transparent), white, transparent)


def _from_palette(path: Path, numbers: np.ndarray, parts: dict[bytes, bytes]) -> Pixels:
    palette = parts.get(b"PLTE", b"")
    entries = np.frombuffer(palette[: len(palette) // 3 * 3], np.uint8).reshape(-1, 3)
    if numbers.max() >= len(entries):
        raise _damaged(path, "its palette is too short")
    transparent = np.frombuffer(parts.get(b"tRNS", b"").ljust(256, b"\xff"), np.uint8)[numbers] == 0
    return Pixels(_grey(path, entries[numbers], transparent), 255, transparent)


def _grey(path: Path, colours: np.ndarray, transparent: np.ndarray | None) -> np.ndarray:
    """Return the common level of the colours of each pixel; ignore the colours of transparent pixels."""
    if colours.shape[-1] > 1:
        coloured = (colours != colours[..., :1]).any(axis=-1)
        if (coloured if transparent is None else coloured & ~transparent).any():
            raise InputError(f"{path} is coloured, but grey stands for kelvin; export the data, not their picture.")
    return colours[..., 0]


def _decode(file: bytes, raw_mode: str | None = None) -> np.ndarray:
    """Return the pixels as Pillow decodes them; a raw mode with 16L selects the low bytes of 16-bit values."""
    with PngImagePlugin.PngImageFile(io.BytesIO(file)) as image:
        if raw_mode:
            name, extents, offset, _ = image.tile[0]
            image.tile = [(name, extents, offset, raw_mode)]  # type: ignore[list-item]  # a plain tuple before Pillow 11
        image.load()
        return np.asarray(image) if image.mode != "1" else np.asarray(image.convert("L"))


def _chunks(path: Path, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Yield a PNG's chunks with verified checksums, to its end or before the first one of a kind."""
    refuse_special(path)
    try:
        with path.open("rb") as file:
            yield from _walk(path, file, path.stat().st_size, stop)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); replace or remove it.") from error


def _walk(path: Path, file: BinaryIO, size: int, stop: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    start = file.read(len(SIGNATURE))
    if start != SIGNATURE:
        known = next((kind for magic, kind in OTHERS.items() if start.startswith(magic)), None)
        other = "something else" if start else "empty"
        remedy = f"{known}; export the frame again as PNG or NetCDF" if known else f"{other}; replace or remove it"
        raise InputError(f"{path} is not a PNG image but {remedy}.")
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == stop:
            return
        if length + 4 > size - file.tell():
            raise _damaged(path, "it is cut short")
        content = file.read(length)
        if zlib.crc32(kind + content) != int.from_bytes(file.read(4), "big"):
            raise _damaged(path, f"the checksum of its part {kind.decode('ascii', 'replace')} is wrong")
        if kind == b"acTL":
            raise InputError(f"{path} is an animation; save each of its frames as one PNG.")
        yield kind, content
        if kind == b"IEND":
            return
    raise _damaged(path, "it is cut short")


def _size(path: Path, header: bytes) -> tuple[int, int, int, int, int]:
    """Return rows, columns, bits, kind and interlacing; refuse an invalid header and more than the file can hold."""
    if len(header) != 13:
        raise _damaged(path, "its header has another length")
    columns, rows, bits, kind, packing, filters, interlace = struct.unpack(">IIBBBBB", header)
    if not rows or not columns or bits not in DEPTHS.get(kind, (8, 16) if kind in CHANNELS else ()):
        raise _damaged(path, f"its header says {columns}x{rows} pixels of {bits} bits and kind {kind}")
    if packing or filters or interlace > 1:
        raise _damaged(path, "its header names an unknown method")
    check_claim(path, (rows, columns), 1)
    size, held = rows * ((columns * CHANNELS[kind] * bits + 7) // 8), path.stat().st_size
    if size > held * (LARGEST_SEEN_PACKING if size > SMALL_FRAME_BYTES else LARGEST_PACKING):
        raise InputError(
            f"{path} claims {columns}x{rows} pixels ({size / 1e6:.1f} MB), which a file of {held / 1e3:.1f} kB "
            "does not hold; replace or remove it."
        )
    return rows, columns, bits, kind, interlace


def _text(kind: bytes, content: bytes, key: str) -> str | None:
    """Return a chunk's text if its key is the given one."""
    name, _, rest = content.partition(b"\0")
    if name != key.encode():
        return None
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
        if packed:
            try:
                rest = zlib.decompressobj().decompress(rest, LARGEST_TEXT)
            except zlib.error:
                rest = b"damaged"
    return rest.decode(errors="replace")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"{path} cannot be read as PNG ({why}); replace or remove it.")
