"""Inputs by URL: files are copied; of a Zarr store only the metadata, and its chunks are read where they are.

This is the only place where a URL becomes a path. The rest of the package reads the local copy, which ends with the
process. `url_of` leads back from a copy to its URL.
"""

import glob
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from zarr.storage import FsspecStore

from tempogan_eddy.errors import COPIES, InputError, reason_of
from tempogan_eddy.extras import not_installed

__all__ = ["chunk_store", "end_copies", "fetch", "listing", "local", "new_copy", "reaching", "shown", "url_of"]

# A Path keeps one of the slashes.
FORM = re.compile(r"(?P<scheme>s3|gs|https?|file):/{1,2}(?P<rest>[^/].*|/.*)", re.DOTALL)

LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}

METADATA = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")  # of Zarr stores

_FETCHED: dict[str, tuple[str, Path]] = {}  # what was listed at a URL when it was copied, and the copy
_ONE_FOLDER = threading.Lock()  # a cache lets two threads make one each, and the first would end with its object


def url_of(path: str | Path) -> str | None:
    """Return the URL that a path is, or is a local copy of; None for any other path.

    Raise InputError for a chain of URLs, which could name another place than it seems to.
    """
    text = str(path)
    if (form := FORM.fullmatch(text)) and form["scheme"] != "file":
        if "::" in text:
            raise InputError(f"{text} chains several URLs, which are not followed; give the last one alone.")
        return f"{form['scheme']}://{form['rest'].lstrip('/')}"
    for copy, url in tuple(COPIES.items()):
        if copy == path or copy in Path(path).parents:
            return f"{url}/{Path(path).relative_to(copy).as_posix()}".removesuffix("/.")
    return None


def local(path: str | Path) -> Path:
    """Return a path without ``file://``."""
    form = FORM.fullmatch(str(path))
    return Path(f"/{form['rest'].lstrip('/')}") if form and form["scheme"] == "file" else Path(path)


def shown(path: str | Path) -> str:
    """Return a path as the user named it."""
    return url_of(path) or str(path)


def fetch(name: str | Path) -> list[Path]:
    """Return local paths for a URL: copies of one file, of all files under a prefix, or of those that fit a pattern.

    Of a Zarr store only the metadata are copied. A local path is returned as it is. What has not changed is not copied
    again.

    Raises
    ------
    InputError
        Nothing is there, it cannot be reached, or the library for its scheme is not installed.
    """
    url = url_of(name)
    if url is None or Path(name).exists():  # a copy
        return [local(name)]
    with reaching(url) as (files, place):
        if not url.startswith("http") and glob.has_magic(place):
            scheme = url.partition(":")[0]
            matching = [f"{scheme}://{found}" for found in sorted(files.glob(place))]
            if not matching:
                raise InputError(f"{url} matches no file; check the pattern.")
            return [path for each in matching for path in fetch(each)]
        found = listing(files, place, url)
        if not found:
            raise InputError(f"{url} does not exist.")
        state = repr(
            sorted((key, about.get("ETag"), about.get("size"), _moment(about)) for key, about in found.items())
        )
        if _FETCHED.get(url, ("",))[0] != state:
            _FETCHED[url] = state, _copied(files, found, url)
        return [_FETCHED[url][1]]


def _copied(files: Any, found: Mapping[str, Mapping[str, Any]], url: str) -> Path:
    copy = new_copy(url)
    latest = max(map(_moment, found.values()))
    groups = {PurePosixPath(key).parent for key in found if PurePosixPath(key).name in METADATA}
    for key, about in found.items():
        is_metadata = PurePosixPath(key).name in METADATA
        if is_metadata or not groups.intersection(PurePosixPath(key).parents):
            target = copy / key if key else copy
            target.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(about["name"], str(target))
            # Metadata stand for the chunks too.
            moment = latest if is_metadata else _moment(about)
            os.utime(target, (moment, moment))
    return copy


def new_copy(url: str) -> Path:
    """Return a new local path, of the same name, for what lies or will lie at a URL."""
    with _ONE_FOLDER:
        folder = _folder().name
    copy = Path(tempfile.mkdtemp(dir=folder)).resolve() / PurePosixPath(url.partition("?")[0]).name
    COPIES[copy] = url.rstrip("/")
    return copy


def listing(files: Any, place: str, url: str) -> dict[str, dict[str, Any]]:
    """Return what is known of each object at a place and under it, by its path below the place.

    Raise InputError for a path that would lead out of a folder.
    """
    if url.startswith("http"):
        return _listing_of_http(files, place)
    found = {name: about for name, about in files.find(place, detail=True).items() if not name.endswith("/")}
    keys = {name.removeprefix(place).lstrip("/"): about for name, about in found.items()}
    for key in keys:
        if key and (not set(key.split("/")).isdisjoint({"..", ".", ""}) or "\\" in key):
            raise InputError(f"{url} holds {key!r}, which cannot be the path of a file; give another prefix.")
    return keys


def _listing_of_http(files: Any, place: str) -> dict[str, dict[str, Any]]:
    """Return the file at a URL, or the metadata that those of a consolidated Zarr store name: no folder is listed."""
    if not place.rstrip("/").endswith(".zarr"):
        return {"": files.info(place)}
    document = json.loads(files.cat_file(f"{place}/zarr.json"))
    held = document.get("consolidated_metadata", {}).get("metadata", {})
    names = ["zarr.json", *(f"{name}/zarr.json" for name in held if set(name.split("/")).isdisjoint({"..", ".", ""}))]
    return {name: files.info(f"{place}/{name}") for name in names}


def _moment(about: Mapping[str, Any]) -> float:
    changed = about.get("LastModified") or about.get("updated")
    return changed.timestamp() if isinstance(changed, datetime) else 0.0


def chunk_store(path: Path) -> FsspecStore | None:
    """Return the store of the chunks of a copied Zarr store; None for any other path."""
    url = url_of(path)
    return None if url is None else FsspecStore.from_url(url, read_only=True)


@contextmanager
def reaching(url: str) -> Iterator[tuple[Any, str]]:
    """Yield the file system of a URL and the place in it; turn whatever its library raises into an InputError."""
    scheme = url.partition(":")[0]
    try:
        files = fsspec.filesystem(scheme, use_listings_cache=False)
        yield files, files._strip_protocol(url)
    except InputError:
        raise
    except ImportError:
        raise not_installed(LIBRARIES[scheme]) from None
    except Exception as error:  # each library has its own
        # Of a server that does not answer, fsspec says that the file is missing; the cause says more.
        missing, cause = isinstance(error, FileNotFoundError), error.__cause__
        cause = cause if missing and isinstance(cause, OSError) else error
        reason = reason_of(cause)
        if isinstance(cause, FileNotFoundError):
            detail = f" ({reason})" if " " in reason else ""
            raise InputError(f"{url} does not exist{detail}.") from error
        raise InputError(f"{url} cannot be reached ({reason}); check the address and your credentials.") from error


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tempogan-eddy-")


def end_copies() -> None:
    """Remove all copies, at the end of a process that does not end as usual."""
    if _folder.cache_info().currsize:
        _folder().cleanup()
