"""Make a release: one version in all files, a dated section of the changelog with the models' hashes, and a tag.

    python scripts/publish.py 0.2.0

Commits and tags here; what leaves this machine is printed as commands. Needs a clean working tree.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = {
    "pyproject.toml": r'^version = "(.*)"$',
    "src/tempogan_eddy/__init__.py": r'^__version__ = "(.*)"$',
    "CITATION.cff": r"^version: (.*)$",
    "conda/recipe.yaml": r'^  version: "(.*)"$',
}
"""The files that state the version, and the line that does."""
DATE = r"^date-released: (.*)$"
CHANGELOG = "CHANGELOG.md"
UNRELEASED = "## [Unreleased]\n"


def publish(root: Path, version: str, today: str) -> str:
    """Write the files, commit and tag; return the section of the changelog."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SystemExit(f"{version} is no version; give three numbers such as 0.2.0.")
    if git(root, "status", "--porcelain"):
        raise SystemExit("The working tree has changes; commit them first.")
    if git(root, "tag", "--list", f"v{version}"):
        raise SystemExit(f"The tag v{version} exists; give a later version.")
    section = changed(root, version, today)
    for name, line in PLACES.items():
        state(root / name, line, version)
    state(root / "CITATION.cff", DATE, today)
    git(root, "add", *PLACES, CHANGELOG)
    git(root, "commit", "--quiet", "--message", f"Release {version}")
    # Verbatim, because git would drop the headings as comments.
    git(root, "tag", "--annotate", f"v{version}", "--cleanup=verbatim", "--message", f"Release {version}\n\n{section}")
    return section


def changed(root: Path, version: str, today: str) -> str:
    """Move what is unreleased in the changelog into a section of the version; return that section."""
    path = root / CHANGELOG
    before, heading, after = path.read_text(encoding="utf-8").partition(UNRELEASED)
    notes, rest = re.fullmatch(r"(.*?)(?=^## |\Z)(.*)", after, re.DOTALL | re.MULTILINE).groups()  # type: ignore[union-attr]
    if not notes.strip():
        raise SystemExit(f"Nothing stands under {UNRELEASED.strip()} in {CHANGELOG}; describe what changed.")
    section = f"## [{version}] - {today}\n\n{notes.strip()}\n\n### Models\n\n{hashes(root)}"
    path.write_text(f"{before}{heading}\n{section}\n{rest}", encoding="utf-8")
    return section


def hashes(root: Path) -> str:
    """Return a table of the released models and the SHA-256 of each file."""
    files = sorted((root / "src" / "tempogan_eddy" / "released").glob("*.safetensors"))
    rows = (f"| `{file.name}` | {hashlib.sha256(file.read_bytes()).hexdigest()} |\n" for file in files)
    return "| file | SHA-256 |\n| --- | --- |\n" + "".join(rows)


def state(path: Path, line: str, value: str) -> None:
    """Replace the value in the one line of a file that matches."""
    text = path.read_text(encoding="utf-8")
    found = list(re.finditer(line, text, re.MULTILINE))
    if len(found) != 1:
        raise SystemExit(f"{path} has {len(found)} lines {line}; it needs one.")
    start, end = found[0].span(1)
    path.write_text(text[:start] + value + text[end:], encoding="utf-8")


def git(root: Path, *words: str) -> str:
    """Run git in a folder; return what it prints."""
    return subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Make the release."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", help="such as 0.2.0")
    version = parser.parse_args().version
    print(publish(ROOT, version, datetime.now(UTC).date().isoformat()))
    print(f"Then: python -m build && twine check --strict dist/* && git push origin HEAD v{version}")


if __name__ == "__main__":
    main()
