"""The specification in a model file: all that a program needs to use its weights, and nothing about the training."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tempogan_eddy.config import STORED, Config, DataConfig, ModelConfig, Scale, SensorConfig
from tempogan_eddy.config_text import describe_problems
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError

__all__ = ["NetworkSpecification", "Specification", "differences", "read_specification"]

VERSION = 1
"""Increase it only if an earlier release would misread a file. New keys do not count: readers skip unknown keys."""

KEYS = {
    "model.n_residual_blocks": "network.blocks",
    "model.channels": "network.channels",
    "model.lr_consistency": "network.lr_consistency",
    "model.conditioned": "network.projection",
    "model.tails": "network.tails",
    "model.textures": "network.textures",
    "model.upsample_factor": "scale",
    "sensor": "sensor",
    "data.kelvin_range": "kelvin_range",
}
"""The part of a specification that each key of the configuration decides."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class NetworkSpecification(_Part):
    """The generator.

    Attributes
    ----------
    kind
        Its name in `weights.NETWORKS`.
    blocks, channels
        Residual blocks and feature channels.
    lr_consistency
        Whether the output is projected so that its block mean is the input.
    projection
        Whether the output is projected onto the frames that the sensor sees as the input.
    tails
        1, or 2 for the mean and the sharp frame.
    textures
        Of an ensemble; 0 for other networks.
    """

    kind: str = "residual"
    blocks: int = Field(ge=1, le=128)
    channels: int = Field(ge=4, le=1024)
    lr_consistency: bool
    projection: bool = False
    tails: Literal[1, 2] = 1
    textures: int = Field(0, ge=0, le=64)


class Specification(_Part):
    """The network of a model, and the meaning of its numbers.

    Attributes
    ----------
    version
        Of this layout.
    network
        The generator.
    scale
        How many times finer the output grid is.
    sensor
        The sensor model whose frames the model was trained on.
    kelvin_range
        The kelvins that scale to 0 and 1.
    """

    version: int = Field(VERSION, ge=1)
    network: NetworkSpecification
    scale: Scale
    sensor: SensorConfig
    kelvin_range: tuple[float, float]

    @classmethod
    def from_config(cls, config: Config, kind: str | None = None) -> Specification:
        """Return the specification of a model that a configuration trains; ``kind`` replaces its generator."""
        model = config.model
        # LR consistency holds for the area sensor only.
        consistent = model.lr_consistency and config.sensor_known and SensorModel.from_config(config).keeps_block_mean
        network = NetworkSpecification(
            kind=kind or _kind(model),
            blocks=model.n_residual_blocks,
            channels=model.channels,
            lr_consistency=consistent,
            projection=model.conditioned,
            tails=model.tails,
            textures=model.textures,
        )
        return cls(network=network, scale=config.scale, sensor=config.sensor, kelvin_range=config.data.kelvin_range)


def _kind(model: ModelConfig) -> str:
    if model.textures:
        return "ensemble"
    return "conditioned" if model.conditioned else "residual"


def read_specification(stored: Any, config: Any, path: object) -> Specification:
    """Check a stored specification and return it; skip unknown keys.

    Parameters
    ----------
    stored
        As the file holds it, or None: the first releases wrote only the training configuration.
    config
        The training configuration in the file; read only in place of a missing specification.
    path
        The file, for messages.

    Raises
    ------
    InputError
        A value is missing or wrong, or a later release wrote the file in a way that this one would misread.
    """
    if stored is None:
        return _from_stored_config(config, path)
    if isinstance(stored, dict):
        version = stored.get("version")
        if isinstance(version, int) and version > VERSION:
            raise InputError(
                f"The model {path} has specification version {version}, which this release cannot read; update "
                "TempoGAN-Eddy."
            )
        stored = stored | {"sensor": _known(stored.get("sensor"), SensorConfig)}
    try:
        specification = Specification.model_validate(stored)
        DataConfig(kelvin_range=specification.kelvin_range)  # the range must rise
        return specification
    except ValidationError as error:
        raise InputError(describe_problems(error, Specification, f"The specification of {path}")) from None


def differences(theirs: Specification, ours: Specification) -> dict[str, tuple[Any, Any]]:
    """Return the parts that differ between two specifications, by the key of the configuration that decides each."""
    pairs = {key: (attrgetter(part)(theirs), attrgetter(part)(ours)) for key, part in KEYS.items()}
    return {key: (their, our) for key, (their, our) in pairs.items() if their != our}


def _from_stored_config(config: Any, path: object) -> Specification:
    values: Any = {"": config}
    if isinstance(config, dict):
        wanted = {"model": None, "sensor": None, "data": ("kelvin_range",)}
        values = {
            section: _known(config.get(section, {}), Config.model_fields[section].annotation, keys)
            for section, keys in wanted.items()
        }
    try:
        return Specification.from_config(Config.model_validate(values, context=STORED))
    except ValidationError as error:
        raise InputError(describe_problems(error, Config, f"The configuration in the model {path}")) from None


def _known(section: Any, model: Any, keys: tuple[str, ...] | None = None) -> Any:
    """Return the keys of a stored section that this release knows; return anything else as it is, for later checks."""
    if not isinstance(section, dict):
        return section
    return {key: value for key, value in section.items() if key in (keys or model.model_fields)}
