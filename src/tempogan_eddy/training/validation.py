"""Validation on fixed full frames."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.protocol import DataSource, Sample
from tempogan_eddy.dataset.sensor_bank import SensorBatch
from tempogan_eddy.distributed import add_up, share
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.model.tempogan import upsample
from tempogan_eddy.rapsd import energy_above, log_spectral_distance, radial_power

__all__ = ["Validation"]

# Maps (N, 1, h, w), and the one sensor that saw them if the generator adapts to it, to (N, 1, H, W), both scaled.
Reconstruct = Callable[[Tensor, SensorBatch | None], Tensor]


class Validation:
    """Score a generator on the same full frames every time; of several processes each scores its share.

    Parameters
    ----------
    data
        The validation windows.
    config
        Gives the number of windows to score, scale and kelvin range.
    """

    def __init__(self, data: DataSource, config: Config) -> None:
        self.data, self.count = data, config.training.validation_frames
        self.kelvin_range, self.scale = config.data.kelvin_range, config.scale

    @cached_property
    def samples(self) -> dict[int, Sample]:
        """Windows spread evenly over the data, by number, at least half of each observed: the share of this process."""
        last = len(self.data) - 1
        positions = np.unique(np.linspace(0, last, min(self.count, last + 1)).round().astype(int)).tolist()
        samples = {number: self.data.full_frame(position) for number, position in share(list(enumerate(positions)))}
        return {number: sample for number, sample in samples.items() if sample["valid"].mean() >= 0.5}

    def total(self, sums: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return sums by name over the samples of all processes.

        Raises
        ------
        InputError
            There is no sample.
        """
        total = add_up(sums)
        if not total:
            raise InputError(
                "More than half of every validation frame is missing; choose other data.split hours or storms."
            )
        return total

    @cached_property
    def bicubic(self) -> dict[str, float]:
        """The metrics of bicubic interpolation, as `measure` returns them."""
        return self.measure(lambda frames, _: upsample(frames, self.scale))

    def measure(self, reconstruct: Reconstruct, device: torch.device | str = "cpu") -> dict[str, float]:
        """Return RMSE and bias (K), LSD, LSD of hourly differences, energy above the lowres Nyquist (dB).

        Spectra are means over the frames; everything counts valid pixels only.
        """
        sums: defaultdict[Any, Any] = defaultdict(float)
        for sample in self.samples.values():
            frames = self.frames(sample, reconstruct, device)
            truth, valid = sample["highres"][:, 0].numpy(), sample["valid"][:, 0].numpy() > 0
            error = (frames - truth)[valid]
            sums["error"] += np.array(
                [len(error), error.sum(dtype=np.float64), np.square(error, dtype=np.float64).sum()]
            )
            pairs = [("still", frames[1], truth[1], valid[1])]
            pairs += [
                ("motion", frames[i + 1] - frames[i], truth[i + 1] - truth[i], valid[i] & valid[i + 1]) for i in (0, 1)
            ]
            for kind, ours, theirs, seen in pairs:
                powers = np.stack([radial_power(ours, seen), radial_power(theirs, seen)])
                sums[kind, powers.shape[1]] += np.array([powers, np.ones_like(powers)])
                if kind == "still":
                    cutoff = min(ours.shape) / self.scale / 2
                    sums["energy"] += np.array([energy_above(power, ours.shape, cutoff) for power in powers])
        found = self.total(sums)
        (count, total, square), energy = found["error"], found["energy"]
        return {
            "rmse": math.sqrt(square / count),
            "bias": float(total / count),
            "lsd": _distance(found, "still"),
            "lsd_hourly": _distance(found, "motion"),
            "energy": 10 * math.log10(max(energy[0], 1e-12) / max(energy[1], 1e-12)),
        }

    def pictures(self, reconstruct: Reconstruct, device: torch.device | str) -> dict[str, np.ndarray]:
        """Return the middle frame of the first window, lowres repeated, generated and true: (H, W) kelvin each."""
        sample = next(iter(self.samples.values()))
        lowres = sample["lowres"][1, 0].numpy().repeat(self.scale, 0).repeat(self.scale, 1)
        generated = self.frames(sample, reconstruct, device)[1]
        return {"lowres": lowres, "generated": generated, "highres": sample["highres"][1, 0].numpy()}

    def frames(self, sample: Mapping[str, Tensor], reconstruct: Reconstruct, device: torch.device | str) -> np.ndarray:
        """Reconstruct the three frames of one sample: (3, H, W) kelvin."""
        with torch.no_grad():
            lowres, sensors = from_kelvin(sample["lowres"], self.kelvin_range).to(device), None
            if self.data.sensors:
                sensors = self.data.sensors.batch(sample["sensor"][None], *lowres.shape[-2:]).to(device)
            scaled = reconstruct(lowres, sensors)
        return to_kelvin(scaled.float().cpu(), self.kelvin_range)[:, 0].numpy()


def _distance(sums: Mapping[Any, Any], kind: str) -> float:
    """Return the LSD between mean spectra of frames of one size; of several sizes, the mean over frames."""
    groups = [value for name, value in sums.items() if name[0] == kind]  # one for each number of wavenumbers
    distances = [count[0, 0] * log_spectral_distance(*(powers / count)) for powers, count in groups]
    return float(sum(distances) / sum(count[0, 0] for _, count in groups))
