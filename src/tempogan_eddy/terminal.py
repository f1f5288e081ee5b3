"""Consoles: one that messages and progress bars share, so that neither tears the other, and one for results."""

from __future__ import annotations

import re
from functools import cache
from typing import IO

from rich.console import Console

__all__ = ["messages", "printable", "results_console"]

# All control characters but the tab and the line feed.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@cache
def messages() -> Console:
    """Return the console on standard error, for all that is not a result."""
    return Console(stderr=True)


def results_console(file: IO[str] | None = None, width: int = 110) -> Console:
    """Return a console for results; redirected output, which has no width, gets `width` columns."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console.width = width
    return console


def printable(text: str) -> str:
    """Replace the control characters with which a text could rewrite the terminal."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
