"""The pages of docs/: their links lead somewhere, and the tests that they name exist."""

import re

import pytest
import yaml
from safetensors import safe_open

from docs_cases import BLOCK, PAGES, ROOT, blocks
from tempogan_eddy.config import TrainingConfig
from tempogan_eddy.released import RELEASES
from tempogan_eddy.specification import NetworkSpecification, Specification


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


def test_each_promise_names_tests_that_exist():
    """By file, by function, or by both."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")}
    rows = re.findall(
        r"^\| .* \| .* \| (.*) \|$", (ROOT / "docs" / "promises.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) > 30
    for row in rows[1:]:
        for file, function in re.findall(r"`(?:tests/(test_\w+\.py))?(?:::)?(test_\w+)?(?:\[\w+\])?`", row):
            if file or function:
                found = [sources[file]] if file else sources.values()
                assert not function or any(f"def {function}(" in source for source in found), row


def test_both_readmes_say_the_same():
    """Section by section: as many headings, links and rows, the same commands and figures."""
    english, chinese = (ROOT / name for name in ("README.md", "README.zh.md"))
    texts = [page.read_text(encoding="utf-8") for page in (english, chinese)]
    assert all(text.count("\n") < 130 for text in texts)
    for pattern in (r"^#+ ", r"^\|", r"\]\((docs/[^)]*)\)", r"^\| .* (-?[\d.]+) \|$"):
        ours, theirs = (re.findall(pattern, text, re.MULTILINE) for text in texts)
        assert sorted(ours) == sorted(theirs), pattern
    ours, theirs = (
        [words for block in blocks(page, "bash") for words in block.commands] for page in (english, chinese)
    )
    assert [words for words in ours if words[0] != "git"] == [words for words in theirs if words[0] != "git"]


def test_the_page_on_the_method_names_every_loss_and_every_key_of_a_model_file():
    text = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    with safe_open(RELEASES / "eddy.safetensors", framework="pt") as file:
        header = set(file.metadata())
    table = text.partition("## A model file")[2]
    assert header == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    keys = {*Specification.model_fields, *NetworkSpecification.model_fields}
    keys |= {name for name in TrainingConfig.model_fields if name.startswith("lambda_")}
    assert not {key for key in keys if f"`{key}`" not in text}


def test_every_page_has_a_place_on_the_site():
    listed = yaml.safe_dump(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert not {page.name for page in (ROOT / "docs").glob("*.md") if f": {page.name}\n" not in listed}
