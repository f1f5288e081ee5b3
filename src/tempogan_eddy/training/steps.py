"""One training step: step A for the discriminators, step B for the generator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from tempogan_eddy.config import Config
from tempogan_eddy.errors import TrainingError
from tempogan_eddy.model.advection import advect_window, seen_by_flow, upsample_flow
from tempogan_eddy.model.losses import (
    content_loss,
    discriminator_loss,
    feature_loss,
    generator_adversarial_loss,
)
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.model.spectrum import spectral_loss
from tempogan_eddy.model.tempogan import update_spectral_norm, upsample

__all__ = ["Networks", "Steps"]

REMEDY = (
    "Resume from the last checkpoint with a lower training.lr_g and lr_d, a lower training.grad_clip, "
    "or training.precision = fp32."
)


@dataclass
class Networks:
    """The three networks and their two optimisers, as Fabric has set them up."""

    generator: nn.Module
    spatial: nn.Module
    temporal: nn.Module
    optimizer_g: Optimizer
    optimizer_d: Optimizer


@dataclass
class _Batch:
    """A batch on the device, scaled; missing pixels of every frame hold the upsampled LR frame.

    Dt judges its first W windows.
    """

    lr: Tensor  # (B, 3, 1, h, w)
    hr: Tensor  # (B, 3, 1, H, W)
    upsampled: Tensor  # (B, 3, 1, H, W)
    valid: Tensor  # (B, 3, 1, H, W)
    lr_flow: Tensor  # (W, 2, 2, h, w)
    scale: int

    @cached_property
    def flow(self) -> Tensor:
        """(W, 2, 2, H, W)."""
        return upsample_flow(self.lr_flow.flatten(0, 1), self.scale).unflatten(0, self.lr_flow.shape[:2])

    @cached_property
    def moved(self) -> tuple[Tensor, Tensor, Tensor]:
        """Truth, upsampled frames (W, 3, 1, H, W) and what counts (W, 1, H, W), moved onto the middle frame."""
        windows = torch.cat([self.hr, self.upsampled, self.valid], dim=2)[: len(self.flow)]
        moved = advect_window(windows, self.flow)
        truth, upsampled, valid = moved.split(1, dim=2)
        # A pixel counts where all three frames were seen; elsewhere all candidates show the same.
        seen = torch.stack([seen_by_flow(self.flow[:, i]) for i in (0, 1)], dim=1).amin(dim=1)
        counts = seen * (valid.amin(dim=1) > 0.999)
        return torch.where(counts[:, None] > 0, truth, upsampled), upsampled, counts

    def move(self, frames: Tensor) -> Tensor:
        """Generated frames (B, 3, 1, H, W) by the same flow, with the same pixels left out: (W, 3, 1, H, W)."""
        _, upsampled, counts = self.moved
        return torch.where(counts[:, None] > 0, advect_window(frames[: len(self.flow)], self.flow), upsampled)


@dataclass
class _Fake:
    """Generated frames (B, 3, 1, H, W) and, once asked for, those that Dt judges moved onto the middle one."""

    frames: Tensor
    batch: _Batch

    @cached_property
    def moved(self) -> Tensor:
        return self.batch.move(self.frames)


class Steps:
    """The losses of one optimiser step, in the order of the seed's training loop.

    Parameters
    ----------
    fabric
        Device and precision.
    networks
        What is trained.
    config
        Loss weights, scale and kelvin range.
    teacher
        A trained generator whose frames stand for the truth in the content loss.
    """

    def __init__(self, fabric: Fabric, networks: Networks, config: Config, teacher: nn.Module | None = None) -> None:
        self.fabric, self.networks, self.config, self.teacher = fabric, networks, config, teacher
        self.spatial_on = config.training.lambda_adv_s > 0 or config.training.lambda_feature > 0
        self.temporal_on = config.training.lambda_adv_t > 0
        self.adversarial_on = self.spatial_on or self.temporal_on

    def run(self, batches: Sequence[Sequence[Mapping[str, Tensor]]], adversarial: bool) -> dict[str, float]:
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
            The losses, by name.

        Raises
        ------
        TrainingError
            A loss is not finite; no optimiser has stepped on it.
        """
        losses: dict[str, float] = {}
        *earlier, group = [[self._prepare(batch) for batch in part] for part in batches]
        adversarial = adversarial and self.adversarial_on
        for part in earlier if adversarial else []:
            losses |= self._discriminator_step(part, [])
        # With a single batch one forward pass serves both steps; holding the graphs of several
        # would take the memory that accumulation is there to save.
        shared = [self._generate(batch, adversarial) for batch in group] if len(group) == 1 else []
        if adversarial:
            losses |= self._discriminator_step(group, shared)
        return losses | self._generator_step(group, shared, adversarial)

    def _prepare(self, batch: Mapping[str, Tensor]) -> _Batch:
        scale, kelvin_range = self.config.scale, self.config.data.kelvin_range
        batch = {name: self.fabric.to_device(value) for name, value in batch.items()}
        lr, hr = (from_kelvin(batch[name], kelvin_range) for name in ("lr", "hr"))
        upsampled = upsample(lr.flatten(0, 1), scale).unflatten(0, lr.shape[:2])
        hr = torch.where(batch["valid"] > 0, hr, upsampled)
        flow = batch["flow"][: math.ceil(len(lr) * self.config.training.temporal_share)]
        if not self.config.training.align_windows:
            flow = torch.zeros_like(flow)  # by which a frame stays where it is
        return _Batch(lr, hr, upsampled, batch["valid"], flow, scale)

    def _generate(self, batch: _Batch, adversarial: bool) -> _Fake:
        """All frames of all windows in as few forward passes as learning allows."""
        if self.config.training.gradient_frames == 3:
            frames = self._forward(batch.lr)
        else:
            middle = self._forward(batch.lr[:, 1:2])
            around = batch.upsampled[:, ::2]
            if adversarial and self.temporal_on:
                judged = len(batch.lr_flow)
                with torch.no_grad():
                    around = torch.cat([self._forward(batch.lr[:judged, ::2]), around[judged:]])
            frames = torch.cat([around[:, :1], middle, around[:, 1:]], dim=1)
        # Missing pixels are nobody's business.
        return _Fake(torch.where(batch.valid > 0, frames, batch.upsampled), batch)

    def _forward(self, lr: Tensor, generator: nn.Module | None = None) -> Tensor:
        flat = lr.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return (generator or self.networks.generator)(flat).float().unflatten(0, lr.shape[:2])

    def _discriminator_step(self, group: Sequence[_Batch], shared: Sequence[_Fake]) -> dict[str, float]:
        """Step A: real to 1, generated to 0, with the generator left alone."""
        networks = self.networks
        for network in (networks.spatial, networks.temporal):
            update_spectral_norm(network)
        losses = _Sums(len(group))
        for index, batch in enumerate(group):
            if shared:
                fake = shared[index]
            else:
                with torch.no_grad():
                    fake = self._generate(batch, adversarial=True)
            total = torch.zeros((), device=batch.hr.device)
            if self.spatial_on:
                (real_logits, fake_logits), weight, _ = self._judge_frames(batch, batch.hr, fake.frames.detach())
                total = total + losses.add("loss_d_spatial", discriminator_loss(real_logits, fake_logits, weight))
            if self.temporal_on:
                (real_logits, fake_logits), weight = self._judge_windows(batch, batch.moved[0], fake.moved.detach())
                total = total + losses.add("loss_d_temporal", discriminator_loss(real_logits, fake_logits, weight))
            self._backward(total, "discriminator", len(group))
        both = nn.ModuleList([networks.spatial, networks.temporal])
        self._bound(both, networks.optimizer_d, math.inf, "discriminators'")
        self._step(networks.optimizer_d)
        return losses.means()

    def _generator_step(self, group: Sequence[_Batch], shared: Sequence[_Fake], adversarial: bool) -> dict[str, float]:
        """Step B: near to the truth and taken for real, with the discriminators left alone."""
        losses = _Sums(len(group))
        learning = slice(None) if self.config.training.gradient_frames == 3 else slice(1, 2)
        with _frozen(self.networks.spatial, self.networks.temporal):
            for index, batch in enumerate(group):
                fake = shared[index] if shared else self._generate(batch, adversarial)
                frames, truth, valid = (part[:, learning] for part in (fake.frames, batch.hr, batch.valid))
                if self.teacher is not None:
                    with torch.no_grad():
                        truth = self._forward(batch.lr[:, learning], self.teacher)
                distance = content_loss(frames, truth, valid, self.config.training.content_distance)
                content = losses.add("loss_content", distance)
                total = self.config.training.lambda_content * content
                if self.config.training.lambda_spectral:
                    distance = losses.add("loss_spectral", spectral_loss(fake.frames[:, 1], batch.hr[:, 1]))
                    total = total + self.config.training.lambda_spectral * distance
                if adversarial:
                    total = total + self._adversarial_losses(batch, fake, losses)
                self._backward(total, "generator", len(group))
            limit = self.config.training.grad_clip or math.inf
            self._bound(self.networks.generator, self.networks.optimizer_g, limit, "generator's")
            self._step(self.networks.optimizer_g)
        return losses.means()

    def _adversarial_losses(self, batch: _Batch, fake: _Fake, losses: _Sums) -> Tensor:
        weights = self.config.training
        total = torch.zeros((), device=batch.hr.device)
        if self.spatial_on:
            candidates = (batch.hr, fake.frames) if weights.lambda_feature else (fake.frames,)
            wanted = weights.lambda_feature > 0
            logits, weight, features = self._judge_frames(batch, *candidates, with_features=wanted)
            spatial = losses.add("loss_g_spatial", generator_adversarial_loss(logits[-1], weight))
            total = total + weights.lambda_adv_s * spatial
            if weights.lambda_feature:
                total = total + weights.lambda_feature * losses.add("loss_feature", feature_loss(*features))
        if self.temporal_on:
            logits, weight = self._judge_windows(batch, fake.moved)
            temporal = losses.add("loss_g_temporal", generator_adversarial_loss(logits[-1], weight))
            total = total + weights.lambda_adv_t * temporal
        return total

    def _judge_frames(
        self, batch: _Batch, *candidates: Tensor, with_features: bool = False
    ) -> tuple[tuple[Tensor, ...], Tensor, list[list[Tensor]]]:
        """Ds on the middle frames, all candidates in one pass: their logits, the weight, their features."""
        count = len(candidates)
        frames = torch.cat([candidate[:, 1] for candidate in candidates])
        beside = batch.upsampled[:, 1].repeat(count, 1, 1, 1)
        logits, features = self.networks.spatial(frames, beside, with_features)
        parts = [feature.chunk(count) for feature in features]
        weight = functional.adaptive_avg_pool2d(batch.valid[:, 1], logits.shape[-2:])
        return logits.chunk(count), weight, [list(part) for part in zip(*parts, strict=True)]

    def _judge_windows(self, batch: _Batch, *windows: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Dt on windows moved onto the middle frame by one and the same flow: their logits, the weight."""
        count = len(windows)
        _, upsampled, counts = batch.moved
        logits = self.networks.temporal(torch.cat(windows), upsampled.repeat(count, 1, 1, 1, 1))
        return logits.chunk(count), functional.adaptive_avg_pool2d(counts, logits.shape[-2:])

    def _backward(self, loss: Tensor, name: str, parts: int) -> None:
        if not torch.isfinite(loss):
            raise TrainingError(f"The {name} loss is {loss.item()}; no weight was changed by it. {REMEDY}")
        self.fabric.backward(loss / parts)

    def _bound(self, network: nn.Module, optimizer: Optimizer, limit: float, whose: str) -> None:
        """Bound a gradient's norm; one that is not finite ends the run before it reaches a weight."""
        norm = self.fabric.clip_gradients(network, optimizer, max_norm=limit, error_if_nonfinite=False)
        # With fp16 the scaler expects such gradients now and then, and skips their step.
        scaled = bool(self.fabric.strategy.precision.state_dict())
        if norm is not None and not scaled and not torch.isfinite(norm):
            raise TrainingError(f"The {whose} gradient is {norm.item()}; no weight was changed by it. {REMEDY}")

    def _step(self, optimizer: Optimizer) -> None:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


class _Sums:
    """Sums of losses over accumulated batches, read from the device once."""

    def __init__(self, parts: int) -> None:
        self.parts, self.values = parts, dict[str, Tensor]()

    def add(self, name: str, loss: Tensor) -> Tensor:
        self.values[name] = self.values.get(name, torch.zeros_like(loss)) + loss.detach()
        return loss

    def means(self) -> dict[str, float]:
        return {name: value.item() / self.parts for name, value in self.values.items()}


@contextmanager
def _frozen(*networks: nn.Module) -> Iterator[None]:
    """No gradients for these networks' weights, which the generator's step has no use for."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
