"""Validation of an ensemble: its CRPS beside the error of its mean, spread-skill, rank histogram, texture."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.dataset.sensor_bank import SensorBatch
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.model.scoring import energy_score, pixel_distance
from tempogan_eddy.rapsd import energy_above, log_spectral_distance, radial_power
from tempogan_eddy.training.validation import Validation

__all__ = ["Draw", "measure_calibration", "ranks"]

Draw = Callable[[Tensor, SensorBatch, int], tuple[Tensor, Tensor]]
"""Maps scaled frames (1, 1, h, w), their sensor and a number that decides the noise to the mean frame (1, 1, H, W) and
the members (1, M, H, W) in kelvin."""


def measure_calibration(validation: Validation, draw: Draw, device: torch.device | str = "cpu") -> dict[str, float]:
    """Return the scores of the middle frames of the validation windows, over valid pixels.

    Returns
    -------
    dict
        ``crps`` is the fair CRPS over the mean absolute error of the mean frame. ``spread_skill`` is the root mean
        variance of the members over the RMSE of the mean frame, 1 where calibrated (Fortin et al., "Why should
        ensemble spread match the RMSE of the ensemble mean?", J. Hydrometeorology 15, 2014). ``rank_low`` and
        ``rank_high`` are the least and the most filled class of the rank histogram over the mean (Hamill 2001).
        ``rmse`` (K) is of the mean frame; ``lsd`` and ``energy`` (dB) are of one member.
    """
    sums: defaultdict[str, Any] = defaultdict(float)
    for number, sample in validation.samples.items():
        lowres = from_kelvin(sample["lowres"][1:2], validation.kelvin_range).to(device)
        assert validation.data.sensors
        sensors = validation.data.sensors.batch(sample["sensor"][None], *lowres.shape[-2:]).to(device)
        with torch.no_grad():
            mean, members = (part[0].float().cpu() for part in draw(lowres, sensors, number))
        truth, seen = sample["highres"][1, 0], sample["valid"][1, 0] > 0
        mean, members, true = mean[0][seen], members[:, seen], truth[seen]
        sums["crps"] += float(energy_score(members, true, pixel_distance).double().sum())
        sums["absolute"] += float((mean - true).abs().double().sum())
        sums["square"] += float((mean - true).square().double().sum())
        sums["variance"] += float((members - mean).square().mean(dim=0).double().sum())
        sums["filled"] += ranks(members, true, number)
        sums["pixels"] += len(true)
        sums["frames"] += 1
        powers = [_spectrum(field, truth, seen) for field in (members[0], true)]
        sums["distance"] += log_spectral_distance(*powers)
        cutoff = min(truth.shape) / validation.scale / 2
        sums["energy"] += np.array([energy_above(power, tuple(truth.shape), cutoff) for power in powers])
    total = validation.total(sums)
    energy, filled = total["energy"], total["filled"] / np.mean(total["filled"])
    return {
        "crps": total["crps"] / total["absolute"],
        "spread_skill": math.sqrt(total["variance"] / total["square"]),
        "rank_low": float(filled.min()),
        "rank_high": float(filled.max()),
        "rmse": math.sqrt(total["square"] / total["pixels"]),
        "lsd": total["distance"] / total["frames"],
        "energy": 10 * math.log10(max(energy[0], 1e-12) / max(energy[1], 1e-12)),
    }


def ranks(members: Tensor, truth: Tensor, seed: int) -> np.ndarray:
    """Return how often the truth (N,) has each rank among members (M, N): (M + 1,) counts; ties are drawn at random."""
    below, equal = (members < truth).sum(dim=0), (members == truth).sum(dim=0)
    place = torch.rand(len(truth), generator=torch.Generator().manual_seed(seed))
    rank = below + (place * (equal + 1)).long()
    return torch.bincount(rank, minlength=len(members) + 1).numpy()


def _spectrum(values: Tensor, truth: Tensor, seen: Tensor) -> np.ndarray:
    field = truth.clone()
    field[seen] = values
    return radial_power(field.numpy(), seen.numpy())
