"""Sequences as panels of one animation: the same times, the same size, the same part of the frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.frames import FrameReader

__all__ = ["Panel", "Panels", "best_track_notes", "match_panels", "resample"]

Frame = NDArray[np.floating]

SPARE = 8  # trailing rows or columns that a truth may have beside its reconstruction, which fills whole coarse pixels


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
    """Put sequences side by side at the times that all of them have.

    Parameters
    ----------
    sequences : sequence of DataArray (time, y, x)
        Kelvin. Coarser ones cover the same area with a whole number of times fewer pixels; finer ones may have
        a few trailing rows and columns that fill no coarse pixel.
    labels : sequence of str
        One for each.
    every : int
        Take each n-th of the common times only.

    Raises
    ------
    InputError
        If no time is common or the sizes do not belong together.
    """
    times = reduce(np.intersect1d, (da["time"].values for da in sequences))
    if not times.size:
        spans = "; ".join(f"{label} {_span(da)}" for label, da in zip(labels, sequences, strict=True))
        raise InputError(f"The sequences have no time in common ({spans}); animate the same storm and hours.")
    times = times[::every]
    finest = max((da.shape[1:] for da in sequences), key=max)
    factors = [_factor(da.shape[1:], finest, label) for da, label in zip(sequences, labels, strict=True)]
    height, width = (
        min(da.shape[axis] * factor for da, factor in zip(sequences, factors, strict=True)) for axis in (1, 2)
    )
    panels = [Panel(label, _reader(da, times)) for label, da in zip(labels, sequences, strict=True)]
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
    """How many times finer the finest grid is; it may have a few rows and columns more than so many."""
    factors = [max(1, fine // side) for fine, side in zip(finest, shape, strict=True)]
    spare = [fine - side * factors[0] for fine, side in zip(finest, shape, strict=True)]
    if factors[0] != factors[1] or max(spare) >= max(SPARE, factors[0]) or min(spare) < 0:
        raise InputError(
            f"{label} has {shape[0]}x{shape[1]} pixels, which do not cover the same area as the "
            f"{finest[0]}x{finest[1]} of the finest input; animate sequences of one grid and its coarser versions."
        )
    return factors[0]


def _reader(da: xr.DataArray, times: NDArray[np.datetime64]) -> Callable[[int], Frame]:
    own, first = np.unique(da["time"].values, return_index=True)
    numbers = first[np.searchsorted(own, times)]
    reader = FrameReader(da)
    return lambda number: reader.frame(int(numbers[number]))


def best_track_notes(sequences: Sequence[xr.DataArray], times: NDArray[np.datetime64]) -> list[str]:
    """The central pressure at every time, where a best track tells it."""
    for da in sequences:
        if "pressure" in da.coords and da["pressure"].dims == ("time",):
            known = dict(zip(da["time"].values, da["pressure"].values.astype(float), strict=True))
            return [f"{known[time]:.0f} hPa" if known[time] > 800 else "" for time in times]
    return []


def _span(da: xr.DataArray) -> str:
    first, last = (np.datetime_as_string(da["time"].values[i], unit="m") for i in (0, -1))
    return f"{first} to {last}"
