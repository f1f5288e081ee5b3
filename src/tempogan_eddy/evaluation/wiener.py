"""The Wiener filter of a known sensor: the linear restoration with the least mean square error."""

from functools import lru_cache

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.dataset.sensor import ROUNDING_KELVIN, SensorModel

__all__ = ["POWER", "SLOPE", "prior", "restore"]

# The mean spectrum of the training frames (docs/metrics.md), fitted by `python -m experiments.wiener --fit`.
POWER = 11.9
SLOPE = 3.02

PIVOT = 0.3
"""Where the spectrum has `POWER`, cycles per highres pixel."""

# Lowres pixels around the frame, so that its opposite borders, neighbours in a Fourier transform, do not meet.
PADDING = 16


def prior(frequency: Tensor) -> Tensor:
    """Return the power spectral density of real frames, K^2 per (cycle per highres pixel)^2; infinite at 0."""
    return POWER * (frequency / PIVOT) ** -SLOPE


def restore(lowres: Tensor, sensor: SensorModel) -> Tensor:
    """Restore a lowres frame by the linear filter with the least mean square error for the spectrum `prior`.

    The filter divides each frequency of the lowres frame among the ``scale``^2 highres frequencies that alias to it. It
    takes kelvin for radiance: `SensorModel.project` corrects that.

    Parameters
    ----------
    lowres
        (h, w) in kelvin, without missing pixels.

    Returns
    -------
    Tensor
        (h * scale, w * scale) float32.
    """
    scale, (height, width) = sensor.scale, lowres.shape
    mean = lowres.double().mean()
    rows, columns = (next_fast_len(side + 2 * PADDING, real=True) for side in (height, width))
    around = (PADDING, columns - width - PADDING, PADDING, rows - height - PADDING)
    padded = functional.pad((lowres - mean)[None, None], around, mode="replicate")[0, 0]
    gain = _gain(sensor, rows, columns)
    # Zeros between the lowres pixels repeat the spectrum.
    spectrum = torch.fft.fft2(padded).repeat(scale, scale)[:, : gain.shape[1]]
    restored = torch.fft.irfft2(spectrum * gain, s=(rows * scale, columns * scale))
    top = left = PADDING * scale
    return (restored[top : top + height * scale, left : left + width * scale] + mean).float()


@lru_cache(maxsize=8)
def _gain(sensor: SensorModel, rows: int, columns: int) -> Tensor:
    """Return the filter for a periodic lowres frame, as the half plane of frequencies that `irfft2` takes."""
    scale = sensor.scale
    height, width = rows * scale, columns * scale
    footprint = _footprint(sensor)
    reach = len(footprint) // scale // 2 * scale
    canvas = torch.zeros(height, width, dtype=torch.float64)
    canvas[: len(footprint), : len(footprint)] = footprint
    transfer = torch.fft.fft2(canvas.roll((-reach, -reach), (0, 1)))
    along_y, along_x = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (height, width))
    power = prior(torch.hypot(along_y[:, None], along_x))
    power[0, 0] = 1e12  # the mean is kept
    seen = (power * transfer.abs() ** 2).reshape(scale, rows, scale, columns).mean((0, 2))
    gain = power * transfer / (seen + sensor.noise**2 + ROUNDING_KELVIN**2).repeat(scale, scale)
    return gain[:, : width // 2 + 1].to(torch.complex64)


def _footprint(sensor: SensorModel) -> Tensor:
    """Return the weights of the highres pixels that a lowres pixel sees, its own block in the middle."""
    side = 2 * (sensor.margin // sensor.scale) + 3
    impulse = torch.zeros(side, side, dtype=torch.float64)
    impulse[side // 2, side // 2] = 1
    return sensor.adjoint(impulse)
