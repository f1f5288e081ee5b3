"""The one console that messages and progress bars share, so that neither tears the other."""

from __future__ import annotations

from functools import cache

from rich.console import Console

__all__ = ["messages"]


@cache
def messages() -> Console:
    """Standard error, where everything goes that is not a result."""
    return Console(stderr=True)
