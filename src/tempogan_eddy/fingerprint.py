"""Fingerprints of files and networks by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tempogan_eddy.io.files.urls import shown
from tempogan_eddy.io.files.walk import refuse_special

if TYPE_CHECKING:
    from torch import nn

__all__ = ["fingerprint_of", "network_digest", "sha256"]


def sha256(path: Path) -> str:
    """Return the fingerprint of a file, as ``sha256sum`` prints it; raise `InputError` if it is no readable file."""
    refuse_special(path)  # a device may have no end
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint_of(files: Iterable[Path], settings: Mapping[str, object]) -> str:
    """Return a text that changes with the names, sizes and times of files and those in folders, and with settings."""
    found = {path for file in files for path in ([file] if file.is_file() else file.rglob("*")) if path.is_file()}
    stats = sorted((shown(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in found)
    text = json.dumps([stats, settings], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def network_digest(network: nn.Module) -> str:
    """Return the fingerprint of what a network computes: its class, its layers and settings, its weights."""
    settings = {key: value for key, value in vars(network).items() if isinstance(value, bool | int | float | str)}
    digest = hashlib.sha256(f"{type(network)} {network} {sorted(settings.items())}".encode())
    for name, values in network.state_dict().items():
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.detach().cpu().contiguous().numpy())
    return digest.hexdigest()
