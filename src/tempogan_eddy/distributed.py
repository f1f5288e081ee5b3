"""The processes of a training run that torchrun started: each has a rank, and a share of every batch.

In a single process every function returns what it was given.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from tempogan_eddy.errors import TrainingError

__all__ = ["add_up", "agree", "average", "explain_lost_process", "gather", "quiet", "rank", "share", "world_size"]

Item = TypeVar("Item")
Name = TypeVar("Name")

# What gloo and NCCL say when another process has gone.
LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL")


def rank() -> int:
    """Return the number of this process in the run; that of the only writer is 0."""
    return int(os.environ["RANK"]) if world_size() > 1 else 0


def world_size() -> int:
    """Return the number of processes of the run."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def share(items: Sequence[Item]) -> Sequence[Item]:
    """Return every n-th item, from this process's rank on: any first items of a batch are spread evenly."""
    return items[rank() :: world_size()]


def average(values: Tensor) -> Tensor:
    """Return the mean over the processes, as constants; each of them must call this at the same point."""
    if world_size() == 1:
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total / world_size()


def gather(value: Any) -> list[Any]:
    """Return the values of all processes by rank; each of them must call this at the same point."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    distributed.all_gather_object(values, value, _between_processors())
    return values


def add_up(sums: Mapping[Name, Any]) -> dict[Name, Any]:
    """Return sums of numbers or arrays, by name, over all processes; each of them must call this at the same point."""
    total: dict[Name, Any] = {}
    for part in gather(sums):
        for name, value in part.items():
            total[name] = total[name] + value if name in total else value
    return total


def agree(wish: bool) -> bool:
    """Return whether any process wishes it; each of them must call this at the same point."""
    if world_size() == 1:
        return wish
    wishes = torch.tensor(int(wish))
    distributed.all_reduce(wishes, distributed.ReduceOp.MAX, _between_processors())
    return bool(wishes)


@contextmanager
def explain_lost_process() -> Iterator[None]:
    """Raise TrainingError where the connection to another process breaks."""
    try:
        yield
    except RuntimeError as error:
        if world_size() == 1 or not any(sign in str(error) for sign in LOST):
            raise
        raise TrainingError(
            "Another process of the run has ended, so this one ends too; --resume auto goes on from the last "
            "checkpoint, and torchrun --max-restarts=3 starts all processes again."
        ) from error


def quiet() -> None:
    """Log errors alone in every process but the first."""
    if rank():
        logging.getLogger("tempogan_eddy").setLevel(logging.ERROR)


@cache
def _between_processors() -> distributed.ProcessGroup:
    """Return a group that needs no GPU, so that a decision waits for no computation."""
    return distributed.new_group(backend="gloo")
