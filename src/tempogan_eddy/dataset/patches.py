"""Raw patches of the packed store to samples, a whole batch at a time, on any device.

What travels is small: int16 as it lies in the store. Turning, kelvin, the sensor model and the filling of
missing pixels then happen where the networks are.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tempogan_eddy.dataset.augment import augment_flow, augment_frames
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.pack import FLOW_QUANTUM, KELVIN_OFFSET, KELVIN_QUANTUM, OUTSIDE
from tempogan_eddy.dataset.sensor import SensorModel

__all__ = ["Sample", "develop"]

Sample = dict[str, Tensor]


def develop(raw: Mapping[str, Tensor], sensor: SensorModel, device: torch.device | str = "cpu") -> Sample:
    """Make samples of raw patches.

    Parameters
    ----------
    raw
        ``kelvins`` (B, 3, H + 2 m, W + 2 m) int16, with the sensor's margin m around the patch; ``flow``
        (B, 2, 2, h, w) int16; ``symmetry``, ``noise_seed`` (B,) integers; ``holed`` (B,) bool, whether anything
        is missing; these three on the CPU, where asking costs no wait for the device.
    sensor
        What makes the coarse frames.
    device
        Where to compute.

    Returns
    -------
    dict
        ``hr`` (B, 3, 1, H, W) and ``lr`` (B, 3, 1, h, w) in kelvin, finite; ``valid`` (B, 3, 1, H, W), 1 where
        ``hr`` was observed; ``flow`` (B, 2, 2, h, w) in LR pixels.
    """
    symmetry, holed = raw["symmetry"], bool(raw["holed"].any())
    # Towards the CPU such a copy would be read before it has ended.
    ahead = torch.device(device).type != "cpu"
    packed, flow = (raw[name].to(device, non_blocking=ahead) for name in ("kelvins", "flow"))
    packed, flow = augment_frames(packed, symmetry), augment_flow(flow, symmetry)
    missing = packed <= OUTSIDE  # MISSING is below
    fine = packed.float() * KELVIN_QUANTUM + KELVIN_OFFSET
    if holed or sensor.margin:
        fine = fine.masked_fill(missing, torch.nan)
    coarse = sensor.see(fine, inside=packed != OUTSIDE)
    margin, scale = sensor.margin, sensor.scale
    if margin:
        fine = fine[..., margin:-margin, margin:-margin]
        low = margin // scale
        coarse = coarse[..., low:-low, low:-low]
    coarse = sensor.add_noise(coarse, raw["noise_seed"].tolist())
    if not holed:
        valid = torch.ones_like(fine)
    else:
        # Where the coarse instrument saw nothing there is nothing to rebuild from, and nothing is scored.
        seen = ~(fine.isnan() | _repeat(coarse, scale).isnan())
        coarse = torch.from_numpy(fill_missing(coarse.cpu().numpy())).to(device)
        fine, valid = torch.where(seen, fine, _repeat(coarse, scale)), seen.float()
    return {
        "hr": fine.unsqueeze(2),
        "lr": coarse.unsqueeze(2),
        "valid": valid.unsqueeze(2),
        "flow": flow.float() * FLOW_QUANTUM,
    }


def _repeat(coarse: Tensor, scale: int) -> Tensor:
    return coarse.repeat_interleave(scale, -2).repeat_interleave(scale, -1)
