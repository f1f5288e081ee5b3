"""Write aside and rename, so that nothing half-written ever stands in place of something good."""

import contextlib
import errno
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tempogan_eddy.errors import InputError, reason_of
from tempogan_eddy.interrupts import cleaned_up, keep_unfinished, signals_held
from tempogan_eddy.io.files.objects import written_by_url
from tempogan_eddy.io.files.urls import local, url_of
from tempogan_eddy.io.ownership import Kind, check_place
from tempogan_eddy.io.writing.claim import claimed

__all__ = ["require_space", "restored", "sync", "unwritable", "written_aside"]

log = logging.getLogger(__name__)

# How libraries that raise no OSError report a failed write.
FAILED_WRITES = ("HDF error", "PytorchStreamWriter", "errno = ", "No space left", "File too large", "quota exceeded")

# HDF5 writes its tables when a file is closed, and fails badly if it cannot.
TABLES = 1 << 17

SYNCED_AT_ONCE = 8  # files; more threads gain nothing


@contextlib.contextmanager
def written_aside(
    path: Path, kind: Kind | None, *, overwrite: bool = False, continues: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    Only then replace the earlier output; on any exception, Ctrl-C included, leave nothing behind, except what can be
    continued. Make missing parent folders. A symbolic link stays and leads to the new output. Hold a lock meanwhile;
    with it, restore or remove what a killed writer left. The content is on the disk before it takes its place.

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
        The place cannot be written (a full or read-only disk included), something else is in the way, or another
        process writes there.
    """
    if kind is not None:
        check_place(path, kind, overwrite=overwrite)
    if url := url_of(path):
        with cleaned_up(), written_by_url(url, overwrite=overwrite, continues=continues) as copy:
            yield copy
        return
    asked, path = path, Path(os.path.realpath(local(path)))  # "." has no name to put a temporary one beside
    made: list[Path] = []
    with cleaned_up():
        try:
            made = [parent for parent in path.parents if not parent.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            with claimed(asked, _lock(path)):
                _restore(path)
                with _replacing(asked, path, continues) as partial:
                    yield partial
                    if kind is not None:
                        check_place(asked, kind, overwrite=overwrite)
                    if path.is_dir() and not partial.is_dir():
                        raise InputError(f"{asked} is a folder; name a file.")
        except BaseException as error:
            with signals_held():
                for parent in made:
                    with contextlib.suppress(OSError):
                        parent.rmdir()
            if (refusal := unwritable(asked, error)) is not None:
                raise refusal from error
            raise


@contextlib.contextmanager
def _replacing(asked: Path, path: Path, continues: Callable[[Path], bool] | None) -> Iterator[Path]:
    """Yield the temporary path; after the block put it in place, or after an exception keep or remove it."""
    partial, old = _hidden(path, "partial"), _hidden(path, "old")
    try:
        _adopt(path, partial, continues)
        yield partial
        sync(partial)
        with signals_held():
            if path.is_dir():
                path.rename(old)
            partial.replace(path)
            _sync_one(path.parent)
            _remove(old)
    except BaseException:
        with signals_held():
            if old.exists() and not path.exists():
                old.rename(path)
            kept = continues is not None and continues(partial)
            if kept:
                keep_unfinished(asked)
            for left in (old,) if kept else (partial, old):
                with contextlib.suppress(OSError):
                    _remove(left)
        raise


def _adopt(path: Path, partial: Path, continues: Callable[[Path], bool] | None) -> None:
    """Move what a killed run left unfinished to the place of this one, or remove it and say so."""
    for left in _leftovers(path, "partial"):
        if continues is not None and (left == partial or not partial.exists()) and continues(left):
            log.info("Continuing %s, which an earlier run left unfinished", path)
            if left != partial:  # which an earlier call in this process left
                left.rename(partial)
            continue
        why = "a file of this format cannot be continued" if continues is None else "its input, model or options differ"
        log.info("An earlier run left %s unfinished, but %s: all of it is made anew", path, why)
        _remove(left)
    for left in _leftovers(path, "partial.space"):
        _remove(left)


def restored(path: Path) -> bool:
    """Put the earlier output back if its writer was killed while it put a new one in place; return whether it is there.

    Raises
    ------
    InputError
        The output is being put in place just now.
    """
    with contextlib.suppress(OSError, ValueError):  # a read-only disk, a name that cannot be
        path = Path(os.path.realpath(path))
        if not path.exists() and path.parent.is_dir() and _leftovers(path, "old"):
            with claimed(path, _lock(path)):
                _restore(path)
    return path.exists()


def _restore(path: Path) -> None:
    for old in _leftovers(path, "old"):
        if path.exists():
            _remove(old)
        else:
            log.warning("%s: the earlier output is restored, as its successor was not put in place", path)
            old.rename(path)


def sync(path: Path) -> None:
    """Have a file, or all of a folder, written to the disk; some disks report only then that they are full."""
    if path.is_file():
        _sync_one(path)
        return
    with ThreadPoolExecutor(SYNCED_AT_ONCE) as pool:
        tree = (Path(folder) / name for folder, _, names in os.walk(path) for name in (*names, "."))
        list(pool.map(_sync_one, tree))


def _sync_one(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL or not path.is_dir():  # some network disks synchronise no folder
            raise
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: BaseException) -> InputError | None:
    """Return the message for an error of a failed write, None for any other error."""
    if isinstance(error, OSError):
        return InputError(f"{path} cannot be written ({error.strerror or error}); free space or choose another place.")
    text = str(error)
    if isinstance(error, RuntimeError) and any(sign in text for sign in FAILED_WRITES):
        reason = next((sign for sign in ("No space left", "File too large") if sign in text), reason_of(error))
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
    """Return a hidden name of this process beside a path."""
    return path.with_name(f".{_stem(path)}.{os.getpid()}.{what}")


def _lock(path: Path) -> Path:
    return path.with_name(f".{_stem(path)}.lock")


def _stem(path: Path) -> str:
    """Return the name of a path, no longer than leaves room for a suffix."""
    return path.name if len(path.name.encode()) <= 180 else hashlib.sha256(path.name.encode()).hexdigest()


def _leftovers(path: Path, what: str) -> list[Path]:
    """Return the hidden names beside a path, of whichever process."""
    name = re.compile(rf"\.{re.escape(_stem(path))}\.\d+\.{re.escape(what)}")
    return sorted(entry for entry in path.parent.iterdir() if name.fullmatch(entry.name))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink()
