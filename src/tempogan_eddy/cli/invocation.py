"""The words that the command line was called with, for the history of what it writes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextvars import ContextVar

__all__ = ["WORDS", "history"]

WORDS: ContextVar[Sequence[str]] = ContextVar("words", default=())


def history() -> str:
    """The command that made a file."""
    return shlex.join(["tempogan-eddy", *WORDS.get()])
