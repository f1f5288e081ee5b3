"""Store kelvins rounded, so that they compress, packed in 16 bits, or exactly."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tempogan_eddy.errors import InputError
from tempogan_eddy.kelvin import VALID_KELVIN

__all__ = ["PRECISIONS", "STATED", "Precision", "precision_of"]

QUANTUM = 2.0**-10  # multiples of it are float32 values whose last bits are zero
PACKED_QUANTUM, PACKED_OFFSET, PACKED_MISSING = 0.01, 250.0, -32768

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
            rounded = np.rint(frame * np.float32(1 / QUANTUM)) * np.float32(QUANTUM)
            return np.where((rounded == limit) & (frame < limit), frame, rounded)
        steps = np.rint((frame.astype(np.float64) - PACKED_OFFSET) / PACKED_QUANTUM)
        if (np.abs(steps) > 32767).any():
            low, high = (PACKED_OFFSET + sign * 32767 * PACKED_QUANTUM for sign in (-1, 1))
            extremes = f"{np.nanmin(frame):.1f} to {np.nanmax(frame):.1f} K"
            raise InputError(f"A frame has {extremes}; packed values hold {low:g} to {high:g} K: leave out --packed.")
        last = round((limit - PACKED_OFFSET) / PACKED_QUANTUM) - 1
        steps = np.where(frame < limit, np.minimum(steps, last), steps)
        return np.where(np.isnan(steps), PACKED_MISSING, steps).astype(np.int16)


_NAN = {"_FillValue": np.float32(np.nan)}
_PACKED = {"dtype": "int16", "scale_factor": PACKED_QUANTUM, "add_offset": PACKED_OFFSET}
_ROUNDED = {"value_rounding": "to multiples of 2**-10 K (error at most 0.0005 K)", "least_significant_digit": 3}

PRECISIONS = {
    "rounded": Precision("rounded", _ROUNDED, _NAN),
    "packed": Precision(
        "packed",
        {"value_rounding": "packed in 16 bits (error at most 0.005 K)"},
        _PACKED | {"_FillValue": np.int16(PACKED_MISSING)},
    ),
    "exact": Precision("exact", {"value_rounding": "none"}, _NAN),
}


def precision_of(name: str) -> Precision:
    """Return the precision of this name; raise `InputError` if there is none."""
    if name not in PRECISIONS:
        raise InputError(f"Unknown precision {name!r}; use one of {', '.join(PRECISIONS)}.")
    return PRECISIONS[name]
