"""Zarr stores as outputs on an object store, where nothing can be renamed.

The frames are written to their place. The metadata of the store, without which nothing opens it, are written last.
Until then they are called ``zarr.json.partial``.
"""

import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tempogan_eddy.errors import InputError
from tempogan_eddy.interrupts import keep_unfinished
from tempogan_eddy.io.files.urls import listing, new_copy, reaching, url_of
from tempogan_eddy.io.sequence import NAME

__all__ = ["check_prefix", "discard", "publish", "written_by_url"]

log = logging.getLogger(__name__)

ROOT, PARTIAL = "zarr.json", "zarr.json.partial"
OF_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "gcsfs")  # modules whose errors are those of the network
OF_ZARR = re.compile(r"(.*/)?(zarr\.json|zarr\.json\.partial|c|c(/\d+)+)")


def check_prefix(url: str, sources: Iterable[str] = (), *, overwrite: bool) -> None:
    """Refuse a URL that holds anything but an unfinished store, or one of the sources; raise InputError.

    An object store cannot exchange a store for another in one step, so a finished one is only removed by ``overwrite``.
    """
    if url.startswith("http"):
        raise InputError(f"{url} cannot be written; give s3:// or gs://, or a local path.")
    if any(f"{url}/".startswith(f"{source}/") or source.startswith(f"{url}/") for source in sources):
        raise InputError(f"{url} is where the input is read from; write to another place.")
    with reaching(url) as (files, place):
        found = listing(files, place, url)
    if any(not OF_ZARR.fullmatch(key) for key in found) or (found and not {ROOT, PARTIAL} & set(found)):
        raise InputError(f"{url} holds objects other than a Zarr store; name another place.")
    if ROOT in found and not overwrite:
        raise InputError(
            f"{url} exists, and an object store cannot exchange it in one step; name another place, or have it removed "
            "first with --overwrite (in Python: overwrite=True)."
        )


@contextmanager
def written_by_url(
    url: str, *, overwrite: bool = False, continues: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Yield a local folder for the metadata of a Zarr store; when the block ends well, complete the store at the URL.

    `publish` brings the metadata there meanwhile. What an earlier run left unfinished is continued if ``continues``
    says so, else removed. An exception leaves only what can be continued.

    Raises
    ------
    InputError
        As `check_prefix`, or the URL cannot be written.
    """
    check_prefix(url, overwrite=overwrite)
    copy = new_copy(url)
    copy.mkdir()
    _adopt(url, copy, continues)
    try:
        yield copy
        with reaching(url) as (files, place):
            files.put_file(str(copy / ROOT), f"{place}/{ROOT}")
            files.rm_file(f"{place}/{PARTIAL}")
    except BaseException as error:
        with reaching(url) as (files, place):
            found = listing(files, place, url)
            if continues is not None and any(f"/{NAME}/c/" in f"/{key}" for key in found):
                keep_unfinished(url)
            elif found:
                files.rm(place, recursive=True)
        if isinstance(error, OSError) or type(error).__module__.startswith(OF_LIBRARIES):
            raise InputError(f"{url} cannot be written ({error}); start the command again.") from error
        raise


def _adopt(url: str, copy: Path, continues: Callable[[Path], bool] | None) -> None:
    """Copy the metadata of an unfinished store, with an empty file for each chunk; or remove what is there."""
    with reaching(url) as (files, place):
        found = listing(files, place, url)
        for key, about in found.items():
            target = copy / (ROOT if key == PARTIAL else key)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.name == ROOT:
                files.get_file(about["name"], str(target))
            else:
                target.touch()
        if found and ROOT not in found and continues is not None and continues(copy):
            log.info("Continuing %s, which an earlier run left unfinished", url)
        elif found:
            if ROOT not in found:
                why = "its input, model or options differ"
                log.info("An earlier run left %s unfinished, but %s: all of it is made anew", url, why)
            files.rm(place, recursive=True)
            shutil.rmtree(copy)
            copy.mkdir()


def publish(path: Path) -> None:
    """Bring the metadata and coordinates of a group to its URL; do nothing for a local store."""
    url = url_of(path)
    if url is None:
        return
    root = next(folder for folder in (path, *path.parents) if url_of(folder.parent) is None)
    with reaching(str(url_of(root))) as (files, place):
        # First what tells that the store is ours.
        for file in dict.fromkeys((root / ROOT, *path.rglob("*"))):
            if file.is_file() and file.stat().st_size:
                key = file.relative_to(root).as_posix()
                files.put_file(str(file), f"{place}/{PARTIAL if key == ROOT else key}")


def discard(path: Path) -> None:
    """Remove a group of a store, wherever it is written."""
    shutil.rmtree(path)
    if url := url_of(path):
        with reaching(url) as (files, place):
            files.rm(place, recursive=True)
