"""Choose the variable of a file that is the brightness temperature."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.channel import preferred
from tempogan_eddy.io.count_table import kelvins_by_count
from tempogan_eddy.io.foreign import advice_for_variables
from tempogan_eddy.io.once import log_once
from tempogan_eddy.io.units import kelvin_conversion, text_of
from tempogan_eddy.wording import listed

__all__ = ["NoSequenceError", "choose_variable", "likeliest"]

log = logging.getLogger(__name__)

STANDARD_NAMES = {"brightness_temperature", "toa_brightness_temperature"}


class NoSequenceError(InputError):
    """A readable file in which no variable is a sequence of brightness temperature."""


def choose_variable(groups: Mapping[str, xr.Dataset], path: Path, variable: str | None) -> tuple[str, str]:
    """Return the group and the name of the brightness temperature, or of the `variable` named, perhaps ``group/name``.

    By default it is the variable with the standard name of a brightness temperature, else the one in kelvin, in the
    root ("") before the groups. Raise `NoSequenceError` if no variable fits, and `InputError` if the named one is
    missing or several fit equally.
    """
    images = {
        f"{group}/{name}" if group else str(name): (group, str(name), da)
        for group, dataset in groups.items()
        for name, da in dataset.data_vars.items()
        if da.ndim >= 2 and da.dtype.kind in "iuf"
    }
    if variable is not None:
        return _named(images, path, variable)
    in_root = {key: value for key, value in images.items() if not value[0]}
    for held in (in_root, images):
        if candidates := likeliest({key: da for key, (_, _, da) in held.items()}):
            best = preferred({key: images[key][2] for key in candidates})
            if best is None:
                raise _several(path, candidates)
            if others := [key for key in candidates if key != best]:
                unread = ", ".join(others)
                log_once(log.info, path, f"{best} is read, not {unread}; --variable (data.variable) chooses another")
            return images[best][:2]
    counted = {
        key: da
        for key, (group, name, da) in images.items()
        if da.dtype.kind in "iu" and kelvins_by_count(groups[group], name, path)
    }
    if counted:
        best = preferred(counted)
        if best is None:
            raise _several(path, list(counted))
        return images[best][:2]
    names = [name for dataset in groups.values() for name in dataset.variables]
    foreign = advice_for_variables(names, next(iter(groups.values())).attrs, path)
    raise NoSequenceError(str(foreign) if foreign else _none(path, images))


def likeliest(images: Mapping[str, xr.DataArray]) -> list[str]:
    """Return the variables with the clearest sign: a standard name, else kelvin, else degrees of a band."""
    tests = (_is_called_temperature, _is_kelvin, _is_temperature_of_a_band)
    found = ([name for name, da in images.items() if fits(name.rsplit("/", 1)[-1], da)] for fits in tests)
    return next(filter(None, found), [])


def _is_called_temperature(name: str, da: xr.DataArray) -> bool:
    stated = {text_of(da.attrs.get(key, "")).lower() for key in ("standard_name", "calibration")}  # the latter by satpy
    return bool(stated & STANDARD_NAMES)


def _is_kelvin(name: str, da: xr.DataArray) -> bool:
    conversion = kelvin_conversion(da.attrs.get("units", ""))
    described = _described(name, da, "long_name", "standard_name")
    spread = re.search("error|uncertainty|standard_deviation|std|spread|noise", described)
    return conversion is not None and conversion.is_kelvin and not spread


def _is_temperature_of_a_band(name: str, da: xr.DataArray) -> bool:
    """Return whether name or description call degrees Celsius or Fahrenheit a brightness temperature."""
    described = _described(name, da, "long_name", "description")
    called = re.search(r"brightness|infrared|(?<![a-z])(t_?b+|bt|ir)(?![a-z])", described)
    return kelvin_conversion(da.attrs.get("units", "")) is not None and called is not None


def _described(name: str, da: xr.DataArray, *keys: str) -> str:
    return " ".join([name, *(text_of(da.attrs.get(key, "")) for key in keys)]).lower()


def _named(images: Mapping[str, tuple[str, str, Any]], path: Path, variable: str) -> tuple[str, str]:
    wanted = variable.strip("/")
    matching = [wanted] if wanted in images else [key for key, (_, name, _) in images.items() if name == wanted]
    if not matching:
        known = listed(sorted(images)) or "none with rows and columns"
        raise InputError(f"{path} has no variable {variable!r}; it has {known}.")
    if len(matching) > 1:
        raise _several(path, matching)
    return images[matching[0]][:2]


def _several(path: Path, candidates: list[str]) -> InputError:
    names = ", ".join(sorted(candidates))
    return InputError(f"{path} has several candidates, {names}; name the variable (--variable {min(candidates)}, say).")


def _none(path: Path, images: Mapping[str, tuple[str, str, xr.DataArray]]) -> str:
    if not images:
        return f"{path} holds no variable with rows and columns; a sequence has times, rows and columns."
    return (
        f"{path} has no variable with standard_name brightness_temperature or units K; "
        f"name one of {listed(sorted(images))} (--variable {min(images)}, say, or the setting data.variable)."
    )
