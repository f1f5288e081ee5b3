"""Checkpoints: everything a run needs to go on exactly, written aside and then renamed."""

import io
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from tempogan_eddy import __version__
from tempogan_eddy.config import Config
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import unwritable, written_aside
from tempogan_eddy.io.messages import log_once
from tempogan_eddy.io.ownership import Kind, begins_with, check_place
from tempogan_eddy.io.writing.claim import claimed
from tempogan_eddy.specification import Specification, differences, read_specification
from tempogan_eddy.stored import CHECKPOINT_FORMAT, read_checkpoint
from tempogan_eddy.training.selection import Rank
from tempogan_eddy.weights import MODEL

__all__ = [
    "best_checkpoint_path",
    "best_path",
    "claimed_folder",
    "epoch_path",
    "find_checkpoint",
    "interrupted_path",
    "load_checkpoint",
    "prune_checkpoints",
    "refuse_earlier_run",
    "save_checkpoint",
    "state_of",
]

log = logging.getLogger(__name__)

# Keys that a checkpoint must share with the configuration, besides its model's specification.
BESIDE_SPECIFICATION = {"model": {"discriminator_channels", "detail_gain", "spectral_norm"}, "data": {"cadence"}}

# Keys that decide which samples a step sees.
SAMPLING = ("batch_size", "accumulate", "d_steps", "patch_size", "context", "shift_blocks", "seed", "augment")

UNFINISHED = re.compile(r"\..+\.(\d+\.partial|lock)")
PERIODIC = re.compile(r"checkpoint_epoch_(\d+)\.pth")

# Its format stands at the beginning, so a checkpoint whose end is damaged is known too.
CHECKPOINT = Kind("a checkpoint", lambda path: begins_with(path, CHECKPOINT_FORMAT))


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
    # Save to memory first: on a full disk torch may end the process. So may a view of that memory, which the error
    # keeps, before Python 3.12.2 (CPython issue 77894).
    content = io.BytesIO()
    torch.save(header | state, content)
    with written_aside(path, CHECKPOINT) as partial:
        partial.write_bytes(content.getvalue())


def find_checkpoint(resume: str | Path, folder: Path) -> Path | None:
    """Return the checkpoint that ``resume`` names; ``auto`` is the one of the last step that is not damaged.

    Return None for ``auto`` where no checkpoint was written yet: the run starts from the beginning.

    Raises
    ------
    InputError
        All checkpoints are damaged, or the folder cannot be written to or holds files of that name that are not ours.
    """
    _check_places(folder)
    if str(resume) != "auto":
        return Path(resume)
    steps: dict[Path, int] = {}
    for path in _periodic(folder):
        steps[path] = _step(path)
        if steps[path] >= 0:
            break
    others = [path for path in (interrupted_path(folder), best_checkpoint_path(folder)) if path.exists()]
    steps |= {path: _step(path) for path in others}
    if not steps:
        _refuse_lone_model(folder)
        return None
    last = max(steps, key=lambda path: steps[path])
    if steps[last] < 0:
        raise InputError(f"All checkpoints in {folder} are damaged; name another checkpoint_dir to start anew.")
    return last


def _periodic(folder: Path) -> list[Path]:
    """Return the checkpoints that bear the number of their epoch, the last first."""
    named = {path: PERIODIC.fullmatch(path.name) for path in folder.glob("checkpoint_epoch_*.pth")}
    numbers = {path: int(match[1]) for path, match in named.items() if match}
    return sorted(numbers, key=lambda path: numbers[path], reverse=True)


def _step(path: Path) -> int:
    """Return the step of a checkpoint, and -1 with a warning if it is damaged."""
    try:
        return int(read_checkpoint(path)["step"])
    except InputError as error:
        log_once(log.warning, "Skipped", str(error))  # a command looks before it reads data, and again after
        return -1


def prune_checkpoints(folder: Path, newest: Path, ranks: Mapping[int, Rank], keep: int) -> None:
    """Remove periodic checkpoints except the newest, which is written already, and the ``keep`` - 1 best others."""
    others = [path for path in _periodic(folder) if path != newest]
    others.sort(key=lambda path: ranks.get(int(path.stem.rpartition("_")[2]), Rank()))  # stable: later epochs first
    for path in others[keep - 1 :]:
        path.unlink(missing_ok=True)


@contextmanager
def claimed_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a training folder; remove unfinished files and locks of files that a killed run left.

    Raises
    ------
    InputError
        Another run trains into the folder, or it cannot be written to.
    """
    made = False
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with claimed(folder, folder / ".lock"):
            for left in folder.iterdir():
                if UNFINISHED.fullmatch(left.name):
                    left.unlink(missing_ok=True)
            yield
    except OSError as error:
        raise unwritable(folder, error) or error from error
    finally:
        if made:
            with suppress(OSError):  # it holds a checkpoint
                folder.rmdir()


def refuse_earlier_run(folder: Path) -> None:
    """Refuse a folder with an earlier run, which a new run would overwrite.

    Raises
    ------
    InputError
        The folder holds a checkpoint or a model, or cannot be written to.
    """
    if any(folder.glob("checkpoint_*.pth")):
        raise InputError(
            f"{folder} holds an earlier run; go on with --resume auto, or set training.checkpoint_dir and log_dir anew."
        )
    _refuse_lone_model(folder)
    _check_places(folder)


def _refuse_lone_model(folder: Path) -> None:
    """Refuse a folder with a model and no checkpoint: no run can go on there, and a new one would replace it."""
    if best_path(folder).exists():
        raise InputError(
            f"{folder} holds a model but no checkpoint to resume from; name another checkpoint_dir, and begin with "
            "the model by training.start_from."
        )


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
            "it is damaged, or of an earlier release: resume from another one, or set training.start_from to its model."
        ) from error
