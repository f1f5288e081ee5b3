"""One storm as the page shows it: panels on a common time axis and a common fine grid."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
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
    fine = [*made.values(), *rest.values(), *([truth] if truth is not None else [])]
    scale = _scale(name, fine, low_res, scale)
    main = next(da for da in (*made.values(), *rest.values(), truth, low_res) if da is not None)
    stack = _Stack(name, main["time"].values, _fine_shape(fine, low_res, scale))
    for title, da in made.items():
        stack.add("reconstructed", "Reconstructed" if len(made) == 1 else title, _made_by(da), da)
    for title, da in rest.items():
        stack.add("sequence", title, str(da.attrs.get("source", "")), da)
    if truth is not None:
        stack.add("truth", "Truth", "the file given", truth, needed=True)
    sensor = next(iter(made.values())).attrs if made else {}
    if low_res is not None:
        stack.add("low-res", "Low-res", "the file given", low_res, needed=True)
    elif scale and truth is not None:
        stack.add_seen("truth", f"{sensor.get(SENSOR, 'area')} sensor on the truth", _sensor(sensor, scale), scale)
    elif scale and made and sensor.get(SENSOR) == "area" and not sensor.get("sensor_model_noise_kelvin"):
        stack.add_seen("reconstructed", "block mean of the reconstruction", _sensor(sensor, scale), scale)
    if scale:
        stack.add_bicubic(scale)
    panels = sorted(stack.panels, key=lambda panel: ORDER.index(panel.role))
    return Scene(name, main, stack.shape, tuple(panels))


class _Stack:
    """The panels of a scene as they are put together."""

    def __init__(self, name: str, times: NDArray[np.datetime64], shape: tuple[int, int]) -> None:
        self.name, self.times, self.shape = name, times, shape
        self.panels: list[Panel] = []

    def add(self, role: str, title: str, note: str, da: xr.DataArray, *, needed: bool = False) -> None:
        """Add a sequence, matched by time; of frames with equal times the first counts."""
        own, first = np.unique(da["time"].values, return_index=True)
        place = np.minimum(np.searchsorted(own, self.times), len(own) - 1)
        present = own[place] == self.times
        if needed and not present.any():
            raise InputError(f"{self.name}: {title} has no frame at the times of the other files; name the same hours.")
        same = np.array_equal(da["time"].values, self.times)
        numbers = np.arange(len(self.times)) if same else first[place]
        reader, lock = FrameReader(da), threading.Lock()

        def read(number: int) -> Frame:
            with lock:
                return np.asarray(reader.frame(int(numbers[number])), np.float32)

        rows, columns = da.sizes["y"], da.sizes["x"]
        scale = max(1, round(self.shape[0] / rows))
        self._check(title, (rows, columns), scale)
        self.panels.append(
            Panel(self._key(role), role, title, note, (rows, columns), scale, present, read, dict(da.attrs))
        )

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

    def _check(self, title: str, shape: tuple[int, int], scale: int) -> None:
        """Refuse a grid that is not the scene's, or a whole number of times coarser; the last block may be cut."""
        spare = [whole - scale * side for whole, side in zip(self.shape, shape, strict=True)]
        if min(spare) < 0 or max(spare) >= max(scale, 16):
            height, width = self.shape
            raise InputError(
                f"{self.name}: {title} has {shape[0]}x{shape[1]} pixels, which do not fit the {height}x{width} of the "
                "others; view it by itself."
            )


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

    sensor = SensorModel(kind, scale, float(str(attrs.get("sensor_model_sigma") or 2.0)))

    def see(frame: Frame) -> Frame:
        rows, columns = (side // scale * scale for side in frame.shape)
        return sensor.see(torch.from_numpy(np.array(frame[:rows, :columns]))).numpy()

    return see


def _fine_shape(fine: list[xr.DataArray], low_res: xr.DataArray | None, scale: int | None) -> tuple[int, int]:
    if fine:
        return max(da.sizes["y"] for da in fine), max(da.sizes["x"] for da in fine)
    assert low_res is not None
    return low_res.sizes["y"] * (scale or 1), low_res.sizes["x"] * (scale or 1)


def _made_by(da: xr.DataArray) -> str:
    model = da.attrs.get(f"{MADE}model")
    return f"model {model}" if model else "the file given"
