"""Validation of an ensemble: its CRPS beside the error of its mean, spread-skill, rank histogram, texture."""

import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.dataset.sensor_bank import SensorBatch
from tempogan_eddy.evaluation.aggregation import Mean
from tempogan_eddy.evaluation.calibration import relative_ranks
from tempogan_eddy.evaluation.ensembles import Crps, Ranks
from tempogan_eddy.evaluation.masked import Mask, MaskedFrame
from tempogan_eddy.evaluation.statistics import DetailEnergy, Error, LogSpectralDistance
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.training.validation import Validation, decibel

__all__ = ["Draw", "measure_calibration"]

Draw = Callable[[Tensor, SensorBatch, int], tuple[Tensor, Tensor]]
"""Maps scaled frames (1, 1, h, w), their sensor and a number that decides the noise to the mean frame (1, 1, H, W) and
the members (1, M, H, W) in kelvin."""


def measure_calibration(validation: Validation, draw: Draw, device: torch.device | str = "cpu") -> dict[str, float]:
    """Return the scores of the middle frames of the validation windows, over valid pixels.

    Returns
    -------
    dict
        ``crps`` is the fair CRPS over the mean absolute error of the mean frame. ``spread_skill`` is the root mean
        square difference of the members from the mean frame over its RMSE, 1 where calibrated: the members vary around
        this frame and not around their own mean. ``rank_low`` and ``rank_high`` are the least and the most filled class
        of the rank histogram over the mean (Hamill 2001). ``rmse`` (K) is of the mean frame; ``lsd`` and ``energy``
        (dB) are of one member.
    """
    sums: defaultdict[str, Mean] = defaultdict(partial(Mean, 0.0, 0.0))
    for number, sample in validation.samples.items():
        lowres, sensors = sample["lowres"][1:2], validation.sensors(sample, device)
        assert sensors
        with torch.no_grad():
            drawn = draw(from_kelvin(lowres, validation.kelvin_range).to(device), sensors, number)
        mean, members = (part[0].float().cpu().numpy() for part in drawn)
        mask = Mask(sample["valid"][1, 0].numpy() > 0)
        truth = MaskedFrame(sample["highres"][1, 0].numpy(), mask, lowres[0, 0].numpy(), validation.scale)
        middle, ensemble = MaskedFrame(mean[0], mask), [MaskedFrame(member, mask) for member in members]
        sums["crps"] += Crps().compare(ensemble, truth)
        sums["ranks"] += Ranks().compare(ensemble, truth)
        for member in ensemble:
            sums["variance"] += Error(np.square).compute(member, middle)
        sums["absolute"] += Error(np.abs).compute(middle, truth)
        sums["square"] += Error(np.square).compute(middle, truth)
        sums["lsd"] += LogSpectralDistance().compute(ensemble[0], truth)
        sums["energy"] += DetailEnergy().compute(ensemble[0], truth)
    total = validation.total(sums)
    mean_of = {name: part.total / part.weight for name, part in total.items() if name != "energy"}
    ranks = relative_ranks(mean_of["ranks"][None])
    return {
        "crps": mean_of["crps"] / mean_of["absolute"],
        "spread_skill": math.sqrt(mean_of["variance"] / mean_of["square"]),
        "rank_low": float(ranks.min()),
        "rank_high": float(ranks.max()),
        "rmse": math.sqrt(mean_of["square"]),
        "lsd": mean_of["lsd"],
        "energy": decibel(total["energy"]),
    }
