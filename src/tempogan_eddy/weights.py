"""Model files: safetensors with a specification and, as provenance, the training configuration in the metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from tempogan_eddy import __version__
from tempogan_eddy.config import Config, SensorConfig
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import DESCRIPTION, describe_sensor
from tempogan_eddy.dataset.separable_sensors import SeparableSensor
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.files.urls import fetch, local, url_of
from tempogan_eddy.io.ownership import Kind, begins_with
from tempogan_eddy.model.conditioned import ConditionedGenerator
from tempogan_eddy.model.ensemble import Ensemble
from tempogan_eddy.model.tempogan import DRAWING_WEIGHTS, Generator
from tempogan_eddy.released import RELEASED, RELEASES, is_released
from tempogan_eddy.safetensors_file import safetensors_bytes
from tempogan_eddy.specification import Specification, read_specification
from tempogan_eddy.stored import MODEL_FORMAT, read_checkpoint, read_model_file
from tempogan_eddy.wording import count

__all__ = [
    "MODEL",
    "NETWORKS",
    "Model",
    "Specification",
    "build_generator",
    "load_model",
    "model_of",
    "save_model",
]


MODEL = Kind("a model", lambda path: begins_with(path, MODEL_FORMAT))


def _residual(specification: Specification) -> Generator:
    network = specification.network
    return Generator(
        n_residual_blocks=network.blocks,
        upsample_factor=specification.scale,
        channels=network.channels,
        lr_consistency=network.lr_consistency,
    )


def _conditioned(specification: Specification) -> ConditionedGenerator:
    network = specification.network
    return ConditionedGenerator(DESCRIPTION, network.blocks, specification.scale, network.channels, network.tails)


def _ensemble(specification: Specification) -> Ensemble:
    network = specification.network
    return Ensemble(DESCRIPTION, network.blocks, specification.scale, network.channels, network.textures)


Network = Generator | ConditionedGenerator | Ensemble

NETWORKS: dict[str, Callable[[Specification], Network]] = {
    Generator.kind: _residual,
    ConditionedGenerator.kind: _conditioned,
    Ensemble.kind: _ensemble,
}
"""Builds the generator of each kind that a model file can name; add your own kinds."""


NO_RUN = ("", "..", "checkpoints")
"""Folders that are not named after a run."""


@dataclass
class Model:
    """A trained generator with its specification and provenance.

    Parameters
    ----------
    generator
        In evaluation mode, on the CPU, float32.
    specification
        Network, scale, sensor model and kelvin range.
    name
        The file it came from.
    metadata
        ``version``, ``step``, ``epoch``, ``score`` and any other metadata of the file. ``step`` and ``epoch`` are those
        of its own run; ``history`` tells in sentences how the weights came about with which that run began.
    config
        The training configuration in the file. It is provenance and never checked: other releases have other keys.
    """

    generator: Network = field(repr=False)
    specification: Specification
    name: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_config(
        cls, generator: torch.nn.Module, config: Config, name: str = "", metadata: dict[str, Any] | None = None
    ) -> Model:
        """Return the model of a generator that was trained with this configuration."""
        kind = getattr(generator, "kind", type(generator).__name__)
        specification, provenance = Specification.from_config(config, kind), config.model_dump(mode="json")
        return cls(generator, specification, name, metadata or {}, provenance)  # type: ignore[arg-type]

    @property
    def scale(self) -> int:
        """How many times finer the output grid is."""
        return self.specification.scale

    @property
    def kelvin_range(self) -> tuple[float, float]:
        """The kelvins that scale to 0 and 1."""
        return self.specification.kelvin_range

    @cached_property
    def sensor(self) -> SensorModel:
        """The sensor model whose frames it was trained on; the area mean where it adapts to the sensor."""
        return SensorModel.from_config(self.specification)

    @property
    def projecting_sensor(self) -> SeparableSensor | None:
        """The sensor onto whose measurements the output is projected; None where the network itself keeps them."""
        network, sensor = self.specification.network, self.sensor
        projects = network.projection and not network.lr_consistency
        return sensor if projects and isinstance(sensor, SeparableSensor) else None

    @property
    def title(self) -> str:
        """The name of a released model or file; of a file that every run writes, the folder of its run."""
        path = Path(self.name)
        if not path.stem.startswith(("best_model", "checkpoint_")):
            return path.stem
        return next((folder.name for folder in path.parents if folder.name not in NO_RUN), path.stem)

    @property
    def history(self) -> list[str]:
        """How the weights came about, with its own run last."""
        steps = count(self.metadata.get("step", 0), "step")
        return [*self.metadata.get("history", []), f"{self.title}: {steps} of training"]

    @property
    def adapts(self) -> bool:
        """Whether it adapts to the sensor, with `for_sensor`."""
        return isinstance(self.generator, ConditionedGenerator | Ensemble)

    @property
    def plain(self) -> Generator:
        """The generator of one sensor; of a model that adapts, the one for its own."""
        generator = self.for_sensor().generator
        assert isinstance(generator, Generator)
        return generator

    def for_sensor(self, sensor: SensorModel | None = None) -> Model:
        """Return the model of one sensor: a plain generator, and the projection onto what this sensor measured.

        A model that does not adapt is returned as it is. Of an ensemble it is the model of the mean.

        Parameters
        ----------
        sensor
            Separable; the model's own by default.

        Raises
        ------
        InputError
            The sensor is not separable, or of another scale.
        """
        adapting = self.generator.base if isinstance(self.generator, Ensemble) else self.generator
        if not isinstance(adapting, ConditionedGenerator):
            return self
        sensor = sensor or self.sensor
        if sensor.scale != self.scale:
            raise InputError(f"The sensor has the scale {sensor.scale}, but the model {self.name} {self.scale}.")
        consistent = sensor.keeps_block_mean
        detail = float(self.metadata.get("detail", 1.0))
        generator = adapting.folded(describe_sensor(sensor), detail, consistent)
        network = self.specification.network.model_copy(
            update={"kind": Generator.kind, "lr_consistency": consistent, "tails": 1, "textures": 0}
        )
        stated = SensorConfig.model_validate(sensor.section())
        specification = self.specification.model_copy(update={"network": network, "sensor": stated})
        return replace(self, generator=generator, specification=specification)


def build_generator(described: Config | Specification) -> Network:
    """Build the untrained generator of a configuration or of a model file's specification."""
    specification = described if isinstance(described, Specification) else Specification.from_config(described)
    with DRAWING_WEIGHTS:
        return NETWORKS[specification.network.kind](specification)


def save_model(path: Path, model: Model) -> None:
    """Write a model file (``.safetensors``), aside and then renamed; the model's metadata must be JSON values.

    Equal models are equal files.
    """
    header = {
        "format": MODEL_FORMAT,
        "version": __version__,
        "specification": model.specification.model_dump_json(),
        "config": json.dumps(model.config),
        "metadata": json.dumps(model.metadata),
    }
    with written_aside(path, MODEL) as partial:
        partial.write_bytes(safetensors_bytes(model.generator.state_dict(), header))


def model_of(model: Model | str | Path) -> Model:
    """Return a model, or load what `load_model` takes."""
    if not isinstance(model, Model | str | Path):
        raise InputError(f"{type(model).__name__} is no model; give a name such as eddy, a path, or from load_model.")
    return model if isinstance(model, Model) else load_model(model)


def load_model(source: str | Path = "eddy", detail: float | None = None) -> Model:
    """Load a released model by name, a model file (``.safetensors``) or a training checkpoint (``.pth``).

    Parameters
    ----------
    source
        ``faithful`` (least error), ``eddy`` (the tempoGAN), or a path.
    detail
        Of a model with two tails, as ``eddy``: the interpolation weight between the mean frame (0) and the sharp one
        (1); its own by default.

    Raises
    ------
    InputError
        The file is missing, broken, or no model of this package; or ``detail`` does not apply.
    """
    model = _load_released(str(source)) if is_released(source) else _load_file(Path(source))
    if detail is None:
        return model
    if model.specification.network.tails != 2:
        raise InputError(f"The model {source} makes one frame, with no choice of detail; leave the detail out.")
    if not 0 <= detail <= 1:
        raise InputError(f"The detail must lie between 0 (the mean frame) and 1 (the sharp frame), not {detail}.")
    model.metadata["detail"] = detail
    return model


def _load_released(name: str) -> Model:
    path = RELEASES / f"{name}.safetensors"
    if not path.exists():
        raise InputError(f"This installation lacks the weights of the model {name}; install the package anew.")
    return replace(_load_file(path), name=name)


def _load_file(path: Path) -> Model:
    url = url_of(path)
    if url and path.suffix != ".safetensors":
        raise InputError(f"{url} is no .safetensors model; fetch a checkpoint yourself if you trust it.")
    (path,) = fetch(path) if url else (local(path),)
    if path.is_dir():
        raise InputError(
            f"The model {path} is a folder; give a .safetensors or .pth file, e.g. {path}/best_model.safetensors."
        )
    if not path.exists():
        raise InputError(
            f"The model {path} does not exist; give {' or '.join(RELEASED)}, or a .safetensors or .pth file that "
            "training wrote."
        )
    if path.suffix == ".onnx":
        raise InputError(f"{path} is an export for other programs; give the model that it was made from.")
    if path.suffix == ".pth":
        checkpoint = read_checkpoint(path)
        weights = checkpoint["ema"] or checkpoint["generator"]
        metadata = {key: checkpoint[key] for key in ("version", "epoch", "step", "best_score")}
        stored, config = checkpoint.get("specification"), checkpoint["config"]
    else:
        stored, config, weights, metadata = read_model_file(path)
    specification = read_specification(stored, config, path)
    if specification.network.kind not in NETWORKS:
        raise InputError(
            f"The model {path} has a network of kind '{specification.network.kind}', which is not known here; import "
            "the module that adds it to tempogan_eddy.weights.NETWORKS, or update TempoGAN-Eddy."
        )
    if specification.network.kind == Ensemble.kind:
        weights = Ensemble.complete(weights)
    _check_fit(weights, specification, path)
    generator = build_generator(specification)
    generator.load_state_dict(weights)
    provenance = config if isinstance(config, dict) else {}
    return Model(generator.eval().requires_grad_(False), specification, str(path), metadata, provenance)


def _check_fit(weights: Mapping[str, Any], specification: Specification, path: Path) -> None:
    """Refuse weights that are not finite or do not fit the specified network, before that network takes memory."""
    with torch.device("meta"):  # shapes alone, no memory
        wanted = {name: value.shape for name, value in build_generator(specification).state_dict().items()}
    if {name: getattr(value, "shape", None) for name, value in weights.items()} != wanted:
        raise InputError(f"The weights in {path} do not fit the configuration stored with them; the file is damaged.")
    # A sum is finite where all its terms are.
    if not all(value.is_floating_point() and value.sum(dtype=torch.float64).isfinite() for value in weights.values()):
        raise InputError(f"The weights in {path} are not all finite numbers; the file is damaged.")
