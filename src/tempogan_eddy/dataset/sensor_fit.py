"""Fit of a footprint, with the spectrum of the scene, to the power spectrum of lowres frames.

The model of the power at lowres frequency f is the sum over aliases m of S(f + m) |H(f + m)|^2, plus white noise. S is
the spectrum of the scene, with a prior from the training scenes; H is the transfer function of the footprint.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from tempogan_eddy.dataset.axis import FWHM, Kernel, footprint, modulation
from tempogan_eddy.dataset.lowres_power import SIZE, WindowPower

__all__ = ["SCALE", "WIDTHS", "Fit", "fit_footprint", "transfer"]

SCALE = 4
"""Highres pixels along a lowres pixel: aliases reach up to the highres Nyquist frequency."""

WIDTHS = {"box": (0.5, 2.8), "gaussian": (0.2, 2.8)}
"""Narrowest and widest footprint, lowres pixels; narrower ones see the same highres pixels."""

# Scenes in windows of SIZE pixels: ln S = c - b x - curve x^2 / 2 + (a + tilt x) cos(2 angle), where x = ln(k / 0.4).
# Means and deviations over the terciles of the windows of the training scenes, quiet to busy.
REFERENCE = 0.4  # cycles per lowres pixel
SLOPES = {1: ((2.8,), (0.2,)), 3: ((2.4, 2.72, 2.95), (0.2, 0.12, 0.12))}
CURVE = (0.35, 0.12)
STRETCH = 0.5
TILT = 0.15
NOISE = 0.2  # K
GROWTH = (0.1, 0.2)  # of ln noise from one group to the next, which is colder
ANISOTROPY = 0.4  # of ln width along y and x

NODES = 120  # of the tabulated widths


@dataclass(frozen=True)
class Fit:
    """The best footprint of one family.

    Attributes
    ----------
    family : str
        ``box`` or ``gaussian``.
    widths : (2,) array
        Along y and x, lowres pixels: of the box, or the full width at half maximum of the gaussian.
    width_error : (2,) array
        Standard errors of ln width; 0 where the width was given.
    noise, noise_error : float
        Standard deviation of white noise, K, and the standard error of its logarithm.
    cost : float
        Minus the logarithm of likelihood and prior, less a constant.
    """

    family: str
    widths: NDArray[np.float64]
    width_error: NDArray[np.float64]
    noise: float
    noise_error: float
    cost: float

    def transfer(self, widths: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return `transfer` along y and x (2, 2) at the widths of the fit, or at others."""
        widths = self.widths if widths is None else widths
        return np.stack([transfer(kernel_of(self.family, float(width))) for width in widths])


def kernel_of(family: str, width: float) -> Kernel:
    """Return the kernel of a footprint as wide as that, in lowres pixels."""
    if family == "box":
        return footprint(SCALE, width * SCALE)
    return footprint(SCALE, 0.0, width * SCALE / FWHM)


def transfer(kernel: Kernel, scale: int = SCALE) -> NDArray[np.float64]:
    """Return |H| at a half of and at the lowres Nyquist frequency."""
    return modulation(kernel, scale, torch.tensor([0.25, 0.5])).abs().numpy()


def fit_footprint(data: WindowPower, family: str, start: tuple[float, ...], fixed: bool = False) -> Fit:
    """Fit the footprint of a family, with scene and noise, by maximum likelihood (Whittle).

    Parameters
    ----------
    data : WindowPower
        What was measured.
    family : str
        ``box`` or ``gaussian``.
    start : tuple of float
        Widths to start from: one for both axes, or one along y and one along x.
    fixed : bool
        Whether the widths stay as they are.
    """
    from scipy.optimize import least_squares  # imported late: few commands estimate a sensor, many import this

    problem = _Problem(data, family, start, fixed)
    found = least_squares(
        problem.residuals, problem.start, problem.jacobian, bounds=problem.bounds, x_scale=problem.steps,
        ftol=1e-5, xtol=1e-5, gtol=1e-5, max_nfev=40,
    )  # fmt: skip
    covariance = np.linalg.pinv(found.jac.T @ found.jac)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0))
    logs = problem.widths_of(found.x)
    free = len(start) if not fixed else 0
    width_error = np.broadcast_to(errors[len(errors) - free :] if free else np.zeros(1), 2)
    return Fit(
        family,
        np.exp(np.broadcast_to(logs, 2)),
        width_error,
        math.exp(found.x[problem.noise]),
        float(errors[problem.noise]),
        float(found.cost),
    )


class _Problem:
    """Residuals, whose squares sum to twice the cost, and their derivatives.

    The parameters are c, b and a of each group; tilt, curve, growth of noise and ln noise of all; and the logarithms of
    the free widths.
    """

    def __init__(self, data: WindowPower, family: str, start: tuple[float, ...], fixed: bool) -> None:
        self.data, self.family = data, family
        self.groups = groups = len(data.power)
        self.noise = 3 * groups + 3
        self.rank = np.arange(groups) - (groups - 1) / 2
        self.given = np.log(start) if fixed else None
        free = 0 if fixed else len(start)
        mean, deviation = SLOPES[groups]
        parameters = self.noise + 1 + free
        self.prior_mean, self.prior_weight = np.zeros(parameters), np.zeros(parameters)
        for place, means, deviations in (
            (slice(groups, 2 * groups), mean, deviation),
            (slice(2 * groups, 3 * groups), 0.0, STRETCH),
            (slice(3 * groups, self.noise), (0.0, CURVE[0], GROWTH[0]), (TILT, CURVE[1], GROWTH[1])),
        ):
            self.prior_mean[place], self.prior_weight[place] = means, 1 / np.asarray(deviations)
        level = np.log(data.power.mean(axis=1)) - 2.0
        noise = np.clip(0.5 * np.log(max(data.power.min(), 1e-6) * 0.3), -7, 2)
        logs = np.log(start)[:free]
        self.start = np.concatenate([level, mean, np.zeros(groups), [0.0, CURVE[0], 0.0, noise], logs])
        low, high = np.log(WIDTHS[family])
        reach = np.array([30] * groups + [2.5] * groups + [3] * groups + [2, 2, 1])
        middle = self.start[: self.noise]
        self.bounds = (
            np.concatenate([middle - reach, [-7.5], [low - 1e-6] * free]),
            np.concatenate([middle + reach, [2.5], [high + 1e-6] * free]),
        )
        self.steps = np.concatenate(
            [[1.0] * groups, [0.1] * groups, [0.3] * groups, [0.1, 0.15, 0.2, 1.0], [0.1] * free]
        )
        self._last: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None = None

    def widths_of(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln width: one for both axes, or two."""
        return parameters[self.noise + 1 :] if self.given is None else self.given

    def residuals(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._evaluate(parameters)[0]

    def jacobian(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._evaluate(parameters)[1]

    def _evaluate(self, parameters: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self._last is None or not np.array_equal(self._last[2], parameters):
            model, slope = self._model(parameters)
            ratio = self.data.power / model
            # Gamma distributed power has the deviance 2 weight (ratio - 1 - ln ratio).
            root = np.sign(ratio - 1) * np.sqrt(np.maximum(2 * (ratio - 1 - np.log(ratio)), 1e-16))
            weight = np.sqrt(self.data.weight)
            slope *= (weight * (1 - ratio) / model / np.where(root == 0, 1.0, root))[..., None]
            noise = math.exp(parameters[self.noise]) / NOISE
            residuals = [(weight * root).ravel(), (parameters - self.prior_mean) * self.prior_weight, [noise]]
            along = np.zeros((1, len(parameters)))
            along[0, self.noise] = noise
            rows = [slope.reshape(-1, len(parameters)), np.diag(self.prior_weight), along]
            widths = parameters[self.noise + 1 :]
            if len(widths) == 2:
                residuals.append([(widths[1] - widths[0]) / ANISOTROPY])
                rows.append(np.eye(1, len(parameters), self.noise + 2) - np.eye(1, len(parameters), self.noise + 1))
                rows[-1] /= ANISOTROPY
            self._last = np.concatenate(residuals), np.concatenate(rows), parameters.copy()
        return self._last[:2]

    def _model(self, parameters: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the power (G, M) and its derivatives (G, M, parameters)."""
        groups, widths = self.groups, self.widths_of(parameters)
        level, slope, stretch = parameters[: 3 * groups].reshape(3, groups)
        tilt, curve, growth, noise = parameters[3 * groups : self.noise + 1]
        log_k, cosine, square = _aliases()
        (along_y, change_y), (along_x, change_x) = (_gain(self.family, width) for width in (widths[0], widths[-1]))
        rows, columns = np.rint(self.data.frequencies * SIZE).astype(np.intp)
        # (M, aliases along y, aliases along x)
        gain = along_y[rows][:, :, None] * along_x[columns][:, None]
        log_k, cosine, square = (part[rows, columns] for part in (log_k, cosine, square))
        common = gain * np.exp(-curve / 2 * log_k**2 + tilt * cosine * log_k)
        model = np.empty(self.data.power.shape)
        change = np.zeros((*model.shape, len(parameters)))
        for group in range(groups):
            # The taper smears the steep spectrum of large scales.
            spread = slope[group] / (6 * SIZE**2 * square)
            smear = 1 + slope[group] * spread
            power = common * smear * np.exp(level[group] - slope[group] * log_k + stretch[group] * cosine)
            total = power.sum(axis=(1, 2))
            tilted, steep = power * cosine, power * log_k
            added = math.exp(2 * (noise + growth * self.rank[group]))
            model[group] = total + added
            change[group, :, group] = total
            change[group, :, groups + group] = (power * 2 * spread / smear - steep).sum(axis=(1, 2))
            change[group, :, 2 * groups + group] = tilted.sum(axis=(1, 2))
            change[group, :, 3 * groups] = (tilted * log_k).sum(axis=(1, 2))
            change[group, :, 3 * groups + 1] = -(steep * log_k).sum(axis=(1, 2)) / 2
            change[group, :, 3 * groups + 2] = 2 * added * self.rank[group]
            change[group, :, self.noise] = 2 * added
            if self.given is None:
                along = [
                    (power * change_y[rows][:, :, None]).sum(axis=(1, 2)),
                    (power * change_x[columns][:, None]).sum(axis=(1, 2)),
                ]
                change[group, :, self.noise + 1 :] = np.stack(along if len(widths) == 2 else [along[0] + along[1]], -1)
        return model, change


@lru_cache(1)
def _aliases() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return x, cos(2 angle) and k^2 of the aliases of the modes of a quadrant: (F, F, SCALE, SCALE)."""
    frequency = _frequencies()
    y, x = frequency[:, None, :, None], frequency[None, :, None, :]
    square = np.maximum(y**2 + x**2, 1 / SIZE**2)
    return np.log(square / REFERENCE**2) / 2, (y**2 - x**2) / square, square


def _frequencies() -> NDArray[np.float64]:
    """Return the frequencies of an axis with their aliases (F, SCALE), cycles per lowres pixel."""
    return np.arange(SIZE // 2 + 1)[:, None] / SIZE + np.arange(-(SCALE // 2), SCALE - SCALE // 2)


@lru_cache(2)
def _gains(family: str) -> NDArray[np.float64]:
    """Return |H|^2 of widths that are even in ln width: (NODES, F, SCALE)."""
    frequencies = _frequencies()
    widths = np.geomspace(*WIDTHS[family], NODES)
    gains = [modulation(kernel_of(family, w), SCALE, torch.from_numpy(frequencies.ravel())).abs() ** 2 for w in widths]
    return torch.stack(gains).numpy().reshape(NODES, *frequencies.shape)


def _gain(family: str, log_width: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return |H|^2 (F, SCALE), and its derivative by ln width over |H|^2."""
    low, high = np.log(WIDTHS[family])
    step = (high - low) / (NODES - 1)
    place = float(np.clip((log_width - low) / step, 0, NODES - 1 - 1e-9))
    node = int(place)
    below, above = _gains(family)[node : node + 2]
    gain = below + (place - node) * (above - below) + 1e-12
    return gain, (above - below) / step / gain
