"""A frame and a pair of frames under a common mask, with what the metrics derive from them computed once.

The truth's frame is shared by every method it is compared with, so its spectrum, flow and cloud
fractions are computed once.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tempogan_eddy.evaluation.mask import Mask
from tempogan_eddy.rapsd import radial_power

__all__ = ["FLOW_WINDOW", "Frame", "Pair", "cloud_fraction"]

# cv2.calcOpticalFlowFarneback: pyramid scale, levels, window, iterations, polynomial size and sigma
FLOW_WINDOW = 15
FARNEBACK = (0.5, 3, FLOW_WINDOW, 3, 5, 1.2)


@dataclass(frozen=True)
class Frame:
    """One frame of one method.

    Attributes
    ----------
    values : (H, W) array
        Kelvin; what it holds where the mask is False is never used.
    mask : Mask
        The valid pixels that all methods and the truth share.
    flow_range : (low, high)
        Kelvin shown to the optical flow as 0 and 255.
    """

    values: NDArray[np.floating]
    mask: Mask
    flow_range: tuple[float, float] = (170.0, 310.0)
    _fractions: dict[tuple[float, int], NDArray[np.float64]] = field(default_factory=dict, repr=False)

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """RAPSD, K^2, at k = 1..Nyquist."""
        return radial_power(self.values, self.mask.weight)

    @cached_property
    def eight_bit(self) -> NDArray[np.uint8]:
        """The fixed kelvin-to-8-bit map of the optical flow; missing pixels take the middle grey."""
        low, high = self.flow_range
        grey = np.where(self.mask.valid, (self.values - low) / (high - low) * 255, 127.5)
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)

    def fractions(self, threshold: float, neighbourhood: int) -> NDArray[np.float64]:
        """Share of valid pixels colder than `threshold` in the square neighbourhood of each pixel."""
        key = (threshold, neighbourhood)
        if key not in self._fractions:
            self._fractions[key] = cloud_fraction(self.values, self.mask.valid, threshold, neighbourhood)
        return self._fractions[key]


@dataclass(frozen=True)
class Pair:
    """Two frames of one method, one cadence apart, and the mask valid in both."""

    earlier: Frame
    later: Frame
    mask: Mask

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """RAPSD of the later frame minus the earlier one."""
        return radial_power(self.later.values - self.earlier.values, self.mask.weight)

    @cached_property
    def flow(self) -> NDArray[np.float32]:
        """Farneback flow (H, W, 2) from the earlier to the later frame, pixels a step."""
        import cv2

        flow = cv2.calcOpticalFlowFarneback(
            self.earlier.eight_bit, self.later.eight_bit, np.empty(0, np.float32), *FARNEBACK, 0
        )
        return np.asarray(flow, np.float32)


def cloud_fraction(
    values: NDArray[np.floating], valid: NDArray[np.bool_], threshold: float, neighbourhood: int
) -> NDArray[np.float64]:
    """Share of valid pixels colder than `threshold` in the square around each pixel.

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
        0..1; 0 where the square holds no valid pixel.
    """
    events = (valid & (values < threshold)).astype(np.float64)
    share = ndimage.uniform_filter(valid.astype(np.float64), neighbourhood, mode="constant")
    cold = ndimage.uniform_filter(events, neighbourhood, mode="constant")
    # The running sums of uniform_filter leave 1e-16 where there is nothing.
    enough = share > 0.5 / neighbourhood**2
    return np.divide(cold, share, out=np.zeros_like(cold), where=enough)
