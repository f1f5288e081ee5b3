"""Pictures have north up and east right, in whatever order a file has its rows and columns."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from tempogan_eddy.io.grids.axes import frame_of_moving, role_of, spatial_coordinate
from tempogan_eddy.io.values.units import text_of

__all__ = ["STORED", "Turn", "common_size", "turn_of"]

Turn = tuple[slice, slice]
"""Slices of rows and columns: a picture of a frame is ``frame[..., *turn]``."""

STORED: Turn = (slice(None), slice(None))


def turn_of(*sequences: xr.DataArray) -> Turn:
    """Return what puts north up and east right, by the first sequence whose coordinates tell; else as stored."""
    northward = next(filter(None, (_change(da, "y", "latitude") for da in sequences)), -1.0) > 0
    westward = next(filter(None, (_change(da, "x", "longitude") for da in sequences)), 1.0) < 0
    return slice(None, None, -1 if northward else None), slice(None, None, -1 if westward else None)


def common_size(shapes: Sequence[Sequence[int]], factors: Sequence[int]) -> tuple[int, int]:
    """Return height and width, in pixels of the finest grid, that every grid fills with whole pixels.

    `shapes` end with rows and columns; a grid is so many times coarser than the finest as its factor says.
    """
    most = max(factors)
    least = (min(shape[axis] * factor for shape, factor in zip(shapes, factors, strict=True)) for axis in (-2, -1))
    height, width = (side // most * most for side in least)
    return height, width


def _change(sequence: xr.DataArray, dim: str, role: str) -> float:
    """Return how a place on the Earth, or in a projection, changes along a dimension; 0 if it is not known."""
    sequence = frame_of_moving(sequence)
    coordinate = spatial_coordinate(sequence, role)
    if coordinate is None or dim not in coordinate.dims:
        coordinate = spatial_coordinate(sequence, dim)
        if coordinate is None or not text_of(coordinate.attrs.get("standard_name", "")).startswith("projection_"):
            return 0.0  # it may count pixels
    values = coordinate.isel({other: size // 2 for other, size in coordinate.sizes.items() if other != dim}).values
    known = values[np.isfinite(values)].astype(np.float64)
    known = np.unwrap(known, period=360) if role_of(coordinate.name, coordinate.attrs) == "longitude" else known
    return float(known[-1] - known[0]) if known.size else 0.0
