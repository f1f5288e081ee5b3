"""The footprint of a sensor, fitted to pairs of frames.

Two archives give the transfer function directly: what the highres frames show and the lowres ones do not. A fit in
space uses the aliases too, and missing pixels cost it nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from tempogan_eddy.dataset.registration import Frame, Vector, displaced, move, split_offset
from tempogan_eddy.dataset.separable_sensors import WIDEST, BoxSensor

__all__ = ["fit_sensor", "sensor_text"]

# Width of the box and of the gaussian, lowres pixels, that the search for a sensor begins with.
STARTS = ((1.0, 0.2), (1.6, 0.5), (0.3, 0.9), (0.4, 0.1))
# Lowres pixels along the middle of a frame that the search looks at.
MIDDLE = 64
# Narrower ones cannot be told from none.
NARROW = 0.12


def fit_sensor(
    highres: Sequence[Frame],
    lowres: Sequence[Frame],
    scale: int,
    wavelengths: Sequence[float] = (0.0,),
    offset: Vector = (0.0, 0.0),
) -> BoxSensor:
    """Fit box and gaussian of a footprint to pairs, by least squares over all pixels of the middle of the frames.

    Parameters
    ----------
    highres, lowres
        Pairs of frames in kelvin.
    scale
        Highres pixels along a lowres pixel.
    wavelengths
        Those to try, in micrometres; 0 averages kelvins.
    offset
        Of the footprints, (y, x) in lowres pixels.
    """
    whole, phase = split_offset(offset, scale)
    pairs = [_middle(move(high, whole), low, scale) for high, low in zip(highres, lowres, strict=True)]
    frames, measured = torch.from_numpy(np.stack([high for high, _ in pairs])), np.stack([low for _, low in pairs])

    def error(parameters: NDArray[np.float64], wavelength: float) -> float:
        """Return the variance that no line explains, so that calibration is no error."""
        expected = displaced(_box(parameters, scale, wavelength), phase).see(frames).numpy()
        valid = np.isfinite(expected) & np.isfinite(measured)
        (varied, common), (_, left) = np.cov(expected[valid], measured[valid], dtype=np.float64)
        return float(left - common**2 / varied) if varied else float(left)

    fits = []
    start = np.array(min(STARTS, key=lambda sizes: error(np.array(sizes), wavelengths[0])))
    for wavelength in wavelengths:
        simplex = start + np.array([[0, 0], [0.2, 0], [0, 0.2]])
        options = {"initial_simplex": simplex, "xatol": 0.01, "fatol": 0.0, "maxfev": 60}
        found = minimize(error, start, (wavelength,), method="Nelder-Mead", options=options)
        fits.append((found.fun, _box(found.x, scale, wavelength)))
        start = found.x
    return min(fits, key=lambda fit: fit[0])[1]


def _box(parameters: NDArray[np.float64], scale: int, wavelength: float) -> BoxSensor:
    width, fwhm = np.abs(parameters).clip(max=WIDEST)  # frames of different scenes are fitted best by a mean of all
    return BoxSensor("box", scale, width=float(width), fwhm=float(fwhm), wavelength=wavelength)


def _middle(high: Frame, low: Frame, scale: int) -> tuple[Frame, Frame]:
    sizes = [min(MIDDLE, side) for side in low.shape]
    starts = [(side - size) // 2 for side, size in zip(low.shape, sizes, strict=True)]
    lowres, highres = (
        tuple(slice(start * by, (start + size) * by) for start, size in zip(starts, sizes, strict=True))
        for by in (1, scale)
    )
    return high[highres], low[lowres]


def sensor_text(sensor: BoxSensor) -> str:
    """Return a footprint as a command line states it: ``box,width=1.60,fwhm=0.47``."""
    kind = "gaussian" if sensor.width < NARROW <= sensor.fwhm else "box"
    shown = [f"width={sensor.width:.2f}"] * (kind == "box")
    shown += [f"fwhm={sensor.fwhm:.2f}"] * (kind == "gaussian" or sensor.fwhm >= NARROW)
    shown += [f"wavelength={sensor.wavelength:g}"] * bool(sensor.wavelength)
    return ",".join([kind, *shown])
