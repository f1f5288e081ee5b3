"""The configuration: JSON with ``#`` comments, read once, checked in full, printed by ``tempogan-eddy config``.

Unknown keys are refused by name.
"""

from __future__ import annotations

import copy
import logging
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from tempogan_eddy.config_data import DataConfig, PairsConfig, Section, SplitConfig
from tempogan_eddy.config_text import describe_problems, keys_named, parse_yaml
from tempogan_eddy.config_training import TrainingConfig
from tempogan_eddy.config_unused import refuse_unused
from tempogan_eddy.errors import InputError
from tempogan_eddy.grid_traces import MARGIN
from tempogan_eddy.io.files.json_text import read_bounded
from tempogan_eddy.registry import SENSORS

__all__ = [
    "STORED",
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

STORED = "stored"
"""The context that validates a configuration within a model file: nobody can leave a setting out of it."""

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
        1, description="conditioned generators: 2 make a mean and a sharp frame, which can be mixed"
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
                "set both to one value, or leave scale_factor out"
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
    random: bool = Field(False, description="train for every sensor (model.conditioned): a random one sees each sample")

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
    def _fits(self, info: ValidationInfo) -> Config:
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
        if self.training.lambda_traces and self.training.patch_size < (least := (2 * MARGIN + 2) * scale):
            raise ValueError(
                f"training.lambda_traces needs training.patch_size of at least {least} with upsample_factor {scale}: "
                "the two outer lowres pixels on each side have no traces, and the others are compared in two halves"
            )
        if self.sensor.random and not self.model.conditioned:
            raise ValueError("sensor.random needs model.conditioned = true: only such a generator adapts to the sensor")
        if self.model.textures and not (self.model.conditioned and self.model.tails == 1):
            raise ValueError(
                "model.textures needs model.conditioned = true and model.tails = 1: the mean of the ensemble"
            )
        if bool(self.model.textures) != (self.training.score == "crps"):
            raise ValueError("training.score = crps belongs to model.textures > 0; set both or neither")
        if self.model.textures and self.training.lambda_adv_t == TrainingConfig().lambda_adv_t:
            self.training.lambda_adv_t = 0.0  # an ensemble has no Dt
        if info.context != STORED:
            refuse_unused(self)
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
    sections = list(Config.model_fields)
    meant = isinstance(values, dict) and any(
        get_close_matches(str(key), sections) or keys_named(str(key), Config) for key in values
    )
    if values != {} and not (meant and all(isinstance(key, str) for key in values)):
        raise InputError(f"{name} is no configuration, one JSON object with the sections {', '.join(sections)}.")
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
