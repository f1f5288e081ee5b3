"""Which storms the quality benchmark scores, and which of their hours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence

__all__ = ["CREDIT", "STORMS", "Centre", "Storm", "coldest_run", "open_storm", "sequence_of"]

CREDIT = (
    "Digital Typhoon, Asanobu Kitamoto, NII, CC BY 4.0, doi:10.20783/DIAS.664. "
    "Merged IR: NOAA NCEP/CPC, NASA GES DISC (GPM_MERGIR)."
)

HOUR = np.timedelta64(1, "h")
COLD_KELVIN = 225.0  # of the cloud by which the hours are chosen


@dataclass(frozen=True)
class Centre:
    """The frame through whose centre a profile is drawn.

    Parameters
    ----------
    time
        Of the frame.
    what
        What lies there, for the figure's title.
    eye
        Whether to look for the eye, the warmest spot near the middle of the frame; otherwise the middle counts.
    """

    time: str
    what: str
    eye: bool = False


@dataclass(frozen=True)
class Storm:
    """A sequence of true frames that no released model was trained on.

    Parameters
    ----------
    name, title
        In files and in tables.
    path
        Below the folder of data.
    since
        The first hour that may be scored; all if None.
    seen
        What the released models saw of it.
    pixel_km
        Side of a pixel.
    centre
        Where a profile is drawn, in a sequence that follows its storm.
    """

    name: str
    title: str
    path: str
    since: str | None
    seen: str
    pixel_km: float
    centre: Centre | None = None


STORMS = (
    Storm(
        "200717",
        "Typhoon 200717, MTSAT-1R",
        "digital-typhoon/WP/image/200717",
        "2007-10-07T12:00",
        "validation: earlier hours were trained on, and these chose the epoch of faithful and the default of eddy",
        5.0,
        Centre("2007-10-05T20:00", "eye, an hour that was trained on", eye=True),
    ),
    Storm(
        "198702",
        "Typhoon 198702, GMS-3",
        "digital-typhoon/WP/image/198702",
        "1987-04-14T00:00",
        "a former test: not used in training or validation, but looked at when the spectral loss was chosen; earlier "
        "hours of this storm were trained on",
        5.0,
        Centre("1987-04-14T06:00", "cold overcast, not trained on"),
    ),
    Storm(
        "merged-ir-2001",
        "Merged infrared 2001, Americas",
        "merged-ir/merg_20011230-31_hourly.nc",
        None,
        "validation: these hours chose the epoch of faithful and the default of eddy; other satellites in 2019 were "
        "trained on",
        4.0,
    ),
    Storm(
        "merged-ir-2016-atlantic",
        "Merged infrared 2016, Atlantic",
        "merged-ir/merg_20160801-04_atlantic_30min.nc",
        "2016-08-04T06:00",
        "the hours before 08-04; the epochs were chosen on these",
        4.0,
    ),
    Storm(
        "merged-ir-2016-africa",
        "Merged infrared 2016, central Africa",
        "merged-ir/merg_20160801-04_central-africa_30min.nc",
        "2016-08-04T06:00",
        "the hours before 08-04; the epochs were chosen on these",
        4.0,
    ),
)


def open_storm(storm: Storm, data: Path, frames: int | None, step: np.timedelta64 = HOUR) -> xr.DataArray:
    """Read the frames of a storm to score into memory: its full hours, or those of another step.

    Parameters
    ----------
    frames
        How many consecutive frames, those with most cold cloud; all if None.
    step
        Keep the frames whose times are multiples of it.

    Returns
    -------
    DataArray (time, y, x)
        Kelvin.
    """
    sequence = sequence_of(storm, data)
    sequence = sequence.sel(time=slice(storm.since, None))
    minutes = step // np.timedelta64(1, "m")
    sequence = sequence.sel(time=sequence["time"].dt.minute % minutes == 0).load()
    return sequence if frames is None else sequence[coldest_run(sequence, frames, step)]


def sequence_of(storm: Storm, data: Path) -> xr.DataArray:
    """A storm's whole sequence, lazily."""
    if not (data / storm.path).exists():
        raise InputError(
            f"{data} holds no {storm.path}: name the folder of real frames by TEMPOGAN_EDDY_DATA or --data; "
            "docs/quality.md says where they come from."
        )
    return open_sequence(data / storm.path)


def coldest_run(sequence: xr.DataArray, frames: int, step: np.timedelta64 = HOUR) -> slice:
    """Which consecutive frames, each one step after the last, hold most cloud colder than 225 K.

    The longest run there is, where none has so many frames; of equal runs the first.
    """
    cold = (sequence < COLD_KELVIN).sum(("y", "x")).values
    breaks = np.flatnonzero(np.diff(sequence["time"].values) != step) + 1
    edges = [0, *breaks.tolist(), len(cold)]
    runs = list(pairwise(edges))
    length = min(frames, max(end - begin for begin, end in runs))
    starts = [start for begin, end in runs for start in range(begin, end - length + 1)]
    first = max(starts, key=lambda start: cold[start : start + length].sum())
    return slice(first, first + length)
