"""Named streams of random numbers: one part of the simulation cannot disturb the draws of another."""

import numpy as np

__all__ = ["generator"]


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of one named part of the storm with this seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(name.encode())))
