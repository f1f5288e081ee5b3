"""Sensor model, windows, splits, augmentation, missing pixels."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy.config import SplitConfig
from tempogan_eddy.dataset.augment import augment_flow, augment_frames
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.split import Entry, split_frames
from tempogan_eddy.dataset.windows import find_windows, linked_frames, parse_cadence
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.advection import advect

HOUR = np.timedelta64(1, "h")


def hours(*numbers, start="2000-01-01"):
    return np.datetime64(start, "ns") + np.array(numbers) * HOUR


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


def test_cadence_texts():
    assert parse_cadence("30min") == np.timedelta64(30, "m")
    for text in ("soon", "0h", "-1h"):
        with pytest.raises(InputError, match=text):
            parse_cadence(text)


def test_gaps_duplicates_and_other_satellites_end_a_sequence():
    linked = linked_frames(sequence(hours(0, 1, 2, 2, 3, 6, 7), list("AAAAABB")), "1h")
    assert linked.tolist() == [True, True, False, True, False, True]
    assert linked_frames(sequence(hours(0, 1, 2), list("ABB")), "1h").tolist() == [False, True]


def test_windows_need_all_three_frames():
    linked = np.array([True, True, False, True, True, True])
    everything = np.ones(7, bool)
    assert find_windows(linked, everything).tolist() == [1, 4, 5]
    everything[6] = False
    assert find_windows(linked, everything).tolist() == [1, 4]
    assert find_windows(np.array([True]), np.ones(2, bool)).size == 0


# --- splits


def storms(count, frames=48):
    return {f"storm{i}": Entry(hours(*range(frames), start=f"{2000 + i}-08-01")) for i in range(count)}


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


# --- augmentation


@pytest.mark.parametrize("symmetry", range(8))
def test_flow_turns_with_its_frames(symmetry):
    generator = torch.Generator().manual_seed(symmetry)
    frame, flow = torch.randn(2, 1, 12, 12, generator=generator), 2 * torch.randn(2, 2, 12, 12, generator=generator)
    # The other sample of the batch is turned otherwise.
    symmetries = torch.tensor([symmetry, 7 - symmetry])
    turned_then_moved = advect(augment_frames(frame, symmetries), augment_flow(flow, symmetries))
    torch.testing.assert_close(turned_then_moved, augment_frames(advect(frame, flow), symmetries), atol=1e-5, rtol=0)


def test_the_eight_symmetries_differ():
    frames = torch.arange(9).reshape(1, 3, 3).repeat(8, 1, 1)
    assert len({turned.numpy().tobytes() for turned in augment_frames(frames, torch.arange(8))}) == 8


# --- missing pixels


def test_missing_pixels_take_the_nearest_value():
    frame = np.array([[1.0, np.nan, np.nan, 4.0]])
    assert fill_missing(frame).tolist() == [[1.0, 1.0, 4.0, 4.0]]
    whole = np.ones((2, 2))
    assert fill_missing(whole) is whole
    assert np.isfinite(fill_missing(np.full((2, 3, 3), np.nan))).all()
