"""Ctrl-C and SIGTERM: end a program, or wait for work that must not be interrupted.

Python raises KeyboardInterrupt between any two instructions of the main thread. If that is just after a lock was taken,
nothing releases the lock, and the next thread that needs it waits for ever.
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

__all__ = ["HeldSignals", "Interrupter", "Terminated", "cleaned_up", "farewell", "keep_unfinished", "signals_held"]

log = logging.getLogger(__name__)

STOPS = (signal.SIGINT, signal.SIGTERM)
# Repeats an interrupt; Windows has no such signal.
ALARM = (signal.SIGALRM,) if hasattr(signal, "SIGALRM") else ()

# Seconds after which an interrupt is repeated.
REPEAT = 1.0


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a program as Ctrl-C does, with another exit code."""


def farewell(error: KeyboardInterrupt) -> tuple[str, int]:
    """Return the sentence and the exit code with which a program ends."""
    word, number = ("Terminated", signal.SIGTERM) if isinstance(error, Terminated) else ("Interrupted", signal.SIGINT)
    return f"{word}; {_Unfinished.left}.", 128 + number


class _Unfinished:
    """The running `cleaned_up` blocks of this process, and what it leaves behind."""

    blocks: ClassVar[list[None]] = []  # one entry each: no thread can come between, as it can where one is added to
    left = "this run leaves nothing unfinished"


def keep_unfinished(path: Path | str) -> None:
    """Say at the end of the program that the same command continues an unfinished output."""
    _Unfinished.left = f"the same command continues {path}"
    log.info("What is finished of %s is kept; the same command continues it", path)


@contextmanager
def cleaned_up() -> Iterator[None]:
    """Mark a block that must be unwound before the program may end."""
    _Unfinished.blocks.append(None)
    try:
        yield
    finally:
        _Unfinished.blocks.pop()


class Interrupter:
    """The handler of a program that ends with SIGINT and SIGTERM.

    Within `cleaned_up` blocks it raises KeyboardInterrupt or `Terminated`. A bare ``except`` or a destructor of some
    library may swallow the exception, so it is raised again every second until the handler is uninstalled. Outside such
    blocks, `at_once` ends the process without raising: an exception within the import of a C++ library, say, aborts it.
    """

    def __init__(self, at_once: bool = False) -> None:
        self.at_once = at_once
        self.received: int | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self._unraisable = sys.unraisablehook

    def install(self) -> None:
        """Handle the signals of this process from now on, except those that it ignores already."""
        for number in STOPS + ALARM:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self)
        sys.unraisablehook = self._swallowed

    def uninstall(self, handler: signal.Handlers | None = None) -> None:
        """Restore the former handlers, or set another for all signals."""
        self._repeat(0)
        for number, former in self._previous.items():
            signal.signal(number, former if handler is None else handler)
        sys.unraisablehook = self._unraisable

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.received = self.received or number
        if self.at_once and not _Unfinished.blocks:
            sentence, code = farewell(self.error)
            cursor = "\r\033[K\033[?25h" if os.isatty(2) else ""  # a progress bar hides the cursor
            os.write(2, f"{cursor}Error: {sentence}\n".encode())
            os._exit(code)
        self._repeat(REPEAT)
        raise self.error

    @property
    def error(self) -> KeyboardInterrupt:
        """The exception for the first signal."""
        return Terminated() if self.received == signal.SIGTERM else KeyboardInterrupt()

    def _repeat(self, seconds: float) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, seconds)

    def _swallowed(self, raised: Any) -> None:
        if not issubclass(raised.exc_type, KeyboardInterrupt):
            self._unraisable(raised)


class HeldSignals:
    """The first signal that arrived while signals are held; None before."""

    received: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal; the handler."""
        self.received = self.received or number

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has arrived."""
        if self.received:
            raise KeyboardInterrupt


@contextmanager
def signals_held() -> Iterator[HeldSignals]:
    """Hold back signals that would end the main thread; deliver the first of them after the block.

    Handlers of other programs stay as they are. In other threads, where no signal arrives, this does nothing.
    """
    held = HeldSignals()
    previous: dict[signal.Signals, Any] = {}
    try:
        for number in STOPS + ALARM:
            handler = signal.getsignal(number)
            ours = isinstance(handler, Interrupter) or isinstance(getattr(handler, "__self__", None), HeldSignals)
            if ours or (handler in (signal.SIG_DFL, signal.default_int_handler) and number in STOPS):
                previous[number] = signal.signal(number, held.note)
    except ValueError:  # not the main thread
        previous = {}
    try:
        yield held
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if held.received:
            signal.raise_signal(held.received)
