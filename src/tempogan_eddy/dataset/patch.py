"""One patch of the packed store: where it lies, how it is turned, and its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tempogan_eddy.dataset.augment import turn_flow, turn_frames
from tempogan_eddy.dataset.pack_layout import MISSING
from tempogan_eddy.dataset.store import PackedStorm, Window

__all__ = ["Patch", "number_patches", "stack_patches"]


@dataclass
class Patch:
    """A patch of three frames of one storm.

    Attributes
    ----------
    top, left, height, width
        In highres pixels, before turning.
    margin
        Highres pixels around the patch that the sensor sees too.
    noise_seed
        Decides the noise of the lowres frames.
    sensor
        Its number in a bank; None without one.
    symmetry
        As for `turn_frames`.
    """

    storm: PackedStorm
    frames: Window
    top: int
    left: int
    height: int
    width: int
    scale: int
    margin: int
    noise_seed: int
    sensor: int | None = None
    symmetry: int = 0

    @cached_property
    def kelvins(self) -> NDArray[np.int16]:
        """The highres frames with their margin, not turned: (3, H + 2 m, W + 2 m)."""
        m = self.margin
        place = (self.top - m, self.left - m, self.height + 2 * m, self.width + 2 * m)
        return self.storm.cut(self.frames, *place, self.scale)

    @cached_property
    def lowres(self) -> NDArray[np.int16] | None:
        """The lowres frames of own pairs, not turned: (3, h, w)."""
        return None if self.storm.lowres is None else self.storm.cut_lowres(self.frames, *self._blocks)

    @property
    def flow(self) -> NDArray[np.int16]:
        """The flow from the middle frame to both others, not turned: (2, 2, h, w)."""
        return self.storm.cut_flow(self.frames[1], *self._blocks)

    @cached_property
    def holed(self) -> bool:
        """Whether any pixel is missing; frames that miss none are not searched."""
        parts = [self.kelvins, self.lowres] if self.storm.may_miss(self.frames) else []
        return any(bool((part == MISSING).any()) for part in parts if part is not None)

    @property
    def beyond(self) -> bool:
        """Whether the margin reaches beyond the whole blocks of the frame."""
        ends = (self.top + self.height, self.left + self.width)
        room = (side // self.scale * self.scale - end for side, end in zip(self.storm.size, ends, strict=True))
        return min(self.top, self.left, *room) < self.margin

    @property
    def missing_share(self) -> float:
        """The share of missing highres pixels, without the margin."""
        if not self.holed:
            return 0.0
        inner = slice(self.margin, self.margin + self.height), slice(self.margin, self.margin + self.width)
        return float((self.kelvins[:, *inner] == MISSING).mean(dtype=np.float32))

    @property
    def _blocks(self) -> tuple[slice, slice]:
        rows = slice(self.top // self.scale, (self.top + self.height) // self.scale)
        return rows, slice(self.left // self.scale, (self.left + self.width) // self.scale)


def number_patches(patches: Sequence[Patch]) -> dict[str, Tensor]:
    """Return what `develop` needs to know of a batch besides its pixels."""
    numbers: dict[str, Any] = {
        "times": [patch.storm.entry.times[list(patch.frames)].astype(np.int64) for patch in patches],
        "noise_seed": [patch.noise_seed for patch in patches],
        "holed": [patch.holed for patch in patches],
        "beyond": [patch.beyond for patch in patches],
    }
    if patches[0].sensor is not None:
        numbers["sensor"] = [patch.sensor for patch in patches]
    return {name: torch.from_numpy(np.array(values)) for name, values in numbers.items()}


def stack_patches(patches: Sequence[Patch]) -> dict[str, Tensor]:
    """Return the pixels of a batch of patches, turned, and their numbers."""
    pixels = {
        "kelvins": [turn_frames(patch.kelvins, patch.symmetry) for patch in patches],
        "flow": [turn_flow(patch.flow, patch.symmetry) for patch in patches],
    }
    if patches[0].lowres is not None:
        pixels["lowres"] = [turn_frames(patch.lowres, patch.symmetry) for patch in patches if patch.lowres is not None]
    stacked = {name: torch.from_numpy(np.stack(values)) for name, values in pixels.items()}
    return stacked | number_patches(patches)
