"""Which samples make which batch: a function of the step alone, so that a resumed run goes on exactly."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tempogan_eddy.config import TrainingConfig
from tempogan_eddy.dataset.protocol import DataSource, Sample
from tempogan_eddy.errors import InputError

__all__ = ["step_batches"]


class _StepSampler(Sampler[list[int]]):
    """Sample numbers, batch by batch, for the steps from ``first`` on."""

    def __init__(self, config: TrainingConfig, first: int, last: int) -> None:
        self.config, self.first, self.last = config, first, last

    def __iter__(self) -> Iterator[list[int]]:
        size = self.config.batch_size
        batches_a_step = self.config.d_steps * self.config.accumulate
        for step in range(self.first, self.last):
            for part in range(_passes(self.config, step) * self.config.accumulate):
                start = (step * batches_a_step + part) * size
                yield list(range(start, start + size))


class _Drawn(Dataset[dict[str, Tensor]]):
    """Patches as the source draws them, which worker processes fetch."""

    def __init__(self, source: DataSource) -> None:
        self.source = source

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.source.draw(index)


def step_batches(
    source: DataSource, config: TrainingConfig, first: int, last: int, device: torch.device | str = "cpu"
) -> Iterator[Sequence[Sequence[Sample]]]:
    """Yield, for each step, one list of batches for each discriminator step.

    Parameters
    ----------
    source
        The training data.
    config
        What makes a step.
    first, last
        Steps from ``first`` up to, not including, ``last``.
    device
        Where the samples are made and left.
    """
    device = torch.device(device)
    loader: DataLoader[dict[str, Tensor]] = DataLoader(
        _Drawn(source),
        batch_sampler=_StepSampler(config, first, last),
        num_workers=config.num_workers,
        worker_init_fn=_leave_signals_to_the_trainer,
        pin_memory=device.type == "cuda" and not source.resident,
    )
    batches = (source.develop(drawn, device) for drawn in loader)
    for step in range(first, last):
        try:
            yield [list(islice(batches, config.accumulate)) for _ in range(_passes(config, step))]
        except InputError as error:
            # A worker process wraps the sentence into its traceback; the last line is the sentence.
            raise InputError(str(error).strip().splitlines()[-1].split("InputError: ")[-1]) from None


def _leave_signals_to_the_trainer(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal; only the trainer is to act on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _passes(config: TrainingConfig, step: int) -> int:
    """Discriminator steps in this step; while the discriminators rest, one list for the generator."""
    return config.d_steps if step >= config.pretrain_epochs * config.steps_per_epoch else 1
