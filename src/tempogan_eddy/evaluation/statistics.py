"""Statistics reduce each frame, or pair of frames, to an aggregate; metrics are functions of their sums."""

import functools
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.evaluation.aggregation import Aggregate, Maximum, Mean
from tempogan_eddy.evaluation.masked import FLOW_WINDOW, MaskedFrame, MaskedPair, cloud_fraction, kept
from tempogan_eddy.kelvin import INFRARED_KELVIN, VALID_KELVIN
from tempogan_eddy.rapsd import energy_above, log_spectral_distance

__all__ = [
    "KELVIN_BINS",
    "ConsistencyMaximum",
    "ConsistencySquare",
    "Coverage",
    "DetailEnergy",
    "Error",
    "ErrorByKelvin",
    "FlowDifference",
    "FractionsDifference",
    "LogSpectralDistance",
    "Spectrum",
    "Statistic",
    "StructuralSimilarity",
    "mean_by_kelvin",
    "valid_kelvin",
]

# Edges of the bins of true brightness temperature, kelvin: all that can be valid.
BIN_WIDTH = 10
KELVIN_BINS = tuple(np.arange(VALID_KELVIN[0], VALID_KELVIN[1] + 2 * BIN_WIDTH, BIN_WIDTH).tolist())

SSIM_SIGMA, SSIM_WINDOW = 1.5, 11  # the gaussian window of Wang et al. (2004)

Seen = TypeVar("Seen", bound=MaskedFrame | MaskedPair)
Values = NDArray[np.floating]
Moment = Callable[[Values], Values]


@dataclass(frozen=True, kw_only=True)
class Statistic(ABC, Generic[Seen]):
    """Reduces a frame of a method, or a pair of frames, beside the truth's, to an aggregate.

    Statistics are keys: define them as frozen dataclasses.

    Attributes
    ----------
    pairs : bool
        Computed for pairs of frames one cadence apart, not for frames.
    minimum_valid : float
        Share of valid pixels that a frame or pair needs to be counted.
    needs_regression : bool
        Of a class: `compute` reads `truth.regression`.
    """

    needs_regression: ClassVar[bool] = False

    pairs: bool = False
    minimum_valid: float = 0.0

    @abstractmethod
    def compute(self, reconstructed: Seen, truth: Seen) -> Aggregate | None:
        """Return the aggregate of one frame or pair; None where there is nothing to count."""

    def compute_members(self, members: Sequence[Seen], truth: Seen) -> Aggregate | None:
        """Return the aggregate of all members of an ensemble: the sum of theirs.

        So a metric is that of an average member. Override this to compare members with each other (CRPS, spread).
        """
        aggregates = (self.compute(member, truth) for member in members)
        counted = [aggregate for aggregate in aggregates if aggregate is not None]
        return functools.reduce(operator.add, counted) if counted else None


@dataclass(frozen=True)
class Coverage(Statistic[MaskedFrame | MaskedPair]):
    """Share of valid pixels; its weight is the number of frames or pairs."""

    def compute(self, reconstructed: MaskedFrame | MaskedPair, truth: MaskedFrame | MaskedPair) -> Mean:
        return Mean(truth.mask.share, 1.0)


@dataclass(frozen=True)
class Error(Statistic[MaskedFrame]):
    """Mean over the valid pixels of a function of reconstruction minus truth.

    Attributes
    ----------
    moment : ufunc
        `np.positive`, `np.abs` or `np.square`.
    colder_than : float
        Only pixels where the truth is colder, K.
    """

    moment: Moment
    colder_than: float = np.inf

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        counted = _moment(reconstructed, truth, self.moment)
        if not np.isinf(self.colder_than):
            counted = counted[valid_kelvin(truth) < self.colder_than]
        return Mean(float(counted.sum(dtype=np.float64)), float(counted.size))


@dataclass(frozen=True)
class ErrorByKelvin(Statistic[MaskedFrame]):
    """As `Error`, in each bin of `KELVIN_BINS` of the truth."""

    moment: Moment

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        return mean_by_kelvin(_moment(reconstructed, truth, self.moment), truth)


@kept
def valid_kelvin(frame: MaskedFrame) -> NDArray[np.float64]:
    """Return the valid pixels of a frame, (N,), K."""
    return frame.mask.pick(frame.values).astype(np.float64)


def mean_by_kelvin(values: Values, truth: MaskedFrame) -> Mean:
    """Return the mean of values at the valid pixels (N,) in each bin of `KELVIN_BINS` of the truth."""
    place, count = _bins(truth)
    return Mean(np.bincount(place, values, len(count)), count)


@kept
def _bins(truth: MaskedFrame) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the bin of each valid pixel, and the pixels of each bin."""
    bins = len(KELVIN_BINS) - 1
    kelvin = truth.mask.pick(truth.values)
    place = np.clip((kelvin - KELVIN_BINS[0]) / BIN_WIDTH, 0, bins - 1).astype(np.intp)
    return place, np.bincount(place, minlength=bins).astype(np.float64)


@kept
def _moment(reconstructed: MaskedFrame, truth: MaskedFrame, moment: Moment) -> Values:
    """Return a function of reconstruction minus truth at the valid pixels, (N,)."""
    return moment(_error(reconstructed, truth))


@kept
def _error(reconstructed: MaskedFrame, truth: MaskedFrame) -> Values:
    return truth.mask.pick(reconstructed.values) - truth.mask.pick(truth.values)


@dataclass(frozen=True)
class FractionsDifference(Statistic[MaskedFrame]):
    """1 minus the fractions skill score (Roberts and Lean 2008); without an event nothing is counted."""

    threshold: float
    neighbourhood: int

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        fractions = (cloud_fraction(frame, self.threshold, self.neighbourhood) for frame in (reconstructed, truth))
        ours, theirs = map(truth.mask.pick, fractions)
        return Mean(_sum_of_squares(ours - theirs), _sum_of_squares(ours) + _sum_of_squares(theirs))


def _sum_of_squares(values: NDArray[np.float32]) -> float:
    """Return the sum in double precision."""
    import cv2

    return cv2.norm(values, cv2.NORM_L2SQR)


@dataclass(frozen=True)
class StructuralSimilarity(Statistic[MaskedFrame]):
    """SSIM, the mean over windows inside the frame without a missing pixel, as scikit-image's own mean.

    Attributes
    ----------
    kelvin_range : (low, high)
        Zero and the data range.
    """

    kelvin_range: tuple[float, float]

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        low, high = self.kelvin_range
        middle = (low + high) / 2  # near 0, single precision is enough for squares
        (x, x_mean, x_variance), (y, y_mean, y_variance) = (
            _windowed(frame, middle) for frame in (truth, reconstructed)
        )
        small, smaller = (0.03 * (high - low)) ** 2, (0.01 * (high - low)) ** 2
        similarity = 2 * (_blurred(x * y) - x_mean * y_mean) + small
        x_mean, y_mean = x_mean + (middle - low), y_mean + (middle - low)
        similarity *= 2 * x_mean * y_mean + smaller
        similarity /= (x_mean * x_mean + y_mean * y_mean + smaller) * (x_variance + y_variance + small)
        whole = truth.mask.whole(SSIM_WINDOW, inside=True)
        return Mean(float(similarity[whole].sum(dtype=np.float64)), float(whole.sum()))


@kept
def _windowed(frame: MaskedFrame, middle: float) -> tuple[NDArray[np.float32], ...]:
    """Return a frame, 0 at the kelvin `middle` and where missing, and its mean and variance in windows."""
    values = (frame.filled(middle) - middle).astype(np.float32, copy=False)
    mean = _blurred(values)
    return values, mean, _blurred(values * values) - mean * mean


def _blurred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    blurred = cv2.GaussianBlur(values, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32)


@dataclass(frozen=True)
class Spectrum(Statistic[MaskedFrame]):
    """Mean RAPSD, (K,)."""

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        return Mean(reconstructed.spectrum, np.ones(len(truth.spectrum)))


@dataclass(frozen=True)
class LogSpectralDistance(Statistic[MaskedFrame | MaskedPair]):
    """Mean log-spectral distance of frames, or of the later frame of a pair minus the earlier one, dB."""

    def compute(self, reconstructed: MaskedFrame | MaskedPair, truth: MaskedFrame | MaskedPair) -> Mean:
        return Mean(log_spectral_distance(reconstructed.spectrum, truth.spectrum), 1.0)


@dataclass(frozen=True)
class DetailEnergy(Statistic[MaskedFrame]):
    """Reconstructed over true power above the lowres Nyquist wavenumber, min(H, W) / (2 * scale)."""

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        nyquist = min(truth.shape) / (2 * truth.scale)
        return Mean(*(energy_above(frame.spectrum, truth.shape, nyquist) for frame in (reconstructed, truth)))


@dataclass(frozen=True)
class FlowDifference(Statistic[MaskedPair]):
    """Mean length of the difference of flow vectors: tOF of Chu et al. (2020), "Learning temporal coherence".

    Pixels within half a flow window of a missing one are not counted.
    """

    flow_range: tuple[float, float] = INFRARED_KELVIN

    def compute(self, reconstructed: MaskedPair, truth: MaskedPair) -> Mean:
        trusted = truth.mask.whole(FLOW_WINDOW, inside=False)
        flow = reconstructed.flow(self.flow_range) - truth.flow(self.flow_range)
        difference = np.abs(flow.view(np.complex64)[..., 0])
        return Mean(float(difference[trusted].sum(dtype=np.float64)), float(trusted.sum()))


@dataclass(frozen=True)
class ConsistencySquare(Statistic[MaskedFrame]):
    """Mean square of the reconstruction, as the sensor sees it, minus its input."""

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Mean:
        deviation = reconstructed.lowres_deviation
        return Mean(float((deviation**2).sum()), float(deviation.size))


@dataclass(frozen=True)
class ConsistencyMaximum(Statistic[MaskedFrame]):
    """Largest size of the reconstruction, as the sensor sees it, minus its input."""

    def compute(self, reconstructed: MaskedFrame, truth: MaskedFrame) -> Maximum | None:
        deviation = reconstructed.lowres_deviation
        return Maximum(float(np.abs(deviation).max())) if deviation.size else None
