"""Model files: safetensors with a specification and, as provenance, the training configuration in the metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from tempogan_eddy import __version__
from tempogan_eddy.config import Config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import DESCRIPTION
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.ownership import Kind
from tempogan_eddy.model.conditioned import ConditionedGenerator
from tempogan_eddy.model.tempogan import Generator
from tempogan_eddy.released import RELEASED, RELEASES, is_released
from tempogan_eddy.specification import Specification, read_specification
from tempogan_eddy.stored import MODEL_FORMAT, read_checkpoint, read_model_file

__all__ = [
    "MODEL",
    "NETWORKS",
    "Model",
    "Specification",
    "build_generator",
    "load_model",
    "save_model",
    "turn_dial",
]


def _is_model(path: Path) -> bool:
    with safe_open(path, framework="pt") as file:
        return bool(file.metadata()["format"] == MODEL_FORMAT)


MODEL = Kind("a model", _is_model)


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


NETWORKS: dict[str, Callable[[Specification], Generator | ConditionedGenerator]] = {
    Generator.kind: _residual,
    ConditionedGenerator.kind: _conditioned,
}
"""The builder of the generator of each kind that a model file can name; add your own kinds."""


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
        ``version``, ``step``, ``epoch``, ``score`` and any other metadata of the file.
    config
        The training configuration in the file. It is provenance and never checked: other releases have other keys.
    """

    generator: Generator
    specification: Specification
    name: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

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
        """The sensor model whose frames it was trained on."""
        return SensorModel.from_config(self.specification)


def build_generator(described: Config | Specification) -> Generator | ConditionedGenerator:
    """Build the untrained generator of a configuration or of a model file's specification."""
    conditioned = isinstance(described, Config) and described.model.conditioned
    kind = ConditionedGenerator.kind if conditioned else Generator.kind
    specification = described if isinstance(described, Specification) else Specification.from_config(described, kind)
    return NETWORKS[specification.network.kind](specification)


def save_model(path: Path, model: Model) -> None:
    """Write a model file (``.safetensors``), aside and then renamed; the model's metadata must be JSON values."""
    state = model.generator.state_dict()
    tensors = {name: value.detach().float().contiguous().cpu() for name, value in state.items()}
    header = {
        "format": MODEL_FORMAT,
        "version": __version__,
        "specification": model.specification.model_dump_json(),
        "config": json.dumps(model.config),
        "metadata": json.dumps(model.metadata),
    }
    with written_aside(path, MODEL) as partial:
        partial.write_bytes(save(tensors, header))


def load_model(source: str | Path = "eddy", detail: float | None = None) -> Model:
    """Load a released model by name, a model file (``.safetensors``) or a training checkpoint (``.pth``).

    Parameters
    ----------
    source
        ``faithful`` (least error), ``eddy`` (the tempoGAN), or a path.
    detail
        For ``eddy``: the interpolation weight between ``faithful`` (0) and the fully trained tempoGAN (1) (network
        interpolation, Wang et al. 2018, ESRGAN, sec. 3.4); the release's own by default.

    Raises
    ------
    InputError
        The file is missing, broken, or no model of this package; or ``detail`` does not apply.
    """
    if is_released(source):
        return _load_released(str(source), detail)
    if detail is not None:
        raise InputError(f"The dial (detail) belongs to the released model eddy, not to {source}; leave it out.")
    return _load_file(Path(source))


def _load_released(name: str, detail: float | None) -> Model:
    path = RELEASES / f"{name}.safetensors"
    if not path.exists():
        raise InputError(f"This installation lacks the weights of the model {name}; install the package anew.")
    model = _load_file(path)
    model.name = name
    if name == "faithful":
        if detail is not None:
            raise InputError("The model faithful has no dial (detail); use the model eddy with it.")
        return model
    amount = float(model.metadata["detail"]) if detail is None else detail
    if not 0 <= amount <= 1:
        raise InputError(f"The detail must lie between 0 (faithful) and 1 (full tempoGAN), not {amount}.")
    turn_dial(model, _load_file(RELEASES / "faithful.safetensors"), amount)
    model.metadata["detail"] = amount
    return model


def turn_dial(model: Model, faithful: Model, detail: float) -> None:
    """Interpolate the weights of a model towards those of a model of its family: 0 gives theirs, 1 keeps its own."""
    plain, sharp = faithful.generator.state_dict(), model.generator.state_dict()
    model.generator.load_state_dict({key: torch.lerp(plain[key], sharp[key], detail) for key in sharp})


def _load_file(path: Path) -> Model:
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
