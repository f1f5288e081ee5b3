"""Colour tables of the trade: which colour a brightness temperature has. Needs nothing but numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLOUR_TABLES", "Colour", "ColourTable"]

Colour = tuple[int, int, int]

MISSING: Colour = (100, 56, 140)  # a dull violet, which no table comes near
CELSIUS = 273.15


@dataclass(frozen=True)
class ColourTable:
    """Colours by kelvin: piecewise linear between stops, the outermost colours beyond them.

    Attributes
    ----------
    name : str
        Its key in `COLOUR_TABLES`.
    title : str
        For people.
    stops : tuple of (kelvin, (red, green, blue))
        From cold to warm. Two stops at one kelvin are a step; that kelvin itself has the warm side's colour.
    missing : (red, green, blue)
        The colour of NaN.
    """

    name: str
    title: str
    stops: tuple[tuple[float, Colour], ...]
    missing: Colour

    @property
    def limits(self) -> tuple[float, float]:
        """The coldest and the warmest kelvin of the table."""
        return self.stops[0][0], self.stops[-1][0]

    def rgb(self, kelvin: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Colour an array of any shape (...) in kelvin as uint8 (..., 3)."""
        kelvin = np.asarray(kelvin, dtype=np.float64)
        at = np.array([stop for stop, _ in self.stops], dtype=np.float64)
        colours = np.array([colour for _, colour in self.stops], dtype=np.float64)
        missing = np.isnan(kelvin)
        inside = np.clip(np.where(missing, at[0], kelvin), at[0], at[-1])
        # Of two stops at one kelvin the later one is the warm side, and no segment of length 0 is ever chosen.
        left = np.minimum(np.searchsorted(at, inside, side="right") - 1, len(at) - 2)
        share = (inside - at[left]) / (at[left + 1] - at[left])
        mixed = colours[left] + share[..., None] * (colours[left + 1] - colours[left])
        return np.where(missing[..., None], self.missing, np.rint(mixed)).astype(np.uint8)


def _grey(level: int) -> Colour:
    return level, level, level


def _bd() -> tuple[tuple[float, Colour], ...]:
    """Stops of the Dvorak BD curve, from the limits (degrees Celsius) and greys (cold, warm side) of its parts."""
    limits = (-103.15, -80, -75, -69, -63, -53, -41, -30, 9, 28, 46.85)
    flat = (0x55, 0x87, 0xFF, 0x00, 0xA0, 0x6E, 0x3C)
    greys = (*((level, level) for level in flat), (0xC9, 0x6D), (0xF7, 0x03), (0x00, 0x00))
    parts = zip(limits[:-1], limits[1:], greys, strict=True)
    return tuple(
        (round(celsius + CELSIUS, 2), _grey(level))
        for cold, warm, (first, last) in parts
        for celsius, level in ((cold, first), (warm, last))
    )


GREY = ColourTable("grey", "Grey, cold is white", ((170.0, _grey(255)), (320.0, _grey(0))), MISSING)

BD = ColourTable("bd", "Dvorak BD curve", _bd(), MISSING)
"""The basic enhancement for hurricanes of Dvorak (1984), "Tropical cyclone intensity analysis using satellite data",
NOAA Technical Report NESDIS 11: the shades by which analysts read the temperature of an eye and of its wall. From warm
to cold: a ramp from black up to +9 C, a second one to off-white at -30 C, then flat dark, medium and light grey
(limits -41, -53, -63 C), black (to -69), white (to -75), cold medium grey (to -80) and cold dark grey. Limits as CIMSS
lists them (tropic.ssec.wisc.edu/misc/other/faq/faq_enhance.html), levels of grey as in TeraScan's table noaa_bd_151."""

INFRARED = ColourTable(
    "infrared",
    "Colour infrared",
    (
        (170.0, (255, 255, 255)),
        (190.0, (30, 4, 16)),
        (200.0, (176, 18, 34)),
        (207.0, (238, 112, 32)),
        (214.0, (252, 232, 76)),
        (222.0, (96, 196, 84)),
        (231.0, (26, 138, 190)),
        (240.0, (20, 44, 120)),
        (240.0, (214, 214, 214)),
        (310.0, (14, 14, 14)),
    ),
    MISSING,
)
"""Grey for sea and low cloud as in any infrared picture; colours for what is colder than 240 K: brighter from blue to
yellow at 214 K, darker through red to nearly black at 190 K, then white for tops that overshoot."""

COLOUR_TABLES: dict[str, ColourTable] = {table.name: table for table in (GREY, BD, INFRARED)}
