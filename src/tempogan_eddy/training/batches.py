"""Which samples make which batch: a function of step and rank, so that a resumed run goes on exactly."""

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tempogan_eddy.config import TrainingConfig
from tempogan_eddy.dataset.protocol import DataSource, Sample
from tempogan_eddy.distributed import share, world_size
from tempogan_eddy.errors import InputError

__all__ = ["refuse_uneven_shares", "step_batches"]


def _sample_numbers(config: TrainingConfig, first: int, last: int) -> Iterator[list[int]]:
    """Yield the numbers of the samples of each batch of these steps that this process loads."""
    for step in range(first, last):
        for part in range(_passes(config, step) * config.accumulate):
            start = (step * config.d_steps * config.accumulate + part) * config.batch_size
            yield list(share(range(start, start + config.batch_size)))


def refuse_uneven_shares(config: TrainingConfig) -> None:
    """Refuse batches that the processes of the run cannot share equally.

    Raises
    ------
    InputError
        The windows of a batch, or those that Dt judges, are not a multiple of the processes.
    """
    count, judged = world_size(), math.ceil(config.batch_size * config.temporal_share)
    if config.batch_size % count:
        raise InputError(
            f"training.batch_size = {config.batch_size} does not divide by {count} processes; make it a multiple."
        )
    if config.lambda_adv_t and judged % count:
        raise InputError(
            f"Dt judges {judged} windows (training.batch_size = {config.batch_size} times training.temporal_share = "
            f"{config.temporal_share:g}), which do not divide by {count} processes; make them a multiple."
        )


class _Drawn(Dataset[dict[str, Tensor]]):
    """Patches as the source draws them, for worker processes to fetch."""

    def __init__(self, source: DataSource) -> None:
        self.source = source

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        return self.source.draw_batch(indices)


def step_batches(
    source: DataSource,
    config: TrainingConfig,
    first: int,
    last: int,
    device: torch.device | str = "cpu",
    whole: Callable[[int], bool] = lambda step: True,
) -> Iterator[Sequence[Sequence[Sample]]]:
    """Yield one list of batches for each discriminator step of the steps from ``first`` up to, not including, ``last``.

    Of several processes each gets its share of every batch. The source develops the samples on ``device``: all three
    frames of the steps for which ``whole`` is true, else the middle ones.
    """
    device = torch.device(device)
    loader: DataLoader[dict[str, Tensor]] = DataLoader(
        _Drawn(source),
        batch_sampler=_sample_numbers(config, first, last),
        collate_fn=lambda batch: batch,
        num_workers=config.num_workers,
        generator=torch.Generator(),  # or it draws from the numbers that all threads share
        worker_init_fn=_leave_signals_to_the_trainer,
        pin_memory=device.type == "cuda" and not source.resident,
    )
    batches = iter(loader)
    for step in range(first, last):
        try:
            yield [
                [source.develop(drawn, device, whole(step)) for drawn in islice(batches, config.accumulate)]
                for _ in range(_passes(config, step))
            ]
        except InputError as error:
            # A worker process wraps the sentence into its traceback; the last line is the sentence.
            raise InputError(str(error).strip().splitlines()[-1].split("InputError: ")[-1]) from None


def _leave_signals_to_the_trainer(worker: int) -> None:
    """Ignore Ctrl-C, which reaches every process of a terminal: only the trainer acts on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _passes(config: TrainingConfig, step: int) -> int:
    """Return the discriminator steps in this step; 1, for the generator alone, while the discriminators rest."""
    return config.d_steps if step >= config.pretrain_epochs * config.steps_per_epoch else 1
