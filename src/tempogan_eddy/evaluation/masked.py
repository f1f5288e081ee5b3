"""Frames under a common mask, and pairs of them: the input of statistics.

Every method is compared with the same frame of the truth, so results derived from a frame are computed once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial, wraps
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tempogan_eddy.dataset.blocks import whole_blocks
from tempogan_eddy.evaluation.baselines import area_mean, observe
from tempogan_eddy.rapsd import ring_energy, ring_modes, taper, windowed_modes

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel

__all__ = ["FLOW_WINDOW", "Mask", "MaskedFrame", "MaskedPair", "cloud_fraction", "kept"]

# cv2.calcOpticalFlowFarneback: pyramid scale, levels, window, iterations, polynomial size and sigma
FLOW_WINDOW = 15
FARNEBACK = (0.5, 3, FLOW_WINDOW, 3, 5, 1.2)

Function = TypeVar("Function", bound=Callable[..., Any])
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, eq=False)
class _Derived:
    """Keep the results derived from it. Two objects are equal only if they are one."""

    _kept: dict[Any, Any] = field(default_factory=dict, repr=False, kw_only=True)
    _lasting: dict[Any, Any] = field(default_factory=dict, repr=False, kw_only=True)

    def afresh(self) -> Self:
        """Return a copy that shares what lasts, without all else that was derived: that takes ten times its memory."""
        return replace(self, _kept={})


def kept(function: Function, *, lasting: bool = False) -> Function:
    """Compute a function only for the first use of its arguments, and keep the result with the first of them.

    The first argument is a frame, a pair or a mask. It may also be the members of an ensemble; then the first member
    keeps the result. `lasting` results serve pairs as well.
    """

    @wraps(function)
    def once(of: Any, *given: Any, **options: Any) -> Any:
        first, *rest = of if isinstance(of, Sequence) else (of,)
        # A frame that kept itself would be freed only by the garbage collector.
        others = [None if part is first else part for part in given]
        results, key = first._lasting if lasting else first._kept, (once, *rest, *others, *options.items())
        if key not in results:
            results[key] = function(of, *given, **options)
        return results[key]

    return cast(Function, once)


@dataclass(frozen=True, eq=False)
class Mask(_Derived):
    """The valid pixels (H, W) that all methods and the truth share, in a frame or in both frames of a pair."""

    valid: NDArray[np.bool_]

    @cached_property
    def complete(self) -> bool:
        """Whether no pixel is missing."""
        return bool(self.valid.all())

    @cached_property
    def share(self) -> float:
        """Share of valid pixels."""
        return float(self.valid.mean())

    @cached_property
    def weight(self) -> NDArray[np.float64] | None:
        """Weight of each pixel in a spectrum; None where all weigh alike."""
        return None if self.complete else taper(self.valid)

    def pick(self, values: NDArray[Kind]) -> NDArray[Kind]:
        """Return the values (H, W) at the valid pixels, (N,): a view where none is missing."""
        return values.reshape(-1) if self.complete else values[self.valid]

    @kept
    def share_of_one(self, side: int) -> NDArray[np.float32]:
        """Return the share that each valid pixel has of those in the square around each pixel."""
        return np.asarray(1 / np.maximum(_count(self.valid, side), 1), np.float32)

    @kept
    def whole(self, side: int, *, inside: bool) -> NDArray[np.bool_]:
        """Return the pixels whose square window has no missing pixel and, if `inside`, lies within the frame."""
        import cv2

        square, outside = np.ones((side, side), np.uint8), (0.0 if inside else 1.0,)
        seen = self.valid.view(np.uint8)
        return cv2.erode(seen, square, borderType=cv2.BORDER_CONSTANT, borderValue=outside).view(np.bool_)

    @kept
    def whole_blocks(self, side: int) -> NDArray[np.bool_]:
        """Return the square blocks without a missing pixel, (H // side, W // side)."""
        return whole_blocks(self.valid, side)


@dataclass(frozen=True, eq=False)
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
    regression : MaskedFrame, optional
        Of the truth only: the frame of the regression, to which the distortion-spectrum bound is relative.
    """

    values: NDArray[np.floating]
    mask: Mask
    lowres: NDArray[np.floating] | None = None
    scale: int = 4
    sensor: SensorModel | None = None
    regression: MaskedFrame | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.values.shape[0], self.values.shape[1]

    def filled(self, kelvin: float) -> NDArray[np.floating]:
        """Return the values, K, with `kelvin` where they are missing: not a copy where none is."""
        return self.values if self.mask.complete else np.where(self.mask.valid, self.values, np.float32(kelvin))

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """RAPSD, K^2, at k = 1..Nyquist."""
        return self.energy / ring_modes(self.shape)

    @cached_property
    def energy(self) -> NDArray[np.float64]:
        """Energy, K^2, at k = 1..Nyquist."""
        return self.energy_with(self)

    @property
    @partial(kept, lasting=True)
    def modes(self) -> NDArray[np.complex64]:
        """Fourier modes, of which rings add up to the energy."""
        return windowed_modes(self.values, self.mask.weight)

    def energy_with(self, other: MaskedFrame) -> NDArray[np.float64]:
        """Return the energy in common with another frame under the same mask, K^2, at k = 1..Nyquist."""
        return ring_energy(self.modes, other.modes, self.shape)

    @cached_property
    def lowres_deviation(self) -> NDArray[np.float64]:
        """What the sensor sees minus the input, where no pixel is missing, K."""
        assert self.lowres is not None
        whole, values = np.isfinite(self.values), self.values.astype(np.float64)
        if self.sensor and self.sensor.margin:  # pixels beyond the block are seen too
            whole = ndimage.minimum_filter(whole, 2 * self.sensor.margin + 1, mode="nearest")
        complete = whole_blocks(whole, self.scale) & np.isfinite(self.lowres)
        seen = observe(values, self.sensor) if self.sensor else area_mean(values, self.scale)
        return (seen - self.lowres)[complete]

    @partial(kept, lasting=True)
    def eight_bit(self, flow_range: tuple[float, float]) -> NDArray[np.uint8]:
        """Return the frame as the optical flow gets it: `flow_range` as 0..255, missing pixels mid-grey."""
        low, high = flow_range
        grey = (self.values - low) / (high - low) * 255
        if not self.mask.complete:
            grey[~self.mask.valid] = 127.5
        return np.clip(np.rint(grey, out=grey), 0, 255, out=grey).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class MaskedPair(_Derived):
    """Two frames of one method or of the truth, one cadence apart, and the mask valid in both."""

    earlier: MaskedFrame
    later: MaskedFrame
    mask: Mask

    @cached_property
    def change(self) -> MaskedFrame:
        """The later frame minus the earlier one."""
        return MaskedFrame(self.later.values - self.earlier.values, self.mask)

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """RAPSD of the change, K^2."""
        if not self.mask.complete:  # the weights of the change are those of neither frame
            return self.change.spectrum
        modes, shape = self.later.modes - self.earlier.modes, self.later.shape
        return ring_energy(modes, modes, shape) / ring_modes(shape)

    @kept
    def flow(self, flow_range: tuple[float, float]) -> NDArray[np.float32]:
        """Return the Farneback flow (H, W, 2) from the earlier to the later frame, pixels a step."""
        import cv2

        earlier, later = self.earlier.eight_bit(flow_range), self.later.eight_bit(flow_range)
        flow = cv2.calcOpticalFlowFarneback(earlier, later, np.empty(0, np.float32), *FARNEBACK, 0)
        return np.asarray(flow, np.float32)


@kept
def cloud_fraction(frame: MaskedFrame, threshold: float, neighbourhood: int) -> NDArray[np.float32]:
    """Return the share of valid pixels colder than `threshold` in the square around each pixel.

    Missing pixels count neither as event nor as non-event; the square is cut at the frame's border.

    Parameters
    ----------
    frame : MaskedFrame
    threshold : float
        Kelvin.
    neighbourhood : int
        Side of the square in pixels, odd.

    Returns
    -------
    (H, W) array
        0..1; 0 where the square has no valid pixel.
    """
    cold = frame.filled(np.inf) < threshold
    return _count(cold, neighbourhood) * frame.mask.share_of_one(neighbourhood)


def _count(where: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
    import cv2

    summed = cv2.boxFilter(
        where.view(np.uint8), cv2.CV_32F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(summed, np.float32)
