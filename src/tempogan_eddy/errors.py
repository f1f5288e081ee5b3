"""The errors that a user can cause and repair."""

import re
from numbers import Integral
from pathlib import Path
from typing import Any

__all__ = [
    "COPIES",
    "SEEDS",
    "InputError",
    "TrainingError",
    "is_out_of_memory",
    "reason_of",
    "require_seed",
    "require_whole",
    "with_urls",
]

COPIES: dict[Path, str] = {}
"""The URL of each local copy; `tempogan_eddy.io.files.urls` makes them."""

SEEDS = 1 << 63
"""How many seeds there are: the whole numbers that files can hold."""

# A Path keeps one of the slashes of a URL.
ONE_SLASH = re.compile(r"\b(s3|gs|https?):/(?=[^/])")

# How torch and its engines report exhausted memory in a RuntimeError, on the CPU and on devices.
NO_MEMORY = ("out of memory", "not enough memory", "allocate memory")


class InputError(Exception):
    """An input of the user is not usable.

    The message is one sentence that names the file, key or value and says what to do.
    The command line prints it without a traceback and exits with code 2.
    Of a copy of what lies at a URL, it names the URL.
    """

    def __str__(self) -> str:
        return with_urls(super().__str__())


class TrainingError(Exception):
    """Training cannot continue, such as after a loss that is not finite; the message says what to try."""


def require_whole(what: str, number: Any, least: int, most: int) -> None:
    """Raise InputError if a number is not whole, or out of range: too many of a thing fill any memory."""
    if not isinstance(number, Integral) or not least <= int(number) <= most:
        raise InputError(f"{what} must be a whole number from {least} to {most}, not {number!r}.")


def require_seed(seed: Any) -> int:
    """Return a seed as Python's int, whose sums do not overflow as numpy's do; raise InputError if it is none."""
    require_whole("The seed", seed, 0, SEEDS - 1)
    return int(seed)


def reason_of(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind if it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def with_urls(text: str) -> str:
    """Return a text that names URLs as the user did, and instead of their local copies."""
    for copy, url in tuple(COPIES.items()):
        text = text.replace(str(copy), url)
    return ONE_SLASH.sub(r"\1://", text)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, of the machine or of a device."""
    if isinstance(error, RuntimeError):
        return any(words in str(error) for words in NO_MEMORY)
    return isinstance(error, MemoryError)
