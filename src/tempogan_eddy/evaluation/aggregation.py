"""Sums of statistics that add up over frames, members, storms and workers, and the bootstrap's resamples of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tempogan_eddy.evaluation.statistics import Statistic

__all__ = ["Aggregate", "Aggregation", "Block", "Maximum", "Mean"]


class Aggregate(Protocol):
    """The value of a statistic for one frame or for many; addition is associative and commutative."""

    def __add__(self, other: Self, /) -> Self: ...

    @property
    def counted(self) -> Any:
        """Whether anything was counted: a bool, or an array of them."""

    @classmethod
    def resample(cls, blocks: Sequence[Self], draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value of each resample: (R, ...), from draws (R, blocks), how often it holds each block."""


@dataclass(frozen=True)
class Mean:
    """A sum and the weight to divide it by: numbers or arrays. The weight has the shape of the sum's first axes."""

    total: Any
    weight: Any

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.total + other.total, self.weight + other.weight)

    @property
    def counted(self) -> Any:
        return np.asarray(self.weight) > 0

    @classmethod
    def resample(cls, blocks: Sequence[Mean], draws: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.tensordot(draws, np.array([block.total for block in blocks], np.float64), 1)
        weight = np.tensordot(draws, np.array([block.weight for block in blocks], np.float64), 1)
        weight = weight.reshape(weight.shape + (1,) * (total.ndim - weight.ndim))
        return total / weight  # 0/0 is NaN


@dataclass(frozen=True)
class Maximum:
    """The largest value of all frames."""

    value: float

    def __add__(self, other: Maximum) -> Maximum:
        return Maximum(max(self.value, other.value))

    @property
    def counted(self) -> bool:
        return True

    @classmethod
    def resample(cls, blocks: Sequence[Maximum], draws: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.where(draws > 0, [block.value for block in blocks], -np.inf).max(axis=1)
        return np.where(np.isneginf(values), np.nan, values)


class Block(NamedTuple):
    """A stretch of time of one storm: the unit that the bootstrap resamples."""

    storm: str
    number: int


class Aggregation:
    """Aggregates by block, method and statistic: the state of an evaluation, for a few frames or for many storms.

    Aggregations of parts add up to that of all frames, in any order, and can be pickled, e.g. by workers.
    """

    def __init__(self) -> None:
        self._blocks: defaultdict[Block, dict[tuple[str, Statistic], Aggregate]] = defaultdict(dict)

    def add(self, block: Block, method: str, statistic: Statistic, aggregate: Aggregate | None) -> None:
        """Add the aggregate of a statistic for a method, if there is one, in place."""
        sums, key = self._blocks[block], (method, statistic)
        if aggregate is not None:
            sums[key] = sums[key] + aggregate if key in sums else aggregate

    def __add__(self, other: Aggregation) -> Aggregation:
        result = Aggregation()
        for part in (self, other):
            for block, sums in part._blocks.items():
                for (method, statistic), aggregate in sums.items():
                    result.add(block, method, statistic, aggregate)
        return result

    @property
    def blocks(self) -> list[Block]:
        """All blocks, by storm and time."""
        return sorted(self._blocks)

    @property
    def methods(self) -> list[str]:
        """All methods with an aggregate."""
        return list(dict.fromkeys(method for sums in self._blocks.values() for method, _ in sums))

    def found(self, method: str, statistic: Statistic) -> Iterator[tuple[int, Aggregate]]:
        """Yield the aggregates of a method, each with the place of its block in `blocks`."""
        for place, block in enumerate(self.blocks):
            if (method, statistic) in self._blocks[block]:
                yield place, self._blocks[block][method, statistic]

    def total(self, method: str, statistic: Statistic) -> Any:
        """Return the aggregate over all blocks; None where nothing was added."""
        parts = [aggregate for _, aggregate in self.found(method, statistic)]
        return sum(parts[1:], start=parts[0]) if parts else None

    def within(self, part: str, methods: Container[str]) -> Aggregation:
        """Return these methods, with `part` before each storm's name: no block meets one of another part."""
        result = Aggregation()
        for (storm, number), sums in self._blocks.items():
            kept = {key: aggregate for key, aggregate in sums.items() if key[0] in methods}
            result._blocks[Block(f"{part}/{storm}", number)] = kept
        return result
