"""Read the header of a file, all but its frames: enough to find the files that continue each other.

An archive is thousands of similar files. The first are opened in full. Each other is compared with these piece by
piece; if only its times differ, it gets their header with its own times, in a fraction of the time. If anything else
differs, or looks wrong, it is opened in full too.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from tempogan_eddy.io.files.file_kind import file_kind
from tempogan_eddy.io.files.hdf5_guard import opened
from tempogan_eddy.io.grids.axes import role_of
from tempogan_eddy.io.joining.alike import FAULTS, Example
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.values.units import text_of
from tempogan_eddy.io.variables.cf import attributes_of, coordinates_of
from tempogan_eddy.io.variables.channel import channel_of
from tempogan_eddy.io.variables.image import Image, find_image

__all__ = ["Header", "HeaderReader", "Traits"]

SENSORS = {
    *("platform", "platform_id", "platform_name", "satellite", "satellite_name", "satellite_id", "spacecraft"),
    *("sensor", "instrument", "instrument_id", "instrument_name", "sensor_name", "orbital_slot", "scene_id"),
}
STORMS = {"sequence", "storm", "storm_id", "storm_name", "sid", "cyclone", "typhoon", "tc_name", "tc_id"}
MOST_EXAMPLES = 8  # of files that others are compared with


class Traits(NamedTuple):
    """What the files of one sequence have in common; the grid as a digest."""

    variable: str
    rows: int
    columns: int
    grid: str
    sensor: tuple[str, ...]
    channel: tuple[str | None, float | None]
    storm: tuple[str, ...]
    members: int | None


@dataclass(frozen=True)
class Header:
    """Times, grid and attributes of one file."""

    path: Path
    times: np.ndarray  # (T,) datetime64[ns], in order
    kind: Traits
    # All coordinates but the times, decoded.
    coords: Mapping[str, xr.Variable] = field(compare=False, repr=False)
    attrs: Mapping[str, Any] = field(compare=False, repr=False)
    time_source: str = field(default="unknown", compare=False)
    is_copied: bool = field(default=False, compare=False)  # all but the times comes from a similar file

    @property
    def has_place(self) -> bool:
        """Whether its coordinates locate its pixels."""
        return any(_is_grid(name, variable) for name, variable in self.coords.items())


class HeaderReader:
    """Read headers of files that are mostly alike."""

    def __init__(self, reading: Reading | None = None) -> None:
        self.reading = reading or Reading()
        self._examples: list[tuple[Example, Header]] = []
        self._grids: dict[str, dict[str, xr.Variable]] = {}

    def __call__(self, path: Path) -> Header:
        """Return the header of a file; raise InputError if it cannot be read or holds no sequence."""
        if header := self._alike(path):
            return header
        image = find_image(path, self.reading)
        try:
            image.conversion()  # refuses units that are no temperature, and claims beyond the file
            header = self._header(image)
            if len(self._examples) < MOST_EXAMPLES and file_kind(path) == "hdf5":
                with suppress(*FAULTS), opened(path) as file:
                    self._examples.append((Example(image, file, header.coords.keys(), SENSORS | STORMS), header))
        finally:
            image.close()
        return header

    def _alike(self, path: Path) -> Header | None:
        """Return the header of a similar earlier file with this one's times; None if no file is similar."""
        if not self._examples:
            return None
        try:
            with opened(path) as file:
                for example, header in self._examples:
                    times = example.times_if_alike(file, path, self.reading.time_from)
                    if times is not None:
                        return replace(header, path=path, times=times, is_copied=True)
        except OSError:  # no HDF5
            pass
        return None

    def _header(self, image: Image) -> Header:
        """Return the header of an opened file; keep equal grids once."""
        coords, attrs = coordinates_of(image), attributes_of(image)
        times = coords.pop("time").values
        grid = {name: variable for name, variable in coords.items() if _is_grid(name, variable)}
        digest = _digest(grid)
        coords |= self._grids.setdefault(digest, grid)
        _, rows, columns = image.shape
        channel = channel_of(image.name, attrs, {name: xr.DataArray(v) for name, v in coords.items() if v.size == 1})
        sensor = tuple(sorted(f"{key.lower()}={text_of(attrs[key])}" for key in attrs if key.lower() in SENSORS))
        storm = tuple(sorted(text_of(attrs[key]) for key in attrs if key.lower().removeprefix("file:") in STORMS))
        of_channel = channel.kind, channel.wavelength
        kind = Traits(image.name, rows, columns, digest, sensor, of_channel, storm, image.members)
        return Header(image.path, times, kind, coords, attrs, image.time_source)


def _is_grid(name: str, variable: xr.Variable) -> bool:
    """Return whether a coordinate locates pixels: a place along y or x alone, or a grid mapping."""
    if "grid_mapping_name" in variable.attrs:
        return True
    return bool(variable.dims) and set(variable.dims) <= {"y", "x"} and role_of(name, variable.attrs) is not None


def _digest(grid: Mapping[str, xr.Variable]) -> str:
    digest = hashlib.sha256()
    for name, variable in sorted(grid.items()):
        attrs = variable.attrs if "grid_mapping_name" in variable.attrs else {}
        digest.update(f"{name}{variable.dims}{sorted((key, str(value)) for key, value in attrs.items())}".encode())
        if variable.dims:
            # A grid stored as float32 in one file and as float64 in another is one grid.
            digest.update(np.round(variable.values.astype(np.float32), 4).tobytes())
    return digest.hexdigest()
