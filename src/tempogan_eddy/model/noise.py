"""White noise that a key decides: any window of it, without the rest."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["white_noise"]

CELL = 32
"""Side of the squares of lowres pixels that have a random generator each."""


def white_noise(channels: int, rows: slice, columns: slice, *key: int) -> Tensor:
    """Return a window of an endless field of white noise that a key decides: (C, rows, columns).

    Every window of one field holds the same numbers at the same places, on every machine.

    Parameters
    ----------
    channels
        Of the noise.
    rows, columns
        Start and stop in lowres pixels.
    key
        E.g. seed, member and time in nanoseconds.
    """
    noise = np.empty((channels, rows.stop - rows.start, columns.stop - columns.start), np.float32)
    for row in range(rows.start // CELL * CELL, rows.stop, CELL):
        for column in range(columns.start // CELL * CELL, columns.stop, CELL):
            random = np.random.default_rng([number % (1 << 64) for number in (*key, row, column)])
            cell = random.standard_normal((channels, CELL, CELL), np.float32)
            inner, place = zip(_overlap(rows, row), _overlap(columns, column), strict=True)
            noise[:, *place] = cell[:, *inner]
    return torch.from_numpy(noise)


def _overlap(span: slice, start: int) -> tuple[slice, slice]:
    """Return the part of a cell that lies in a span, and its place there."""
    first, last = max(span.start, start), min(span.stop, start + CELL)
    return slice(first - start, last - start), slice(first - span.start, last - span.start)
