"""Lightning Fabric on the device and in the precision that a configuration asks for."""

from __future__ import annotations

import logging
from typing import Any, Literal

from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision

from tempogan_eddy.device import choose_device, computes_bf16

__all__ = ["make_fabric"]

# Lightning logs its precision; our first lines of a run state it already.
for name in ("lightning.fabric", "lightning.pytorch"):
    logging.getLogger(name).setLevel(logging.WARNING)


def make_fabric(device: str, precision: str) -> Fabric:
    """Return a Fabric for one device.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    precision
        ``auto``, ``fp32``, ``bf16`` or ``fp16`` (with a gradient scaler).
    """
    chosen = choose_device(device)
    if precision == "auto":
        precision = "bf16" if computes_bf16(chosen) else "fp32"
    devices = [chosen.index or 0] if chosen.type == "cuda" else 1
    if precision == "fp32":
        return Fabric(accelerator=chosen.type, devices=devices, precision="32-true")
    kind: Literal["16-mixed", "bf16-mixed"] = "16-mixed" if precision == "fp16" else "bf16-mixed"
    # A plugin also keeps fp16 on the CPU, where Fabric turns a plain "16-mixed" into bf16.
    return Fabric(accelerator=chosen.type, devices=devices, plugins=[_LayersOnly(kind, device=chosen.type)])


class _LayersOnly(MixedPrecision):
    """Low precision inside the layers only, by autocast.

    Fabric would also round the input frames, by up to half a kelvin: interpolation and the discriminators would lose
    faint detail.
    """

    def convert_input(self, data: Any) -> Any:
        """Return the input unchanged."""
        return data
