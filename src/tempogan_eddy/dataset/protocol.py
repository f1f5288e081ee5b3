"""The data that training and validation need: the seam for simulated lowres frames, own pairs and other sources."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import torch
from torch import Tensor
from torch.utils.data import default_collate

from tempogan_eddy.dataset.sensor_bank import SensorBank

__all__ = ["DataSource", "Sample"]

Sample = dict[str, Tensor]
"""Frames of one window or of a batch of windows, with B in front of every shape then.

``highres`` (3, 1, H, W) and ``lowres`` (3, 1, h, w)
    In kelvin, finite everywhere.
``valid`` (3, 1, H, W)
    The mask: 1 where ``highres`` was observed, else 0.
``flow`` (2, 2, h, w)
    From the middle frame to the one before and the one after, in lowres pixels, x right, y down.
``times`` (3,)
    Of the frames, int64 nanoseconds since 1970-01-01.
``sensor`` ()
    Number in the source's `DataSource.sensors`; absent where one sensor saw all samples.
"""


class DataSource(Protocol):
    """Windows of three (lowres, highres) frames with times, flow and validity.

    Subclass it, or provide the same methods. All but the first three have defaults.
    """

    resident: bool = False
    """Whether the frames lie on the training device already."""

    sensors: SensorBank | None = None
    """The sensors that samples name by number."""

    def __len__(self) -> int:
        """Return the number of windows."""
        ...

    def draw(self, index: int) -> dict[str, Tensor]:
        """Return one random patch of one window, decided by ``index`` alone so that a resumed run goes on exactly.

        Indices beyond the number of windows begin further passes.
        """
        ...

    def full_frame(self, position: int) -> Sample:
        """Return the whole frames of window ``position``, not augmented, for validation."""
        ...

    def draw_batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Return what `draw` returns of several indices, with B in front. Worker processes call this."""
        batch: dict[str, Tensor] = default_collate([self.draw(index) for index in indices])
        return batch

    def develop(self, drawn: Mapping[str, Tensor], device: torch.device, whole: bool = True) -> Sample:
        """Turn what `draw_batch` returned into samples on a device. Default: they are samples already.

        If not ``whole``, the frames are the middle ones alone, (B, 1, 1, H, W): all that some steps need.
        """
        frames = {"highres", "lowres", "valid"} if not whole else set()
        return {name: (value[:, 1:2] if name in frames else value).to(device) for name, value in drawn.items()}

    def to(self, device: torch.device) -> Self:
        """Return the same data with the frames on a device, if they fit. Default: where they are."""
        return self

    def describe(self) -> list[str]:
        """Return the lines that a run's log begins with."""
        return []

    def notes(self) -> dict[str, Any]:
        """Return further facts about the training data for the model file, as JSON values."""
        return {}

    def intervals(self) -> list[str]:
        """Return each sequence with its first and last time, e.g. ``198702 1987-04-07T00:00/1987-04-13T11:00``."""
        return []
