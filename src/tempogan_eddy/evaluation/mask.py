"""The pixels that every method and the truth have, and what the metrics derive from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tempogan_eddy.rapsd import taper

__all__ = ["Mask"]


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
