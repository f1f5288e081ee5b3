"""Find the times of an image variable: in another variable, in attributes or in the file's name."""

import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.grids.axes import direction_of, is_of_file, is_since, role_of, with_neighbours
from tempogan_eddy.io.times.decoding import parse_moment
from tempogan_eddy.io.times.stamps import time_in_name, zone_in_name
from tempogan_eddy.io.values.units import text_of

__all__ = ["TIME_FROM", "find_time", "frame_time", "long_dims"]

TIME_FROM = ("auto", "attributes", "name")

# Of several single times, choose the first of these; a scan's start stands for its frame if no name says the frame's.
SCALAR_NAMES = ("time", "t", "nominal_time", "image_time", "start_time", "time_coverage_start", "date")
# Starts of forecasts: no times of frames, unless a standard name or an axis says so.
STARTS = re.compile(r"initial|analysis|reference|forecast")
ENDS = re.compile(r"(?<![a-z])(end|ending|stop|last)(?![a-z])")
# Names of attributes that state the time of a frame consist of these words; others, of its end or of a file, do not. Of
# several the earliest of the first words counts.
WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
FIRST_WORDS = ("nominal", "slot", "image", "start", "begin", "beginning")
WORDS = {
    *FIRST_WORDS,
    "time",
    "date",
    "datetime",
    "timestamp",
    "stamp",
    "range",
    "coverage",
    "frame",
    "scan",
    "scanning",
}
WORDS |= {"observation", "observing", "observed", "obs", "acquisition", "acquired", "sensing", "measurement", "of"}
WORDS |= (FILLERS := {"in", "gmt", "utc"})


def find_time(dataset: xr.Dataset, da: xr.DataArray) -> str | None:
    """Return the name of the variable of a stored dataset that holds the times of an image's frames, or None.

    By CF: a coordinate that names its dimension; else a one-dimensional time along the dimension that is neither rows
    nor columns; else a single time. A time along rows, such as that of scan lines, is no time of frames, nor is the
    time at which a file was made.
    """
    bounds = {text_of(variable.attrs.get("bounds", "")) for variable in dataset.variables.values()}
    times = {
        str(name): variable
        for name, variable in dataset.variables.items()
        if name not in bounds and name != da.name and _is_time(name, variable)
    }
    if named := [name for name in times if name in da.dims and times[name].dims == (name,)]:
        return named[0]
    beside = with_neighbours(dataset, da.name)
    directions = {dim: direction_of(beside, dim) for dim in da.dims}
    frame_dims = set(da.dims[:-2]) | {dim for dim in da.dims if role_of(dim) == "time" or dim in times}
    if {"x", "y"} <= set(directions.values()):
        frame_dims |= {dim for dim in da.dims if not directions[dim]}
    along = [name for name, variable in times.items() if len(dims := long_dims(variable)) == 1 and dims <= frame_dims]
    single = [name for name, variable in times.items() if variable.size == 1]
    return min(along or single, key=lambda name: _rank(name, times[name]), default=None)


def long_dims(variable: xr.Variable | xr.DataArray) -> set[Hashable]:
    """Return the dimensions of a variable that are longer than one, else its first: ncecat's time(record, time=1)."""
    return {dim for dim in variable.dims if variable.sizes[dim] > 1} or set(variable.dims[:1])


def _is_time(name: Any, variable: xr.Variable) -> bool:
    is_time = role_of(name, variable.attrs, variable.dtype) == "time"
    standing = {"standard_name", "axis"} & set(variable.attrs) or variable.dims == (name,)
    if (is_of_file(name) or STARTS.search(str(name).lower())) and not standing:
        return False
    return is_time and variable.dtype.kind in "iufMSUO" and variable.size > 0


def _rank(name: str, variable: xr.Variable) -> tuple[bool, bool, int, bool, str]:
    """Order candidates: a standard name first, then the usual names, then units since; the end of a scan last."""
    standard = text_of(variable.attrs.get("standard_name", "")) == "time"
    place = SCALAR_NAMES.index(name.lower()) if name.lower() in SCALAR_NAMES else len(SCALAR_NAMES)
    is_end = ENDS.search(name.lower()) is not None
    return is_end, not standard, place, not is_since(variable.attrs.get("units", "")), name


def frame_time(
    path: Path, attributes: Iterable[Mapping[Any, Any]], time_from: str = "auto"
) -> tuple[np.datetime64, str] | None:
    """Return the time of a single frame without a time variable, and its source; None if there is none.

    Look in attributes (the variable's, then the file's), then in the file's name, or only where `time_from` says; raise
    InputError if that has no time.
    """
    if time_from in ("auto", "attributes"):
        for attrs in attributes:
            if found := _in_attributes(attrs):
                return found
    if time_from in ("auto", "name") and (moment := time_in_name(path.name)) is not None:
        zone = zone_in_name(path.name)
        return moment, f"file name, whose clock is {zone}" if zone else "file name"
    if time_from != "auto":
        place = "attributes" if time_from == "attributes" else "name"
        raise InputError(f"{path} holds no time in its {place}; use another --time-from (data.time_from).")
    return None


def _in_attributes(attrs: Mapping[Any, Any]) -> tuple[np.datetime64, str] | None:
    named = [(tuple(word.lower() for word in WORD.findall(str(name))), name) for name in attrs]
    named = sorted(((words, name) for words, name in named if set(words) <= WORDS), key=lambda found: _place(*found))
    for words, name in named:
        if words not in (("date",), ("time",)) and (moment := parse_moment(attrs[name])) is not None:
            return moment, f"attribute {name}"
    # A date and a clock in two attributes, such as start_date and start_time.
    clocks = {tuple(word for word in words if word not in FILLERS): name for words, name in named}
    for words, day in named:
        clock = clocks.get(tuple("time" if word == "date" else word for word in words))
        if "date" in words and clock is not None:
            moment = parse_moment(f"{text_of(attrs[day])} {text_of(attrs[clock])}")
            if moment is not None:
                return moment, f"attributes {day}, {clock}"
    return None


def _place(words: tuple[str, ...], name: Any) -> tuple[int, str]:
    return next((place for place, word in enumerate(FIRST_WORDS) if word in words), len(FIRST_WORDS)), str(name)
