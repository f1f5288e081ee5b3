"""Ctrl-C and SIGTERM that wait while something must not be cut short.

Python raises KeyboardInterrupt between any two instructions of the main thread. If that is just after a lock was taken,
nobody releases the lock, and the next thread that wants it waits for good.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["HeldSignals", "Terminated", "interrupt", "signals_held"]

# SIGALRM repeats an interrupt; Windows has none.
STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a program as Ctrl-C does, with another exit code."""


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


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, or `Terminated` for SIGTERM; the handler of a program that ends with them."""
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


@contextmanager
def signals_held() -> Iterator[HeldSignals]:
    """Hold back the signals that would end the main thread; deliver the first of them after the block.

    Handlers of other programs stay as they are. In other threads, where no signal arrives, this does nothing.
    """
    held = HeldSignals()
    ending = (signal.SIG_DFL, signal.default_int_handler, interrupt)
    previous = {number: signal.getsignal(number) for number in STOPS}
    try:
        previous = {number: signal.signal(number, held.note) for number in STOPS if previous[number] in ending}
    except ValueError:  # not the main thread
        previous = {}
    try:
        yield held
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if held.received:
            signal.raise_signal(held.received)
