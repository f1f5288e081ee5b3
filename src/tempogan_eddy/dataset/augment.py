"""Flips and quarter turns, the same for every frame of a window and for its flow.

Scaling and turning by other angles would interpolate, and so erase the faint top octave that the
discriminators are to learn from.
"""

from __future__ import annotations

import numpy as np

__all__ = ["augment_flow", "augment_frames"]


def augment_frames(frames: np.ndarray, symmetry: int) -> np.ndarray:
    """Apply one of the eight symmetries of the square to (..., H, W).

    Parameters
    ----------
    frames
        Any leading dimensions.
    symmetry
        0 to 7: quarter turns counter-clockwise, and from 4 on a left-right flip before them.
    """
    if symmetry >= 4:
        frames = frames[..., ::-1]
    return np.rot90(frames, symmetry % 4, axes=(-2, -1))


def augment_flow(flow: np.ndarray, symmetry: int) -> np.ndarray:
    """Apply the same symmetry to flow (..., 2, h, w), place and vectors both.

    A counter-clockwise quarter turn takes x right, y down to y, -x.
    """
    x, y = flow[..., 0, :, :], flow[..., 1, :, :]
    if symmetry >= 4:
        x = -x
    for _ in range(symmetry % 4):
        x, y = y, -x
    return np.stack([augment_frames(x, symmetry), augment_frames(y, symmetry)], axis=-3)
