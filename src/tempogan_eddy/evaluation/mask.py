"""The pixels that every method and the truth have, and what the metrics derive from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["TAPER", "Mask", "taper"]

# Pixels over which the weight rises from 0 at a missing pixel to 1.
TAPER = 16


@dataclass(frozen=True)
class Mask:
    """Valid pixels (H, W) of a frame, or of both frames of a pair; what follows is computed once."""

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
        """Pixels whose square window holds no missing pixel and, if asked for, lies inside the frame."""
        border = {"mode": "constant", "cval": 0} if inside else {"mode": "nearest"}
        return ndimage.minimum_filter(self.valid, side, **border)


def taper(valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights that rise smoothly from 0 at missing pixels to 1 at a distance of `TAPER` pixels.

    A mask with sharp edges has a broad spectrum of its own: a missing line of pixels leaks enough of
    the large scales into the small ones to hide what a method lacks there (on real frames it turned
    bicubic's LSD from 26.5 dB to 9.3 dB; with the taper it reads 26.4 dB).
    """
    distance = ndimage.distance_transform_edt(valid)
    return np.sin(np.pi / 2 * np.clip(distance / TAPER, 0, 1)) ** 2
