"""Arrays to the device and results back; on CUDA, copies overlap with computing."""

from collections import deque

import numpy as np
import torch
from torch import Tensor

__all__ = ["Transfer"]

# Results that may be on their way while later ones are computed.
IN_FLIGHT = 3


class Transfer:
    """The copies of one block of frames to a device and back.

    On CUDA, copies run in two streams of their own through page-locked memory, and `fetch` returns before the result is
    there. On any other device everything happens at once.

    Parameters
    ----------
    device
        Where to compute.

    Attributes
    ----------
    overlaps
        Whether copies overlap with computing.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._streams = [torch.cuda.Stream(device) for _ in range(2)] if device.type == "cuda" else []
        self.overlaps = bool(self._streams)
        self._coming: deque[tuple[torch.cuda.Event, Tensor, Tensor]] = deque()

    def send(self, values: np.ndarray) -> Tensor:
        """Return an array as a tensor on the device; on the CPU, it shares the memory."""
        held = torch.from_numpy(values)
        if not self._streams:
            return held.to(self.device)
        inward, computing = self._streams[0], torch.cuda.current_stream(self.device)
        locked = torch.empty(held.shape, dtype=held.dtype, pin_memory=True).copy_(held)
        with torch.cuda.stream(inward):
            sent = locked.to(self.device, non_blocking=True)
        computing.wait_stream(inward)
        sent.record_stream(computing)
        return sent

    def fetch(self, result: Tensor, target: np.ndarray) -> None:
        """Copy a result into an array, at the latest when `finish` returns."""
        wanted = torch.from_numpy(target)
        if not self._streams:
            wanted.copy_(result)
            return
        outward = self._streams[1]
        outward.wait_stream(torch.cuda.current_stream(self.device))
        locked = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
        with torch.cuda.stream(outward):
            locked.copy_(result, non_blocking=True)
        result.record_stream(outward)
        self._coming.append((outward.record_event(), locked, wanted))
        self.finish(IN_FLIGHT)

    def finish(self, still_coming: int = 0) -> None:
        """Wait until at most so many results are on their way."""
        while len(self._coming) > still_coming:
            copied, locked, wanted = self._coming.popleft()
            copied.synchronize()
            wanted.copy_(locked)
