"""Estimates of sensors: known footprints on fields of known spectrum, and frames that cannot tell."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from cli_cases import run
from tempogan_eddy.dataset.lowres_power import WINDOWS_OF_FRAME, steps_of, window_power, windows_of
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_comparison import compare_sensor
from tempogan_eddy.dataset.sensor_estimate import SensorEstimate, estimate_sensor
from tempogan_eddy.dataset.sensor_fit import _Problem
from tempogan_eddy.io import save_sequence


def power_law(frames=3, size=384, slope=2.75, curve=0.35, seed=0):
    """Return highres frames, K, whose power falls as k^-slope near 0.4 cycles per lowres pixel, and more beyond."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.normal(size=(frames, size, size)))
    k = 4 * np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    x = np.log(np.where(k > 0, k, 1) / 0.4)
    fields = np.fft.irfft2(spectrum * np.exp(-slope / 2 * x - curve / 4 * x**2), s=(size, size))
    # Quiet regions and busy ones, as in real scenes.
    busy = np.exp(1.5 * np.sin(2 * np.pi * np.arange(size) / size))
    return torch.from_numpy((250 + 10 * busy * fields / fields.std()).astype(np.float32))


@pytest.fixture(scope="module")
def truth():
    return power_law()


def seen(truth, text):
    return SensorModel.parse(text).apply(truth, torch.Generator().manual_seed(1)).numpy()


def save(frames, path, **attrs):
    times = pd.date_range("2020-01-01", periods=len(frames), freq="h")
    save_sequence(xr.DataArray(frames, {"time": times}, ("time", "y", "x"), attrs={"units": "K"} | attrs), path)


@pytest.mark.parametrize(
    ("text", "width", "noise"),
    [
        ("gaussian,fwhm=0.9", 0.9, 0.0),
        ("gaussian,fwhm=1.4,noise=0.2", 1.4, 0.2),
        ("box,width=1.6,noise=0.1", 1.6, 0.1),
        ("box,width=2.1", 2.1, 0.0),
    ],
)
def test_width_family_and_noise_of_a_known_footprint_are_found(truth, text, width, noise):
    estimate = estimate_sensor(seen(truth, text))
    kind = text.partition(",")[0]
    assert kind in estimate.families and estimate.certainty == "sure"
    found = estimate.sensor.width or estimate.sensor.fwhm
    if estimate.families[0] == kind:
        assert found == pytest.approx(width, rel=0.05)
        low, high = estimate.width_range[0]
        assert low < width < high
    assert estimate.noise == pytest.approx(noise, abs=0.03)
    assert compare_sensor(SensorModel.parse(text), estimate).verdict == "agreed"


def test_area_and_sampled_frames_are_told_apart(truth):
    area, sampled = (estimate_sensor(seen(truth, text)) for text in ("area", "box,width=0.5"))
    assert area.families[0] == "area" and area.sensor.kind == "area"
    assert sampled.families == ("sampled",)
    assert compare_sensor(SensorModel.parse("area"), area).verdict == "agreed"
    refused = compare_sensor(SensorModel.parse("area"), sampled)
    assert refused.verdict == "wrong"
    assert f"--sensor {sampled.sensor.text}" in refused.message and "sharper" in refused.message
    wide = compare_sensor(SensorModel.parse("area"), estimate_sensor(seen(truth, "gaussian,fwhm=1.4")))
    assert wide.verdict == "wrong" and "more blurred" in wide.message
    assert compare_sensor(SensorModel.parse("gaussian,fwhm=0.95"), area).verdict == "doubtful"


def test_widths_along_y_and_along_x_are_found_even_beside_missing_pixels(truth):
    frames = seen(truth, "box,width=1.3,width_x=1.8")
    frames[:, 40:50, 40:50] = np.nan
    frames[1] = np.nan
    estimate = estimate_sensor(frames)
    assert "box" in estimate.families
    np.testing.assert_allclose(estimate.transfer[:, 1], [0.41, 0.10], atol=0.04)


def test_large_frames_give_no_more_windows_than_fit_in_memory_from_all_over_the_frame():
    frame = np.add.outer(np.arange(600.0), 1000 * np.arange(700.0))
    frame[100:140, 50] = np.nan
    windows = windows_of([frame, frame[:64]])
    assert len(windows) == WINDOWS_OF_FRAME + 3 * 42 and np.isfinite(windows).all()
    # The first pixels say where the windows lie.
    columns, rows = np.divmod(windows[:WINDOWS_OF_FRAME, 0, 0], 1000)
    assert rows.min() == columns.min() == 0 and rows.max() == 560 and columns.max() == 656


def test_one_frame_may_come_as_an_array_or_with_names(truth):
    frame = seen(truth, "box,width=1.6")[0]
    assert estimate_sensor(xr.DataArray(frame, dims=("y", "x"))).sensor == estimate_sensor(frame).sensor


def test_rounding_is_found_from_the_values_and_is_no_other_noise(truth):
    estimate = estimate_sensor(seen(truth, "area,quantum=1"))
    assert estimate.sensor.quantum == 1.0
    assert estimate.noise == pytest.approx(1 / np.sqrt(12), abs=0.05) and estimate.sensor.noise_kelvin < 0.12
    vissr = np.concatenate([np.arange(180, 242, 1.0), np.arange(242, 300, 0.5)]).repeat(20)
    assert steps_of(vissr) == (0.5, 1.0)
    assert steps_of(np.random.default_rng(0).uniform(200, 300, 2000)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (np.full((2, 96, 96), 250.0), "almost constant"),
        (np.random.default_rng(0).normal(250, 9, (2, 20, 20)), "larger or more complete"),
        (np.full((2, 96, 96), np.nan), "larger or more complete"),
        (np.random.default_rng(0).normal(250, 9, (0, 96, 96)), "larger or more complete"),
    ],
)
def test_frames_that_cannot_tell_give_a_sentence_and_no_verdict(frames, reason):
    estimate = estimate_sensor(frames)
    assert estimate.sensor is None and reason in estimate.reason and estimate.family == "unknown"
    assert compare_sensor(SensorModel.parse("area"), estimate).verdict == "unknown"


def test_noise_without_a_scene_and_enlarged_frames_are_not_called_sure(truth):
    noise = estimate_sensor(np.random.default_rng(0).normal(250, 2, (2, 96, 96)))
    assert noise.sensor is None or noise.certainty != "sure" or noise.noise > 1
    enlarged = torch.nn.functional.interpolate(truth[None, :, :96, :96], scale_factor=4, mode="bicubic")[0].numpy()
    assert "resampled" in estimate_sensor(enlarged).reason


@pytest.mark.parametrize(("scale", "noted"), [(1.5, True), (1, False)])
def test_the_command_says_that_wide_footprints_may_be_interpolation(truth, tmp_path, capsys, scale, noted):
    wide = torch.from_numpy(seen(truth, "box,width=1.6"))[None]
    frames = torch.nn.functional.interpolate(wide, scale_factor=scale, mode="bicubic")[0, :, :128, :128].numpy()
    path = tmp_path / "lowres.nc"
    save(frames, path)
    code, told, _ = run(capsys, "sensor", path)
    assert code == 0 and ("interpolated frames look like this" in told) == noted


def test_the_derivatives_of_the_fit_are_those_of_its_residuals(truth):
    problem = _Problem(window_power(windows_of(seen(truth, "box,width=1.5,noise=0.3"))), "box", (1.2, 1.5), False)
    at = problem.start + 0.03
    exact = problem.jacobian(at)
    for number in range(len(at)):
        step = np.zeros(len(at))
        step[number] = 1e-6
        slope = (problem.residuals(at + step) - problem.residuals(at - step)) / 2e-6
        np.testing.assert_allclose(exact[:, number], slope, rtol=1e-3, atol=1e-3 * np.abs(slope).max())


def test_the_command_prints_the_estimate_and_what_the_file_says(truth, tmp_path, capsys):
    path = tmp_path / "lowres.nc"
    save(seen(truth, "gaussian,fwhm=1.3"), path, **SensorModel.parse("area").attributes())
    code, told, _ = run(capsys, "sensor", path)
    assert code == 0
    assert "sensor     gaussian,fwhm=1.3" in told or "sensor     box" in told
    assert "sensor_model = area" in told and "--sensor" in told
    code, told, _ = run(capsys, "sensor", path, "--json")
    facts = json.loads(told)
    assert code == 0 and facts["file_agrees"] == "wrong" and facts["sensor"] and "gaussian" in facts["families"]


def test_an_estimate_without_frames_is_unsure():
    assert SensorEstimate().certainty == "unsure"
