import numpy as np
import pytest

from evaluation_cases import cloud
from tempogan_eddy.rapsd import energy_above, log_spectral_distance, radial_power, taper, wavenumbers


@pytest.mark.parametrize("k", [3, 17, 40])
@pytest.mark.parametrize("shape", [(96, 96), (96, 144), (97, 97)])
def test_the_spectrum_of_a_sine_peaks_at_its_wavenumber(shape, k):
    x = np.arange(shape[1]) / min(shape)
    field = np.broadcast_to(250 + np.sin(2 * np.pi * k * x), shape)
    spectrum = radial_power(field)
    assert wavenumbers(shape)[np.argmax(spectrum)] == k


def test_all_modes_together_hold_the_windowed_variance():
    rng = np.random.default_rng(0)
    field = rng.normal(size=(64, 64))
    # A band-limited field, so that the rings up to Nyquist hold all of it.
    transform = np.fft.fft2(field)
    radius = 64 * np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    field = np.fft.ifft2(np.where((radius > 4) & (radius < 24), transform, 0)).real
    window = np.outer(np.hanning(64), np.hanning(64))
    windowed = (field - field.mean()) * window
    expected = (windowed**2).mean() / (window**2).mean()
    assert energy_above(radial_power(field), (64, 64), 0) == pytest.approx(expected, rel=1e-6)


def test_white_noise_is_flat_at_its_variance():
    spectra = [radial_power(np.random.default_rng(seed).normal(scale=3, size=(64, 64))) for seed in range(40)]
    mean = np.mean(spectra, axis=0)[3:] * 64**2
    assert mean == pytest.approx(np.full(29, 9.0), rel=0.12)


def test_the_slope_of_a_field_is_found():
    spectrum = np.mean([radial_power(cloud((128, 128), seed)) for seed in range(8)], axis=0)
    k = wavenumbers((128, 128))
    inner = (k >= 4) & (k <= 50)
    slope = np.polyfit(np.log(k[inner]), np.log(spectrum[inner]), 1)[0]
    assert slope == pytest.approx(-3, abs=0.15)


def test_twice_the_amplitude_is_six_decibels():
    field = cloud()
    spectrum, doubled = radial_power(field), radial_power(250 + 2 * (field - 250))
    assert log_spectral_distance(doubled, spectrum) == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert log_spectral_distance(spectrum, spectrum) == 0


def test_a_constant_changes_no_spectrum():
    field = cloud()
    assert radial_power(field + 10) == pytest.approx(radial_power(field), rel=1e-3)


def test_a_flat_frame_has_a_finite_distance():
    flat = np.full((64, 64), 280.0)
    assert log_spectral_distance(radial_power(flat), radial_power(flat)) == 0
    assert np.isfinite(log_spectral_distance(radial_power(flat), radial_power(cloud((64, 64)))))


def test_missing_values_never_reach_the_spectrum():
    field, valid = cloud().copy(), np.ones((96, 96), bool)
    valid[40:44, 10:60] = False
    expected = radial_power(field, taper(valid))
    field[~valid] = np.nan
    assert np.array_equal(radial_power(field, taper(valid)), expected)
    assert np.array_equal(radial_power(field, valid), expected)


def test_a_mask_that_hides_nothing_changes_nothing():
    assert np.array_equal(radial_power(cloud(), np.ones((96, 96), bool)), radial_power(cloud()))


def test_a_frame_without_any_pixel_has_no_power():
    assert not radial_power(np.full((32, 32), np.nan), np.zeros((32, 32), bool)).any()


def test_a_missing_line_does_not_hide_what_is_lost_at_small_scales():
    field, valid = cloud((256, 256)), np.ones((256, 256), bool)
    transform = np.fft.rfft2(field)
    radius = 256 * np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    smooth = np.fft.irfft2(transform * np.where(radius > 32, 0.03, 1))
    whole = log_spectral_distance(radial_power(smooth), radial_power(field))
    valid[100] = False
    tapered = [radial_power(values, taper(valid)) for values in (smooth, field)]
    sharp = [radial_power(values, valid.astype(float)) for values in (smooth, field)]
    assert log_spectral_distance(*tapered) == pytest.approx(whole, rel=0.05)
    assert log_spectral_distance(*sharp) < 0.7 * whole
