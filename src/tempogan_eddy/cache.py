"""The cache of the user: files that can be made again, known by what they were made from."""

import hashlib
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside

__all__ = ["cached"]

log = logging.getLogger(__name__)

# Files of one kind that the cache keeps, the latest.
KEPT = 20

DIGEST_SIZE = hashlib.sha256().digest_size


def cached(kind: str, key: str, make: Callable[[], bytes]) -> bytes:
    """Return the result of ``make``, from the cache if it was made before.

    If the cache cannot be read or written, or the file is damaged, make the content anew. The kind is a file name with
    a suffix; the key is everything that the content depends on, versions of libraries included.
    """
    place = _folder() / kind / hashlib.sha256(key.encode()).hexdigest()
    with suppress(OSError):
        stored = place.read_bytes()
        digest, content = stored[:DIGEST_SIZE], stored[DIGEST_SIZE:]
        if hashlib.sha256(content).digest() == digest:
            os.utime(place)
            return content
    content = make()
    try:
        with written_aside(place, None) as partial:
            partial.write_bytes(hashlib.sha256(content).digest() + content)
        for old in sorted(place.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, InputError) as error:
        log.debug("The cache is not used: %s", error)
    return content


def _folder() -> Path:
    """The folder that the system has for caches of programs."""
    named = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    fallback = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    return Path(named or os.path.expanduser(fallback)) / "tempogan-eddy"  # noqa: PTH111 - never raises
