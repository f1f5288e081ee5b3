import numpy as np
import pytest
import torch

from evaluation_cases import SCALE, cloud, sequence
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import BASELINES, evaluate
from tempogan_eddy.evaluation.baselines import back_projected, bicubic, nearest, wiener
from tempogan_eddy.evaluation.wiener import prior

WIDE = "gaussian,fwhm=1.2"
SENSORS = [WIDE, "box,width=1.6,phase=0.25", "box,width=0.5", "area,wavelength=10.8", "nearest"]


def frequencies(side):
    along = torch.fft.fftfreq(side, dtype=torch.float64)
    return torch.hypot(along[:, None], along), along


def scene(side, seed=0):
    """A gaussian random field (side, side) with the spectrum of the prior, K around 250."""
    radius, _ = frequencies(side)
    amplitude = prior(radius).sqrt()
    amplitude[0, 0] = 0
    white = torch.randn(side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.fft.ifft2(torch.fft.fft2(white) * amplitude).real.float() + 250


def least_error(side, scale, noise):
    """The mean square error of the best linear estimate from block means, from the theory of stationary fields."""
    radius, along = frequencies(side)
    power = prior(radius)
    power[0, 0] = 0
    wave = torch.sin(torch.pi * along * scale) / (scale * torch.sin(torch.pi * along))
    wave[0] = 1
    seen = power * (wave[:, None] * wave) ** 2
    small = side // scale
    every = sum(
        seen.roll((row * small, column * small), (0, 1)) for row in range(scale) for column in range(scale)
    )  # each frequency's aliases
    every[0, 0] = 1
    return float((power - power * seen / (every + scale**2 * noise**2)).mean())


@pytest.mark.parametrize(("scale", "noise"), [(2, 0.0), (3, 0.0), (4, 0.0), (4, 2.0)])
def test_on_a_gaussian_field_the_error_is_the_least_possible(scale, noise):
    side, border = 240, 24
    sensor = SensorModel("area", scale, noise_kelvin=noise)
    squared = []
    for seed in range(4):
        truth = scene(side, seed)
        lowres = sensor.apply(truth, torch.Generator().manual_seed(seed))
        error = wiener(lowres.numpy(), sensor) - truth.numpy()
        squared.append((error[border:-border, border:-border] ** 2).mean())
    assert np.mean(squared) == pytest.approx(least_error(side, scale, noise), rel=0.03)


@pytest.mark.parametrize("method", [back_projected, wiener])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("text", SENSORS)
def test_a_sensor_without_noise_sees_the_result_as_its_input(text, scale, method):
    sensor = SensorModel.parse(text, scale)
    truth = torch.from_numpy(cloud((18 * scale, 29 * scale)))
    lowres = sensor.see(truth)
    restored = method(lowres.numpy(), sensor)
    assert restored.shape == truth.shape and restored.dtype == np.float32
    assert (sensor.see(torch.from_numpy(restored)) - lowres).abs().max() < 5e-3


@pytest.mark.parametrize("text", ["area", WIDE, "box,width=1.6", f"{WIDE},noise=0.5", "seviri", "area,noise=2"])
def test_the_wiener_filter_is_the_best_baseline(text):
    sensor = SensorModel.parse(text)
    truth = torch.from_numpy(cloud((256, 192), seed=3))
    lowres = sensor.apply(truth, torch.Generator().manual_seed(0)).numpy()
    errors = {name: np.square(method(lowres, sensor) - truth.numpy()).mean() for name, method in BASELINES.items()}
    assert min(errors, key=errors.get) == "Wiener filter"


@pytest.mark.parametrize("text", [*SENSORS, "area,noise=0.5", "seviri"])
def test_a_flat_frame_stays_flat_and_a_missing_pixel_missing(text):
    sensor = SensorModel.parse(text)
    flat = np.full((12, 17), 231.5, np.float32)
    flat[4, 5] = np.nan
    for method in (back_projected, wiener):
        restored = method(flat, sensor)
        assert np.array_equal(np.isnan(restored), np.isnan(nearest(flat, 4)))
        assert np.nanmax(np.abs(restored - 231.5)) < 2e-3


def seen(truth, text):
    return SensorModel.parse(text, SCALE).coarsen(truth)


@pytest.mark.parametrize("stated", ["file", "option", "object"])
def test_consistency_is_measured_by_the_sensor(stated):
    truth = sequence(frames=2)
    lowres = seen(truth, WIDE)
    sensor = SensorModel.parse(WIDE, SCALE)
    kept = truth.copy(data=np.stack([back_projected(frame, sensor) for frame in lowres.values]))
    given = {"file": None, "option": WIDE, "object": sensor}[stated]
    if stated != "file":
        lowres.attrs.clear()
        lowres.attrs["units"] = "K"
    result = evaluate(truth, kept, lowres, sensor=given)
    assert result.sensor == sensor
    assert result.scores["reconstructed"]["consistency_max"].value < 0.01
    assert result.scores["bicubic"]["consistency_max"].value > 0.1
    shown = {metric.name for metric in result.informative_metrics}
    # Such a sensor fixes no block mean, so a bias is news.
    assert "bias" in shown and "consistency_rms" not in shown


def test_without_a_statement_the_sensor_is_the_area_mean():
    truth = sequence(frames=2)
    result = evaluate(truth, truth.assign_attrs(scale=SCALE))
    assert result.sensor == SensorModel("area", SCALE)


def test_the_input_made_from_the_truth_is_that_of_the_stated_sensor():
    truth = sequence(frames=2)
    lowres = seen(truth, WIDE)
    ours = truth.assign_attrs(lowres.attrs | {"scale": SCALE})  # as `reconstruct` writes them
    assert evaluate(truth, ours).scores["bicubic"] == evaluate(truth, ours, lowres).scores["bicubic"]
    pairs = zip(lowres.values, truth.values, strict=True)
    expected = np.sqrt(np.mean([(bicubic(low, SCALE) - high) ** 2 for low, high in pairs]))
    assert evaluate(truth, ours).scores["bicubic"]["rmse"].value == pytest.approx(expected, rel=1e-5)


def test_missing_pixels_within_the_footprint_have_no_consistency():
    truth = sequence(frames=1)
    truth[0, 40, 40] = np.nan
    lowres = seen(truth, "box,width=1.6")
    result = evaluate(truth, truth.copy(), lowres, baselines=False)
    assert result.scores["reconstructed"]["consistency_max"].value < 1e-3


def test_a_sensor_of_another_scale_is_refused():
    truth = sequence(frames=1)
    with pytest.raises(InputError, match="2 times coarser"):
        evaluate(truth, truth, sensor_scale=4, sensor=SensorModel("area", 2))
