"""Store kelvins rounded, so that they compress, packed in 16 bits, or exactly."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = [
    "PACKED_LARGEST",
    "PACKED_LAST",
    "PACKED_MISSING",
    "PACKED_OFFSET",
    "PACKED_QUANTUM",
    "PACKING",
    "PRECISIONS",
    "STATED",
    "Precision",
    "is_packed",
    "precision_of",
    "unpacked",
]

QUANTUM = 2.0**-10  # multiples of it are float32 values whose last bits are zero
PACKED_QUANTUM, PACKED_OFFSET, PACKED_MISSING = 0.01, 250.0, -32768
PACKED_LARGEST = (
    32767  # the last step; in numbers that came packed, it marks kelvins beyond it, and so does its negative
)
PACKED_LAST = round((VALID_KELVIN[1] - PACKED_OFFSET) / PACKED_QUANTUM) - 1  # no valid kelvin is rounded up to 330 K
PACKING = {
    "scale_factor": PACKED_QUANTUM,
    "add_offset": PACKED_OFFSET,
    "_FillValue": np.int16(PACKED_MISSING),
}
"""The attributes that CF gives to packed numbers."""

STATED = ("value_rounding", "least_significant_digit")  # those of an input are not true of the output


@dataclass(frozen=True)
class Precision:
    """One way to store kelvins: its attributes in the file, and the encoding of the variable for xarray."""

    name: str
    attrs: dict[str, Any]
    encoding: dict[str, Any]

    def stored(self, frame: np.ndarray) -> np.ndarray:
        """Return the stored values of a frame of float32 kelvin; raise `InputError` if 16 bits cannot hold one."""
        if self.name == "exact":
            return frame
        limit = VALID_KELVIN[1]  # reads as missing, so never round a valid value up to it
        if self.name == "rounded":
            rounded = frame * np.float32(1 / QUANTUM)
            np.rint(rounded, out=rounded)
            rounded *= np.float32(QUANTUM)
            return np.where((rounded == limit) & (frame < limit), frame, rounded)
        if frame.dtype == np.int16:
            if (np.abs(frame) == PACKED_LARGEST).any():
                raise InputError(f"A frame has kelvins beyond {_PACKED_KELVIN}, which packed values hold: {_UNPACK}.")
            return frame
        steps = np.rint((frame.astype(np.float64) - PACKED_OFFSET) / PACKED_QUANTUM)
        if (np.abs(steps) > PACKED_LARGEST).any():
            extremes = f"{np.nanmin(frame):.1f} to {np.nanmax(frame):.1f} K"
            raise InputError(f"A frame has {extremes}; packed values hold {_PACKED_KELVIN}: {_UNPACK}.")
        steps = np.where(frame < limit, np.minimum(steps, PACKED_LAST), steps)
        return np.where(np.isnan(steps), PACKED_MISSING, steps).astype(np.int16)


def is_packed(da: xr.DataArray) -> bool:
    """Return whether an array holds kelvins as packed files do."""
    return da.dtype == np.int16 and all(da.attrs.get(name) == value for name, value in PACKING.items())


def unpacked(block: np.ndarray) -> np.ndarray:
    """Return packed numbers as float32 kelvin, NaN where missing."""
    kelvin = block * PACKED_QUANTUM + PACKED_OFFSET
    return np.where(block == PACKED_MISSING, np.nan, kelvin).astype(np.float32)


_PACKED_KELVIN = "{:g} to {:g} K".format(*(PACKED_OFFSET + sign * PACKED_LARGEST * PACKED_QUANTUM for sign in (-1, 1)))
_UNPACK = "leave out --packed"
_NAN = {"_FillValue": np.float32(np.nan)}
_ROUNDED = {"value_rounding": "to multiples of 2**-10 K (error at most 0.0005 K)", "least_significant_digit": 3}

PRECISIONS = {
    "rounded": Precision("rounded", _ROUNDED, _NAN),
    "packed": Precision(
        "packed",
        {"value_rounding": "packed in 16 bits (error at most 0.005 K)"},
        PACKING | {"dtype": "int16"},
    ),
    "exact": Precision("exact", {"value_rounding": "none"}, _NAN),
}


def precision_of(name: str) -> Precision:
    """Return the precision of this name; raise `InputError` if there is none."""
    if name not in PRECISIONS:
        raise InputError(f"Unknown precision {name!r}; use one of {', '.join(PRECISIONS)}.")
    return PRECISIONS[name]
