"""Find the image variable of an open file: its group, dimensions, times and frames."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.hdf5_guard import check_claim
from tempogan_eddy.io.frames import FrameStack
from tempogan_eddy.io.grids.axes import direction_of, horizontal_axes, role_of, with_neighbours
from tempogan_eddy.io.lock import Lock
from tempogan_eddy.io.messages import log_once
from tempogan_eddy.io.reading import Reading
from tempogan_eddy.io.times.axis import find_time, frame_time, long_dims
from tempogan_eddy.io.values.units import KELVIN, Conversion, kelvin_conversion, text_of
from tempogan_eddy.io.values.validity import Decoding, flagged, refuse_unknown_packing
from tempogan_eddy.io.variables.choice import NoSequenceError, choose_variable
from tempogan_eddy.io.variables.companions import Flags, decoded_times, flags_of
from tempogan_eddy.io.variables.container import groups_of, open_stored
from tempogan_eddy.io.variables.count_table import kelvins_by_count, look_up, with_tables
from tempogan_eddy.io.variables.layout import Layout, is_member
from tempogan_eddy.io.variables.selection import how_to_select, select_one

__all__ = ["Image", "find_image"]

log = logging.getLogger(__name__)

PLAUSIBLE_KELVIN = (100.0, 400.0)  # valid limits between these are kelvin and not packed numbers
LARGEST_BLOCK_BYTES = 512 << 20  # of the decoded frames of one chunk of the file, which are kept


@dataclass(frozen=True)
class Image:
    """The brightness temperature of an open file: the variable `name` of a `group`, whose root is "".

    `time` is the variable of the frames' times, None if attributes or the file's name state them; `times` are in the
    order of the file, and `time_source` names where they are from. `selection` states
    what was chosen, such as ``band=13``.
    """

    path: Path
    group: str
    name: str
    dataset: xr.Dataset
    time: str | None
    layout: Layout
    times: np.ndarray
    time_source: str
    selection: str = ""

    @property
    def stored(self) -> xr.DataArray:
        """The variable, as stored."""
        return self.dataset[self.name]

    @cached_property
    def kelvins(self) -> np.ndarray | None:
        """The kelvins of its counts, if a table of the file states them."""
        found = kelvins_by_count(self.dataset, self.name, self.path)
        if found is None:
            return None
        log_once(log.info, self.path, f"{self.name} holds counts, which are kelvin by the table {found[0]}")
        return found[1]

    @property
    def order(self) -> np.ndarray:
        """The numbers of the frames in the order of time."""
        return np.argsort(self.times, kind="stable")

    @property
    def members(self) -> int | None:
        """The number of members of an ensemble."""
        return None if self.layout.member is None else self.stored.sizes[self.layout.member]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numbers of frames, rows and columns."""
        frames, rows, columns = (self.stored.sizes.get(dim, 1) for dim in self.layout.frame_dims)
        return frames, rows, columns

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The shape of the file's chunks."""
        return self.stored.encoding.get("chunksizes") or self.stored.encoding.get("chunks")

    def conversion(self) -> Conversion:
        """Return the conversion of the stored units to kelvin.

        Raise `InputError` if they are no temperature, or the variable is larger than the file can hold.
        """
        stored = self.stored
        for shape in (self.shape[1:], self.chunks or ()):
            check_claim(self.path, shape, stored.dtype.itemsize)
        conversion = kelvin_conversion(stored.attrs.get("units", ""))
        if conversion == KELVIN:
            refuse_unknown_packing(stored.attrs, stored.dtype, self.path, self.name)
        if conversion is None and self.kelvins is not None:
            conversion = KELVIN
        if conversion is None:
            units = f"the units {text_of(stored.attrs['units'])!r}" if "units" in stored.attrs else "no units"
            raise InputError(
                f"{self.path}: {self.name} has {units}; a brightness temperature is in K or degrees_Celsius. Calibrate "
                f"counts or radiance first; if these are kelvin, say so: ncatted -a units,{self.name},o,c,K "
                f"{self.path.name}"
            )
        return conversion

    def stacks(self, valid_kelvin: tuple[float, float]) -> list[FrameStack]:
        """Return the frames of each member in the order of time, in kelvin; raises as `conversion`."""
        conversion = self.conversion()
        flags = flags_of(self.dataset, self.name, self.path)
        members = [_Frames(self, member, flags, conversion) for member in range(self.members or 1)]
        return [FrameStack(self.path, frames, self.shape, conversion, valid_kelvin) for frames in members]

    def close(self) -> None:
        """Close the file; the HDF5 library can crash if it stays open and is opened twice more."""
        self.dataset.close()


def find_image(path: Path, reading: Reading, group: str | None = None) -> Image:
    """Open a file, or one group of it, and find its brightness temperature; raises as `open_cf`."""
    group, name, dataset = _choose(path, group, reading.variable)
    try:
        dataset, selection = select_one(dataset, name, path, reading.select)
        time, layout = _lay_out(dataset, dataset[name], path, reading.time_from)
        times, source = _times(dataset[name], dataset, time, path, reading.time_from)
        image = Image(path, group, name, dataset, time, layout, times, source, selection)
        if (np.diff(image.order) < 0).any():
            log_once(log.warning, path, "frames are not in the order of their times; they are sorted")
    except BaseException:
        dataset.close()
        raise
    return image


def _choose(path: Path, group: str | None, variable: str | None) -> tuple[str, str, xr.Dataset]:
    """Return group, name and dataset; groups are opened only where the root holds no brightness temperature."""
    groups: dict[str, xr.Dataset] = {}
    if group is None and "/" not in (variable or ""):
        groups[""] = open_stored(path)
        try:
            _, name = choose_variable(groups, path, variable)
            return "", name, groups[""]
        except InputError as error:
            if not isinstance(error, NoSequenceError) and variable is None:
                raise
    wanted = [group] if group is not None else groups_of(path)
    groups = with_tables(groups | {part: open_stored(path, part) for part in wanted if part not in groups})
    found, name = choose_variable(groups, path, variable)
    return found, name, _with_place(groups[found], name, groups.values())


def _with_place(dataset: xr.Dataset, name: str, groups: Iterable[xr.Dataset]) -> xr.Dataset:
    """Return a dataset without latitudes and longitudes with those of the only other group that has them (Geolocation).

    These have the shape of the image, or of its rows and its columns.
    """
    rows, columns = dataset[name].dims[-2:]
    on_image = {"latitude": [(rows, columns), (rows,)], "longitude": [(rows, columns), (columns,)]}
    if any(role_of(key, variable.attrs) in on_image for key, variable in dataset.variables.items()):
        return dataset
    places = []
    for group in groups:
        found = {}
        for key, variable in group.variables.items():
            for dims in on_image.get(role_of(key, variable.attrs) or "", ()):
                if variable.shape == tuple(dataset.sizes[dim] for dim in dims):
                    found[key] = variable.copy(deep=False)
                    found[key].dims = dims
        places += [found] if len(found) == 2 else []
    return dataset.assign_coords(places[0]) if len(places) == 1 else dataset


def _lay_out(dataset: xr.Dataset, da: xr.DataArray, path: Path, time_from: str) -> tuple[str | None, Layout]:
    """Return the variable of the times, or None, and the dimensions of the image."""
    where = f"{path}: {da.name}"
    if 0 in da.shape:
        raise NoSequenceError(f"{where} holds no frame: its shape is {dict(da.sizes)}.")
    time = find_time(dataset, da)
    frames = next((dim for dim in (long_dims(dataset[time]) if time else ()) if dim in da.dims), None)
    if time_from != "auto" and (time is None or dataset[time].size == 1):
        time = frames = None  # attributes or the name state the time of a single frame
    members = next((dim for dim in da.dims if is_member(dim) and dim != frames and da.sizes[dim] > 1), None)
    needed = 2 + (frames is not None) + (members is not None)
    extra = [dim for dim in da.dims if da.sizes[dim] == 1 and dim != frames][: max(da.ndim - needed, 0)]
    left = [dim for dim in da.dims if dim not in extra]
    beside = with_neighbours(dataset, da.name)
    if len(left) < needed:
        raise NoSequenceError(
            f"{where} has the dimensions {da.dims}, and a frame has rows and columns beside time; put cells or scans "
            "on a grid first (cdo remapbil, pyresample)."
        )
    if len(left) != needed:
        others = [dim for dim in left if dim not in (frames, members)]
        longer = next((dim for dim in others if not direction_of(beside, dim)), others[0])
        choice = how_to_select(dataset, str(da.name), longer)
        if frames is None and len(left) == needed + 1:
            raise NoSequenceError(
                f"{where} has {da.sizes[longer]} frames along {longer!r} and no times along it; give it a coordinate "
                f"along this dimension with units such as 'hours since 1970-01-01', or {choice}."
            )
        raise InputError(f"{where} has the dimensions {da.dims}, and a sequence time and two more; {choice}.")
    horizontal = [dim for dim in left if dim not in (frames, members)]
    rows, columns = horizontal_axes(beside, (horizontal[0], horizontal[1]))
    return time, Layout(frames, rows, columns, tuple(extra), members)


def _times(
    da: xr.DataArray, dataset: xr.Dataset, time: str | None, path: Path, time_from: str
) -> tuple[np.ndarray, str]:
    """Return one time for each frame, and the source of the times."""
    if time is not None:
        times = decoded_times(dataset[time].variable, f"{path}: {time}")
        if np.isnat(times).any():
            number = int(np.isnat(times).argmax()) + 1
            raise InputError(f"{path}: frame {number} has no time ({time} is missing there); leave it out (ncks -d).")
        return times, f"variable {time}"
    found = frame_time(path, (da.attrs, dataset.attrs), time_from)
    if found is None:
        raise NoSequenceError(
            f"{path}: {da.name} has no time coordinate, and neither its attributes nor the file's name state a time; "
            "give it a coordinate with units such as 'hours since 1970-01-01', or name the file by YYYYMMDDHHMM."
        )
    log_once(log.info, path, f"a frame without a time variable has its time from its {found[1]}")
    return np.array([found[0]]), found[1]


class _Frames:
    """Frames of one member by number, in the file's units; those of one chunk of the file are decoded together."""

    def __init__(self, image: Image, member: int, flags: list[Flags], conversion: Conversion) -> None:
        self.path, self.order = image.path, image.order
        self.layout, self.member = image.layout, member
        self.variable = self._on_image(image.stored)
        low, high = ((kelvin - conversion.offset) / conversion.scale for kelvin in PLAUSIBLE_KELVIN)
        where = f"{image.path}: {image.name}"
        self.decoding = Decoding.of(image.stored.attrs, image.stored.dtype, where, (low, high))
        self.kelvins = image.kelvins
        self.flags = [(self._on_image(flag), tests) for flag, tests in flags]
        self.frames_a_chunk = 1
        if image.chunks and self.layout.time is not None:
            frames = int(image.chunks[image.stored.dims.index(self.layout.time)])
            if frames * math.prod(image.shape[1:]) * 4 <= LARGEST_BLOCK_BYTES:
                self.frames_a_chunk = frames
        self.held: tuple[int, np.ndarray] = (-1, np.empty(0))
        self.lock = Lock()

    def __call__(self, number: int) -> np.ndarray:
        number = int(self.order[number])
        if self.frames_a_chunk == 1:
            return self._read(number, number + 1)[0]
        block = number // self.frames_a_chunk
        with self.lock:  # several threads may want one block; decode it once
            first = block * self.frames_a_chunk
            if self.held[0] != block:
                self.held = block, self._read(first, first + self.frames_a_chunk)
            return self.held[1][number - first]

    def _on_image(self, da: xr.DataArray) -> xr.Variable:
        """Return a variable on the stored grid with (frames), rows and columns in this order, lazily."""
        kept = [dim for dim in self.layout.frame_dims if dim in da.dims]
        others = {dim: self.member if dim == self.layout.member else 0 for dim in da.dims if dim not in kept}
        return da.variable.isel(others).transpose(*kept)

    def _part(self, variable: xr.Variable, first: int, last: int) -> np.ndarray:
        """Return some frames of a variable that `_on_image` returned; add missing dimensions with size 1."""
        values = variable[first:last].values if self.layout.time in variable.dims else variable.values
        missing = [axis for axis, dim in enumerate(self.layout.frame_dims) if dim not in variable.dims]
        return np.expand_dims(values, missing)

    def _read(self, first: int, last: int) -> np.ndarray:
        try:
            values = self.decoding(self._part(self.variable, first, last))
            if self.kelvins is not None:
                values = look_up(values, self.kelvins)
            for flags, tests in self.flags:
                values = np.where(flagged(self._part(flags, first, last), tests), np.nan, values)
        except InputError:
            raise
        except Exception as error:  # the library raises any for a damaged file
            if "ilter" in str(error):  # of compression
                raise InputError(
                    f"{self.path} is compressed by a filter that the NetCDF library lacks; h5netcdf may have it: "
                    f"xarray.open_dataset({str(self.path)!r}, engine='h5netcdf').to_netcdf('in.nc')"
                ) from error
            last = min(last, len(self.order))
            where = f"frame {last}" if last == first + 1 else f"frames {first + 1} to {last}, one chunk"
            raise InputError(f"{self.path} cannot be read at {where} ({error}); is it whole?") from error
        return np.asarray(values, dtype=np.float32)
