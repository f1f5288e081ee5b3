"""Sequences as panels of one animation: the same times, the same size, the same part of the frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.align import align_grid, match_times, pair_times, refinement, tolerance_between
from tempogan_eddy.io.frames import FrameReader

__all__ = ["Panel", "Panels", "best_track_notes", "match_panels", "resample"]

Frame = NDArray[np.floating]


@dataclass(frozen=True)
class Panel:
    """What one panel shows: `frame(number)` is the kelvins (h, w) of one of the common times."""

    label: str
    frame: Callable[[int], Frame]


@dataclass(frozen=True)
class Panels:
    """Panels with the times and the size that they share.

    Attributes
    ----------
    panels : sequence of Panel
    times : (T,) datetime64
    size : (height, width)
        Of the finest panel, pixels; the frames of coarser ones are a whole number of times smaller.
    title : str
        What is seen, a storm say.
    notes : sequence of str
        A few words to every time; may be empty.
    """

    panels: Sequence[Panel]
    times: NDArray[np.datetime64]
    size: tuple[int, int]
    title: str = ""
    notes: Sequence[str] = ()


def match_panels(sequences: Sequence[xr.DataArray], labels: Sequence[str], every: int = 1) -> Panels:
    """Put sequences side by side at the times and places that all of them have, as `io.align` matches them.

    Parameters
    ----------
    sequences : sequence of DataArray (time, y, x)
        Kelvin. Coarser ones cover the same area with a whole number of times fewer pixels; finer ones may have
        a few spare rows and columns that fill no coarse pixel. The first one's times count.
    labels : sequence of str
        One for each.
    every : int
        Take each n-th of the common times only.

    Raises
    ------
    InputError
        If no time is common or the grids do not belong together.
    """
    numbers = [chosen[::every] for chosen in match_times([da["time"].values for da in sequences], labels)]
    times = sequences[0]["time"].values[numbers[0]]
    finest = max(range(len(sequences)), key=lambda place: sequences[place].shape[1:])
    factors = [
        _factor(da.shape[1:], sequences[finest].shape[1:], label) for da, label in zip(sequences, labels, strict=True)
    ]
    placed = list(sequences)
    for place, factor in enumerate(factors):
        if place != finest:
            names = (labels[finest], labels[place])
            placed[finest], placed[place] = align_grid(placed[finest], sequences[place], factor, names)
    height, width = (
        min(da.shape[axis] * factor for da, factor in zip(placed, factors, strict=True)) for axis in (1, 2)
    )
    panels = [Panel(label, _reader(da, chosen)) for label, da, chosen in zip(labels, placed, numbers, strict=True)]
    title = next((str(da.attrs["sequence"]) for da in sequences if "sequence" in da.attrs), "")
    return Panels(panels, times, (height, width), title, best_track_notes(sequences, times))


def resample(frame: Frame, size: tuple[int, int], window: tuple[int, int, int, int], shown: tuple[int, int]) -> Frame:
    """Bring a window of a frame to the pixels in which it is shown.

    Enlarging repeats pixels, so that everybody sees how coarse they are; reducing takes the mean of the kelvins of the
    valid pixels, never of colours.

    Parameters
    ----------
    frame : (h, w) array
        Kelvin.
    size : (height, width)
        Of the finest frame.
    window : (top, left, height, width)
        In pixels of the finest frame.
    shown : (rows, columns)
        Of the result.
    """
    factor = size[0] // frame.shape[0] or 1
    rows, columns = (
        np.arange(start, start + length) // factor for start, length in zip(window[:2], window[2:], strict=True)
    )
    fine = frame[np.ix_(rows, columns)].astype(np.float64)
    valid = np.isfinite(fine)
    bands = [_bands(length, parts) for length, parts in zip(window[2:], shown, strict=True)]
    total, count = _sums(np.where(valid, fine, 0.0), *bands), _sums(valid.astype(np.float64), *bands)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _sums(values: Frame, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Frame:
    return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)


def _bands(length: int, parts: int) -> NDArray[np.intp]:
    """Where each of so many equal parts of a stretch begins; a part shorter than a pixel is that pixel."""
    return (np.arange(parts) * length) // parts


def _factor(shape: tuple[int, ...], finest: tuple[int, ...], label: str) -> int:
    factor = refinement(finest, shape)
    if factor is None:
        raise InputError(
            f"{label} has {shape[0]}x{shape[1]} pixels, which do not cover the same area as the "
            f"{finest[0]}x{finest[1]} of the finest input; animate sequences of one grid and its coarser versions."
        )
    return factor


def _reader(da: xr.DataArray, numbers: NDArray[np.intp]) -> Callable[[int], Frame]:
    reader = FrameReader(da)
    return lambda number: reader.frame(int(numbers[number]))


def best_track_notes(sequences: Sequence[xr.DataArray], times: NDArray[np.datetime64]) -> list[str]:
    """The central pressure at every time, where a best track tells it."""
    for da in sequences:
        if "pressure" in da.coords and da["pressure"].dims == ("time",):
            own, notes = da["time"].values, [""] * len(times)
            for number, place in zip(*pair_times(times, own, tolerance_between([times, own])), strict=True):
                pressure = float(da["pressure"].values[place])
                notes[number] = f"{pressure:.0f} hPa" if pressure > 800 else ""
            return notes
    return []
