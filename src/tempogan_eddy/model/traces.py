"""The loss on traces of the lowres grid."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.grid_traces import MARGIN, count_halves, moments_by_place, traces

__all__ = ["trace_loss"]

# In scaled units; 0.05 K of the default range.
FLOOR = 3.5e-4


def trace_loss(generated: Tensor, truth: Tensor, scale: int) -> Tensor:
    """Return how far the dependence of the detail on the place within a lowres pixel is from the truth's.

    Moments are means over the batch: a single patch holds too few lowres pixels to tell a pattern from chance.

    Parameters
    ----------
    generated, truth
        (..., H, W), scaled, with the first lowres pixel in the corner.
    scale
        Side of a lowres pixel.
    """
    inner = [side // scale - 2 * MARGIN for side in truth.shape[-2:]]
    white, black = count_halves(np.ones(inner, bool))
    frames = truth[..., 0, 0].numel()
    ours, theirs = (
        torch.stack([half / (frames * blocks) for half, blocks in zip(sums, (white, black), strict=True)])
        for sums in (moments_by_place(some.float(), scale, FLOOR) for some in (generated, truth))
    )
    result: Tensor = traces(ours, theirs)
    return result
