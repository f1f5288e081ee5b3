"""Checkpoints: everything a run needs to go on exactly, written aside and then renamed."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tempogan_eddy import __version__
from tempogan_eddy.config import Config
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.ownership import Kind, check_place
from tempogan_eddy.specification import Specification, differences, read_specification
from tempogan_eddy.stored import CHECKPOINT_FORMAT, read_checkpoint
from tempogan_eddy.weights import MODEL

__all__ = [
    "best_checkpoint_path",
    "best_path",
    "epoch_path",
    "find_checkpoint",
    "interrupted_path",
    "load_checkpoint",
    "refuse_earlier_run",
    "save_checkpoint",
    "state_of",
]

log = logging.getLogger(__name__)

# Keys that a checkpoint must share with the configuration, besides its model's specification.
BESIDE_SPECIFICATION = {"model": {"discriminator_channels", "detail_gain", "spectral_norm"}, "data": {"cadence"}}

# Keys that decide which samples a step sees.
SAMPLING = ("batch_size", "accumulate", "d_steps", "patch_size", "context", "shift_blocks", "seed", "augment")

HEADER = 1 << 20  # bytes of a checkpoint's pickle that are searched for its format


def _is_checkpoint(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(name) as pickled:
            return CHECKPOINT_FORMAT.encode() in pickled.read(HEADER)


CHECKPOINT = Kind("a checkpoint", _is_checkpoint)


def best_path(folder: Path) -> Path:
    """Return the path of the model of the best epoch."""
    return folder / "best_model.safetensors"


def best_checkpoint_path(folder: Path) -> Path:
    """Return the path of the checkpoint of the best epoch, to resume a run that was killed before a periodic one."""
    return folder / "checkpoint_best.pth"


def epoch_path(folder: Path, epoch: int) -> Path:
    """Return the path of the checkpoint after ``epoch`` finished epochs."""
    return folder / f"checkpoint_epoch_{epoch}.pth"


def interrupted_path(folder: Path) -> Path:
    """Return the path of the checkpoint of a run that stopped inside an epoch."""
    return folder / "checkpoint_interrupted.pth"


def save_checkpoint(path: Path, state: dict[str, Any], config: Config) -> None:
    """Write a checkpoint; an interruption while writing leaves the old file.

    Raises
    ------
    InputError
        The place cannot be written, or holds a file that is no checkpoint of this package.
    """
    header = {"format": CHECKPOINT_FORMAT, "version": __version__, "config": config.model_dump(mode="json")}
    # Save to memory first: on a full disk torch may end the process.
    content = io.BytesIO()
    torch.save(header | state, content)
    with written_aside(path, CHECKPOINT) as partial:
        partial.write_bytes(content.getbuffer())


def find_checkpoint(resume: str | Path, folder: Path) -> Path | None:
    """Return the checkpoint that ``resume`` names; ``auto`` is the one written last, None where there is none.

    Raises
    ------
    InputError
        The folder cannot be written to or holds files of that name that are not ours.
    """
    _check_places(folder)
    if str(resume) != "auto":
        return Path(resume)
    candidates = sorted(folder.glob("checkpoint_*.pth"), key=lambda path: path.stat().st_mtime_ns)
    return candidates[-1] if candidates else None


def refuse_earlier_run(folder: Path) -> None:
    """Refuse a folder with an earlier run, which a new run would overwrite.

    Raises
    ------
    InputError
        The folder holds a checkpoint or a model, or cannot be written to.
    """
    if any(folder.glob("checkpoint_*.pth")) or best_path(folder).exists():
        raise InputError(f"{folder} holds an earlier run; go on with --resume auto, or name another checkpoint_dir.")
    _check_places(folder)


def _check_places(folder: Path) -> None:
    """Refuse, before data are read, files that a run could not overwrite."""
    for path in {*folder.glob("checkpoint_*.pth"), interrupted_path(folder)}:
        check_place(path, CHECKPOINT)
    check_place(best_path(folder), MODEL)


def load_checkpoint(path: Path, config: Config) -> dict[str, Any]:
    """Read a checkpoint and check that it belongs to this configuration.

    Raises
    ------
    InputError
        It is damaged, or of another model, sensor or kelvin range; the message names the key.
    """
    checkpoint = read_checkpoint(path)
    specification = read_specification(checkpoint.get("specification"), checkpoint["config"], path)
    found = differences(specification, Specification.from_config(config))
    wanted, sections = config.model_dump(mode="json"), checkpoint["config"]
    stored = {name: values if isinstance(values, dict) else {} for name, values in sections.items()}
    for section, keys in BESIDE_SPECIFICATION.items():
        for key in keys & stored.get(section, {}).keys():
            if stored[section][key] != wanted[section][key]:
                found[f"{section}.{key}"] = stored[section][key], wanted[section][key]
    for key, (theirs, ours) in found.items():
        raise InputError(
            f"{path} is a checkpoint of another model: {key} is {theirs} there and {ours} in the configuration; resume "
            "with the configuration it was trained with."
        )
    training = stored.get("training", {})
    for key in ("steps_per_epoch", "pretrain_epochs"):
        if training.get(key) != wanted["training"][key]:
            raise InputError(
                f"{path} was trained with training.{key} = {training.get(key)}, the configuration says "
                f"{wanted['training'][key]}; epochs would lose their meaning, so keep it."
            )
    changed = [key for key in SAMPLING if training.get(key) != wanted["training"][key]]
    if changed:
        log.warning("Changed since %s: training.%s; the run goes on, with other samples", path, ", ".join(changed))
    return checkpoint


@contextmanager
def state_of(path: Path) -> Iterator[None]:
    """Raise InputError if restoring a state fails: a part is missing, or belongs to another network."""
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, IndexError) as error:
        raise InputError(
            f"The state in {path} does not fit the networks of its configuration ({type(error).__name__}); "
            "it is damaged: resume from another checkpoint."
        ) from error
