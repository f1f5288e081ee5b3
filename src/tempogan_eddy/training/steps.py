"""One training step: step A for the discriminators, step B for the generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import reduce
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.sensor_bank import SensorBank
from tempogan_eddy.distributed import average
from tempogan_eddy.errors import TrainingError
from tempogan_eddy.model.losses import Losses, content_loss
from tempogan_eddy.model.tempogan import update_spectral_norm
from tempogan_eddy.training.batch import Batch, Generated, project
from tempogan_eddy.training.networks import Networks, Optimizers, bare

__all__ = ["REMEDY", "Steps"]

TOTAL = "total"
REMEDY = (
    "Resume from the last checkpoint with a lower training.lr_g and lr_d, a lower training.grad_clip, "
    "or training.precision = fp32."
)


class Steps:
    """Update the networks, in the order of the seed's training loop.

    Parameters
    ----------
    fabric
        Device and precision.
    networks, optimizers
        As Fabric has set them up.
    losses
        Losses to minimise.
    config
        Gives scale, kelvin range and the settings of a step.
    bank
        The sensors that the samples name, where the generator adapts to them.
    """

    def __init__(
        self,
        fabric: Fabric,
        networks: Networks,
        optimizers: Optimizers,
        losses: Losses,
        config: Config,
        bank: SensorBank | None = None,
    ) -> None:
        self.bank = bank
        self.fabric, self.networks, self.optimizers = fabric, networks, optimizers
        self.losses, self.weights, self.config = losses, losses.weights, config
        self.spatial_on = losses.lambda_adv_s > 0 or losses.lambda_feature > 0
        self.temporal_on = losses.lambda_adv_t > 0
        self.adversarial_on = self.spatial_on or self.temporal_on
        self.discriminator_steps = 0

    def sees_whole_windows(self, adversarial: bool) -> bool:
        """Return whether a step needs all three frames of a window, or the middle one alone."""
        return self.config.training.gradient_frames == 3 or (adversarial and self.temporal_on)

    def run(self, batches: Sequence[Sequence[Mapping[str, Tensor]]], adversarial: bool) -> dict[str, Tensor]:
        """Update the networks once.

        Parameters
        ----------
        batches
            One list for each discriminator step, of the batches whose gradients accumulate; the
            last list serves the generator too.
        adversarial
            False while only the content loss is trained.

        Returns
        -------
        dict
            The losses and the norms of the gradients by name, kept on the device to avoid a device sync.

        Raises
        ------
        TrainingError
            A loss or gradient is not finite, and the optimiser cannot skip such a step by itself. A fused one can: it
            keeps the weights, and the losses that are returned are not finite.
        """
        self._begin()
        record: dict[str, Tensor] = {}
        *earlier, group = [[self._prepare(batch) for batch in part] for part in batches]
        adversarial = adversarial and self.adversarial_on
        for part in earlier if adversarial else []:
            record |= self._discriminator_step(part, [])
        # A single batch shares one forward pass between both steps; the graphs of several batches would take the memory
        # that accumulation saves.
        shared = [self._generate(batch, adversarial) for batch in group] if len(group) == 1 else []
        if adversarial:
            record |= self._discriminator_step(group, shared)
        return record | self._generator_step(group, shared, adversarial)

    def warm_up(self, batches: Sequence[Sequence[Mapping[str, Tensor]]]) -> dict[str, Tensor]:
        """Update the discriminators alone; parameters and result as in `run`."""
        self._begin()
        record: dict[str, Tensor] = {}
        for part in batches:
            record |= self._discriminator_step([self._prepare(batch) for batch in part], [])
        return record

    def _begin(self) -> None:
        """Allow CUDA graphs to overwrite what they returned in earlier steps, and nothing of this one.

        By default they overwrite earlier results at the first call after a backward pass. The step of the
        discriminators lies between the forward and the backward pass of the generator, whose features would be lost.
        Losses and norms, which outlive a step, are computed outside of the networks.
        """
        if self.config.training.compile:
            torch.compiler.cudagraph_mark_step_begin()

    def _prepare(self, sample: Mapping[str, Tensor]) -> Batch:
        numbers = {"sensor", "times"}  # they stay on the CPU
        moved = {name: value if name in numbers else self.fabric.to_device(value) for name, value in sample.items()}
        return Batch.from_sample(moved, self.config, self.bank)

    def _generate(self, batch: Batch, adversarial: bool) -> Generated:
        """Generate all frames of all windows in as few forward passes as learning allows."""
        if self.config.training.gradient_frames == 3 or batch.middle == 0:
            mean, frames = self._forward(batch, batch.lowres)
        else:
            mean, middle = self._forward(batch, batch.lowres[:, 1:2])
            around = batch.upsampled[:, ::2]
            if adversarial and self.temporal_on:
                judged = len(batch.lowres_flow)
                with torch.no_grad():
                    around = torch.cat([self._forward(batch, batch.lowres[:judged, ::2])[1], around[judged:]])
            frames = torch.cat([around[:, :1], middle, around[:, 1:]], dim=1)
        # Exclude missing pixels: real and generated frames both hold the upsampled lowres frame there.
        return Generated(torch.where(batch.valid > 0, frames, batch.upsampled), batch, mean)

    def _forward(
        self, batch: Batch, lowres: Tensor, generator: nn.Module | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Generate frames (B, T, 1, H, W) from lowres frames of the first B windows of a batch.

        With two tails also return the mean frames, as the first; else None.
        """
        generator = generator or self.networks.generator
        flat = lowres.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        if batch.sensors is None:
            frames = generator(flat).float()
        else:
            sensors = batch.sensors[: len(lowres)].repeat(lowres.shape[1])
            frames = project(generator(flat, sensors.description).float(), flat, sensors, batch.kelvin_range)
        frames = frames.unflatten(0, lowres.shape[:2])
        frames = batch.inner(frames) if batch.context else frames
        return (frames[:, :, :1], frames[:, :, 1:]) if frames.shape[2] == 2 else (None, frames)

    def _discriminator_step(self, group: Sequence[Batch], shared: Sequence[Generated]) -> dict[str, Tensor]:
        """Take step A: real to 1, generated to 0; the generator keeps its weights."""
        update_spectral_norm(self.networks.spatial, self.networks.temporal)
        record = _Record(self.weights, len(group), self.fabric.backward)
        for index, batch in enumerate(group):
            if shared:
                fake = shared[index]
            else:
                with torch.no_grad():
                    fake = self._generate(batch, adversarial=True)
            record.minimise(self._discriminator_losses(batch, fake))
        self.discriminator_steps += 1
        both = nn.ModuleList([self.networks.spatial, self.networks.temporal])
        return self._update(both, self.optimizers.discriminators, math.inf, record, "d")

    def _discriminator_losses(self, batch: Batch, fake: Generated) -> dict[str, Tensor]:
        losses, terms = self.losses, dict[str, Tensor]()
        penalised = losses.penalty and self.discriminator_steps % losses.penalty_every == 0
        if self.spatial_on:
            (real, generated), mask, _ = self._judge_frames(batch, batch.highres, fake.frames.detach())
            terms["loss_d_spatial"] = losses.discriminator(real, generated, mask)
        if self.temporal_on:
            (real, generated), mask = self._judge_windows(batch, batch.warped[0], fake.warped.detach())
            terms["loss_d_temporal"] = losses.discriminator(real, generated, mask)
        if penalised:
            terms["loss_d_penalty"] = losses.penalty_every * self._penalty(batch)
        return terms

    def _penalty(self, batch: Batch) -> Tensor:
        """Penalise the discriminators at real frames, below Fabric's wrapper and so in float32."""
        assert self.losses.penalty
        total = torch.zeros((), device=batch.highres.device)
        # Compiled networks have no second derivatives.
        with torch.compiler.set_stance("force_eager") if self.config.training.compile else nullcontext():
            if self.spatial_on:
                real, beside = batch.highres[:, batch.middle], batch.upsampled[:, batch.middle]
                total = total + self.losses.penalty(bare(self.networks.spatial), real, beside)
            if self.temporal_on:
                total = total + self.losses.penalty(bare(self.networks.temporal), *batch.warped[:2])
        return total

    def _generator_step(
        self, group: Sequence[Batch], shared: Sequence[Generated], adversarial: bool
    ) -> dict[str, Tensor]:
        """Take step B: close to the truth, and real for the discriminators, which keep their weights."""
        record = _Record(self.weights, len(group), self.fabric.backward)
        with _frozen(self.networks.spatial, self.networks.temporal):
            for index, batch in enumerate(group):
                fake = shared[index] if shared else self._generate(batch, adversarial)
                terms = self._content_losses(batch, fake)
                record.minimise(terms | (self._adversarial_losses(batch, fake) if adversarial else {}))
            limit = self.config.training.grad_clip or math.inf
            return self._update(self.networks.generator, self.optimizers.generator, limit, record, "g")

    def _content_losses(self, batch: Batch, fake: Generated) -> dict[str, Tensor]:
        one = slice(batch.middle, batch.middle + 1)
        learning = slice(None) if self.config.training.gradient_frames == 3 else one
        frames, truth, valid = fake.frames[:, learning], batch.highres[:, learning], batch.valid[:, learning]
        if self.networks.teacher is not None:
            with torch.no_grad():
                truth = self._forward(batch, batch.lowres[:, learning], self.networks.teacher)[1]
        terms = {"loss_content": self.losses.content(frames, truth, valid)}
        if fake.mean is not None:
            terms["loss_mean"] = content_loss(fake.mean, truth, valid, "l2")
        middle, true = fake.frames[:, batch.middle], batch.highres[:, batch.middle]
        if self.losses.lambda_spectral:
            terms["loss_spectral"] = self.losses.spectral(middle, true)
        if self.losses.lambda_traces:
            terms["loss_traces"] = self.losses.traces(middle, true, batch.scale)
        return terms

    def _adversarial_losses(self, batch: Batch, fake: Generated) -> dict[str, Tensor]:
        losses, terms = self.losses, dict[str, Tensor]()
        if self.spatial_on:
            wanted = losses.lambda_feature > 0
            candidates = (batch.highres, fake.frames) if wanted else (fake.frames,)
            logits, mask, features = self._judge_frames(batch, *candidates, with_features=wanted)
            terms["loss_g_spatial"] = losses.adversarial(logits[-1], mask)
            if wanted:
                terms["loss_feature"] = losses.feature(*features)
        if self.temporal_on:
            logits, mask = self._judge_windows(batch, fake.warped)
            terms["loss_g_temporal"] = losses.adversarial(logits[-1], mask)
        return terms

    def _judge_frames(
        self, batch: Batch, *candidates: Tensor, with_features: bool = False
    ) -> tuple[tuple[Tensor, ...], Tensor, list[list[Tensor]]]:
        """Show Ds the middle frames of all candidates in one pass; return logits, mask and features."""
        count, middle = len(candidates), batch.middle
        frames = torch.cat([candidate[:, middle] for candidate in candidates])
        beside = torch.cat([batch.upsampled[:, middle]] * count)
        logits, features = self.networks.spatial(frames, beside, with_features)
        parts = [feature.chunk(count) for feature in features]
        mask = functional.adaptive_avg_pool2d(batch.valid[:, middle], logits.shape[-2:])
        return logits.chunk(count), mask, [list(part) for part in zip(*parts, strict=True)]

    def _judge_windows(self, batch: Batch, *windows: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Show Dt warped windows in one pass; return logits and mask."""
        count = len(windows)
        _, upsampled, mask = batch.warped
        logits = self.networks.temporal(torch.cat(windows), torch.cat([upsampled] * count))
        return logits.chunk(count), functional.adaptive_avg_pool2d(mask, logits.shape[-2:])

    def _update(
        self, network: nn.Module, optimizer: Optimizer, limit: float, record: _Record, whose: str
    ) -> dict[str, Tensor]:
        """Clip the gradient and step, unless the loss or the gradient is not finite.

        Return the means of the losses, and the gradient's norm.
        """
        if self.fabric.world_size > 1:
            record.average()
        norm = self.fabric.clip_gradients(network, optimizer, max_norm=limit, error_if_nonfinite=False)
        # With fp16 some gradients are not finite; the scaler skips their step.
        known = None if self.fabric.strategy.precision.state_dict() else norm
        checked = record.total if known is None else record.total + known
        if optimizer.param_groups[0]["fused"]:
            inner: Any = getattr(optimizer, "optimizer", optimizer)
            inner.found_inf = (~checked.isfinite()).float()  # the optimiser skips the step on the device
        elif not checked.isfinite():
            raise TrainingError(f"A loss or gradient is {checked.item()}; no weight was changed by it. {REMEDY}")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return record.means() | ({} if known is None else {f"gradient_{whose}": known})


class _Record:
    """Minimise the weighted sum of a loss's terms, and keep the sum of each over accumulated batches."""

    def __init__(self, weights: Mapping[str, float], parts: int, backward: Callable[[Tensor], None]) -> None:
        self.weights, self.parts, self.backward = weights, parts, backward
        self.sums: dict[str, Tensor] = {}

    def minimise(self, terms: Mapping[str, Tensor]) -> None:
        weighted = {name: self._times(value, self.weights.get(name, 1.0)) for name, value in terms.items()}
        total = reduce(torch.add, weighted.values())
        self.backward(total / self.parts if self.parts > 1 else total)
        for name, value in {**terms, TOTAL: total}.items():
            self.sums[name] = self.sums[name] + value.detach() if name in self.sums else value.detach()

    def average(self) -> None:
        """Take the mean over the processes: all of them log the same, and skip the same steps."""
        self.sums = dict(zip(self.sums, average(torch.stack(list(self.sums.values()))), strict=True))

    @staticmethod
    def _times(value: Tensor, weight: float) -> Tensor:
        return value if weight == 1 else weight * value

    @property
    def total(self) -> Tensor:
        """The sum over the batches."""
        return self.sums[TOTAL]

    def means(self) -> dict[str, Tensor]:
        return {name: self._times(value, 1 / self.parts) for name, value in self.sums.items() if name != TOTAL}


@contextmanager
def _frozen(*networks: nn.Module) -> Iterator[None]:
    """Compute no gradients for the weights of these networks."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
