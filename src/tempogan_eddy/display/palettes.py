"""Palettes: colours of brightness temperatures, differences and methods in figures, page, film and viewer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.kelvin import CELSIUS_ZERO, GREY_KELVIN, INFRARED_KELVIN

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = [
    "DIFFERENCE",
    "DIFFERENCE_ON_DARK",
    "METHOD_COLOURS",
    "OTHER_COLOURS",
    "PALETTES",
    "PROBABILITY",
    "SPREAD",
    "Colour",
    "Palette",
    "method_colours",
]

Colour = tuple[int, int, int]

VIOLET: Colour = (100, 56, 140)  # dull; unlike the colours of every palette but viridis


@dataclass(frozen=True)
class Palette:
    """Colours by kelvin: piecewise linear between stops, the outermost colours beyond them.

    Stops (kelvin, colour) go from cold to warm. Two stops at one kelvin are a step; that kelvin itself has the warm
    side's colour.
    """

    name: str  # key in `PALETTES`
    title: str  # for people
    stops: tuple[tuple[float, Colour], ...]
    missing: Colour = VIOLET  # the colour of NaN

    @property
    def limits(self) -> tuple[float, float]:
        """The coldest and the warmest kelvin of the palette."""
        return self.stops[0][0], self.stops[-1][0]

    def rgb(self, kelvin: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Colour an array of any shape (...) in kelvin as uint8 (..., 3)."""
        at = [stop for stop, _ in self.stops]
        # Of two stops at one kelvin np.interp takes the latter, which has the warm side's colour.
        mixed = [np.interp(kelvin, at, channel) for channel in zip(*(colour for _, colour in self.stops), strict=True)]
        missing = np.isnan(kelvin)[..., None]
        return np.where(missing, self.missing, np.rint(np.stack(mixed, axis=-1))).astype(np.uint8)

    def colormap(self, levels: int = 512) -> Colormap:
        """Return the palette for matplotlib, whose norm has to span `limits`."""
        from matplotlib.colors import ListedColormap

        colours = self.rgb(np.linspace(*self.limits, levels)) / 255
        red, green, blue = (part / 255 for part in self.missing)
        return ListedColormap(list(map(tuple, colours)), name=self.name).with_extremes(bad=(red, green, blue))


def _grey(level: int) -> Colour:
    return level, level, level


def _ramp(cold: float, warm: float, colours: str) -> list[tuple[float, Colour]]:
    """Return equally spaced stops of colours in hexadecimal."""
    parts = [bytes.fromhex(colour) for colour in colours.split()]
    stops = np.linspace(cold, warm, len(parts)).tolist()
    return [(stop, (part[0], part[1], part[2])) for stop, part in zip(stops, parts, strict=True)]


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
        *_ramp(190.0, 241.0, "fde725 addc30 5ec962 28ae80 21918c 2c728e 3b528b 472d7b 440154"),
        (241.0, (217, 217, 217)),
        (305.0, (13, 13, 13)),
    ),
    (196, 40, 96),
)
"""Grey for sea and low cloud; below 241 K matplotlib's viridis, brighter with the cold, which people with any colour
vision can read."""

PALETTES: dict[str, Palette] = {palette.name: palette for palette in (INFRARED, GREY, BD, VIRIDIS)}
"""The palettes that a user can select, by name; the first is the default."""

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

SPREAD = Palette(
    "spread",
    "Spread of the members",
    (
        (0.0, (12, 14, 22)),
        (1.0, (42, 28, 84)),
        (2.5, (128, 36, 120)),
        (5.0, (226, 84, 96)),
        (8.0, (252, 178, 110)),
        (12.0, (255, 252, 214)),
    ),
)
"""Standard deviations in kelvin, brighter where the members differ more."""

PROBABILITY = Palette(
    "probability",
    "Share of the members",
    (
        (0.0, (12, 14, 22)),
        (10.0, (14, 52, 72)),
        (50.0, (22, 132, 128)),
        (90.0, (168, 224, 128)),
        (100.0, (252, 255, 226)),
    ),
)
"""Shares in percent, brighter where more members agree."""

METHOD_COLOURS = {
    "truth": "#16191d",
    "reconstructed": "#d9480f",
    "mean of reconstructed": "#c2255c",
    "nearest": "#939ba5",
    "bicubic": "#1971c2",
    "back-projected bicubic": "#2b8a3e",
    "Wiener filter": "#7048e8",
}
"""Colour of each method's line on white."""

OTHER_COLOURS = {"other-1": "#e8a200", "other-2": "#15aabf", "other-3": "#8a5a2b", "other-4": "#74b816"}
"""Colours of methods with names of their own, in their order, by the variable of the page's style sheet."""


def method_colours(methods: Iterable[str]) -> dict[str, str]:
    """Return the colour of each method; those with names of their own take `OTHER_COLOURS` in turn."""
    others = itertools.cycle(OTHER_COLOURS.values())
    return {name: METHOD_COLOURS.get(name) or next(others) for name in methods}
