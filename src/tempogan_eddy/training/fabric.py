"""Lightning Fabric on the device and in the precision that a configuration asks for."""

from __future__ import annotations

import logging
from typing import Any, Literal

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
    if precision == "fp32":
        return Fabric(accelerator=chosen.type, devices=devices, precision="32-true")
    kind: Literal["16-mixed", "bf16-mixed"] = "16-mixed" if precision == "fp16" else "bf16-mixed"
    # Given as a plugin also because Fabric turns a plain "16-mixed" into bf16 on the CPU.
    return Fabric(accelerator=chosen.type, devices=devices, plugins=[_LayersOnly(kind, device=chosen.type)])


class _LayersOnly(MixedPrecision):
    """Low precision inside the layers, by autocast, and nowhere else.

    Fabric would also round what a network is given: the frames, by up to half a kelvin, and so what
    interpolation keeps of them and what the discriminators see of faint detail.
    """

    def convert_input(self, data: Any) -> Any:
        """Leave it as it is."""
        return data
