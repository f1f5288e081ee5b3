"""Rows of numbers as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table

Row = Mapping[str, Any]


def table(title: str, rows: Sequence[Row], columns: Mapping[str, tuple[str, str]]) -> Group:
    """A table of rows under a title.

    Parameters
    ----------
    rows
        A number that a row does not have is left out.
    columns
        For each key of the rows its heading and its format, ``.1f`` say; text where the format is empty.
    """
    result = Table()
    for heading, form in columns.values():
        result.add_column(heading, justify="right" if form else "left", no_wrap=not form)
    for row in rows:
        result.add_row(*("" if row.get(key) is None else format(row[key], form) for key, (_, form) in columns.items()))
    return Group("", f"[bold]{title}[/bold]", result)


def console() -> Console:
    """A console wide enough for the tables where the output is a file."""
    return Console(width=None if Console().is_terminal else 120)


def rounded(value: Any) -> Any:
    """The same with five digits of every number: more are noise."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
