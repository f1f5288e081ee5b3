"""Draw members of an ensemble."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import SensorBank
from tempogan_eddy.dataset.separable_sensors import SeparableSensor
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.ensemble import MARGIN, Ensemble, assemble, white_noise
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.weights import Model, load_model

__all__ = ["MemberDraw"]


class MemberDraw:
    """Draw members for the frames of one sensor. It can be pickled.

    What the members share is computed once for each frame: the mean and the amplitudes of the textures.

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
            raise InputError(f"The model {model.name} is no ensemble; give one that was trained with model.textures.")
        if not isinstance(sensor, SeparableSensor):
            raise InputError(f"The sensor {sensor.kind} is not separable, so no ensemble adapts to it.")
        self.network, self.dressing = copy.deepcopy(model.generator).eval().requires_grad_(False), dressing
        self.sensors, self.kelvin_range = SensorBank([sensor]), model.kelvin_range
        self.scale, self.halo = model.scale, self.network.halo + sensor.halo
        self.noise_channels = self.network.source(dressing).noise_channels

    def noise(self, height: int, width: int, seed: int, member: int, time: int) -> Tensor:
        """Return the white noise of one member's frame on its whole lowres grid, for every tile to be cut from.

        Parameters
        ----------
        height, width
            Of the frame in lowres pixels.
        seed, member, time
            Decide the noise; the time in nanoseconds since 1970.

        Returns
        -------
        Tensor
            (C, h + 2 margin, w + 2 margin).
        """
        return white_noise(self.noise_channels, height, width, seed, member, time)

    @torch.no_grad()
    def draw(self, frames: np.ndarray, noise: Tensor) -> np.ndarray:
        """Return members, each of which the sensor sees as the frames.

        Parameters
        ----------
        frames
            (T, h, w) in kelvin, NaN where missing.
        noise
            (M, T, C, h + 2 margin, w + 2 margin).

        Returns
        -------
        ndarray
            (M, T, H, W) float32 in kelvin, NaN where the lowres pixel is missing.
        """
        lowres = np.array(frames, np.float32)
        filled = torch.from_numpy(fill_missing(lowres))[:, None]
        made = [self._members(frame[None], part[None]) for frame, part in zip(filled, noise.unbind(1), strict=True)]
        members = torch.cat(made).transpose(0, 1).numpy()
        missing = np.isnan(lowres).repeat(self.scale, 1).repeat(self.scale, 2)
        if missing.any():
            members[:, missing] = np.nan
        return members

    def _members(self, frame: Tensor, noise: Tensor) -> Tensor:
        """Return the members (1, M, H, W) of one frame (1, 1, h, w)."""
        scaled = from_kelvin(frame, self.kelvin_range)
        sensors = self.sensors.batch(torch.zeros(1, dtype=torch.long), *frame.shape[-2:])
        mean, added = self.network(scaled, sensors.description, noise, self.dressing)
        return assemble(mean, added, scaled, sensors, self.kelvin_range)[1]
