"""Animations as files: WebP, GIF, animated PNG by pillow, MP4 by OpenCV."""

import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from tempogan_eddy.display.animation import Animation, colours_of_text
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import require_space, written_aside
from tempogan_eddy.io.ownership import Kind, check_place, is_mark, mark

__all__ = ["ANIMATION", "MOVIE_SUFFIXES", "check_name", "is_film", "opencv", "save_animation"]

MOVIE_SUFFIXES = (".webp", ".gif", ".png", ".mp4")
LOSSLESS = 100


def save_animation(
    animation: Animation,
    path: str | Path,
    *,
    fps: float = 6.0,
    quality: int = 80,
    overwrite: bool = False,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Path:
    """Write an animation that repeats for ever, drawing one picture at a time.

    MP4 and WebP keep one picture in memory; for GIF and PNG pillow keeps the changes between pictures.

    Parameters
    ----------
    path
        ``*.webp``, ``*.gif``, ``*.png`` (animated PNG) or ``*.mp4``; with `overwrite`, any file is replaced.
    fps, quality
        Pictures per second; quality of WebP: 1 to 99, or 100 for exact colours.
    on_frame
        Called with the number of pictures drawn so far.

    Raises
    ------
    InputError
        If the suffix is another, the file cannot be written, or this OpenCV writes no MP4.
    """
    path = Path(path)
    suffix = check_name(path, overwrite=overwrite)
    with written_aside(path, ANIMATION, overwrite=overwrite) as partial:
        if suffix == ".mp4":
            _write_video(animation, partial, fps, on_frame)
        else:
            picture = _moving_picture(animation, on_frame, _gif_colours(animation) if suffix == ".gif" else None)
            picture.save(partial, save_all=True, duration=round(1000 / fps), loop=0, **_options(suffix, quality))
    return path


def _moving_picture(animation: Animation, on_frame: Callable[[int], None], colours: Image.Image | None) -> Image.Image:
    """Return a picture that pillow saves frame by frame: `seek` draws a frame over the one before.

    A list of pictures, as pillow expects it, would keep all of them in memory.
    """
    picture = Image.new("RGB", animation.size) if colours is None else colours.resize(animation.size)
    at, told = -1, 0

    def seek(frame: int) -> None:
        nonlocal at, told
        if frame >= len(animation):
            raise EOFError
        if frame == at:
            return
        at, drawn = frame, animation.picture(frame)
        picture.paste(drawn if colours is None else drawn.quantize(palette=colours, dither=Image.Dither.NONE))
        # Pillow returns to the first frame at the end, and passes twice over all before it writes a PNG.
        if frame >= told:
            told = frame + 1
            on_frame(told)

    vars(picture).update(n_frames=len(animation), is_animated=len(animation) > 1, seek=seek, tell=lambda: at)
    seek(0)
    return picture


def check_name(path: Path, *, overwrite: bool = False, sources: Iterable[Path] = ()) -> str:
    """Return the suffix of a file to write an animation to, if `check_place` allows it."""
    suffix = path.suffix.lower()
    if suffix not in MOVIE_SUFFIXES:
        raise InputError(f"{path} does not end in {', '.join(MOVIE_SUFFIXES)}; give the animation such a name.")
    check_place(path, ANIMATION, overwrite=overwrite, sources=sources)
    return suffix


def opencv() -> Any:
    """Return OpenCV with its own messages about damaged films switched off."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # of the FFmpeg in it, which reads this once
    import cv2

    cv2.utils.logging.setLogLevel(0)
    return cv2


def is_film(path: Path) -> bool:
    """Return whether a file begins like MP4."""
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _is_animation(path: Path) -> bool:
    if is_film(path):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 100))
            return is_mark(file.read().rpartition(b"free")[2], "animation")
    with Image.open(path) as picture:
        return is_mark(picture.info[_MARKS[picture.format]], "animation")


ANIMATION = Kind("an animation", _is_animation)

# Pillow's name of the text that each format can hold.
_MARKS: dict[str | None, str] = {"GIF": "comment", "PNG": "Software", "WEBP": "xmp"}


def _options(suffix: str, quality: int) -> dict[str, Any]:
    if suffix == ".webp":
        exact = quality >= LOSSLESS
        compression = {"lossless": exact, "quality": 70 if exact else quality, "method": 4, "minimize_size": False}
        return {"format": "WEBP", "xmp": mark("animation").encode(), **compression}
    if suffix == ".gif":
        return {"format": "GIF", "optimize": False, "comment": mark("animation").encode()}
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", mark("animation"))
    return {"format": "PNG", "pnginfo": text}


def _gif_colours(animation: Animation) -> Image.Image:
    """Return one palette for the whole GIF: colours adapted to each picture would flicker."""
    palette, text = animation.palette, colours_of_text()
    palettes = dict.fromkeys([palette, *(panel.palette for panel in animation.film.panels if panel.palette)])
    count = (255 - len(text)) // len(palettes)
    ramps = [one.rgb(np.linspace(*one.limits, count)) for one in palettes]
    picture = Image.new("P", (1, 1))
    picture.putpalette(np.concatenate([*ramps, text, [palette.missing]]).astype(np.uint8).tobytes())
    return picture


def _write_video(animation: Animation, path: Path, fps: float, on_frame: Callable[[int], None]) -> None:
    cv2 = opencv()
    # OpenCV selects the container by the name.
    named = path.with_name(f"{path.name}.mp4")
    writer = cv2.VideoWriter(str(named), cv2.VideoWriter.fourcc(*"mp4v"), fps, animation.size)
    try:
        if not writer.isOpened():
            require_space(named, 0)
            raise InputError("This OpenCV cannot write MP4; write .webp instead.")
        for number in range(len(animation)):
            pixels = np.asarray(animation.picture(number))[..., ::-1].copy()
            # OpenCV does not report a failed write; a frame takes at most the space of its colours.
            require_space(named, pixels.nbytes // 2)
            writer.write(pixels)
            on_frame(number + 1)
        writer.release()
        _check_film(named, len(animation))
        with named.open("ab") as file:
            text = mark("animation").encode()
            file.write(struct.pack(">I4s", len(text) + 8, b"free") + text)  # a box that players skip
        named.replace(path)
    finally:
        writer.release()
        named.unlink(missing_ok=True)


def _check_film(path: Path, frames: int) -> None:
    """Count the frames of a written film, because OpenCV does not report a failed write."""
    film = opencv().VideoCapture(str(path))
    found = 0
    while film.grab():
        found += 1
    film.release()
    if found != frames:
        raise OSError(f"{found} of {frames} frames can be read again")
