"""Inputs that do not exist: found before anything costly is imported, with the name that was perhaps meant."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from glob import has_magic
from itertools import islice
from pathlib import Path

from tempogan_eddy.errors import InputError
from tempogan_eddy.released import is_released

__all__ = ["missing", "nearest", "refuse_missing"]

URL = re.compile(r"[A-Za-z]\w*:/")  # a Path keeps one of the slashes
OTHER_URL = re.compile(r"(?!(s3|gs|https?|file):)(?P<scheme>[A-Za-z][\w+.-]+):/+(?P<rest>.+)", re.DOTALL)
MOST_NAMES = 10_000  # compared in a folder


def missing(path: str | Path, advice: str = "") -> InputError:
    """Return the error for a path that does not exist: with the nearest name beside it, else with an advice."""
    if url := OTHER_URL.fullmatch(str(path)):
        shown = f"{url['scheme']}://{url['rest']}"
        return InputError(f"{shown} is not read by URL; give s3://, gs://, https:// or file://, or a local copy.")
    near = nearest(Path(path))
    hint = f"did you mean {near}?" if near else f"{advice}." if advice else ""
    return InputError(f"{path} does not exist{'; ' if hint else '.'}{hint}")


def nearest(path: Path) -> Path | None:
    """Return the existing neighbour with the most similar name; of a missing folder, its neighbour."""
    with suppress(OSError, ValueError):  # a folder that cannot be listed, a name that cannot be
        while not path.parent.exists():
            path = path.parent
        with os.scandir(path.parent) as entries:
            names = {entry.name.lower(): entry.name for entry in islice(entries, MOST_NAMES) if entry.name[0] != "."}
        for name in get_close_matches(path.name.lower(), names, 1):
            return path.with_name(names[name])
    return None


def refuse_missing(paths: Iterable[str | Path], advice: str = "") -> None:
    """Raise InputError for the first path that cannot be an input; leave URLs, patterns and models to their readers."""
    for path in map(Path, paths):
        if has_magic(str(path)) or URL.match(str(path)) or is_released(path):
            continue
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            if not _is_being_replaced(path):
                raise missing(path, advice) from None
        except (OSError, ValueError):  # the reader says what is wrong with the name
            continue


def _is_being_replaced(path: Path) -> bool:
    """Return whether a hidden name beside a path can be an earlier output, which its reader restores."""
    names = (entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else ()
    return any(name[0] == "." and name.endswith(".old") for name in names)
