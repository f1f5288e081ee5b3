"""The model file for release: safetensors with everything that inference needs in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from tempogan_eddy import __version__
from tempogan_eddy.config import Config, load_config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.ownership import Kind
from tempogan_eddy.model.tempogan import Generator
from tempogan_eddy.released import RELEASED, RELEASES, is_released
from tempogan_eddy.stored import CHECKPOINT_FORMAT, MODEL_FORMAT, read_checkpoint, read_model_file

__all__ = [
    "CHECKPOINT_FORMAT",
    "MODEL",
    "MODEL_FORMAT",
    "Model",
    "build_generator",
    "load_model",
    "read_checkpoint",
    "save_model",
    "turn_dial",
]


def _is_model(path: Path) -> bool:
    with safe_open(path, framework="pt") as file:
        return bool(file.metadata()["format"] == MODEL_FORMAT)


MODEL = Kind("a model", _is_model)
LARGEST_GROWTH = 4
"""A network of more weights than so many times those of its file is not what the file was saved from."""


@dataclass
class Model:
    """A trained generator and what its numbers mean.

    Parameters
    ----------
    generator
        In evaluation mode, on the CPU, float32.
    config
        The configuration it was trained with: kelvin range, sensor model, scale.
    name
        The file it came from.
    metadata
        ``version``, ``step``, ``epoch``, ``score`` and whatever else the file says of itself.
    """

    generator: Generator
    config: Config
    name: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def scale(self) -> int:
        """How many times finer the output grid is."""
        return self.config.scale

    @property
    def sensor(self) -> SensorModel:
        """The sensor model whose frames it was trained on."""
        return SensorModel.from_config(self.config)


def build_generator(config: Config) -> Generator:
    """The untrained generator of a configuration; LR consistency holds for the area sensor only."""
    keeps_mean = SensorModel.from_config(config).keeps_block_mean
    return Generator.from_config(config.model, config.model.lr_consistency and keeps_mean)


def save_model(path: Path, generator: torch.nn.Module, config: Config, metadata: dict[str, Any]) -> None:
    """Write a model file, aside and then renamed.

    Parameters
    ----------
    path
        Ends in ``.safetensors``.
    metadata
        JSON values beside the configuration.
    """
    tensors = {name: value.detach().float().contiguous().cpu() for name, value in generator.state_dict().items()}
    header = {"format": MODEL_FORMAT, "version": __version__, "config": config.model_dump_json()}
    with written_aside(path, MODEL) as partial:
        partial.write_bytes(save(tensors, header | {"metadata": json.dumps(metadata)}))


def load_model(source: str | Path = "eddy", detail: float | None = None) -> Model:
    """Load a released model by name, a model file (``.safetensors``) or a training checkpoint (``.pth``).

    Parameters
    ----------
    source
        ``faithful`` (least error), ``eddy`` (the tempoGAN), or a path.
    detail
        For ``eddy``: how much of the way from ``faithful`` (0) to the fully trained tempoGAN (1), whose weights
        are interpolated (network interpolation, Wang et al. 2018, ESRGAN, sec. 3.4); the release's own by default.

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
    if not (RELEASES / f"{name}.safetensors").exists():
        raise InputError(f"This installation lacks the weights of the model {name}; install the package anew.")
    model = _load_file(RELEASES / f"{name}.safetensors")
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
    """Move the weights of a model towards those of another of its family: 0 gives the other's, 1 keeps its own."""
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
        stored, weights = checkpoint["config"], checkpoint["ema"] or checkpoint["generator"]
        metadata = {key: checkpoint[key] for key in ("version", "epoch", "step", "best_score")}
    else:
        stored, weights, metadata = read_model_file(path)
    config = _read_config(stored, path)
    _check_fit(weights, config, path)
    generator = build_generator(config)
    try:
        generator.load_state_dict(weights)
    except RuntimeError:
        raise _misfit(path) from None
    return Model(generator.eval().requires_grad_(False), config, str(path), metadata)


def _read_config(stored: Any, path: Path) -> Config:
    try:
        return load_config(stored if isinstance(stored, dict) else {"": stored})
    except InputError as error:
        raise InputError(f"{path} holds a configuration that cannot be used: {error}") from None


def _misfit(path: Path) -> InputError:
    return InputError(f"The weights in {path} do not fit the configuration stored with them; the file is damaged.")


def _check_fit(weights: Mapping[str, Any], config: Config, path: Path) -> None:
    """Refuse weights that are not those of the configured network, before that network takes memory.

    Raises
    ------
    InputError
        Names, shapes or types differ, or a weight is not finite.
    """
    with torch.device("meta"):  # shapes alone, no memory
        wanted = {name: value.shape for name, value in build_generator(config).state_dict().items()}
    held = {name: getattr(value, "shape", None) for name, value in weights.items()}
    # A network may have layers beside those of the file, which start without an effect, but not be of another size.
    size = sum(shape.numel() for shape in held.values() if shape is not None)
    if not held.items() <= wanted.items() or sum(shape.numel() for shape in wanted.values()) > LARGEST_GROWTH * size:
        raise _misfit(path)
    # A sum is finite where all its terms are.
    if not all(value.is_floating_point() and value.sum(dtype=torch.float64).isfinite() for value in weights.values()):
        raise InputError(f"The weights in {path} are not all finite numbers; the file is damaged.")
