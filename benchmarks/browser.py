"""Debian's chromium or another one on the PATH, driven by playwright, and a site served to it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from tempogan_eddy.viewer.server import listen, server_of
from tempogan_eddy.viewer.site import Site

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def find_chromium() -> str | None:
    """The program, if it and playwright are installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found if find_spec("playwright") else None


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser with a profile of its own, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The address of a site while it is served from this process."""
    with listen(0) as listener:
        server = server_of(site, listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


def settle(page: Any) -> None:
    """Wait until what was asked for last is drawn: a turn to hear of it, one to draw, and all its tiles."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_selector('body[data-busy="false"]')


def wait_until_shown(page: Any, frame: int | None = None) -> None:
    """Wait until a frame stands on the page with all its tiles, any one for None."""
    number = "" if frame is None else f'[data-shown="{frame}"]'
    page.wait_for_selector(f'body[data-busy="false"][data-shown]{number}:not([data-shown="-1"])')
