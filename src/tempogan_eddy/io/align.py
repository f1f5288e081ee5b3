"""Find the frames of several sequences at one time and the pixels at one place: the one rule for all commands.

Times are the same if they differ by less than a tolerance, by default a tenth of the smallest step of the sequences:
exact hours match hours that a float of days has blurred, and the mid times of scans. Grids are compared by their
coordinates, whatever their names; a grid that runs the other way is flipped, one that lies elsewhere is refused.
"""

import itertools
import logging
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.grids.axes import EARTH, frame_of_moving, spatial_coordinate, turn_difference
from tempogan_eddy.io.times.cadence import DUPLICATE, duration_text, minutes, native_step, parse_duration, tolerance_of
from tempogan_eddy.io.values.units import text_of
from tempogan_eddy.spread import spread_evenly
from tempogan_eddy.wording import count

__all__ = ["align_grid", "align_grids", "match_times", "pair_times", "refinement", "tolerance_between"]

log = logging.getLogger(__name__)

SINGLE = np.timedelta64(180, "s")
"""Tolerance between sequences of one frame each: a tenth of half an hour, the usual step of a geostationary archive."""
LARGEST_SCALE = 8
"""No model refines more, so no more rows and columns than one fewer can have filled no lowres pixel."""
SAMPLES = 64  # places along an axis at which coordinates are compared

Numbers = NDArray[np.intp]


def tolerance_between(times: Sequence[np.ndarray], tolerance: str | None = None) -> np.timedelta64:
    """Return how far two times may differ and still be the same: as stated, else a tenth of the smallest step.

    Sequences of one frame each have a tolerance of three minutes.
    """
    if tolerance is not None:
        return parse_duration(tolerance, "time_tolerance")
    steps = [step for own in times if (step := native_step(own)) is not None]
    return tolerance_of(min(steps)) if steps else SINGLE


def pair_times(first: np.ndarray, second: np.ndarray, tolerance: np.timedelta64) -> tuple[Numbers, Numbers]:
    """Return the numbers of the times that are each other's nearest within a tolerance, in the order of time.

    Of equal times in one sequence the first counts, and no frame has two partners.
    """
    left, left_number = np.unique(first.astype("datetime64[ns]"), return_index=True)
    right, right_number = np.unique(second.astype("datetime64[ns]"), return_index=True)
    partner, back = _nearest(right, left), _nearest(left, right)
    mutual = (back[partner] == np.arange(len(left))) & (np.abs(right[partner] - left) <= tolerance)
    return left_number[mutual], right_number[partner[mutual]]


def _nearest(values: np.ndarray, wanted: np.ndarray) -> Numbers:
    """Return the numbers of the sorted values nearest to those wanted; of two equally near ones, the first."""
    after = np.clip(np.searchsorted(values, wanted), 1, max(len(values) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(values) - 1)
    return np.where(np.abs(values[after] - wanted) < np.abs(wanted - values[before]), after, before)


def match_times(times: Sequence[np.ndarray], labels: Sequence[str], tolerance: str | None = None) -> list[Numbers]:
    """Return the frames of each sequence at the times that all have, in the order of time.

    Parameters
    ----------
    times : sequence of (T,) datetime64 arrays
        The first is the reference.
    labels : sequence of str
        Names of the sequences for messages.
    tolerance : str, optional
        As for `tolerance_between`.

    Returns
    -------
    list of arrays of int
        Numbers of frames, for each sequence equally many.

    Raises
    ------
    InputError
        No time is common.
    """
    allowed = tolerance_between(times, tolerance)
    for own, label in zip(times, labels, strict=True):
        if repeated := len(own) - len(np.unique(own)):
            log.warning(
                "%s has %s with a time that it has already; the first of a time counts", label, count(repeated, "frame")
            )
    pairs = [pair_times(times[0], own, allowed) for own in times]
    common = pairs[0][0]
    for reference, _ in pairs[1:]:
        common = common[np.isin(common, reference)]
    if not common.size:
        spans = "; ".join(f"{label} {_span(own)}" for own, label in zip(times, labels, strict=True))
        raise InputError(
            f"The sequences have no time in common ({spans}; within {duration_text(allowed)}); give the same storm and "
            "hours."
        )
    numbers = [theirs[np.isin(reference, common)] for reference, theirs in pairs]
    for own, label, chosen in zip(times, labels, numbers, strict=True):
        off = np.abs(own[chosen] - times[0][common]).max().astype("timedelta64[ns]")
        if off > DUPLICATE:
            log.info("Times of %s up to %s from those of %s count as the same", label, duration_text(off), labels[0])
    return numbers


def _span(times: np.ndarray) -> str:
    first, last = minutes(times[[0, -1]])
    return f"{first} to {last}"


def refinement(highres: Sequence[int], lowres: Sequence[int], scale: int | None = None) -> int | None:
    """Return how many times finer the first grid is, or None if the two cannot cover the same area.

    Parameters
    ----------
    highres, lowres : (height, width)
        Pixels. The finer grid may have trailing rows and columns that filled no lowres pixel.
    scale : int, optional
        The refinement of a model, which bounds these trailing rows and columns; 8 by default.
    """
    factor = min(large // small for large, small in zip(highres, lowres, strict=True))
    most = max(factor, scale or LARGEST_SCALE)
    spare = [large - factor * small for large, small in zip(highres, lowres, strict=True)]
    return factor if factor >= 1 and max(spare) < most else None


def align_grid(
    highres: xr.DataArray, lowres: xr.DataArray, factor: int, labels: tuple[str, str]
) -> tuple[xr.DataArray, xr.DataArray]:
    """Bring a grid and an equal or coarser one to the same directions and corner.

    Parameters
    ----------
    highres, lowres : DataArray (time, y, x)
        `lowres` is flipped along the axes on which its coordinates run the other way. Spare rows or columns of
        `highres` are cut off before the first pixel of `lowres`, and kept at the end.
    factor : int
        How many times finer `highres` is.
    labels : tuple of str
        Names of the two for messages.

    Raises
    ------
    InputError
        They lie more than half a pixel of `lowres` apart in any coordinate that both have.
    """
    shared = _shared_coordinates(highres, lowres)
    spare = [large - factor * small for large, small in zip(highres.shape[-2:], lowres.shape[-2:], strict=True)]
    first: tuple[float, float, str] | None = None
    for flips in ((False, False), (True, False), (False, True), (True, True)):
        corners = [(0, extra) if flip and extra else (0,) for flip, extra in zip(flips, spare, strict=True)]
        for corner in itertools.product(*corners):
            worst = _worst_offset(shared, lowres.shape[-2:], factor, flips, corner)
            if worst[0] <= worst[1]:
                return _laid(highres, lowres, flips, corner, labels)
            first = first or worst
    assert first is not None
    offset, half_pixel, name = first
    raise InputError(
        f"{labels[1]} lies {offset:.4g} beside {labels[0]} in {name}, more than half a pixel ({half_pixel:.4g}); give "
        "sequences of the same grid."
    )


def align_grids(
    sequences: Sequence[xr.DataArray], labels: Sequence[str], scale: int | None = None
) -> tuple[list[xr.DataArray], list[int]]:
    """Bring sequences ([member, ]time, y, x) to the directions and the corner of the finest, by `align_grid`.

    Parameters
    ----------
    sequences, labels : sequence
        Of one grid and its coarser versions, and their names for messages.
    scale : int, optional
        As for `refinement`.

    Returns
    -------
    (sequences, factors)
        Each factor is how many times coarser than the finest one a sequence is.

    Raises
    ------
    InputError
        They do not cover the same area.
    """
    aligned = list(sequences)
    shapes = [da.shape[-2:] for da in sequences]
    finest = shapes.index(max(shapes))
    factors = [refinement(shapes[finest], shape, scale) or 0 for shape in shapes]
    for place, (factor, label) in enumerate(zip(factors, labels, strict=True)):
        if not factor:
            raise InputError(
                f"{label} has {shapes[place][0]}x{shapes[place][1]} pixels, which do not fit the {shapes[finest][0]}x"
                f"{shapes[finest][1]} of {labels[finest]}; give sequences of one grid and its coarser versions."
            )
        if place != finest:
            names = (labels[finest], label)
            aligned[finest], aligned[place] = align_grid(aligned[finest], sequences[place], factor, names)
    return aligned, factors


def _laid(
    highres: xr.DataArray,
    lowres: xr.DataArray,
    flips: tuple[bool, bool],
    corner: tuple[int, ...],
    labels: tuple[str, str],
) -> tuple[xr.DataArray, xr.DataArray]:
    for dim, flip, start, lines in zip(("y", "x"), flips, corner, ("rows", "columns"), strict=True):
        if flip:
            log.info("%s has its %s in the other order than %s; they are flipped", labels[1], lines, labels[0])
            lowres = lowres.isel({dim: slice(None, None, -1)})
        if start:
            highres = highres.isel({dim: slice(start, None)})
    return highres, lowres


Shared = list[tuple[str, xr.DataArray, xr.DataArray]]


def _shared_coordinates(highres: xr.DataArray, lowres: xr.DataArray) -> Shared:
    """Return the coordinates that both have, by role; latitude and longitude alone where there are both.

    Of boxes that follow a storm, these are the coordinates of the first frame at a common time, if there is one.
    """
    shared: Shared = []
    if any(frame_of_moving(da) is not da for da in (highres, lowres)):
        times = [da["time"].values for da in (highres, lowres)]
        frames = np.array(pair_times(times[0], times[1], tolerance_between(times)))
        if not frames.size:
            return shared
        highres, lowres = (frame_of_moving(da, n) for da, n in zip((highres, lowres), frames[:, 0], strict=True))
    for role in (*EARTH, "x", "y"):
        ours, theirs = spatial_coordinate(highres, role), spatial_coordinate(lowres, role)
        if ours is None or theirs is None or (role in ("x", "y") and not _comparable(ours, theirs)):
            continue
        shared.append((role, ours, theirs))
        if [role for role, *_ in shared] == list(EARTH):
            break
    return shared


def _comparable(first: xr.DataArray, second: xr.DataArray) -> bool:
    """Return whether x or y have the same units and do not both only count pixels."""
    counted = [coord.ndim == 1 and np.array_equal(coord, np.arange(coord.size)) for coord in (first, second)]
    units = [text_of(coord.attrs.get("units", "")) for coord in (first, second)]
    return units[0] == units[1] and (not all(counted) or first.size == second.size)


def _worst_offset(
    shared: Shared, shape: Sequence[int], factor: int, flips: tuple[bool, bool], corner: tuple[int, ...]
) -> tuple[float, float, str]:
    """Return the offset that is largest in pixels, half a lowres pixel, and the coordinate."""
    places = [np.array(spread_evenly(side, SAMPLES)) for side in shape]
    within = np.arange(factor)
    blocks = [start + factor * place[:, None] + within for place, start in zip(places, corner, strict=True)]
    mirrored = [
        (side - 1 - place if flip else place)[:, None] for place, side, flip in zip(places, shape, flips, strict=True)
    ]
    worst = (0.0, 0.0, np.inf, "")  # in half pixels first
    for role, ours, theirs in shared:
        expected, seen = _block_means(ours, blocks, role), _block_means(theirs, mirrored, role)
        offsets = np.abs(_difference(seen, expected, role))
        if np.isfinite(offsets).any():
            offset, half_pixel = float(np.nanmax(offsets)), _half_pixel(expected, places, role)
            share = offset / half_pixel if half_pixel else np.inf if offset else 0.0
            worst = max(worst, (share, offset, half_pixel, role))
    return worst[1:]


def _block_means(coord: xr.DataArray, blocks: Sequence[np.ndarray], role: str) -> NDArray[np.float64]:
    """Return a coordinate's means (rows, columns) over blocks of pixels (places, pixels) along y and along x.

    An axis that the coordinate does not lie along has length 1.
    """
    values = np.asarray(coord.transpose(..., "y", "x", missing_dims="ignore").values, np.float64)
    rows, columns = blocks
    if coord.ndim == 2:
        parts = values[rows[:, None, :, None], columns[None, :, None, :]]
        parts = parts.reshape(*parts.shape[:2], -1)
    else:
        parts = values[rows][:, None] if coord.dims == ("y",) else values[columns][None]
    # Relative to one pixel, so that a block across the date line has its mean there.
    return parts[..., 0] + _difference(parts, parts[..., :1], role).mean(axis=-1)


def _difference(first: np.ndarray, second: np.ndarray, role: str) -> NDArray[np.float64]:
    return turn_difference(first, second) if role == "longitude" else first - second


def _half_pixel(expected: NDArray[np.float64], places: Sequence[Numbers], role: str) -> float:
    """Return half of the larger of a coordinate's median steps along y and along x."""
    steps = []
    for axis, place in enumerate(places):
        if expected.shape[axis] > 1:
            along = np.moveaxis(expected, axis, 0)
            change = np.abs(_difference(along[1:], along[:-1], role)) / np.diff(place)[:, None]
            if np.isfinite(change).any():
                steps.append(float(np.nanmedian(change)))
    return 0.5 * max(steps, default=np.inf)
