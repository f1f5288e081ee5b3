"""The end of a command that failed: one sentence and an exit code for any exception."""

import errno
import logging
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

from tempogan_eddy.errors import InputError, TrainingError, is_out_of_memory, reason_of, with_urls
from tempogan_eddy.extras import without_extra
from tempogan_eddy.interrupts import farewell
from tempogan_eddy.terminal import messages, printable

__all__ = ["FAILED", "INPUT", "PIPE_CLOSED", "end"]

FAILED, INPUT, PIPE_CLOSED = 1, 2, 141


def end(error: BaseException) -> int:
    """Print one sentence about an error, and return the exit code of the command.

    For an error of this package the sentence asks for a report. Its traceback goes to a file in the temporary folder
    and, with ``--verbose``, to the terminal.
    """
    if isinstance(error, BrokenPipeError):  # as in `tempogan-eddy info FILE | head`
        _close_output()
        return PIPE_CLOSED
    sentence, code = _sentence(error)
    if logging.getLogger("tempogan_eddy").isEnabledFor(logging.DEBUG) and not isinstance(error, KeyboardInterrupt):
        traceback.print_exception(error)
    with suppress(BrokenPipeError):
        messages().print(
            f"Error: {printable(with_urls(sentence))}", markup=False, highlight=False, soft_wrap=True, style="red"
        )
    return code


def _sentence(error: BaseException) -> tuple[str, int]:
    match error:
        case InputError():
            return str(error), INPUT
        case TrainingError():
            return str(error), FAILED
        case KeyboardInterrupt():
            return farewell(error)
        case RecursionError():
            return "Something in the input is nested too deeply to be read.", INPUT
        case UnicodeEncodeError():
            text = error.object[error.start : error.end]
            return f"The text {text!r} cannot be written as {error.encoding}; rename what is called so.", INPUT
        case ModuleNotFoundError() if missing := without_extra(error):
            return str(missing), INPUT
        case OSError():
            return _of_the_system(error), INPUT
    if is_out_of_memory(error):
        return "There is not enough memory; take fewer or smaller frames, or smaller tiles (--tile).", FAILED
    return _of_ours(error), FAILED


def _of_the_system(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "The disk is full; free some space or choose another place."
    names = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    reason = error.strerror or reason_of(error)
    return f"{names or 'A file'} cannot be read or written ({reason})."


def _of_ours(error: BaseException) -> str:
    reason = str(error).partition("\n")[0][:200]
    what = f"{type(error).__name__}{': ' if reason else ''}{reason}"
    return f"TempoGAN-Eddy made a mistake of its own ({what}); please report it with {_keep(error)}."


def _keep(error: BaseException) -> str:
    """Write the traceback to a file and return its name."""
    try:
        number, name = tempfile.mkstemp(prefix="tempogan-eddy-", suffix=".txt")
        os.close(number)
        Path(name).write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")
    except OSError:
        return "what the command prints with --verbose"
    return name


def _close_output() -> None:
    """Send the last flush of standard output, at exit, to the null device."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
