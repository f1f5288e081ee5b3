"""The loss on traces of the lowres grid."""

from __future__ import annotations

from torch import Tensor

from tempogan_eddy.grid_traces import MARGIN, moments_by_place

__all__ = ["trace_loss"]

# In scaled units; 0.05 K of the default range.
FLOOR = 3.5e-4


def trace_loss(generated: Tensor, truth: Tensor, scale: int) -> Tensor:
    """Return the mean square difference of moments of detail at each place within a lowres pixel from the truth's.

    Moments are means over the batch: a single patch holds too few lowres pixels to tell a pattern from chance. What
    both draw by chance at one place, because the truth is rough there, cancels.

    Parameters
    ----------
    generated, truth
        (..., H, W), scaled, with the first lowres pixel in the corner.
    scale
        Side of a lowres pixel.
    """
    height, width = (side // scale - 2 * MARGIN for side in truth.shape[-2:])
    blocks = height * width * truth[..., 0, 0].numel()
    ours, theirs = (moments_by_place(frames, scale, FLOOR) / blocks for frames in (generated.float(), truth.float()))
    return (ours - theirs).square().mean()
