"""The summary of an ensemble: what its members say together, pixel by pixel."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["SUMMARY", "summarise"]

THRESHOLDS = (225, 241)
"""Kelvins below which the probability is given: deep convective cloud, and the cold cloud of rain estimates."""

QUANTILES = (5, 50, 95)
"""In percent."""

SUMMARY: dict[str, dict[str, Any]] = {
    "brightness_temperature": {
        "standard_name": "brightness_temperature",
        "long_name": "mean of the members",
        "units": "K",
        "cell_methods": "realization: mean",
    },
    "spread": {
        "long_name": "standard deviation of the members, with the number of members less one",
        "units": "K",
        "cell_methods": "realization: standard_deviation",
    },
    **{
        f"probability_below_{kelvin}K": {"long_name": f"share of the members colder than {kelvin} K", "units": "1"}
        for kelvin in THRESHOLDS
    },
    **{
        f"quantile_{percent:02d}": {"long_name": f"{percent} % quantile of the members", "units": "K"}
        for percent in QUANTILES
    },
}
"""Variables of a summary, in order, with their attributes by the CF conventions."""


def summarise(members: Tensor) -> Tensor:
    """Return the summary (S, ...) of members (M, ...) in kelvin, in the order of `SUMMARY`.

    Quantiles are interpolated linearly between the members in order, as `numpy.quantile` does.
    """
    mean = members.mean(dim=0)
    spread = (members - mean).square().sum(dim=0).div(len(members) - 1).sqrt()
    shares = [(members < kelvin).float().mean(dim=0) for kelvin in THRESHOLDS]
    ordered, last = members.sort(dim=0).values, len(members) - 1
    quantiles = []
    for percent in QUANTILES:
        lower = min(int(percent * last / 100), last - 1)
        quantiles.append(ordered[lower].lerp(ordered[lower + 1], percent * last / 100 - lower))
    return torch.stack([mean, spread, *shares, *quantiles])
