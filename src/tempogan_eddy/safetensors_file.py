"""Safetensors files with a digest: equal content is an equal file, and damage of any byte shows."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from tempogan_eddy.errors import InputError

__all__ = ["read_safetensors", "safetensors_bytes"]

DIGEST = "sha256"
ALIGNED = 8  # the length of the header is a multiple of so many bytes, as the format asks


def safetensors_bytes(tensors: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> bytes:
    """Return the file of tensors with a header, to which the digest of both is added.

    Parameters
    ----------
    tensors
        By name, of any shapes; stored as float32.
    header
        Texts by name.
    """
    stored = {name: value.detach().float().contiguous().cpu() for name, value in tensors.items()}
    content = save(stored)
    size = int.from_bytes(content[:8], "little")
    # The library writes the texts of a header in random order.
    whole = {**header, DIGEST: _digest(stored, header)}
    entries = {"__metadata__": dict(sorted(whole.items())), **json.loads(content[8 : 8 + size])}
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNED)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def read_safetensors(path: Path, what: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Return the tensors and the header of a file; ``what`` names it in errors.

    Raises
    ------
    InputError
        It is no safetensors file, or its content is not that of its digest. Files of early releases have no digest.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError, AttributeError):
        raise InputError(f"{what} {path} cannot be read; it is damaged or not a safetensors file.") from None
    stated = header.pop(DIGEST, None)
    if stated is not None and stated != _digest(tensors, header):
        raise InputError(f"{what} {path} is damaged: its SHA-256 is not the recorded one; fetch the file again.")
    return tensors, header


def _digest(tensors: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(dict(header), sort_keys=True).encode())
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
