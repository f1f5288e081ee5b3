"""Which frames follow each other, and which slot a time belongs to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.grids.axes import role_of
from tempogan_eddy.io.times.cadence import native_step, neighbours, nominal_times, parse_duration, tolerance_of

START = np.datetime64("2019-12-25T10:00", "ns")
SECOND, MINUTE, HOUR = (np.timedelta64(1, unit).astype("timedelta64[ns]") for unit in "smh")


@pytest.mark.parametrize("step", [10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR])
@given(jitter=st.lists(st.floats(-0.04, 0.04), min_size=3, max_size=12))
def test_jittered_frames_follow_each_other_in_their_slots(step, jitter):
    exact = START.astype("datetime64[D]") + np.arange(len(jitter)) * step
    times = exact + (np.array(jitter) * step.astype(int)).astype("timedelta64[ns]")
    assert native_step(times) == step
    np.testing.assert_array_equal(nominal_times(times), exact)
    np.testing.assert_array_equal(neighbours(times, step, tolerance_of(step)), [*range(1, len(times)), -1])


@pytest.mark.parametrize("step", [10 * MINUTE, 30 * MINUTE, HOUR])
def test_times_off_to_either_side_keep_their_cadence(step):
    exact = START.astype("datetime64[D]") + np.arange(12) * step
    off = np.where(np.arange(12) % 2, 1, -1) * (step * 9 // 100)
    assert native_step(exact + off) == step
    np.testing.assert_array_equal(nominal_times(exact + off), exact)


def test_an_unusual_cadence_is_not_rounded():
    assert native_step(START + np.arange(6) * 25 * MINUTE) == 25 * MINUTE


def test_a_half_hourly_archive_serves_an_hour():
    times = START + np.arange(6) * 30 * MINUTE
    np.testing.assert_array_equal(neighbours(times, HOUR, tolerance_of(HOUR)), [2, 3, 4, 5, -1, -1])


def test_a_gap_and_another_satellite_end_the_chain():
    times = START + np.array([0, 1, 3, 4]) * HOUR
    np.testing.assert_array_equal(neighbours(times, HOUR, tolerance_of(HOUR)), [1, -1, 3, -1])
    seen = np.array(["A", "B", "B", "B"])
    np.testing.assert_array_equal(neighbours(times, HOUR, tolerance_of(HOUR), seen), [-1, -1, 3, -1])


def test_a_frame_is_the_next_of_one_alone():
    times = START + np.array([0, 1, 3600, 3601]) * SECOND
    following = neighbours(times, HOUR, tolerance_of(HOUR))
    taken = following[following >= 0]
    assert len(taken) == len(set(taken.tolist()))


def test_times_far_from_every_slot_stay():
    times = START + np.array([0, 37, 60, 120]) * MINUTE
    assert nominal_times(times, HOUR)[1] == times[1]


def test_a_tolerance_of_half_the_cadence_is_refused():
    assert tolerance_of(HOUR) == 6 * MINUTE
    assert tolerance_of(HOUR, "90s") == 90 * SECOND
    with pytest.raises(InputError, match="half of the cadence"):
        tolerance_of(HOUR, "30min")


@pytest.mark.parametrize("text", ["", "soon", "0h", "-1h", "nat"])
def test_what_is_no_duration_is_refused_by_its_key(text):
    with pytest.raises(InputError, match="cadence"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("name", "attrs", "role"),
    [
        ("a", {"units": "degrees_north"}, "latitude"),
        ("a", {"units": "degreeN"}, "latitude"),
        ("a", {"units": "degree_E"}, "longitude"),
        ("a", {"units": "degreesE"}, "longitude"),
        ("a", {"standard_name": "longitude", "units": "degrees"}, "longitude"),
        ("a", {"standard_name": "projection_y_coordinate"}, "y"),
        ("a", {"axis": "X"}, "x"),
        ("a", {"units": "hours since 2019-12-25"}, "time"),
        ("a", {"units": "day as %Y%m%d.%f"}, "time"),
        ("a", {"standard_name": "forecast_reference_time", "units": "hours since 2019-12-25"}, None),
        ("Latitude", {}, "latitude"),
        ("nav_lon", {"units": "deg"}, "longitude"),
        ("t", {}, "time"),
        ("t", {"units": "K"}, None),
        ("band", {}, None),
    ],
)
def test_what_a_coordinate_is(name, attrs, role):
    assert role_of(name, attrs) == role


def test_dates_are_times_whatever_they_are_called():
    assert role_of("a", {}, np.dtype("M8[ns]")) == "time"
