"""Reduce the frames of a storm to the aggregates of statistics: here, in threads, or by the workers of a cluster.

The aggregates of a frame are computed wherever there is room, and added up in the order of the frames. So every engine
returns the same sums, bit for bit.
"""

import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from tempogan_eddy.dataset.windows import Links
from tempogan_eddy.evaluation.aggregation import Aggregate
from tempogan_eddy.evaluation.baselines import BASELINES
from tempogan_eddy.evaluation.lacking import Lacking
from tempogan_eddy.evaluation.masked import Mask, MaskedFrame, MaskedPair
from tempogan_eddy.evaluation.matching import TRUTH, Loaded, Match
from tempogan_eddy.evaluation.regression import Regression
from tempogan_eddy.evaluation.statistics import Statistic
from tempogan_eddy.guards import warn_of_truth, warn_of_turned
from tempogan_eddy.io.workers import Failures, Workers, cores

__all__ = ["Scored", "Scoring", "mean_of", "score_frames"]

Frames = dict[str, list[MaskedFrame]]  # the members of the truth (one) and of every method
Pairs = dict[str, list[MaskedPair]]

# Frames that a worker of a cluster scores at once; as many times more as frames lie within a cadence. It also reads the
# frames a cadence before them, which costs a few percent.
FRAMES_OF_PART = 8

# Highres pixels that the threads of one process score at once: more than one frame only if frames are small.
PIXELS_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class Scored:
    """One frame, and the pair with the frame one cadence before it.

    Attributes
    ----------
    aggregates : list
        Method, statistic and aggregate.
    cold : int
        Pixels of cold cloud in the truth; -1 if no pixel is valid.
    """

    aggregates: list[tuple[str, Statistic, Aggregate | None]]
    cold: int


def mean_of(name: str) -> str:
    """Return the name under which the mean of an ensemble's members is scored."""
    return f"mean of {name}"


@dataclass(frozen=True, eq=False)
class Scoring:
    """Everything on which the scores of a frame depend. It can be pickled.

    Attributes
    ----------
    matched : Match
    links : Links
        Pairs of frames one cadence apart.
    baselines : tuple of str
        Methods to compute from the lowres frame.
    known : str
        The regression: a method, or a name for what `regress` returns; empty if no statistic needs it.
    regress : Regression, optional
        None if the regression is a method.
    statistics, of_truth : list of Statistic
        Of every method, and of the truth.
    cold_kelvin : float
    """

    matched: Match
    links: Links
    baselines: tuple[str, ...]
    known: str
    regress: Regression | None
    statistics: list[Statistic]
    of_truth: list[Statistic]
    cold_kelvin: float

    def frames(self, loaded: Loaded) -> Frames:
        """Return the truth, with the frame of the regression, and every member of every method, under one mask."""
        truth, reconstructed, lowres = loaded
        values = {TRUTH: truth, **reconstructed}
        values |= {mean_of(name): frames.mean(axis=0) for name, frames in reconstructed.items() if frames.ndim > 2}
        values |= {name: BASELINES[name](lowres, self.matched.sensor) for name in self.baselines}
        members = {name: frames.reshape(-1, *truth.shape) for name, frames in values.items()}
        if self.regress:
            members[self.known] = self.regress(lowres)[None]
        valid = (np.logical_and.reduce(np.isfinite(frames), axis=0) for frames in members.values())
        mask = Mask(functools.reduce(np.logical_and, valid))
        methods = {
            name: [MaskedFrame(frame, mask, lowres, self.matched.scale, self.matched.sensor) for frame in frames]
            for name, frames in members.items()
        }
        if self.known:
            best = methods.pop(self.known) if self.regress else methods[self.known]
            methods[TRUTH] = [replace(methods[TRUTH][0], regression=best[0])]
        return methods

    def score(self, earlier: Frames | None, frames: Frames) -> Scored:
        """Return the aggregates of a frame, and of the pair with the one before it, if there is one."""
        shown = frames[TRUTH][0]
        if not shown.mask.valid.any():
            return Scored(self._all_lacking(frames), -1)
        aggregates = list(
            self._aggregates({name: [one.afresh() for one in members] for name, members in frames.items()})
        )
        if earlier and earlier[TRUTH][0].mask.valid.any():
            aggregates += self._aggregates(_pairs(earlier, frames))
        return Scored(aggregates, int((shown.mask.pick(shown.values) < self.cold_kelvin).sum()))

    def _all_lacking(self, frames: Frames) -> list[tuple[str, Statistic, Aggregate | None]]:
        """Return what each method lacks in a frame without a common pixel, if the truth has one."""
        (truth,), lacking = frames[TRUTH], [one for one in self.statistics if isinstance(one, Lacking)]
        if not np.isfinite(truth.values).any():
            return []
        return [
            (name, one, one.compute_members(frames[name], truth)) for one in lacking for name in frames if name != TRUTH
        ]

    def _aggregates(self, methods: Frames | Pairs) -> Iterator[tuple[str, Statistic, Aggregate | None]]:
        """Yield what the statistics of frames, or those of pairs, compute for every method."""
        truth = methods[TRUTH][0]
        of_pairs = isinstance(truth, MaskedPair)
        for method in list(methods):
            members = methods.pop(method)  # what was derived from it takes memory
            for statistic in self.of_truth if method == TRUTH else self.statistics:
                if statistic.pairs == of_pairs and truth.mask.share >= statistic.minimum_valid:
                    yield method, statistic, statistic.compute_members(members, truth)

    def part(self, part: range) -> list[Scored]:
        """Read and score some frames, in order."""
        matched, waiting = replace(self.matched), dict[int, Frames]()  # with readers of its own
        before = {int(self.links.previous[index]) for index in part} - {-1, *part}
        result = []
        for index in (*sorted(before), *part):
            frames = self.frames(matched.load(index))
            if index in part:
                result.append(self.score(waiting.pop(int(self.links.previous[index]), None), frames))
            if self.links.following[index] >= 0:
                waiting[index] = frames
        return result


def _pairs(earlier: Frames, later: Frames) -> Pairs:
    mask = Mask(earlier[TRUTH][0].mask.valid & later[TRUTH][0].mask.valid)
    return {
        name: [MaskedPair(*frames, mask) for frames in zip(earlier[name], later[name], strict=True)] for name in later
    }


def score_frames(scoring: Scoring, dask: Workers | str | None = None) -> Iterator[tuple[int, Scored]]:
    """Score all frames; yield the number and the scores of each, in order.

    Without `dask`, read each frame once, in order, and score in as many threads as there are cores; an error ends it.
    The workers of `dask` each read what they score.

    Raises
    ------
    InputError
        A frame cannot be read; with `dask`, the message counts the parts that failed, after all others are scored.
    """
    pixels = scoring.matched.truth.sizes["y"] * scoring.matched.truth.sizes["x"]
    threads = max(1, min(cores(), PIXELS_AT_ONCE // pixels))
    waiting: dict[int, list[Scored]] = {}  # of frames that are done before others that precede them
    failures, following = Failures(), 0
    with Workers.entered(dask or f"threads:{threads}") as workers:
        assert workers is not None
        tasks = _parts(scoring) if dask else _reads(scoring)
        for _, (part, read), outcome in workers.run(_score, ((scoring, task) for task in tasks)):
            if read:
                read.earlier = None
            if isinstance(outcome, Exception):
                if dask is None:
                    raise outcome
                failures.add(f"Frames {part.start + 1} to {part.stop}", outcome)
                continue
            waiting[part.start] = outcome
            while following in waiting:
                for scored in waiting.pop(following):
                    yield following, scored
                    following += 1
    failures.end()


class _Read:
    """A frame that was read, and the one a cadence before it."""

    def __init__(self, loaded: Loaded, earlier: Self | None) -> None:
        self.loaded, self.earlier = loaded, earlier
        self._lock, self._frames = threading.Lock(), Frames()

    def frames(self, scoring: Scoring) -> Frames:
        """Return what follows from the values, computed once, by whichever thread comes first."""
        with self._lock:
            self._frames = self._frames or scoring.frames(self.loaded)
            return self._frames


def _score(scoring: Scoring, task: tuple[range, _Read | None]) -> list[Scored]:
    part, read = task
    if read is None:
        return scoring.part(part)
    frames = read.frames(scoring)  # before the earlier one, on which all threads would wait in turn
    return [scoring.score(read.earlier.frames(scoring) if read.earlier else None, frames)]


def _parts(scoring: Scoring) -> Iterator[tuple[range, None]]:
    matched, previous = replace(scoring.matched), scoring.links.previous  # a copy, so that no reader is sent to workers
    count = len(previous)
    any(_looked_at(matched.load(index)) for index in range(count))
    reach = int((np.arange(count) - previous)[previous >= 0].max(initial=1))
    for first in range(0, count, size := FRAMES_OF_PART * reach):
        yield range(first, min(first + size, count)), None


def _reads(scoring: Scoring) -> Iterator[tuple[range, _Read]]:
    waiting: dict[int, _Read] = {}  # frames whose following one is still to come
    looked = False
    for index in range(len(scoring.links.previous)):
        loaded = scoring.matched.load(index)
        looked = looked or _looked_at(loaded)
        read = _Read(loaded, waiting.pop(int(scoring.links.previous[index]), None))
        if scoring.links.following[index] >= 0:
            waiting[index] = read
        yield range(index, index + 1), read


def _looked_at(loaded: Loaded) -> bool:
    """Return whether a frame of the truth has a valid pixel; if so, warn if it or a reconstruction looks wrong."""
    truth, reconstructed, _ = loaded
    if seen := bool(np.isfinite(truth).any()):
        warn_of_truth(truth)
        warn_of_turned(truth, reconstructed)
    return seen
