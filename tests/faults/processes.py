"""Children that are forked with all libraries imported, so that a fault costs the work alone and no start."""

import os
import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Events of the interpreter before it changes a disk, by whether they need space there.
CHANGES = {
    "open": True,
    "os.mkdir": True,
    "os.truncate": True,
    "os.rename": False,
    "os.remove": False,
    "os.rmdir": False,
}


@dataclass
class Child:
    """A function that runs in a forked process; what it prints goes to a file."""

    pid: int
    reader: int
    said: Path

    def result(self) -> tuple[int, Any]:
        """Wait for the end: the exit code, negative for a signal, and what the function returned, or None."""
        with os.fdopen(self.reader, "rb") as pipe:
            content = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), pickle.loads(content) if content else None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def fork(function: Callable[[], Any], said: Path) -> Child:
    """Start a function in a child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return Child(pid, reader, said)
    code = 1
    try:
        os.close(reader)
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            returned, code = function(), 0
        except SystemExit as ended:
            returned, code = None, ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        os.write(writer, pickle.dumps(returned)) if returned is not None else None
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def at_change(number: int, act: Callable[[str, bool], None], below: Path) -> Callable[[], int]:
    """Call ``act`` (event, whether it needs space) from the ``number``-th change of files below a folder on.

    Return a function that counts the changes so far. Only for a forked child: no such hook is ever removed.
    """
    seen, place = [0], str(below)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or not isinstance(arguments[0], str | os.PathLike):
            return
        if not os.path.abspath(os.fspath(arguments[0])).startswith(place):  # noqa: PTH100 - no event of its own
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        seen[0] += 1
        if seen[0] >= number:
            act(event, CHANGES[event])

    sys.addaudithook(hook)
    return lambda: seen[0]
