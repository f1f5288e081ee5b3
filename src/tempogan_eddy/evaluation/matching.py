"""Which frames of the truth, the reconstructions and their input belong together, and on which grid."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.baselines import area_mean
from tempogan_eddy.io.frames import FrameReader

__all__ = ["LOWRES", "TRUTH", "Match", "match"]

TRUTH, LOWRES = "truth", "lowres"

Frame = NDArray[np.float32]


@dataclass(frozen=True)
class Match:
    """Sequences on a common time axis and a common fine grid.

    Attributes
    ----------
    truth : DataArray (time, y, x)
        The common frames, trimmed to the reconstructions' grid.
    scale : int
        Refinement of the grid.
    left_out : dict
        Frames without a partner, by sequence: truth, each reconstruction and, where given, lowres.
    readers : dict of FrameReader
        Of each sequence, all frames: the chunks of a selection may cut through those that are computed in one.
    numbers : dict of arrays of int
        Which frames of each sequence are the common ones.
    """

    truth: xr.DataArray
    scale: int
    left_out: dict[str, int]
    readers: dict[str, FrameReader]
    numbers: dict[str, NDArray[np.intp]]

    @property
    def times(self) -> NDArray[np.datetime64]:
        """The common times."""
        return self.truth["time"].values

    def load(self, index: int) -> tuple[Frame, dict[str, Frame], Frame]:
        """Read the truth, each reconstruction and the low-resolution frame at one time, float32 kelvin.

        Without a low-resolution sequence, its frame is the area mean of the truth.
        """
        frames = {
            name: np.asarray(reader.frame(self.numbers[name][index]), np.float32)
            for name, reader in self.readers.items()
        }
        truth = frames.pop(TRUTH)
        lowres = frames.pop(LOWRES) if LOWRES in frames else area_mean(truth, self.scale)
        return truth, frames, lowres


def match(
    truth: xr.DataArray,
    reconstructed: Mapping[str, xr.DataArray],
    lowres: xr.DataArray | None = None,
    scale: int | None = None,
) -> Match:
    """Match sequences by time and check that their grids are the same.

    Parameters
    ----------
    truth : DataArray (time, y, x)
        May have trailing rows and columns, fewer than `scale`, that filled no block of the coarse grid.
    reconstructed : mapping of DataArray (time, y, x)
        By name, all on one grid.
    lowres : DataArray (time, y, x), optional
        What all of them were reconstructed from.
    scale : int, optional
        Default: from the shapes of `lowres` and the reconstructions, else from the `scale` in their attributes.

    Raises
    ------
    InputError
        If no time is common, the scale is unknown, or shapes or coordinates disagree.
    """
    height, width = _grid(reconstructed)
    scale = _scale(reconstructed.values(), (height, width), lowres, scale)
    fine = truth.shape[1:]
    spare = [theirs - ours for theirs, ours in zip(fine, (height, width), strict=True)]
    if min(spare) < 0 or max(spare) >= scale:
        raise InputError(
            f"The reconstruction has {height}x{width} pixels and the truth {fine[0]}x{fine[1]}; "
            f"evaluate it against the truth of the same storm on the {scale} times refined grid."
        )
    truth = truth.isel(y=slice(height), x=slice(width))
    grid = _coordinates(truth)
    for da in reconstructed.values():
        _check_coordinates(grid, _coordinates(da), "The reconstruction")
    sequences = {TRUTH: truth, **reconstructed}
    if lowres is not None:
        _check_coordinates(_coordinates(truth, scale), _coordinates(lowres), "The low-resolution input")
        sequences[LOWRES] = lowres
    numbers = _common_times(sequences)
    left_out = {name: da.sizes["time"] - len(numbers[name]) for name, da in sequences.items()}
    readers = {name: FrameReader(da) for name, da in sequences.items()}
    return Match(truth.isel(time=numbers[TRUTH]), scale, left_out, readers, numbers)


def _grid(reconstructed: Mapping[str, xr.DataArray]) -> tuple[int, int]:
    """Height and width that all reconstructions have."""
    if taken := {TRUTH, LOWRES} & reconstructed.keys():
        raise InputError(f"A reconstruction cannot be named {taken.pop()!r}; choose another name.")
    shapes = {name: da.shape[1:] for name, da in reconstructed.items()}
    if len(set(shapes.values())) != 1:
        listed = ", ".join(f"{name} {height}x{width}" for name, (height, width) in shapes.items())
        raise InputError(f"The reconstructions need one grid to be scored together, not: {listed or 'none at all'}.")
    height, width = next(iter(shapes.values()))
    return height, width


def _scale(
    reconstructed: Iterable[xr.DataArray], fine: tuple[int, int], lowres: xr.DataArray | None, scale: int | None
) -> int:
    if lowres is not None:
        coarse = lowres.shape[1:]
        inferred = fine[0] // coarse[0]
        if fine != (coarse[0] * inferred, coarse[1] * inferred) or scale not in (None, inferred):
            wanted = "a whole number of" if scale is None else str(scale)
            raise InputError(
                f"The reconstruction has {fine[0]}x{fine[1]} pixels, which is not {wanted} times the "
                f"{coarse[0]}x{coarse[1]} of the low-resolution input; give the input it was made from."
            )
        if inferred < 2:
            raise InputError(
                "The low-resolution input is as fine as the reconstruction; give the input it was made from."
            )
        return inferred
    stated = (da.attrs["scale"] for da in reconstructed if "scale" in da.attrs)
    found = next(stated, None) if scale is None else scale
    if found is None:
        raise InputError(
            "The reconstruction does not state its scale; give its low-resolution input (--lowres) or --scale."
        )
    try:
        number = int(found)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or any(side % number for side in fine):
        height, width = fine
        raise InputError(f"The scale {found} does not divide the reconstruction's {height}x{width} pixels.")
    return number


def _common_times(sequences: dict[str, xr.DataArray]) -> dict[str, NDArray[np.intp]]:
    """The numbers of the frames whose times all sequences have; of frames with equal times, the first."""
    times = None
    for da in sequences.values():
        times = da["time"].values if times is None else np.intersect1d(times, da["time"].values)
    common = np.unique(np.asarray(times))
    if not common.size:
        spans = "; ".join(
            f"{name} {_minute(da['time'].values[0])} to {_minute(da['time'].values[-1])}"
            for name, da in sequences.items()
        )
        raise InputError(f"The sequences have no time in common ({spans}); evaluate the same storm and hours.")
    numbers = {}
    for name, da in sequences.items():
        _, first = np.unique(da["time"].values, return_index=True)
        numbers[name] = first[np.isin(da["time"].values[first], common)]
    return numbers


def _minute(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="m"))


def _coordinates(da: xr.DataArray, block: int = 1) -> dict[str, NDArray[np.float64]]:
    """Read the spatial coordinates, as means over blocks of pixels where `block` is above 1."""
    coordinates = {}
    for name in ("lat", "lon", "x", "y"):
        if name not in da.coords or not da[name].dims or not set(da[name].dims) <= {"y", "x"}:
            continue
        values = da[name].transpose(*(dim for dim in ("y", "x") if dim in da[name].dims)).values.astype(np.float64)
        if name == "lon":  # so that a block across the date line has its mean there
            for axis in range(values.ndim):
                values = np.unwrap(values, period=360, axis=axis)
        if block > 1 and values.ndim == 1:
            values = values[: len(values) // block * block].reshape(-1, block).mean(axis=1)
        elif block > 1:
            values = area_mean(values, block).astype(np.float64)
        coordinates[name] = values
    return coordinates


def _check_coordinates(
    expected: dict[str, NDArray[np.float64]], found: dict[str, NDArray[np.float64]], label: str
) -> None:
    """Refuse a grid that lies more than half a pixel beside the expected one."""
    for name in expected.keys() & found.keys():
        theirs, ours = expected[name], found[name]
        if theirs.shape != ours.shape:
            raise InputError(f"{label} has {name} of shape {ours.shape}, the truth's grid {theirs.shape}.")
        steps = [np.nanmedian(np.abs(np.diff(theirs, axis=axis))) for axis in range(theirs.ndim)]
        offset = np.abs(ours - theirs)
        if name == "lon":
            offset = np.abs((ours - theirs + 180) % 360 - 180)
        worst, half_pixel = float(np.nanmax(offset)), 0.5 * float(np.max(steps))
        if worst > half_pixel:
            raise InputError(
                f"{label} lies {worst:.4g} beside the truth in {name}, more than half a pixel "
                f"({half_pixel:.4g}); evaluate it against the truth on the same grid."
            )
