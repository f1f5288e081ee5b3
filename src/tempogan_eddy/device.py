"""The device to compute on, and its precision."""

import ctypes
import platform
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tempogan_eddy.errors import InputError

__all__ = ["choose_device", "computes_bf16", "exact_convolutions", "keep_freed_memory"]


def choose_device(device: str = "auto") -> torch.device:
    """Return the device of a name; ``auto`` takes a GPU if there is one.

    Raise `InputError` if the name is unknown, or the device is not on this machine.
    """
    counts = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if device == "auto":
        return torch.device(next(kind for kind, count in counts.items() if count))
    name = re.fullmatch(r"(cuda|mps|cpu)(?::(0|[1-9][0-9]*))?", device)
    if name is None:
        raise InputError(f"The device '{device}' is unknown; use auto, cpu, mps, cuda or one of several, cuda:1.")
    count = counts[name[1]]
    if not count:
        raise InputError(f"The device '{device}' is not available on this machine; use auto or cpu.")
    if int(name[2] or 0) >= count:
        raise InputError(f"The device '{device}' does not exist; the last of this machine is {name[1]}:{count - 1}.")
    return torch.device(device)


def computes_bf16(device: torch.device) -> bool:
    """Return whether the device has bfloat16 instructions and need not emulate them."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def keep_freed_memory() -> bool:
    """Keep the memory of freed arrays in this process for later ones; return False if the C library cannot do so.

    A training step frees and allocates hundreds of megabytes. The GNU C library returns them to the system, which
    clears every page anew: a tenth of a step on a CPU.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, mmap_max = -1, -4  # names of the settings, from malloc.h
    library = ctypes.CDLL(None)
    return bool(library.mallopt(mmap_max, 0) and library.mallopt(trim_threshold, -1))


# TF32 in the convolutions of cuDNN; torch has no setting for one call or thread. Once the newer setting was used, which
# torch 2.8 lacks, the older one cannot be read.
_CUDNN: Any = getattr(torch.backends.cudnn, "conv", torch.backends.cudnn)
_TF32, _EXACT = ("fp32_precision", "ieee") if _CUDNN is not torch.backends.cudnn else ("allow_tf32", False)
_ONE_THREAD = threading.RLock()


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Keep float32 in the convolutions of a GPU, which rounds their input to 11 bits (TF32) by default: up to 0.05 K.

    Blocks may be nested. Threads wait for each other, so that none changes the setting of another. `torch.compile`
    keeps a block that takes a lock out of its graphs, which would forget the setting.
    """
    with _ONE_THREAD:
        before = getattr(_CUDNN, _TF32)
        setattr(_CUDNN, _TF32, _EXACT)
        try:
            yield
        finally:
            setattr(_CUDNN, _TF32, before)
