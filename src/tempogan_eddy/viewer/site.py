"""All documents and tiles of the page, by address, for the server and the export."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from tempogan_eddy import __version__
from tempogan_eddy.display.palettes import DIFFERENCE_ON_DARK, PALETTES, PROBABILITY, SPREAD
from tempogan_eddy.display.places import Places, places_of
from tempogan_eddy.io.times.cadence import minutes
from tempogan_eddy.io.writing.history import MADE, commands_of
from tempogan_eddy.viewer.catalog import Catalog
from tempogan_eddy.viewer.scene import OFFERED, Panel, Scene
from tempogan_eddy.viewer.tiles import SIDE, PyramidCache, cut, level_count
from tempogan_eddy.viewer.track import describe_grid, describe_track

__all__ = ["INDEX", "MAKER", "SCENE", "Site", "TileAddress", "page_files"]

MAKER = "TempoGAN-Eddy"
INDEX, SCENE = "data/index.json", "data/{}/scene.json"
MAP = "data/{}/map-{}.json"  # of a frame; if all have the same map, of frame 0 only

MEDIA_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
NUMBER = "([0-9]{1,9})"
SCENE_PATH = re.compile(SCENE.format(NUMBER))
MAP_PATH = re.compile(MAP.format(NUMBER, NUMBER))
TILE_PATH = re.compile(rf"data/{NUMBER}/([^/]+)/{NUMBER}/{NUMBER}/{NUMBER}-{NUMBER}\.u16")

# CF attributes of a file, in the order of the page.
FACTS = ("title", "institution", "source", "references", "comment")


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


@cache
def page_files() -> dict[str, tuple[str, bytes]]:
    """Return the files of the page: media type and content by name."""
    folder = resources.files("tempogan_eddy.viewer") / "page"
    files = {entry.name: entry for entry in folder.iterdir() if entry.name.rpartition(".")[2] in MEDIA_TYPES}
    return {name: (MEDIA_TYPES[name.rpartition(".")[2]], entry.read_bytes()) for name, entry in sorted(files.items())}


class Site:
    """The scenes of a catalog as documents and tiles.

    `command` is the command line that shows them. A site that is not `live` is written once, so that the page offers
    only what is written.
    """

    def __init__(self, catalog: Catalog, command: str = "", *, live: bool = True) -> None:
        self.catalog, self.command, self.live = catalog, command, live
        self._cache = PyramidCache()
        self._places = cache(self._find_places)

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Return media type and content at an address relative to the page; None if there is nothing."""
        if path in page_files():
            return page_files()[path]
        if path == INDEX:
            return "application/json", self.index()
        if found := SCENE_PATH.fullmatch(path):
            number = int(found[1])
            return ("application/json", self.scene(number)) if number < len(self.catalog.names) else None
        if found := MAP_PATH.fullmatch(path):
            lines = self.map(int(found[1]), int(found[2]))
            return None if lines is None else ("application/json", lines)
        if found := TILE_PATH.fullmatch(path):
            scene, frame, level, row, column = map(int, found.group(1, 3, 4, 5, 6))
            tile = self.tile(TileAddress(scene, found[2], frame, level, row, column))
            return None if tile is None else ("application/octet-stream", tile)
        return None

    def index(self) -> bytes:
        """Return the names of the scenes, the palettes and the command, as JSON."""
        return _json(
            {
                "maker": MAKER,
                "version": __version__,
                "command": self.command,
                "live": self.live,
                "scenes": self.catalog.names,
                "colours": [asdict(palette) for palette in PALETTES.values()],
                "differences": DIFFERENCE_ON_DARK.stops,
                "quantities": {"spread": asdict(SPREAD), "probability": asdict(PROBABILITY)},
            }
        )

    def scene(self, number: int) -> bytes:
        """Return the description of a scene as JSON; IndexError if there is none."""
        scene = self.catalog.scene(number)
        storm_name, places = scene.main.attrs.get("storm_name"), self._places(number)
        return _json(
            {
                "name": f"{scene.name} {storm_name}" if storm_name else scene.name,
                "height": scene.shape[0],
                "width": scene.shape[1],
                "times": [f"{time}Z" for time in minutes(scene.main["time"].values)],
                "panels": [_panel(panel) for panel in scene.panels],
                "map": places and ("fixed" if places.fixed else "moving"),
                "track": describe_track(scene.main, scene.shape),
                "grid": describe_grid(scene.main, scene.shape),
                "origin": _origin(scene.panels),
            }
        )

    def map(self, number: int, frame: int) -> bytes | None:
        """Return coasts and graticule of a frame, in highres pixels, as JSON; None if there is none."""
        if not 0 <= number < len(self.catalog.names):
            return None
        places = self._places(number)
        if places is None or not 0 <= frame < (1 if places.fixed else self.catalog.scene(number).main.sizes["time"]):
            return None
        lines = places.lines(frame)
        return _json(
            [{"kind": line.kind, "label": line.label, "at": line.points.round(1).ravel().tolist()} for line in lines]
        )

    def maps(self) -> Iterator[str]:
        """Yield the addresses of all maps."""
        for number, frame, _ in self.frames():
            places = self._places(number)
            if places and (frame == 0 or not places.fixed):
                yield MAP.format(number, frame)

    def _find_places(self, number: int) -> Places | None:
        scene = self.catalog.scene(number)
        return places_of(scene.main, scene.shape)

    def tile(self, address: TileAddress) -> bytes | None:
        """Return the little-endian 16-bit values of a tile, row by row; None if there is no such tile."""
        if not 0 <= address.scene < len(self.catalog.names):
            return None
        panel, member = self.catalog.scene(address.scene).find(address.panel) or (None, 0)
        if panel is None or not 0 <= address.level < level_count(panel.shape):
            return None
        if not (0 <= address.frame < len(panel.present) and panel.present[address.frame]):
            return None
        key = (address.scene, address.panel, address.frame)
        levels = self._cache.get(key, lambda: panel.read(address.frame, member))
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
            for level in range(level_count(panel.shape)) if panel.present[frame] else ():
                rows, columns = (math.ceil(math.ceil(side / 2**level) / SIDE) for side in panel.shape)
                for own, row, column in itertools.product(panel.exported, range(rows), range(columns)):
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
        "quantity": panel.quantity,
        "thresholds": OFFERED if panel.thresholds else (),
        "hidden": panel.hidden,
        "absent": np.flatnonzero(~panel.present).tolist(),
    }


def _origin(panels: Iterable[Panel]) -> dict[str, list[Any]]:
    """Return the facts that the files of the panels record, and the commands that made them, the earliest first."""
    facts: list[dict[str, Any]] = []
    commands: dict[str, None] = {}
    for panel in panels:
        made = [name for name, value in panel.attrs.items() if str(name).startswith(MADE) and isinstance(value, str)]
        texts = {name: str(panel.attrs.get(name, "")) for name in (*FACTS, *made)}
        rows = [[name.removeprefix(MADE).replace("_", " "), text] for name, text in texts.items() if text.strip()]
        if rows:
            facts.append({"title": panel.title, "rows": rows})
        commands |= dict.fromkeys(commands_of(panel.attrs))
    return {"facts": facts, "commands": list(commands)}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
