"""Choose a few of many, spread evenly."""

import numpy as np

__all__ = ["spread_evenly"]


def spread_evenly(total: int, most: int) -> list[int]:
    """Return at most so many of the numbers from 0 to ``total`` - 1, the first and the last among them."""
    return np.linspace(0, total - 1, min(most, total)).round().astype(int).tolist()
