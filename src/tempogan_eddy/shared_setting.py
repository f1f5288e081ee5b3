"""Settings of the whole process that blocks of several threads need at once."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

__all__ = ["SharedSetting"]


class SharedSetting:
    """Make a setting when the first thread enters, and undo it when the last one leaves.

    If each thread restored what it had found, one would restore the setting of another, while it is needed or for good.

    Parameters
    ----------
    make
        Returns a context that makes the setting and restores what was before.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[object]]) -> None:
        self._make, self._guard, self._users = make, threading.Lock(), 0

    def __enter__(self) -> None:
        with self._guard:
            if not self._users:
                self._made = self._make()
                self._made.__enter__()
            self._users += 1

    def __exit__(self, *error: object) -> None:
        with self._guard:
            self._users -= 1
            if not self._users:
                self._made.__exit__(None, None, None)
