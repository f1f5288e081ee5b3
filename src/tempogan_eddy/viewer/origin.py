"""Provenance of the sequences, as their files record it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tempogan_eddy.io.history import MADE, commands_of
from tempogan_eddy.viewer.scene import Panel

__all__ = ["describe_origin"]

# CF attributes of a file, in the order of the page.
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
        ``facts``: for each panel with a record, its title and pairs of a name and a text.
        ``commands``: the distinct commands of this package that made the files, the earliest first.
    """
    facts: list[dict[str, Any]] = []
    commands: dict[str, None] = {}
    for panel in panels:
        made = [name for name, value in panel.attrs.items() if str(name).startswith(MADE) and isinstance(value, str)]
        texts = {name: str(panel.attrs.get(name, "")) for name in (*FACTS, *made)}
        rows = [[name.removeprefix(MADE).replace("_", " "), text] for name, text in texts.items() if text.strip()]
        if rows:
            facts.append({"title": panel.title, "rows": rows})
        commands |= dict.fromkeys(commands_of(panel.attrs))
    return {"facts": facts, "commands": list(commands)}
