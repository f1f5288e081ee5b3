"""Validation on fixed full frames."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.protocol import DataSource, Sample
from tempogan_eddy.dataset.sensor_bank import SensorBatch
from tempogan_eddy.distributed import add_up, share
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.aggregation import Mean
from tempogan_eddy.evaluation.masked import Mask, MaskedFrame, MaskedPair
from tempogan_eddy.evaluation.statistics import DetailEnergy, Error
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.model.tempogan import upsample
from tempogan_eddy.rapsd import log_spectral_distance
from tempogan_eddy.spread import spread_evenly

__all__ = ["Validation", "decibel"]

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
        positions = spread_evenly(len(self.data), self.count)
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
        sums: defaultdict[Any, Mean] = defaultdict(partial(Mean, 0.0, 0.0))
        for sample in self.samples.values():
            truth, valid = sample["highres"][:, 0].numpy(), sample["valid"][:, 0].numpy() > 0
            ours, theirs = (
                [MaskedFrame(*pair, scale=self.scale) for pair in zip(values, map(Mask, valid), strict=True)]
                for values in (self.frames(sample, reconstruct, device), truth)
            )
            for generated, true in zip(ours, theirs, strict=True):
                sums["square"] += Error(np.square).compute(generated, true)
                sums["bias"] += Error(np.positive).compute(generated, true)
            sums["energy"] += DetailEnergy().compute(ours[1], theirs[1])
            sums["still", len(theirs[1].spectrum)] += _spectra(ours[1], theirs[1])
            for before in (0, 1):
                both = Mask(valid[before] & valid[before + 1])
                pairs = [MaskedPair(three[before], three[before + 1], both) for three in (ours, theirs)]
                sums["motion", len(pairs[1].spectrum)] += _spectra(*pairs)
        found = self.total(sums)
        return {
            "rmse": math.sqrt(found["square"].total / found["square"].weight),
            "bias": found["bias"].total / found["bias"].weight,
            "lsd": _distance(found, "still"),
            "lsd_hourly": _distance(found, "motion"),
            "energy": decibel(found["energy"]),
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
            lowres = from_kelvin(sample["lowres"], self.kelvin_range).to(device)
            scaled = reconstruct(lowres, self.sensors(sample, device))
        return to_kelvin(scaled.float().cpu(), self.kelvin_range)[:, 0].numpy()

    def sensors(self, sample: Mapping[str, Tensor], device: torch.device | str) -> SensorBatch | None:
        """Return the sensor that saw one sample, as a batch of one; None where the generator does not adapt to it."""
        if self.data.sensors is None:
            return None
        return self.data.sensors.batch(sample["sensor"][None], *sample["lowres"].shape[-2:]).to(device)


def decibel(energy: Mean) -> float:
    """Return the ratio of the energy of generated frames to that of the truth, dB, as sums of `DetailEnergy`."""
    return 10 * math.log10(max(energy.total, 1e-12) / max(energy.weight, 1e-12))


def _spectra(generated: MaskedFrame | MaskedPair, truth: MaskedFrame | MaskedPair) -> Mean:
    return Mean(np.stack([generated.spectrum, truth.spectrum]), 1.0)


def _distance(sums: Mapping[Any, Mean], kind: str) -> float:
    """Return the LSD between mean spectra of frames of one size; of several sizes, the mean over frames."""
    groups = [part for name, part in sums.items() if name[0] == kind]  # one for each number of wavenumbers
    distances = [part.weight * log_spectral_distance(*(part.total / part.weight)) for part in groups]
    return sum(distances) / sum(part.weight for part in groups)
