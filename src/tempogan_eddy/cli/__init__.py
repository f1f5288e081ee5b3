"""The command line: parse and call, nothing else. Heavy imports wait until a command runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from tempogan_eddy.interrupts import Interrupter

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (by default that of this process) and exit.

    The exit code is 0 when done, 1 for a failure, 2 for bad input, 130 after Ctrl-C, 143 after SIGTERM, and 141 if the
    reader of the output has closed it. After a signal the process ends at once, because a thread that still computes
    would keep Python running.
    """
    _open_streams()
    interrupter = Interrupter(at_once=arguments is None)
    interrupter.install()
    try:
        from tempogan_eddy.cli.application import run

        run(list(sys.argv[1:] if arguments is None else arguments))
    except BaseException as error:
        # Typer exits with another code if an interrupt arrives before the command starts.
        if isinstance(error, SystemExit) and not (error.code and interrupter.received):
            raise
        interrupter.uninstall(signal.SIG_IGN)
        from tempogan_eddy.cli.failures import end

        code = end(interrupter.error if interrupter.received else error)
        if interrupter.received and arguments is None:
            sys.stdout.flush()
            if urls := sys.modules.get("tempogan_eddy.io.files.urls"):
                urls.end_copies()
            os._exit(code)
        sys.exit(code)
    finally:
        # Nothing is left for Python to clean up at exit.
        interrupter.uninstall(signal.SIG_DFL if arguments is None else None)


def _open_streams() -> None:
    """Open the null device in place of closed standard streams, as a daemon's, before a file gets their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))
