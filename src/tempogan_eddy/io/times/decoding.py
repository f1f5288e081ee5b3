"""Decode numbers and texts to times: CF units and calendars, decimal dates, ISO texts."""

import logging
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cftime
import numpy as np
import pandas as pd

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.grids.axes import is_since
from tempogan_eddy.io.messages import log_once
from tempogan_eddy.io.times.stamps import MONTHS
from tempogan_eddy.io.values.units import text_of
from tempogan_eddy.quiet import ignored_warnings

__all__ = ["decode_times", "parse_moment"]

log = logging.getLogger(__name__)

MICROSECONDS: dict[str, float] = {
    **dict.fromkeys(("d", "day", "days"), 86_400_000_000),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600_000_000),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000_000),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1_000_000),
    **dict.fromkeys(("ms", "msec", "msecs", "millisec", "millisecs", "millisecond", "milliseconds"), 1_000),
    **dict.fromkeys(("us", "microsec", "microsecs", "microsecond", "microseconds"), 1),
    **dict.fromkeys(("ns", "nanosec", "nanosecs", "nanosecond", "nanoseconds"), 1e-3),
}
# Calendars whose dates are taken as written; refuse a date that the standard calendar lacks (30 February).
LABELLED = {"noleap", "365_day", "all_leap", "366_day", "360_day"}
STANDARD = {"standard", "gregorian", "proleptic_gregorian"}
# Units that say how numbers such as 2019122509 spell dates, or nothing: YYYYMMDDHH, %Y%m%d%H, 1.
SPELLING = re.compile(r"|1|none|(?=.*y)[%ymdhis:_ -]+", re.IGNORECASE)
DIGITS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
# A date, perhaps a clock with or without colons, perhaps a zone in hours from UTC.
EPOCH = re.compile(
    r"([+-]?\d{1,4})[-/](\d{1,2})[-/](\d{1,2})(?:[ Tt]+(\d{1,2})(?::?(\d\d?))?(?::?(\d\d?(?:\.\d*)?))?)?"
    r"\s*(?:Z|z|\(?(?:UTC|GMT)\)?|\+?0{1,2}:?(?:00)?|([+-])(\d{1,2}):?(\d\d)?)?"
)
NAMED_MONTH = re.compile(rf"^(\d\d?)[- ]?({'|'.join(MONTHS)})[a-z]*[- ]?(\d{{4}})", re.IGNORECASE)
NEVER_WRITTEN = 9.96e36  # NetCDF fills doubles with a little more, whether or not an attribute says so
FIRST_YEAR, LAST_YEAR = 1800, 2200  # of any image


def decode_times(values: np.ndarray, attrs: Mapping[Any, Any], where: str | Path) -> np.ndarray:
    """Return the times that stored values (any shape, NaN where missing) mean, as datetime64[ns], NaT where missing.

    The attributes ``units`` and ``calendar`` follow CF 4.4; without units, whole numbers such as 2019122509 and ISO
    texts spell dates. `where` is the file and the variable, for messages. Raise InputError if the units, calendar or
    values give no date of the standard calendar.
    """
    values = np.asarray(values)
    units, calendar = text_of(attrs.get("units", "")), text_of(attrs.get("calendar", "standard")).lower() or "standard"
    if values.dtype.kind == "M":
        return _in_range(values, units, calendar, where)
    if values.dtype.kind in "SUO":
        return _from_texts(values, where)
    if values.dtype.kind not in "iuf":
        raise InputError(f"{where} holds {values.dtype} values; times are numbers with units such as hours since DATE.")
    if calendar not in STANDARD | LABELLED | {"julian"}:
        raise InputError(
            f"{where} counts time in the calendar {calendar!r} ({units!r}), which is not known; convert it to standard "
            "(cdo setcalendar,standard)."
        )
    if is_since(units) and re.match(r"\s*\w+\s+since", units, re.IGNORECASE):
        return _since(values, units, calendar, where)
    return _decimal_dates(values, units, where)


def parse_moment(text: Any) -> np.datetime64 | None:
    """Return the UTC time that a text or a number spells, or None; a date alone is no time.

    ``2019-12-25T10:00:21.3Z``, ``2019-12-25 10:00:21``, ``20191225100021``, ``20191225T1000Z`` and such.
    """
    text = re.sub(r"\s*\(?(UTC|GMT)\)?$", "Z", _with_month_as_number(text_of(text)), flags=re.IGNORECASE)
    if re.fullmatch(r"\d{10}|\d{12}|\d{14}", text):
        time = pd.to_datetime(text, format=DIGITS[len(text)], errors="coerce", utc=True)
    elif re.match(r"(1[89]|2[01])\d\d[-/.]?\d\d[-/.]?\d\d[T _]?\s*\d\d", text):
        time = pd.to_datetime(text.replace("_", " "), errors="coerce", utc=True)
    else:
        return None
    if time is pd.NaT or not FIRST_YEAR <= time.year <= LAST_YEAR:
        return None
    return time.tz_localize(None).to_datetime64().astype("datetime64[ns]")


def _with_month_as_number(text: str) -> str:
    """Return a text that begins with a date such as 25-DEC-2019 (Ferret, INSAT) with this as 2019-12-25."""
    return NAMED_MONTH.sub(lambda date: f"{date[3]}-{MONTHS.index(date[2].upper()) + 1:02d}-{int(date[1]):02d}", text)


def _from_texts(values: np.ndarray, where: str | Path) -> np.ndarray:
    times = np.full(values.shape, np.datetime64("NaT", "ns"))
    for index, value in np.ndenumerate(values):
        moment = parse_moment(value)
        if moment is None:
            raise InputError(f"{where} holds {text_of(value)!r}, which is no time; write it as 2019-12-25T10:00:00Z.")
        times[index] = moment
    return times


def _since(values: np.ndarray, units: str, calendar: str, where: str | Path) -> np.ndarray:
    """Return times counted from an epoch."""
    unit, epoch_text, zone = _parts(units)
    if unit not in MICROSECONDS:
        raise InputError(
            f"{where} has the units {units!r}; a time counts days, hours, minutes or seconds (or parts) since a date."
        )
    try:
        epoch = _epoch(epoch_text, calendar)
    except (ValueError, OverflowError, TypeError):
        raise InputError(f"{where} has the units {units!r}, whose epoch is no date; correct them.") from None
    known = np.isfinite(values) & (values < NEVER_WRITTEN)
    counted = np.where(known, values, 0)
    # A larger sum would overflow, and is no time of an image.
    if np.abs(counted.astype(float)).max(initial=0) * MICROSECONDS[unit] > 2**62:
        raise _no_date(where, units, calendar)
    whole = np.floor(counted).astype(np.int64)
    if unit.startswith("n"):
        elapsed, rest = np.divmod(whole, 1000)
    else:
        elapsed = whole * MICROSECONDS[unit] + np.rint((counted - whole) * MICROSECONDS[unit]).astype(np.int64)
        rest = np.zeros_like(whole)
    elapsed = elapsed - zone
    if calendar == "proleptic_gregorian" or (calendar in STANDARD and epoch.year >= 1583):
        times = np.datetime64(epoch.isoformat(), "us") + elapsed
    else:
        dates = np.asarray(_dates(elapsed, f"microseconds since {epoch_text}", calendar))
        times = _by_calendar(dates, units, calendar, where)
    exact = _in_range(times, units, calendar, where) + rest.astype("timedelta64[ns]")
    return np.where(known, exact, np.datetime64("NaT", "ns"))


@cache
def _parts(units: str) -> tuple[str, str, int]:
    """Return the unit, the epoch in the form that cftime reads in every calendar, and its zone in microseconds."""
    unit, _, epoch = re.split(r"\s+", units.strip(), maxsplit=2)
    found = EPOCH.fullmatch(re.sub(r"^(\d{4})(\d\d)(\d\d)(?!\d)", r"\1-\2-\3", _with_month_as_number(epoch.strip())))
    if found is None:
        return unit.lower(), "no date", 0
    year, month, day, hour, minute, second, sign, zone_hour, zone_minute = found.groups()
    zone = (int(zone_hour or 0) * 60 + int(zone_minute or 0)) * 60_000_000 * (-1 if sign == "-" else 1)
    return unit.lower(), f"{year}-{month}-{day} {hour or 0}:{minute or '00'}:{second or '00'}", zone


@cache
def _epoch(text: str, calendar: str) -> Any:
    return _dates(0, f"days since {text}", calendar)


def _dates(values: Any, units: str, calendar: str) -> Any:
    with ignored_warnings(".*not supported by CF"):  # epochs such as -4713-01-01
        return cftime.num2date(values, units, calendar, only_use_cftime_datetimes=True)


def _by_calendar(dates: np.ndarray, units: str, calendar: str, where: str | Path) -> np.ndarray:
    """Convert dates of another calendar, or counted from before the standard one began, to the standard calendar."""
    times = np.full(dates.shape, np.datetime64("NaT", "us"))
    for index, date in np.ndenumerate(dates):
        try:
            standard = date if calendar in LABELLED else date.change_calendar("proleptic_gregorian")
            times[index] = np.datetime64(standard.isoformat(), "us")
        except ValueError:
            raise InputError(
                f"{where} holds the date {date.isoformat()} of the calendar {calendar!r} ({units!r}), which the "
                "standard calendar does not have; convert the times (cdo setcalendar,standard)."
            ) from None
    if calendar in LABELLED:
        log_once(log.info, where, f"dates of the calendar {calendar} are taken as they are written")
    return times


def _decimal_dates(values: np.ndarray, units: str, where: str | Path) -> np.ndarray:
    """Return times written as dates: 2019122509 without units, or 20191225.375 as CDO's ``day as %Y%m%d.%f``."""
    if re.fullmatch(r"\s*days?\s+as\s+%Y%m%d\.%f\s*", units, re.IGNORECASE):
        if not np.isfinite(values).all():
            raise InputError(f"{where} lacks the time of a frame ({units!r}); leave the frame out.")
        days = np.floor(values).astype(np.int64)
        whole = _spelled(days, units, where)
        # A double holds 20191225.375 to 4e-9 days, 0.3 ms: round to that, or hours end in 59.999 s.
        milliseconds = np.rint((values - days) * 86_400_000).astype("timedelta64[ms]")
        return (whole + milliseconds).astype("datetime64[ns]")
    digits = {len(str(int(value))) for value in values.ravel() if np.isfinite(value)}
    whole = np.isfinite(values).all() and (values == np.floor(values)).all()
    usual = {8, 10, 12, 14} if "y" in units.lower() else {10, 12, 14}
    if SPELLING.fullmatch(units) and len(digits) == 1 and digits <= usual and whole:
        return _spelled(values.astype(np.int64), units, where)
    stated = f"the units {units!r}" if units else "no units"
    raise InputError(f"{where} has {stated}; times need units such as 'hours since 1970-01-01'.")


def _spelled(numbers: np.ndarray, units: str, where: str | Path) -> np.ndarray:
    texts = [str(number) for number in numbers.ravel()]
    times = [pd.to_datetime(text, format=DIGITS.get(len(text), "%Y%m%d"), errors="coerce") for text in texts]
    if pd.NaT in times:
        raise InputError(
            f"{where} holds numbers ({units or 'without units'}) that spell no date; give units since DATE."
        )
    return _in_range(np.array(times, "datetime64[us]").reshape(numbers.shape), units, "standard", where)


def _in_range(times: np.ndarray, units: str, calendar: str, where: str | Path) -> np.ndarray:
    """Return times, NaT where missing, in nanoseconds; these reach from 1678 to 2262 alone."""
    years = times[~np.isnat(times)].astype("datetime64[Y]").astype(int) + 1970
    if ((years < FIRST_YEAR) | (years > LAST_YEAR)).any():
        raise _no_date(where, units, calendar)
    return times.astype("datetime64[ns]")


def _no_date(where: str | Path, units: str, calendar: str) -> InputError:
    return InputError(
        f"{where} holds times outside {FIRST_YEAR}-{LAST_YEAR} ({units!r}, calendar {calendar!r}); correct the units."
    )
