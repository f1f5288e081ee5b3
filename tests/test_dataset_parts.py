"""Sensor model, windows, splits, augmentation, missing pixels."""

import re

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy.config import SplitConfig
from tempogan_eddy.dataset.augment import turn_flow, turn_frames
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.split import Entry, describe_split, split_frames, storm_of
from tempogan_eddy.dataset.windows import Links, find_windows, link_frames, why_no_window
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.advection import advect

HOUR = np.timedelta64(1, "h")


def hours(*numbers, start="2000-01-01"):
    return np.datetime64(start, "ns") + (np.array(numbers) * 3600).astype("timedelta64[s]")


def sequence(times, satellites=None):
    coords = {"time": times}
    if satellites is not None:
        coords["satellite"] = ("time", np.array(satellites))
    return xr.DataArray(np.zeros((len(times), 4, 4), np.float32), dims=("time", "y", "x"), coords=coords)


# --- sensor model


def kelvins(*shape, seed=0):
    return 250 + 20 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["area", "bicubic", "gaussian"])
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_every_sensor_keeps_a_constant_and_the_grid(kind, scale):
    seen = SensorModel(kind, scale).apply(torch.full((1, 64, 64), 287.5))
    torch.testing.assert_close(seen, torch.full((1, 64 // scale, 64 // scale), 287.5))


def test_area_sensor_is_the_block_mean():
    x = kelvins(8, 8)
    torch.testing.assert_close(SensorModel("area", 4).apply(x), x.view(2, 4, 2, 4).mean(dim=(1, 3)))


@pytest.mark.parametrize("kind", ["area", "bicubic", "gaussian"])
def test_every_sensor_samples_the_block_centres(kind):
    ramp = torch.arange(64.0).expand(64, 64) + 250
    seen = SensorModel(kind, 4).apply(ramp)
    expected = 250 + torch.arange(16.0) * 4 + 1.5
    torch.testing.assert_close(seen[8, 4:12], expected[4:12], atol=1e-3, rtol=0)


def test_missing_pixels_carry_no_weight():
    x = kelvins(8, 8)
    x[0, 0] = np.nan
    seen = SensorModel("area", 4).apply(x)
    assert seen[0, 0] == pytest.approx(float(x[:4, :4].nanmean()), abs=1e-3)


@pytest.mark.parametrize("kind", ["area", "bicubic", "gaussian"])
def test_a_block_that_was_hardly_seen_is_missing(kind):
    x = kelvins(32, 32)
    x[:12] = np.nan
    seen = SensorModel(kind, 4).apply(x)
    assert seen[:2].isnan().all()
    assert seen[4:].isfinite().all()


def test_gaussian_sensor_blurs_more_with_sigma():
    x = kelvins(64, 64)
    assert SensorModel("gaussian", 4, sigma=4).apply(x).std() < SensorModel("gaussian", 4, sigma=1).apply(x).std()


def test_noise_is_in_kelvin_and_repeats_with_its_seed():
    sensor = SensorModel("area", 4, noise_kelvin=0.5)
    x = torch.full((400, 400), 280.0)
    first, again = (sensor.apply(x, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert float((first - 280).std()) == pytest.approx(0.5, rel=0.05)


def test_coarsening_rescales_the_spacing_that_attributes_state():
    frames = sequence(hours(0)).assign_attrs(grid_spacing="5 km")
    assert SensorModel("area", 2).coarsen(frames).attrs["grid_spacing"] == "10 km"


def test_coarsening_a_sequence_drops_incomplete_blocks_and_says_what_it_did():
    frames = sequence(hours(0, 1)).pad(y=(0, 2), x=(0, 3), constant_values=np.float32(280))
    coarse = SensorModel("area", 2).coarsen(frames)
    assert coarse.shape == (2, 3, 3)
    assert coarse.attrs["sensor_model"] == "area"
    assert coarse.attrs["sensor_model_scale"] == 2
    assert (coarse["time"] == frames["time"]).all()
    with pytest.raises(InputError, match="smaller"):
        SensorModel("area", 8).coarsen(sequence(hours(0)))


# --- windows


def windows(times, satellites=None, cadence="1h", tolerance=None):
    return find_windows(link_frames(sequence(times, satellites), cadence, tolerance)).tolist()


def test_gaps_and_other_satellites_end_a_sequence():
    assert windows(hours(0, 1, 2, 3, 6, 7, 8), list("AAAABBB")) == [[0, 1, 2], [1, 2, 3], [4, 5, 6]]
    assert windows(hours(0, 1, 2), list("ABB")) == []
    assert windows(hours(0, 1, 3)) == []


def test_of_frames_with_one_time_the_first_counts():
    assert windows(hours(0, 1, 2, 2, 3)) == [[0, 1, 2], [1, 2, 4]]


def test_two_satellites_that_see_the_same_hours_have_windows_of_their_own():
    assert windows(hours(0, 0, 1, 1, 2, 2), list("ABABAB")) == [[0, 2, 4], [1, 3, 5]]


def test_windows_need_all_three_frames():
    links = Links.from_following(np.array([1, 2, -1, 4, 5, 6, -1]))
    everything = np.ones(7, bool)
    assert find_windows(links, everything)[:, 1].tolist() == [1, 4, 5]
    everything[6] = False
    assert find_windows(links, everything)[:, 1].tolist() == [1, 4]
    assert find_windows(Links.from_following(np.array([1, -1]))).shape == (0, 3)


FLOAT_DAYS = (6500 + np.arange(8) / 24).astype("f4").astype("f8") * 86400e6
SCAN_SECONDS = np.array([21, 20, 21, 22, 21, 20, 21, 21]) + 3600 * np.arange(8)


@pytest.mark.parametrize(
    "times",
    [
        np.datetime64("2002-01-01", "us") + FLOAT_DAYS.astype("timedelta64[us]"),
        np.datetime64("2019-12-25T10:00:00") + SCAN_SECONDS,
        hours(*range(8)) + np.array([0, 13, -13, 27, 0, -20, 13, 1]) * np.timedelta64(1, "us"),
    ],
    ids=["float32 days", "scan mid times", "microseconds"],
)
def test_times_beside_their_hours_give_every_window(times):
    assert windows(times) == [[n, n + 1, n + 2] for n in range(6)]
    assert windows(times, cadence="native") == windows(times)
    assert windows(times, tolerance="1us") != windows(times)


@pytest.mark.parametrize(("minutes", "apart"), [(10, 6), (15, 4), (30, 2), (60, 1)])
def test_a_finer_archive_serves_an_hour_and_its_own_step(minutes, apart):
    times = np.datetime64("2016-08-01", "ns") + np.arange(40) * np.timedelta64(minutes, "m")
    assert windows(times) == [[m - apart, m, m + apart] for m in range(apart, 40 - apart)]
    assert len(windows(times, cadence="native")) == 38


@given(
    steps=st.lists(st.sampled_from([30, 60, 90, 180]), min_size=1, max_size=30),
    jitter=st.lists(st.integers(-80, 80), min_size=31, max_size=31),
    cut=st.integers(0, 30),
)
@settings(deadline=None, max_examples=50)
def test_windows_are_three_frames_one_cadence_apart_of_one_satellite(steps, jitter, cut):
    minutes = np.concatenate([[0], np.cumsum(steps)])
    times = np.datetime64("2000-01-01", "s") + minutes * 60 + np.array(jitter[: len(minutes)])
    satellites = np.where(np.arange(len(times)) < cut, "A", "B")
    found = windows(times, satellites)
    for frames in found:
        assert (np.abs(np.diff(times[frames]) - HOUR) <= np.timedelta64(6, "m")).all()
        assert len(set(satellites[frames])) == 1
    # By definition: every frame with one 60 minutes before it and one 60 minutes after it.
    places = {minute: n for n, minute in enumerate(minutes)}
    wanted = [[places.get(minute + 60 * k) for k in (-1, 0, 1)] for minute in minutes]
    assert found == [w for w in wanted if None not in w and len(set(satellites[w])) == 1]


def test_what_was_tolerated_is_told():
    times = hours(0, 1, 2, 3) + np.array([0, 21, 0, 0]) * np.timedelta64(1, "s")
    assert link_frames(sequence(times), "1h").deviation(times, "1h") == np.timedelta64(21, "s")
    assert link_frames(sequence(hours(0, 5)), "1h").deviation(hours(0, 5), "1h") == np.timedelta64(0, "ns")


@pytest.mark.parametrize(
    ("storms", "cadence", "advice"),
    [
        ({"a": hours(0, 3, 6)}, "1h", "its frames are 3h apart; set data.cadence to 3h or native"),
        ({"a": hours(0, 0.5, 1), "b": hours(0, 3, 6)}, "2h", "their frames are 30min and 3h apart; set .* to native"),
        ({"a": hours(0, 1)}, "1h", "its frames are 1h apart, but no three .* check data.split"),
        ({"a": hours(0)}, "native", "three frames at different times"),
    ],
)  # fmt: skip
def test_the_reason_for_no_window_names_the_setting_that_works(storms, cadence, advice):
    assert re.fullmatch(f".*{advice}.*", why_no_window(storms, cadence))


# --- splits


def storms(count, frames=48):
    return {f"storm{i}": Entry(hours(*range(frames), start=f"{2000 + i}-08-01")) for i in range(count)}


@pytest.mark.parametrize(
    ("name", "number"), [("200717", "200717"), ("198702", "198702"), ("210001", ""), ("clouds", ""), (None, "")]
)
def test_a_storm_has_an_official_number_or_none(name, number):
    frames = sequence(hours(0))
    assert storm_of(frames if name is None else frames.assign_attrs(sequence=name)) == number


@given(
    count=st.integers(1, 8),
    by=st.sampled_from(["auto", "storm", "season", "time"]),
    seed=st.integers(0, 20),
    guard=st.floats(0, 6),
)
@settings(deadline=None)
def test_splits_never_share_a_frame_and_are_the_same_every_time(count, by, seed, guard):
    config = SplitConfig(by=by, seed=seed, guard_hours=guard)
    entries = storms(count)
    if count == 1 and by in {"storm", "season"}:
        with pytest.raises(InputError, match=r"data\.split"):
            split_frames(entries, config)
        return
    result, again = split_frames(entries, config), split_frames(entries, config)
    for name, entry in entries.items():
        together = sum(result[split][name].astype(int) for split in result)
        assert together.max() <= 1
        assert len(together) == len(entry.times)
        assert all((result[split][name] == again[split][name]).all() for split in result)


def test_by_storm_keeps_storms_whole():
    result = split_frames(storms(6), SplitConfig(by="storm"))
    for members in result.values():
        assert all(mask.all() or not mask.any() for mask in members.values())


def test_storms_without_a_window_validate_nothing():
    config = SplitConfig(by="storm", validation_fraction=0.2, test_fraction=0.2)
    usable, result = storms(6), split_frames(storms(6), config)
    (validated,) = [name for name, mask in result["val"].items() if mask.any()]
    idle = usable | {validated: Entry(usable[validated].times, usable=False)}
    again = split_frames(idle, config)
    assert again["train"][validated].all()
    assert [sum(mask.any() for mask in again[split].values()) for split in ("train", "val", "test")] == [4, 1, 1]
    # Nothing else changes where every storm gives windows, and none matters where no storm does.
    nothing = {name: Entry(entry.times, usable=False) for name, entry in usable.items()}
    assert all((split_frames(nothing, config)["val"][name] == result["val"][name]).all() for name in usable)


def test_by_time_leaves_the_guard_unused():
    entries = storms(1, 100)
    result = split_frames(entries, SplitConfig(by="time", guard_hours=5))
    times = entries["storm0"].times
    train, val, test = (times[result[split]["storm0"]] for split in ("train", "val", "test"))
    assert val[0] - train[-1] > 5 * HOUR
    assert test[0] - val[-1] > 5 * HOUR


def test_folders_decide_where_they_exist():
    entries = {name: Entry(hours(0, 1, 2), name) for name in ("train", "val", "test")}
    result = split_frames(entries, SplitConfig())
    assert all(result[name][name].all() for name in entries)


def test_rules_place_named_storms_and_leave_the_rest_of_them_unused():
    rules = {"train": ["storm0 ../2000-08-01T09:00"], "val": ["storm0 2000-08-01T12:00/2000-08-01T20:00"]}
    result = split_frames(storms(1), SplitConfig(rules=rules))
    assert result["train"]["storm0"].nonzero()[0].tolist() == list(range(10))
    assert result["val"]["storm0"].nonzero()[0].tolist() == list(range(12, 21))
    assert not result["test"]["storm0"].any()


def test_a_split_without_training_frames_is_refused():
    with pytest.raises(InputError, match="'train'"):
        split_frames(storms(2), SplitConfig(rules={"val": ["*"]}))


@pytest.mark.parametrize("jitter", [0, -14, 13])
def test_rules_and_seasons_go_by_the_slots_of_times(jitter):
    """A frame at 23:59:59.99998 is the first of the next day, and of the next season."""
    times = hours(*range(6), start="2020-01-01") + np.timedelta64(jitter, "us")
    rules = {"train": ["a 2020-01-01T00/2020-01-01T02"], "val": ["a 2020-01-01T03:00/.."]}
    result = split_frames({"a": Entry(times)}, SplitConfig(rules=rules))
    assert [result[split]["a"].sum() for split in ("train", "val")] == [3, 3]
    assert Entry(times).season == "2020"


def test_a_part_tells_its_windows_and_the_frames_in_none():
    entries = {"half": Entry(hours(0, 0.5, 1, 1.5, 2, 2.5, 7))}
    links = {"half": link_frames(sequence(entries["half"].times), "1h")}
    rules = {"train": ["half ../2000-01-01T02"], "val": ["half 2000-01-01T07/.."]}
    train, val = describe_split(split_frames(entries, SplitConfig(rules=rules)), entries, links)
    assert str(train) == "train half: 6 frames, 2 windows, 2000-01-01T00:00 to 2000-01-01T02:30"
    assert str(val) == "val   half: 1 frame, 0 windows (1 frame in none), 2000-01-01T07:00 to 2000-01-01T07:00"
    assert train.interval == "half 2000-01-01T00:00/2000-01-01T02:30"


# --- augmentation


@pytest.mark.parametrize("symmetry", range(8))
def test_flow_turns_with_its_frames(symmetry):
    generator = torch.Generator().manual_seed(symmetry)
    frame, flow = torch.randn(2, 1, 12, 12, generator=generator), 2 * torch.randn(2, 2, 12, 12, generator=generator)
    turned_frame, turned_flow = (
        torch.from_numpy(turn(part.numpy(), symmetry).copy())
        for turn, part in ((turn_frames, frame), (turn_flow, flow))
    )
    expected = turn_frames(advect(frame, flow).numpy(), symmetry)
    np.testing.assert_allclose(advect(turned_frame, turned_flow).numpy(), expected, atol=1e-5)


def test_the_eight_symmetries_differ():
    frame = np.arange(9).reshape(3, 3)
    assert len({turn_frames(frame, symmetry).tobytes() for symmetry in range(8)}) == 8
    assert np.array_equal(turn_frames(frame, 1), np.rot90(frame))
    assert np.array_equal(turn_frames(frame, 5), np.rot90(np.fliplr(frame)))


# --- missing pixels


def test_missing_pixels_take_the_nearest_value():
    frame = np.array([[1.0, np.nan, np.nan, 4.0]])
    assert fill_missing(frame).tolist() == [[1.0, 1.0, 4.0, 4.0]]
    whole = np.ones((2, 2))
    assert fill_missing(whole) is whole
    assert np.isfinite(fill_missing(np.full((2, 3, 3), np.nan))).all()
