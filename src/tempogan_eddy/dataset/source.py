"""Sources of training data: paths and globs, opened as sequences, with a fingerprint of their files."""

import hashlib
import json
import logging
from glob import has_magic
from pathlib import Path
from typing import Any

import xarray as xr

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.split import SPLITS
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.walk import walk
from tempogan_eddy.io.finding import Paths, expand
from tempogan_eddy.io.member import refuse_ensemble
from tempogan_eddy.io.open import find_sequences, open_found
from tempogan_eddy.io.variables.channel import channel_of
from tempogan_eddy.io.variables.selection import require_selection

__all__ = ["Paths", "fingerprint", "open_source", "paths_of", "source_name"]

log = logging.getLogger(__name__)


def paths_of(source: Paths) -> list[Path]:
    """Return the files and folders that a source names, globs expanded.

    Raises
    ------
    InputError
        One does not exist, or a glob matches nothing.
    """
    if isinstance(source, str | Path) and not has_magic(str(source)) and not Path(source).exists():
        raise InputError(
            f"The data folder {source} does not exist; set training.data_root, or make storms to try with "
            f"`tempogan-eddy synthesize -o {source}`."
        )
    return expand(source)


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
        opened = open_found(find_sequences(one_or_all, **options), one_or_all, **options)
        found |= {name: (sequence, "") for name, sequence in opened.items()}
    for path in divided:
        for folder in (name for name in SPLITS if (path / name).is_dir() and any((path / name).iterdir())):
            part = path / folder
            for name, sequence in open_found(find_sequences(part, **options), part, **options).items():
                found[_free_name(name, folder, path, found)] = (sequence, folder)
    for sequence, _ in found.values():
        refuse_ensemble(sequence)
    if not config.data.pairs:  # else the other instrument may have the bands
        require_selection([sequence for sequence, _ in found.values()], config.data.select)
    _warn_of_mixed_channels({name: sequence for name, (sequence, _) in found.items()})
    return found


def _warn_of_mixed_channels(sequences: dict[str, xr.DataArray]) -> None:
    """Warn if sequences show different channels: a network would learn them as one."""
    kinds: dict[str, str] = {}
    for name, sequence in sequences.items():
        kind = channel_of(sequence.attrs.get("original_name", ""), sequence.attrs, sequence.coords).kind
        if kind:
            kinds.setdefault(kind, name)
    if len(kinds) > 1:
        listed = ", ".join(f"{kind} (as {name})" for kind, name in kinds.items())
        log.warning(
            "The data mix the channels %s, which would be learned as one; name the folder of one channel", listed
        )


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
        files = sorted(p for p in walk(path) if p.is_file()) if path.is_dir() else [path]
        stats = [(str(p.relative_to(path)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
        listings.append((str(path.resolve()), stats))
    text = json.dumps([listings, settings, config.data.reader_options()])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
