"""The one data type between all parts: a sequence, stated and checked in one place.

A sequence is an ``xarray.DataArray`` named ``brightness_temperature`` with dims exactly ``(time, y, x)``, or
``(member, time, y, x)`` for an ensemble: float32 kelvin, NaN where missing, lazy (dask, whole frames, one or several a
chunk), with a ``time`` coordinate that never decreases. ``attrs["sequence"]`` names the storm. All other coordinates
and attributes are the file's own.
"""

import logging
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime

import dask.array
import numpy as np
import pandas as pd
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.attributes import plain
from tempogan_eddy.io.bands import bands_of
from tempogan_eddy.io.member import MEMBER
from tempogan_eddy.io.times.cadence import nominal_times, parse_duration
from tempogan_eddy.io.values.precision import PACKING, is_packed, unpacked
from tempogan_eddy.io.values.quality import EVERYTHING, mask_impossible
from tempogan_eddy.io.values.units import Conversion, kelvin_conversion, text_of
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = [
    "DIMS",
    "NAME",
    "NoFrameError",
    "as_dates",
    "as_sequence",
    "has_dims",
    "in_kelvin",
    "label_of",
    "order_of_times",
    "select_time",
]

log = logging.getLogger(__name__)

NAME = "brightness_temperature"
DIMS = ("time", "y", "x")
# The first and the last whole day that nanoseconds since 1970 reach.
FIRST_DAY, LAST_DAY = np.datetime64("1677-09-22"), np.datetime64("2262-04-10")
HALF_SECOND, MINUTE = np.timedelta64(5 * 10**8, "ns"), np.timedelta64(60 * 10**9, "ns")

# Calendars of cftime whose dates are those of numpy since 1582.
REAL_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")


class NoFrameError(InputError):
    """A sequence without a frame in the interval that was asked for."""


def as_sequence(
    da: xr.DataArray, *, valid_kelvin: tuple[float, float] = VALID_KELVIN, keep_packed: bool = False
) -> xr.DataArray:
    """Check a DataArray and return it as a sequence.

    Parameters
    ----------
    da : DataArray
        Dims ``time``, ``y``, ``x`` and perhaps ``member`` in any order; ``attrs["units"]`` in kelvin or degrees
        Celsius; any real numeric type; frames in any order of time.
    valid_kelvin : tuple of float
        Values outside these kelvins become NaN.
    keep_packed : bool
        Leave numbers as they are that a reconstruction packed; they stay 16-bit.

    Returns
    -------
    DataArray (time, y, x) or (member, time, y, x)
        Lazy float32 kelvin, in the order of time, in the chunks along time that it came in; coordinates and
        attributes kept.

    Raises
    ------
    InputError
        For other dims, units, types or times than a sequence can have.
    """
    label = label_of(da)
    if not has_dims(da):
        other = next((dim for dim in da.dims if dim not in DIMS), "band")
        raise InputError(
            f"{label} has the dimensions {tuple(da.dims)}; a sequence has exactly {DIMS}: rename them "
            f"(da.rename({other}=...)) or choose one of the others (da.isel)."
        )
    if da.dtype.kind not in "iuf":
        raise InputError(f"{label} holds {da.dtype} values; a sequence holds numbers, in kelvin.")
    if 0 in da.shape:
        raise InputError(f"{label} is empty: its shape is {dict(da.sizes)}.")
    conversion = kelvin_conversion(da.attrs.get("units", ""))
    if conversion is None:
        stated = f"the units {da.attrs['units']!r}" if "units" in da.attrs else "no units"
        raise InputError(
            f"{label} has {stated}; its attribute units must say K or degrees_Celsius "
            "(xarray: attrs['units']; a NetCDF file: ncatted -a units,VARIABLE,o,c,K FILE)."
        )
    if "time" not in da.coords or da["time"].dims != ("time",):
        raise InputError(f"{label} has no time coordinate of dates along 'time'.")
    da = da.transpose(..., *DIMS).assign_coords(time=da["time"].copy(data=as_dates(da["time"], label)))
    order = order_of_times(da["time"].values, label)
    if order is not None:
        da = da.isel(time=order)
    return in_kelvin(da, label, conversion, valid_kelvin, keep_packed=keep_packed)


def in_kelvin(
    da: xr.DataArray,
    label: str,
    conversion: Conversion,
    valid_kelvin: tuple[float, float],
    *,
    keep_packed: bool = False,
) -> xr.DataArray:
    """Return a DataArray with the dimensions and the times, in order, of a sequence as a sequence in kelvin.

    `label` is the storm's name if ``attrs`` holds none. With `keep_packed`, packed numbers stay as they are.
    """
    # Frames that are computed together stay together: one alone would have its whole chunk computed for it.
    whole = {"y": bands_of(da) if da.chunks and len(da.chunks[-2]) > 1 else -1, "x": -1}
    data = da.chunk(whole if da.chunks else {"time": 1, **whole}).data
    packed = da.dtype == np.int16 and is_packed(da)
    if packed:
        da = da.drop_attrs(deep=False).assign_attrs({key: da.attrs[key] for key in da.attrs if key not in PACKING})
    if not (packed and keep_packed):
        convert = unpacked if packed else conversion
        clean = _ToKelvin(convert, valid_kelvin, label)
        data = dask.array.map_blocks(clean, data, dtype=np.float32, meta=np.empty((0,) * da.ndim, np.float32))
    attrs = {str(key): plain(value) for key, value in da.attrs.items()} | {"units": "K", "standard_name": NAME}
    attrs["sequence"] = str(attrs.get("sequence", label))
    return da.copy(data=data).rename(NAME).assign_attrs(attrs)


def has_dims(da: xr.DataArray) -> bool:
    """Return whether a DataArray has the dimensions of a sequence, in any order."""
    return set(da.dims) in ({*DIMS}, {MEMBER, *DIMS})


def label_of(da: xr.DataArray) -> str:
    """Return the name of a DataArray for messages: its storm, else its own name."""
    stated = da.attrs.get("sequence")
    named = stated if isinstance(stated, str | bytes | int | np.generic) else None
    return text_of(named or da.name or "the sequence")


@dataclass
class _ToKelvin:
    """Convert blocks to kelvin, NaN outside the valid kelvins, and warn of the first block with such values."""

    conversion: Callable[[np.ndarray], np.ndarray]
    valid_kelvin: tuple[float, float]
    label: str
    told: bool = False

    def __call__(self, block: np.ndarray) -> np.ndarray:
        if block.dtype == np.float16:  # whose steps are 0.25 K, too wide to compute in
            block = block.astype(np.float32)
        kelvin = self.conversion(block)
        kept = mask_impossible(kelvin, self.valid_kelvin)
        if self.told or self.valid_kelvin == EVERYTHING:
            return kept
        outside = np.isnan(kept) & np.isfinite(kelvin)
        self.told = bool(outside.any())
        if self.told:
            log.warning(
                "%s: values outside %g-%g K are missing, at first %d of %d, such as %g K; are the units right? "
                "(valid_kelvin widens the range)",
                *(self.label, *self.valid_kelvin, outside.sum(), outside.size, kelvin[outside][0]),
            )
        return kept


def as_dates(coordinate: xr.DataArray, label: str) -> np.ndarray:
    """Return the dates of a coordinate as datetime64[ns], those with a time zone in UTC.

    Raise InputError if it holds something else, another calendar than the real one, or lacks a date.
    """
    if isinstance(coordinate.dtype, pd.DatetimeTZDtype):
        values = pd.DatetimeIndex(coordinate.data).tz_convert(None).to_numpy()
    else:
        values = np.asarray(coordinate.values)
    name = coordinate.name
    if values.dtype.kind == "O" and values.size:
        values = _dates_of_objects(values, label, name)
    if values.dtype.kind != "M":
        kind = "text" if values.dtype.kind in "OUST" else f"{values.dtype} numbers"
        raise InputError(
            f"{label} has no time coordinate of dates: {name!r} holds {kind}; convert it, for example with "
            f"da.assign_coords({name}=pandas.to_datetime(da[{name!r}].values))."
        )
    if np.isnat(values).any():
        raise InputError(f"{label} has a frame without a time (frame {int(np.isnat(values).argmax()) + 1}).")
    days = values.astype("datetime64[D]")
    if ((days < FIRST_DAY) | (days > LAST_DAY)).any():
        raise InputError(f"{label} has times before 1678 or after 2262; check its coordinate {name!r}.")
    return values.astype("datetime64[ns]")


def _dates_of_objects(values: np.ndarray, label: str, name: Hashable) -> np.ndarray:
    """Return dates of cftime, of Python or with a time zone as datetime64[ns]; other objects as they are."""
    calendar = getattr(values.flat[0], "calendar", None)
    if calendar is not None and calendar not in REAL_CALENDARS:
        raise InputError(
            f"{label} has times of the calendar {calendar!r}, in which its frames are not as far apart as they were; "
            f"convert them with da.convert_calendar('standard', dim={name!r}, use_cftime=False)."
        )
    if calendar is None and not all(isinstance(value, datetime | np.datetime64) for value in values.flat):
        return values
    try:
        texts = [value.isoformat() if hasattr(value, "isoformat") else str(value) for value in values.flat]
        dates = pd.to_datetime(texts, utc=True, format="ISO8601").tz_localize(None)
    except ValueError as error:
        raise InputError(f"{label} has times that are no dates of today's calendar ({error}).") from error
    return dates.to_numpy().reshape(values.shape).astype("datetime64[ns]")


def order_of_times(times: np.ndarray, label: str) -> np.ndarray | None:
    """Return the numbers of the frames in the order of time, or None where they are in it; say so."""
    backward = np.flatnonzero(np.diff(times) < np.timedelta64(0, "ns"))
    if not backward.size:
        return None
    before, after = (pd.Timestamp(times[backward[0] + i]).isoformat() for i in (0, 1))
    log.warning("%s has times that go back, %s to %s; its frames are sorted by time", label, before, after)
    return np.argsort(times, kind="stable")


def times_within(times: np.ndarray, interval: str, tolerance: str | None = None) -> np.ndarray:
    """Return which times lie in an interval, written as for `select_time`, as an array of bool.

    An end that names an hour, a day or more is compared with the slots that times belong to. A time may be off its slot
    by the tolerance, a tenth of the step by default. To an end that names a minute or a second, a frame may also be
    known by its own time, to the second, or to the digit where the end has digits after the second.
    """
    start, slash, end = interval.partition("/")
    lower = _period(start, interval)
    upper = _period(end, interval) if slash else lower
    times = times.astype("datetime64[ns]")
    slots = nominal_times(times, tolerance=None if tolerance is None else parse_duration(tolerance, "time_tolerance"))
    seconds = (times + HALF_SECOND).astype("datetime64[s]").astype("datetime64[ns]")
    finer = any(end is not None and _length(end) < HALF_SECOND for end in (lower, upper))
    inside = np.zeros(len(times), dtype=bool)
    for known_by in (slots, seconds, *([times] if finer else [])):
        keep = np.ones(len(times), dtype=bool)
        if lower is not None:
            keep &= (known_by if _length(lower) <= MINUTE else slots) >= lower.start_time.to_datetime64()
        if upper is not None:
            keep &= (known_by if _length(upper) <= MINUTE else slots) <= upper.end_time.to_datetime64()
        inside |= keep
    return inside


def select_time(da: xr.DataArray, interval: str | None, tolerance: str | None = None) -> xr.DataArray:
    """Return the frames within an ISO interval such as ``1987-04-14/1987-04-15T12`` or ``1987-04-14/..``.

    Both ends are included, and an end that names a whole day, hour or month includes all of it. A frame counts by the
    slot that it belongs to: one at 00:29:59.99998 or 00:30:21 of a half-hourly sequence is that of 00:30. Its own time,
    to the second, counts too where an end names a minute or a second.

    Parameters
    ----------
    da : DataArray
        A sequence.
    interval : str or None
        ``start/end``, with ``..`` for an open end, or one day, hour or moment alone; None keeps every frame.
    tolerance : str, optional
        How far a time may be off its slot, such as ``30s``; a tenth of the sequence's step by default.

    Raises
    ------
    InputError
        If the text is no interval; `NoFrameError` if no frame lies in it.
    """
    if interval is None:
        return da
    keep = times_within(da["time"].values, interval, tolerance)
    if not keep.any():
        first, last = (pd.Timestamp(da["time"].values[i]).isoformat() for i in (0, -1))
        name = da.attrs.get("sequence", "the sequence")
        raise NoFrameError(f"No frame of {name} lies in {interval!r}; its frames go from {first} to {last}.")
    return da.isel(time=np.flatnonzero(keep))


def _length(period: pd.Period) -> np.timedelta64:
    """Return the length of a period: a minute for 10:30, a day for the first of May."""
    return (period.end_time - period.start_time).to_timedelta64()


def _period(text: str, interval: str) -> pd.Period | None:
    text = text.strip()
    if text == "..":
        return None
    if re.search(r"\d[T ]\d\d.*[+-]\d", text):
        raise InputError(f"{interval!r} names a time zone; times are in UTC, so give the interval in UTC.")
    try:
        period = pd.Period(text)
    except ValueError:
        period = pd.NaT
    if period is pd.NaT:
        raise InputError(f"{interval!r} is no time interval; write it as 1987-04-14/1987-04-15T12 or 1987-04-14/.. .")
    return period
