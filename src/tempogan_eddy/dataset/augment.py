"""Flips and quarter turns, the same for every frame of a window and for its flow.

Scaling and turning by other angles would interpolate, and so erase the faint top octave that the
discriminators are to learn from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from tempogan_eddy.dataset.separable_sensors import BoxSensor, SeparableSensor

__all__ = ["SYMMETRIES", "augment_flow", "augment_frames", "augment_sensor"]

SYMMETRIES = 8
"""Flips and turns of a square."""


def augment_frames(frames: Tensor, symmetry: Tensor) -> Tensor:
    """Apply to each sample one of the eight symmetries of the square.

    Parameters
    ----------
    frames
        (B, ..., H, W); square, unless every symmetry is 0, 2, 4 or 6.
    symmetry
        (B,) of 0 to 7: quarter turns counter-clockwise, and from 4 on a left-right flip before them. Kept on the CPU to
        avoid a device sync.
    """
    flip, half, quarter = _parts(symmetry)
    frames = _where(flip, frames, lambda part: part.flip(-1))
    frames = _where(half, frames, lambda part: part.flip(-2, -1))
    return _where(quarter, frames, lambda part: part.rot90(1, (-2, -1)))


def augment_flow(flow: Tensor, symmetry: Tensor) -> Tensor:
    """Apply the same symmetries to flow (B, ..., 2, h, w), place and vectors both.

    A counter-clockwise quarter turn takes x right, y down to y, -x.
    """
    flip, half, quarter = _parts(symmetry)
    mirror = torch.tensor([-1, 1], dtype=flow.dtype, device=flow.device).view(2, 1, 1)
    flow = _where(flip, flow, lambda part: part * mirror)
    flow = _where(half, flow, lambda part: -part)
    flow = _where(quarter, flow, lambda part: part.flip(-3) * -mirror)
    return augment_frames(flow, symmetry)


def augment_sensor(sensor: SeparableSensor, symmetry: int) -> SeparableSensor:
    """Return the sensor that sees turned frames as this one sees them unturned."""
    if not isinstance(sensor, BoxSensor):
        return sensor  # the same along both axes and in both directions
    y, x = map(list, sensor.sizes)
    flip, half, quarter = symmetry >= 4, symmetry % 4 >= 2, symmetry % 2
    y[2], x[2] = (-y[2] if half else y[2]), (-x[2] if flip != half else x[2])
    if quarter:
        y, x = [*x[:2], -x[2]], y
    (width, fwhm, phase), (width_x, fwhm_x, phase_x) = y, x
    return replace(sensor, width=width, fwhm=fwhm, phase=phase, width_x=width_x, fwhm_x=fwhm_x, phase_x=phase_x)


def _parts(symmetry: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    turns = symmetry % 4
    return symmetry >= 4, turns >= 2, turns % 2 == 1


def _where(chosen: Tensor, frames: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    if not chosen.any():
        return frames
    mask = chosen.to(frames.device).view(-1, *[1] * (frames.dim() - 1))
    return torch.where(mask, change(frames), frames)
