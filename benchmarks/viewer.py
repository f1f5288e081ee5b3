"""The viewer in a browser: how long it takes to open, to step, and to jump to a frame far away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from rich.console import Group

from benchmarks.browser import chromium, find_chromium, served, wait_until_shown
from benchmarks.report import table
from benchmarks.workbench import SCALE, Workbench
from tempogan_eddy.io import open_sequence
from tempogan_eddy.viewer.catalog import Catalog, Request
from tempogan_eddy.viewer.scene import Scene, build_scene
from tempogan_eddy.viewer.site import Site

LARGE = (1000, 2048)  # frames and side
VIEWPORT = {"width": 1440, "height": 900}

# Milliseconds from a key to the picture of its frame, in the page: nothing of the driver is in it.
PRESS = """key => new Promise((done) => {
    const begun = performance.now();
    const watch = new MutationObserver(() => { watch.disconnect(); done(performance.now() - begun); });
    watch.observe(document.body, { attributes: true, attributeFilter: ["data-shown"] });
    document.dispatchEvent(new KeyboardEvent("keydown", { key }));
})"""


class _One:
    """A catalog of one scene."""

    def __init__(self, scene: Scene) -> None:
        self.names, self._scene = [scene.name], scene

    def scene(self, number: int) -> Scene:
        return self._scene


def measure(bench: Workbench, large: tuple[int, int] = LARGE) -> list[dict[str, Any]]:
    """One row of the frames in their files, one of many large ones; no row without a browser."""
    if find_chromium() is None:
        return []
    files = Catalog(Request([bench.folder], scale=SCALE)).scene(0)
    tiled = build_scene("large", {"large": _enlarged(bench, *large)}, scale=SCALE)
    with chromium() as browser:
        return [_row(browser, scene, bench.repeats) for scene in (files, tiled)]


def tables(rows: list[dict[str, Any]]) -> Iterator[Group | str]:
    """The rows, or why there are none."""
    if not rows:
        yield "Viewer: no chromium on the PATH, or playwright is not installed"
        return
    columns = {
        "frames": ("frames", "d"), "size": ("size", ""), "panels": ("panels", "d"), "open": ("open, ms", ".0f"),
        "step": ("step, ms", ".0f"), "jump": ("jump, ms", ".0f"), "tiles": ("tiles loaded", "d"),
    }  # fmt: skip
    yield table("Viewer in chromium", rows, columns)


def _enlarged(bench: Workbench, frames: int, side: int) -> xr.DataArray:
    """A long sequence of a real frame side by side, made when it is read and different at every time."""
    tile = open_sequence(bench.folder)[0].values
    copies = -(-side // min(tile.shape))
    whole = np.tile(tile, (copies, copies))[:side, :side]

    def block(block_info: Any = None) -> np.ndarray:
        return np.roll(whole, block_info[None]["chunk-location"][0], axis=1)[None]

    data = dask.array.map_blocks(
        block, chunks=((1,) * frames, side, side), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    times = np.datetime64("2000-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    return xr.DataArray(data, dims=("time", "y", "x"), coords={"time": times}, attrs={"sequence": "large"})


def _row(browser: Any, scene: Scene, repeats: int) -> dict[str, Any]:
    turns = [_turn(browser, scene) for _ in range(repeats + 1)][1:]
    height, width = scene.shape
    medians = {key: median(turn[key] for turn in turns) for key in ("open", "step", "jump")}
    return {
        "frames": scene.main.sizes["time"],
        "size": f"{height}x{width}",
        "panels": len(scene.panels),
        **medians,
        "tiles": turns[-1]["tiles"],
    }


def _turn(browser: Any, scene: Scene) -> dict[str, float]:
    """Milliseconds of one visit, by a browser and to a server that have seen nothing yet."""
    site, requests = Site(_One(scene)), []  # type: ignore[arg-type,var-annotated]
    with served(site) as address:
        context = browser.new_context(viewport=VIEWPORT)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        begun = time.perf_counter()
        page.goto(address, wait_until="commit")
        wait_until_shown(page, 0)
        result = {"open": 1e3 * (time.perf_counter() - begun)}
        page.wait_for_timeout(1500)  # a person looks, the next frame comes
        result["step"] = page.evaluate(PRESS, "ArrowRight")
        result["jump"] = page.evaluate(PRESS, "End")
        result["tiles"] = sum(url.endswith(".u16") for url in requests)
        context.close()
    return result
