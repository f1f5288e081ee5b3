"""Sequences side by side: the same times, the same size, the same part of the frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.align import align_grids, match_times, pair_times, tolerance_between
from tempogan_eddy.io.frames import FrameReader
from tempogan_eddy.io.member import member_names, select_member

__all__ = ["Film", "FilmPanel", "best_track_notes", "film_of", "resample"]

Kelvins = NDArray[np.floating]


@dataclass(frozen=True)
class FilmPanel:
    """One panel of a film: `frame(number)` returns the kelvins (h, w) at one of the common times."""

    label: str
    frame: Callable[[int], Kelvins]


@dataclass(frozen=True)
class Film:
    """Panels with their common times and size."""

    panels: Sequence[FilmPanel]
    times: NDArray[np.datetime64]
    size: tuple[int, int]  # (height, width) of the finest panel; coarser ones are a whole number of times smaller
    title: str = ""  # such as the name of the storm
    notes: Sequence[str] = ()  # a short text for every time; may be empty


def film_of(
    sequences: Sequence[xr.DataArray], labels: Sequence[str], every: int = 1, member: str | None = None
) -> Film:
    """Put sequences side by side at their common times, which are those of the first, and on their common grid.

    Sequences ([member, ]time, y, x) are in kelvin. Coarser ones cover the same area with a whole number of times fewer
    pixels; finer ones may have a few spare rows and columns that fill no coarse pixel. Give one label for each; take
    only each n-th common time; show this member of ensembles, else the first.

    Raise `InputError` if no time is common, the grids do not belong together, or there is no such member.
    """
    if member is not None and not any(map(member_names, sequences)):
        raise InputError(f"No input has members, so there is no member {member!r}; leave it out (--member).")
    sequences = [select_member(da, member) for da in sequences]
    numbers = [chosen[::every] for chosen in match_times([da["time"].values for da in sequences], labels)]
    times = sequences[0]["time"].values[numbers[0]]
    aligned, factors = align_grids(sequences, labels)
    height, width = (
        min(da.shape[axis] * factor for da, factor in zip(aligned, factors, strict=True)) for axis in (1, 2)
    )
    panels = [FilmPanel(label, _reader(da, chosen)) for label, da, chosen in zip(labels, aligned, numbers, strict=True)]
    title = next((str(da.attrs["sequence"]) for da in sequences if "sequence" in da.attrs), "")
    return Film(panels, times, (height, width), title, best_track_notes(sequences, times))


def resample(
    frame: Kelvins, size: tuple[int, int], window: tuple[int, int, int, int], shown: tuple[int, int]
) -> Kelvins:
    """Resample a window of a frame to the pixels of a picture.

    To enlarge, repeat pixels, which shows how coarse they are; to reduce, average the kelvins of valid pixels. `size`
    and `window` (top, left, height, width) are in pixels of the finest frame; `shown` is the size of the result.
    """
    factor = size[0] // frame.shape[0] or 1
    rows, columns = (
        np.arange(start, start + length) // factor for start, length in zip(window[:2], window[2:], strict=True)
    )
    fine = frame[np.ix_(rows, columns)].astype(np.float64)
    valid = np.isfinite(fine)
    # First pixel of each band that becomes a pixel; a band shorter than a pixel is that pixel.
    bands = [np.arange(parts) * length // parts for length, parts in zip(window[2:], shown, strict=True)]
    total, count = (
        np.add.reduceat(np.add.reduceat(values, bands[0], axis=0), bands[1], axis=1)
        for values in (np.where(valid, fine, 0.0), valid.astype(np.float64))
    )
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _reader(da: xr.DataArray, numbers: NDArray[np.intp]) -> Callable[[int], Kelvins]:
    reader = FrameReader(da)
    return lambda number: reader.frame(int(numbers[number]))


def best_track_notes(sequences: Sequence[xr.DataArray], times: NDArray[np.datetime64]) -> list[str]:
    """Return the central pressure at every time, from the first sequence that has a best track."""
    for da in sequences:
        if "pressure" in da.coords and da["pressure"].dims == ("time",):
            own, notes = da["time"].values, [""] * len(times)
            for number, place in zip(*pair_times(times, own, tolerance_between([times, own])), strict=True):
                pressure = float(da["pressure"].values[place])
                notes[number] = f"{pressure:.0f} hPa" if pressure > 800 else ""
            return notes
    return []
