"""Say once what is the same of many storms."""

from __future__ import annotations

import logging
import re

from tempogan_eddy.wording import listed

__all__ = ["Repeats"]

NAMED = 3  # storms in the line at the end


class Repeats(logging.Filter):
    """Passes the first of the messages of a command that say the same, and keeps of which storms the others are."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, dict[str, None]] = {}
        self._texts: dict[str, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a message is new."""
        text = record.getMessage()
        key = getattr(record, "same", "") or text
        is_new = key not in self._texts
        self._texts.setdefault(key, text)
        if name := getattr(record, "about", ""):
            self._names.setdefault(key, {})[name] = None
        return is_new

    def tell(self, log: logging.Logger, error: str = "") -> None:
        """Log, at the end of a command, of which storms what was said once is true, unless its error says it anyway."""
        for key, names in self._names.items():
            if len(names) > 1 and key not in error:
                start = re.split(r"[;(] ?", self._texts[key])[0].rstrip(" :.")
                log.info("True of %d (%s): %s", len(names), listed(names, NAMED), start)
