"""Palettes: colours of brightness temperatures, differences and methods in figures, page, film and viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.kelvin import CELSIUS_ZERO, GREY_KELVIN, INFRARED_KELVIN

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = ["DIFFERENCE", "DIFFERENCE_ON_DARK", "METHOD_COLOURS", "PALETTES", "Colour", "Palette"]

Colour = tuple[int, int, int]

VIOLET: Colour = (100, 56, 140)  # dull; unlike the colours of every palette but viridis


@dataclass(frozen=True)
class Palette:
    """Colours by kelvin: piecewise linear between stops, the outermost colours beyond them.

    Attributes
    ----------
    name : str
        Key in `PALETTES`.
    title : str
        Name for people.
    stops : tuple of (kelvin, (red, green, blue))
        From cold to warm. Two stops at one kelvin are a step; that kelvin itself has the warm side's colour.
    missing : (red, green, blue)
        The colour of NaN.
    """

    name: str
    title: str
    stops: tuple[tuple[float, Colour], ...]
    missing: Colour = VIOLET

    @property
    def limits(self) -> tuple[float, float]:
        """The coldest and the warmest kelvin of the palette."""
        return self.stops[0][0], self.stops[-1][0]

    def rgb(self, kelvin: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Colour an array of any shape (...) in kelvin as uint8 (..., 3)."""
        kelvin = np.asarray(kelvin, dtype=np.float64)
        at = np.array([stop for stop, _ in self.stops], dtype=np.float64)
        colours = np.array([colour for _, colour in self.stops], dtype=np.float64)
        missing = np.isnan(kelvin)
        inside = np.clip(np.where(missing, at[0], kelvin), at[0], at[-1])
        # Of two stops at one kelvin this chooses the warm side, so no segment has length 0.
        left = np.minimum(np.searchsorted(at, inside, side="right") - 1, len(at) - 2)
        share = (inside - at[left]) / (at[left + 1] - at[left])
        mixed = colours[left] + share[..., None] * (colours[left + 1] - colours[left])
        return np.where(missing[..., None], self.missing, np.rint(mixed)).astype(np.uint8)

    def colormap(self, levels: int = 512) -> Colormap:
        """Return the palette for matplotlib, whose norm has to span `limits`."""
        from matplotlib.colors import ListedColormap

        colours = self.rgb(np.linspace(*self.limits, levels)) / 255
        red, green, blue = (part / 255 for part in self.missing)
        return ListedColormap(list(map(tuple, colours)), name=self.name).with_extremes(bad=(red, green, blue))


def _grey(level: int) -> Colour:
    return level, level, level


def _bd() -> tuple[tuple[float, Colour], ...]:
    """Return the stops of the Dvorak BD curve from the limits (degrees Celsius) and greys of its parts."""
    limits = (-103.15, -80, -75, -69, -63, -53, -41, -30, 9, 28, 46.85)
    flat = (0x55, 0x87, 0xFF, 0x00, 0xA0, 0x6E, 0x3C)
    greys = (*((level, level) for level in flat), (0xC9, 0x6D), (0xF7, 0x03), (0x00, 0x00))
    parts = zip(limits[:-1], limits[1:], greys, strict=True)
    return tuple(
        (round(celsius + CELSIUS_ZERO, 2), _grey(level))
        for cold, warm, (first, last) in parts
        for celsius, level in ((cold, first), (warm, last))
    )


GREY = Palette("grey", "Grey, cold is white", ((GREY_KELVIN[0], _grey(255)), (GREY_KELVIN[1], _grey(0))))

BD = Palette("bd", "Dvorak BD curve", _bd())
"""The basic enhancement for hurricanes of Dvorak (1984), "Tropical cyclone intensity analysis using satellite data",
NOAA Technical Report NESDIS 11: the shades by which analysts read the temperature of an eye and of its wall. From warm
to cold: a ramp from black up to +9 C, a second one to off-white at -30 C, then flat dark, medium and light grey
(limits -41, -53, -63 C), black (to -69), white (to -75), cold medium grey (to -80) and cold dark grey. Limits as CIMSS
lists them (tropic.ssec.wisc.edu/misc/other/faq/faq_enhance.html), levels of grey as in TeraScan's table noaa_bd_151."""

INFRARED = Palette(
    "infrared",
    "Colour infrared",
    (
        (INFRARED_KELVIN[0], (255, 255, 255)),
        (190.0, (30, 4, 16)),
        (200.0, (176, 18, 34)),
        (207.0, (238, 112, 32)),
        (214.0, (252, 232, 76)),
        (222.0, (96, 196, 84)),
        (231.0, (26, 138, 190)),
        (240.0, (20, 44, 120)),
        (240.0, (214, 214, 214)),
        (INFRARED_KELVIN[1], (14, 14, 14)),
    ),
)
"""Grey for sea and low cloud; colours below 240 K: brighter from blue to yellow at 214 K, darker through red to nearly
black at 190 K, then white for overshooting tops."""

VIRIDIS = Palette(
    "viridis",
    "Cold cloud in viridis",
    (
        (190.0, (253, 231, 37)),
        (196.375, (173, 220, 48)),
        (202.75, (94, 201, 98)),
        (209.125, (40, 174, 128)),
        (215.5, (33, 145, 140)),
        (221.875, (44, 114, 142)),
        (228.25, (59, 82, 139)),
        (234.625, (71, 45, 123)),
        (241.0, (68, 1, 84)),
        (241.0, (217, 217, 217)),
        (305.0, (13, 13, 13)),
    ),
    (196, 40, 96),
)
"""Grey for sea and low cloud; below 241 K matplotlib's viridis, brighter with the cold, which people with any colour
vision can read."""

PALETTES: dict[str, Palette] = {palette.name: palette for palette in (GREY, BD, INFRARED, VIRIDIS)}
"""The palettes that a user can select, by name."""

DIFFERENCE = Palette(
    "difference",
    "Difference on a light page",
    (
        (-20.0, (8, 48, 107)),
        (-8.0, (66, 146, 198)),
        (0.0, (245, 245, 245)),
        (8.0, (239, 101, 72)),
        (20.0, (103, 0, 13)),
    ),
)

DIFFERENCE_ON_DARK = Palette(
    "difference-on-dark",
    "Difference on a dark page",
    (
        (-20.0, (214, 240, 255)),
        (-12.0, (84, 180, 240)),
        (-4.0, (26, 84, 150)),
        (0.0, (20, 24, 31)),
        (4.0, (150, 62, 20)),
        (12.0, (244, 150, 52)),
        (20.0, (255, 240, 200)),
    ),
)

METHOD_COLOURS = {
    "truth": "#16191d",
    "reconstructed": "#d9480f",
    "nearest": "#939ba5",
    "bicubic": "#1971c2",
    "back-projected bicubic": "#2b8a3e",
    "Wiener filter": "#7048e8",
}
"""Colour of each method's line on white."""
