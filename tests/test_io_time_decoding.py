"""Times as real files write them."""

from datetime import datetime

import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.times.decoding import decode_times, parse_moment

NOON = np.datetime64("2019-12-25T12:00", "ns")


def decoded(values, units=None, calendar=None):
    attrs = {key: value for key, value in (("units", units), ("calendar", calendar)) if value is not None}
    return decode_times(np.asarray(values), attrs, "a.nc: time")


@pytest.mark.parametrize(
    "units",
    [
        "hours since 2019-12-25 12:00:00",
        "hours since 2019-12-25T12:00:00Z",
        "hours since 2019-12-25 12:00:00 UTC",
        "hours since 2019-12-25 12:00:00.0 +00:00",
        "hours since 2019-12-25 12:00:00.000000",
        "hours since 2019-12-25 12:00:00 0:00",
        "hours since 2019-12-25 21:00:00 +09:00",
        "hours since 2019-12-25 21:00 +0900",
        "hours since 2019-12-25 21:00 +9",
        "hours since 2019-12-25 07:00 -5:00",
        "hours since 2019-12-25 1200",
        "hours since 2019-12-25 12",
        "hours since 2019-12-25T12Z",
        "hours since 20191225 12:00",
        "Hours Since 2019/12/25 12:00",
        b"hours since 2019-12-25 12:00:00",
        "hours since 25-DEC-2019 12:00:00",
        "hours since 2019-12-25 12:00:00 (UTC)",
    ],
)
def test_an_epoch_in_every_spelling(units):
    np.testing.assert_array_equal(decoded([0.0, 0.5], units), NOON + np.array([0, 30]) * np.timedelta64(1, "m"))


@pytest.mark.parametrize(
    ("values", "units", "calendar"),
    [
        ([737419.5], "days since 1-1-1 00:00:0.0", None),
        ([58842.5], "days since 1858-11-17 0:0:0", None),
        ([2458843.0], "days since -4713-01-01 12:00:00", "julian"),
        ([0], "hours since 2019-12-12 12:00", "julian"),
        ([0], "hours since 2019-12-25 12:00", "noleap"),
        ([0], "hours since 2019-12-25 12:00", "360_day"),
        ([20191225.5], "day as %Y%m%d.%f", "proleptic_gregorian"),
        ([2019122512], None, None),
        ([201912251200], None, None),
        ([201912251200], "1", None),
        ([2019122512.0], "YYYYMMDDHH", None),
        ([20191225120000], "%Y%m%d%H%M%S", None),
        (["2019-12-25T12:00:00Z"], None, None),
        ([630504000.0 - 630504000.0], "seconds since 2019-12-25 12:00", "gregorian"),
        (np.array([1577275200], "i8"), "seconds since 1970-01-01", "standard"),
        (np.array([1577275200000], "i8"), "milliseconds since 1970-01-01", None),
    ],
)
def test_calendars_and_epochs(values, units, calendar):
    assert abs(decoded(values, units, calendar)[0] - NOON) < np.timedelta64(1, "ms")


@pytest.mark.parametrize(
    ("values", "units", "calendar", "words"),
    [
        ([1, 2], "days since 2019-02-29", "360_day", "30.*360_day|2019-02-29.*360_day"),
        ([0], "hours since 2019-12-25 12:00 JST", None, "epoch is no date"),
        ([0], "hours since 2019-13-25", None, "epoch is no date"),
        ([0], "months since 2019-01-01", None, "days, hours, minutes or seconds"),
        ([0], "hours since 2019-12-25", "martian", "calendar 'martian'"),
        ([1e9], "days since 2000-01-01", None, "outside 1800-2200"),
        ([1e30], "days since 2000-01-01", None, "outside 1800-2200"),
        (np.array(["2019-12-25", "3001-01-01"], "M8[s]"), None, None, "outside 1800-2200"),
        ([29991225.5], "day as %Y%m%d.%f", None, "outside 1800-2200|spell no date"),
        ([2999122512], None, None, "outside 1800-2200|spell no date"),
        ([0, 1], None, None, "no units"),
        ([2019133225], None, None, "spell no date"),
        (["yesterday"], None, None, "no time"),
        ([0], "month as %Y%m.%f", None, "units"),
    ],
)
def test_what_is_no_time_is_refused_by_its_units(values, units, calendar, words):
    with pytest.raises(InputError, match=words) as error:
        decoded(values, units, calendar)
    assert "a.nc: time" in str(error.value)


def test_missing_times_stay_missing():
    times = decoded([0.0, np.nan, netCDF4.default_fillvals["f8"]], "hours since 2019-12-25 12:00")
    assert times[0] == NOON
    assert np.isnat(times[1:]).all()


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)))
def test_a_moment_survives_its_spelling(moment):
    moment = moment.replace(microsecond=0)
    for pattern in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y%m%dT%H%M%SZ"):
        assert parse_moment(moment.strftime(pattern)) == np.datetime64(moment, "ns")


@pytest.mark.parametrize("text", ["25-DEC-2019T12:00:00", "25-Dec-2019 12:00 (GMT)", "25DEC2019 1200"])
def test_a_moment_may_name_its_month(text):
    assert parse_moment(text) == NOON


@pytest.mark.parametrize("text", ["", "2019-12-25", "10:00", "20191225", "1", "none", 5, None, "0000-00-00 00:00"])
def test_a_date_or_a_clock_alone_is_no_moment(text):
    assert parse_moment(text) is None


@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=5), st.sampled_from(["minutes", "seconds", "hours"]))
def test_whole_numbers_are_exact(values, unit):
    times = decoded(values, f"{unit} since 2000-01-01")
    seconds = {"seconds": 1, "minutes": 60, "hours": 3600}[unit]
    expected = np.datetime64("2000-01-01", "ns") + np.array(values) * seconds * np.timedelta64(1_000_000_000, "ns")
    if (expected < np.datetime64("2200-01-01")).all():
        np.testing.assert_array_equal(times, expected)
