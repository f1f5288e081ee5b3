"""Count how often execution moves from one file of the package to another: what a reader who follows it must open."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import tempogan_eddy

PACKAGE = str(Path(tempogan_eddy.__file__).parent)


class Trace:
    """The calls of functions of the package, by thread.

    A call counts as a switch if its file differs from that of the call before it in the same thread. Calls of other
    packages do not count, neither does the code of a module or class body, which an import runs once.
    """

    def __init__(self) -> None:
        self.calls: dict[int, list[tuple[str, str]]] = {}

    @property
    def switches(self) -> int:
        """How many calls enter another file than the call before."""
        return sum(max(0, len(visits) - 1) for visits in self.visits())

    def visits(self) -> list[list[str]]:
        """For each thread the files in order, each with the functions called in it: what to print when too many."""
        return [
            [
                f"{file}: {', '.join(dict.fromkeys(name for _, name in group))}"
                for file, group in groupby(calls, key=lambda call: call[0])
            ]
            for calls in self.calls.values()
        ]

    def record(self, frame, event: str, _argument) -> None:
        """Note a call; the function for ``sys.setprofile``."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and code.co_flags & 2:  # CO_NEWLOCALS: a function
            file = code.co_filename.removeprefix(f"{PACKAGE}/")
            self.calls.setdefault(threading.get_ident(), []).append((file, code.co_name))


@contextmanager
def traced() -> Iterator[Trace]:
    """Trace this thread and the threads that start within the block."""
    trace = Trace()
    threading.setprofile(trace.record)
    sys.setprofile(trace.record)
    try:
        yield trace
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
