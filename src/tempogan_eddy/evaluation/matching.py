"""Match the frames of the truth, the reconstructions and their input, in time and on a common grid."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.baselines import observe
from tempogan_eddy.io.align import align_grid, match_times, refinement
from tempogan_eddy.io.frames import FrameReader
from tempogan_eddy.io.member import members_of
from tempogan_eddy.io.writing.history import MADE

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel

__all__ = ["LOWRES", "RECONSTRUCTED", "TRUTH", "Loaded", "Match", "called", "match"]

TRUTH, LOWRES, RECONSTRUCTED = "truth", "lowres", "reconstructed"
RECONSTRUCTED_BY = f"{MADE}software"  # an attribute of every reconstruction of this package

log = logging.getLogger(__name__)

Loaded = tuple[NDArray[np.float32], dict[str, NDArray[np.float32]], NDArray[np.float32]]
"""The truth, the reconstructions by name and the lowres frame at one time, kelvin."""


def called(name: str) -> str:
    """Return the name of a sequence in messages, without an article."""
    usual = {TRUTH: "truth", LOWRES: "lowres input", RECONSTRUCTED: "reconstruction"}
    return usual.get(name, f"reconstruction {name!r}")


@dataclass(frozen=True)
class Match:
    """Sequences on a common time axis and a common highres grid.

    Attributes
    ----------
    truth : DataArray (time, y, x)
        The common frames, with their own times, trimmed to the reconstructions' grid.
    sensor : SensorModel
        How the lowres was seen.
    left_out : dict
        Frames without a partner, by sequence: truth, each reconstruction and, where given, lowres.
    sequences : dict of lists of DataArray (time, y, x)
        Of each sequence the members, or the one sequence: all frames, because the chunks of a selection may cut
        through those that are computed in one.
    numbers : dict of arrays of int
        Which frames of each sequence are the common ones.
    """

    truth: xr.DataArray
    sensor: SensorModel
    left_out: dict[str, int]
    sequences: dict[str, list[xr.DataArray]]
    numbers: dict[str, NDArray[np.intp]]

    @property
    def scale(self) -> int:
        """Refinement of the grid."""
        return self.sensor.scale

    @property
    def times(self) -> NDArray[np.datetime64]:
        """The common times."""
        return self.truth["time"].values

    @cached_property
    def _readers(self) -> dict[str, list[FrameReader]]:
        return {name: [FrameReader(member) for member in members] for name, members in self.sequences.items()}

    def load(self, index: int) -> Loaded:
        """Read the truth, each reconstruction and the lowres frame at one time, float32 kelvin.

        An ensemble's frame is (member, y, x). Without a lowres sequence, its frame is what the sensor sees
        of the truth, without noise.
        """
        frames = {}
        for name, readers in self._readers.items():
            members = [np.asarray(reader.frame(self.numbers[name][index]), np.float32) for reader in readers]
            frames[name] = np.stack(members) if len(members) > 1 else members[0]
        truth = frames.pop(TRUTH)
        lowres = frames.pop(LOWRES) if LOWRES in frames else observe(truth, self.sensor)
        return truth, frames, lowres


def match(
    truth: xr.DataArray,
    reconstructed: Mapping[str, xr.DataArray],
    lowres: xr.DataArray | None = None,
    scale: int | None = None,
    time_tolerance: str | None = None,
    sensor: SensorModel | str | None = None,
) -> Match:
    """Match sequences by time and place: nearest times, and grids by their coordinates, flipped if necessary.

    Parameters
    ----------
    truth : DataArray (time, y, x)
        May have spare rows and columns, fewer than `scale`, that fill no block of the lowres grid.
    reconstructed : mapping of DataArray (time, y, x) or (member, time, y, x)
        By name, all on one grid.
    lowres : DataArray (time, y, x), optional
        The input of all reconstructions.
    scale : int, optional
        Default: from the shapes of `lowres` and the reconstructions, else from the `scale` in their attributes.
    time_tolerance : str, optional
        How far two times may differ and still be the same; a tenth of the smallest step by default.
    sensor : SensorModel or str, optional
        How the lowres was seen, as for `evaluate`.

    Raises
    ------
    InputError
        If no time is common, the scale is unknown, or shapes or coordinates disagree.
    """
    _warn_if_swapped(truth, reconstructed)
    height, width = _grid(reconstructed)
    scale = _scale(reconstructed.values(), (height, width), lowres, scale)
    highres = truth.shape[1:]
    if refinement(highres, (height, width), scale) != 1:
        raise InputError(
            f"The reconstruction has {height}x{width} pixels and the truth {highres[0]}x{highres[1]}; "
            f"evaluate it against the truth of the same storm on the {scale} times refined grid."
        )
    placed: dict[str, xr.DataArray] = {}
    for name, da in reconstructed.items():
        truth, placed[name] = align_grid(truth, da, 1, ("the truth", f"The {called(name)}"))
    truth = truth.isel(y=slice(height), x=slice(width))
    if lowres is not None:
        _, placed[LOWRES] = align_grid(truth, lowres, scale, ("the truth", f"The {called(LOWRES)}"))
    sequences = {TRUTH: truth, **placed}
    labels = [f"the {called(name)}" for name in sequences]
    matched = match_times([da["time"].values for da in sequences.values()], labels, time_tolerance)
    numbers = dict(zip(sequences, matched, strict=True))
    left_out = {name: da.sizes["time"] - len(numbers[name]) for name, da in sequences.items()}
    members = {name: members_of(da) for name, da in sequences.items()}
    known = _sensor(sensor, scale, [*([] if lowres is None else [lowres]), *reconstructed.values()])
    return Match(truth.isel(time=numbers[TRUTH]), known, left_out, members, numbers)


def _sensor(sensor: SensorModel | str | None, scale: int, sequences: Iterable[xr.DataArray]) -> SensorModel:
    """Return the sensor given, or that of the first sequence that states one, or the area mean."""
    from tempogan_eddy.dataset.sensor import SensorModel  # imports torch, which is slow

    if isinstance(sensor, str):
        return SensorModel.parse(sensor, scale)
    if sensor is None:
        stated = (da.attrs for da in sequences if "sensor_model" in da.attrs)
        return SensorModel.from_attributes(next(stated, {}), scale)
    if sensor.scale != scale:
        raise InputError(f"The sensor is {sensor.scale} times coarser and the lowres {scale} times; give its sensor.")
    return sensor


def _warn_if_swapped(truth: xr.DataArray, reconstructed: Mapping[str, xr.DataArray]) -> None:
    if RECONSTRUCTED_BY in truth.attrs and not any(RECONSTRUCTED_BY in da.attrs for da in reconstructed.values()):
        log.warning(
            "The truth says that it is a reconstruction and the other one does not: they seem to be swapped; "
            "name the truth first"
        )


def _grid(reconstructed: Mapping[str, xr.DataArray]) -> tuple[int, int]:
    """Return the height and width of all reconstructions."""
    if taken := {TRUTH, LOWRES} & reconstructed.keys():
        raise InputError(f"A reconstruction cannot be named {taken.pop()!r}; choose another name.")
    shapes = {name: da.shape[-2:] for name, da in reconstructed.items()}
    if len(set(shapes.values())) != 1:
        listed = ", ".join(f"{name} {height}x{width}" for name, (height, width) in shapes.items())
        raise InputError(f"The reconstructions need one grid to be scored together, not: {listed or 'none at all'}.")
    height, width = next(iter(shapes.values()))
    return height, width


def _scale(
    reconstructed: Iterable[xr.DataArray], highres: tuple[int, int], lowres: xr.DataArray | None, scale: int | None
) -> int:
    height, width = highres
    if lowres is not None:
        rows, columns = lowres.shape[1:]
        inferred = height // rows
        if highres != (rows * inferred, columns * inferred) or scale not in (None, inferred):
            wanted = "a whole number of" if scale is None else str(scale)
            raise InputError(
                f"The reconstruction has {height}x{width} pixels, which is not {wanted} times the "
                f"{rows}x{columns} of the lowres input; give the input it was made from."
            )
        if inferred < 2:
            raise InputError("The lowres input is as fine as the reconstruction; give the input it was made from.")
        return inferred
    stated = (da.attrs["scale"] for da in reconstructed if "scale" in da.attrs)
    found = next(stated, None) if scale is None else scale
    if found is None:
        raise InputError("The reconstruction does not state its scale; give its lowres input (--lowres) or --scale.")
    try:
        number = int(found)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or any(side % number for side in highres):
        raise InputError(f"The scale {found} does not divide the reconstruction's {height}x{width} pixels.")
    return number
