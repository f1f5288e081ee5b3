"""How settings change during a run."""

from __future__ import annotations

import math

__all__ = ["average_decay", "learning_rate_factor"]


def learning_rate_factor(schedule: str, progress: float) -> float:
    """Return the factor of the learning rates.

    Parameters
    ----------
    schedule
        ``constant``; ``linear``, which decays over the second half as in tempoGAN; or ``cosine``, over all of the run.
    progress
        Share of the steps that are done, 0 to 1.
    """
    return {
        "constant": 1.0,
        "linear": min(1.0, 2 * (1 - progress)),
        "cosine": 0.5 * (1 + math.cos(math.pi * progress)),
    }[schedule]


def average_decay(largest: float, steps: int) -> float:
    """Return the decay of the moving average after some steps; smaller at the start, to forget untrained weights."""
    return min(largest, (1 + steps) / (10 + steps))
