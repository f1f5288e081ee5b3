"""One writer at a time: a lock file that names its owner, and the leftovers of owners that were killed."""

import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tempogan_eddy.errors import InputError
from tempogan_eddy.interrupts import cleaned_up, signals_held

if sys.platform != "win32":
    import fcntl

__all__ = ["claimed"]

log = logging.getLogger(__name__)


@contextmanager
def claimed(what: Path, lock: Path) -> Iterator[None]:
    """Hold a lock file, in which host, process and start are written, while something is being written.

    The system releases the lock of a process that ends, however it ends; only its file stays. On Windows, which lacks
    such locks, the file alone decides.

    Parameters
    ----------
    what
        The output, for messages.
    lock
        The lock file; its folder must exist.

    Raises
    ------
    InputError
        Another process holds the lock, or a process on another host did and left the file.
    """
    descriptor = None
    with cleaned_up():
        try:
            with signals_held():
                descriptor = _open(what, lock)
            yield
        finally:
            with signals_held():
                if descriptor is not None:
                    with suppress(OSError):  # removed by hand, or on a disk that has failed
                        lock.unlink(missing_ok=True)
                    os.close(descriptor)


def _open(what: Path, lock: Path) -> int:
    """Return the descriptor of the locked file; retry if its former owner removes it just now."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            held = _is_held(descriptor)
            owner = _owner(descriptor)
            if held or owner.get("host", socket.gethostname()) != socket.gethostname():
                raise InputError(_refusal(what, lock, owner, held=held))
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), lock.stat()):
                    if owner:
                        log.warning(
                            "%s: taking over from process %s, which ended without finishing", what, owner.get("pid")
                        )
                    _sign(descriptor)
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_held(descriptor: int) -> bool:
    """Lock a file; return whether another process has done so."""
    if sys.platform == "win32":
        return _is_running(_owner(descriptor).get("pid", 0))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a network disk without locks
        return _is_running(_owner(descriptor).get("pid", 0))
    return False


def _sign(descriptor: int) -> None:
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "start": time.strftime("%Y-%m-%dT%H:%M:%S")}
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(owner).encode())


def _owner(descriptor: int) -> dict[str, Any]:
    with suppress(ValueError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        owner = json.loads(os.read(descriptor, 4096))
        return owner if isinstance(owner, dict) else {}
    return {}


def _refusal(what: Path, lock: Path, owner: dict[str, Any], *, held: bool) -> str:
    who = f"process {owner.get('pid', '?')} on {owner.get('host', 'this host')} since {owner.get('start', '?')}"
    wait = "wait for it" if held else f"if that process has ended, remove {lock}"
    return f"{what} is being written by {who}; {wait}, or name another place."


def _is_running(process: int) -> bool:
    """Return whether a process of this host is alive."""
    if sys.platform == "win32":  # where signal 0 is Ctrl-C
        return process > 0
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return process > 0
