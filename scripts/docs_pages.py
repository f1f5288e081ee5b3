"""Pages of the documentation that mkdocs makes: the front page from the README, commands, configuration, presets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from tempogan_eddy.cli.application import app
from tempogan_eddy.config import Config
from tempogan_eddy.config_text import describe_config
from tempogan_eddy.dataset.sensor_presets import PRESETS

if TYPE_CHECKING:
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parent.parent


def on_files(files: Files, config: Any) -> Files:
    """Add the made pages (called by mkdocs)."""
    from mkdocs.structure.files import File

    pages = {
        "index.md": front_page,
        "reference/commands.md": commands,
        "reference/configuration.md": configuration,
        "reference/presets.md": presets,
    }
    for name, make in pages.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Adapt a page (called by mkdocs): name what is outside docs/ or a folder, and keep [1] [2] two references."""
    markdown = re.sub(r"\[([^]]*)\]\((?:\.\./[^)]*|training)\)", r"\1", markdown)
    return re.sub(r"(\[\d\]) (?=\[\d\])", r"\1, ", markdown)


def front_page() -> str:
    """Return the README with links from docs/; files of the source are named, not linked."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    return re.sub(r"\[([^]]*)\]\((?:README\.zh\.md|[A-Z]+\.md|LICENSE)\)", r"\1", text)


def commands() -> str:
    """Return the help of every command."""
    group: Any = get_command(app)
    parts = ["# Commands"]
    for name, command in group.commands.items():
        context = command.make_context(f"tempogan-eddy {name}", [], resilient_parsing=True)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(parts)


def configuration() -> str:
    """Return every key of the configuration, with its default, meaning and range."""
    keys = describe_config(Config())
    return f"# Configuration\n\nAs `tempogan-eddy config --describe` prints it.\n\n```text\n{keys}\n```\n"


def presets() -> str:
    """Return what is known and assumed of every named sensor, with the sources."""
    parts = ["# Presets of sensors", "As `tempogan-eddy sensors` prints them. The page on sensors explains the forms."]
    for preset in PRESETS.values():
        parts.append(f"## {preset.name}\n\n{preset.instrument}: `{preset.text}`")
        parts.append(f"Known: {preset.facts}. **Assumed**: {preset.assumed}.")
        parts.append("\n".join(f"- [{number}] {source}." for number, source in enumerate(preset.sources, 1)))
    return "\n\n".join(parts)
