"""Progress bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tempogan_eddy.terminal import messages

__all__ = ["frame_progress", "storm_progress"]

log = logging.getLogger(__name__)

SECONDS_A_LINE = 30.0


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages(), disable=not messages().is_terminal) as progress:
        yield progress


def _lines() -> Callable[[str, int, int | None], None]:
    """Where there is no terminal: call what is returned after each frame; it logs at most every half minute."""
    started = last = time.monotonic()

    def tell(description: str, done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if messages().is_terminal or now - last < SECONDS_A_LINE:
            return
        last = now
        rate = done / max(now - started, 1e-9)
        left = f", {timedelta(seconds=round((total - done) / rate))} left" if total and rate else ""
        log.info("%s: %d%s frames%s%s", description, done, f" of {total}" if total else "", _rate(rate), left)

    return tell


def _rate(frames_a_second: float | None) -> str:
    return f", {frames_a_second:.1f} frames/s" if frames_a_second else ""


@contextmanager
def frame_progress(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show progress over frames; call what is yielded with the frames done (and all of them, if told late)."""
    tell = _lines()
    with _bar() as progress:
        task = progress.add_task(description, total=total, rate="")

        def advance(done: int, total: int | None = total) -> None:
            speed = progress.tasks[0].speed
            progress.update(task, completed=done, total=total, rate=_rate(speed).lstrip(", "))
            tell(description, done, total)

        yield advance


@contextmanager
def storm_progress(verb: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show progress over several storms; call what is yielded with (storm, frame, frames)."""
    tell = _lines()
    with _bar() as progress:
        tasks = {}

        def advance(storm: str, done: int, total: int) -> None:
            if storm not in tasks:
                tasks[storm] = progress.add_task(f"{verb} {storm}", total=total, rate="")
            speed = next(task.speed for task in progress.tasks if task.id == tasks[storm])
            progress.update(tasks[storm], completed=done, rate=_rate(speed).lstrip(", "))
            tell(f"{verb} {storm}", done, total)

        yield advance
