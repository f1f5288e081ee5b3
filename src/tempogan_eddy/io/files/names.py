"""Storms as names of files; files state them, and they can be any text."""

import hashlib
import re
import unicodedata
from collections.abc import Container

__all__ = ["safe_name"]

RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[\d¹²³])(\..*)?|zarr\.json", re.IGNORECASE)  # by Windows or Zarr
LONGEST, DIGITS = 100, 6  # bytes, which leaves room for a date before it and a suffix behind it


def safe_name(text: object, taken: Container[str] = ()) -> str:
    """Return a text as a file name that stays in its folder on every system.

    Letters and digits of all scripts, spaces inside, ``-``, ``_``, ``.``, ``+`` and ``,`` stay; everything else
    becomes ``_``. A changed text ends in a few digits of its hash, so that distinct texts give distinct names. A name
    that is in `taken`, in lower case, gets ``-2`` and so on. Without that number a name has at most 100 bytes of UTF-8;
    it is never empty, hidden, or reserved by Windows.
    """
    wanted = unicodedata.normalize("NFC", str(text))
    name = "".join(letter if _is_harmless(letter) else "_" for letter in wanted).strip(" .")
    name = re.sub(r"^-", "_", name)
    if RESERVED.fullmatch(name):
        name = f"_{name}"
    if name != wanted or not name or len(name.encode()) > LONGEST:
        name = name.encode()[: LONGEST - DIGITS - 1].decode(errors="ignore").strip(" .") or "unnamed"
        name = f"{name}-{hashlib.sha256(wanted.encode(errors='surrogatepass')).hexdigest()[:DIGITS]}"
    numbered, number = name, 1
    while numbered.lower() in taken:
        number += 1
        numbered = f"{name}-{number}"
    return numbered


def _is_harmless(letter: str) -> bool:
    return letter in " -_.+," or unicodedata.category(letter)[0] in "LMN"
