"""Wording that all messages share."""

__all__ = ["count"]


def count(number: int, noun: str) -> str:
    """Return a count: ``1 frame``, ``2 frames``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
