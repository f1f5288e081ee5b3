"""Pictures of a film: panels with labels, the time, a legend in kelvin."""

from functools import cached_property, lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tempogan_eddy.display.film import Film, resample
from tempogan_eddy.display.lettering import font_of, shortened, undrawable
from tempogan_eddy.display.map_overlay import COAST, map_overlay
from tempogan_eddy.display.palettes import PALETTES, Palette
from tempogan_eddy.display.words import minute_text
from tempogan_eddy.errors import InputError

__all__ = ["Animation"]

GROUND, LINE, FAINT, TEXT = (13, 16, 21), (42, 48, 58), (140, 149, 163), (232, 236, 242)
MOST_COLUMNS = 4
SMALLEST_PANEL = 48
LEGEND_STEP = 20  # kelvin between two ticks

LONGEST_SIDE = 16383  # px, of WebP

# Pixels at a width of 1200; all of them grow with the picture.
MARGIN, GAP, HEADER, LABEL, FOOTER, CREDIT = 22, 12, 54, 28, 62, 24


class Animation:
    """Pictures of a film over time, at most this wide; pixels are enlarged by whole numbers.

    The crop (top, left, height, width), in pixels of the finest panel, is the whole frame by default. The credit, the
    source of the data, is printed at the foot.

    Raise `InputError` if the crop lies outside the frame, the width leaves no room for the panels, or a label or the
    credit has letters that the built-in font lacks.
    """

    def __init__(
        self,
        film: Film,
        *,
        palette: Palette = PALETTES["infrared"],
        width: int = 1200,
        crop: tuple[int, int, int, int] | None = None,
        credit: str = "",
    ) -> None:
        self.film, self.palette, self.credit = film, palette, credit
        self.window = top, left, tall, wide = crop or (0, 0, *film.size)
        if min(top, left) < 0 or min(tall, wide) < 1 or top + tall > film.size[0] or left + wide > film.size[1]:
            raise InputError(
                f"The crop {','.join(map(str, self.window))} (top, left, height, width) does not lie in the frame "
                f"of {film.size[0]}x{film.size[1]} pixels."
            )
        for text in (*(panel.label for panel in film.panels), credit):
            if lacking := undrawable(text):
                raise InputError(
                    f"The built-in font has no {lacking!r}, so {text!r} cannot be drawn; write plain Latin letters."
                )
        self._map = lru_cache(maxsize=1)(self._draw_map)
        self.unit = min(1.6, max(0.7, width / 1200))
        count = len(film.panels)
        # If one row would be too long, a square of panels.
        self.columns = count if count <= MOST_COLUMNS else ceil(count**0.5)
        self.rows = ceil(count / self.columns)
        self.shown = self._panel_size(width)
        across = 2 * self._px(MARGIN) + self.columns * (self.shown[1] + self._px(GAP)) - self._px(GAP)
        down = self._px(HEADER) + self.rows * (self._px(LABEL) + self.shown[0] + self._px(GAP)) - self._px(GAP)
        self._foot = self._px(FOOTER) + (self._px(CREDIT) if credit else 0)  # legend and credit
        down += self._foot
        self.size = (across + across % 2, down + down % 2)  # video formats need even sides
        if max(self.size) > LONGEST_SIDE:
            raise InputError(
                f"The pictures would have {self.size[0]}x{self.size[1]} pixels, but a side has {LONGEST_SIDE} at most; "
                "give a smaller --width or another --crop."
            )

    def __len__(self) -> int:
        return len(self.film.times)

    def picture(self, number: int) -> Image.Image:
        """Draw one time, as RGB."""
        picture = self._background.copy()
        draw = ImageDraw.Draw(picture)
        places = self.film.places
        overlay = self._map(0 if places.fixed else number) if places else None
        for index, panel in enumerate(self.film.panels):
            kelvin = resample(panel.frame(number), self.film.size, self.window, self.shown)
            picture.paste(Image.fromarray((panel.palette or self.palette).rgb(kelvin)), self._corner(index))
            if overlay:
                picture.paste(overlay, self._corner(index), overlay)
        self._draw_time(draw, number)
        return picture

    def _draw_map(self, number: int) -> Image.Image:
        """Draw the map lines at a time, to paste over every panel."""
        assert self.film.places is not None
        return map_overlay(self.film.places.lines(number), self.window, self.shown, self.unit)

    @cached_property
    def _background(self) -> Image.Image:
        """Labels and legend, which are the same at all times."""
        picture = Image.new("RGB", self.size, GROUND)
        draw = ImageDraw.Draw(picture)
        font = font_of(self._px(16))
        for index, panel in enumerate(self.film.panels):
            left, top = self._corner(index)
            text = shortened(panel.label, font, self.shown[1])
            draw.text((left, top - self._px(8)), text, TEXT, font, anchor="ls")
        self._draw_legend(picture, draw)
        return picture

    def _draw_time(self, draw: ImageDraw.ImageDraw, number: int) -> None:
        """Draw the time at the left, the storm at the right, and a progress bar below them."""
        margin, line = self._px(MARGIN), self._px(HEADER) - self._px(16)
        time = minute_text(self.film.times[number]).replace(" ", "  ")
        large, small = font_of(self._px(23)), font_of(self._px(15))
        draw.text((margin, line), time, TEXT, large, anchor="ls")
        after = margin + draw.textlength(time, large)
        draw.text((after + self._px(7), line), "UTC", FAINT, small, anchor="ls")
        note = self.film.notes[number] if self.film.notes else ""
        words = "  ·  ".join(filter(None, (self.film.title, note)))
        draw.text((self.size[0] - margin, line), words, FAINT, small, anchor="rs")
        y, right = line + self._px(10), self.size[0] - margin
        draw.line((margin, y, right, y), LINE)
        draw.line((margin, y, margin + (right - margin) * (number + 1) // len(self), y), FAINT)

    def _draw_legend(self, picture: Image.Image, draw: ImageDraw.ImageDraw) -> None:
        low, high = self.palette.limits
        margin, small = self._px(MARGIN), font_of(self._px(13))
        width = min(self.size[0] - 2 * margin - self._px(100), self._px(520))
        left, top = self.size[0] - margin - width, self.size[1] - self._foot + self._px(16)
        bar = width - round(draw.textlength("K", small)) - self._px(20)
        band = self.palette.rgb(np.tile(np.linspace(low, high, bar), (self._px(12), 1)))
        picture.paste(Image.fromarray(band), (left, top))
        below = top + self._px(12)
        for tick in range(ceil(low / LEGEND_STEP) * LEGEND_STEP, int(high) + 1, LEGEND_STEP):
            x = left + round((tick - low) / (high - low) * (bar - 1))
            draw.line((x, below, x, below + self._px(4)), FAINT)
            draw.text((x, below + self._px(19)), str(tick), FAINT, small, anchor="ms")
        draw.text((left + width, below + self._px(19)), "K", FAINT, small, anchor="rs")
        self._draw_foot(draw, top, small)

    def _draw_foot(self, draw: ImageDraw.ImageDraw, top: int, font: ImageFont.FreeTypeFont) -> None:
        """Draw the colour of missing pixels at the left of the legend, and the credit below it."""
        margin, side = self._px(MARGIN), self._px(12)
        draw.rectangle((margin, top, margin + side - 1, top + side - 1), self.palette.missing)
        draw.text((margin + side + self._px(7), top + side - 1), "missing", FAINT, font, anchor="ls")
        if self.credit:
            text = shortened(self.credit, font, self.size[0] - 2 * margin)
            draw.text((margin, self.size[1] - self._px(16)), text, FAINT, font, anchor="ls")

    def _corner(self, index: int) -> tuple[int, int]:
        """Return left and top of the picture of a panel."""
        row, column = divmod(index, self.columns)
        left = self._px(MARGIN) + column * (self.shown[1] + self._px(GAP))
        return left, self._px(HEADER) + self._px(LABEL) + row * (self.shown[0] + self._px(LABEL) + self._px(GAP))

    def _panel_size(self, width: int) -> tuple[int, int]:
        room = (width - 2 * self._px(MARGIN) - (self.columns - 1) * self._px(GAP)) // self.columns
        if room < SMALLEST_PANEL:
            raise InputError(
                f"A width of {width} pixels leaves no room for {self.columns} panels; give a larger --width."
            )
        height, wide = self.window[2:]
        if room >= wide:
            return height * (room // wide), wide * (room // wide)
        return max(1, round(height * room / wide)), room

    def _px(self, length: float) -> int:
        return round(length * self.unit)


def colours_of_text() -> NDArray[np.uint8]:
    """Return the shades (n, 3) of text, lines and coasts, which a palette does not have."""
    shades = [np.linspace(GROUND, colour, count) for colour, count in ((TEXT, 16), (COAST[:3], 8))]
    return np.concatenate(shades).round().astype(np.uint8)
