"""Recompute the attributes that state when and where a sequence lies, by ACDD's and NASA's names for them."""

import re
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tempogan_eddy.io.grids.axes import role_of, spatial_coordinate

__all__ = ["covered"]

MOMENT, DATE, CLOCK = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%H:%M:%SZ"

TIMES = {
    **dict.fromkeys(("timecoveragestart", "starttime", "startdatetime", "timestart"), (0, MOMENT)),
    **dict.fromkeys(("timecoverageend", "endtime", "enddatetime", "timeend", "stoptime"), (-1, MOMENT)),
    **dict.fromkeys(("begindate", "startdate", "rangebeginningdate"), (0, DATE)),
    **dict.fromkeys(("enddate", "rangeendingdate"), (-1, DATE)),
    **dict.fromkeys(("begintime", "rangebeginningtime"), (0, CLOCK)),
    "rangeendingtime": (-1, CLOCK),
}
"""Names, in lower case without ``_``, of the first (0) and the last (-1) moment, and how it is written."""

EXTENT = {
    "latitude": re.compile(
        r"(geospatial_)?lat(itude)?_?(min|max)(imum)?|(south|north)(ernmost)?_?(latitude|northing|bounding_?coordinate)",
        re.IGNORECASE,
    ),
    "longitude": re.compile(
        r"(geospatial_)?lon(gitude)?_?(min|max)(imum)?|(west|east)(ernmost)?_?(longitude|easting|bounding_?coordinate)",
        re.IGNORECASE,
    ),
}
LOWER = re.compile(r"min|south|west", re.IGNORECASE)


def covered(sequence: xr.DataArray) -> dict[str, Any]:
    """Return the attributes of a sequence with those of its time and its extent recomputed, where it has them.

    The time coverage is that of the frames' times; the extent that of the cell centres. Across the date line the
    longitude of the west is greater than that of the east. Without latitudes and longitudes the extent stays.
    """
    attrs = dict(sequence.attrs)
    times = pd.DatetimeIndex(sequence["time"].values).round("ms")
    extents = {role: _extent(sequence, role) for role in EXTENT}
    for key in sequence.attrs:
        name = str(key).removeprefix("file:")
        value: str | float | None = _time(name, times, clocks="BeginTime" in attrs)
        for role, extent in extents.items():
            if extent and EXTENT[role].fullmatch(name):
                value = extent[0 if LOWER.search(name) else 1]
        if value is not None:
            attrs[key] = value
        elif name == "time_coverage_resolution":  # no longer regular
            del attrs[key]
    return attrs


def _time(name: str, times: pd.DatetimeIndex, clocks: bool) -> str | None:
    """Return the value of an attribute of the time coverage, None for others and where there is none."""
    if name == "time_coverage_duration":
        return _duration(times[-1] - times[0])
    if name == "time_coverage_resolution":
        steps = np.unique(np.diff(times.round("s")))
        return _duration(pd.Timedelta(steps[0])) if len(steps) == 1 else None
    number, form = TIMES.get(name.lower().replace("_", ""), (0, None))
    if form is None:
        return None
    if clocks and name == "EndTime":  # of EndDate
        form = CLOCK
    moment = times[number]
    return moment.strftime(form.replace("%S", f"%S.{moment.microsecond // 1000:03}" if moment.microsecond else "%S"))


def _duration(length: pd.Timedelta) -> str:
    """Return a duration as ISO 8601 writes it: P1DT2H, PT30M."""
    days, seconds = divmod(round(length.total_seconds()), 86_400)
    parts = ((seconds // 3600, "H"), (seconds // 60 % 60, "M"), (seconds % 60, "S"))
    clock = "".join(f"{count}{unit}" for count, unit in parts if count)
    text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
    return f"P{text}" if text else "PT0S"


def _extent(sequence: xr.DataArray, role: str) -> tuple[float, float] | None:
    """Return the least and the greatest latitude, or the western and the eastern longitude, of the cell centres."""
    found = spatial_coordinate(sequence, role, moving=True)
    if found is None or not np.isfinite(found.values).any():
        return None
    values = np.asarray(found.values, np.float64)
    values = values[np.isfinite(values)]
    low, high = values.min(), values.max()
    if role_of(found.name, found.attrs) == "longitude" and high - low > 180:
        # The widest gap between neighbours in longitude separates a box across a jump from one around the Earth.
        ordered = np.unique(values)
        gaps = np.diff(ordered)
        if gaps.max() > 360 - (high - low):
            low, high = ordered[gaps.argmax() + 1], ordered[gaps.argmax()]
    return float(f"{low:.7g}"), float(f"{high:.7g}")
