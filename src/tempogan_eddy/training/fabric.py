"""Lightning Fabric on the devices and in the precision that a configuration asks for."""

import logging
import os
from typing import Any, Literal

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision
from lightning.fabric.plugins.environments import TorchElasticEnvironment
from lightning.fabric.strategies import DDPStrategy
from torch import nn

from tempogan_eddy.device import choose_device, computes_bf16
from tempogan_eddy.distributed import quiet, rank, world_size
from tempogan_eddy.errors import InputError

__all__ = ["make_fabric"]

log = logging.getLogger(__name__)

PRIVATE_STORE = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
"""By default the store in which processes find each other outlives a restart: pytorch/pytorch issues 135712, 167288."""

# Lightning logs its precision; our first lines of a run state it already.
for name in ("lightning.fabric", "lightning.pytorch"):
    logging.getLogger(name).setLevel(logging.WARNING)


def make_fabric(device: str, precision: str) -> Fabric:
    """Return a Fabric for this process's device; under torchrun, connected to the other processes.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    precision
        ``auto``, ``fp32``, ``bf16`` or ``fp16`` (with a gradient scaler).

    Raises
    ------
    InputError
        The machine has no such device, or fewer than processes.
    """
    chosen = choose_device(device)
    if precision == "auto":
        precision = "bf16" if computes_bf16(chosen) else "fp32"
    options: dict[str, Any] = {"devices": [chosen.index or 0] if chosen.type == "cuda" else 1}
    if world_size() > 1:
        options = _processes(chosen)
    if precision == "fp32":
        options["precision"] = "32-true"
    else:
        kind: Literal["16-mixed", "bf16-mixed"] = "16-mixed" if precision == "fp16" else "bf16-mixed"
        # A plugin also keeps fp16 on the CPU, where Fabric turns a plain "16-mixed" into bf16.
        options["plugins"] = [_LayersOnly(kind, device=chosen.type)]
    fabric = Fabric(accelerator=chosen.type, **options)
    fabric.launch()
    quiet()
    return fabric


def _processes(device: torch.device) -> dict[str, Any]:
    """Return the arguments of Fabric for one device a process."""
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    if int(os.environ["TORCHELASTIC_MAX_RESTARTS"]) and os.environ.get(PRIVATE_STORE) != "1" and not rank():
        log.warning(
            "Set %s=1 before torchrun, or restarted processes may look for those that have ended", PRIVATE_STORE
        )
    if device.type == "mps" or device.index is not None:
        raise InputError(f"training.device = {device} is one device for {here} processes; set it to cuda or cpu.")
    if device.type == "cuda" and here > torch.cuda.device_count():
        raise InputError(
            f"{here} processes need as many GPUs, and this machine has {torch.cuda.device_count()}; lower "
            "--nproc-per-node, or set training.device=cpu."
        )
    # Buffers are constants, or computed from the weights: every process has the same.
    strategy = _DDP(cluster_environment=TorchElasticEnvironment(), broadcast_buffers=False)
    return {"devices": here, "num_nodes": world_size() // here, "strategy": strategy}


class _DDP(DDPStrategy):
    def setup_module(self, module: nn.Module) -> Any:
        """Wrap a module that learns; torch refuses others, such as a teacher."""
        learns = any(parameter.requires_grad for parameter in module.parameters())
        return super().setup_module(module) if learns else module


class _LayersOnly(MixedPrecision):
    """Low precision inside the layers only, by autocast.

    Fabric would also round the input frames, by up to half a kelvin: interpolation and the discriminators would lose
    faint detail.
    """

    def convert_input(self, data: Any) -> Any:
        """Return the input unchanged."""
        return data
