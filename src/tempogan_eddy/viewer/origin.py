"""Provenance of the sequences, as their files record it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tempogan_eddy.io.history import MADE, commands_of
from tempogan_eddy.viewer.scene import Panel

__all__ = ["describe_origin"]


# CF's attributes of a file as a whole, in the order of the page.
FACTS = ("title", "institution", "source", "references", "comment")


def describe_origin(panels: Iterable[Panel]) -> dict[str, list[Any]]:
    """Return the provenance that the files of the panels record.

    Parameters
    ----------
    panels : iterable of Panel
        In the order in which they were made.

    Returns
    -------
    dict
        ``facts``: for each panel that says something, its title and pairs of a name and a text.
        ``commands``: the commands of this package that made the files, each once, the earliest first.
    """
    facts: list[dict[str, Any]] = []
    commands: dict[str, None] = {}
    for panel in panels:
        rows = [[name.removeprefix(MADE).replace("_", " "), str(panel.attrs[name])] for name in _told(panel.attrs)]
        if rows:
            facts.append({"title": panel.title, "rows": rows})
        commands |= dict.fromkeys(commands_of(panel.attrs))
    return {"facts": facts, "commands": list(commands)}


def _told(attrs: dict[Any, Any]) -> list[str]:
    """Attributes with a text to show."""
    made = [name for name in attrs if str(name).startswith(MADE) and isinstance(attrs[name], str)]
    return [name for name in (*FACTS, *made) if str(attrs.get(name, "")).strip()]
