"""Ignore warnings of libraries in one thread, and leave those of the others and the filters as they are.

`warnings.catch_warnings` sets the filters of the whole process. If two threads leave it in another order than they
entered, the filter of one of them stays for good. Here one filter asks the thread what it ignores.
"""

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["ignored_warnings"]

_IGNORED: ContextVar[str | None] = ContextVar("ignored", default=None)
_PLACING = threading.Lock()


@contextmanager
def ignored_warnings(message: str = "") -> Iterator[None]:
    """Ignore warnings of this thread whose text begins with a match of a pattern, whatever its case; all by default."""
    token = _IGNORED.set(message)
    _place_first()
    try:
        yield
    finally:
        _IGNORED.reset(token)


class _Ignored:
    """The pattern of a filter: matches what the thread that warns ignores just now."""

    def match(self, text: str) -> bool:
        message = _IGNORED.get()
        return message is not None and re.match(message, text, re.IGNORECASE) is not None


_FILTER = ("ignore", _Ignored(), Warning, None, 0)


def _place_first() -> None:
    """Put our filter before all others, which may have been set, reset or copied since it was put there."""
    with _PLACING:
        filters: Any = warnings.filters
        if filters[:1] != [_FILTER]:
            filters[:] = [_FILTER, *(other for other in filters if other is not _FILTER)]
