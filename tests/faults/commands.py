"""Commands that write, how each is started, and how what it wrote is read back."""

import contextlib
import hashlib
import importlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from tempogan_eddy import open_sequence, save_sequence
from tempogan_eddy.cli import main
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.pack import pack
from tempogan_eddy.dataset.store import open_storms
from tempogan_eddy.stored import read_checkpoint
from tempogan_eddy.training.checkpoint import find_checkpoint
from tempogan_eddy.weights import Model, build_generator, load_model, save_model
from training_cases import moving_clouds, small_config, write_storms

FRAMES, SIZE = 2, 16

# What commands import when they run.
for module in (
    "dask.distributed", "tempogan_eddy.cli.application", "tempogan_eddy.cli.progress", "tempogan_eddy.dataset.pairs",
    "tempogan_eddy.export", "tempogan_eddy.reconstruction", "tempogan_eddy.training.ensemble", "torch._dynamo",
    "torch.onnx.utils", "torch.onnx._internal.torchscript_exporter.utils", "lightning.fabric.strategies",
    "matplotlib.pyplot", "scipy.stats", "PIL.PngImagePlugin", "torch.utils.tensorboard", "sympy",
):  # fmt: skip
    with contextlib.suppress(ImportError):
        importlib.import_module(module)


@dataclass(frozen=True)
class Command:
    """A command that writes one output.

    Parameters
    ----------
    name
        In the table.
    output
        The name of its output in the folder of a trial.
    words
        The command line, for (inputs, output); inputs are those of the new or of the earlier output.
    read
        A digest of the values in an output; raises InputError if it is damaged.
    """

    name: str
    output: str
    words: Callable[[Path, Path], list[str]]
    read: Callable[[Path], str]

    def run(self, inputs: Path, output: Path) -> None:
        """Run the command line in this process; raise SystemExit as it does."""
        main(self.words(inputs, output))


def digest(*arrays: Any) -> str:
    """Return a digest of arrays."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def read_frames(path: Path) -> str:
    da = open_sequence(path)
    return digest(da.values, da["time"].values)


def read_pack(path: Path) -> str:
    storms = open_storms(path)
    return digest(*(part for s in storms.values() for part in (s.kelvins, s.flow_previous, s.flow_next, s.entry.times)))


def read_export(path: Path) -> str:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return digest(np.frombuffer(model.graph.SerializeToString(), np.uint8))


def read_run(folder: Path) -> str:
    """A digest of the last usable checkpoint; whatever else is in the folder must be whole too."""
    best = folder / "best_model.safetensors"
    if best.exists():
        load_model(best)
    for path in folder.glob("*.pth"):
        read_checkpoint(path)
    last = find_checkpoint("auto", folder)
    if last is None:
        raise FileNotFoundError(folder)
    state = read_checkpoint(last)
    return digest(state["step"], *(value for _, value in sorted(state["generator"].items())))


def reconstruct(name: str, output: str, *options: str) -> Command:
    def words(inputs: Path, path: Path) -> list[str]:
        model = str(inputs / "model.safetensors")
        return ["reconstruct", str(inputs / "low.nc"), "-o", str(path), "-m", model, "--engine", "torch", *options]

    return Command(name, output, words, read_frames)


def from_one(name: str, output: str, source: str, read: Callable[[Path], str]) -> Command:
    word = name.split()[0]
    return Command(name, output, lambda inputs, path: [word, str(inputs / source), "-o", str(path)], read)


def train(inputs: Path, output: Path) -> list[str]:
    return ["train", "--config", str(output.parent / "config.json"), "--resume", "auto"]


COMMANDS = [
    reconstruct("reconstruct to Zarr", "high.zarr"),
    reconstruct("reconstruct to NetCDF", "high.nc"),
    reconstruct("reconstruct to PNG", "high", "--format", "png"),
    from_one("coarsen", "low.zarr", "fine.nc", read_frames),
    from_one("pack", "p.zarr", "fine.nc", read_pack),
    from_one("export", "m.onnx", "model.safetensors", read_export),
]
TRAIN = Command("train", "run", train, read_run)


def prepare(folder: Path, seed: int) -> None:
    """Write the inputs of all commands."""
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    save_sequence(moving_clouds(frames=FRAMES, size=SIZE, seed=seed), folder / "low.nc")
    save_sequence(moving_clouds(frames=FRAMES + 1, size=32, seed=seed), folder / "fine.nc")
    config = load_config({"model": {"n_residual_blocks": 1, "channels": 8}})
    save_model(folder / "model.safetensors", Model.from_config(build_generator(config), config, "small", {"step": 1}))
    storms = write_storms(folder / "storms", size=32, frames=6)
    pack(storms, folder / "packed.zarr", small_config(folder, storms))


def begin_run(inputs: Path, output: Path) -> None:
    """Write the configuration of a training into the folder of its output."""
    config = small_config(
        output.parent, inputs / "packed.zarr", epochs=2, steps_per_epoch=2, batch_size=1, validation_frames=1
    )
    config.training.checkpoint_dir = str(output)
    (output.parent / "config.json").write_text(config.to_json())


def copy(source: Path, target: Path) -> None:
    """Copy a file or folder."""
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
