"""Animations as files: WebP, GIF, animated PNG by pillow, MP4 by OpenCV."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tempogan_eddy.display.animation import Animation, colours_of_text
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside

__all__ = ["MOVIE_SUFFIXES", "check_name", "save_animation"]

MOVIE_SUFFIXES = (".webp", ".gif", ".png", ".mp4")
LOSSLESS = 100


class _Pictures(Image.Image):
    """An animation as pillow reads one from a file: each picture is drawn when it is sought, and none is kept."""

    def __init__(self, animation: Animation, on_frame: Callable[[int], None], palette: Image.Image | None) -> None:
        super().__init__()
        self.animation, self.on_frame, self.palette_picture = animation, on_frame, palette
        self.n_frames = len(animation)
        self.is_animated = self.n_frames > 1
        self._at, self._told = -1, 0
        self.seek(0)

    def seek(self, frame: int) -> None:
        """Draw a picture."""
        if frame >= self.n_frames:
            raise EOFError
        if frame == self._at:
            return
        drawn = self.animation.picture(frame)
        if self.palette_picture is not None:
            drawn = drawn.quantize(palette=self.palette_picture, dither=Image.Dither.NONE)
            self.palette = drawn.palette
        # What pillow keeps of a picture: its pixels, mode and size.
        self.im, self._mode, self._size, self._at = drawn.im, drawn.mode, drawn.size, frame
        # Pillow returns to the first one at the end, and looks twice at all before it writes a PNG.
        if frame >= self._told:
            self._told = frame + 1
            self.on_frame(self._told)

    def tell(self) -> int:
        """The number of the picture that is drawn."""
        return self._at


def save_animation(
    animation: Animation,
    path: str | Path,
    *,
    fps: float = 6.0,
    quality: int = 80,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Path:
    """Write an animation that repeats for ever, drawing one picture at a time.

    MP4 and WebP hold no more than one picture in memory; for GIF and PNG pillow keeps what changes from one to the
    next.

    Parameters
    ----------
    path
        ``*.webp``, ``*.gif``, ``*.png`` (animated PNG) or ``*.mp4``.
    fps
        Pictures a second.
    quality
        Of WebP: 1 to 99, or 100 for exact colours.
    on_frame
        Called with the number of pictures drawn so far.

    Raises
    ------
    InputError
        If the suffix is none of these, the place cannot be written, or this OpenCV writes no MP4.
    """
    path = Path(path)
    suffix = check_name(path)
    with written_aside(path) as partial:
        if suffix == ".mp4":
            _write_video(animation, partial, fps, on_frame)
        else:
            palette = _palette(animation) if suffix == ".gif" else None
            pictures = _Pictures(animation, on_frame, palette)
            pictures.save(partial, save_all=True, duration=round(1000 / fps), loop=0, **_options(suffix, quality))
    return path


def check_name(path: Path) -> str:
    """The suffix of a file to write an animation to; nothing but an older animation is replaced."""
    suffix = path.suffix.lower()
    if suffix not in MOVIE_SUFFIXES:
        raise InputError(f"{path} does not end in {', '.join(MOVIE_SUFFIXES)}; give the animation such a name.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file.")
    if path.exists() and not _moves(path):
        raise InputError(f"{path} exists and is no animation; name another file.")
    return suffix


def is_film(path: Path) -> bool:
    """Whether a file begins as MP4 does."""
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _moves(path: Path) -> bool:
    """Whether a file is a film or a picture of several frames."""
    if path.suffix.lower() == ".mp4":
        return is_film(path)
    try:
        with Image.open(path) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except OSError:
        return False


def _options(suffix: str, quality: int) -> dict[str, Any]:
    if suffix == ".webp":
        exact = quality >= LOSSLESS
        return {
            "format": "WEBP",
            "lossless": exact,
            "quality": 70 if exact else quality,
            "method": 4,
            "minimize_size": False,
        }
    if suffix == ".gif":
        return {"format": "GIF", "optimize": False}
    return {"format": "PNG"}


def _palette(animation: Animation) -> Image.Image:
    """One palette for the whole GIF, from the colour table: colours adapted to each picture would flicker."""
    table, text = animation.table, colours_of_text()
    ramp = table.rgb(np.linspace(*table.limits, 255 - len(text)))
    colours = [tuple(map(int, colour)) for colour in ramp] + list(text) + [table.missing]
    palette = Image.new("P", (1, 1))
    palette.putpalette([level for colour in colours for level in colour])
    return palette


def _write_video(animation: Animation, path: Path, fps: float, on_frame: Callable[[int], None]) -> None:
    import cv2

    # OpenCV tells the container from the name.
    named = path.with_name(f"{path.name}.mp4")
    writer = cv2.VideoWriter(str(named), cv2.VideoWriter.fourcc(*"mp4v"), fps, animation.size)
    if not writer.isOpened():
        raise InputError("This OpenCV cannot write MP4; write .webp instead.")
    try:
        for number, picture in enumerate(animation):
            writer.write(np.asarray(picture)[..., ::-1].copy())
            on_frame(number + 1)
        writer.release()
        named.replace(path)
    finally:
        writer.release()
        named.unlink(missing_ok=True)
