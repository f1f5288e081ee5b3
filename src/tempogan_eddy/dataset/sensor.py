"""The sensor model: how a coarser instrument sees a highres frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.radiance import (
    REFERENCE_KELVIN,
    count_kelvin,
    noise_at,
    round_to_counts,
    round_to_steps,
    to_brightness,
    to_radiance,
)
from tempogan_eddy.dataset.sensor_text import KEY, parse_sensor
from tempogan_eddy.errors import SEEDS, InputError, require_seed
from tempogan_eddy.io import coarsen_grid
from tempogan_eddy.io.grids.resolution import rescaled
from tempogan_eddy.registry import SENSORS

if TYPE_CHECKING:
    from tempogan_eddy.specification import Specification

__all__ = ["SensorModel", "within"]

# Typical error, K, of the frames that a projection corrects; the unit of lambda.
ERROR_KELVIN = 3.0

# Values carry at least this rounding, K. Without it modes that a blurred sensor hardly sees would amplify it.
ROUNDING_KELVIN = 0.0005


def within(default: Any, least: float, most: float) -> Any:
    """Return a numeric parameter of a sensor: its default, or a value from ``least`` to ``most``."""
    return field(default=default, metadata={"limits": (least, most)})


@dataclass(frozen=True)
class SensorModel:
    """A sensor A: from the highres to the lowres grid.

    ``SensorModel(kind, ...)`` returns the sensor of that kind. A subclass, registered in ``SENSORS`` of
    `tempogan_eddy.registry`, adds a kind; fields of its own are its parameters, which a configuration gives in
    ``sensor.parameters``.

    Parameters
    ----------
    kind
        Of this package: ``area`` (mean over the block), ``bicubic`` (antialiased, Keys 1981 with a = -0.5) and
        ``gaussian`` (modulation transfer function of a gaussian with ``sigma``).
    scale
        How many times coarser the lowres grid is.
    sigma
        Standard deviation of the gaussian, in highres pixels; other kinds of this package ignore it.
    noise_kelvin
        Standard deviation of the white noise added after sampling, K. With a ``wavelength`` it holds for a scene of
        300 K and grows towards cold as a constant noise in radiance does.
    wavelength
        Average in radiance at this wavelength, µm; 0 averages kelvin.
    quantum
        Step of the values after noise, K; 0 for none.
    cold_quantum
        Step below 242 K, where it differs (GMS VISSR).
    bits
        Values are counts of so many bits, even in radiance up to 330 K; needs a ``wavelength``.
    """

    kind: str = "area"
    scale: int = 4
    sigma: float = within(2.0, 0.01, 256)
    noise_kelvin: float = within(0.0, 0, 20)
    wavelength: float = within(0.0, 3, 16)
    quantum: float = within(0.0, 0, 20)
    cold_quantum: float = within(0.0, 0, 20)
    bits: int = within(0, 4, 16)

    uses_sigma: ClassVar[bool] = False

    def __new__(cls, kind: str = "area", *given: Any, **parameters: Any) -> Self:
        """Make a sensor of the class that the kind is registered for.

        Raises
        ------
        InputError
            The kind is unknown, or has no such parameter.
        """
        chosen = SENSORS[kind] if cls is SensorModel else cls
        known = [entry.name for entry in fields(chosen)]
        if unknown := sorted(parameters.keys() - set(known)):
            raise InputError(f"The sensor {kind} has no parameter {unknown[0]!r}; it has {', '.join(known)}.")
        made: Any = object.__new__(chosen)
        return made

    def __post_init__(self) -> None:
        """Check the parameters that have limits, and turn them into the types of their defaults.

        Raises
        ------
        InputError
            A value is no number or beyond its limits, or there are bits but no wavelength.
        """
        for entry in fields(self):
            value, limits = getattr(self, entry.name), entry.metadata.get("limits")
            if limits is None or value is entry.default:
                continue
            whole = isinstance(entry.default, int)
            usable = isinstance(value, Real) and (value == entry.default or limits[0] <= value <= limits[1])
            if not usable or (whole and value != int(value)):
                wanted = f"{'whole ' * whole}number from {limits[0]:g} to {limits[1]:g}"
                raise InputError(f"The sensor {self.kind} cannot have {entry.name} = {value!r}; give a {wanted}.")
            object.__setattr__(self, entry.name, int(value) if whole else float(value))
        if self.bits and not self.wavelength:
            raise InputError(f"The sensor {self.kind} has bits, which are counts of radiance; give its wavelength too.")

    @classmethod
    def parse(cls, text: str, scale: int = 4) -> SensorModel:
        """Return the sensor that a text states: ``seviri``, ``gaussian,fwhm=1.0,noise=0.3``, ``gridsat,noise=0.2``.

        Parameters
        ----------
        text
            A preset or a kind, and ``key=value`` parts; docs/sensors.md lists them.
        scale
            How many times coarser the lowres grid is.

        Raises
        ------
        InputError
            A name, key or value is not known or not usable.
        """
        kind, parameters = parse_sensor(text)
        return SensorModel(kind, scale, **parameters)

    @classmethod
    def from_config(cls, config: Config | Specification) -> SensorModel:
        """Return the sensor that a configuration or the specification of a model file describes."""
        sensor = config.sensor
        parameters: dict[str, Any] = sensor.parameters
        return SensorModel(sensor.kind, config.scale, sensor.sigma, sensor.noise_kelvin, **parameters)

    def section(self) -> dict[str, Any]:
        """Return the section ``sensor`` of a configuration that `from_config` reads as this sensor."""
        own = self.parameters
        sigma = {"sigma": own.pop("sigma")} if "sigma" in own else {}
        return {"kind": self.kind, **sigma, "noise_kelvin": self.noise_kelvin, "parameters": own}

    @classmethod
    def from_attributes(cls, attrs: Mapping[Any, Any], scale: int) -> SensorModel:
        """Return the sensor that `attributes` describe; the area mean where they name none.

        Raises
        ------
        InputError
            The sensor or a parameter of it is not known here.
        """
        kind = str(attrs.get("sensor_model", "area"))
        try:
            names = {entry.name for entry in fields(SENSORS[kind])} - {"kind", "scale"}
            stated = {name: attrs[key] for name in names if (key := f"sensor_model_{name}") in attrs}
            if not stated.get("sigma"):  # of another kind, or of an early release
                stated.pop("sigma", None)
            return SensorModel(kind, scale, **stated)
        except InputError as error:
            raise InputError(f"The input records a sensor that cannot be used: {error}") from None

    @property
    def text(self) -> str:
        """The text that `parse` reads as this sensor, whatever its scale."""
        noise = {"noise_kelvin": self.noise_kelvin} if self.noise_kelvin else {}
        common = {entry.name for entry in fields(SensorModel)} - {"sigma"}
        stated = sorted((self.parameters | noise).items(), key=lambda item: item[0] in common)  # widths first
        return ",".join([self.kind, *(f"{KEY.get(name, name)}={_shown(value)}" for name, value in stated)])

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the kind, besides scale and noise."""
        common = {"kind", "scale", "noise_kelvin"} | (set() if self.uses_sigma else {"sigma"})
        own = [entry for entry in fields(self) if entry.name not in common]
        # An unusual setting only: files should not list what a sensor lacks.
        return {
            entry.name: getattr(self, entry.name)
            for entry in own
            if entry.name == "sigma" or getattr(self, entry.name) != entry.default
        }

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of a file that describe the sensor that saw it."""
        return {
            "sensor_model": self.kind,
            "sensor_model_text": self.text,
            "sensor_model_scale": self.scale,
            "sensor_model_sigma": 0.0,
            "sensor_model_noise_kelvin": self.noise_kelvin,
            **{f"sensor_model_{name}": value for name, value in self.parameters.items()},
        }

    @property
    def is_block_mean(self) -> bool:
        """Whether the sensor, without its noise, averages the kelvins of a block."""
        return False

    @property
    def keeps_block_mean(self) -> bool:
        """Whether the block mean of a highres frame is its lowres frame; noise would be projected into it."""
        return self.is_block_mean and not self.has_noise

    @property
    def has_noise(self) -> bool:
        """Whether values differ from A x by noise or rounding."""
        return bool(self.noise_kelvin or self.quantum or self.bits)

    @property
    def noise(self) -> float:
        """Standard deviation of noise and rounding together, in radiance units near 250 K."""
        return math.hypot(noise_at(REFERENCE_KELVIN, self.noise_kelvin, self.wavelength), self.step / math.sqrt(12))

    @property
    def step(self) -> float:
        """The largest step of rounding, K near 250 K."""
        counted = count_kelvin(self.wavelength, self.bits) if self.bits else 0.0
        return max(self.quantum, self.cold_quantum, counted)

    @property
    def regularisation(self) -> float:
        """Lambda of the projection: the variance of the noise over that of what it corrects."""
        return (self.noise**2 + ROUNDING_KELVIN**2) / ERROR_KELVIN**2

    @property
    def margin(self) -> int:
        """How far, in highres pixels, the sensor sees beyond a block; a multiple of ``scale``."""
        return 0

    def see(self, frames: Tensor, inside: Tensor | None = None) -> Tensor:
        """See highres frames, without noise: A x.

        Parameters
        ----------
        frames
            (..., H, W), NaN where missing; H and W multiples of ``scale``.
        inside
            The same shape, False for pixels beyond the edge of the frame that these are cut out of; all of
            them are inside by default.

        Returns
        -------
        Tensor
            (..., H / scale, W / scale), NaN where less than half was seen.
        """
        raise NotImplementedError

    def adjoint(self, lowres: Tensor) -> Tensor:
        """Apply the transpose of A to lowres frames (..., h, w) without missing pixels: (..., H, W)."""
        raise NotImplementedError

    def project(self, highres: Tensor, lowres: Tensor) -> Tensor:
        """Return the frames x that lie nearest to the highres frames and satisfy A x = y for the lowres frames y.

        Parameters
        ----------
        highres
            (..., H, W).
        lowres
            (..., h, w); missing pixels change nothing.
        """
        raise NotImplementedError

    def apply(self, frames: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """See highres frames as `see` does, with noise and rounding; noise needs a generator."""
        seen = self.see(frames)
        if not self.noise_kelvin:
            return self.measure(seen)
        if generator is None:
            raise ValueError("noise needs a generator, so that it can be repeated")
        return self.measure(seen, torch.randn(seen.shape, generator=generator, device=generator.device))

    def measure(self, seen: Tensor, noise: Tensor | None = None) -> Tensor:
        """Turn A x into values that the instrument delivers: add noise of unit variance, then round."""
        if noise is not None:
            amount = noise_at(REFERENCE_KELVIN, self.noise_kelvin, self.wavelength)
            radiance = to_radiance(seen, self.wavelength) + amount * noise.to(seen.device)
            seen = to_brightness(radiance, self.wavelength)
        if self.bits:
            seen = round_to_counts(seen, self.wavelength, self.bits)
        return round_to_steps(seen, self.quantum, self.cold_quantum)

    def coarsen(self, sequence: xr.DataArray, seed: int = 0) -> xr.DataArray:
        """See a whole sequence, lazily, on the coarsened grid.

        Trailing rows and columns that do not fill a block are dropped.

        Parameters
        ----------
        sequence
            (time, y, x) or (member, time, y, x) in kelvin.
        seed
            Decides the noise, frame by frame.
        """
        seed = require_seed(seed)
        height, width = sequence.shape[-2:]
        rows, columns = height // self.scale, width // self.scale
        if not rows or not columns:
            raise InputError(
                f"Frames of {height}x{width} pixels are smaller than one {self.scale}x{self.scale} block; "
                "they cannot be coarsened."
            )

        def see(block: np.ndarray, block_info: dict | None = None) -> np.ndarray:
            index = block_info[0]["chunk-location"][-3] if block_info else 0
            generator = torch.Generator().manual_seed(((seed << 20) + index) % SEEDS)
            highres = torch.from_numpy(np.array(block[..., : rows * self.scale, : columns * self.scale], np.float32))
            return self.apply(highres, generator).numpy()

        # One member at a time, so that its noise does not depend on the other members.
        lazy = sequence.chunk(dict.fromkeys(sequence.dims[:-2], 1) | {"y": height, "x": width}).data
        lowres = lazy.map_blocks(
            see,
            dtype=np.float32,
            chunks=(*lazy.chunks[:-2], (rows,), (columns,)),
            meta=np.empty((0,) * sequence.ndim, np.float32),
        )
        attributes = {**rescaled(sequence.attrs, 1 / self.scale), **self.attributes()}
        return xr.DataArray(
            lowres,
            dims=sequence.dims,
            coords=coarsen_grid(sequence, self.scale),
            name=sequence.name,
            attrs=attributes,
        )


def _shown(value: Any) -> str:
    """Return the shortest text that reads as the value."""
    if not isinstance(value, float):
        return str(value)
    return short if float(short := f"{value:g}") == value else repr(value)
