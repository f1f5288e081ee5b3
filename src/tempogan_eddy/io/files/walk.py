"""Walk folders that may hold anything: links in a circle, dead links, pipes and devices."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tempogan_eddy.errors import InputError

__all__ = ["Seen", "entries", "names_in", "refuse_special", "walk"]

log = logging.getLogger(__name__)

DEEPEST = 64  # folders below the one that is walked
SPECIAL = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def refuse_special(path: Path) -> None:
    """Refuse a path that is no file or folder, such as a pipe, which may wait for ever, or a dead link, or missing."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if path.is_symlink():
            raise InputError(f"{path} is a link to {path.readlink()}, which cannot be followed; repair it.") from None
        raise InputError(f"{path} cannot be read ({error.strerror or error}); give a file or folder.") from None
    except ValueError:  # a null character
        raise InputError(f"{str(path)!r} cannot be the name of a file.") from None
    if kind := SPECIAL.get(stat.S_IFMT(mode)):
        raise InputError(f"{path} is {kind}, not a file or folder.")


class Seen:
    """The folders and files that a walk has met, by device and inode."""

    def __init__(self) -> None:
        self._met: set[tuple[int, int]] = set()

    def first_time(self, path: Path) -> bool:
        """Return whether a path leads to a new file or folder; an unreadable path counts as met."""
        try:
            status = path.stat()
        except OSError:
            return False
        mark = status.st_dev, status.st_ino
        new = mark not in self._met
        self._met.add(mark)
        return new


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder without hidden ones; raise InputError if it cannot be listed."""
    return [name for name in _listed(folder) if not name.startswith(".")]


def entries(folder: Path) -> list[Path]:
    """Return the files and folders in a folder by name, links last; raise InputError if it cannot be listed.

    Leave out dead links, pipes, sockets and devices, and log them. Links come last, so that a walk meets each folder
    under its own name if it has one.
    """
    found = sorted(map(folder.joinpath, _listed(folder)), key=lambda path: (path.is_symlink(), path.name))
    return [path for path in found if _is_usable(path)]


def walk(top: Path) -> Iterator[Path]:
    """Yield the files and folders below a folder, parents first, each once whatever links lead to it.

    The walk always ends: do not follow links to a folder above, nor go deeper than 64 folders. Skip these, and
    folders that cannot be listed, with a line in the log.
    """
    seen, waiting = Seen(), [(top, 0)]
    while waiting:
        path, depth = waiting.pop()
        if not seen.first_time(path):
            continue
        if depth:
            yield path
        if depth >= DEEPEST and path.is_dir():
            log.warning("%s lies %d folders deep; its contents are left out", path, DEEPEST)
        elif path.is_dir():
            try:
                waiting += [(entry, depth + 1) for entry in reversed(entries(path))]
            except InputError as error:
                log.warning("left out: %s", error)


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are enough
    except OSError as error:
        raise InputError(f"{folder} cannot be listed ({error.strerror or error}); allow reading it.") from None


def _is_usable(path: Path) -> bool:
    try:
        refuse_special(path)
    except InputError as error:
        log.debug("left out: %s", error)
        return False
    return True
