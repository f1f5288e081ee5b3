"""Choose the variable of a file that is the brightness temperature."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.foreign import advice_for_variables, foreign_format
from tempogan_eddy.io.messages import log_once
from tempogan_eddy.io.values.units import kelvin_conversion, text_of
from tempogan_eddy.io.variables.channel import OTHER, PLATFORMS, channel_of, preferred
from tempogan_eddy.io.variables.count_table import kelvins_by_count
from tempogan_eddy.wording import listed

__all__ = ["NoSequenceError", "SeveralError", "choose_variable", "likeliest"]

log = logging.getLogger(__name__)

DESCRIPTIONS = ("long_name", "standard_name", "description")
STANDARD_NAMES = {"brightness_temperature", "toa_brightness_temperature"}
# What is in kelvin but no temperature: errors, spreads and differences.
SPREAD = re.compile(
    r"(?<!corrected for )(?<!adjusted for )(error|bias|(?<!de)noise)"
    r"(?![ _-]?(correct|adjust|filter|free|reduc|remov))|uncertainty|deviation|std|spread"
    r"|anomal|difference|(?<![a-z])(diff|minus)(?![a-z])|departure"
)
# Temperatures in kelvin of the sea, the ground, the air or a cloud, by name or description.
OF_MATTER = re.compile(
    r"(?<![a-z])(sst|lst|ctt|skt|tsk)(?![a-z])|(?<![a-z\d])(t2m?|d2m)(?![a-z\d])"
    r"|(sea|surface|skin|ground|land|soil|air|dew.?point|water|cloud|(2|two).?met(re|er)s?|potential|virtual|wet.?bulb)"
    r"[ _-]*((top|surface|effective)[ _-]*)?temp"
)
OF_RADIATION = re.compile(r"bright|radian|infra.?red|window|chan|band|micro|\d ?um|(?<![a-z])(t_?bb?|bt|ir)(?![a-z])")


class NoSequenceError(InputError):
    """A readable file in which no variable is a sequence of brightness temperature."""


class SeveralError(InputError):
    """A readable file in which several variables could be the brightness temperature."""


def choose_variable(groups: Mapping[str, xr.Dataset], path: Path, variable: str | None) -> tuple[str, str]:
    """Return the group and the name of the brightness temperature, or of the `variable` named, perhaps ``group/name``.

    By default it is the variable with the standard name of a brightness temperature, else the one in kelvin, in the
    root ("") before the groups. Raise `NoSequenceError` if no variable fits, and `InputError` if the named one is
    missing or several fit equally.
    """
    images = {
        f"{group}/{name}" if group else str(name): (group, str(name), _with_platform(da, dataset.attrs))
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
                raise _several(path, {key: images[key][2] for key in candidates})
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
            raise _several(path, counted)
        return images[best][:2]
    names = [name for dataset in groups.values() for name in dataset.variables]
    foreign = advice_for_variables(names, next(iter(groups.values())).attrs, path) or foreign_format(path)
    raise NoSequenceError(str(foreign) if foreign else _none(path, {key: da for key, (_, _, da) in images.items()}))


def _with_platform(da: xr.DataArray, of_file: Mapping[Any, Any]) -> xr.DataArray:
    """Return a variable with the platform that its file states, which tells what a channel's number means."""
    return da.assign_attrs({key: of_file[key] for key in PLATFORMS if key in of_file} | da.attrs)


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
    return conversion is not None and conversion.is_kelvin and not _is_spread(name, da) and not _of_matter(name, da)


def _is_temperature_of_a_band(name: str, da: xr.DataArray) -> bool:
    """Return whether name or description call degrees Celsius or Fahrenheit a brightness temperature."""
    described = _described(name, da, "long_name", "description")
    called = re.search(r"brightness|infrared|(?<![a-z])(t_?b+|bt|ir)(?![a-z])", described)
    units = da.attrs.get("units", "")
    return kelvin_conversion(units) is not None and called is not None and not _is_spread(name, da)


def _is_spread(name: str, da: xr.DataArray) -> bool:
    return SPREAD.search(_described(name, da, "long_name", "standard_name")) is not None


def _of_matter(name: str, da: xr.DataArray) -> bool:
    """Return whether name or description call a variable a temperature of matter, and nothing names a channel."""
    described = _described(name, da, *DESCRIPTIONS)
    if not OF_MATTER.search(described) or OF_RADIATION.search(described):
        return False
    others = {key: value for key, value in da.attrs.items() if key not in DESCRIPTIONS}
    return channel_of(name, others, da.coords).kind in (None, OTHER)


def _described(name: str, da: xr.DataArray, *keys: str) -> str:
    return " ".join([name, *(text_of(da.attrs.get(key, "")) for key in keys)]).lower()


def _named(images: Mapping[str, tuple[str, str, Any]], path: Path, variable: str) -> tuple[str, str]:
    wanted = variable.strip("/")
    matching = [wanted] if wanted in images else [key for key, (_, name, _) in images.items() if name == wanted]
    if not matching:
        known = listed(sorted(images)) or "none with rows and columns"
        raise InputError(f"{path} has no variable {variable!r}; it has {known}.")
    if len(matching) > 1:
        raise _several(path, {key: images[key][2] for key in matching})
    return images[matching[0]][:2]


def _several(path: Path, candidates: Mapping[str, xr.DataArray]) -> SeveralError:
    names, best = ", ".join(sorted(candidates)), _best(candidates)
    return SeveralError(f"{path} has several candidates, {names}; name the variable (--variable {best}, say).")


def _best(images: Mapping[str, xr.DataArray]) -> str:
    """Return the name to propose: of the window channel, else of the largest image."""
    channels = {name: channel_of(name, da.attrs, da.coords) for name, da in images.items()}
    return min(images, key=lambda name: (channels[name].kind != "window", -images[name].size, name))


def _none(path: Path, images: Mapping[str, xr.DataArray]) -> str:
    if not images:
        return f"{path} holds no variable with rows and columns; a sequence has times, rows and columns."
    kelvins = {name: da for name, da in images.items() if kelvin_conversion(da.attrs.get("units", ""))}
    if others := [name for name, da in kelvins.items() if _of_matter(name.rsplit("/", 1)[-1], da)]:
        return (
            f"{path} has no brightness temperature, but {listed(sorted(others))}, by name or description the "
            f"temperature of something else; --variable {min(others)} (data.variable) reads it all the same."
        )
    return (
        f"{path} has no variable with standard_name brightness_temperature or units K; "
        f"name one of {listed(sorted(images))} (--variable {_best(images)}, say, or the setting data.variable)."
    )
