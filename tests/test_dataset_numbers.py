"""Sensors, splits and links on cases that can be counted by hand or that another library computes."""

import numpy as np
import pytest
import torch
from PIL import Image

from tempogan_eddy.config import SplitConfig, load_config
from tempogan_eddy.dataset.noise import normal_noise
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.split import Entry, split_frames
from tempogan_eddy.dataset.windows import Links, link_frames, why_no_window
from tempogan_eddy.errors import InputError

HOUR = np.timedelta64(1, "h")


def entry(frames=10, usable=True, year=2000):
    times = (np.datetime64(f"{year}-08-01", "ns") + np.arange(frames) * HOUR).astype("datetime64[ns]")
    return Entry(times, usable=usable)


def counts(result):
    return {split: {name: int(mask.sum()) for name, mask in members.items()} for split, members in result.items()}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_sensor_is_that_of_pillow(scale):
    frame = np.random.default_rng(0).normal(270, 20, (72, 72)).astype(np.float32)
    expected = np.asarray(Image.fromarray(frame).resize((72 // scale, 72 // scale), Image.Resampling.BICUBIC))
    ours = SensorModel("bicubic", scale).apply(torch.from_numpy(frame)).numpy()
    np.testing.assert_allclose(ours[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1e-3)


@pytest.mark.parametrize("count", [16, 100, 2352])
def test_noise_by_seed_is_that_of_torch_for_each_sample(count):
    seeds = [1, (1 << 61) + 12345]
    expected = [torch.randn(count, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    np.testing.assert_allclose(normal_noise(seeds, count), torch.stack(expected), atol=1e-6)
    assert np.array_equal(normal_noise(seeds[1:], count)[0], normal_noise(seeds, count)[1])


def test_noise_of_few_pixels_is_normal_too():
    assert normal_noise(range(4000), 9).std() == pytest.approx(1, abs=0.02)


def test_noise_of_a_sequence_differs_from_frame_to_frame_and_by_seed(make_sequence):
    sequence = make_sequence(frames=3, shape=(8, 8))
    clean = SensorModel("area", 4).coarsen(sequence).values
    noisy = SensorModel("area", 4, noise_kelvin=0.5)
    noise = {seed: noisy.coarsen(sequence, seed).values - clean for seed in (0, 1)}
    assert np.array_equal(noise[0], noisy.coarsen(sequence).values - clean)
    frames = [*noise[0], *noise[1]]
    assert all(np.abs(a - b).max() > 0.01 for i, a in enumerate(frames) for b in frames[:i])


def test_hours_are_split_where_the_fractions_say():
    config = SplitConfig(by="time", guard_hours=5, validation_fraction=0.1, test_fraction=0.2)
    found = counts(split_frames({"a": entry(100)}, config))
    # Of 99 hours 69.3 and 79.2 are the cuts, 64.3 and 74.2 with the guard before them.
    assert found == {"train": {"a": 65}, "val": {"a": 5}, "test": {"a": 20}}


@pytest.mark.parametrize(("storms", "whole"), [(4, False), (5, True), (6, True)])
def test_storms_are_kept_whole_from_five_on(storms, whole):
    entries = {f"s{number}": entry(200, year=2000 + number) for number in range(storms)}
    result = split_frames(entries, SplitConfig())
    assert all(mask.all() or not mask.any() for members in result.values() for mask in members.values()) == whole


def test_the_only_storm_with_windows_is_not_taken_from_the_training():
    with pytest.raises(InputError, match="'val'"):
        split_frames({"a": entry(), "b": entry(usable=False, year=2001)}, SplitConfig(by="storm", test_fraction=0))


def test_a_rule_for_another_storm_hides_none_that_follows():
    rules = {"train": ["nobody", "a"], "val": ["b"]}
    found = counts(split_frames({"a": entry(), "b": entry(year=2001)}, SplitConfig(rules=rules)))
    assert found["train"]["a"] == 10
    assert found["val"]["b"] == 10


def test_a_storm_outside_the_folders_is_named():
    with pytest.raises(InputError, match="stray lies in none of the folders train, val, test"):
        split_frames({"stray": entry()}, SplitConfig(by="folder"))


def test_deviation_is_the_largest_from_the_cadence():
    minutes = np.array([0, 60, 121, 178])
    times = np.datetime64("2001-08-01", "ns") + minutes * np.timedelta64(1, "m")
    links = Links.from_following(np.array([1, 2, 3, -1]))
    assert links.deviation(times, "1h") == np.timedelta64(3, "m")
    assert links.deviation(times, "native") == np.timedelta64(3, "m")


def test_steps_without_a_window_are_told_from_the_shortest_on():
    storms = {f"s{step}": entry(2).times[0] + np.arange(3) * step * HOUR for step in (10, 3, 4, 5)}
    told = why_no_window(storms, "1h")
    assert "their frames are 3h and 4h and 5h and more apart" in told


@pytest.mark.parametrize("steps", [(3, 4, 5), (3, 4)])
def test_few_steps_without_a_window_are_all_told(steps):
    storms = {f"s{step}": entry(2).times[0] + np.arange(3) * step * HOUR for step in steps}
    assert f"their frames are {' and '.join(f'{step}h' for step in steps)} apart" in why_no_window(storms, "1h")


def test_a_configuration_gives_its_sensor_and_a_sensor_tells_itself(make_sequence):
    config = load_config({"sensor": {"kind": "gaussian", "sigma": 1.5, "noise_kelvin": 0.25}})
    sensor = SensorModel.from_config(config)
    assert (sensor.kind, sensor.scale, sensor.sigma, sensor.noise_kelvin) == ("gaussian", 4, 1.5, 0.25)
    attributes = sensor.coarsen(make_sequence(shape=(16, 16))).attrs
    assert attributes["sensor_model_noise_kelvin"] == 0.25
    assert attributes["sensor_model"] == "gaussian"


def test_where_all_pixels_are_inside_the_edge_changes_nothing():
    sensor, frames = SensorModel("gaussian", 4, sigma=2.0), torch.rand(3, 16, 16) + 280
    assert torch.equal(sensor.see(frames, torch.ones_like(frames, dtype=torch.bool)), sensor.see(frames))


def test_one_frame_is_linked_to_none(make_sequence):
    links = link_frames(make_sequence(frames=1), "native")
    assert links.previous.tolist() == links.following.tolist() == [-1]
