"""The page as static files, for any web server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.ownership import Kind
from tempogan_eddy.viewer.site import MAKER, Site, page_files

__all__ = ["SITE", "export_site"]

INDEX = "data/index.json"


def export_site(
    site: Site, folder: Path, on_frame: Callable[[int, int], None] | None = None, *, overwrite: bool = False
) -> None:
    """Write the page and all that it may request.

    Parameters
    ----------
    site : Site
        Scenes to write.
    folder : Path
        New, empty, or an older export, which is replaced when the new one is complete.
    on_frame : callable, optional
        Called with the frames written and all frames.
    overwrite : bool
        Replace even an older export to which files were added.

    Raises
    ------
    InputError
        The folder holds something else, or cannot be written.
    """
    with written_aside(folder, SITE, overwrite=overwrite) as partial:
        for name, (_, content) in page_files().items():
            _write(partial / name, content)
        _write(partial / INDEX, site.index())
        for number in range(len(site.catalog.names)):
            _write(partial / f"data/{number}/scene.json", site.scene(number))
        frames = list(site.frames())
        for done, (number, frame, scene) in enumerate(frames, 1):
            for address in site.tiles_of_frame(number, frame, scene):
                _write(partial / address.path(), site.tile(address) or b"")
            if on_frame:
                on_frame(done, len(frames))


def _is_export(folder: Path) -> bool:
    """Return whether this package wrote a folder."""
    return bool(json.loads((folder / INDEX).read_bytes())["maker"] == MAKER)


def _is_untouched(folder: Path) -> bool:
    """Return whether a folder holds an export and no other files."""
    suffixes = {Path(name).suffix for name in page_files()}
    return _is_export(folder) and all(entry.name == "data" or entry.suffix in suffixes for entry in folder.iterdir())


SITE = Kind("an exported page", _is_untouched, _is_export)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
