"""A lock that can be pickled with what it guards: another process gets a lock of its own."""

from __future__ import annotations

import threading

__all__ = ["Lock"]


class Lock:
    """`threading.Lock` for one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        return Lock, ()
