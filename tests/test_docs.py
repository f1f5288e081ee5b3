"""The pages of docs/: their Python runs, and their links lead somewhere."""

import re
import sys
import types
from pathlib import Path

import pytest

from tempogan_eddy.registry import FORMATS, SENSORS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    """Return the blocks of a page in a language, each with lines before it so that errors name the line of the page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [match for match in BLOCK.finditer(text) if match[1] == language]
    assert found, f"{page} has no {language}"
    return ["\n" * text.count("\n", 0, match.start(2)) + match[2] for match in found]


def run_python(page, monkeypatch, tmp_path):
    """Run the blocks of a page in turn, as one module, in an empty folder."""
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), module.__dict__)


def test_the_page_on_extending_runs(monkeypatch, tmp_path):
    try:
        run_python("docs/extending.md", monkeypatch, tmp_path)
    finally:
        FORMATS._parts.pop("toy", None)
        SENSORS._parts.pop("slab", None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_sections(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        name, _, section = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if section:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
