"""Frames as levels of tiles: 16-bit kelvins that a page can fetch one by one."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDE", "PyramidCache", "cut", "level_count", "pyramid"]

SIDE = 256  # pixels of a tile
STEPS_A_KELVIN = 100  # 1 is 0.01 K; 0 is missing

Level = NDArray[np.uint16]


def level_count(shape: tuple[int, int]) -> int:
    """Return the number of levels of a frame: each halves the one before, until the frame fits one tile."""
    return ((max(shape) - 1) // SIDE).bit_length() + 1


def pyramid(frame: NDArray[np.floating]) -> list[Level]:
    """Quantise a frame (H, W) in kelvin, NaN where missing, and its coarser levels, each with half the pixels a side.

    Values are hundredths of a kelvin, 0 where missing. A coarser pixel is the mean of the valid pixels it covers.
    """
    levels = [_quantise(frame)]
    valid = np.isfinite(frame)
    # Sum differences from 250 K: in float32 sums of kelvins over many pixels would lose hundredths.
    total, count = np.where(valid, frame - 250.0, 0).astype(np.float32), valid.astype(np.float32)
    for _ in range(1, level_count(frame.shape)):
        total, count = _halve(total), _halve(count)
        with np.errstate(invalid="ignore"):
            levels.append(_quantise(total / count + 250.0))
    return levels


def _quantise(kelvin: NDArray[np.floating]) -> Level:
    # Valid values are at least 1, because 0 means missing.
    steps = np.clip(np.rint(kelvin * STEPS_A_KELVIN), 1, 65535)
    return np.where(np.isfinite(kelvin), steps, 0).astype("<u2")


def _halve(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum blocks of 2x2, with zeros beyond the frame."""
    if any(side % 2 for side in values.shape):
        values = np.pad(values, [(0, side % 2) for side in values.shape])
    rows = values[0::2] + values[1::2]
    return rows[:, 0::2] + rows[:, 1::2]


def cut(level: Level, row: int, column: int) -> Level | None:
    """Return the tile at a row and column of tiles, smaller at the lower and right edge; None beyond them."""
    if row < 0 or column < 0:
        return None
    tile = level[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
    return tile if tile.size else None


class PyramidCache:
    """Levels of the frames used last, each computed once even if several threads request it.

    It keeps at most `limit` bytes, and the latest frame even if that is larger.
    """

    def __init__(self, limit: int = 256 << 20) -> None:
        self.limit = limit
        self._held: OrderedDict[Hashable, list[Level]] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, read: Callable[[], NDArray[np.floating]]) -> list[Level]:
        """Return the levels of a frame; ``read`` returns the frame if they are not held."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._held:
                    return self._held[key]
            levels = pyramid(read())
            with self._lock:
                self._held[key] = levels
                self._making.pop(key, None)
                while len(self._held) > 1 and self._size() > self.limit:
                    self._held.popitem(last=False)
            return levels

    def _size(self) -> int:
        return sum(level.nbytes for levels in self._held.values() for level in levels)
