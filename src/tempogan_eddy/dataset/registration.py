"""The offset between frames of two instruments, from the phase of their cross spectrum.

A lowres frame y and a highres frame seen by the same sensor differ by where the footprints lie. The phase of their
cross spectrum grows linearly with the frequency; its slope is the offset (Kuglin and Hines, 1975). We estimate it,
see the highres frame anew with footprints at this offset, and repeat: aliases then agree in both frames.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.separable_sensors import AreaSensor, BoxSensor
from tempogan_eddy.rapsd import taper

__all__ = ["Offset", "displaced", "estimate_offset", "frame_offset", "move", "see_displaced", "split_offset"]

log = logging.getLogger(__name__)

Frame = NDArray[np.float32]
Vector = tuple[float, float]
"""y (down), x (right)."""

# Cycles per lowres pixel: above, aliases hide the phase.
HIGHEST = 0.35
ROUNDS = 4
# A normal distribution has so many median absolute deviations in a standard deviation.
MAD = 1.4826


@dataclass(frozen=True)
class Offset:
    """How far footprints lie below and to the right of where their grid says, in lowres pixels.

    Attributes
    ----------
    value
        Median over frames.
    error
        Its standard error.
    spread
        Standard deviation over frames, from the median absolute deviation.
    frames
        Frames that were compared.
    """

    value: Vector
    error: Vector = (0.0, 0.0)
    spread: Vector = (0.0, 0.0)
    frames: int = 0


def estimate_offset(highres: Sequence[Frame], lowres: Sequence[Frame], sensor: SensorModel) -> Offset:
    """Estimate the offset of lowres frames (h, w) from highres ones (H, W) of the same times.

    Parameters
    ----------
    highres, lowres
        Pairs in kelvin, NaN where missing.
    sensor
        Sees the highres frames; a symmetric footprint of another size changes the estimate little.
    """
    offset = np.zeros(2)
    shifts = np.zeros((len(lowres), 2))
    for number in range(ROUNDS):
        pairs = [(low, see_displaced(high, sensor, offset)) for high, low in zip(highres, lowres, strict=True)]
        shifts = np.array([frame_offset(seen, expected, whole=number == 0) for seen, expected in pairs])
        offset = offset + np.median(shifts, axis=0)
    spread = MAD * np.median(np.abs(shifts - np.median(shifts, axis=0)), axis=0)
    # A median varies sqrt(pi / 2) times as much as a mean.
    error = spread * np.sqrt(np.pi / 2 / len(shifts))
    return Offset(_vector(offset), _vector(error), _vector(spread), len(shifts))


def _vector(values: NDArray[np.float64]) -> Vector:
    return float(values[0]), float(values[1])


def frame_offset(seen: Frame, expected: Frame, *, whole: bool = True) -> NDArray[np.float64]:
    """Return (y, x) such that ``seen(p)`` is like ``expected(p + offset)``, in pixels; 0 where nothing is alike.

    Parameters
    ----------
    seen, expected
        (h, w), NaN where missing.
    whole
        Look for offsets of any size; else for those well below a pixel.
    """
    valid = np.isfinite(seen) & np.isfinite(expected)
    if not valid.any():
        return np.zeros(2)
    weight = np.outer(*(np.hanning(side + 2)[1:-1] for side in seen.shape))
    if not valid.all():
        weight *= taper(valid)
    spectra = [np.fft.fft2(_anomaly(frame, valid, weight)) for frame in (seen, expected)]
    cross = spectra[0] * spectra[1].conj()
    rows, columns = (np.fft.fftfreq(side) for side in seen.shape)
    frequency = np.hypot(rows[:, None], columns)
    band = (frequency > 0) & (frequency < HIGHEST) & (np.abs(cross) > 0)
    start = _peak(np.where(band, cross / np.where(band, np.abs(cross), 1), 0)) if whole else np.zeros(2)
    k = np.stack(np.broadcast_arrays(rows[:, None], columns))[:, band]
    phasor = cross[band] * np.exp(-2j * np.pi * (start @ k)) * _reliability(cross, spectra, start, frequency)[band]
    # One step of Newton's method on the sum of cosines of the phases that are left.
    curvature = 2 * np.pi * (k * phasor.real.clip(min=0)) @ k.T
    return start + np.linalg.lstsq(curvature, k @ phasor.imag, rcond=None)[0]


def _anomaly(frame: Frame, valid: NDArray[np.bool_], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.where(valid, frame, 0.0).astype(np.float64)
    return (values - (values * weight).sum() / weight.sum()) * weight


def _peak(whitened: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return the whole offset at the peak of the phase correlation."""
    correlation = np.fft.ifft2(whitened).real
    place = np.unravel_index(correlation.argmax(), correlation.shape)
    return -np.array([(p + side // 2) % side - side // 2 for p, side in zip(place, correlation.shape, strict=True)])


def _reliability(
    cross: NDArray[np.complex128],
    spectra: list[NDArray[np.complex128]],
    start: NDArray[np.float64],
    frequency: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weight of each mode: coherence / (1 - coherence) of its ring, over the ring's power."""
    rows, columns = (np.fft.fftfreq(side) for side in cross.shape)
    ring = np.rint(frequency * min(cross.shape)).astype(int).ravel()
    turned = cross * np.exp(-2j * np.pi * (start[0] * rows[:, None] + start[1] * columns))
    common = np.bincount(ring, turned.real.ravel()).clip(min=0)
    power = np.sqrt(np.prod([np.bincount(ring, np.abs(part.ravel()) ** 2) for part in spectra], axis=0))
    coherence = np.clip((common / np.where(power > 0, power, 1)) ** 2, 0, 0.9999)
    mean = np.bincount(ring, np.abs(cross).ravel())
    weight = coherence / (1 - coherence) / np.where(mean > 0, mean, 1) * np.bincount(ring)
    return weight[ring].reshape(cross.shape)


def see_displaced(highres: Frame, sensor: SensorModel, offset: Vector | NDArray[np.float64]) -> Frame:
    """See a highres frame (H, W) with footprints at an offset in lowres pixels: (h, w), NaN beyond the frame."""
    rows, columns = (side // sensor.scale * sensor.scale for side in highres.shape)
    whole, phase = split_offset(offset, sensor.scale)
    moved = torch.from_numpy(move(highres[:rows, :columns], whole))
    return displaced(sensor, phase).see(moved).numpy()


def split_offset(offset: Vector | NDArray[np.float64], scale: int) -> tuple[tuple[int, int], Vector]:
    """Split an offset into whole highres pixels and what is left, in lowres pixels."""
    whole = [round(part * scale) for part in offset]
    return (whole[0], whole[1]), (float(offset[0]) - whole[0] / scale, float(offset[1]) - whole[1] / scale)


def move(frame: Frame, pixels: tuple[int, int]) -> Frame:
    """Return the frame whose pixel p is pixel p + ``pixels`` of the one given, NaN beyond its edge."""
    return ndimage.shift(frame, [-by for by in pixels], order=0, cval=np.nan)


def displaced(sensor: SensorModel, phase: Vector) -> SensorModel:
    """Return the sensor with its footprints displaced by (y, x) lowres pixels; as it is where it has no phase."""
    if not any(phase):
        return sensor
    if isinstance(sensor, AreaSensor):
        sensor = BoxSensor("box", **({"scale": sensor.scale, "noise_kelvin": sensor.noise_kelvin} | sensor.parameters))
    if not isinstance(sensor, BoxSensor):
        return sensor
    (*_, y), (*_, x) = sensor.sizes
    return replace(sensor, phase=y + phase[0], phase_x=x + phase[1])
