"""Frames under a common mask, and pairs of them: the input of statistics.

Every method is compared with the same frame of the truth, so results derived from a frame are computed once and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tempogan_eddy.evaluation.baselines import area_mean, observe
from tempogan_eddy.rapsd import radial_power, taper

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel

__all__ = ["FLOW_WINDOW", "Mask", "MaskedFrame", "MaskedPair", "cloud_fraction"]

# cv2.calcOpticalFlowFarneback: pyramid scale, levels, window, iterations, polynomial size and sigma
FLOW_WINDOW = 15
FARNEBACK = (0.5, 3, FLOW_WINDOW, 3, 5, 1.2)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Mask:
    """The valid pixels (H, W) that all methods and the truth share, in a frame or in both frames of a pair."""

    valid: NDArray[np.bool_]

    @cached_property
    def share(self) -> float:
        """Share of valid pixels."""
        return float(self.valid.mean())

    @cached_property
    def weight(self) -> NDArray[np.float64] | None:
        """Weight of each pixel in a spectrum; None where all weigh alike."""
        return None if self.valid.all() else taper(self.valid)

    def whole(self, side: int, *, inside: bool) -> NDArray[np.bool_]:
        """Return the pixels whose square window has no missing pixel and, if `inside`, lies within the frame."""
        border = {"mode": "constant", "cval": 0} if inside else {"mode": "nearest"}
        return ndimage.minimum_filter(self.valid, side, **border)


@dataclass(frozen=True)
class _Derived:
    """Keep the results derived from it."""

    _kept: dict[Any, Any] = field(default_factory=dict, repr=False, kw_only=True)

    def once(self, key: Any, compute: Callable[[], Result]) -> Result:
        """Return the result of `compute`, called only for the first use of this key."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


@dataclass(frozen=True)
class MaskedFrame(_Derived):
    """One frame of one method or of the truth.

    Attributes
    ----------
    values : (H, W) array
        Kelvin. Scores ignore it where the mask is False; only LR consistency has a mask of its own.
    mask : Mask
        The common mask.
    lowres : (h, w) array, optional
        The input of all methods, kelvin.
    scale : int
        Refinement of the grid.
    sensor : SensorModel, optional
        How the input was seen; None for the area mean.
    """

    values: NDArray[np.floating]
    mask: Mask
    lowres: NDArray[np.floating] | None = None
    scale: int = 4
    sensor: SensorModel | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.values.shape[0], self.values.shape[1]

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """RAPSD, K^2, at k = 1..Nyquist."""
        return radial_power(self.values, self.mask.weight)

    @cached_property
    def lowres_deviation(self) -> NDArray[np.float64]:
        """What the sensor sees minus the input, where no pixel is missing, K."""
        assert self.lowres is not None
        height, width = self.lowres.shape
        whole, values = np.isfinite(self.values), self.values.astype(np.float64)
        if self.sensor and self.sensor.margin:  # pixels beyond the block are seen too
            whole = ndimage.minimum_filter(whole, 2 * self.sensor.margin + 1, mode="nearest")
        complete = whole.reshape(height, self.scale, width, self.scale).all(axis=(1, 3)) & np.isfinite(self.lowres)
        seen = observe(values, self.sensor) if self.sensor else area_mean(values, self.scale)
        return (seen - self.lowres)[complete]

    def fractions(self, threshold: float, neighbourhood: int) -> NDArray[np.float64]:
        """Return the share of valid pixels colder than `threshold` in the square neighbourhood of each pixel."""
        return self.once(
            ("fractions", threshold, neighbourhood),
            lambda: cloud_fraction(self.values, self.mask.valid, threshold, neighbourhood),
        )

    def eight_bit(self, flow_range: tuple[float, float]) -> NDArray[np.uint8]:
        """Return the frame as the optical flow gets it: `flow_range` as 0..255, missing pixels mid-grey."""

        def convert() -> NDArray[np.uint8]:
            low, high = flow_range
            grey = np.where(self.mask.valid, (self.values - low) / (high - low) * 255, 127.5)
            return np.clip(np.rint(grey), 0, 255).astype(np.uint8)

        return self.once(("eight_bit", flow_range), convert)


@dataclass(frozen=True)
class MaskedPair(_Derived):
    """Two frames of one method or of the truth, one cadence apart, and the mask valid in both."""

    earlier: MaskedFrame
    later: MaskedFrame
    mask: Mask

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """RAPSD of the later frame minus the earlier one, K^2."""
        return radial_power(self.later.values - self.earlier.values, self.mask.weight)

    def flow(self, flow_range: tuple[float, float]) -> NDArray[np.float32]:
        """Return the Farneback flow (H, W, 2) from the earlier to the later frame, pixels a step."""

        def estimate() -> NDArray[np.float32]:
            import cv2

            earlier, later = self.earlier.eight_bit(flow_range), self.later.eight_bit(flow_range)
            flow = cv2.calcOpticalFlowFarneback(earlier, later, np.empty(0, np.float32), *FARNEBACK, 0)
            return np.asarray(flow, np.float32)

        return self.once(("flow", flow_range), estimate)


def cloud_fraction(
    values: NDArray[np.floating], valid: NDArray[np.bool_], threshold: float, neighbourhood: int
) -> NDArray[np.float64]:
    """Return the share of valid pixels colder than `threshold` in the square around each pixel.

    Missing pixels count neither as event nor as non-event; the square is cut at the frame's border.

    Parameters
    ----------
    values : (H, W) array
        Kelvin.
    valid : (H, W) bool array
    threshold : float
        Kelvin.
    neighbourhood : int
        Side of the square in pixels, odd.

    Returns
    -------
    (H, W) array
        0..1; 0 where the square has no valid pixel.
    """
    events = (valid & (values < threshold)).astype(np.float64)
    share = ndimage.uniform_filter(valid.astype(np.float64), neighbourhood, mode="constant")
    cold = ndimage.uniform_filter(events, neighbourhood, mode="constant")
    # The running sums of uniform_filter leave 1e-16 in squares without a valid pixel.
    enough = share > 0.5 / neighbourhood**2
    return np.divide(cold, share, out=np.zeros_like(cold), where=enough)
