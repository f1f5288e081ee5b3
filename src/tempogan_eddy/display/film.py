"""Sequences side by side: the same times, the same size, the same part of the frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.display.closeups import best_square
from tempogan_eddy.display.members import Members
from tempogan_eddy.display.palettes import SPREAD, Palette
from tempogan_eddy.display.places import Places, places_of
from tempogan_eddy.display.upright import common_size, turn_of
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.align import align_grids, match_times, pair_times, tolerance_between
from tempogan_eddy.io.frames import FrameReader
from tempogan_eddy.io.member import member_names, members_of, select_member
from tempogan_eddy.spread import spread_evenly

__all__ = ["SPREAD_LABEL", "Film", "FilmPanel", "best_track_notes", "busiest_window", "film_of", "resample"]

Kelvins = NDArray[np.floating]

WARM = 273.0  # kelvin; colder is cloud
SPREAD_LABEL = f"spread, 0 to {SPREAD.limits[1]:.0f} K"


@dataclass(frozen=True)
class FilmPanel:
    """One panel of a film: `frame(number)` returns the kelvins (h, w) at one of the common times."""

    label: str
    frame: Callable[[int], Kelvins]
    palette: Palette | None = None  # if it is not that of the film


@dataclass(frozen=True)
class Film:
    """Panels with their common times and size."""

    panels: Sequence[FilmPanel]
    times: NDArray[np.datetime64]
    size: tuple[int, int]  # (height, width) of the finest panel; coarser ones are a whole number of times smaller
    title: str = ""  # such as the name of the storm
    notes: Sequence[str] = ()  # a short text for every time; may be empty
    places: Places | None = None  # of its times; the map is drawn where they are known


def film_of(
    sequences: Sequence[xr.DataArray], labels: Sequence[str], every: int = 1, members: Sequence[str] = ()
) -> Film:
    """Put sequences side by side at the times of the first that all have, and on their common grid, north up.

    Sequences ([member, ]time, y, x) are in kelvin. Coarser ones cover the same area with a whole number of times fewer
    pixels; finer ones may have a few spare rows and columns that fill no lowres pixel. Give one label for each; take
    only each n-th common time. Of ensembles it shows these members, a panel each, else the first one; ``mean`` and
    ``spread`` are those of all members.

    Raise `InputError` if no time is common, the grids do not belong together, or there is no such member.
    """
    if members and not any(map(member_names, sequences)):
        raise InputError(f"No input has members, so there is no member {members[0]!r}; leave it out (--members).")
    numbers = [chosen[::every] for chosen in match_times([da["time"].values for da in sequences], labels)]
    times = sequences[0]["time"].values[numbers[0]]
    aligned, factors = align_grids(sequences, labels)
    height, width = common_size([da.shape for da in aligned], factors)
    turn = turn_of(*aligned)
    aligned = [
        da[..., : height // factor, : width // factor][(..., *turn)]
        for da, factor in zip(aligned, factors, strict=True)
    ]
    panels = [
        panel
        for label, da, chosen in zip(labels, aligned, numbers, strict=True)
        for panel in _panels(label, da, chosen, members)
    ]
    title = next((str(da.attrs["sequence"]) for da in sequences if "sequence" in da.attrs), "")
    finest = (
        places_of(da.isel(time=chosen), (da.sizes["y"], da.sizes["x"]))
        for da, factor, chosen in zip(aligned, factors, numbers, strict=True)
        if factor == 1
    )
    places = next(filter(None, finest), None)
    return Film(panels, times, (height, width), title, best_track_notes(sequences, times), places)


def busiest_window(film: Film, side: int, samples: int = 6) -> tuple[int, int, int, int]:
    """Return top, left, height and width of the square, at most so wide, with the coldest and most changing pixels.

    It looks at a few frames of the finest panel.
    """
    finest = next(panel for panel in film.panels if panel.frame(0).shape[0] >= film.size[0] and panel.palette is None)
    height, width = film.size
    times = spread_evenly(len(film.times), samples)
    frames = np.stack([finest.frame(time)[:height, :width] for time in times]).astype(np.float64)
    frames = np.where(np.isfinite(frames), frames, WARM)
    cold, change = np.maximum(WARM - frames, 0).mean(axis=0), frames.std(axis=0)
    value = cold / max(cold.mean(), 1e-6) + change / max(change.mean(), 1e-6)
    side = min(side, height, width)
    return *best_square(value, side, 1), side, side


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


def _panels(label: str, da: xr.DataArray, numbers: NDArray[np.intp], wanted: Sequence[str]) -> list[FilmPanel]:
    """Return the panels of one sequence."""
    if not wanted or not member_names(da):
        return [FilmPanel(label, _reader(select_member(da), numbers))]
    together = Members(members_of(da))
    special = {
        "mean": FilmPanel("mean", lambda number: together.mean(int(numbers[number]))),
        "spread": FilmPanel(SPREAD_LABEL, lambda number: together.spread(int(numbers[number])), SPREAD),
    }
    return [
        special.get(name) or FilmPanel(f"member {name}", _reader(select_member(da, name), numbers)) for name in wanted
    ]


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
