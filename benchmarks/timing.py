"""How things are timed: in turns, so that what else the machine does falls on all of them alike.

A, B, C, A, B, C ...; what is told is the median of the turns, and the median of the ratios within a turn.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

Task = Callable[[], Any]
Name = TypeVar("Name", bound=Hashable)

GPU_SECONDS = 12.0
"""A whole benchmark of a GPU is to end within three minutes."""


def clock(device: torch.device) -> float:
    """Seconds, read once the device has done all that it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def interleave(
    tasks: Mapping[Name, Task], repeats: int, device: torch.device, limit: float | None = None
) -> dict[Name, list[float]]:
    """Run all tasks in turns; the seconds of each, turn by turn, without the first turns, which warm up.

    After ``limit`` seconds no further turn begins but the first; by default on a GPU `GPU_SECONDS`, else never.
    """
    if limit is None:
        limit = math.inf if device.type == "cpu" else GPU_SECONDS
    seconds: dict[Name, list[float]] = {name: [] for name in tasks}
    end = time.perf_counter() + limit
    for turn in range(-1 if device.type == "cpu" else -3, repeats):
        if turn > 0 and time.perf_counter() > end:
            break
        for name, task in tasks.items():
            begun = clock(device)
            task()
            ended = clock(device)
            if turn >= 0:
                seconds[name].append(ended - begun)
    return seconds


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """The median of the ratios within a turn, which a slow minute of the machine does not change."""
    return median(above / below for above, below in zip(numerator, denominator, strict=True))


def spread(seconds: Sequence[float]) -> float:
    """How far apart the slowest and the fastest turn are, as a share of the median."""
    return (max(seconds) - min(seconds)) / median(seconds)


class Stopwatch:
    """Seconds of the parts of a task, one number for each run of a part. Off, it costs nothing and waits for nothing.

    Parameters
    ----------
    device
        What to wait for at both ends of a part.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.on = device, False
        self.seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what is inside."""
        if not self.on:
            yield
            return
        begun = clock(self.device)
        yield
        self.seconds[name].append(clock(self.device) - begun)

    def watch(self, owner: object, method: str, name: str) -> None:
        """Time every call of a method of one object."""
        original = getattr(owner, method)

        def watched(*arguments: Any, **options: Any) -> Any:
            with self.part(name):
                return original(*arguments, **options)

        setattr(owner, method, watched)


class Elsewhere:
    """A task in a process of its own, which nothing that others do to this one's memory makes faster or slower.

    Parameters
    ----------
    make
        Called there with ``arguments`` to make the task. The task returns once its device is done.
    threads
        Threads of torch there.
    """

    def __init__(self, make: Callable[..., Task], *arguments: Any, threads: int) -> None:
        context, given = get_context("spawn"), (make, arguments, threads)
        self.pool = ProcessPoolExecutor(1, mp_context=context, initializer=_hold, initargs=given)

    def __call__(self) -> Any:
        """Run the task once and wait for it."""
        return self.pool.submit(_run_held).result()

    def close(self) -> None:
        """End the process."""
        self.pool.shutdown()


_held: list[Task] = []


def _hold(make: Callable[..., Task], arguments: Sequence[Any], threads: int) -> None:
    torch.set_num_threads(threads)
    _held.append(make(*arguments))


def _run_held() -> Any:
    return _held[-1]()


def count_flops(task: Task) -> int:
    """Floating-point operations of convolutions and matrix products, forward and backward; a multiply-add is two."""
    with FlopCounterMode(display=False) as counter:
        task()
    return counter.get_total_flops()


def peak_memory(task: Callable[..., None], *arguments: Any, device: torch.device, threads: int) -> int:
    """The most bytes that a task holds: on a GPU there, beyond what was held before; else a process of its own."""
    if device.type == "cuda":  # to start a process and its GPU takes ten times as long as the task
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        task(*arguments)
        return torch.cuda.max_memory_allocated(device) - before
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_observed, task, arguments, threads).result()


def _observed(task: Callable[..., None], arguments: Sequence[Any], threads: int) -> int:
    torch.set_num_threads(threads)
    task(*arguments)
    return process_peak()


def process_peak() -> int:
    """The most bytes of memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands ru_maxrss on to children, who would then report their parent's peak; this it does not.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
