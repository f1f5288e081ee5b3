"""Where to compute and how precisely."""

from __future__ import annotations

import torch

from tempogan_eddy.errors import InputError

__all__ = ["choose_device", "computes_bf16"]


def choose_device(device: str = "auto") -> torch.device:
    """The device that a name stands for; ``auto`` takes a GPU where there is one.

    Raises
    ------
    InputError
        The device is not on this machine.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    kind, _, index = device.partition(":")
    if not available.get(kind, False):
        raise InputError(f"The device '{device}' is not available on this machine; use auto or cpu.")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise InputError(f"The device '{device}' does not exist; this machine has {torch.cuda.device_count()} GPU(s).")
    return torch.device(device)


def computes_bf16(device: torch.device) -> bool:
    """Whether the device has bfloat16 instructions, so that it is faster and not emulated."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
