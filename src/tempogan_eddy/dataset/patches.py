"""Raw patches of the packed store to samples, a whole batch at a time, on any device.

Only the int16 of the store is moved to the device; it is converted to kelvin, coarsened and filled there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.dataset.blocks import repeat_pixels
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.noise import normal_noise
from tempogan_eddy.dataset.pack_layout import FLOW_QUANTUM, KELVIN_OFFSET, KELVIN_QUANTUM, OUTSIDE
from tempogan_eddy.dataset.protocol import Sample
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import SensorBank
from tempogan_eddy.dataset.separable_sensors import SeparableSensor

__all__ = ["develop"]


def develop(
    raw: Mapping[str, Tensor], sensor: SensorModel | SensorBank, device: torch.device | str = "cpu", whole: bool = True
) -> Sample:
    """Make samples of raw patches, without a device sync unless something is missing.

    Parameters
    ----------
    raw
        ``kelvins`` (B, 3, H + 2 m, W + 2 m) int16, with the sensor's margin m around the patch; of own pairs
        ``lowres`` (B, 3, h, w) int16 instead of a margin; ``flow`` (B, 2, 2, h, w) int16; ``times`` (B, 3) int64.
        On the CPU: ``noise_seed`` (B,), and ``holed`` and ``beyond`` (B,): whether anything is missing in the patch,
        or lies beyond the edge of the frame.
    sensor
        Simulates the lowres frames where there are none; of a bank, the one with the number ``sensor`` (B,) of raw.
    device
        Where to compute.
    whole
        Whether to make all three frames, or the middle one alone.
    """
    frames = slice(None) if whole else slice(1, 2)
    # A non-blocking copy to the CPU could be read before it ends.
    ahead = torch.device(device).type != "cpu"
    moved = {name: raw[name].to(device, non_blocking=ahead) for name in ("kelvins", "flow", "lowres") if name in raw}
    packed, given = moved["kelvins"][:, frames], moved.get("lowres")
    margin, scale = 0 if given is not None else sensor.margin, sensor.scale
    holed, beyond = (bool(raw[name].numpy().any()) for name in ("holed", "beyond"))
    highres = _kelvin(packed, holed or beyond)
    if given is not None:
        lowres = _kelvin(given[:, frames], holed)
    else:
        noise = _noise(raw, sensor, [(side - 2 * margin) // scale for side in packed.shape[2:]])
        noise = None if noise is None else noise[:, frames].to(device)
        lowres = _see(highres, packed != OUTSIDE, sensor, raw, noise)
    if margin:
        highres = highres[..., margin:-margin, margin:-margin]
    if not holed:
        valid = torch.ones_like(highres)
    else:
        # Exclude pixels without a lowres value: there is nothing to rebuild them from.
        seen = ~(highres.isnan() | repeat_pixels(lowres, scale).isnan())
        lowres = torch.from_numpy(fill_missing(lowres.cpu().numpy())).to(device)
        highres, valid = torch.where(seen, highres, repeat_pixels(lowres, scale)), seen.float()
    return {
        "highres": highres.unsqueeze(2),
        "lowres": lowres.unsqueeze(2),
        "valid": valid.unsqueeze(2),
        "flow": moved["flow"] * FLOW_QUANTUM,
        **{name: raw[name] for name in ("times", "sensor") if name in raw},
    }


def _kelvin(packed: Tensor, holed: bool) -> Tensor:
    """Return kelvin, NaN where missing or outside."""
    kelvin = packed * KELVIN_QUANTUM + KELVIN_OFFSET
    return kelvin.masked_fill(packed <= OUTSIDE, torch.nan) if holed else kelvin  # MISSING is below


def _see(
    highres: Tensor, inside: Tensor, sensor: SensorModel | SensorBank, raw: Mapping[str, Tensor], noise: Tensor | None
) -> Tensor:
    holed = bool((raw["holed"] | raw["beyond"]).numpy().any())
    if isinstance(sensor, SensorBank):
        return sensor.see(highres, inside, raw["sensor"], noise, holed=holed)
    known = {"holed": holed} if isinstance(sensor, SeparableSensor) else {}
    low = slice(sensor.margin // sensor.scale, -(sensor.margin // sensor.scale) or None)
    return sensor.measure(sensor.see(highres, inside=inside, **known)[..., low, low], noise)


def _noise(raw: Mapping[str, Tensor], sensor: SensorModel | SensorBank, shape: list[int]) -> Tensor | None:
    """Return the noise of all three frames of each sample, of unit variance, (B, 3, h, w); None without noise."""
    seeds, count = raw["noise_seed"].numpy().tolist(), 3 * shape[0] * shape[1]
    if isinstance(sensor, SensorBank):
        noisy = [sensor.sensors[number].noise_kelvin > 0 for number in raw["sensor"].numpy().tolist()]
    else:
        noisy = [sensor.noise_kelvin > 0] * len(seeds)
    if not any(noisy):
        return None
    noise = np.zeros((len(seeds), count), np.float32)
    noise[noisy] = normal_noise([seed for seed, wanted in zip(seeds, noisy, strict=True) if wanted], count)
    return torch.from_numpy(noise.reshape(-1, 3, *shape))
