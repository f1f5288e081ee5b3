"""Counts in messages, and the words and names of the code."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import tempogan_eddy
from docs_cases import PAGES
from tempogan_eddy.wording import count

PACKAGE = Path(tempogan_eddy.__file__).parent
NOUNS = "frames|storms|windows|members|files|sequences|epochs|pairs|gaps|blocks"


@pytest.mark.parametrize(("number", "text"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_a_noun_agrees_with_its_number(number, text):
    assert count(number, "frame") == text


def test_no_command_puts_a_plural_behind_a_number():
    """A number in an f-string that stands before a plural says "1 frames" sooner or later."""
    found = []
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            for value, text in zip(getattr(node, "values", []), getattr(node, "values", [])[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                    found += re.findall(rf"^ (?:{NOUNS})\b(?!/)", str(text.value)) and [f"{path.name}:{node.lineno}"]
    assert not found


def test_frames_and_grids_have_one_name_each():
    """They are lowres and highres, in messages, comments and pages."""
    others = re.compile(r"(?<!--)\b(low|high)-res(olution)?\b|\b(coarse|fine)( pixels?|\.nc)\b")
    texts = [path for kind in ("py", "js", "html") for path in PACKAGE.rglob(f"*.{kind}")]
    assert len(texts) > 200
    found = {path.name: match[0] for path in [*texts, *PAGES] if (match := others.search(path.read_text("utf-8")))}
    assert not found


def test_no_package_hides_one_of_its_modules():
    """A function that a package exports under the name of a module makes the module hard to reach."""
    packages = [tempogan_eddy.__name__]
    packages += [found.name for found in pkgutil.walk_packages(tempogan_eddy.__path__, "tempogan_eddy.") if found.ispkg]
    assert "tempogan_eddy.evaluation" in packages
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__):
            assert isinstance(getattr(package, module.name, package), ModuleType), f"{name}.{module.name}"
