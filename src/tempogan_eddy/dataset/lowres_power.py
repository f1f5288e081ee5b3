"""Power spectra of lowres frames, and the steps that their values were rounded to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.dataset.radiance import COLD_KELVIN
from tempogan_eddy.spread import spread_evenly
from tempogan_eddy.wording import count

__all__ = ["SIZE", "WindowPower", "steps_of", "window_power", "windows_of"]

SIZE = 32
"""Pixels along a window."""

WINDOWS_OF_FRAME = 512
"""More of a large frame would take gigabytes and tell little more."""

MINIMUM_WINDOWS = 4
GROUPED = 12  # from so many windows on there are three groups of them

LOWEST = 0.1
"""Cycles per lowres pixel. Larger scales show little of the sensor, and the tapered window smears them."""

# Windows are grouped by their power between these frequencies.
BAND = (0.1, 0.3)

# A window with less power than this, K^2 a mode, is constant.
CONSTANT = 1e-6

# Windows overlap by half, so that they are not independent (Hann, in two dimensions).
INDEPENDENT = 0.5

STEPS = (2.0, 1.0, 0.5, 0.25, 0.2, 0.1)
ROUNDED_SHARE = 0.999


@dataclass(frozen=True)
class WindowPower:
    """Mean power of windows without missing pixels, in groups from quiet to busy.

    Scenes differ most in their amplitude: noise shows in quiet windows, the footprint in busy ones.

    Attributes
    ----------
    power : (G, M)
        Mean power of each mode above `LOWEST`, K^2; the windows of a group weigh the same.
    frequencies : (2, M)
        Of the modes along y and x, cycles per lowres pixel, 0 to 0.5.
    weight : (G, M)
        Half of the degrees of freedom of each mean.
    windows : int
        How many windows there are.
    """

    power: NDArray[np.float64]
    weight: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    windows: int


def windows_of(frames: Iterable[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Return windows (N, SIZE, SIZE) without missing pixels of some frames (y, x), up to `WINDOWS_OF_FRAME` of each.

    They overlap by half. One frame is held at a time.
    """
    windows = [np.array(window, np.float32) for frame in frames for window in _some_complete(frame)]
    return np.stack(windows) if windows else np.empty((0, SIZE, SIZE), np.float32)


def window_power(windows: NDArray[np.floating]) -> WindowPower | str:
    """Return the power of complete windows (N, SIZE, SIZE), or one sentence on why there is none."""
    if len(windows) < MINIMUM_WINDOWS:
        return (
            f"The frames hold {count(len(windows), 'window')} of {SIZE}x{SIZE} pixels without missing ones; an "
            f"estimate needs {MINIMUM_WINDOWS}: give larger or more complete frames."
        )
    values = windows.astype(np.float64)
    values -= values.mean(axis=(1, 2), keepdims=True)
    line = np.sin(np.pi * np.arange(SIZE) / SIZE) ** 2
    taper = np.outer(line, line) / (line**2).mean()
    power = np.abs(np.fft.fft2(values * taper)) ** 2 / SIZE**2
    # A separable footprint has the same power in all four quadrants.
    power = power + np.roll(power[:, ::-1], 1, 1)
    power = (power + np.roll(power[:, :, ::-1], 1, 2))[:, : SIZE // 2 + 1, : SIZE // 2 + 1] / 4
    axis = np.arange(SIZE // 2 + 1) / SIZE
    radius = np.hypot(axis[:, None], axis)
    amplitude = power[:, (radius > BAND[0]) & (radius < BAND[1])].mean(axis=1)
    varied = amplitude > CONSTANT
    if varied.sum() < MINIMUM_WINDOWS:
        return "The frames are almost constant, so they do not show how the sensor sees."
    power, amplitude = power[varied], amplitude[varied]
    groups = np.array_split(np.argsort(amplitude), 3 if len(power) >= GROUPED else 1)
    means = [np.average(power[group], axis=0, weights=1 / amplitude[group]) for group in groups]
    # Each mode of a quadrant stands for four of the plane, two of which are conjugates of the others.
    once = np.where((axis == 0) | (axis == 0.5), 0.5, 1.0)
    modes = np.maximum(2 * np.outer(once, once), 1) * INDEPENDENT
    use = radius > LOWEST
    return WindowPower(
        np.stack(means)[:, use],
        np.stack([modes[use] * len(group) for group in groups]),
        np.stack([*np.broadcast_arrays(axis[:, None], axis)])[:, use],
        len(power),
    )


def _some_complete(frame: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Yield windows, which overlap by half, that lack no pixel: up to `WINDOWS_OF_FRAME`, spread over the frame."""
    rows, columns = (range(0, size - SIZE + 1, SIZE // 2) for size in frame.shape)
    windows = (frame[row : row + SIZE, column : column + SIZE] for row in rows for column in columns)
    complete = [window for window in windows if np.isfinite(window).all()]  # views: no copies
    for number in spread_evenly(len(complete), WINDOWS_OF_FRAME):
        yield complete[number]


def steps_of(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return the step of the values above and below 242 K, K; 0 where they are not rounded to one of `STEPS`."""
    valid = values[np.isfinite(values)]
    return _step(valid[valid >= COLD_KELVIN]), _step(valid[valid < COLD_KELVIN])


def _step(values: NDArray[np.floating]) -> float:
    for step in STEPS:
        counts = values / step
        if values.size and (np.abs(counts - np.rint(counts)) < 0.01).mean() >= ROUNDED_SHARE:
            return step
    return 0.0
