"""One batch on the device: scaled frames, and the windows that Dt judges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.sensor_bank import SensorBank, SensorBatch
from tempogan_eddy.dataset.separable_sensors import SeparableSensor
from tempogan_eddy.model.advection import advect_window, seen_by_flow, upsample_flow
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.model.tempogan import upsample

__all__ = ["Batch", "Generated", "project"]


def project(
    highres: Tensor, lowres: Tensor, sensors: SensorBatch | SeparableSensor, kelvin_range: tuple[float, float]
) -> Tensor:
    """Project scaled frames (B, C, H, W) onto those that the sensors see as scaled frames (B, 1, h, w)."""
    measured = to_kelvin(lowres, kelvin_range)
    parts = [sensors.project(to_kelvin(part, kelvin_range), measured) for part in highres.split(1, dim=1)]
    return from_kelvin(torch.cat(parts, dim=1), kelvin_range)


@dataclass
class Batch:
    """Scaled windows of T = 3 frames, or of their middle ones alone; missing pixels hold the upsampled lowres frame.

    Dt judges the first W of the B windows.
    """

    lowres: Tensor  # (B, T, 1, h + 2 c, w + 2 c), with its context
    highres: Tensor  # (B, T, 1, H, W)
    upsampled: Tensor  # (B, T, 1, H, W)
    valid: Tensor  # (B, T, 1, H, W)
    lowres_flow: Tensor  # (W, 2, 2, h, w)
    scale: int
    kelvin_range: tuple[float, float]
    context: int = 0  # c
    sensors: SensorBatch | None = None  # where the generator adapts to them
    middle: int = 1  # number of the middle frame; 0 if it is alone

    @classmethod
    def from_sample(cls, sample: Mapping[str, Tensor], config: Config, bank: SensorBank | None = None) -> Batch:
        """Scale a batch of samples, as a `DataSource` develops them."""
        training, scale, kelvin_range = config.training, config.scale, config.data.kelvin_range
        lowres = from_kelvin(sample["lowres"], kelvin_range)
        highres = from_kelvin(sample["highres"], kelvin_range)
        sensors = bank.batch(sample["sensor"], *lowres.shape[-2:]).to(lowres.device) if bank else None
        upsampled = upsample(lowres.flatten(0, 1), scale)
        # Losses on pixels need no more than a fill of missing ones.
        if sensors and (training.lambda_adv_s or training.lambda_adv_t):
            upsampled = project(upsampled, lowres.flatten(0, 1), sensors.repeat(lowres.shape[1]), kelvin_range)
        upsampled = upsampled.unflatten(0, lowres.shape[:2])
        highres = torch.where(sample["valid"] > 0, highres, upsampled)
        flow = sample["flow"][: math.ceil(len(lowres) * training.temporal_share)]
        # A zero flow leaves every frame where it is.
        flow = flow if training.align_windows else torch.zeros_like(flow)
        valid = sample["valid"]
        if training.context:
            inner, low = (slice(side, -side) for side in (training.context * scale, training.context))
            highres, upsampled, valid = (part[..., inner, inner] for part in (highres, upsampled, valid))
            flow = flow[..., low, low]
        return cls(
            lowres,
            highres,
            upsampled,
            valid,
            flow,
            scale,
            kelvin_range,
            training.context,
            sensors,
            lowres.shape[1] // 2,
        )

    def inner(self, frames: Tensor) -> Tensor:
        """Cut the context off highres frames."""
        side = self.context * self.scale
        return frames[..., side : -side or None, side : -side or None]

    @cached_property
    def flow(self) -> Tensor:
        """The flow on the highres grid, (W, 2, 2, H, W)."""
        return upsample_flow(self.lowres_flow.flatten(0, 1), self.scale).unflatten(0, self.lowres_flow.shape[:2])

    @cached_property
    def warped(self) -> tuple[Tensor, Tensor, Tensor]:
        """True and upsampled frames (W, 3, 1, H, W), warped onto the middle frame, and their mask (W, 1, H, W)."""
        windows = torch.cat([self.highres, self.upsampled, self.valid], dim=2)[: len(self.flow)]
        truth, upsampled, valid = advect_window(windows, self.flow).split(1, dim=2)
        # A pixel counts where all three frames were seen; elsewhere all candidates show the same.
        seen = seen_by_flow(self.flow.flatten(0, 1)).unflatten(0, self.flow.shape[:2]).amin(dim=1)
        mask = seen * (valid.amin(dim=1) > 0.999)
        return torch.where(mask[:, None] > 0, truth, upsampled), upsampled, mask

    def warp(self, frames: Tensor) -> Tensor:
        """Warp generated frames (B, 3, 1, H, W) by the same flow and mask: (W, 3, 1, H, W)."""
        _, upsampled, mask = self.warped
        return torch.where(mask[:, None] > 0, advect_window(frames[: len(self.flow)], self.flow), upsampled)


@dataclass
class Generated:
    """Generated frames (B, 3, 1, H, W) of a batch, and the mean frames that are learned from."""

    frames: Tensor
    batch: Batch
    mean: Tensor | None = None

    @cached_property
    def warped(self) -> Tensor:
        """The windows that Dt judges, warped onto the middle frame: (W, 3, 1, H, W)."""
        return self.batch.warp(self.frames)
