"""Record how a file was made in the `history` of CF: one dated line for each command."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["MADE", "commands_of", "with_line"]

# Prefix of the attributes that name the model of a reconstruction.
MADE = "super_resolution_"

STAMP = re.compile(r"^\S+Z ")  # the date before each line


def with_line(attrs: Mapping[Any, Any], text: str) -> str:
    """Return the history in attributes with one more line, dated now."""
    line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(text.splitlines())}"
    return "\n".join(filter(None, (_text(attrs).rstrip(), line)))


def commands_of(attrs: Mapping[Any, Any]) -> list[str]:
    """Return the commands of this package that made a file, each once, the earliest first."""
    lines = (STAMP.sub("", line) for line in _text(attrs).splitlines())
    return list(dict.fromkeys(line for line in lines if line.startswith("tempogan-eddy ")))


def _text(attrs: Mapping[Any, Any]) -> str:
    history = attrs.get("history", "")
    return "\n".join(map(str, history)) if isinstance(history, list | tuple) else str(history)
