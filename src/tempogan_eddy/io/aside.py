"""Writing aside and renaming, so that nothing half-written ever stands in place of something good."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tempogan_eddy.errors import InputError

__all__ = ["written_aside"]


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    Whatever stood there before is replaced only then; on any exception, Ctrl-C included, nothing is left
    behind. Missing parent folders are made.

    Raises
    ------
    InputError
        The place cannot be written.
    """
    path = path.resolve()  # "." has no name to put a temporary one beside
    existed_as_folder = path.is_dir()
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        yield partial
        if existed_as_folder and not partial.is_dir():
            raise InputError(f"{path} is a folder; name a file.")
        if path.is_dir():
            path.rename(old)
        partial.replace(path)
    except BaseException as error:
        if old.exists() and not path.exists():
            old.rename(path)
        _remove(partial)
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise InputError(f"{path} cannot be written ({reason}); choose another place.") from error
        raise
    finally:
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink()
