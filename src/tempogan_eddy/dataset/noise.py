"""Noise that its seed decides, for many samples at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["normal_noise"]

# torch transforms so many uniform numbers at a time: the first half to radii, the second to angles.
CHUNK = 16


def normal_noise(seeds: Sequence[int], count: int) -> NDArray[np.float32]:
    """Return standard normal numbers (len(seeds), count), each row a function of its seed alone.

    To rounding, a row is ``torch.randn`` of at least 16 numbers on the CPU (Mersenne twister, then Box and Muller
    1958), which has no call for several seeds.
    """
    # A last chunk that is not full overlaps the one before, with numbers of its own.
    full, rest = divmod(count, CHUNK)
    drawn = (full + (rest > 0)) * CHUNK + (rest if full and rest else 0)
    twister = np.random.MT19937(0)
    bits = np.empty((len(seeds), drawn), np.uint32)
    for row, seed in zip(bits, seeds, strict=True):
        twister._legacy_seeding(seed & 0xFFFFFFFF)
        row[:] = twister.random_raw(drawn)
    uniform = (bits & 0xFFFFFF).astype(np.float32) * np.float32(2.0**-24)
    if not full or not rest:
        return _transform(uniform)[:, :count]
    noise = np.empty((len(seeds), count), np.float32)
    noise[:, : full * CHUNK] = _transform(uniform[:, : full * CHUNK])
    noise[:, -CHUNK:] = _transform(uniform[:, -CHUNK:])
    return noise


def _transform(uniform: NDArray[np.float32]) -> NDArray[np.float32]:
    chunks = uniform.reshape(len(uniform), -1, 2, CHUNK // 2)
    radius, angle = np.sqrt(-2 * np.log(1 - chunks[:, :, 0])), np.float32(2 * np.pi) * chunks[:, :, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2).reshape(uniform.shape)
