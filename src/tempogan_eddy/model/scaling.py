"""Kelvin to the scaled numbers of the networks and back: one fixed range, never clipped."""

from __future__ import annotations

from torch import Tensor

__all__ = ["from_kelvin", "to_kelvin"]


def from_kelvin(kelvin: Tensor, kelvin_range: tuple[float, float]) -> Tensor:
    """Scale so that the ends of the range become 0 and 1; values beyond it go beyond 0 and 1."""
    low, high = kelvin_range
    return (kelvin - low) / (high - low)


def to_kelvin(scaled: Tensor, kelvin_range: tuple[float, float]) -> Tensor:
    """Undo `from_kelvin`."""
    low, high = kelvin_range
    return scaled * (high - low) + low
