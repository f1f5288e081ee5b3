"""The metrics: each a function of sums of statistics, with its unit and the direction of better."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.statistics import DEFAULTS, Settings

__all__ = ["Metric", "Sums", "metrics"]

Sums = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Metric:
    """One column of a report.

    Attributes
    ----------
    name : str
        In JSON, CSV and code.
    label : str
        In tables.
    unit : str
        "K", "dB", "px" or "1".
    better : str
        "lower", "higher", or "zero" for closer to zero.
    compute : callable
        Arrays of sums by name (one entry a resample) to values; NaN where nothing was counted.
    """

    name: str
    label: str
    unit: str
    better: str
    compute: Callable[[Sums], NDArray[np.float64]]

    @property
    def arrow(self) -> str:
        """Direction of better, for table headers."""
        return {"lower": "↓", "higher": "↑", "zero": "→0"}[self.better]

    def cost(self, value: float) -> float:
        """Turn a value into a number of which less is better."""
        return {"lower": value, "higher": -value, "zero": abs(value)}[self.better]


def metrics(settings: Settings = DEFAULTS) -> tuple[Metric, ...]:
    """List every metric, in the order of a report."""
    return (
        Metric("rmse", "RMSE", "K", "lower", lambda s: np.sqrt(_ratio(s["squared_error"], s["pixels"]))),
        Metric("mae", "MAE", "K", "lower", lambda s: _ratio(s["absolute_error"], s["pixels"])),
        Metric("bias", "Bias", "K", "zero", lambda s: _ratio(s["error"], s["pixels"])),
        Metric(
            "cold_rmse",
            f"Cold RMSE (< {settings.cold_kelvin:g} K)",
            "K",
            "lower",
            lambda s: np.sqrt(_ratio(s["cold_squared_error"], s["cold_pixels"])),
        ),
        Metric(
            "psnr",
            "PSNR",
            "dB",
            "higher",
            lambda s: _decibel(settings.data_range**2 * s["pixels"], s["squared_error"]),
        ),
        Metric("ssim", "SSIM", "1", "higher", lambda s: _ratio(s["ssim"], s["ssim_pixels"])),
        Metric("lsd", "LSD of spectra", "dB", "lower", lambda s: _ratio(s["lsd"], s["spectra"])),
        Metric(
            "detail_energy",
            "Energy > coarse Nyquist",
            "dB",
            "zero",
            lambda s: _decibel(s["detail_energy"], s["detail_energy_truth"]),
        ),
        Metric(
            "lsd_hourly",
            "LSD of time differences",
            "dB",
            "lower",
            lambda s: _ratio(s["lsd_hourly"], s["pairs"]),
        ),
        *(_fss(threshold) for threshold in settings.fss_kelvin),
        Metric("tof", "tOF", "px", "lower", lambda s: _ratio(s["flow_difference"], s["flow_pixels"])),
        Metric(
            "consistency_rms",
            "LR consistency, RMS",
            "K",
            "lower",
            lambda s: np.sqrt(_ratio(s["consistency_squared"], s["consistency_pixels"])),
        ),
        Metric(
            "consistency_max",
            "LR consistency, max",
            "K",
            "lower",
            lambda s: np.where(s["consistency_pixels"] > 0, s["consistency_max"], np.nan),
        ),
    )


def _fss(threshold: float) -> Metric:
    """Fractions skill score (Roberts and Lean 2008); its parts are pooled over frames, NaN without event."""

    def compute(sums: Sums) -> NDArray[np.float64]:
        return 1 - _ratio(sums[f"fss_difference_{threshold:g}"], sums[f"fss_reference_{threshold:g}"])

    return Metric(f"fss_{threshold:g}", f"FSS at {threshold:g} K", "1", "higher", compute)


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide; NaN where nothing was counted."""
    missing = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=missing, where=denominator > 0)


def _decibel(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """10 log10 of a ratio; 0/0 is NaN, x/0 is infinite, 0/x minus infinite."""
    both = (numerator > 0) | (denominator > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(both, 10 * (np.log10(numerator) - np.log10(denominator)), np.nan)
