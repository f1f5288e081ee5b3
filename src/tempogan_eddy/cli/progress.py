"""Progress bars on a terminal; elsewhere a line in the log at most every half minute."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from tempogan_eddy.terminal import messages

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["frame_progress", "storm_progress"]

log = logging.getLogger(__name__)

SECONDS_A_LINE = 30.0


@contextmanager
def _progress(storms: int | None = None) -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function that shows the frames done, and all frames, of a description: of one of so many storms."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    terminal = messages().is_terminal
    last, counted = time.monotonic(), 0
    tasks: dict[str, TaskID] = {}
    frames: dict[str, int] = {}  # done of each description
    with Progress(*columns, console=messages(), disable=not terminal) as progress:

        def show(description: str, done: int, total: int | None) -> None:
            nonlocal last, counted
            if description not in tasks:
                for earlier in progress.tasks:  # a terminal has no room for the bars of many storms
                    progress.update(earlier.id, visible=not earlier.finished)
                tasks[description] = progress.add_task(description, total=total, rate="")
            task, now = tasks[description], time.monotonic()
            frames[description] = done
            progress.update(task, completed=done, total=total, rate=_rate(progress.tasks[task].speed))
            if terminal or now - last < SECONDS_A_LINE:
                return
            made = sum(frames.values())
            rate, last, counted = (made - counted) / max(now - last, 1e-9), now, made
            storm = f" (storm {len(frames)} of {storms})" if storms else ""
            left = f", {timedelta(seconds=round((total - done) / rate))} left" if total and rate and not storms else ""
            of, speed = f" of {total}" if total else "", f", {_rate(rate)}" if rate else ""
            log.info("%s%s: %d%s frames%s%s", description, storm, done, of, speed, left)

        yield show


def _rate(frames_a_second: float | None) -> str:
    return f"{frames_a_second:.1f} frames/s" if frames_a_second else ""


@contextmanager
def frame_progress(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show progress over frames; call the function with the frames done and, if not known before, all frames."""
    with _progress() as show:
        show(description, 0, total)
        yield lambda done, total=total: show(description, done, total)


@contextmanager
def storm_progress(verb: str, storms: int | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """Show progress over several storms, so many if known; call the function with (storm, frame, frames)."""
    with _progress(storms if storms != 1 else None) as show:
        yield lambda storm, done, total: show(f"{verb} {storm}", done, total)
