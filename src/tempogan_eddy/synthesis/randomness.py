"""Named streams of random numbers, so that the parts of a simulation draw independently."""

import numpy as np

__all__ = ["generator"]


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of a named part of the storm with this seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(name.encode())))
