"""Proper scores as losses: the CRPS of pixels, steps and coldest pixels, and energy scores of spectra and patches.

A score is proper if its expectation is least where the members are drawn from the distribution of the truth. So it
makes an ensemble sharp and calibrated at once, without a discriminator.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.distributed import average
from tempogan_eddy.rapsd import radial_power

__all__ = [
    "ALMOST_FAIR",
    "coldest_distance",
    "energy_score",
    "patch_distance",
    "pixel_distance",
    "spectral_distance",
    "step_distance",
]

ALMOST_FAIR = 0.95
"""Alpha of the losses: at 1 one member may go anywhere if the others have hit the truth (Lang et al. 2024)."""

PATCH = 8
"""Side, in highres pixels, of the patches whose pixels are scored as one vector."""

WINDOWS = (16, 48)
"""Sides, in highres pixels, of the windows whose coldest pixel is scored."""

CLOUD_TOP = 235.0
"""Kelvins from which on a coldest pixel counts as this warm: the score is of cloud tops alone."""

LOWEST = 5
"""The lowest ring of a spectrum that is scored, in cycles a patch: below it faithful and truth hardly differ."""

# Square kelvins: far below any texture; it keeps the slope of the root finite.
FLOOR = 1e-8


def energy_score(
    members: Tensor, truth: Tensor, distance: Callable[[Tensor, Tensor], Tensor], alpha: float = 1.0
) -> Tensor:
    """Return the mean distance to the truth minus half the mean distance between members.

    With `pixel_distance` this is the CRPS of each pixel. With the distance between vectors it is the energy score
    (Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102, 2007, eqs. 21 and 22).

    Parameters
    ----------
    members
        (M, ...) with at least two members.
    truth
        (...).
    distance
        Maps two fields (...) to their distances.
    alpha
        1 for the fair score, whose expectation does not depend on M (Ferro, "Fair scores for ensemble forecasts", QJRMS
        140, 2014); 0 for the score of the M members as a distribution; between them the almost fair score (Lang et
        al., "AIFS-CRPS", arXiv:2412.15832, 2024, eq. 4).
    """
    count = len(members)
    error = torch.stack([distance(member, truth) for member in members]).mean(dim=0)
    pairs = [distance(members[first], members[second]) for first, second in combinations(range(count), 2)]
    between = torch.stack(pairs).mean(dim=0)
    return error - (1 - (1 - alpha) / count) / 2 * between


def pixel_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the distance of each pixel."""
    return (ours - theirs).abs()


def step_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the distance of the steps from each pixel to the next ones along y and x: (..., H, W) to (N,)."""
    apart = ours - theirs
    return torch.cat([apart.diff(dim=side).abs().flatten() for side in (-2, -1)])


def coldest_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the mean distance of the coldest pixels of `WINDOWS` in kelvin, for each size: (..., H, W) to (2,).

    It counts below `CLOUD_TOP` alone, so its score is the threshold-weighted CRPS with the chaining function
    min(x, threshold) (Allen et al. 2023, "Evaluating forecasts for high-impact events"), which is proper.
    """

    def coldness(frames: Tensor, side: int) -> Tensor:
        return functional.max_pool2d(-frames.flatten(0, -3), min(side, *frames.shape[-2:])).clamp(min=-CLOUD_TOP)

    return torch.stack([(coldness(ours, side) - coldness(theirs, side)).abs().mean() for side in WINDOWS])


def patch_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the root mean square difference of each patch of `PATCH` pixels a side: (..., H, W) to (N, H', W')."""
    squares = (ours - theirs).square().flatten(0, -3)
    return (functional.avg_pool2d(squares, PATCH) + FLOOR).sqrt()


def spectral_distance(truth: Tensor, mean: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the distance between the complex modes of fields (..., H, W), ring by ring from `LOWEST` on: (..., K').

    Parameters
    ----------
    truth, mean
        Their distance, a root mean square over the batch, is 1 in every ring: so each ring counts as much.
    """
    # The power of a difference is the square distance of all modes of a ring, phases included.
    power: Callable[[Tensor], Tensor] = radial_power
    unit = average(power(truth - mean).flatten(0, -2).mean(dim=0)) + FLOOR**2

    def distance(ours: Tensor, theirs: Tensor) -> Tensor:
        return (power(ours - theirs) / unit + FLOOR)[..., LOWEST - 1 :].sqrt()

    return distance
