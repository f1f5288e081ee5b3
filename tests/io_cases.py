"""Frames as writers get them, for tests of what is read."""

import numpy as np
import xarray as xr

from tempogan_eddy.io.pipeline import write_frames


def all_frames(sequence: xr.DataArray) -> list[np.ndarray]:
    """The frames of a sequence in order."""
    frames: list[np.ndarray] = []
    write_frames(sequence, lambda number, frame: frames.insert(number, frame), lambda done: None)
    return frames
