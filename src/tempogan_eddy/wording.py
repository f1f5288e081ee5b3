"""Wording that all messages share."""

from collections.abc import Collection

__all__ = ["count", "listed"]


def count(number: int, noun: str) -> str:
    """Return a count: ``1 frame``, ``2 frames``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(names: Collection[object], most: int = 12, between: str = ", ") -> str:
    """Return names for a message, at most `most` of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join([str(name) for name in names][:most]) + more
