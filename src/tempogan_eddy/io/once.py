"""Messages that are logged once a folder: an archive is thousands of files alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["log_once"]

_LOGGED: set[tuple[str, str, str]] = set()


def log_once(log: Callable[..., None], where: str | Path, message: str) -> None:
    """Log a message about a file unless the log has the same message about another file of its folder.

    Parameters
    ----------
    log : callable
        A method of a logger, such as ``log.warning``.
    where : str or Path
        The file, perhaps followed by ``: `` and a variable; the line begins with it.
    message : str
        The rest of the line.
    """
    path, _, rest = str(where).partition(": ")
    key = message, str(Path(path).parent), rest
    if key not in _LOGGED:
        _LOGGED.add(key)
        log("%s: %s", where, message)
