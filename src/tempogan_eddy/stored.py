"""Model files and checkpoints as they are stored, read without trusting them.

Check the claims of a file against its content before it takes memory; execute nothing in it.
"""

import pickletools
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.json_text import parse_json
from tempogan_eddy.io.files.walk import refuse_special
from tempogan_eddy.safetensors_file import read_safetensors

__all__ = ["CHECKPOINT_FORMAT", "MODEL_FORMAT", "read_checkpoint", "read_model_file"]

MODEL_FORMAT = "tempogan-eddy-model"
CHECKPOINT_FORMAT = "tempogan-eddy-checkpoint"

# The names in the pickle of our checkpoints. torch.load allows more, such as torch.Tensor(10 ** 12).
PICKLED = re.compile(
    r"torch(\.storage)? \w+Storage|torch (u?int|float|bfloat|bool)\w*"
    r"|torch\._utils _rebuild_(tensor_v2|tensor_v3|parameter)|collections OrderedDict"
)
LARGEST_PICKLE = 64 << 20

CHECKPOINT_TYPES: dict[str, type | tuple[type, ...]] = {
    "version": str,
    "config": dict,
    "generator": dict,
    "ema": dict,
    "epoch": int,
    "step": int,
    "best_score": (int, float),
}


def read_model_file(path: Path) -> tuple[Any, Any, dict[str, torch.Tensor], dict[str, Any]]:
    """Return the specification (None in files of the first releases), configuration, weights and metadata of a file.

    Raise `InputError` if it is missing, damaged, or no model of this package.
    """
    refuse_special(path)
    weights, header = read_safetensors(path, "The model")
    if header.get("format") != MODEL_FORMAT:
        raise InputError(f"{path} is not a model of TempoGAN-Eddy; give a .safetensors file that its training wrote.")
    try:
        metadata = {"version": header["version"], **parse_json(header["metadata"])}
        config = parse_json(header["config"])
        specification = parse_json(header["specification"]) if "specification" in header else None
    except (KeyError, ValueError, TypeError):
        raise InputError(f"The header of the model {path} is damaged; fetch the file again.") from None
    _check_metadata(metadata, path)
    return specification, config, weights, metadata


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a training checkpoint onto the CPU, weights only.

    Raise `InputError` if it is missing, damaged, or not a checkpoint of this package.
    """
    newest = 'resume from "auto", the newest one'
    if not path.exists():
        raise InputError(f"The checkpoint {path} does not exist; {newest}.")
    refuse_special(path)
    if path.is_dir() or path.suffix == ".safetensors":
        other = "a folder" if path.is_dir() else "a model, with which training.start_from begins a new run"
        raise InputError(f"{path} is no checkpoint but {other}; name a .pth file, or {newest}.")
    try:
        _check_archive(path)
        # Memory-mapped: a tensor that claims more than its part of the file cannot reach beyond the file.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        _free_from_file(checkpoint, path.stat().st_size)
    except Exception as error:  # a damaged file can fail anywhere in the unpickler
        raise InputError(
            f"The checkpoint {path} cannot be read ({type(error).__name__}); it is damaged or not a checkpoint."
        ) from None
    if not isinstance(checkpoint, dict) or checkpoint.get("format") != CHECKPOINT_FORMAT:
        raise InputError(
            f"{path} is not a checkpoint of TempoGAN-Eddy; give a checkpoint_epoch_N.pth that its training wrote."
        )
    for key, kind in CHECKPOINT_TYPES.items():
        if not isinstance(checkpoint.get(key), kind):
            raise InputError(f"The checkpoint {path} lacks {key}, or holds it in a wrong form; it is damaged.")
    return checkpoint


def _check_metadata(metadata: dict[str, Any], path: Path) -> None:
    """Refuse metadata that would fail only later, when an output records them."""
    wrong = [key for key in ("step", "epoch", "detail") if not isinstance(metadata.get(key, 0), int | float)]
    for key in ("training_data", "history", "trained_on"):
        texts = metadata.get(key, [])
        if not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
            wrong.append(key)
    if wrong:
        raise InputError(f"The model {path} holds {', '.join(wrong)} in a wrong form; it is damaged.")


def _check_archive(path: Path) -> None:
    """Raise ValueError unless a zip file holds intact, uncompressed members and a pickle like ours."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("compressed")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("larger than the file")
        if archive.testzip() is not None:
            raise ValueError("checksum")
        pickles = [member for member in members if member.filename.endswith("data.pkl")]
        if len(pickles) != 1 or pickles[0].file_size > LARGEST_PICKLE:
            raise ValueError("pickle")
        for operation, argument, _ in pickletools.genops(archive.read(pickles[0])):
            # STACK_GLOBAL, which ours never use, takes the name of a class from the stack.
            if operation.name in ("GLOBAL", "STACK_GLOBAL") and not PICKLED.fullmatch(str(argument)):
                raise ValueError(f"pickle of {argument}")


def _free_from_file(checkpoint: Any, file_size: int) -> None:
    """Replace the tensors in nested containers, which are parts of the mapped file, by copies in memory.

    Raise ValueError if the tensors together are larger than the file (strides of zero repeat one number without end),
    or a container appears twice (nested, each level would double the work of a reader).
    """
    left, met, waiting = file_size, set(), [checkpoint]
    while waiting:
        container = waiting.pop()
        if id(container) in met:
            raise ValueError("a container is met twice")
        met.add(id(container))
        for key, value in list(container.items() if isinstance(container, dict) else enumerate(container)):
            if isinstance(value, torch.Tensor):
                left -= value.numel() * value.element_size()
                if left < 0:
                    raise ValueError("tensors larger than the file")
                container[key] = value.clone()
            elif isinstance(value, dict | list):
                waiting.append(value)
            elif isinstance(value, tuple):
                if not all(isinstance(part, int | float) for part in value):
                    raise ValueError("a tuple of other things than numbers")
            elif not isinstance(value, str | int | float | None):
                raise ValueError(f"a {type(value).__name__}")
