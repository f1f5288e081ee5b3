"""The words of the command line, for the history of its outputs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextvars import ContextVar

__all__ = ["WORDS", "history"]

WORDS: ContextVar[Sequence[str]] = ContextVar("words", default=())


def history() -> str:
    """Return the command, as one line of a shell."""
    return shlex.join(["tempogan-eddy", *WORDS.get()])
