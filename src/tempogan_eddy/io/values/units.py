"""Units of temperature in the spellings of real archives: one rule for all readers."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["KELVIN", "Conversion", "kelvin_conversion", "text_of", "words_of"]


@dataclass(frozen=True)
class Conversion:
    """Conversion of a unit to kelvin: ``scale * value + offset``."""

    scale: float = 1.0
    offset: float = 0.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return values in kelvin; the same object if they are in kelvin already."""
        if self.scale != 1.0:
            values = values * self.scale
        return values + self.offset if self.offset else values

    @property
    def is_kelvin(self) -> bool:
        """Whether the unit is kelvin itself or a decimal part of it."""
        return self.offset == 0.0


KELVIN = Conversion()
CELSIUS = Conversion(offset=273.15)
FAHRENHEIT = Conversion(5 / 9, 459.67 * 5 / 9)

# Lower-case names without "degree", from UDUNITS and pint, and misspellings found in files.
NAMES = {
    **dict.fromkeys(("k", "kelvin", "kelvins", "\u212a"), KELVIN),
    **dict.fromkeys(("c", "celsius", "celcius", "centigrade", "\u2103"), CELSIUS),
    **dict.fromkeys(("f", "fahrenheit", "farenheit", "\u2109"), FAHRENHEIT),
}
DEGREE = re.compile(r"(degrees|degree|degs|deg|\u00b0|\u00ba|\u02da|^o(?=[ckf]$))[ _.]*")
NUMBER = r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
FACTOR = re.compile(rf"{NUMBER}[ *_]*(.+)")
# "K*100" says that stored numbers are kelvin times 100, "K/100" the same by UDUNITS: temperatures are stored in parts
# of a kelvin, never in multiples.
PARTS = re.compile(rf"(.+?)[ (\[]*[*x\u00d7/] ?{NUMBER}")
POWER = re.compile(r"10(?:\^|\*\*|(?=[+-]\d))(?=[+-]?\d)")  # 10^-2, 10**-2, 10-2
PREFIXES = {"milli": 1e-3, "m": 1e-3, "centi": 1e-2, "c": 1e-2, "deci": 1e-1, "d": 1e-1}


def text_of(value: Any) -> str:
    """Return an attribute as text: bytes decoded, an array of one text unpacked, blanks and NULs stripped."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \t\r\n\0")


def words_of(value: Any) -> list[str]:
    """Return the words of an attribute that lists some, between blanks or commas or as texts of their own."""
    return [word for text in np.ravel(value) for word in text_of(text).replace(",", " ").split()]


def kelvin_conversion(units: Any) -> Conversion | None:
    """Return the conversion of units to kelvin, or None if they are no temperature.

    Units are for example ``K``, ``K (kelvin)``, ``[K]``, ``degrees_kelvin``, ``degC``, ``0.01 K``, ``K*100``. Case,
    blanks, brackets, and an explanation in brackets do not count.
    """
    text = text_of(units).replace("\u00c2\u00b0", "\u00b0").lower()  # UTF-8 that was read as Latin-1
    text = POWER.sub("1e", re.sub(r"\s+", " ", text.rstrip(".").strip("[](){}<>\"' ")))
    explained = re.fullmatch(r"([^(\[]*[^(\[ ]) *[(\[](?![*x\u00d7/] ?[\d.])([^()\[\]]*)[)\]]?", text)
    if explained:  # "k (kelvin)", "brightness temperature [k]"
        inside, outside = _conversion(explained[2]), _conversion(explained[1])
        return None if outside and inside and outside != inside else outside or inside
    return _conversion(text)


def _conversion(text: str) -> Conversion | None:
    text = text.lstrip(" _").rstrip(" _.")
    if factor := FACTOR.fullmatch(text):
        return _scaled(_conversion(factor[2]), float(factor[1]))
    if parts := PARTS.fullmatch(text):
        number = float(parts[2])
        return _scaled(_conversion(parts[1]), min(number, 1 / number)) if number else None
    if named := NAMES.get(DEGREE.sub("", text, count=1).strip()):
        return named
    for prefix, number in PREFIXES.items():
        if text.removeprefix(prefix) in ("k", "kelvin", "kelvins") and text.startswith(prefix):
            return Conversion(number)
    return None


def _scaled(inner: Conversion | None, factor: float) -> Conversion | None:
    scale = factor * (inner.scale if inner else np.nan)
    return Conversion(scale, inner.offset) if inner and 0 < scale < np.inf else None
