"""Bands of rows, in which large frames are written."""

import xarray as xr

__all__ = ["PIXELS_OF_BAND", "bands_of"]

PIXELS_OF_BAND = 1 << 24
"""Of a band, about; a frame of at most these is one band. A core reconstructs them in about four seconds."""


def bands_of(da: xr.DataArray) -> int:
    """Return the rows of a band: those of some chunks if the sequence is lazy and large, else all."""
    height, width = da.shape[-2:]
    first, *others = da.chunks[-2] if da.chunks else (height,)
    regular = all(rows == first for rows in others[:-1]) and all(rows <= first for rows in others[-1:])
    if height * width <= PIXELS_OF_BAND or not regular:
        return height
    return min(height, first * max(1, PIXELS_OF_BAND // (first * width)))
