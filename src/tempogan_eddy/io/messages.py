"""Say what messages are about, once for files alike; collect warnings in place of logging them, in several threads."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeAlias

from tempogan_eddy.errors import with_urls

__all__ = ["Teller", "about", "collected_records", "collected_warnings", "log_once"]

Teller: TypeAlias = "logging.Logger | logging.LoggerAdapter[logging.Logger]"

_SAID: ContextVar[list[logging.LogRecord] | None] = ContextVar("said", default=None)
_LOGGED: set[tuple[str, str, str]] = set()  # once a folder: an archive is thousands of files alike


def about(log: logging.Logger, name: object, same: str = "") -> logging.LoggerAdapter[logging.Logger]:
    """Return a logger whose messages are about a storm or file.

    Those of one text, or with equal `same`, are alike: the command line says them once, with the number of storms.
    """
    return logging.LoggerAdapter(log, {"about": str(name), "same": same})


def log_once(log: Callable[..., None], where: str | Path, message: str) -> None:
    """Log a message (``WHERE: MESSAGE``) about a file unless the log has it about another file of its folder.

    `log` is a method of a logger; `where` is the file, perhaps followed by ``: `` and a variable.
    """
    path, _, rest = str(where).partition(": ")
    key = message, str(Path(path).parent), rest
    if key not in _LOGGED:
        _LOGGED.add(key)
        extra = {"about": Path(path).parent.name, "same": f"{rest}: {message}"}
        log("%s", with_urls(f"{where}: {message}"), extra=extra)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Yield a list to which the warnings of this thread go; hide its other messages. Other threads log as before.

    The list is filled at the end.
    """
    texts: list[str] = []
    with collected_records() as said:
        try:
            yield texts
        finally:
            texts += [record.getMessage() for record in said]


@contextmanager
def collected_records() -> Iterator[list[logging.LogRecord]]:
    """Yield a list to which the warnings of this thread go as records, which can be pickled."""
    said: list[logging.LogRecord] = []
    token = _SAID.set(said)
    _SORTER.install()
    try:
        yield said
    finally:
        _SORTER.remove()
        _SAID.reset(token)


class _Sorter(logging.Handler):
    """Takes the place of the handlers of the package while any thread collects."""

    def __init__(self) -> None:
        super().__init__()
        self._logger = logging.getLogger("tempogan_eddy")
        self._guard, self._users = threading.Lock(), 0
        self._former: tuple[list[logging.Handler], bool] = [], True

    def install(self) -> None:
        with self._guard:
            if not self._users:
                self._former = self._logger.handlers, self._logger.propagate
                self._logger.handlers, self._logger.propagate = [self], False
            self._users += 1

    def remove(self) -> None:
        with self._guard:
            self._users -= 1
            if not self._users:
                self._logger.handlers, self._logger.propagate = self._former

    def emit(self, record: logging.LogRecord) -> None:
        if (said := _SAID.get()) is not None:
            if record.levelno >= logging.WARNING:
                record.msg, record.args, record.exc_info = record.getMessage(), None, None
                said.append(record)
            return
        handlers, propagates = self._former
        handlers = [*handlers, *(logging.getLogger().handlers if propagates else ())]
        for handler in handlers or filter(None, [logging.lastResort]):
            if record.levelno >= handler.level:
                handler.handle(record)


_SORTER = _Sorter()
