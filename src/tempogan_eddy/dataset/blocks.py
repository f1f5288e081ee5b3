"""Blocks of highres pixels on the lowres grid."""

from torch import Tensor

__all__ = ["repeat_pixels"]


def repeat_pixels(lowres: Tensor, scale: int) -> Tensor:
    """Give every highres pixel of a block the value of its lowres pixel: (..., h, w) to (..., H, W)."""
    return lowres.repeat_interleave(scale, -2).repeat_interleave(scale, -1)
