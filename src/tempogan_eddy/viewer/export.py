"""The page as static files, for any web server."""

import json
from collections.abc import Callable
from pathlib import Path

from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.ownership import Kind
from tempogan_eddy.viewer.site import INDEX, MAKER, SCENE, Site, page_files

__all__ = ["SITE", "export_site"]


def export_site(
    site: Site, folder: Path, on_frame: Callable[[int, int], None] | None = None, *, overwrite: bool = False
) -> None:
    """Write the page and all that it may request into a folder: a new or empty one, or that of an older export.

    The older export is replaced when the new one is complete; one to which files were added needs `overwrite`. Call
    `on_frame` with the frames written and all frames. Raise `InputError` if the folder holds something else or cannot
    be written.
    """
    with written_aside(folder, SITE, overwrite=overwrite) as partial:
        for path in (
            *page_files(),
            INDEX,
            *(SCENE.format(number) for number in range(len(site.catalog.names))),
            *site.maps(),
        ):
            _write(site, path, partial)
        frames = list(site.frames())
        for done, (number, frame, scene) in enumerate(frames, 1):
            for address in site.tiles_of_frame(number, frame, scene):
                _write(site, address.path(), partial)
            if on_frame:
                on_frame(done, len(frames))


def _write(site: Site, path: str, folder: Path) -> None:
    _, content = site.answer(path) or ("", b"")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)


def _is_export(folder: Path) -> bool:
    """Return whether this package wrote a folder."""
    return bool(json.loads((folder / INDEX).read_bytes())["maker"] == MAKER)


def _is_untouched(folder: Path) -> bool:
    """Return whether a folder holds an export and no other files."""
    suffixes = {Path(name).suffix for name in page_files()}
    return _is_export(folder) and all(entry.name == "data" or entry.suffix in suffixes for entry in folder.iterdir())


SITE = Kind("an exported page", _is_untouched, _is_export)
