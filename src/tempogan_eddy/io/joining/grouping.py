"""Join the files of an archive that continue each other, by their names and headers, into sequences."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.format import StoredSequence
from tempogan_eddy.io.joining.continuing import adjoining, continuing
from tempogan_eddy.io.joining.headers import Header, Traits
from tempogan_eddy.io.messages import about
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.times.stamps import name_without_time, time_in_name
from tempogan_eddy.io.variables.choice import NoSequenceError, SeveralError
from tempogan_eddy.wording import count, listed

__all__ = ["joined"]

log = logging.getLogger(__name__)


def joined(
    sequences: list[StoredSequence], roots: list[Path], reading: Reading, *, together: bool
) -> Iterator[StoredSequence]:
    """Yield the sequences; join those that continue each other."""
    top = roots[0] if len(roots) == 1 and roots[0].is_dir() else None
    alike: dict[str, dict[str, list[StoredSequence]]] = {}
    for stored in sequences:
        if stored.format.header_reader is not None:
            folder = "" if together or top else stored.path.parent
            key = f"{folder} {_name_pattern(stored.path, None if together else top)}"
        else:  # frames named one by one are the sequence of their folder
            key = f"{stored.path} {stored.group}"
        alike.setdefault(stored.format.name, {}).setdefault(key, []).append(stored)
    for by_key in alike.values():
        related = together and len(by_key) > 1
        compared = []
        for members in by_key.values():
            first = members[0]
            if first.format.header_reader is not None and (len(members) > 1 or related):
                compared.append(members)
            elif len(members) > 1 and all(member.files for member in members):
                yield replace(first, files=tuple(file for member in members for file in member.files))
            else:
                yield from members
        if compared:
            yield from _continued(compared, reading, together)


def _continued(patterns: list[list[StoredSequence]], reading: Reading, together: bool) -> list[StoredSequence]:
    """Return one sequence for each group of files that continue each other, and one for each other file."""
    make_reader = patterns[0][0].format.header_reader
    assert make_reader is not None
    header_of = make_reader(reading)
    found: list[StoredSequence] = []
    groups: list[list[Header]] = []
    by_path = {member.path: member for members in patterns for member in members}
    for members in patterns:
        stamped = all(_has_stamp(member.path) for member in members)
        leave_out = (stamped or together) and reading.unreadable == "gap"
        headers, refused = _headers(members, header_of, leave_out=leave_out)
        # Each raises its error when opened; if no file of an archive can be read, one of them is enough.
        found += refused if headers or not stamped else refused[:1]
        several = continuing(headers, stamped=stamped, together=together)
        if stamped:
            _tell_differences(several)
        groups += several
    groups = adjoining(groups) if together else groups
    names = Counter(_common_name(group[0].path) for group in groups if len(group) > 1)
    for group in groups:
        first = by_path[group[0].path]
        if len(group) == 1:
            found.append(first)
            continue
        name = _common_name(first.path)
        if names[name] > 1:
            name += "_" + np.datetime_as_string(group[0].times[0], unit="D").replace("-", "")
        found.append(replace(first, parts=(*first.parts[:-1], name), headers=tuple(group)))
    return sorted(found, key=lambda stored: stored.path)


def _headers(
    members: list[StoredSequence], header_of: Callable[[Path], Header], *, leave_out: bool
) -> tuple[list[Header], list[StoredSequence]]:
    """Return the headers of files, and the files that cannot be read, unless they are left out."""
    headers: list[Header] = []
    refused: list[StoredSequence] = []
    for member in members:
        try:
            headers.append(header_of(member.path))
        except InputError as error:
            if leave_out:
                log.warning("left out as a gap: %s", error)
            elif isinstance(error, NoSequenceError):
                refused.append(member)  # no fault beside others
            elif isinstance(error, SeveralError):
                refused.append(replace(member, fault=str(error)))
            else:
                refused.append(replace(member, fault=f"{error} --set data.unreadable=gap leaves such files out."))
    return headers, refused


def _tell_differences(groups: list[list[Header]]) -> None:
    """Say why files whose names differ only in the time are several sequences, unless a gap alone parts them."""
    differing = [name for name in Traits._fields if len({getattr(group[0].kind, name) for group in groups}) > 1]
    if differing:
        name = _common_name(groups[0][0].path)
        several = count(len(groups), "sequence")
        told = f"files named alike are {several}; what differs beside the times: {listed(differing)}"
        about(log, name, told).info("%s: %s", name, told)


def _has_stamp(path: Path) -> bool:
    try:
        return time_in_name(path.name, date_is_enough=True) is not None
    except InputError:
        return False


def _name_pattern(path: Path, top: Path | None = None) -> str:
    """Return a file's name without its time, and the folders from `top` to it without dates such as 2019 or 2019/12.

    Files of one archive have the same pattern; numbers in a name without a time do not count.
    """
    folders = path.parent.relative_to(top).parts if top is not None and path.parent.is_relative_to(top) else ()
    # Six digits may be a storm, 201912, and stay.
    plain = [re.sub(r"^((19|20)\d\d([-_.]?\d\d[-_.]?\d\d|[-_.]?\d{3})?|\d\d|\d{3})$", "#", part) for part in folders]
    name = name_without_time(path.name)
    return "/".join([*plain, name if name != path.name else re.sub(r"\d+", "#", name)])


def _common_name(path: Path) -> str:
    """Return the name of joined files: the name of one without its time, or else of the folder."""
    plain = Path(_name_pattern(Path(path.name))).stem.replace("#", "").strip("-_. ")
    while plain.lower().endswith((".nc4", ".nc")):
        plain = plain.rsplit(".", 1)[0]
    plain = re.sub(r"[-_.]{2,}", lambda found: found[0][0], plain)
    return plain or path.resolve().parent.name
