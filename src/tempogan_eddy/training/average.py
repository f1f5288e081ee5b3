"""The moving average of the generator's weights."""

import copy

import torch
from torch import nn

__all__ = ["Average", "average_decay"]


class Average:
    """An average over the last 1 / (1 - decay) steps, in one operation a step.

    Parameters
    ----------
    module
        The network whose parameters are averaged.
    decay
        The largest decay of a step.

    Attributes
    ----------
    module : nn.Module
        A copy of the network, with averaged parameters.
    updates : int
        Steps so far.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.decay, self.updates = decay, 0
        self._averages: list[torch.Tensor] = list(self.module.parameters())
        self._parameters: list[torch.Tensor] = list(module.parameters())

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the parameters."""
        # The first step replaces the untrained weights.
        share = 1 - average_decay(self.decay, self.updates) if self.updates else 1.0
        torch._foreach_lerp_(self._averages, self._parameters, share)
        self.updates += 1


def average_decay(largest: float, steps: int) -> float:
    """Return the decay of the moving average after some steps; smaller at the start, to forget untrained weights."""
    return min(largest, (1 + steps) / (10 + steps))
