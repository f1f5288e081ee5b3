"""Coasts and the graticule as a transparent picture to paste over a frame."""

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from tempogan_eddy.display.coast import MapLine, Numbers
from tempogan_eddy.display.lettering import font_of

__all__ = ["COAST", "map_overlay"]

FINER, LARGEST = 3, 4000  # times, to draw smooth lines; px of a side drawn so, 64 MB
CASING, COAST, GRATICULE = (0, 0, 0, 140), (255, 233, 176, 255), (255, 255, 255, 72)
TEXT, OUTLINE = (223, 230, 238, 255), (0, 0, 0, 140)


def map_overlay(
    lines: Iterable[MapLine], window: tuple[int, int, int, int], shown: tuple[int, int], unit: float = 1.0
) -> Image.Image:
    """Draw map lines as RGBA.

    Parameters
    ----------
    lines
        In pixels of a frame, from `places_of`.
    window
        The part of the frame that the picture shows: top, left, height and width in the frame's pixels.
    shown
        Height and width of the picture.
    unit
        Width of a line in pixels of the picture.
    """
    scale = np.array([shown[1] / window[3], shown[0] / window[2]])
    placed = [(line, (line.points - (window[1], window[0])) * scale) for line in lines]
    finer = max(1, min(FINER, LARGEST // max(shown)))
    picture = Image.new("RGBA", (shown[1] * finer, shown[0] * finer))
    draw = ImageDraw.Draw(picture)
    for kind, colour, width in (("coast", CASING, 2.4), ("graticule", GRATICULE, 1.0), ("coast", COAST, 1.0)):
        for line, points in placed:
            if (line.kind == "coast") == (kind == "coast"):
                draw.line((points * finer).ravel().tolist(), colour, max(1, round(width * unit * finer)), joint="curve")
    picture = picture.resize((shown[1], shown[0]), Image.Resampling.BOX)
    draw = ImageDraw.Draw(picture)
    for line, points in placed:
        if line.label:
            _write(draw, line, points, shown, unit)
    return picture


def _write(draw: ImageDraw.ImageDraw, line: MapLine, points: Numbers, shown: tuple[int, int], unit: float) -> None:
    """Write the label of a line: at the left end of a parallel in the picture, at the lower end of a meridian."""
    seen = points[((points >= 0) & (points <= shown[::-1])).all(axis=1)]
    if not len(seen):
        return
    x, y = seen[seen[:, 0].argmin() if line.kind == "parallel" else seen[:, 1].argmax()]
    font = font_of(round(10 * max(unit, 1.0)))
    x = min(x + 3 * unit, shown[1] - font.getlength(line.label) - 2)
    draw.text((x, max(y - 3 * unit, 10 * unit)), line.label, TEXT, font, "ls", stroke_width=1, stroke_fill=OUTLINE)
