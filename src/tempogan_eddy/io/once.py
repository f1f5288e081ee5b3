"""Log messages once a folder: an archive is thousands of files alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tempogan_eddy.errors import with_urls

__all__ = ["log_once"]

_LOGGED: set[tuple[str, str, str]] = set()


def log_once(log: Callable[..., None], where: str | Path, message: str) -> None:
    """Log a message (``WHERE: MESSAGE``) about a file unless the log has it about another file of its folder.

    `log` is a method of a logger; `where` is the file, perhaps followed by ``: `` and a variable.
    """
    path, _, rest = str(where).partition(": ")
    key = message, str(Path(path).parent), rest
    if key not in _LOGGED:
        _LOGGED.add(key)
        log(
            "%s",
            with_urls(f"{where}: {message}"),
            extra={"about": Path(path).parent.name, "same": f"{rest}: {message}"},
        )
