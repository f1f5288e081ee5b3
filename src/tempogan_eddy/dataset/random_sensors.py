"""The sensors that a model for every sensor is trained on."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tempogan_eddy.dataset.separable_sensors import AreaSensor, BoxSensor, GaussianSensor, SeparableSensor

__all__ = ["KNOWN", "draw_number", "random_sensors"]

# Validation scores these sensors in turn; the first is the plain area mean.
KNOWN: tuple[dict[str, Any], ...] = (
    {},
    {"fwhm": 1.0, "width": 0.0},
    {"width": 1.6, "fwhm": 0.47, "noise_kelvin": 0.2},
    {"width": 0.5},
)

PLAIN = 0.25
"""Share of the samples that the plain area mean sees."""

SHARES = {
    "gaussian": 0.25, "box": 0.2, "both": 0.25, "area": 0.15, "sample": 0.15,
    "anisotropic": 0.3, "noisy": 0.5, "rounded": 0.15, "shifted": 0.3, "radiance": 0.25,
}  # fmt: skip
"""Shares of the kinds of footprint, which sum to 1, and of the traits, which are independent."""

WIDTHS = {"box": (0.25, 2.2), "both": (0.4, 1.8), "sample": (0.25, 0.6)}
"""Least and largest width of a box, in lowres pixels. A sample is one highres pixel or little more."""

WAVELENGTHS = (10.4, 10.8, 11.2, 12.0)


def random_sensors(count: int, scale: int, seed: int) -> list[SeparableSensor]:
    """Return the `KNOWN` sensors and ``count`` random ones, the same for the same seed."""
    rng = np.random.default_rng((seed, 1 << 30))
    known: list[SeparableSensor] = [AreaSensor("area", scale)]
    known += [BoxSensor("box", scale, **parameters) for parameters in KNOWN[1:]]
    return known + [_random(rng, scale) for _ in range(count)]


def draw_number(rng: np.random.Generator, count: int) -> int:
    """Return the number of a sensor among `random_sensors`: the area mean for `PLAIN` of the draws, else any other."""
    return 0 if count == 1 or rng.random() < PLAIN else int(rng.integers(1, count))


def _random(rng: np.random.Generator, scale: int) -> SeparableSensor:
    kinds = ["gaussian", "box", "both", "area", "sample"]
    kind = rng.choice(kinds, p=[SHARES[kind] for kind in kinds])
    has = {trait: rng.random() < SHARES[trait] for trait in list(SHARES)[len(kinds) :]}
    parameters: dict[str, Any] = dict(_traits(rng, has))
    stretch = float(np.exp(rng.uniform(-0.5, 0.5))) if has["anisotropic"] else 1.0
    if kind == "area":
        parameters.pop("phase", None), parameters.pop("phase_x", None)
        return AreaSensor("area", scale, **parameters)
    fwhm = width = 0.0
    if kind in ("gaussian", "both"):
        fwhm = float(rng.uniform(0.3, 2.0 if kind == "gaussian" else 1.4))
    if kind != "gaussian":
        width = float(rng.uniform(*WIDTHS[kind]))
    # Wider footprints than these blur all detail away.
    widths: dict[str, Any] = {"width": width, "fwhm": fwhm}
    widths |= {"width_x": min(width * stretch, 2.4), "fwhm_x": min(fwhm * stretch, 2.0)}
    return (GaussianSensor if kind == "gaussian" else BoxSensor)(
        "gaussian" if kind == "gaussian" else "box", scale, **parameters, **widths
    )


def _traits(rng: np.random.Generator, has: dict[str, bool]) -> Iterator[tuple[str, float]]:
    if has["noisy"]:
        yield "noise_kelvin", float(np.exp(rng.uniform(np.log(0.03), np.log(1.0))))
    if has["rounded"]:
        yield "quantum", float(rng.choice([0.5, 1.0]))
    if has["shifted"]:
        yield from (("phase", float(rng.uniform(-0.3, 0.3))), ("phase_x", float(rng.uniform(-0.3, 0.3))))
    if has["radiance"]:
        yield "wavelength", float(rng.choice(WAVELENGTHS))
