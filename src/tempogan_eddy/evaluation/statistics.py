"""Statistics of one frame or pair that add up over time, from which every metric is computed.

Because they add up, a metric of a storm, of a block of hours, of a bootstrap resample or of several
storms together is the same function of a sum.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.baselines import area_mean
from tempogan_eddy.evaluation.frames import FLOW_WINDOW, Frame, Pair
from tempogan_eddy.rapsd import energy_above, log_spectral_distance

__all__ = [
    "DEFAULTS",
    "KELVIN_BINS",
    "MAXIMA",
    "Settings",
    "bin_names",
    "consistency_statistics",
    "frame_statistics",
    "pair_statistics",
]

Statistics = dict[str, float]

# Statistics that are combined by their maximum, not by their sum.
MAXIMA = frozenset({"consistency_max"})

# Edges of the bins of true brightness temperature, kelvin: all that can be valid (io/quality.py).
KELVIN_BINS = tuple(float(kelvin) for kelvin in range(160, 350, 10))

SSIM_SIGMA, SSIM_WINDOW = 1.5, 11  # the gaussian window of Wang et al. (2004)


@dataclass(frozen=True)
class Settings:
    """Everything a score depends on besides the frames; printed with every report.

    Attributes
    ----------
    kelvin_range : (low, high)
        Its width is the data range of PSNR and SSIM.
    cold_kelvin : float
        Truth colder than this is cold cloud.
    fss_kelvin : tuple of float
        Thresholds of the fractions skill score.
    fss_neighbourhood : int
        Side of its square neighbourhood, pixels, odd.
    flow_range : (low, high)
        Kelvin shown to the optical flow as 0 and 255.
    minimum_valid : float
        Share of valid pixels a frame or pair needs for spectra and flow.
    block : str
        Length of the blocks of time that the bootstrap resamples.
    resamples : int
        Number of bootstrap resamples.
    confidence : float
        Probability of the interval between `low` and `high`.
    seed : int
        Of the bootstrap.
    """

    kelvin_range: tuple[float, float] = (170.0, 320.0)
    cold_kelvin: float = 220.0
    fss_kelvin: tuple[float, ...] = (225.0, 241.0)
    fss_neighbourhood: int = 5
    flow_range: tuple[float, float] = (170.0, 310.0)
    minimum_valid: float = 0.5
    block: str = "6h"
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    @property
    def data_range(self) -> float:
        """Width of `kelvin_range`, K."""
        return self.kelvin_range[1] - self.kelvin_range[0]


DEFAULTS = Settings()


def frame_statistics(reconstructed: Frame, truth: Frame, scale: int, settings: Settings = DEFAULTS) -> Statistics:
    """Compare one reconstructed frame with the truth under the same mask.

    Parameters
    ----------
    reconstructed, truth : Frame
        (H, W) kelvin with the same mask.
    scale : int
        Refinement of the grid; the coarse Nyquist wavenumber is min(H, W) / (2 * scale).
    settings : Settings

    Returns
    -------
    dict
        Sums over the frame by name.
    """
    return {
        **_error_sums(reconstructed, truth, settings),
        **_bin_sums(reconstructed, truth),
        **_fss_sums(reconstructed, truth, settings),
        **_ssim_sums(reconstructed, truth, settings),
        **_spectrum_sums(reconstructed, truth, scale, settings),
    }


def pair_statistics(reconstructed: Pair, truth: Pair, settings: Settings = DEFAULTS) -> Statistics:
    """Compare the change and the motion between two consecutive frames with the truth's.

    The flow difference is the mean length of the difference of flow vectors (tOF of Chu et al. 2020,
    "Learning temporal coherence via self-supervision"); pixels within half a flow window of a missing
    one are left out.
    """
    if truth.mask.share < settings.minimum_valid:
        return {}
    trusted = truth.mask.whole(FLOW_WINDOW, inside=False)
    difference = np.linalg.norm(reconstructed.flow - truth.flow, axis=-1)
    return {
        "pairs": 1.0,
        "lsd_hourly": log_spectral_distance(reconstructed.spectrum, truth.spectrum),
        "flow_difference": float(difference[trusted].sum(dtype=np.float64)),
        "flow_pixels": float(trusted.sum()),
    }


def consistency_statistics(reconstructed: NDArray[np.floating], lowres: NDArray[np.floating], scale: int) -> Statistics:
    """Compare the area mean of a reconstruction with its input, in blocks without a missing pixel.

    Parameters
    ----------
    reconstructed : (h * scale, w * scale) array
        Kelvin, NaN where missing, not under the common mask.
    lowres : (h, w) array
        The input, kelvin.
    scale : int
        Refinement of the grid.
    """
    height, width = lowres.shape
    complete = np.isfinite(reconstructed).reshape(height, scale, width, scale).all(axis=(1, 3))
    complete &= np.isfinite(lowres)
    deviation = (area_mean(reconstructed.astype(np.float64), scale) - lowres)[complete]
    return {
        "consistency_max": float(np.abs(deviation).max(initial=0.0)),
        "consistency_squared": float((deviation**2).sum()),
        "consistency_pixels": float(deviation.size),
    }


def _error_sums(reconstructed: Frame, truth: Frame, settings: Settings) -> Statistics:
    expected = truth.values[truth.mask.valid].astype(np.float64)
    error = reconstructed.values[truth.mask.valid] - expected
    squared = error**2
    cold = expected < settings.cold_kelvin
    return {
        "frames": 1.0,
        "pixels": float(error.size),
        "error": float(error.sum()),
        "absolute_error": float(np.abs(error).sum()),
        "squared_error": float(squared.sum()),
        "cold_pixels": float(cold.sum()),
        "cold_squared_error": float(squared[cold].sum()),
    }


def bin_names(low: float) -> tuple[str, str, str]:
    """The statistics of the bin from `low` kelvin on: its pixels, sum of errors, sum of squared errors."""
    return f"pixels_from_{low:g}", f"error_from_{low:g}", f"squared_error_from_{low:g}"


def _bin_sums(reconstructed: Frame, truth: Frame) -> Statistics:
    expected = truth.values[truth.mask.valid]
    error = reconstructed.values[truth.mask.valid].astype(np.float64) - expected
    place = np.clip(np.digitize(expected, KELVIN_BINS) - 1, 0, len(KELVIN_BINS) - 2)
    sums: Statistics = {}
    columns = (np.bincount(place, weights, len(KELVIN_BINS) - 1) for weights in (None, error, error**2))
    for low, *values in zip(KELVIN_BINS, *columns, strict=False):
        if values[0]:
            sums.update(zip(bin_names(low), map(float, values), strict=True))
    return sums


def _fss_sums(reconstructed: Frame, truth: Frame, settings: Settings) -> Statistics:
    sums: Statistics = {}
    for threshold in settings.fss_kelvin:
        ours = reconstructed.fractions(threshold, settings.fss_neighbourhood)[truth.mask.valid]
        theirs = truth.fractions(threshold, settings.fss_neighbourhood)[truth.mask.valid]
        sums[f"fss_difference_{threshold:g}"] = float(((ours - theirs) ** 2).sum())
        sums[f"fss_reference_{threshold:g}"] = float((ours**2).sum() + (theirs**2).sum())
    return sums


def _ssim_sums(reconstructed: Frame, truth: Frame, settings: Settings) -> Statistics:
    from skimage.metrics import structural_similarity

    low = settings.kelvin_range[0]
    _, similarity = structural_similarity(
        np.where(truth.mask.valid, truth.values - low, 0.0),
        np.where(truth.mask.valid, reconstructed.values - low, 0.0),
        data_range=settings.data_range,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    # Only windows that lie inside the frame and hold no missing pixel, as skimage's own mean has it.
    whole = truth.mask.whole(SSIM_WINDOW, inside=True)
    return {"ssim": float(similarity[whole].sum()), "ssim_pixels": float(whole.sum())}


def _spectrum_sums(reconstructed: Frame, truth: Frame, scale: int, settings: Settings) -> Statistics:
    if truth.mask.share < settings.minimum_valid:
        return {}
    shape = (truth.values.shape[0], truth.values.shape[1])
    nyquist = min(shape) / (2 * scale)
    return {
        "spectra": 1.0,
        "lsd": log_spectral_distance(reconstructed.spectrum, truth.spectrum),
        "detail_energy": energy_above(reconstructed.spectrum, shape, nyquist),
        "detail_energy_truth": energy_above(truth.spectrum, shape, nyquist),
    }
