"""The part of YAML that a configuration needs: no anchors, no tags, no deep nesting."""

from __future__ import annotations

import json
from typing import Any

import yaml

__all__ = ["parse_yaml"]

DEEPEST = 32


class _PlainLoader(yaml.SafeLoader):
    """Refuse anchors, tags and deep nesting: ten lines of aliases of aliases can stand for a billion values."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise ValueError(f"line {event.start_mark.line + 1} has an anchor, an alias or a tag")
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError(f"line {event.start_mark.line + 1} is nested more than {DEEPEST} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def parse_yaml(text: str) -> Any:
    """Return the value of a text in YAML, which includes JSON.

    Raise `yaml.YAMLError` if it is not YAML, and ValueError if it has anchors, aliases or tags, is nested more than 32
    deep, or has an invalid number, date or text.
    """
    try:
        value = yaml.load(text, _PlainLoader)
        if "\\ud" in text.lower():  # half of a surrogate pair, which can be neither printed nor written
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (LookupError, AttributeError, TypeError, RecursionError) as error:  # odd scalars
        raise ValueError(f"{type(error).__name__} in the YAML library") from None
