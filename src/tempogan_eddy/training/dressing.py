"""Fit the dressing of an ensemble on training frames."""

from __future__ import annotations

import torch
from torch.nn import functional

from tempogan_eddy.dataset.protocol import DataSource
from tempogan_eddy.dataset.sensor_bank import SensorBank
from tempogan_eddy.dataset.separable_sensors import SeparableSensor
from tempogan_eddy.model.ensemble import Ensemble, local_spread, noise_of_frame
from tempogan_eddy.model.members import assemble
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.spread import spread_evenly

__all__ = ["fit_dressing"]

FRAMES = 24


def fit_dressing(
    ensemble: Ensemble, data: DataSource, sensor: SeparableSensor, kelvin_range: tuple[float, float]
) -> None:
    """Fit the strength of the dressing to the errors of the mean in frames spread evenly over the data.

    Parameters
    ----------
    ensemble
        With the weights of its mean.
    data
        Training windows; only the highres middle frames are used.
    sensor
        Sees these frames. Under another sensor the strength is that of this one at equal local spread.
    kelvin_range
        The kelvins that scale to 0 and 1.
    """
    low, high = kelvin_range
    spreads, squares = [], []
    for position in spread_evenly(len(data), FRAMES):
        sample = data.full_frame(position)
        truth, valid = sample["highres"][1:2], sample["valid"][1:2]
        lowres = from_kelvin(sensor.apply(truth, torch.Generator().manual_seed(position)), kelvin_range)
        sensors = SensorBank([sensor]).batch(torch.zeros(1, dtype=torch.long), *lowres.shape[-2:])
        noise = noise_of_frame(ensemble.dressing.noise_channels, *lowres.shape[-2:], position)[None, None]
        with torch.no_grad():
            mean, added = ensemble(lowres, sensors.description, noise, dressing=True)
            frame, _ = assemble(mean, added, lowres, sensors, kelvin_range)
        error = functional.avg_pool2d(((frame - truth) / (high - low)).square(), sensor.scale)
        whole = functional.avg_pool2d(valid, sensor.scale) == 1
        spreads.append(local_spread(lowres)[whole])
        squares.append(error[whole])
    ensemble.dressing.fit(torch.cat(spreads), torch.cat(squares))
