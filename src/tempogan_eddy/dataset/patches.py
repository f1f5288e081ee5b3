"""Raw patches of the packed store to samples, a whole batch at a time, on any device.

Only the int16 of the store is moved to the device; it is turned, converted to kelvin, coarsened and filled there.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tempogan_eddy.dataset.augment import augment_flow, augment_frames
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.pack import FLOW_QUANTUM, KELVIN_OFFSET, KELVIN_QUANTUM, OUTSIDE
from tempogan_eddy.dataset.protocol import Sample
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import SensorBank

__all__ = ["develop"]


def develop(raw: Mapping[str, Tensor], sensor: SensorModel | SensorBank, device: torch.device | str = "cpu") -> Sample:
    """Make samples of raw patches.

    Parameters
    ----------
    raw
        ``kelvins`` (B, 3, H + 2 m, W + 2 m) int16, with the sensor's margin m around the patch; of own pairs
        ``lowres`` (B, 3, h, w) int16 instead of a margin; ``flow`` (B, 2, 2, h, w) int16; ``times`` (B, 3) int64;
        ``symmetry``, ``noise_seed`` (B,) integers; ``holed`` (B,) bool, whether anything is missing; these three
        stay on the CPU to avoid a device sync.
    sensor
        Simulates the lowres frames where there are none; of a bank, the one with the number ``sensor`` (B,) of raw.
    device
        Where to compute.
    """
    symmetry, holed = raw["symmetry"], bool(raw["holed"].any())
    # A non-blocking copy to the CPU could be read before it ends.
    ahead = torch.device(device).type != "cpu"
    moved = {name: raw[name].to(device, non_blocking=ahead) for name in ("kelvins", "flow", "lowres") if name in raw}
    packed, flow = augment_frames(moved["kelvins"], symmetry), augment_flow(moved["flow"], symmetry)
    missing = packed <= OUTSIDE  # MISSING is below
    highres = packed.float() * KELVIN_QUANTUM + KELVIN_OFFSET
    seeds = raw["noise_seed"].tolist()
    margin, scale = 0 if "lowres" in moved else sensor.margin, sensor.scale
    if holed or margin:
        highres = highres.masked_fill(missing, torch.nan)
    if "lowres" in moved:
        seen = augment_frames(moved["lowres"], symmetry)
        lowres = (seen.float() * KELVIN_QUANTUM + KELVIN_OFFSET).masked_fill(seen <= OUTSIDE, torch.nan)
    elif isinstance(sensor, SensorBank):
        lowres = sensor.see(highres, packed != OUTSIDE, raw["sensor"], seeds)
    else:
        lowres = sensor.see(highres, inside=packed != OUTSIDE)
    if margin:
        highres = highres[..., margin:-margin, margin:-margin]
    if "lowres" not in moved and isinstance(sensor, SensorModel):
        low = slice(margin // scale, -(margin // scale) or None)
        lowres = sensor.add_noise(lowres[..., low, low], seeds)
    if not holed:
        valid = torch.ones_like(highres)
    else:
        # Exclude pixels without a lowres value: there is nothing to rebuild them from.
        seen = ~(highres.isnan() | _repeat(lowres, scale).isnan())
        lowres = torch.from_numpy(fill_missing(lowres.cpu().numpy())).to(device)
        highres, valid = torch.where(seen, highres, _repeat(lowres, scale)), seen.float()
    return {
        "highres": highres.unsqueeze(2),
        "lowres": lowres.unsqueeze(2),
        "valid": valid.unsqueeze(2),
        "flow": flow.float() * FLOW_QUANTUM,
        **{name: raw[name] for name in ("times", "sensor") if name in raw},
    }


def _repeat(lowres: Tensor, scale: int) -> Tensor:
    return lowres.repeat_interleave(scale, -2).repeat_interleave(scale, -1)
