from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from io_cases import all_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import as_sequence, open_sequence, select_time
from tempogan_eddy.io import frames as io_frames
from tempogan_eddy.io.frames import FrameReader, FrameStack, lazy_sequence, source_paths
from tempogan_eddy.io.values.quality import FLAT_SHARE, mask_calibration_bars, mask_impossible


def test_a_sequence_is_float32_kelvin_one_frame_a_chunk(make_sequence):
    raw = make_sequence(frames=3, shape=(4, 5)).compute().astype("f8").transpose("x", "time", "y")
    sequence = as_sequence(raw.rename("tbb").drop_attrs(deep=False).assign_attrs(units="kelvin", count=np.int64(3)))
    assert sequence.name == "brightness_temperature"
    assert sequence.dims == ("time", "y", "x")
    assert sequence.dtype == np.float32
    assert sequence.chunks == ((1, 1, 1), (4,), (5,))
    assert sequence.attrs == {
        "units": "K",
        "count": 3,
        "standard_name": "brightness_temperature",
        "sequence": "tbb",
    }
    assert type(sequence.attrs["count"]) is int
    np.testing.assert_array_equal(sequence.values, raw.transpose(*sequence.dims).values.astype("f4"))
    assert {"lat", "lon", "satellite", "pressure"} <= set(sequence.coords)


def test_celsius_becomes_kelvin(make_sequence):
    sequence = make_sequence()
    celsius = (sequence - 273.15).assign_attrs(units="degrees_Celsius")
    np.testing.assert_allclose(as_sequence(celsius).values, sequence.values, atol=1e-4)


def test_integers_are_numbers_too(make_sequence):
    sequence = as_sequence(make_sequence().round().astype("u2").assign_attrs(units="K"))
    assert sequence.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda da: da.rename(y="row"), "row"),
        (lambda da: da.isel(time=0), "dimensions"),
        (lambda da: da.assign_attrs(units="percent"), "percent"),
        (lambda da: da.astype(str), "numbers"),
        (lambda da: da.isel(time=slice(0, 0)), "empty"),
        (lambda da: da.drop_vars("time"), "no time coordinate"),
        (lambda da: da.assign_coords(time=np.arange(4)), "no time coordinate"),
        (lambda da: da.assign_coords(time=da.time.dt.strftime("%Y-%m-%d %H")), "pandas.to_datetime"),
        (lambda da: da.convert_calendar("noleap", use_cftime=True), "noleap.*convert_calendar"),
        (lambda da: da.assign_coords(time=np.array(["3001", "3002", "3003", "3004"], "M8[s]")), "after 2262"),
        (lambda da: da.assign_coords(time=da.time.where(da.time > da.time[1])), "without a time"),
    ],
)
def test_what_is_no_sequence_is_refused_in_one_sentence(make_sequence, change, words):
    with pytest.raises(InputError, match=words) as error:
        as_sequence(change(make_sequence()))
    assert "\n" not in str(error.value)


def test_frames_are_put_in_the_order_of_time_and_that_is_said(make_sequence, caplog):
    plain = make_sequence(frames=5)
    sequence = as_sequence(plain.isel(time=[0, 2, 1, 4, 3]))
    xr.testing.assert_equal(sequence.compute(), plain.compute())
    assert "2001-07-01T02:00:00 to 2001-07-01T01:00:00; its frames are sorted" in caplog.text
    caplog.clear()
    as_sequence(sequence)
    assert not caplog.text


def test_sorting_keeps_frames_of_equal_times_in_their_order(make_sequence):
    plain = make_sequence(frames=3)
    twice = plain.isel(time=[2, 1, 0, 1]).assign_coords(satellite=("time", ["A", "B", "C", "D"]))
    assert as_sequence(twice)["satellite"].values.tolist() == ["C", "B", "D", "A"]


@pytest.mark.parametrize(
    "dates",
    [
        lambda times: xr.date_range("2001-07-01", periods=4, freq="h", calendar="standard", use_cftime=True),
        lambda times: xr.date_range("2001-07-01", periods=4, freq="h", calendar="proleptic_gregorian", use_cftime=True),
        lambda times: pd.DatetimeIndex(times, tz="UTC").tz_convert("Asia/Tokyo"),
        lambda times: times.astype("M8[s]"),
    ],
)
def test_dates_of_every_kind_become_those_of_numpy_in_utc(make_sequence, dates):
    plain = make_sequence()
    sequence = as_sequence(plain.assign_coords(time=("time", dates(plain.time.values))))
    assert sequence["time"].dtype == "datetime64[ns]"
    np.testing.assert_array_equal(sequence["time"], plain["time"])


def test_half_precision_is_computed_in_full(make_sequence):
    celsius = np.full((4, 12, 10), -60.5, np.float16)
    sequence = as_sequence(make_sequence().copy(data=celsius).assign_attrs(units="degC"))
    np.testing.assert_allclose(sequence.values, 212.65, atol=1e-4)


def test_equal_times_are_allowed(make_sequence):
    assert as_sequence(make_sequence().isel(time=[0, 1, 1, 2])).sizes["time"] == 4


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("2001-07-01/..", range(48)),
        ("../..", range(48)),
        ("2001-07-02/..", range(24, 48)),
        ("../2001-07-01", range(24)),
        ("2001-07-01", range(24)),
        ("2001-07-01T05", [5]),
        ("2001-07-01T05/2001-07-01T07", [5, 6, 7]),
        ("2001-07-01T05:30/2001-07-01T07:00", [6, 7]),
        ("2001-07-01T22 / 2001-07-02T01:30", [22, 23, 24, 25]),
        ("2001-07/2001-07", range(48)),
    ],
)
def test_an_interval_includes_both_its_ends(make_sequence, interval, expected):
    sequence = make_sequence(frames=48, shape=(2, 2))
    chosen = select_time(sequence, interval)
    np.testing.assert_array_equal(chosen.time, sequence.time[list(expected)])
    assert chosen.attrs == sequence.attrs
    assert set(chosen.coords) == set(sequence.coords)


def test_a_whole_hour_at_the_end_includes_its_minutes(make_sequence):
    sequence = make_sequence(frames=5, step="30m")
    assert select_time(sequence, "2001-07-01T00/2001-07-01T01").sizes["time"] == 4


JITTER = [0, -14, 13, -27, 21, 0]


def half_hours(offsets, unit="us", frames=6):
    """Half-hourly times from midnight, each so far off."""
    start, step = np.datetime64("2019-12-25T00:00", "ns"), np.timedelta64(30, "m")
    times = start + np.arange(frames) * step + np.resize(offsets, frames).astype(f"timedelta64[{unit}]")
    coords = {"time": times.astype("datetime64[ns]")}
    return xr.DataArray(np.zeros((frames, 2, 2), "f4"), dims=("time", "y", "x"), coords=coords)


@pytest.mark.parametrize(("offsets", "unit"), [(JITTER, "us"), ([-14], "us"), ([-30, 21, 40], "s"), ([21], "s")])
@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("2019-12-25T00:30/..", range(1, 6)),
        ("2019-12-25T00:30:00/..", range(1, 6)),
        ("2019-12-25T01", [2, 3]),
        ("2019-12-25T00/2019-12-25T01", range(4)),
        ("../2019-12-25T00", range(2)),
        ("2019-12-25", range(6)),
        ("2019-12-24/..", range(6)),
        ("2019-12-25T01:30", [3]),
    ],
)
def test_an_interval_counts_the_slots_of_times(offsets, unit, interval, expected):
    sequence = half_hours(offsets, unit)
    chosen = select_time(sequence, interval)
    np.testing.assert_array_equal(chosen["time"], sequence["time"][list(expected)])


def test_a_frame_is_found_by_its_own_time_too():
    scans = half_hours([21, 20, 22], "s")
    assert select_time(scans, "2019-12-25T00:30:20")["time"].values == scans["time"].values[1]
    assert select_time(scans, "2019-12-25T00:30:10/2019-12-25T01:00:10").sizes["time"] == 2
    with pytest.raises(InputError, match="No frame"):
        select_time(scans, "2019-12-25T00:30:10")
    jittered = half_hours(JITTER)
    for number in range(6):  # as messages print it
        text = np.datetime_as_string(jittered["time"].values[number])
        assert select_time(jittered, text)["time"].values == jittered["time"].values[number]
    off_slot = half_hours([2], "m")
    assert select_time(off_slot, "2019-12-25T00:32")["time"].values == off_slot["time"].values[1]


def test_the_tolerance_says_what_a_slot_takes():
    late = half_hours([4], "m")
    assert select_time(late, "2019-12-25T00:34").sizes["time"] == 1
    with pytest.raises(InputError, match="No frame"):
        select_time(late, "2019-12-25T00:30")
    assert select_time(late, "2019-12-25T00:30", "5min").sizes["time"] == 1
    with pytest.raises(InputError, match="time_tolerance 'often'"):
        select_time(late, "2019-12-25T00:30", "often")


@given(
    jitter=st.lists(st.integers(-170, 170), min_size=12, max_size=12),
    first=st.integers(0, 11),
    last=st.integers(0, 11),
    resolution=st.sampled_from(["h", "m"]),
)
@settings(deadline=None, max_examples=40)
def test_times_off_by_less_than_the_tolerance_select_as_exact_ones(jitter, first, last, resolution):
    first, last = sorted((first, last))
    exact, real = half_hours([0], frames=12), half_hours(np.array(jitter), "s", 12)
    ends = [np.datetime_as_string(exact["time"].values[n], unit=resolution) for n in (first, last)]
    chosen = [select_time(da.assign_coords(number=("time", range(12))), "/".join(ends)) for da in (exact, real)]
    assert chosen[0]["number"].values.tolist() == chosen[1]["number"].values.tolist()


def test_no_interval_keeps_every_frame(make_sequence):
    sequence = make_sequence(frames=5)
    assert select_time(sequence, None).identical(sequence)


@pytest.mark.parametrize("interval", ["yesterday", "2001-07-01/tomorrow", "", "2001-13-01/.."])
def test_what_is_no_interval_is_refused(make_sequence, interval):
    with pytest.raises(InputError, match="is no time interval"):
        select_time(make_sequence(), interval)


def test_an_interval_without_frames_is_refused_with_what_there_is(make_sequence):
    with pytest.raises(InputError, match="2001-07-01T00:00:00 to 2001-07-01T03:00:00"):
        select_time(make_sequence(), "1999-01-01/1999-12-31")


def test_impossible_kelvins_are_missing():
    kelvin = np.array([159.9, 160, 250, 329.99, 330, -19.1, np.inf, np.nan])
    expected = np.array([np.nan, 160, 250, 329.99, np.nan, np.nan, np.nan, np.nan], dtype=np.float32)
    np.testing.assert_array_equal(mask_impossible(kelvin), expected)
    np.testing.assert_array_equal(mask_impossible(np.array([90.0, 250.0]), (50, 400)), [90, 250])


@pytest.fixture
def frame_with_bar():
    """A frame whose lower part is fill, a stepped grey bar and fill again, as GMS pictures have it."""
    frame = np.random.default_rng(0).normal(270, 5, (96, 128))
    frame[64:] = -19.1
    frame[72:84] = np.repeat(np.linspace(230, 295, 8), 16)
    frame[66, 3:9] = 335.2
    return frame


def test_a_calibration_bar_is_missing_and_the_picture_is_not(frame_with_bar):
    kelvin = mask_calibration_bars(frame_with_bar)
    assert np.isnan(kelvin[64:]).all()
    np.testing.assert_array_equal(kelvin[:64], frame_with_bar[:64].astype(np.float32))


def test_a_picture_that_fill_cuts_in_two_stays_whole(frame_with_bar):
    frame_with_bar[40:44] = -19.1
    kelvin = mask_calibration_bars(frame_with_bar)
    assert np.isfinite(kelvin[44:64]).all()
    assert np.isfinite(kelvin[:40]).all()


def test_a_cut_off_scrap_too_small_to_judge_is_missing(frame_with_bar):
    frame_with_bar[72:84] = -19.1
    frame_with_bar[75:80, 10:20] = frame_with_bar[:5, :10]
    assert np.isnan(mask_calibration_bars(frame_with_bar)[64:]).all()


def test_a_bar_alone_in_a_frame_of_fill_is_no_picture(frame_with_bar):
    frame_with_bar[:64] = -19.1
    assert np.isnan(mask_calibration_bars(frame_with_bar)).all()


def test_where_a_file_marks_its_missing_pixels_the_others_are_kept():
    frame = np.full((20, 20), 280.0)
    frame[:, 10] = np.nan
    assert np.isnan(mask_calibration_bars(frame)).sum() == 20


def test_bars_of_a_real_archive_are_missing_and_its_clouds_are_not(data_dir):
    flat, picture = [], []
    for file in sorted((data_dir / "digital-typhoon/WP/image/198702").glob("*.h5"))[:60:6]:
        with h5py.File(file) as h5:
            raw = h5["infrared"][()].astype(np.float32)
        kelvin = mask_calibration_bars(raw)
        plausible = mask_impossible(raw)
        bar = np.isfinite(plausible) & np.isnan(kelvin)
        for pixels, shares in ((bar, flat), (np.isfinite(kelvin), picture)):
            if pixels.any():
                pairs = pixels[:, 1:] & pixels[:, :-1]
                shares.append((raw[:, 1:] == raw[:, :-1])[pairs].mean())
        missing_rows = np.flatnonzero(np.isnan(kelvin).any(axis=1))
        if missing_rows.size:
            assert np.isnan(kelvin[missing_rows[0] + 20 :]).all(), f"something of a bar is left in {file.name}"
    assert len(flat) >= 5
    assert min(flat) > FLAT_SHARE + 0.05
    assert max(picture) < 0.5


def test_a_clean_storm_stays_without_a_missing_pixel(data_dir):
    sequence = open_sequence(data_dir / "digital-typhoon/WP/image/200717")
    assert not np.isnan(sequence[::23].values).any()


def test_a_stack_reads_only_the_frames_asked_for():
    read = []

    def read_frame(number):
        read.append(number)
        return np.full((3, 4), 200 + number, dtype=np.float32)

    times = np.datetime64("2001-01-01", "ns") + np.arange(1000) * np.timedelta64(1, "h")
    stack = FrameStack(Path("here"), read_frame, (1000, 3, 4))
    sequence = as_sequence(lazy_sequence(stack, {"time": times}, {"units": "K"}))
    assert read == []
    np.testing.assert_array_equal(sequence[7:20:5, 1:, :2].values[:, 0, 0], [207, 212, 217])
    assert float(sequence[30, 0, 0]) == 230
    assert sorted(read) == [7, 12, 17, 30]
    assert source_paths(sequence * 2) == {Path("here")}
    assert source_paths(xr.DataArray(1)) == set()


def test_frames_that_are_computed_together_stay_together(make_sequence):
    sequence = make_sequence(frames=7, shape=(4, 6))
    assert as_sequence(sequence.chunk(time=3, y=2, x=5)).chunks == ((3, 3, 1), (4,), (6,))
    assert as_sequence(sequence.compute()).chunks == ((1,) * 7, (4,), (6,))


def test_frames_are_read_by_number_in_any_order(make_sequence, in_chunks, monkeypatch):
    monkeypatch.setattr(io_frames, "CUT_AT_ONCE", 2)
    sequence = make_sequence(frames=23)
    lazy, computed = in_chunks(sequence, 3)
    for reader in (FrameReader(lazy), FrameReader(sequence.compute())):
        for number in (*range(23), 22, 0, 11):
            np.testing.assert_array_equal(reader.frame(number), sequence.values[number])
    assert computed == [*range(8), 0, 3]


@pytest.mark.parametrize("members", [0, 3])
def test_chunks_of_parts_of_frames_and_of_members_are_put_together(make_sequence, monkeypatch, members):
    monkeypatch.setattr(io_frames, "CUT_AT_ONCE", 2)
    sequence = make_sequence(frames=7, shape=(5, 6)).compute()
    if members:
        sequence = xr.concat([sequence + number for number in range(members)], "member").chunk(member=2)
    reader = FrameReader(sequence.chunk(time=3, y=2, x=4) + 1)
    for number in (0, 6, 2, 3):
        np.testing.assert_array_equal(reader.frame(number), sequence.isel(time=number).values + 1)


def test_a_frame_takes_no_longer_to_find_in_a_long_sequence(make_sequence, monkeypatch):
    """dask is given the tasks of one chunk, never those of the whole sequence, and optimises many chunks at once."""
    get, optimize = io_frames.dask.get, io_frames.dask.optimize
    monkeypatch.setattr(io_frames, "CUT_AT_ONCE", 8)

    def tasks(frames):
        sizes, optimised = [], []
        monkeypatch.setattr(io_frames.dask, "get", lambda graph, keys: sizes.append(len(graph)) or get(graph, keys))
        monkeypatch.setattr(io_frames.dask, "optimize", lambda part: optimised.append(part) or optimize(part))
        assert len(all_frames(as_sequence(make_sequence(frames=frames, shape=(2, 2))))) == frames
        assert (len(sizes), len(optimised)) == (frames, frames // 8)
        return max(sizes)

    # The same in a sequence of any length.
    assert tasks(24) == tasks(48) <= 5


def test_what_is_masked_in_an_array_is_said_once(make_sequence, caplog):
    kelvin = make_sequence(frames=3)
    hundredths = as_sequence(kelvin.copy(data=kelvin.data * 100))
    assert np.isnan(hundredths.values).all()
    assert np.isnan(hundredths.values).all()
    assert caplog.text.count("values outside 160-330 K are missing") == 1
    assert "are the units right?" in caplog.text
    caplog.clear()
    assert np.isfinite(as_sequence(kelvin).values).all()
    assert "missing" not in caplog.text
