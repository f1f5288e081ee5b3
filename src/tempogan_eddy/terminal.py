"""The one console that messages and progress bars share, so that neither tears the other; and what it may show."""

from __future__ import annotations

import re
from functools import cache

from rich.console import Console

__all__ = ["messages", "printable"]

# All control characters but the tab and the line feed.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@cache
def messages() -> Console:
    """Standard error, where everything goes that is not a result."""
    return Console(stderr=True)


def printable(text: str) -> str:
    """Return a text of a file without the control characters by which it could rewrite the terminal."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
