"""What training data are named by: a path, a glob or a list of such, read as sequences and told from changed ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.split import SPLITS
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequences

__all__ = ["Paths", "fingerprint", "open_source", "paths_of", "source_name"]

Paths = str | Path | Sequence[str | Path]
"""A file, a folder, a glob, or several of these."""


def paths_of(source: Paths) -> list[Path]:
    """Return the files and folders that a source names, globs expanded.

    Raises
    ------
    InputError
        One does not exist, or a glob matches nothing.
    """
    paths: list[Path] = []
    for item in [source] if isinstance(source, str | Path) else source:
        path = Path(item)
        root = Path(path.anchor)
        matches = [path] if path.exists() else sorted(root.glob(str(path.relative_to(root))))
        if not matches:
            pattern = any(letter in str(item) for letter in "*?[")
            hint = "" if pattern else f", or make storms to try with `tempogan-eddy synthesize -o {item}`"
            raise InputError(f"The data folder {item} does not exist; set training.data_root{hint}.")
        paths += matches
    if not paths:
        raise InputError("The list of data is empty; set training.data_root.")
    return paths


def source_name(source: Paths) -> str:
    """Return a source as people name it."""
    return str(source) if isinstance(source, str | Path) else ", ".join(map(str, source))


def open_source(source: Paths, config: Config) -> dict[str, tuple[xr.DataArray, str]]:
    """Open every sequence of a source, with the split folder that it lies in (or an empty text)."""
    options = config.data.reader_options()
    paths = paths_of(source)
    divided = [path for path in paths if (path / "train").is_dir()]
    whole = [path for path in paths if path not in divided]
    found: dict[str, tuple[xr.DataArray, str]] = {}
    if whole:
        one_or_all: Any = whole[0] if len(whole) == 1 else whole
        opened = open_sequences(one_or_all, **options)
        found |= {name: (sequence, "") for name, sequence in opened.items()}
    for path in divided:
        for folder in (name for name in SPLITS if (path / name).is_dir() and any((path / name).iterdir())):
            for name, sequence in open_sequences(path / folder, **options).items():
                found[_free_name(name, folder, path, found)] = (sequence, folder)
    return found


def _free_name(name: str, folder: str, path: Path, taken: dict[str, Any]) -> str:
    candidates = (name, f"{folder}_{name}", f"{path.name}_{folder}_{name}")
    free = next((candidate for candidate in candidates if candidate not in taken), None)
    if free is None:
        raise InputError(f"{path / folder} holds a second sequence {name!r}; rename one of the two.")
    return free


def fingerprint(source: Paths, config: Config, settings: dict[str, Any]) -> str:
    """Return a hash that changes with any file of a source, the way it is read, and further settings."""
    listings = []
    for path in paths_of(source):
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        stats = [(str(p.relative_to(path)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
        listings.append((str(path.resolve()), stats))
    text = json.dumps([listings, settings, config.data.reader_options()])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
