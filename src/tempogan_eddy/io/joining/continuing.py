"""Group files by their headers: a group is files that continue each other, and so one sequence."""

import itertools
from collections.abc import Hashable, Iterable, Iterator

import numpy as np

from tempogan_eddy.io.grids.axes import EARTH, role_of, turn_difference
from tempogan_eddy.io.joining.headers import Header, Traits
from tempogan_eddy.io.times.cadence import native_step, tolerance_of

__all__ = ["adjoining", "continuing"]

FASTEST = 1.0  # degrees an hour, of a storm
LONGEST_GAP = np.timedelta64(10, "D")
"""Files farther apart are of other storms or seasons, even if their names differ only in the time."""


def continuing(headers: Iterable[Header], *, stamped: bool, together: bool = False) -> list[list[Header]]:
    """Group headers of files with one name pattern: a group is files that continue each other, in the order of time.

    If the names are `stamped` with times, files of one kind belong together unless ten days lie between them, and
    whatever the gap if the user named them `together`. Otherwise (part_1, part_2; but also storm_1, storm_2) only
    those without a gap do.
    """
    kinds: dict[Traits, list[Header]] = {}
    for header in headers:
        kinds.setdefault(header.kind, []).append(header)
    groups = []
    for members in _moving_boxes(kinds) if stamped else kinds.values():
        members.sort(key=lambda header: (header.times[0], header.path.name))
        groups += [members] if stamped and together else _split_at_gaps(members, stamped)
    return groups


def adjoining(groups: list[list[Header]]) -> list[list[Header]]:
    """Return groups of files of several name patterns, named together; join those that follow each other.

    Only files whose pixels have the same place on the Earth follow each other: others may show another storm.
    """
    joined: list[list[Header]] = []
    alike: dict[Traits, list[list[Header]]] = {}  # those in `joined` by kind: an archive holds thousands
    for group in sorted(groups, key=lambda group: (group[0].times[0], group[0].path.name)):
        candidates = alike.setdefault(group[0].kind, []) if group[0].has_place else []
        for earlier in candidates:
            apart = group[0].times[0] - max(header.times[-1] for header in earlier)
            if np.timedelta64(0, "ns") < apart <= LONGEST_GAP:
                earlier += group
                break
        else:
            joined.append(list(group))
            candidates.append(joined[-1])
    return joined


def _moving_boxes(kinds: dict[Traits, list[Header]]) -> Iterator[list[Header]]:
    """Yield files of one kind, joined across their grids if most have one each: a box follows its storm.

    Boxes that no one storm can have taken are of several storms. Boxes whose axes run another way stay apart.
    """
    merged: dict[Hashable, list[list[Header]]] = {}
    for kind, members in kinds.items():
        ways = tuple(_way(members[0], role) for role in EARTH)
        merged.setdefault((kind._replace(grid=""), ways), []).append(members)
    for grids in merged.values():
        files = sum(map(len, grids))
        moves = files > 2 and 2 * len(grids) > files
        yield from _tracks(itertools.chain(*grids)) if moves else grids


def _tracks(headers: Iterable[Header]) -> list[list[Header]]:
    """Group files by storms: each box overlaps the one before, or is as far away as a storm moves in the meantime."""
    tracks: list[list[Header]] = []
    for header in sorted(headers, key=lambda header: (header.times[0], header.path.name)):
        near = [(away, number) for number, track in enumerate(tracks) if (away := _apart(track[-1], header)) <= 1]
        if near:
            tracks[min(near)[1]].append(header)
        else:
            tracks.append([header])
    return tracks


def _apart(earlier: Header, later: Header) -> float:
    """Return the distance of two boxes as a share of what a storm can cover between them; 0 if they have no place.

    If the times overlap, boxes that overlap too may be of two storms, so only the move of a storm counts.
    """
    if earlier.kind.grid == later.kind.grid:
        return 0.0
    hours = (later.times[0] - earlier.times[0]) / np.timedelta64(1, "h")
    if hours <= 0:
        return np.inf
    apart = later.times[0] > earlier.times[-1]
    shares = [0.0]
    for role in EARTH:
        first, second = (_middle_and_width(header, role) for header in (earlier, later))
        if first and second:
            reach = apart * (first[1] + second[1]) / 2 + FASTEST * hours
            shares.append(float(np.abs(turn_difference(np.array(first[0]), second[0]))) / reach)
    return max(shares)


def _degrees(header: Header, role: str) -> np.ndarray:
    """Return the known latitudes or longitudes of a box in their order, if it states them."""
    held = next((v.values for name, v in header.coords.items() if v.dims and role_of(name, v.attrs) == role), None)
    return np.array([]) if held is None else held[np.isfinite(held)]


def _way(header: Header, role: str) -> float:
    """Return 1 where degrees increase from the first pixel to the last, -1 where they decrease, else 0."""
    known = _degrees(header, role)
    return float(np.sign(turn_difference(known[-1], known[0]))) if known.size else 0.0


def _middle_and_width(header: Header, role: str) -> tuple[float, float] | None:
    """Return the middle and the width of a box in degrees of latitude or longitude, if it states them."""
    known = _degrees(header, role)
    if not known.size:
        return None
    from_first = turn_difference(known, known[0])
    return float(known[0] + (from_first.min() + from_first.max()) / 2), float(np.ptp(from_first))


def _split_at_gaps(members: list[Header], stamped: bool) -> list[list[Header]]:
    step = native_step(np.unique(np.concatenate([header.times for header in members])))
    # One frame in each of two files has a step, but proves no cadence.
    proven = step is not None and sum(len(member.times) for member in members) > 2
    groups = [[members[0]]]
    end = members[0].times[-1]
    for header in members[1:]:
        apart = header.times[0] - end
        adjoins = step is not None and proven and np.timedelta64(0, "ns") <= apart <= step + tolerance_of(step)
        if adjoins or (stamped and apart <= LONGEST_GAP):
            groups[-1].append(header)
            end = max(end, header.times[-1])
        else:
            groups.append([header])
            end = header.times[-1]
    return groups
