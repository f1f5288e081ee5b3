"""Read the time in a file's name.

The first of these in a name is its time, in UTC:

====================================== ==================================================================
name                                   time
====================================== ==================================================================
``..._sYYYYDDDHHMMSSt_e..._c...``      GOES ABI: year, day of the year, start of the scan to 0.1 s; ``_e`` and
                                       ``_c`` are the end and the creation, and never taken
``..._sYYYYMMDDHHMMSS[t]_e...``        TC PRIMED and JPSS, if the stamps are no days of the year
``.AYYYYDDD.HHMM.``                    a day of the year behind one of the letters s, S, A, V, T, d, D, j, J
``goes13.YYYY.DDD.HHMMSS.``            GOES of NOAA CLASS
``_dYYYYMMDD_tHHMMSSt_``               VIIRS
``_C_EUMT_*_*_*_start_end_``           Meteosat FCI: the first of two; the one before is the creation
``DDMMMYYYY_HHMM``                     INSAT, ``25DEC2019_0900``
``YYYYMMDDHH[MM[SS[mmm]]]``            merged IR, HRIT, SEVIRI, FengYun, GK2A, Digital Typhoon
``YYYYMMDD[T_. -]HH[MM[SS]]``          Himawari, satpy, ARM, ISO basic; also ``HH:MM:SS``, ``HH_MM``, ``09h30``
``YYYY-MM-DD[T_. -]HH[MM[SS]]``        ISO; with ``.`` or ``_``: GridSat-B1, GridSat-GOES, HURSAT, ISCCP
``YYYY年MM月DD日HH时[MM分[SS秒]]``        Chinese and Japanese, also with one digit
====================================== ==================================================================

Of several stamps of the last four kinds the leftmost counts: it is the start. A zone beside the clock is converted
if it is one of ``ZONES`` or written as ``+0900``. Anything else that looks like a time is an error.
"""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from tempogan_eddy.errors import InputError

__all__ = ["MONTHS", "name_without_time", "time_in_name", "zone_in_name"]

ZONES = {
    **{"Z": 0, "z": 0, "UTC": 0, "GMT": 0, "世界时": 0, "世界時": 0},
    **{"JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "PHT": 8, "AEST": 10, "NZST": 12},
    **{"北京时间": 8, "北京時間": 8, "日本时间": 9, "日本時間": 9},
}
"""Unambiguous zones, in hours ahead of UTC."""

WORLD = ("UTC", "GMT")
UNCLEAR_ZONES = (
    *("CST", "EST", "EDT", "CDT", "MST", "MDT", "PST", "PDT", "HST", "IST", "BST", "CET", "CEST"),
    *("AEDT", "ACST", "AWST", "NZDT", "ICT", "WIB", "LT", "LOCAL", "local"),
)
HALVES = ("AM", "PM", "am", "pm")
"""Behind a time; before it they may be a platform (EOS-AM)."""
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

YEAR = r"(?P<year>(?:19|20)\d\d)"
DAY_OF_YEAR = YEAR + r"(?P<yearday>\d{3})"
DATE = YEAR + r"(?P<month>\d\d)(?P<day>\d\d)"
CJK_DATE = rf"(?<!\d){YEAR}年 ?(?P<month>\d{{1,2}})月 ?(?P<day>\d{{1,2}})日"
BLOCK = r"(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?P<fraction>\d{3}|\d{6})?)?)?"
SEPARATED = r"(?P<hour_>\d\d)(?P<mark>[-_.:：꞉∶hH]|%3A)(?P<minute_>\d\d)(?:(?:(?P=mark)|[mM])(?P<second_>\d\d)[sS]?)?"
ENDS = r"(?:[hH]|(?=[^A-Za-z])|$)(?![\dA-Za-z]|[-_.:]\d\d[A-Za-z])"
NAMED_ZONE = "|".join([*ZONES, *UNCLEAR_ZONES, *HALVES])
ZONE = rf"(?P<zone>[ _.-]?(?:{NAMED_ZONE})(?![A-Za-z])|\+\d\d:?(?:\d\d)?(?![\dA-Za-z]))?"
LEADING_ZONE = re.compile(rf"(?<![A-Za-z])({'|'.join(sorted({*ZONES, *UNCLEAR_ZONES} - {'Z', 'z'}))})[ _.-]?$")
CLOCK = rf"(?:{SEPARATED}|{BLOCK})(?:\.(?P<decimals>\d{{1,9}})(?=[Zz]))?"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII)


SECONDS = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
SCAN_OF_DAY = _pattern(rf"(?<![A-Za-z\d])s{DAY_OF_YEAR}{SECONDS}(?P<fraction>\d)(?!\d)")
SCAN_OF_DATE = _pattern(rf"(?<![A-Za-z\d])s{DATE}{SECONDS}(?P<fraction>\d)?(?!\d)")
SCANS = _pattern(r"(?<![A-Za-z\d])[sec](\d{14})(?!\d)")
GOES = _pattern(r"_G(?:\d\d|H\d)_$")
SPECIFIC = (
    SCAN_OF_DAY,
    SCAN_OF_DATE,
    _pattern(rf"(?<![A-Za-z\d])[sSAVTdDjJ]{DAY_OF_YEAR}[._T]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?!\d)"),
    _pattern(rf"(?<!\d){YEAR}\.(?P<yearday>\d{{3}})\.(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?!\d)"),
    _pattern(rf"(?<![A-Za-z\d])d{DATE}_t(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?P<fraction>\d)?(?!\d)"),
    _pattern(rf"_C_EUM[A-Z]_\d{{14}}_[^_]*_[^_]*_{DATE}(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?=_\d{{14}}_)"),
    _pattern(
        rf"(?<!\d)(?P<day>\d\d)[_-]?(?P<name>(?i:{'|'.join(MONTHS)}))[_-]?{YEAR}[_-](?P<hour>\d\d)(?P<minute>\d\d)(?!\d)"
    ),
)
GENERAL = (
    _pattern(rf"(?<!\d){DATE}{BLOCK}(?!\d)(?:\.(?P<decimals>\d{{1,9}})(?=[Zz]))?{ZONE}"),
    _pattern(
        rf"(?<!\d){DATE}(?:%20|[_. -]|(?P<iso>[Tt]))(?!(?:19|20)\d\d[-_.]\d\d[-_.]\d\d){CLOCK}{ZONE}"
        rf"(?(iso)(?!\d)|{ENDS})"
    ),
    _pattern(
        rf"(?<!\d){YEAR}(?P<apart>[-_.])(?P<month>\d\d)(?P=apart)(?P<day>\d\d)(?:%20|[_. -]|(?P<iso>[Tt]))"
        rf"(?!(?:19|20)\d\d[-_.]\d\d[-_.]\d\d){CLOCK}{ZONE}(?(iso)(?!\d)|{ENDS})"
    ),
    _pattern(
        rf"{CJK_DATE}[ _T-]?(?P<hour>\d{{1,2}})[时時点點](?:整|(?P<minute>\d{{1,2}})分(?:(?P<second>\d{{1,2}})秒)?)?"
        rf"(?!\d){ZONE}"
    ),
)
DAY = _pattern(rf"(?<!\d){YEAR}(?P<apart>[-_.]?)(?P<month>\d\d)(?P=apart)(?P<day>\d\d)(?!\d)")
DAYS = (DAY, _pattern(CJK_DATE))
UNMARKED_DAY_OF_YEAR = _pattern(rf"(?<!\d){DAY_OF_YEAR}[_.T-]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?!\d)")
DAY_RANGE = _pattern(r"(?:19|20)\d{6}-\d\d")
LOOSE_MINUTES = _pattern(r"[-_. ]\d\d(?!\d)")
LOOSE_ZONE = _pattern(r"-\d\d:?\d\d(?!\d)")
OFFSET = _pattern(r"-\d\d?(?::?\d\d)?(?!\d)")
LEAD = _pattern(r"[ _]?\+(?!0+(?!\d))\d+(?:[A-Za-z]+|(?!\d))")  # 0 hours are the same as a zone
NOT_START = _pattern(r"(?<![A-Za-z\d])(?:[ec]\d{11,}|c\d{8})(?!\d)")
NOT_GENERAL = _pattern(r"(?<![A-Za-z\d])(?:[ec]\d{11,}|c\d{8}|s\d{14,15})(?!\d)")
HURSAT_STATE = _pattern(r"\.\d+\.([A-Z]{3}-\d+)\.\d+(?=\.hursat)")
"""View angle, satellite and wind in HURSAT's names; the numbers differ from frame to frame."""


def time_in_name(name: str, *, date_is_enough: bool = False) -> np.datetime64 | None:
    """Return the time (datetime64[ns], UTC) in a file's name, with or without its suffix, or None if there is none.

    A date without a clock is no time, or 00 UTC if `date_is_enough`. Raise InputError for a stamp that cannot be a
    time, or can be read in two ways.
    """
    impossible = None
    for match in _matches(name):
        try:
            return _time(name, match)
        except ValueError as error:
            impossible = impossible or f"{name!r} holds {match[0]!r}, which is no time ({error})"
    unmarked = UNMARKED_DAY_OF_YEAR.search(_without_goes(name))
    if impossible is None and unmarked and _is_time(name, unmarked):
        impossible = f"{name!r} holds {unmarked[0]!r}, which may be a day of the year"
    if impossible:
        raise InputError(f"{impossible}; name the file by its time in UTC, as YYYYMMDD_HHMM.")
    day = next(filter(None, (pattern.search(_without_goes(name)) for pattern in DAYS)), None)
    return _time(name, day) if date_is_enough and day and _is_time(name, day) else None


def zone_in_name(name: str) -> str | None:
    """Return the zone, other than UTC, from which :func:`time_in_name` converts the time in a name, or None."""
    stamp = next((match for match in _matches(name) if _is_time(name, match)), None)
    return _zone(name, stamp) if stamp and _hours_before_utc(name, stamp) else None


def name_without_time(name: str) -> str:
    """Return the name with ``#`` for each time and date, equal for files that continue each other."""
    name = NOT_START.sub(lambda match: match[0][0] + "#", name)
    for pattern in (*SPECIFIC, *GENERAL, *DAYS):
        name = pattern.sub(lambda match: _marked(match) if _is_time("", match) else match[0], name)
    return HURSAT_STATE.sub(r".#.\1.#", name)


def _marked(match: re.Match[str]) -> str:
    """Return ``#`` for a stamp, behind the characters that its pattern needs in front of it."""
    start = match.start("day") if "name" in match.groupdict() else match.start("year")
    return match[0][: start - match.start()] + "#"


def _matches(name: str) -> Iterator[re.Match[str]]:
    """Yield stamps with a clock: the specific patterns first, then the others from left to right."""
    for pattern in SPECIFIC:
        wrong = {SCAN_OF_DAY: False, SCAN_OF_DATE: True}.get(pattern)
        yield from (match for match in pattern.finditer(name) if wrong is None or _is_of_day(name, match) != wrong)
    text = _without_goes(name)
    general = [match for pattern in GENERAL for match in pattern.finditer(text)]
    yield from sorted((m for m in general if not DAY_RANGE.fullmatch(m[0])), key=lambda match: match.start())


def _is_of_day(name: str, match: re.Match[str]) -> bool:
    """Return whether stamps of GOES are not dates; refuse those that may be either, unless the satellite stands before.

    The stamps of start, end and creation are all of one kind.
    """
    stamps = {match[0][1:], *SCANS.findall(name)}
    days, dates = (
        all((stamp := pattern.fullmatch(f"s{digits}")) and _is_time("", stamp) for digits in stamps)
        for pattern in (SCAN_OF_DAY, SCAN_OF_DATE)
    )
    if GOES.search(name[: match.start()]) or not dates:
        return True
    if days:
        raise _unclear(name, f"{match[0]!r} may be a day of the year or a date")
    return False


def _unclear(name: str, reason: str) -> InputError:
    return InputError(
        f"{name!r} can be read in two ways: {reason}; name the file by its time in UTC, as YYYYMMDD_HHMM."
    )


def _without_goes(name: str) -> str:
    """Return the name with the stamps of GOES blanked, whose day of the year could pass for month and day."""
    return NOT_GENERAL.sub(lambda match: "x" * len(match[0]), name)


def _is_time(name: str, match: re.Match[str]) -> bool:
    try:
        _time(name, match)
    except (ValueError, InputError):
        return False
    return True


def _time(name: str, match: re.Match[str]) -> np.datetime64:
    """Return the time of a match; raise ValueError if there is no such time."""
    part = match.groupdict()

    def number(key: str, default: int = 0) -> int:
        return int(part.get(key) or part.get(key + "_") or default)

    month = MONTHS.index(part["name"].upper()) + 1 if "name" in part else number("month", 1)
    time = pd.Timestamp(number("year"), month, number("day", 1), number("hour"), number("minute"), number("second"))
    if "yearday" in part:
        time += pd.Timedelta(days=number("yearday") - 1)
        if number("yearday") < 1 or time.year != number("year"):
            raise ValueError(f"the year has no day {part['yearday']}")
    decimals = part.get("fraction") or part.get("decimals") or "0"
    zone = _hours_before_utc(name, match)
    time = time + pd.Timedelta(int(decimals.ljust(9, "0")), "ns") - pd.Timedelta(hours=zone)
    return time.to_datetime64().astype("datetime64[ns]")


def _zone(name: str, match: re.Match[str]) -> str:
    """Return the zone beside a stamp, empty if there is none."""
    zone = (match.groupdict().get("zone") or "").strip(" _.-")
    leading = LEADING_ZONE.search(name[: match.start()])
    return zone or (leading[1] if leading else "")


def _hours_before_utc(name: str, match: re.Match[str]) -> float:
    """Return the hours that a stamp's zone is ahead of UTC; refuse a time that can be read in two ways."""
    part, zone, after = match.groupdict(), _zone(name, match), name[match.end() :]
    no_minutes = part.get("hour") and not part.get("minute")
    loose = (no_minutes and LOOSE_MINUTES.match(after)) or (part.get("iso") and not zone and LOOSE_ZONE.match(after))
    if loose:
        raise _unclear(name, f"{loose[0].strip('._- ')!r} behind {match[0]!r} may belong to the time or not")
    lead = LEAD.match(zone if no_minutes and len(zone) == 3 else after) or (zone in WORLD and OFFSET.match(after))
    if lead:
        raise _unclear(name, f"{lead[0].strip(' _')!r} may be the hours of a forecast or a zone")
    if zone.startswith("+"):
        digits = zone[1:].replace(":", "").ljust(4, "0")
        return int(digits[:2]) + int(digits[2:]) / 60
    if zone and zone not in ZONES:
        raise InputError(f"{name!r} has its time in {zone}, which is not one zone; rename it in UTC, as YYYYMMDD_HHMM.")
    return ZONES.get(zone, 0)
