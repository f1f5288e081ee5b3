"""The loss on traces of the lowres grid."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.grid_traces import MARGIN, halves, moments_by_place, traces

__all__ = ["trace_loss"]

# In scaled units; 0.05 K of the default range.
FLOOR = 3.5e-4


def trace_loss(generated: Tensor, truth: Tensor, scale: int) -> Tensor:
    """Return how much more or less than the truth's the detail depends on the place within a lowres pixel.

    Moments are means over the batch: a single patch holds too few lowres pixels to tell a pattern from chance.

    Parameters
    ----------
    generated, truth
        (..., H, W), scaled, with the first lowres pixel in the corner.
    scale
        Side of a lowres pixel.
    """
    weights = _halves(*(side // scale - 2 * MARGIN for side in truth.shape[-2:]), truth.device)
    blocks = truth[..., 0, 0].numel() * weights.sum((1, 2))[:, None, None, None]
    ours, theirs = (
        moments_by_place(frames, scale, FLOOR, weights) / blocks for frames in (generated.float(), truth.float())
    )
    result: Tensor = traces(ours, theirs)
    return result


@lru_cache(maxsize=8)
def _halves(rows: int, columns: int, device: torch.device) -> Tensor:
    return torch.from_numpy(halves(np.ones((rows, columns), bool))).float().to(device)
