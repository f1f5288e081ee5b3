"""Ctrl-C and SIGTERM end a run after the current step."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tempogan_eddy.distributed import world_size

__all__ = ["Interruption"]

log = logging.getLogger(__name__)


class Interruption:
    """Whether a signal has asked the run to stop."""

    asked = False

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take note of signals; a second one raises KeyboardInterrupt.

        Of several processes a scheduler and torchrun may both signal each, so a second one is ignored.
        """
        self.asked = False

        def ask(number: int, frame: object) -> None:
            if self.asked and world_size() == 1:
                raise KeyboardInterrupt
            self.asked = True
            log.warning("Stopping after this step")

        try:
            previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # only the main thread can handle signals
            previous = {}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
