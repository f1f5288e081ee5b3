"""Messages that are logged once a folder: an archive is thousands of files alike."""

from __future__ import annotations

import logging
from pathlib import Path

__all__ = ["tell_once"]

_TOLD: set[tuple[str, ...]] = set()


def tell_once(log: logging.Logger, level: int, message: str, where: str | Path, *args: object) -> None:
    """Log a message about a file unless the log has the same message about another file of its folder.

    Parameters
    ----------
    log, level, message, args
        As for ``Logger.log``; the message begins with ``%s`` for the file.
    where : str or Path
        The file, perhaps followed by ``: `` and a variable.
    """
    path, _, rest = str(where).partition(": ")
    key = (message, str(Path(path).parent), rest, *map(str, args))
    if key not in _TOLD:
        _TOLD.add(key)
        log.log(level, message, where, *args)
