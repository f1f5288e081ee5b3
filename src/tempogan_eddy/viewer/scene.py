"""One storm as the page shows it: panels on a common time axis and a common fine grid."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.align import align_grid, pair_times, refinement, tolerance_between
from tempogan_eddy.io.frames import FrameReader
from tempogan_eddy.io.history import MADE

__all__ = ["Panel", "Scene", "build_scene"]

Frame = NDArray[np.float32]

# Attributes that this package writes: what made a file, and how a coarse one was seen.
RECONSTRUCTED = f"{MADE}software"
SENSOR = "sensor_model"

ORDER = ("low-res", "bicubic", "reconstructed", "sequence", "truth")


@dataclass(frozen=True)
class Panel:
    """One picture of a scene.

    Attributes
    ----------
    key : str
        Its name in addresses.
    role : {"low-res", "bicubic", "reconstructed", "truth", "sequence"}
        What it is.
    title, note : str
        For people: its name, and where it comes from.
    shape : tuple of int
        Rows and columns.
    scale : int
        Pixels of the fine grid along a side of one of its own.
    present : (T,) array of bool
        At which times of the scene it has a frame.
    read : callable
        Gives the frame (y, x), float32 kelvin, at a time of the scene by its number; for several threads.
    attrs : dict
        What its file says of itself; empty where there is no file.
    """

    key: str
    role: str
    title: str
    note: str
    shape: tuple[int, int]
    scale: int
    present: NDArray[np.bool_]
    read: Callable[[int], Frame]
    attrs: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """One storm: its panels, and the sequence whose times and coordinates count."""

    name: str
    main: xr.DataArray
    shape: tuple[int, int]
    panels: tuple[Panel, ...]

    def panel(self, key: str) -> Panel | None:
        """The panel of this key, if there is one."""
        return next((panel for panel in self.panels if panel.key == key), None)


def build_scene(
    name: str,
    files: Mapping[str, xr.DataArray],
    *,
    truth: xr.DataArray | None = None,
    low_res: xr.DataArray | None = None,
    scale: int | None = None,
) -> Scene:
    """Tell what each sequence is, and make what can be made from them.

    A file that this package reconstructed or coarsened says so. Beside a truth or a low-resolution sequence any
    other file is a reconstruction; alone with a scale it is the truth. Without a low-resolution sequence the
    sensor model sees the truth, or else, where it is the area mean, the reconstruction, which keeps it.

    Parameters
    ----------
    name : str
        The storm's.
    files : mapping of DataArray (time, y, x)
        Sequences by the titles they have where several are of a kind. The first that is a reconstruction, else
        the first, gives the times; the others are matched to it by time.
    truth, low_res : DataArray (time, y, x), optional
        What is known to be such.
    scale : int, optional
        How many times finer than the low resolution, where no file tells.

    Raises
    ------
    InputError
        Grids do not fit each other, or no time is common.
    """
    files = dict(files)
    made = {title: da for title, da in files.items() if RECONSTRUCTED in da.attrs}
    rest = {title: da for title, da in files.items() if title not in made}
    coarse = [
        title for title, da in rest.items() if SENSOR in da.attrs and (len(files) > 1 or truth is not None or scale)
    ]
    if low_res is None and coarse:
        low_res = rest.pop(coarse[0])
    if not made and (truth is not None or low_res is not None):
        made, rest = rest, {}
    elif not made and scale and len(rest) == 1:
        (truth,), rest = rest.values(), {}
    members = [
        *(
            _Member("reconstructed", "Reconstructed" if len(made) == 1 else title, _made_by(da), da)
            for title, da in made.items()
        ),
        *(_Member("sequence", title, str(da.attrs.get("source", "")), da) for title, da in rest.items()),
        *([_Member("truth", "Truth", "the file given", truth)] if truth is not None else []),
    ]
    scale = _scale(name, [member.data for member in members], low_res, scale)
    if low_res is not None:
        members.append(_Member("low-res", "Low-res", "the file given", low_res))
    members, shape = _placed(name, members, scale)
    main = members[0].data
    stack = _Stack(name, main["time"].values, shape)
    for member in members:
        stack.add(member)
    if scale and low_res is None:
        _add_seen(stack, next(iter(made.values())).attrs if made else {}, scale)
    if scale:
        stack.add_bicubic(scale)
    panels = sorted(stack.panels, key=lambda panel: ORDER.index(panel.role))
    return Scene(name, main, stack.shape, tuple(panels))


@dataclass(frozen=True)
class _Member:
    """A sequence of a scene, and how many times coarser than the finest one it is."""

    role: str
    title: str
    note: str
    data: xr.DataArray
    factor: int = 1


def _placed(name: str, members: list[_Member], scale: int | None) -> tuple[list[_Member], tuple[int, int]]:
    """Bring all sequences to the directions and the corner of the finest; also return the shape of the fine grid."""
    fine = [member.data.shape[1:] for member in members if member.role != "low-res"]
    if not fine:
        height, width = members[0].data.shape[1:]
        times = scale or 1
        return [replace(members[0], factor=times)], (height * times, width * times)
    finest = fine.index(max(fine))
    placed = list(members)
    for place, member in enumerate(members):
        rows, columns = member.data.shape[1:]
        factor = refinement(fine[finest], (rows, columns), scale)
        if factor is None:
            raise InputError(
                f"{name}: {member.title} has {rows}x{columns} pixels, which do not fit the "
                f"{fine[finest][0]}x{fine[finest][1]} of the others; view it by itself."
            )
        if place != finest:
            titles = (members[finest].title, member.title)
            reference, aligned = align_grid(placed[finest].data, member.data, factor, titles)
            placed[finest] = replace(placed[finest], data=reference)
            placed[place] = replace(member, data=aligned, factor=factor)
    height, width = placed[finest].data.shape[1:]
    return placed, (height, width)


class _Stack:
    """The panels of a scene as they are put together."""

    def __init__(self, name: str, times: NDArray[np.datetime64], shape: tuple[int, int]) -> None:
        self.name, self.times, self.shape = name, times, shape
        self.panels: list[Panel] = []

    def add(self, member: _Member) -> None:
        """Add a sequence, matched by time; of frames with equal times the first counts."""
        da, role = member.data, member.role
        numbers = self._numbers(da["time"].values)
        present = numbers >= 0
        if role in ("truth", "low-res") and not present.any():
            raise InputError(
                f"{self.name}: {member.title} has no frame at the times of the other files; name the same hours."
            )
        reader, lock = FrameReader(da), threading.Lock()

        def read(number: int) -> Frame:
            with lock:
                return np.asarray(reader.frame(int(numbers[number])), np.float32)

        rows, columns = da.sizes["y"], da.sizes["x"]
        self.panels.append(
            Panel(
                self._key(role), role, member.title, member.note, (rows, columns), member.factor, present, read,
                dict(da.attrs),
            )
        )  # fmt: skip

    def _numbers(self, own: NDArray[np.datetime64]) -> NDArray[np.intp]:
        """Which of a sequence's frames belong to the times of the scene; -1 where none does."""
        if np.array_equal(own, self.times):
            return np.arange(len(own))
        numbers = np.full(len(self.times), -1)
        times, frames = pair_times(self.times, own, tolerance_between([self.times, own]))
        numbers[times] = frames
        # Every frame of the scene that has a time twice shows what the first of them shows.
        _, first = np.unique(self.times, return_index=True)
        return numbers[first[np.searchsorted(self.times[first], self.times)]]

    def add_seen(self, role: str, note: str, see: Callable[[Frame], Frame], scale: int) -> None:
        """Add what a coarse instrument makes of the first panel of a role."""
        fine = next(panel for panel in self.panels if panel.role == role)
        shape = (fine.shape[0] // scale, fine.shape[1] // scale)
        self.panels.append(
            Panel("low-res", "low-res", "Low-res", note, shape, scale, fine.present, lambda time: see(fine.read(time)))
        )

    def add_bicubic(self, scale: int) -> None:
        """Add what interpolation makes of the low resolution, if there is one."""
        from tempogan_eddy.evaluation.baselines import bicubic

        low = next((panel for panel in self.panels if panel.role == "low-res"), None)
        if low is None:
            return
        read, shape = low.read, (low.shape[0] * scale, low.shape[1] * scale)
        note = f"interpolated from the low-res, {scale} times finer"
        self.panels.append(
            Panel("bicubic", "bicubic", "Bicubic", note, shape, 1, low.present, lambda time: bicubic(read(time), scale))
        )

    def _key(self, role: str) -> str:
        same = sum(panel.role == role for panel in self.panels)
        return f"{role}-{same + 1}" if same else role


def _add_seen(stack: _Stack, sensor: Mapping[Any, Any], scale: int) -> None:
    """Add the low resolution that no file holds: what the sensor sees of the truth, else of a reconstruction."""
    roles = {panel.role for panel in stack.panels}
    if "truth" in roles:
        stack.add_seen("truth", f"{sensor.get(SENSOR, 'area')} sensor on the truth", _sensor(sensor, scale), scale)
    elif "reconstructed" in roles and sensor.get(SENSOR) == "area" and not sensor.get("sensor_model_noise_kelvin"):
        stack.add_seen("reconstructed", "block mean of the reconstruction", _sensor(sensor, scale), scale)


def _scale(name: str, fine: list[xr.DataArray], low_res: xr.DataArray | None, asked: int | None) -> int | None:
    """How many times finer than the low resolution the fine grid is; None where nothing tells."""
    told = fine[0].attrs.get("scale") if fine and RECONSTRUCTED in fine[0].attrs else None
    if fine and low_res is not None:
        told = round(fine[0].sizes["y"] / low_res.sizes["y"])
        if told < 2:
            raise InputError(f"{name}: the low-res has as many pixels as the other files; name a coarser one.")
    if asked and told and asked != int(told):
        raise InputError(f"{name} is {int(told)} times finer than its low-res, not {asked}; leave out --scale.")
    scale = int(told or asked or 0)
    return scale if scale > 1 else None


def _sensor(attrs: Mapping[str, object], scale: int) -> Callable[[Frame], Frame]:
    """What sees a fine frame as the attributes of a reconstruction say, without noise; the area mean by default."""
    kind = str(attrs.get(SENSOR, "area"))
    if kind == "area":
        from tempogan_eddy.evaluation.baselines import area_mean

        return lambda frame: area_mean(frame, scale)
    # Imports torch, which takes longer than all the rest.
    import torch

    from tempogan_eddy.dataset.sensor import SensorModel

    sensor = SensorModel.from_attributes(attrs, scale)

    def see(frame: Frame) -> Frame:
        rows, columns = (side // scale * scale for side in frame.shape)
        return sensor.see(torch.from_numpy(np.array(frame[:rows, :columns]))).numpy()

    return see


def _made_by(da: xr.DataArray) -> str:
    model = da.attrs.get(f"{MADE}model")
    return f"model {model}" if model else "the file given"
