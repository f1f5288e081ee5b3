"""Sensors as text: ``seviri``, ``gaussian,fwhm=1.0,noise=0.3``, ``gridsat,noise=0.2``.

A text names a preset or a kind; ``key=value`` parts set or change parameters. Keys are the fields of the class of the
sensor, with ``noise`` for ``noise_kelvin``: lengths in lowres pixels, temperatures in kelvin, wavelengths in µm.
"""

import difflib
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from tempogan_eddy.dataset.sensor_names import preset_of
from tempogan_eddy.dataset.sensor_presets import PRESETS
from tempogan_eddy.errors import InputError
from tempogan_eddy.registry import SENSORS

__all__ = ["KEY", "parse_sensor"]

FIELD = {"noise": "noise_kelvin"}
KEY = {field: key for key, field in FIELD.items()}


def parse_sensor(text: str) -> tuple[str, dict[str, Any]]:
    """Return the kind and the parameters that a text states.

    Raises
    ------
    InputError
        It names no preset or kind, or a part is not ``key=value`` with a key of the kind.
    """
    name, *parts = (part.strip() for part in text.split(","))
    if name in PRESETS and PRESETS[name].text != name:
        kind, parameters = parse_sensor(PRESETS[name].text)
    elif name in list(SENSORS):
        kind, parameters = name, {}
    else:
        raise InputError(
            f"The sensor {text!r} begins with no known name{_suggestion(name, [*PRESETS, *SENSORS])}; presets are "
            f"{', '.join(PRESETS)}, forms begin with {', '.join(SENSORS)}, e.g. gaussian,fwhm=1.0,noise=0.3."
        )
    known = _keys(kind)
    stated = set[str]()
    for part in parts:
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not value:
            raise InputError(f"The sensor {text!r} has the part {part!r}; write key=value, with {', '.join(known)}.")
        if key not in known:
            hint = _suggestion(key, known)
            raise InputError(f"The sensor {text!r} has the unknown key {key!r}{hint}; {kind} has {', '.join(known)}.")
        if key in stated:
            raise InputError(f"The sensor {text!r} states {key} twice; state it once.")
        stated.add(key)
        parameters[FIELD.get(key, key)] = _value(value)
    return kind, parameters


def _keys(kind: str) -> list[str]:
    """Return the keys that a kind knows."""
    unused = {"kind", "scale"} | (set() if SENSORS[kind].uses_sigma else {"sigma"})
    return [KEY.get(entry.name, entry.name) for entry in fields(SENSORS[kind]) if entry.name not in unused]


def _value(text: str) -> float | str:
    """Return a number where the text is one; the sensor checks it."""
    try:
        return float(text)
    except ValueError:
        return text


def _suggestion(word: str, known: Iterable[str]) -> str:
    """Return the known name that was probably meant: of any spelling, with more text behind it, or of a satellite."""
    plain = word.lower().replace("_", "-").replace(" ", "-")
    names = {name.lower().replace("_", "-"): name for name in known}
    preset = preset_of(word)
    close = [preset] if preset in names else difflib.get_close_matches(plain, list(names), n=1)
    close = close or [name for name in names if plain.startswith(name)]
    return f" (did you mean {names[close[0]]!r}?)" if close else ""
