"""Training of an ensemble: textures around the frozen mean of an earlier model, with proper scores as losses."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tempogan_eddy.dataset.protocol import Sample
from tempogan_eddy.dataset.sensor_bank import SensorBatch
from tempogan_eddy.distributed import share, world_size
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.ensemble import NOISE_CHANNELS, Ensemble, local_spread, noise_of_frame
from tempogan_eddy.model.members import assemble, noise_of_sensor
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.model.scoring import (
    ALMOST_FAIR,
    coldest_distance,
    energy_score,
    patch_distance,
    pixel_distance,
    spectral_distance,
    step_distance,
)
from tempogan_eddy.training.batch import Batch, Generated
from tempogan_eddy.training.calibration import measure_calibration
from tempogan_eddy.training.dressing import fit_dressing
from tempogan_eddy.training.journal import describe_metrics
from tempogan_eddy.training.networks import bare
from tempogan_eddy.training.steps import Steps
from tempogan_eddy.training.trainer import TempoGANTrainer

__all__ = ["EnsembleSteps", "EnsembleTrainer"]

log = logging.getLogger(__name__)

VALIDATION_MEMBERS = 4

LEAST_CONTRAST = 1.0
"""Kelvins that are added to the local spread before a score is divided by it."""


def draw_noise(
    channels: int, frames: int, height: int, width: int, keys: Sequence[tuple[int, ...]]
) -> tuple[Tensor, Tensor]:
    """Return the noise of textures (B, M, C, h', w') and of sensors (B, M, h, w), of a key for each member in turn."""
    textures = torch.stack([noise_of_frame(channels, height, width, *key) for key in keys])
    sensors = torch.cat([noise_of_sensor(slice(0, height), slice(0, width), *key) for key in keys])
    return textures.unflatten(0, (frames, -1)), sensors.unflatten(0, (frames, -1))


class EnsembleSteps(Steps):
    """Steps that learn from several members of the middle frame; Ds, if it is on, judges the first one.

    Attributes
    ----------
    number
        Of the step, which with the place of a sample in it decides the noise: so a resumed run goes on exactly.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        training, losses = self.config.training, self.losses
        self.weights = {
            "loss_crps": losses.lambda_content,
            "loss_relative": training.lambda_relative,
            "loss_modes": losses.lambda_spectral,
            "loss_patches": training.lambda_patches,
            "loss_steps": training.lambda_steps,
            "loss_coldest": training.lambda_coldest,
            "loss_g_spatial": losses.lambda_adv_s,
        }
        self.number = self.drawn = 0

    def run(self, batches: Sequence[Sequence[Mapping[str, Tensor]]], adversarial: bool) -> dict[str, Tensor]:
        """Update the networks once, as `Steps.run`."""
        self.drawn = 0
        return super().run(batches, adversarial)

    def _generate(self, batch: Batch, adversarial: bool) -> Generated:
        assert batch.sensors
        at, kelvin_range = batch.middle, batch.kelvin_range
        lowres, upsampled = batch.lowres[:, at], batch.upsampled
        noise, of_sensors = (part.to(lowres.device) for part in self._noise(len(lowres), *lowres.shape[-2:]))
        mean, added = self.networks.generator(lowres, batch.sensors.description, noise)
        mean, members = map(batch.inner, assemble(mean, added, lowres, batch.sensors, kelvin_range, of_sensors))
        # Exclude missing pixels: all fields hold the upsampled lowres frame there.
        seen, filled = batch.valid[:, at] > 0, to_kelvin(upsampled[:, at], kelvin_range)
        mean, members = torch.where(seen, mean, filled), torch.where(seen, members, filled)
        middle = from_kelvin(members[:, None, :1], kelvin_range)
        frames = torch.cat([upsampled[:, :at], middle, upsampled[:, at + 1 :]], dim=1)
        return Generated(frames, batch, mean, members)

    def _noise(self, count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the noise of textures (B, M, C, h', w') and sensors (B, M, h, w) of the next samples of this step."""
        training, samples = self.config.training, range(self.drawn, self.drawn + count * world_size())
        self.drawn = samples.stop
        members = [(sample, member) for sample in share(samples) for member in range(training.members)]
        return draw_noise(NOISE_CHANNELS, count, height, width, [(training.seed, self.number, *key) for key in members])

    def _content_losses(self, batch: Batch, fake: Generated) -> dict[str, Tensor]:
        """Return the scores: in kelvin, of pixels over the local spread too, and in units of the mean's error of modes.

        Where there is little contrast, members err by little, and scores in kelvin hardly tell whether their spread is
        right. A weight that depends on the measured frame alone leaves a score proper.
        """
        assert fake.members is not None and fake.mean is not None
        members, truth = fake.members.transpose(0, 1), to_kelvin(batch.highres[:, batch.middle, 0], batch.kelvin_range)
        low, high = batch.kelvin_range
        spread = functional.interpolate(local_spread(batch.lowres[:, batch.middle]), scale_factor=float(batch.scale))
        contrast = batch.inner(spread)[:, 0] * (high - low) + LEAST_CONTRAST
        distances = {
            "loss_crps": pixel_distance,
            "loss_relative": lambda ours, theirs: pixel_distance(ours, theirs) / contrast,
            "loss_modes": spectral_distance(truth, fake.mean[:, 0]),
            "loss_patches": patch_distance,
            "loss_steps": step_distance,
            "loss_coldest": coldest_distance,
        }
        return {
            name: energy_score(members, truth, distance, ALMOST_FAIR).mean()
            for name, distance in distances.items()
            if self.weights[name]
        }


class EnsembleTrainer(TempoGANTrainer):
    """Trains the ensemble that a configuration with ``model.textures`` describes, around ``training.start_from``."""

    steps_kind, ensembles = EnsembleSteps, True

    def _start(self) -> None:
        path = self.config.training.start_from
        if not path:
            raise InputError("An ensemble needs the model of its mean; set training.start_from, e.g. to faithful.")
        super()._start()

    def _adopt(self, path: str) -> None:
        super()._adopt(path)
        sensors = self.dataset.sensors
        assert sensors
        for network in (bare(self.networks.generator), self.average.module):
            assert isinstance(network, Ensemble)
            fit_dressing(network, self.dataset, sensors.sensors[0], self.config.data.kelvin_range)
        metrics = measure_calibration(self.validation, partial(self._draw, dressing=True), self.fabric.device)
        log.info("dressing: %s", describe_metrics(metrics, self.validation.bicubic))

    def _train_step(self, batches: Sequence[Sequence[Sample]]) -> dict[str, Tensor]:
        assert isinstance(self.steps, EnsembleSteps)
        self.steps.number = self.step
        return super()._train_step(batches)

    def reconstruct(self, frames: Tensor, sensors: SensorBatch | None = None) -> Tensor:
        """Reconstruct the first member of scaled frames (N, 1, h, w), one at a time to save memory."""
        assert sensors
        members = [self._draw(frame[None], sensors, number, count=1)[1] for number, frame in enumerate(frames)]
        return from_kelvin(torch.cat(members), self.config.data.kelvin_range)

    def calibrate(self) -> None:
        """Scale all amplitudes so that members vary as much as the mean errs, on the validation frames.

        A CRPS is least where ranks are flat. Errors have heavier tails than members, so these vary a little too little.
        One factor is fitted to frames that no weight has seen, as the temperature of a classifier is (Guo et al., "On
        Calibration of Modern Neural Networks", ICML 2017).
        """
        textures: Any = self.average.module.textures
        textures.inflation.fill_(1)
        spread_skill = measure_calibration(self.validation, self._draw, self.fabric.device)["spread_skill"]
        textures.inflation.div_(max(spread_skill, 1e-3))

    def _measure(self) -> dict[str, float]:
        self.calibrate()
        return measure_calibration(self.validation, self._draw, self.fabric.device)

    def _draw(
        self, frames: Tensor, sensors: SensorBatch, number: int, count: int = VALIDATION_MEMBERS, dressing: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Draw members of one frame with the averaged generator, as `Draw`."""
        averaged: Any = self.average.module.eval()
        keys = [(number, member) for member in range(count)]
        height, width = frames.shape[-2:]
        drawn = draw_noise(averaged.source(dressing).noise_channels, 1, height, width, keys)
        noise, of_sensors = (part.to(frames.device) for part in drawn)
        with self.fabric.autocast():
            mean, added = averaged(frames, sensors.description, noise, dressing)
        return assemble(mean, added, frames, sensors, self.config.data.kelvin_range, of_sensors)
