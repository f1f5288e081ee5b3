"""Write aside and rename, so that nothing half-written ever stands in place of something good."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tempogan_eddy.errors import InputError
from tempogan_eddy.interrupts import cleaned_up, keep_unfinished, signals_held
from tempogan_eddy.io.ownership import Kind, check_place

__all__ = ["require_space", "unwritable", "written_aside"]

log = logging.getLogger(__name__)

# How libraries that raise no OSError report a failed write.
FAILED_WRITES = ("HDF error", "PytorchStreamWriter", "errno = ", "No space left", "File too large", "quota exceeded")

# HDF5 writes its tables when a file is closed, and fails badly if it cannot.
TABLES = 1 << 17


@contextlib.contextmanager
def written_aside(
    path: Path, kind: Kind | None, *, overwrite: bool = False, continues: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    Only then replace the earlier output; on any exception, Ctrl-C included, leave nothing behind, except what can be
    continued. Make missing parent folders. A symbolic link stays and leads to the new output.

    Parameters
    ----------
    path
        The place of the output.
    kind
        The kind of output that may be replaced; None if the caller has checked the place.
    overwrite
        Replace outputs of other programs too; see `check_place`.
    continues
        Given what an earlier run left unfinished, return whether it is a part of this output; it is then yielded. What
        this run leaves unfinished stays if it is one. By default, all of it is removed.

    Raises
    ------
    InputError
        The place cannot be written (a full or read-only disk included), or something else is in the way.
    """
    if kind is not None:
        check_place(path, kind, overwrite=overwrite)
    asked, path = path, Path(os.path.realpath(path))  # "." has no name to put a temporary one beside
    partial, old = _hidden(path, "partial"), _hidden(path, "old")
    made: list[Path] = []
    with cleaned_up():
        try:
            existed_as_folder = path.is_dir()
            made = [parent for parent in path.parents if not parent.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            _adopt(path, partial, continues)
            yield partial
            if kind is not None:
                check_place(asked, kind, overwrite=overwrite)
            if existed_as_folder and not partial.is_dir():
                raise InputError(f"{asked} is a folder; name a file.")
            if partial.is_file():
                with partial.open("rb") as file:
                    os.fsync(file.fileno())  # some disks report only then that they are full
            with signals_held():
                if path.is_dir():
                    path.rename(old)
                partial.replace(path)
                _remove(old)
        except BaseException as error:
            with signals_held():
                if old.exists() and not path.exists():
                    old.rename(path)
                kept = continues is not None and continues(partial)
                if kept:
                    keep_unfinished(asked)
                for left in (old,) if kept else (partial, old):
                    with contextlib.suppress(OSError):
                        _remove(left)
                for parent in made:
                    with contextlib.suppress(OSError):
                        parent.rmdir()
            if (refusal := unwritable(asked, error)) is not None:
                raise refusal from error
            raise


def _adopt(path: Path, partial: Path, continues: Callable[[Path], bool] | None) -> None:
    """Move what a run that has ended left unfinished to the place of this one, or remove it and say so."""
    for left in path.parent.glob(f"{glob.escape(_hidden_stem(path))}.*.partial"):
        process = left.name.split(".")[-2]
        if not process.isdigit() or (left != partial and _is_running(int(process))):
            continue
        if continues is not None and (left == partial or not partial.exists()) and continues(left):
            log.info("Continuing %s, which an earlier run left unfinished", path)
            if left != partial:  # which an earlier call in this process left
                left.rename(partial)
            continue
        why = "a file of this format cannot be continued" if continues is None else "its input, model or options differ"
        log.info("An earlier run left %s unfinished, but %s: all of it is made anew", path, why)
        _remove(left)


def _is_running(process: int) -> bool:
    if sys.platform == "win32":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def unwritable(path: Path, error: BaseException) -> InputError | None:
    """Return the message for an error of a failed write, None for any other error."""
    if isinstance(error, OSError):
        return InputError(f"{path} cannot be written ({error.strerror or error}); free space or choose another place.")
    text = str(error)
    if isinstance(error, RuntimeError) and any(sign in text for sign in FAILED_WRITES):
        reason = next((sign for sign in ("No space left", "File too large") if sign in text), text.splitlines()[0])
        return InputError(f"{path} cannot be written ({reason}); free space or choose another place.")
    return None


def require_space(path: Path, size: int) -> None:
    """Make sure that a file can grow by so many bytes and the tables of an HDF5 file, or raise OSError.

    Some libraries crash, or report success, when a write fails. So take the space in a file beside it, with all limits
    of the disk, a quota or the process, and give it back at once.
    """
    size += TABLES
    if not hasattr(os, "posix_fallocate"):  # macOS and Windows
        if shutil.disk_usage(path.parent).free < size:
            raise OSError(28, "No space left on device")
        return
    trial = path.with_name(f"{path.name}.space")
    with signals_held():
        descriptor = os.open(trial, os.O_CREAT | os.O_WRONLY)
        try:
            os.posix_fallocate(descriptor, path.stat().st_size if path.exists() else 0, size)
        finally:
            os.close(descriptor)
            trial.unlink(missing_ok=True)


def _hidden(path: Path, what: str) -> Path:
    return path.with_name(f"{_hidden_stem(path)}.{os.getpid()}.{what}")


def _hidden_stem(path: Path) -> str:
    """Return the begin of hidden names beside a path, no longer than a file name may be."""
    name = path.name
    if len(name.encode()) > 180:
        name = hashlib.sha256(name.encode()).hexdigest()
    return f".{name}"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink()
