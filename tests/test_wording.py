"""Counts in messages."""

import ast
import re
from pathlib import Path

import pytest

import tempogan_eddy
from tempogan_eddy.wording import count

NOUNS = "frames|storms|windows|members|files|sequences|epochs|pairs|gaps|blocks"


@pytest.mark.parametrize(("number", "text"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_a_noun_agrees_with_its_number(number, text):
    assert count(number, "frame") == text


def test_no_command_puts_a_plural_behind_a_number():
    """A number in an f-string that stands before a plural says "1 frames" sooner or later."""
    found = []
    for path in (Path(tempogan_eddy.__file__).parent / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            for value, text in zip(getattr(node, "values", []), getattr(node, "values", [])[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                    found += re.findall(rf"^ (?:{NOUNS})\b(?!/)", str(text.value)) and [f"{path.name}:{node.lineno}"]
    assert not found
