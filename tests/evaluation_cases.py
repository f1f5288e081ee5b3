"""Small sequences for the tests of the evaluation: clouds with a k^-3 spectrum, and what may befall them."""

import numpy as np
import xarray as xr

SIDE, SCALE = 96, 4


def cloud(shape=(SIDE, SIDE), seed=0, slope=-3.0):
    """A random field (H, W), kelvin, mean 250, standard deviation 20, with power k**slope per mode."""
    noise = np.random.default_rng(seed).normal(size=shape)
    wavenumber = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]) * min(shape)
    wavenumber[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(noise) * wavenumber ** (slope / 2), s=shape)
    return (250 + 20 * (field - field.mean()) / field.std()).astype(np.float32)


def sequence(frames=6, shape=(SIDE, SIDE), start="2007-10-01T00", step_hours=1, name="200717", **attrs):
    """A drifting cloud (time, y, x)."""
    field = cloud(shape)
    values = np.stack([np.roll(field, (index, 2 * index), (0, 1)) for index in range(frames)])
    times = np.datetime64(start, "ns") + np.arange(frames) * np.timedelta64(step_hours, "h")
    return xr.DataArray(
        values,
        dims=("time", "y", "x"),
        coords={"time": times},
        attrs={"units": "K", "sequence": name, **attrs},
    )


def noisy(truth, kelvin=2.0, seed=1):
    """The truth with white noise, as a reconstruction by a factor of `SCALE`."""
    noise = np.random.default_rng(seed).normal(scale=kelvin, size=truth.shape).astype(np.float32)
    return (truth + noise).assign_attrs(truth.attrs | {"scale": SCALE})
