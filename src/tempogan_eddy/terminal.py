"""Consoles: one that messages and progress bars share, so that neither tears the other, and one for results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:  # rich is imported when it first prints, which keeps `--help` fast
    from rich.console import Console
    from rich.table import Table

__all__ = ["fact_table", "messages", "printable", "results_console"]

# All control characters but the tab and the line feed.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@cache
def messages() -> Console:
    """Return the console on standard error, for all that is not a result."""
    from rich.console import Console

    return Console(stderr=True)


def results_console(file: IO[str] | None = None, width: int = 110) -> Console:
    """Return a console for results; redirected output, which has no width, gets `width` columns."""
    from rich.console import Console

    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console.width = width
    return console


def fact_table(facts: Mapping[str, Any]) -> Table:
    """Return names and values as two columns, without markup or control characters."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        if isinstance(value, dict):
            text = ", ".join(f"{key} {part}" for key, part in value.items())
        elif isinstance(value, list) and all(isinstance(part, str) for part in value):
            text = "\n".join(value)
        if text:
            table.add_row(Text(printable(name)), Text(printable(text)))
    return table


def printable(text: str) -> str:
    """Replace the control characters with which a text could rewrite the terminal."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
