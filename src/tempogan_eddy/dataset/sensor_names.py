"""Find the preset of a file by the archive, instrument or satellite that it names."""

import re
from typing import Any

import xarray as xr

__all__ = ["named_preset", "named_presets", "preset_of", "said_of_sensor"]

TELLING = re.compile("instrument|platform|satellite|mission|^sensor([_ ]?(name|id))?$", re.IGNORECASE)
"""Attributes whose names fit say which instrument it was; satpy calls it ``sensor``."""

ARCHIVES = ("title", "id", "product", "summary")
"""Attributes that may name an archive, which comes before the satellites that it was made from."""

# Spellings of archives, instruments and satellites, in lower case and without spaces, hyphens, underscores and zeros in
# front of a number.
NAMES = (
    ("gridsat", r"gridsat"),
    ("hursat", r"hursat"),
    ("isccp-dx", r"isccp(dx|b3)"),
    ("merged-ir", r"cpc4kmglobal|merg(ed)?ir"),
    ("seviri", r"seviri|(meteosat|msg|met)([89]|1[01])(?!\d)|msg[1-4](?!\d)"),
    ("abi", r"(?<![a-z])abi(?![a-z])|goes1[6-9](?!\d)|(?<![a-z])g1[6-9](?!\d)"),
    ("ahi", r"(?<![a-z])ahi(?![a-z])|himawari[89](?!\d)|hmw[89](?!\d)"),
    ("goes-imager", r"goes?([89]|1[0-5])(?!\d)"),
    ("vissr", r"gms[1-5](?!\d)"),
    ("jami", r"jami|mtsat1r|mts1(?!\d)"),
)


def said_of_sensor(sequence: xr.DataArray) -> dict[str, Any]:
    """Return the attributes that name an instrument or satellite, and the satellites of the frames."""
    said = {key: value for key, value in sequence.attrs.items() if TELLING.search(str(key))}
    if "satellite" in sequence.coords:
        said["satellite"] = ", ".join(sorted({str(name) for name in sequence["satellite"].values.ravel()}))
    return said


def named_preset(sequence: xr.DataArray) -> str | None:
    """Return the one preset that a file names; None where it names none, or several."""
    found = named_presets(sequence)
    return found[0] if len(found) == 1 else None


def named_presets(sequence: xr.DataArray) -> list[str]:
    """Return the presets that a file names, in alphabetical order.

    The preset describes how the named instrument sees, on its own grid. Frames that were put on another grid may say
    the same: compare it with the frames before it is used.

    Parameters
    ----------
    sequence
        Brightness temperature with the attributes of its file.
    """
    archive = _presets(sequence.attrs.get(key) for key in ARCHIVES) & {"gridsat", "hursat", "isccp-dx", "merged-ir"}
    return sorted(archive or _presets(said_of_sensor(sequence).values()))


def preset_of(text: str) -> str | None:
    """Return the one preset that a text names by its archive, instrument or satellite; None for none or several."""
    found = _presets([text])
    return found.pop() if len(found) == 1 else None


def _presets(texts: Any) -> set[str]:
    plain = [re.sub(r"[\s_-]+0*", "", str(text).lower()) for text in texts if text is not None]
    return {preset for preset, pattern in NAMES if any(re.search(pattern, text) for text in plain)}
