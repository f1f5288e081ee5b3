"""The configuration: JSON with ``#`` comments, read once, checked in full, printed by ``tempogan-eddy config``.

Unknown keys are refused by name.
"""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from tempogan_eddy.config_data import DataConfig, PairsConfig, Section, SplitConfig
from tempogan_eddy.config_text import describe_problems, parse_yaml
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.json_text import read_bounded
from tempogan_eddy.registry import SENSORS

__all__ = [
    "Config",
    "DataConfig",
    "ModelConfig",
    "PairsConfig",
    "Scale",
    "SensorConfig",
    "SplitConfig",
    "TrainingConfig",
    "load_config",
]

log = logging.getLogger(__name__)

Scale = Literal[2, 3, 4, 8]


def _known_sensor(kind: str) -> str:
    """Return a kind of sensor, which may be one that was registered after this module was imported."""
    if kind not in list(SENSORS):
        raise ValueError(f"Input should be one of {', '.join(SENSORS)}")
    return kind


SensorKind = Annotated[str, AfterValidator(_known_sensor)]

LARGEST_FILE = 4 << 20  # bytes; a configuration has some thousands


class ModelConfig(Section):
    """The generator and its two discriminators."""

    in_channels: Literal[1] = Field(1, description="input channels: infrared brightness temperature")
    out_channels: Literal[1] = Field(1, description="output channels")
    n_residual_blocks: int = Field(8, ge=1, le=128, description="residual blocks of the generator")
    upsample_factor: Scale = Field(4, description="how many times finer the output grid is")
    scale_factor: Scale | None = Field(
        None, description="the seed's second name of upsample_factor; the two must agree"
    )
    channels: int = Field(64, ge=4, le=1024, description="feature channels of the generator")
    conditioned: bool = Field(
        False, description="the generator adapts to the sensor: one model for many, with the projection of each"
    )
    tails: Literal[1, 2] = Field(
        1, description="conditioned generators: 2 make the mean of what fits beside the sharp frame, to mix them"
    )
    textures: int = Field(
        0, ge=0, le=64, description="train an ensemble: textures that its members add to a conditioned mean; 0: none"
    )
    lr_consistency: bool = Field(
        True, description="project the output so that its block mean is the input (area sensor only)"
    )
    discriminator_channels: int = Field(
        16, ge=4, le=512, description="first width of the discriminators, doubled at each of three strides"
    )
    detail_gain: float = Field(
        8.0, ge=0, description="discriminators also see (frame - its upsampled lowres frame) x this; 0 hides it"
    )
    spectral_norm: bool = Field(True, description="spectral normalisation in both discriminators")

    @field_validator("upsample_factor", "scale_factor", mode="before")
    @classmethod
    def _has_networks(cls, value: Any) -> Any:
        if isinstance(value, int | float) and value not in get_args(Scale):
            raise ValueError(
                f"networks upsample 2, 3, 4 or 8 times, not {value}; regrid one of the archives so that the ratio of "
                "the grids is one of these"
            )
        return value

    @model_validator(mode="after")
    def _one_scale(self) -> ModelConfig:
        if self.scale_factor is not None and self.scale_factor != self.upsample_factor:
            raise ValueError(
                f"upsample_factor is {self.upsample_factor} but scale_factor is {self.scale_factor}; "
                "they name the same thing, set both to one value or leave scale_factor out"
            )
        return self


class SensorConfig(Section):
    """How a highres frame becomes the lowres frame of a coarser instrument.

    A text may take the place of the section: ``"sensor": "gridsat"``.
    """

    kind: SensorKind = Field("area", description="shape of the footprint: docs/sensors.md", examples=list(SENSORS))
    sigma: float = Field(2.0, gt=0, le=256, description="gaussian only: standard deviation in highres pixels")
    noise_kelvin: float = Field(0.0, ge=0, le=20, description="standard deviation of added noise, K")
    parameters: dict[str, float | str] = Field(
        default_factory=dict, description="other parameters of the sensor, by name: fwhm, width, wavelength, quantum"
    )
    random: bool = Field(
        False, description="train for every sensor (model.conditioned): each sample is seen by one drawn at random"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, value: Any) -> Any:
        """Read a text such as ``gridsat`` or ``gaussian,fwhm=1.0`` in place of the section."""
        if not isinstance(value, str):
            return value
        from tempogan_eddy.dataset.sensor import SensorModel  # which imports this module

        try:
            return SensorModel.parse(value).section()
        except InputError as error:
            raise ValueError(str(error).rstrip(".")) from None


class TrainingConfig(Section):
    """The training loop."""

    data_root: str | list[str] = Field(
        "./data/digital_typhoon", description="a folder, file or glob of raw data, a list of such, or a packed store"
    )
    batch_size: int = Field(16, ge=1, description="windows a step, of all processes together")
    patch_size: int = Field(64, ge=8, description="patch side in highres pixels")
    context: int = Field(
        0, ge=0, le=64, description="lowres pixels around a patch that the generator sees and the losses do not"
    )
    sequence_length: Literal[3] = Field(3, description="frames a window: t-1, t, t+1")
    epochs: int = Field(100, ge=1)
    steps_per_epoch: int = Field(50, ge=1, description="optimiser steps that make an epoch")
    max_minutes: float = Field(0.0, ge=0, description="stop after this time, as after the last epoch; 0 never")
    start_from: str | None = Field(
        None, description="a model (.safetensors or .pth) whose generator the training begins with"
    )
    warm_up: int = Field(
        200, ge=0, description="with start_from and new discriminators: steps that train only these, before the rest"
    )
    teacher: str | None = Field(
        None,
        description="a model trained on content alone, whose frames stand for the truth in the content loss: they are "
        "the mean of what fits, without the detail that the input does not show",
    )
    pretrain_epochs: int = Field(10, ge=0, description="content loss only, before the discriminators join")
    lr_g: float = Field(1e-4, gt=0, description="learning rate of the generator")
    lr_d: float = Field(1e-4, gt=0, description="learning rate of both discriminators")
    beta1: float = Field(0.5, ge=0, lt=1, description="momentum of Adam; 0.5 as tempoGAN")
    lr_schedule: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="linear: decay over the second half, as tempoGAN; cosine: over all of the run"
    )
    lambda_content: float = Field(1.0, ge=0, description="weight of the content loss")
    content_distance: Literal["l1", "l2"] = Field(
        "l1", description="content loss: l1 leads to the median of what fits, l2 to the mean, with the least RMSE"
    )
    lambda_mean: float = Field(1.0, ge=0, description="model.tails = 2: weight of the squared error of the mean frame")
    lambda_adv_s: float = Field(0.001, ge=0, description="weight of the spatial adversarial loss")
    lambda_adv_t: float = Field(0.001, ge=0, description="weight of the temporal adversarial loss")
    align_windows: bool = Field(
        True, description="Dt sees t-1 and t+1 moved onto t by the flow, as tempoGAN; false: as they are, to compare"
    )
    temporal_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of a batch's windows that Dt judges; the others need no frames beside theirs",
    )
    lambda_feature: float = Field(0.0, ge=0, description="weight of the loss in the feature space of Ds")
    lambda_spectral: float = Field(
        0.0,
        ge=0,
        description="weight of the divergence of each frame's power spectrum from its truth's; try 1e-3. Of an "
        "ensemble: weight of the energy score of the modes; try 0.3",
    )
    lambda_patches: float = Field(0.15, ge=0, description="ensembles: weight of the energy score of 8x8 patches")
    lambda_steps: float = Field(0.4, ge=0, description="ensembles: weight of the CRPS of the steps to the next pixels")
    lambda_coldest: float = Field(
        0.5, ge=0, description="ensembles: weight of the CRPS below 235 K of the coldest pixels of windows of 16 and 48"
    )
    lambda_relative: float = Field(
        0.2, ge=0, description="ensembles: weight of the CRPS of pixels over the spread of the 3x3 lowres pixels there"
    )
    members: int = Field(2, ge=2, le=64, description="ensembles: members of each sample in a step")
    d_steps: int = Field(1, ge=1, description="discriminator steps for each generator step")
    gradient_frames: Literal[1, 3] = Field(
        1, description="frames of a window that the generator learns from in a step: all, or the middle one"
    )
    accumulate: int = Field(1, ge=1, description="batches whose gradients make one step")
    augment: bool = Field(True, description="flips and quarter turns, the same for a window and its flow")
    shift_blocks: bool = Field(
        False,
        description="patches begin at any highres pixel, so the blocks of the lowres pixels lie elsewhere each time",
    )
    ema_decay: float = Field(0.999, ge=0, lt=1, description="moving average of the generator; 0 turns it off")
    grad_clip: float = Field(
        0.1, ge=0, description="largest norm of the generator's gradient, about three times the usual one; 0: any"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 where the device computes it natively, else fp32"
    )
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = Field(
        "auto", description="auto, cpu, cuda, cuda:1, mps"
    )
    compile: bool = Field(
        False, description="compute the networks through torch.compile, on a GPU with CUDA graphs; first steps are slow"
    )
    num_workers: int = Field(0, ge=0, description="processes that load data beside the training")
    seed: int = Field(0, ge=0)
    validation_frames: int = Field(4, ge=1, description="fixed full frames scored after every epoch")
    score: Literal["lsd_within_rmse", "rmse", "lsd", "last", "crps"] = Field(
        "lsd_within_rmse",
        description="what 'best' means: the least LSD of the models within max_rmse (while there is none, the least "
        "RMSE), the least RMSE, the least LSD, the last epoch, or (ensembles, always) the least CRPS",
    )
    max_rmse: float = Field(
        1.15, gt=0, description="lsd_within_rmse: the largest RMSE of a best model, in units of bicubic's RMSE"
    )
    early_stopping_patience: int = Field(0, ge=0, description="epochs without a better score; 0 never stops")
    checkpoint_every: int = Field(10, ge=1, description="epochs between checkpoint_epoch_N.pth")
    keep_checkpoints: int = Field(
        10, ge=1, description="checkpoint_epoch_N.pth that stay: the last, and the best by the score"
    )
    checkpoint_dir: str = "./checkpoints"
    log_dir: str = "./logs"
    image_every: int = Field(5, ge=1, description="epochs between lowres, generated and true pictures in TensorBoard")

    @field_validator("score", mode="before")
    @classmethod
    def _replaces_balanced(cls, value: Any) -> Any:
        if value != "balanced":
            return value
        log.warning("training.score = balanced no longer exists; lsd_within_rmse takes its place")
        return "lsd_within_rmse"


class Config(Section):
    """Everything a run needs."""

    model: ModelConfig = ModelConfig()
    sensor: SensorConfig = SensorConfig()
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="before")
    @classmethod
    def _replaces_lowres_root(cls, values: Any) -> Any:
        """Move ``training.lowres_root`` of earlier releases to ``data.pairs``, with its meaning: frames as they are."""
        training = values.get("training") if isinstance(values, dict) else None
        if not isinstance(training, dict) or "lowres_root" not in training:
            return values
        training = dict(training)
        lowres, data = training.pop("lowres_root"), values.get("data") or {}
        if lowres is not None and isinstance(data, dict):
            if data.get("pairs"):
                raise ValueError("training.lowres_root is now data.pairs.lowres; leave the first one out")
            log.warning("training.lowres_root is now data.pairs.lowres; neither offset nor calibration is estimated")
            data = data | {"pairs": {"lowres": lowres, "offset": [0.0, 0.0], "calibrate": False}}
        return values | {"training": training, "data": data}

    @model_validator(mode="after")
    def _fits(self) -> Config:
        scale = self.model.upsample_factor
        if left := self.training.patch_size % scale:
            below, above = self.training.patch_size - left, self.training.patch_size - left + scale
            if "patch_size" in self.training.model_fields_set:
                raise ValueError(
                    f"training.patch_size {self.training.patch_size} must be a multiple of upsample_factor {scale}; "
                    f"use {below} or {above}"
                )
            self.training.patch_size = above
            self.training.model_fields_set.discard("patch_size")  # the user did not set it
        if self.sensor.random and not self.model.conditioned:
            raise ValueError("sensor.random needs model.conditioned = true: only such a generator knows the sensor")
        if self.model.textures and not (self.model.conditioned and self.model.tails == 1):
            raise ValueError(
                "model.textures needs model.conditioned = true and model.tails = 1: the mean of the ensemble"
            )
        if bool(self.model.textures) != (self.training.score == "crps"):
            raise ValueError("training.score = crps belongs to model.textures > 0; set both or neither")
        return self

    @property
    def scale(self) -> int:
        """How many times finer the output grid is."""
        return self.model.upsample_factor

    @property
    def highres_root(self) -> str | list[str]:
        """The highres data: ``data.pairs.highres``, else ``training.data_root``."""
        return (self.data.pairs and self.data.pairs.highres) or self.training.data_root

    @property
    def sensor_known(self) -> bool:
        """Whether section ``sensor`` describes the instrument of the lowres frames."""
        return self.data.pairs is None or self.data.pairs.sensor_known

    def to_json(self) -> str:
        """Return the configuration as plain JSON."""
        return self.model_dump_json(indent=4)


def load_config(source: str | Path | dict[str, Any] | None = None, overrides: list[str] | None = None) -> Config:
    """Read and check a configuration.

    Parameters
    ----------
    source
        Path of a JSON file (``#`` comments allowed), a mapping, or None for the defaults.
    overrides
        ``section.key=value`` texts, applied on top; values are read as YAML.

    Raises
    ------
    InputError
        The file is missing or not JSON, or keys or values are wrong; the message names each of them.
    """
    name = "the configuration" if source is None or isinstance(source, dict) else str(source)
    values: Any = _read(Path(source)) if isinstance(source, str | Path) else copy.deepcopy(source or {})
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"{name} must hold one JSON object with the sections {', '.join(Config.model_fields)}.")
    for text in overrides or []:
        _override(values, text)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise InputError(describe_problems(error, Config, name, overrides or [])) from None


def _read(path: Path) -> Any:
    try:
        text = read_bounded(path, LARGEST_FILE).decode()
    except UnicodeDecodeError:
        raise InputError(f"The configuration {path} cannot be read (it is not UTF-8 text); give a JSON file.") from None
    try:
        # JSON with # comments is YAML, once tabs (which YAML forbids as indentation) are spaces.
        return parse_yaml(text.replace("\t", "    "))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise InputError(
            f"The configuration {path} is not valid JSON{where}; look for a missing comma or bracket."
        ) from None
    except ValueError as error:
        raise InputError(f"The configuration {path} cannot be read ({error}); write it as JSON.") from None


def _override(values: dict[str, Any], text: str) -> None:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InputError(f"'{text}' is not an override; write it as section.key=value, e.g. training.epochs=20.")
    *sections, last = key.strip().split(".")
    target = values
    for section in sections:
        if target.get(section) is None:
            target[section] = {}
        target = target[section]
        if not isinstance(target, dict):
            raise InputError(f"'{text}' cannot be set: '{section}' is a value, not a section.")
    try:
        target[last] = parse_yaml(value)
    except (yaml.YAMLError, ValueError):
        raise InputError(f"'{text}' has a value that cannot be read; write it as JSON.") from None
