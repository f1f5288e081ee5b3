"""Round kelvins to the numbers of packed files, on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from tempogan_eddy.io.precision import PACKED_LARGEST, PACKED_LAST, PACKED_MISSING, PACKED_OFFSET, PACKED_QUANTUM
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = ["pack_kelvin"]


def pack_kelvin(kelvin: Tensor) -> Tensor:
    """Return float32 kelvin, NaN where missing, as int16, exactly as `io.precision` packs it.

    Kelvins beyond what 16 bits hold become the first or last number, which `Precision.stored` refuses: to raise here
    would wait for the device.
    """
    # The writer computes in doubles; Apple's GPUs have none.
    doubled = torch.float32 if kelvin.device.type == "mps" else torch.float64
    steps = ((kelvin.to(doubled) - PACKED_OFFSET) / PACKED_QUANTUM).round_()
    steps = torch.where(kelvin < VALID_KELVIN[1], steps.clamp(max=PACKED_LAST), steps)
    steps = steps.clamp_(-PACKED_LARGEST, PACKED_LARGEST)
    return torch.where(kelvin.isnan(), PACKED_MISSING, steps).to(torch.int16)
