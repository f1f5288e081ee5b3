"""Real instruments: footprints, radiance, noise, rounding, and the bank that sees each sample by its own sensor."""

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy.dataset.augment import SYMMETRIES, augment_sensor
from tempogan_eddy.dataset.axis import FWHM, modulation
from tempogan_eddy.dataset.radiance import (
    noise_at,
    planck_constants,
    round_to_counts,
    round_to_steps,
    to_brightness,
    to_brightnesses,
    to_radiance,
    to_radiances,
)
from tempogan_eddy.dataset.random_sensors import KNOWN, draw_number, random_sensors
from tempogan_eddy.dataset.registration import displaced
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import SensorBank, describe_sensor
from tempogan_eddy.errors import InputError
from training_cases import moving_clouds

SENSORS = [
    SensorModel("area", 4),
    SensorModel("area", 4, wavelength=10.8),
    SensorModel("box", 4, width=0.25, phase=0.125, phase_x=-0.125),
    SensorModel("box", 4, width=1.6, fwhm=0.47, width_x=1.2),
    SensorModel("gaussian", 4, fwhm=1.5, wavelength=10.8),
]
RANDOM = random_sensors(24, 4, 5)


def scene(height=48, width=64, seed=0):
    return torch.from_numpy(moving_clouds(frames=1, size=64, seed=seed).values[0, :height, :width].copy())


def test_gradients_of_a_wild_generator_are_finite_whichever_sensors_share_its_batch():
    bank = SensorBank([SensorModel("area", 4), SensorModel("box", 4, width=1.2, wavelength=10.8)])
    highres = torch.linspace(-500, 900, 2 * 16 * 16).reshape(2, 1, 16, 16).requires_grad_()
    projected = bank.batch(torch.tensor([0, 1]), 4, 4).project(highres, torch.full((2, 1, 4, 4), 250.0))
    projected.sum().backward()
    assert projected.isfinite().all() and highres.grad.isfinite().all()


def test_a_box_of_half_a_pixel_is_the_mean_of_the_centre_2x2_of_16():
    frame = scene()
    seen = SensorModel("box", 4, width=0.5).see(frame)
    centre = frame.unflatten(0, (-1, 4)).unflatten(2, (-1, 4))[:, 1:3, :, 1:3].mean(dim=(1, 3))
    torch.testing.assert_close(seen, centre)


def test_a_box_of_a_quarter_pixel_with_a_phase_takes_one_pixel():
    frame = scene()
    seen = SensorModel("box", 4, width=0.25, phase=0.125, phase_x=-0.125).see(frame)
    torch.testing.assert_close(seen, frame[2::4, 1::4])


def test_a_box_as_wide_as_a_pixel_is_the_area_mean_at_every_scale():
    for scale in (2, 3, 4, 8):
        frame = scene()[:48, :48]
        box, area = SensorModel("box", scale, width=1.0), SensorModel("area", scale)
        torch.testing.assert_close(box.see(frame), area.see(frame), atol=1e-4, rtol=0)
        assert box.halo == area.halo == 0


def test_widths_mean_what_they_say():
    half = torch.tensor([0.5])
    gaussian = SensorModel("gaussian", 8, fwhm=1.2).kernels[0]
    sigma = 1.2 / (2 * math.sqrt(2 * math.log(2)))
    assert abs(modulation(gaussian, 8, half))[0] == pytest.approx(math.exp(-2 * (math.pi * 0.5 * sigma) ** 2), rel=2e-3)
    box = SensorModel("box", 8, width=1.6).kernels[0]
    assert abs(modulation(box, 8, half))[0] == pytest.approx(math.sin(0.8 * math.pi) / (0.8 * math.pi), rel=2e-2)
    both = SensorModel("box", 8, width=1.6, fwhm=1.2).kernels[0]
    product = abs(modulation(gaussian, 8, half)) * abs(modulation(box, 8, half))
    assert abs(modulation(both, 8, half))[0] == pytest.approx(float(product), rel=1e-3)
    shifted = SensorModel("box", 8, width=1.6, phase=0.25).kernels[0]
    assert np.angle(modulation(shifted, 8, half)[0]) == pytest.approx(2 * math.pi * 0.5 * 0.25, abs=1e-6)


@pytest.mark.parametrize("wavelength", [3.9, 6.7, 10.8, 12.0])
def test_radiance_and_back(wavelength):
    kelvin = torch.linspace(180, 330, 151, dtype=torch.float64)
    radiance = to_radiance(kelvin, wavelength)
    torch.testing.assert_close(to_brightness(radiance, wavelength), kelvin, atol=1e-6, rtol=0)
    assert (radiance.diff() > 0).all()
    # Planck's law in SI units, up to the line that makes it kelvin-like.
    planck = 1 / torch.expm1(14387.768775 / (wavelength * kelvin))
    slope, offset = np.polyfit(planck.numpy(), radiance.numpy(), 1)
    np.testing.assert_allclose(slope * planck.numpy() + offset, radiance.numpy(), atol=1e-6)
    at = torch.tensor([249.5, 250.5], dtype=torch.float64)
    assert float(to_radiance(at, wavelength).diff()) == pytest.approx(1, rel=2e-3)


def test_radiance_makes_a_mixed_pixel_warmer_than_the_mean_of_its_kelvins():
    frame = torch.full((4, 4), 200.0)
    frame[:2] = 290.0
    assert SensorModel("area", 4).see(frame).item() == pytest.approx(245.0)
    c = 14387.768775 / 10.8
    mean = (1 / math.expm1(c / 290) + 1 / math.expm1(c / 200)) / 2
    expected = c / math.log1p(1 / mean)
    assert SensorModel("area", 4, wavelength=10.8).see(frame).item() == pytest.approx(expected, abs=1e-3)
    assert expected == pytest.approx(257.96, abs=0.01)


def test_noise_in_kelvin_grows_towards_cold_as_a_constant_noise_in_radiance():
    sensor = SensorModel("area", 4, noise_kelvin=0.1, wavelength=10.8)
    for kelvin in (200.0, 250.0, 300.0):
        frame = torch.full((400, 400), kelvin)
        spread = float((sensor.apply(frame, torch.Generator().manual_seed(0)) - kelvin).std())
        assert spread == pytest.approx(noise_at(kelvin, 0.1, 10.8), rel=0.03)
    assert noise_at(200.0, 0.1, 10.8) > 4 * noise_at(300.0, 0.1, 10.8) == pytest.approx(0.4)
    assert noise_at(200.0, 0.1, 0.0) == 0.1


def test_rounding_keeps_the_steps_of_the_instrument():
    kelvin = torch.tensor([230.3, 241.4, 242.3, 300.2])
    torch.testing.assert_close(round_to_steps(kelvin, 0.5, 1.0), torch.tensor([230.0, 241.0, 242.5, 300.0]))
    torch.testing.assert_close(round_to_steps(kelvin, 1.0), torch.tensor([230.0, 241.0, 242.0, 300.0]))
    assert round_to_steps(kelvin, 0.0) is kelvin
    levels = round_to_counts(torch.linspace(200, 320, 5000), 10.8, 8)
    steps = to_radiance(levels.unique().double(), 10.8).diff()
    assert float(steps.max()) == pytest.approx(float(steps.min()), rel=1e-3)
    assert len(levels.unique()) < 256
    counting = SensorModel("area", 4, wavelength=10.8, bits=8)
    torch.testing.assert_close(counting.measure(kelvin), round_to_counts(kelvin, 10.8, 8))
    assert (counting.measure(kelvin) - kelvin).abs().max() > 0.1


@settings(max_examples=25, deadline=None)
@given(number=st.integers(0, len(RANDOM) - 1), seed=st.integers(0, 99))
def test_without_noise_the_sensor_sees_in_the_projection_what_was_measured(number, seed):
    sensor = RANDOM[number]
    sensor = type(sensor)(**{**vars_of(sensor), "noise_kelvin": 0.0, "quantum": 0.0})
    truth = scene(seed=seed)
    measured = sensor.see(truth)
    guess = truth + 3 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
    projected = sensor.project(guess, measured)
    assert (sensor.see(projected) - measured).abs().max() < 1e-3
    assert (projected - truth).square().mean() <= (guess - truth).square().mean()


def vars_of(sensor):
    return {"kind": sensor.kind, "scale": sensor.scale, **sensor.parameters}


def test_with_noise_the_projection_stays_within_its_statistics():
    truth, generator = scene(), torch.Generator().manual_seed(0)
    sensor = SensorModel("gaussian", 4, fwhm=1.0, noise_kelvin=0.5)
    measured = sensor.apply(truth, generator)
    guess = truth + 3 * torch.randn(truth.shape, generator=generator)
    projected = sensor.project(guess, measured)
    left = (sensor.see(projected) - measured).square().mean().sqrt()
    assert 0.1 < left < 0.75  # not to the last digit, which is noise
    exact = SensorModel("gaussian", 4, fwhm=1.0).project(guess, measured)
    assert (projected - truth).square().mean() < (exact - truth).square().mean()


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.text)
def test_missing_pixels_change_nothing_around_them(sensor):
    truth = scene()
    measured = sensor.see(truth)
    holed = measured.clone()
    holed[3:5, 4] = math.nan
    guess = truth + 1
    projected = sensor.project(guess, holed)
    assert projected.isfinite().all()
    seen = sensor.see(projected)
    valid = holed.isfinite()
    assert (seen - holed)[valid].abs().max() < 1e-3
    assert (seen - sensor.see(guess))[~valid].abs().max() < 1e-3


def test_a_bank_sees_and_projects_each_sample_as_its_sensor_does():
    sensors = [*SENSORS, *RANDOM[-3:]]
    bank, numbers = SensorBank(sensors), torch.arange(len(sensors))
    margin = bank.margin
    inner = slice(margin // 4, -(margin // 4))
    frames = torch.stack([scene(64, 64, seed) for seed in range(len(sensors))])[:, None]
    frames[0, 0, 30:40, 30:40] = math.nan
    noise = torch.randn(len(sensors), 1, 16, 16, generator=torch.Generator().manual_seed(0))
    noise *= torch.tensor([sensor.noise_kelvin > 0 for sensor in sensors])[:, None, None, None]
    seen = bank.see(frames, torch.ones_like(frames, dtype=torch.bool), numbers, noise[..., inner, inner])
    for number, sensor in enumerate(sensors):
        whole = sensor.see(frames[number])[..., inner, inner]
        expected = sensor.measure(whole, noise[number][..., inner, inner] if sensor.noise_kelvin else None)
        torch.testing.assert_close(seen[number], expected, atol=2e-3, rtol=0, equal_nan=True)
    highres = frames.nan_to_num(250.0)
    lowres = torch.stack([sensor.see(frame) + 1 for sensor, frame in zip(sensors, highres, strict=True)])
    projected = bank.batch(numbers, 16, 16).project(highres, lowres)
    for number, sensor in enumerate(sensors):
        expected = sensor.project(highres[number], lowres[number])
        torch.testing.assert_close(projected[number], expected, atol=2e-3, rtol=0)


def test_a_sample_without_a_wavelength_passes_beside_others_whatever_its_kelvins():
    constants = torch.tensor([planck_constants(0.0), planck_constants(10.8)])
    kelvin = torch.tensor([[-900.0, -1.0, 1e9], [200.0, 250.0, 300.0]], requires_grad=True)
    radiance = to_radiances(kelvin, constants)
    assert torch.equal(radiance[0], kelvin[0])
    torch.testing.assert_close(radiance[1], to_radiance(kelvin[1], 10.8))
    again = to_brightnesses(radiance, constants)
    torch.testing.assert_close(again, kelvin, atol=1e-3, rtol=0)
    again.sum().backward()
    torch.testing.assert_close(kelvin.grad, torch.ones_like(kelvin), atol=1e-4, rtol=0)


def test_random_sensors_are_the_same_for_the_same_seed_and_a_quarter_of_the_draws_is_the_area_mean():
    again = random_sensors(24, 4, 5)
    assert again == RANDOM and random_sensors(24, 4, 6) != RANDOM
    assert RANDOM[0] == SensorModel("area", 4) and len(RANDOM) == 24 + len(KNOWN)
    rng = np.random.default_rng(0)
    numbers = [draw_number(rng, len(RANDOM)) for _ in range(4000)]
    assert np.mean(np.equal(numbers, 0)) == pytest.approx(0.25, abs=0.03)
    assert set(numbers) == set(range(len(RANDOM)))
    assert pickle.loads(pickle.dumps(RANDOM)) == RANDOM


def test_descriptions_tell_sensors_apart_and_refuse_what_is_not_separable():
    descriptions = torch.stack([describe_sensor(sensor) for sensor in SENSORS])
    distances = torch.cdist(descriptions, descriptions) + 9 * torch.eye(len(SENSORS))
    assert distances.min() > 0.1
    with pytest.raises(InputError, match="not separable"):
        describe_sensor(type("Lens", (SensorModel,), {})("area"))


def test_a_gaussian_given_by_its_standard_deviation_turns_and_moves_as_one_given_by_its_width():
    by_sigma = SensorModel("gaussian", 4, sigma=2.0)
    by_width = SensorModel("gaussian", 4, fwhm=2.0 * FWHM / 4)
    frame = scene(48, 48)
    for symmetry in range(SYMMETRIES):
        turned = [augment_sensor(displaced(sensor, (0.1, -0.2)), symmetry) for sensor in (by_sigma, by_width)]
        torch.testing.assert_close(turned[0].see(frame), turned[1].see(frame), atol=1e-4, rtol=0)
