"""Noise that moves with the clouds: which earlier frames the noise of a frame is carried from, and along which motion.

The noise of one frame is a weighted sum of fresh noise of this frame and of earlier ones, moved along the flow between
the lowres frames. The squares of the weights sum to 1, so every frame on its own is as with fresh noise alone. Because
the sum ends after a few frames, any frame can be drawn without all those before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.dataset.blocks import repeat_pixels
from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.model.advection import advect, seen_by_flow, upsample_flow
from tempogan_eddy.model.ensemble import local_spread
from tempogan_eddy.reconstruction.tiles import Tile

__all__ = ["NOISES", "Carried", "CarriedTile", "carry_noise", "earlier_frames", "mismatch"]

NOISES = ("coherent", "white", "dressing")
"""Carried from frame to frame; independent at each time; the same without a network, from the local spread alone."""

RATE, RATE_OF_MISMATCH = 3.2, 1.1
"""Per hour, and per hour and unit of mismatch: the decay of the correlation along the motion of what the mean misses.
``python -m experiments.coherence`` measures it."""

LEAST = 0.05
"""A smaller correlation is not worth its cost; so noise is carried for 56 minutes at most."""

MOST = 6
"""Earlier frames, at most."""

NANOSECONDS = 3.6e12  # of an hour
NEAR_KELVIN = 250.0  # in float32, squares of kelvins lose digits
FLAT_KELVIN = 0.5  # below this local spread the rounding of the input is a mismatch


@dataclass(frozen=True)
class CarriedTile:
    """One source of the noise of a tile.

    Attributes
    ----------
    time
        Of the frame whose fresh noise it is, in nanoseconds since 1970.
    weight
        (H, W) at the highres pixels of the tile; None for 1.
    places
        (H, W): which pixel of the textures to read, counted along rows. The textures begin `reach` lowres pixels before
        the tile and end as far behind it. None where nothing moves.
    reach
        Lowres pixels.
    """

    time: int
    weight: Tensor | None = None
    places: Tensor | None = None
    reach: int = 0

    def to(self, device: torch.device) -> CarriedTile:
        """Return it on a device."""
        weight, places = (part if part is None else part.to(device) for part in (self.weight, self.places))
        return CarriedTile(self.time, weight, places, self.reach)

    def read(self, textures: Tensor) -> Tensor:
        """Return the weighted textures (K, H, W) at the places of the tile."""
        if self.places is not None:
            textures = textures.flatten(1)[:, self.places.flatten()].unflatten(1, self.places.shape)
        return textures if self.weight is None else textures * self.weight


@dataclass(frozen=True)
class Carried:
    """One source of the noise of a frame.

    Attributes
    ----------
    time
        Of the frame whose fresh noise it is, in nanoseconds since 1970.
    weight
        (h, w).
    shift
        (2, h, w): from each pixel to the place in that frame that it came from, in lowres pixels; x right, y down.
    """

    time: int
    weight: Tensor
    shift: Tensor

    def tile(self, tile: Tile, scale: int) -> CarriedTile:
        """Return it for a tile; each highres pixel reads the nearest one, which keeps the variance."""
        weight = repeat_pixels(self.weight[tile.rows, tile.columns], scale)
        shift = upsample_flow(self.shift[None, :, tile.rows, tile.columns], scale)[0].round().long()
        reach = -(-int(shift.abs().max()) // scale)
        height, width = weight.shape
        row = torch.arange(height)[:, None] + shift[1] + reach * scale
        column = torch.arange(width) + shift[0] + reach * scale
        return CarriedTile(self.time, weight, row * (width + 2 * reach * scale) + column, reach)


def earlier_frames(times: NDArray[np.int64], satellites: NDArray) -> NDArray[np.intp]:
    """Return the numbers of the frames that the noise of each frame is carried from: (T, K), the latest first.

    A frame stands for itself where there are fewer than K: after the start, a gap, or a change of satellite. K is 0
    where all frames are too far apart.

    Parameters
    ----------
    times
        (T,) in nanoseconds.
    satellites
        (T,) names.
    """
    frames = np.arange(len(times))
    hours = np.diff(times) / NANOSECONDS
    apart = (hours <= 0) | (np.exp(-RATE * hours) < LEAST) | (satellites[1:] != satellites[:-1])
    start = np.maximum.accumulate(np.where(np.append(True, apart), frames, 0))
    earlier = frames[:, None] - np.arange(1, MOST + 1)
    near = np.exp(-RATE * (times[:, None] - times[earlier.clip(min=0)]) / NANOSECONDS) >= LEAST
    earlier = np.where((earlier >= start[:, None]) & near, earlier, frames[:, None])
    return earlier[:, : int((earlier < frames[:, None]).any(axis=0).sum())]


def carry_noise(frames: NDArray[np.floating], times: NDArray[np.int64]) -> list[Carried]:
    """Return the sources of the noise of a frame, its own fresh noise first; none where it has no other.

    Parameters
    ----------
    frames
        (K + 1, h, w) in kelvin, the frame itself and earlier ones, the latest first; NaN where missing.
    times
        (K + 1,) in nanoseconds. The first earlier frame that is not before its successor ends the sequence.
    """
    shift, left = torch.zeros(1, 2, *frames.shape[1:]), torch.ones(1, 1, *frames.shape[1:])
    sources: list[Carried] = []
    for later, (flow, kept) in enumerate(_steps(frames, times)):
        kept = advect(kept, shift)
        sources.append(Carried(int(times[later]), (left * (1 - kept**2).sqrt())[0, 0], shift[0]))
        left, shift = left * kept, shift + advect(flow, shift)
    return [*sources, Carried(int(times[len(sources)]), left[0, 0], shift[0])] if sources else []


def _steps(frames: NDArray[np.floating], times: NDArray[np.int64]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the flow (1, 2, h, w) and the correlation (1, 1, h, w) from each frame to the one before."""
    for later, earlier, hours in zip(frames[:-1], frames[1:], (times[:-1] - times[1:]) / NANOSECONDS, strict=True):
        if hours <= 0:
            return
        flow = torch.from_numpy(estimate_flow(later, earlier))[None]
        yield flow, correlation(later, earlier, flow, hours)


def correlation(frame: NDArray[np.floating], earlier: NDArray[np.floating], flow: Tensor, hours: float) -> Tensor:
    """Return the correlation of the noise of two frames along the flow (1, 2, h, w) between them: (1, 1, h, w).

    It decays with time, faster where the moved frame does not explain the later one. Noise is renewed where a pixel is
    missing or comes from beyond the edge.
    """
    later, before = (
        torch.from_numpy(fill_missing(np.array(part, np.float32)))[None, None] for part in (frame, earlier)
    )
    seen = torch.from_numpy(np.isfinite(frame) & np.isfinite(earlier)) * seen_by_flow(flow)
    return seen * torch.exp(-hours * (RATE + RATE_OF_MISMATCH * mismatch(later, before, flow)))


def mismatch(frame: Tensor, earlier: Tensor, flow: Tensor) -> Tensor:
    """Return what the flow cannot explain of a frame (1, 1, h, w) in kelvin, over its local spread.

    It is the root mean square difference from the moved earlier frame over the standard deviation, each of 3x3 pixels.
    """
    square = (advect(earlier, flow) - frame).square()
    difference = functional.avg_pool2d(square, 3, 1, padding=1, count_include_pad=False).sqrt()
    return difference / local_spread(frame - NEAR_KELVIN).clamp(min=FLAT_KELVIN)
