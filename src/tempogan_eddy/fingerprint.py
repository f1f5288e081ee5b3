"""Files by their content: which model file a name means, and its fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tempogan_eddy.io.walk import refuse_special
from tempogan_eddy.released import RELEASES, is_released

__all__ = ["model_file", "sha256"]


def sha256(path: Path) -> str:
    """The fingerprint of a file, as ``sha256sum`` prints it.

    Raises
    ------
    InputError
        It is no file, or cannot be read.
    """
    refuse_special(path)  # a device may have no end
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_file(name: str) -> Path | None:
    """The file of a model named on the command line, released or one's own; None where there is none."""
    path = Path(name)
    if is_released(name):
        path = RELEASES / f"{name}.safetensors"
    return path if path.is_file() else None
