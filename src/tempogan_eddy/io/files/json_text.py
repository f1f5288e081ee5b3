"""Read text and JSON from files that nobody has checked: bounded, and every fault one kind of error."""

import json
import stat
from pathlib import Path
from typing import Any

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.walk import refuse_special

__all__ = ["parse_json", "read_bounded"]

DEEPEST = 100

# Pipes of the shell's own, as in `--config <(jq ... mine.json)`, have these names.
PIPES = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raise ValueError if it is not JSON, or JSON that no honest writer makes: nested more than 100 deep, a number of
    thousands of digits, or text that no file can hold (half of a surrogate pair).
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_depth(value)
    if "\\ud" in (text.decode(errors="replace") if isinstance(text, bytes) else text).lower():
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            part
            for whole in level
            if isinstance(whole, dict | list)
            for part in (whole.values() if isinstance(whole, dict) else whole)
        ]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def read_bounded(path: Path, largest: int) -> bytes:
    """Return the content of a file, or a pipe of the shell, of at most `largest` bytes.

    Raise InputError if it is missing, unreadable, larger, or a device or another thing that is no file.
    """
    try:
        if not (str(path).startswith(PIPES) and stat.S_ISFIFO(path.stat().st_mode)):
            refuse_special(path)
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); give a file.") from None
    if len(content) > largest:
        raise InputError(f"{path} is larger than {largest >> 20} MiB, so it is not what this command reads.")
    return content
