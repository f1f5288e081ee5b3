"""Fill missing pixels on the device, many frames at a time, exactly as `dataset.missing.fill_missing` does."""

import torch
from torch import Tensor

from tempogan_eddy.dataset.missing import NOTHING_SEEN

__all__ = ["fill_nearest"]

# Candidates, missing pixels times columns, that are compared at once; bounds the memory.
AT_ONCE = 1 << 25

# Rows away, where a column has no valid pixel: farther than any other, and its square fits into 32 bits.
FAR = 1 << 14


def fill_nearest(frames: Tensor, missing: Tensor) -> Tensor:
    """Give each missing pixel the value of the nearest valid one; of several, that of the first column, then row.

    Find the nearest valid row of each column, then the nearest of these pixels (the distance transform by dimensions,
    after A. Meijster, J. Roerdink, W. Hesselink, "A General Algorithm for Computing Distance Transforms in Linear
    Time", 2000). Wait for no device, since the caller knows which pixels are missing.

    Parameters
    ----------
    frames
        (N, h, w) in kelvin, NaN where missing.
    missing
        (M,) int64, the numbers of the missing pixels in the flattened frames.

    Returns
    -------
    Tensor
        (N, h, w), finite wherever the frames are finite or missing; 250 K in a frame without a valid pixel.
    """
    _, height, width = frames.shape
    rows, columns = (torch.arange(side, dtype=torch.int32, device=frames.device) for side in (height, width))
    valid, down = ~frames.isnan(), rows[:, None]
    above = torch.where(valid, down, -FAR).cummax(1).values
    below = torch.where(valid, down, FAR).flip(1).cummin(1).values.flip(1)
    nearest = torch.where(down - above <= below - down, above, below).view(-1, width)
    filled = frames.clone()
    for pixels in missing.split(max(1, AT_ONCE // width)):
        line, column = pixels // width, pixels % width
        row = line % height
        candidates = nearest[line]
        across, along = columns - column[:, None], candidates - row[:, None]
        chosen = (across.square_() + along.square_()).argmin(1, keepdim=True)
        source = candidates.gather(1, chosen)[:, 0].clamp(0, height - 1)
        values = frames.view(-1)[((line - row + source) * width) + chosen[:, 0]]
        filled.view(-1)[pixels] = torch.where(values.isnan(), NOTHING_SEEN, values)
    return filled
