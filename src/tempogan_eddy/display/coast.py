"""Coastlines and a graticule as lines in the pixels of a frame."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["COAST", "STEP", "TURN", "MapLine", "Projection", "coastlines", "map_lines"]

Numbers = NDArray[np.float64]
Projection = Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]
"""Longitude and latitude in degrees to x and y in pixels from the upper left edge; NaN where there is no pixel."""

COAST = Path(__file__).with_name("coast.npz")  # Natural Earth, 1:50 million; made by scripts/coastline.py
STEP = 0.02  # degrees: the unit of its numbers, the first point of each line and the steps to the others
TURN = 18_000  # such units around the Earth
SPACINGS = (0.5, 1, 2, 5, 10, 15, 30)  # degrees between lines of the graticule
LINES = 6  # of one kind, at most about so many


@dataclass(frozen=True)
class MapLine:
    """A line (n, 2) of x and y in pixels; the graticule has labels."""

    kind: str  # "coast", "parallel" or "meridian"
    points: Numbers
    label: str = ""


@cache
def coastlines() -> tuple[Numbers, ...]:
    """Return the coasts of the Earth as lines (n, 2) of longitude and latitude in degrees.

    Longitudes are continuous along a line, so they may lie beyond 180 degrees.
    """
    with np.load(COAST) as stored:
        lines = np.split(stored["steps"], np.cumsum(stored["lengths"])[:-1])
    return tuple(np.cumsum(line, axis=0) * np.float64(STEP) for line in lines)


def map_lines(project: Projection, shape: tuple[int, int], bounds: tuple[float, float, float, float]) -> list[MapLine]:
    """Return the coasts and the graticule in a frame.

    Parameters
    ----------
    project : Projection
        Of the frame.
    shape : tuple of int
        Its rows and columns.
    bounds : tuple of float
        West, south, east and north of the frame, degrees; east is greater than west.
    """
    coasts = [MapLine("coast", part) for part in _inside(_coasts_within(bounds), project, shape)]
    return coasts + list(_graticule(project, shape, bounds))


def _coasts_within(bounds: tuple[float, float, float, float]) -> Numbers:
    """Return the coasts that touch the bounds as one array (n, 2), with NaN between two lines."""
    west, south, east, north = bounds
    low, high = _boxes()
    near = (high[:, 1] >= south) & (low[:, 1] <= north)
    lines, break_ = [], np.full((1, 2), np.nan)
    for turn in range(-720, 1081, 360):  # whole turns, because both may lie beyond 180 degrees
        for number in np.flatnonzero(near & (high[:, 0] + turn >= west) & (low[:, 0] + turn <= east)):
            lines += [coastlines()[number] + (turn, 0), break_]
    return np.concatenate(lines) if lines else break_


@cache
def _boxes() -> tuple[Numbers, Numbers]:
    """Return the least and the greatest longitude and latitude (lines, 2) of every coast."""
    lines = coastlines()
    return np.array([line.min(axis=0) for line in lines]), np.array([line.max(axis=0) for line in lines])


def _inside(line: Numbers, project: Projection, shape: tuple[int, int]) -> Iterator[Numbers]:
    """Yield the parts (n, 2), in pixels, of a line whose pieces touch the frame."""
    points = np.stack(project(line[:, 0], line[:, 1]), axis=1)
    low, high = np.minimum(points[1:], points[:-1]), np.maximum(points[1:], points[:-1])
    touches = ((high >= 0) & (low <= shape[::-1])).all(axis=1)  # false where NaN
    edges = np.flatnonzero(np.diff(np.concatenate([[0], touches, [0]])))
    for start, end in edges.reshape(-1, 2):
        yield points[start : end + 1]


def _graticule(
    project: Projection, shape: tuple[int, int], bounds: tuple[float, float, float, float]
) -> Iterator[MapLine]:
    west, south, east, north = bounds
    widest = max(east - west, north - south)
    step = next((one for one in SPACINGS if widest / one <= LINES), SPACINGS[-1])
    along = np.linspace(0, 1, 121)
    for lat in _multiples(max(south, -89.0), min(north, 89.0), step):
        line = np.stack([west + along * (east - west), np.full_like(along, lat)], axis=1)
        for part in _inside(line, project, shape):
            yield MapLine("parallel", part, _label(lat, "NS"))
    for lon in _multiples(west, east, step):
        line = np.stack([np.full_like(along, lon), south + along * (north - south)], axis=1)
        for part in _inside(line, project, shape):
            yield MapLine("meridian", part, _label((lon + 180) % 360 - 180, "EW"))


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _label(degrees: float, signs: str) -> str:
    sign = "" if degrees in (0, -180) else signs[degrees < 0]
    return f"{abs(degrees):g}°{sign}"
