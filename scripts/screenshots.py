"""Make the pictures of docs/viewer.md: the page in chromium, with real frames of typhoon 200717.

Run as: python scripts/screenshots.py path/to/digital_typhoon/WP [MODEL]

The commands that a person would give are printed before they run. They run in a folder of their own, in which the data
are called WP and a model file model.safetensors.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from commands import ENVIRONMENT, ROOT, command, rebuilt, run, words_given

sys.path.insert(0, str(ROOT))

from benchmarks.browser import chromium, settle, wait_until_shown

IMAGES = ROOT / "docs" / "images"
STORM, HOURS = (
    "200717",
    "2007-10-07T12/2007-10-08T12",
)  # hours of the validation split: no model here was trained on them
FRAME = 14  # 2007-10-08 02 UTC, cold tops beside the centre
MEMBERS = 8
LIMIT = 650_000  # bytes of a picture


@contextmanager
def viewed(folder: Path, *words: object) -> Iterator[str]:
    """The address of `view` while it runs."""
    arguments = command("view", *words, "--no-browser")
    with subprocess.Popen(arguments, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        words_told = process.stdout.readline().split()
        if not words_told:
            sys.exit(process.wait())
        try:
            yield words_told[0]
        finally:
            process.terminate()


def shoot(page: Any, name: str) -> None:
    """Keep what the page shows once its charts are drawn."""
    settle(page)
    page.wait_for_timeout(1500)
    place = IMAGES / f"{name}.png"
    page.screenshot(path=place)
    with Image.open(place) as picture:
        opaque = picture.convert("RGB")
    opaque.save(place, optimize=True)
    size = place.stat().st_size
    print(f"{place}: {size // 1000} kB")
    if size > LIMIT:
        sys.exit(f"That is more than {LIMIT // 1000} kB; show less of the noise that does not compress.")


def point(page: Any, panel: str, across: float, down: float) -> None:
    """Put the mouse at a share of a panel."""
    box = page.locator(f'.image[data-panel~="{panel}"]').bounding_box()
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


def pictures(browser: Any, address: str) -> None:
    """Four views: side by side, close, differences, under the slider."""
    page = browser.new_page(viewport={"width": 1440, "height": 810})
    page.goto(address)
    wait_until_shown(page, 0)
    for _ in range(FRAME):
        page.keyboard.press("ArrowRight")
    wait_until_shown(page, FRAME)
    point(page, "reconstructed", 0.8, 0.42)
    shoot(page, "viewer-panels")
    page.get_by_label("Colours", exact=True).select_option("infrared")
    for _ in range(5):
        page.mouse.wheel(0, -120)
    shoot(page, "viewer-close")
    page.get_by_label("Colours", exact=True).select_option("grey")
    page.keyboard.press("d")
    shoot(page, "viewer-differences")
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("0")
    page.get_by_label("Colours", exact=True).select_option("bd")
    page.keyboard.press("w")
    page.get_by_label("Left panel").select_option("lowres")
    settle(page)
    point(page, "lowres", 0.6, 0.42)
    shoot(page, "viewer-swipe")
    page.close()


def picture_of_members(browser: Any, address: str) -> None:
    """Show an ensemble with its spread, a probability, coasts and the menus of members and thresholds."""
    page = browser.new_page(viewport={"width": 1440, "height": 810})
    page.goto(address)
    wait_until_shown(page, 0)
    point(page, "reconstructed", 0.6, 0.4)
    shoot(page, "viewer-members")
    page.close()


def main(data: Path, model: str) -> None:
    """Coarsen and reconstruct, then look."""
    IMAGES.mkdir(exist_ok=True)
    with rebuilt(data, model, "--storm", STORM, "--time", HOURS) as (folder, _), chromium() as browser:
        beside = "--lowres", "lowres.nc", "--truth", "WP"
        with viewed(folder, "highres.nc", *beside) as address:
            pictures(browser, address)
        run("reconstruct", "lowres.nc", "-o", "members.nc", "--model", "ensemble", "--members", MEMBERS, folder=folder)
        with viewed(folder, "members.nc", *beside) as address:
            picture_of_members(browser, address)


if __name__ == "__main__":
    main(*words_given())
