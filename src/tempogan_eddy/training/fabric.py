"""Lightning Fabric on the device and in the precision that a configuration asks for."""

from __future__ import annotations

import logging

from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision

from tempogan_eddy.device import choose_device, computes_bf16

__all__ = ["make_fabric"]

# Lightning announces its precision to everybody; ours is in the first lines of a run.
for name in ("lightning.fabric", "lightning.pytorch"):
    logging.getLogger(name).setLevel(logging.WARNING)


def make_fabric(device: str, precision: str) -> Fabric:
    """Fabric on one device.

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
    if precision == "fp16":
        # Given as a plugin, because Fabric turns a plain "16-mixed" into bf16 on the CPU.
        plugin = MixedPrecision("16-mixed", device=chosen.type)
        return Fabric(accelerator=chosen.type, devices=devices, plugins=[plugin])
    return Fabric(
        accelerator=chosen.type, devices=devices, precision="bf16-mixed" if precision == "bf16" else "32-true"
    )
