"""Estimate the sensor that saw lowres frames from their spectrum."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.dataset.lowres_power import WindowPower, steps_of, window_power, windows_of
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_fit import WIDTHS, Fit, fit_footprint

__all__ = ["FAMILIES", "SensorEstimate", "estimate_sensor"]

FAMILIES = ("sampled", "area", "box", "gaussian")
"""Sampled: narrower than the pixel, so that its transfer function is above `SAMPLED` at the Nyquist frequency."""

SAMPLED = 0.8

FRAMES = 8
STARTS = (0.7, 1.4, 2.1)  # lowres pixels

# Differences of cost (minus log likelihood) that tell one fit from another; see experiments/results/estimate.md.
TELLS_FAMILY = 20.0
TELLS_AREA = 8.0
TELLS_ANISOTROPY = 20.0

# Ranges are so many standard errors, and at least so much of the width, to either side.
RANGE = 2.5
LEAST_RANGE = 0.05

# Half of the range of the transfer function at the Nyquist frequency.
SURE, FAIRLY_SURE = 0.06, 0.15


@dataclass(frozen=True)
class SensorEstimate:
    """A sensor with how well it is known. Widths are in lowres pixels; pairs are along y and along x.

    Attributes
    ----------
    sensor : SensorModel or None
        None where the frames cannot tell; ``reason`` says why.
    families : tuple of str
        Those of `FAMILIES` that fit, the best first. Footprints of equal transfer function cannot be told apart.
    width_range : pair of (low, high)
        Of the box or of the full width at half maximum of the gaussian.
    transfer : (2, 2) array
        Transfer function along y and x, at a half of and at the lowres Nyquist frequency.
    transfer_range : (2, 2) array
        Lowest and highest at the Nyquist frequency, along y and x.
    noise, noise_range : float and (low, high)
        Standard deviation of noise and rounding together, K.
    windows : int
        How many windows were used.
    reason : str
        One sentence on why there is no estimate; empty where there is one.
    """

    sensor: SensorModel | None = None
    families: tuple[str, ...] = ()
    width_range: tuple[tuple[float, float], ...] = ()
    transfer: NDArray[np.float64] | None = None
    transfer_range: NDArray[np.float64] | None = None
    noise: float = math.nan
    noise_range: tuple[float, float] = (math.nan, math.nan)
    windows: int = 0
    reason: str = ""

    @property
    def family(self) -> str:
        """The family, or those that fit joined by "or"; "unknown" without an estimate."""
        return " or ".join(self.families) or "unknown"

    @property
    def certainty(self) -> str:
        """How well the transfer function is known: ``sure``, ``fairly sure`` or ``unsure``."""
        if self.transfer_range is None:
            return "unsure"
        half = float(np.max(self.transfer_range[:, 1] - self.transfer_range[:, 0])) / 2
        return "sure" if half <= SURE else "fairly sure" if half <= FAIRLY_SURE else "unsure"


def estimate_sensor(sequence: xr.DataArray | NDArray[np.floating], scale: int = 4) -> SensorEstimate:
    """Estimate width, sampling and noise of the sensor that saw a sequence.

    The estimate is relative to frames of 4 to 5 km, whose spectra are its prior.

    Parameters
    ----------
    sequence : DataArray or array
        (time, y, x) or (y, x), K, NaN where missing; up to eight frames, evenly spaced in time, are used.
    scale : int
        Of the returned sensor: how many times finer the reconstruction will be.

    Returns
    -------
    SensorEstimate
        Without a sensor where the frames are too small, too incomplete or constant.
    """
    windows = windows_of(_some_frames(sequence))
    data = window_power(windows)
    if isinstance(data, str):
        return SensorEstimate(reason=data)
    warm, cold = steps_of(windows)
    rounding = max(warm, cold) / math.sqrt(12)
    best, families = _choose(data)
    if min(best.widths) >= 0.98 * WIDTHS[best.family][1]:
        return SensorEstimate(
            windows=data.windows,
            reason=f"The footprint is wider than {WIDTHS[best.family][1]:g} pixels: the frames look resampled to a "
            "finer grid; give them as they were before.",
        )
    shifts = np.maximum(RANGE * best.width_error, LEAST_RANGE)
    narrow, wide = (np.clip(best.widths * np.exp(shift), *WIDTHS[best.family]) for shift in (-shifts, shifts))
    ends = [best.transfer(widths)[:, 1] for widths in (wide, narrow)]
    # The variance of the noise is known to an absolute error even where it is almost 0.
    error = RANGE * 2 * best.noise_error * best.noise**2
    return SensorEstimate(
        _sensor(best, families[0], scale, warm, cold),
        families,
        tuple(zip(map(float, narrow), map(float, wide), strict=True)),
        best.transfer(),
        np.stack([np.minimum(*ends), np.maximum(*ends)], axis=1),
        max(best.noise, rounding),
        (max(math.sqrt(max(best.noise**2 - error, 0.0)), rounding), max(math.sqrt(best.noise**2 + error), rounding)),
        data.windows,
    )


def _some_frames(sequence: xr.DataArray | NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    if sequence.ndim == 2:
        sequence = np.asarray(sequence)[None]
    for number in np.unique(np.linspace(0, len(sequence), FRAMES, endpoint=False).astype(int)) if len(sequence) else ():
        frame = sequence[number]
        # In this thread, which may have entered `unread_noted`.
        yield np.asarray(frame.compute(scheduler="synchronous") if isinstance(frame, xr.DataArray) else frame)


def _choose(data: WindowPower) -> tuple[Fit, tuple[str, ...]]:
    """Return the best fit, and the families that fit about as well."""
    fits = {family: _best_of(data, family) for family in WIDTHS}
    best = min(fits.values(), key=lambda fit: fit.cost)
    area = fit_footprint(data, "box", (1.0,), fixed=True)
    order = sorted(fits, key=lambda family: fits[family].cost)
    close = tuple(family for family in order if fits[family].cost < best.cost + TELLS_FAMILY)
    if fits["box"].transfer()[:, 1].mean() > SAMPLED:
        return fits["box"], ("sampled",)
    if area.cost < best.cost + TELLS_AREA:
        # The range is that of the free width.
        return fits["box"], ("area", *close)
    return best, close


def _best_of(data: WindowPower, family: str) -> Fit:
    """Return the best fit of a family; with two widths only where they fit clearly better than one."""
    one = min((fit_footprint(data, family, (start,)) for start in STARTS), key=lambda fit: fit.cost)
    low, high = WIDTHS[family]
    two = fit_footprint(data, family, tuple(np.clip(one.widths, 1.02 * low, high / 1.02)))
    return two if two.cost < one.cost - TELLS_ANISOTROPY else one


def _sensor(fit: Fit, family: str, scale: int, warm: float, cold: float) -> SensorModel:
    """Return the sensor of a fit; the variance of rounding is part of the fitted noise."""
    step = max(warm, cold)
    parameters: dict[str, Any] = {
        "noise_kelvin": round(math.sqrt(max(fit.noise**2 - step**2 / 12, 0.0)), 2),
        "quantum": warm or cold,
    }
    if cold and cold != parameters["quantum"]:
        parameters["cold_quantum"] = cold
    if family == "area":
        return SensorModel("area", scale, **parameters)
    along_y, along_x = (round(float(width), 2) for width in fit.widths)
    name = "width" if fit.family == "box" else "fwhm"
    parameters[name] = along_y
    if along_x != along_y:
        parameters[f"{name}_x"] = along_x
    return SensorModel(fit.family, scale, **parameters)
