"""Windows: where three frames stand exactly one cadence apart, in one storm, from one sensor."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from tempogan_eddy.errors import InputError

__all__ = ["find_windows", "linked_frames", "parse_cadence"]


def parse_cadence(cadence: str) -> np.timedelta64:
    """Read a cadence such as ``1h`` or ``30min``.

    Raises
    ------
    InputError
        It is not a positive time span.
    """
    try:
        step = pd.Timedelta(cadence)
    except ValueError:
        step = pd.Timedelta(0)
    if not step > pd.Timedelta(0):
        raise InputError(f"The cadence '{cadence}' is not a time span; write it like 1h, 30min or 10min.")
    return step.to_timedelta64().astype("timedelta64[ns]")


def linked_frames(sequence: xr.DataArray, cadence: str) -> np.ndarray:
    """Which frames are followed by the next of the same sensor, exactly one cadence later.

    Gaps, duplicates and changes of satellite break the link; nothing is interpolated.

    Parameters
    ----------
    sequence
        With a ``time`` coordinate and perhaps ``satellite``.

    Returns
    -------
    ndarray of bool
        (T - 1,): whether frame i and frame i + 1 belong together.
    """
    times = sequence["time"].values.astype("datetime64[ns]")
    linked = np.diff(times) == parse_cadence(cadence)
    if "satellite" in sequence.coords:
        satellite = np.broadcast_to(sequence["satellite"].values.astype(str), times.shape)
        linked &= satellite[1:] == satellite[:-1]
    return linked


def find_windows(linked: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Middle frames of all three-frame windows.

    Parameters
    ----------
    linked
        (T - 1,) as `linked_frames` gives.
    allowed
        (T,) of bool: the frames that may be used.

    Returns
    -------
    ndarray of int
        Indices t such that t-1, t and t+1 are linked and allowed.
    """
    inside = linked[:-1] & linked[1:] & allowed[:-2] & allowed[1:-1] & allowed[2:]
    return np.flatnonzero(inside) + 1
