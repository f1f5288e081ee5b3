"""Draw members of an ensemble."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import SensorBank, SensorBatch
from tempogan_eddy.dataset.separable_sensors import SeparableSensor
from tempogan_eddy.device import exact_convolutions
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.ensemble import MARGIN, Ensemble
from tempogan_eddy.model.members import add_detail, warmest_around
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.weights import Model, load_model

__all__ = ["MemberDraw", "Shared"]


@dataclass(frozen=True)
class Shared:
    """What the members of a frame share.

    Attributes
    ----------
    mean : (1, 1, H, W)
        The frame of the mean in kelvin.
    warmest : (1, 1, H, W)
        The kelvins that no detail may exceed.
    amplitudes : (K, H, W)
        Of the textures, scaled.
    sensors
        The sensor at the size of the frame.
    """

    mean: Tensor
    warmest: Tensor
    amplitudes: Tensor
    sensors: SensorBatch


class MemberDraw:
    """Draw members for the frames of one sensor. It can be pickled.

    The mean and the amplitudes of the textures are computed once for each frame, by the generator of this one sensor.

    Parameters
    ----------
    model
        An ensemble, from `load_model`, or what `load_model` takes.
    sensor
        The sensor that saw the frames; the area mean by default.
    dressing
        Draw white noise whose strength follows the local spread, in place of the learned textures.

    Attributes
    ----------
    scale
        Highres pixels along the side of one lowres pixel.
    noise_channels, margin
        Of the noise: channels, and lowres pixels beyond each edge of the frame.
    noisy
        Whether the sensor has noise, which members draw too.
    halo
        Lowres pixels of frames around a tile on which its highres pixels depend; noise needs ``margin`` more.

    Raises
    ------
    InputError
        The model is no ensemble, or the sensor is not separable.
    """

    margin = MARGIN

    def __init__(self, model: Model | str | Path, sensor: SensorModel | None = None, *, dressing: bool = False) -> None:
        model = model if isinstance(model, Model) else load_model(model)
        sensor = sensor or model.sensor
        if not isinstance(model.generator, Ensemble):
            raise InputError(
                f"The model {model.name} is no ensemble, so it draws no members; use --model ensemble, or one that was "
                "trained with model.textures."
            )
        if not isinstance(sensor, SeparableSensor):
            raise InputError(f"The sensor {sensor.kind} is not separable, so no ensemble adapts to it.")
        ensemble = copy.deepcopy(model.generator).eval().requires_grad_(False)
        self.sensors, self.kelvin_range = SensorBank([sensor]), model.kelvin_range
        self.generator = ensemble.base.folded(self.sensors.descriptions[0])
        self.source = ensemble.source(dressing)
        self.scale, self.halo = model.scale, ensemble.halo + sensor.halo
        self.noise_channels, self.noisy = self.source.noise_channels, sensor.has_noise

    def to(self, device: torch.device) -> MemberDraw:
        """Move the networks to a device, which then computes."""
        self.generator.to(device)
        self.source.to(device)
        return self

    @torch.inference_mode()
    def share(self, frame: Tensor) -> Shared:
        """Return what the members of a frame (h, w) share; in kelvin, none missing."""
        kelvin = frame[None, None]
        scaled = from_kelvin(kelvin, self.kelvin_range)
        sensors = self.sensors.batch(torch.zeros(1, dtype=torch.long), *frame.shape).to(frame.device)
        with exact_convolutions():
            features = self.generator.features_of_centred(scaled - 0.5)
            mean = self.generator.combine(scaled, self.generator.tail(features))
            amplitudes = self.source.amplitudes(features, scaled, sensors.description)[0]
        mean = sensors.project(to_kelvin(mean, self.kelvin_range), kelvin)
        return Shared(mean, warmest_around(mean, kelvin), amplitudes, sensors)

    @torch.inference_mode()
    def textures(self, noise: Tensor) -> Tensor:
        """Return the textures (K, H, W) of noise (C, h + 2 margin, w + 2 margin)."""
        return self.source.textures(noise[None])[0]

    @torch.inference_mode()
    def member(self, shared: Shared, textures: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the member (H, W) in kelvin that textures (K, H, W), and noise of the sensor (1, h, w), make."""
        low, high = self.kelvin_range
        added = (high - low) * self.source.combine(shared.amplitudes, textures)
        return add_detail(shared.mean, added, shared.warmest, shared.sensors, noise)[0, 0]
