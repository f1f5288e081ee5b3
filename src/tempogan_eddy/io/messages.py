"""Collect warnings in place of logging them, in several threads at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["collected_warnings"]

_SAID: ContextVar[list[str] | None] = ContextVar("said", default=None)


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Yield a list to which the warnings of this thread go; hide its other messages. Other threads log as before."""
    said: list[str] = []
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
                said.append(record.getMessage())
            return
        handlers, propagates = self._former
        handlers = [*handlers, *(logging.getLogger().handlers if propagates else ())]
        for handler in handlers or filter(None, [logging.lastResort]):
            if record.levelno >= handler.level:
                handler.handle(record)


_SORTER = _Sorter()
