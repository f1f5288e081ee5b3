"""All documents and tiles of the page, by address, for the server and the export."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np

from tempogan_eddy import __version__
from tempogan_eddy.display.palettes import DIFFERENCE_ON_DARK, PALETTES
from tempogan_eddy.io.cadence import minutes
from tempogan_eddy.viewer.catalog import Catalog
from tempogan_eddy.viewer.origin import describe_origin
from tempogan_eddy.viewer.scene import Panel, Scene
from tempogan_eddy.viewer.tiles import SIDE, PyramidCache, cut, level_count
from tempogan_eddy.viewer.track import describe_grid, describe_track

__all__ = ["MAKER", "Site", "TileAddress", "page_files"]

MAKER = "TempoGAN-Eddy"

MEDIA_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class TileAddress:
    """Scene, panel (or one of its members), frame, level and place of a tile."""

    scene: int
    panel: str
    frame: int
    level: int
    row: int
    column: int

    def path(self) -> str:
        """Return its address relative to the page."""
        return f"data/{self.scene}/{self.panel}/{self.frame}/{self.level}/{self.row}-{self.column}.u16"


def page_files() -> dict[str, tuple[str, bytes]]:
    """Return the files of the page: media type and content by name."""
    folder = resources.files("tempogan_eddy.viewer") / "page"
    files = {entry.name: entry for entry in folder.iterdir() if entry.name.rpartition(".")[2] in MEDIA_TYPES}
    return {name: (MEDIA_TYPES[name.rpartition(".")[2]], entry.read_bytes()) for name, entry in sorted(files.items())}


class Site:
    """The scenes of a catalog as documents and tiles.

    Parameters
    ----------
    catalog : Catalog
        Scenes to show.
    command : str, optional
        The command line that shows them.
    cache : PyramidCache, optional
        Holds the tiles of frames used last.
    """

    def __init__(self, catalog: Catalog, command: str = "", cache: PyramidCache | None = None) -> None:
        self.catalog = catalog
        self.command = command
        self.cache = cache or PyramidCache()

    def index(self) -> bytes:
        """Return the names of the scenes, the palettes and the command, as JSON."""
        return _json(
            {
                "maker": MAKER,
                "version": __version__,
                "command": self.command,
                "scenes": self.catalog.names,
                "colours": [asdict(palette) for palette in PALETTES.values()],
                "differences": DIFFERENCE_ON_DARK.stops,
            }
        )

    def scene(self, number: int) -> bytes:
        """Return the description of a scene as JSON; IndexError if there is none."""
        scene = self.catalog.scene(number)
        times = scene.main["time"].values
        storm_name = scene.main.attrs.get("storm_name")
        return _json(
            {
                "name": f"{scene.name} {storm_name}" if storm_name else scene.name,
                "height": scene.shape[0],
                "width": scene.shape[1],
                "times": [f"{time}Z" for time in minutes(times)],
                "panels": [_panel(panel) for panel in scene.panels],
                "track": describe_track(scene.main, scene.shape),
                "grid": describe_grid(scene.main, scene.shape),
                "origin": describe_origin(scene.panels),
            }
        )

    def tile(self, address: TileAddress) -> bytes | None:
        """Return the little-endian 16-bit values of a tile, row by row; None if there is no such tile."""
        if not 0 <= address.scene < len(self.catalog.names):
            return None
        found = self.catalog.scene(address.scene).find(address.panel)
        if found is None:
            return None
        panel, member = found
        has_frame = 0 <= address.frame < len(panel.present) and panel.present[address.frame]
        if not has_frame or not 0 <= address.level < level_count(panel.shape):
            return None
        key = (address.scene, address.panel, address.frame)
        levels = self.cache.get(key, lambda: panel.read(address.frame, member))
        tile = cut(levels[address.level], address.row, address.column)
        return None if tile is None else tile.tobytes()

    def frames(self) -> Iterator[tuple[int, int, Scene]]:
        """Yield scene number, frame number and scene of every frame."""
        for number in range(len(self.catalog.names)):
            scene = self.catalog.scene(number)
            for frame in range(scene.main.sizes["time"]):
                yield number, frame, scene

    def tiles_of_frame(self, number: int, frame: int, scene: Scene) -> Iterator[TileAddress]:
        """Yield the addresses of all tiles at one time."""
        for panel in scene.panels:
            if not panel.present[frame]:
                continue
            for level in range(level_count(panel.shape)):
                rows, columns = (math.ceil(math.ceil(side / 2**level) / SIDE) for side in panel.shape)
                for own, row, column in itertools.product(panel.addresses, range(rows), range(columns)):
                    yield TileAddress(number, own, frame, level, row, column)


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "key": panel.key,
        "role": panel.role,
        "title": panel.title,
        "note": panel.note,
        "height": panel.shape[0],
        "width": panel.shape[1],
        "scale": panel.scale,
        "levels": level_count(panel.shape),
        "members": panel.members,
        "absent": np.flatnonzero(~panel.present).tolist(),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
