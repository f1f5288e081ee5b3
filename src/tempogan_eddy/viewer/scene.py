"""One storm on the page: panels on a common time axis and a common highres grid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from tempogan_eddy.display.members import Members
from tempogan_eddy.display.upright import STORED, Turn, common_size, turn_of
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.align import align_grids, pair_times, tolerance_between
from tempogan_eddy.io.member import member_names, members_of
from tempogan_eddy.io.writing.history import MADE
from tempogan_eddy.kelvin import VALID_KELVIN
from tempogan_eddy.viewer.layers import hidden_at_first, layer_title, quantity_of

__all__ = ["Panel", "Scene", "build_scene"]

Kelvins = NDArray[np.float32]

# Attributes that this package writes: the software that made a file, and the sensor model of a lowres one.
RECONSTRUCTED = f"{MADE}software"
SENSOR = "sensor_model"

ORDER = ("lowres", "bicubic", "reconstructed", "sequence", "layer", "spread", "probability", "truth")

THRESHOLDS = range(int(VALID_KELVIN[0]), int(VALID_KELVIN[1]) + 1)
"""Whole kelvins: below each the server computes a probability."""

OFFERED = (225, 241)  # those that the page offers by name, and an export holds


@dataclass(frozen=True)
class Panel:
    """One picture of a scene."""

    key: str  # name in addresses
    role: str  # one of `ORDER`
    title: str  # for people, as the note, which names the source
    note: str
    shape: tuple[int, int]  # rows and columns
    scale: int  # pixels of the highres grid along a side of one of its pixels
    present: NDArray[np.bool_]  # (T,), whether it has a frame at each time of the scene
    read: Callable[[int, int], Kelvins]  # a frame (y, x) by numbers of the time and of the address; thread-safe
    members: tuple[str, ...] = ()  # names of the members of an ensemble
    attrs: dict[Any, Any] = field(default_factory=dict)  # of its file
    quantity: str = "kelvin"  # or "spread", in kelvin, or "probability", in percent
    thresholds: tuple[int, ...] = ()  # kelvin, of a panel of probabilities
    hidden: bool = False  # when the page opens

    @property
    def addresses(self) -> list[str]:
        """Names in addresses: of members ``key.0``, ..., ``key.mean``; of thresholds ``key.225``; else the key."""
        members = [*map(str, range(len(self.members))), "mean"] if self.members else []
        return [f"{self.key}.{name}" for name in (*members, *self.thresholds)] or [self.key]

    @property
    def exported(self) -> list[str]:
        """The addresses that static files hold: of thresholds only those that the page offers."""
        return [f"{self.key}.{kelvin}" for kelvin in OFFERED] if self.thresholds else self.addresses


@dataclass(frozen=True)
class Scene:
    """One storm: its panels, and the sequence that gives times and coordinates."""

    name: str
    main: xr.DataArray
    shape: tuple[int, int]
    panels: tuple[Panel, ...]

    def find(self, address: str) -> tuple[Panel, int] | None:
        """Return the panel and the number of the member at an address of `Panel.addresses`."""
        by_address = {own: (panel, number) for panel in self.panels for number, own in enumerate(panel.addresses)}
        return by_address.get(address)


def build_scene(
    name: str,
    files: Mapping[str, xr.DataArray],
    *,
    truth: xr.DataArray | None = None,
    lowres: xr.DataArray | None = None,
    scale: int | None = None,
    layers: Mapping[str, xr.DataArray] | None = None,
) -> Scene:
    """Assign each sequence its role, and compute the lowres and bicubic panels that no file holds.

    Attributes identify files that this package reconstructed or coarsened. Beside a truth or a lowres sequence any
    other file is a reconstruction; alone with a scale it is the truth. Without a lowres sequence the sensor model
    coarsens the truth, or else, if it is the area mean, the reconstruction, which keeps that mean. Of a reconstruction
    with members it adds their spread and the probability of cold cloud; `layers` are those of a summary, by name.

    Sequences ([member, ]time, y, x) come by title; the first reconstruction, else the first, gives the times. The scale
    is needed if no file states it. Raise `InputError` if grids do not match or no time is common.
    """
    files = dict(files)
    made = {title: da for title, da in files.items() if RECONSTRUCTED in da.attrs}
    rest = {title: da for title, da in files.items() if title not in made}
    seen = [
        title for title, da in rest.items() if SENSOR in da.attrs and (len(files) > 1 or truth is not None or scale)
    ]
    if lowres is None and seen:
        lowres = rest.pop(seen[0])
    if not made and (truth is not None or lowres is not None):
        made, rest = rest, {}
    elif not made and scale and len(rest) == 1:
        (truth,), rest = rest.values(), {}
    single = "Reconstructed" if len(made) == 1 else None
    inputs = [("reconstructed", single or own, _made_by(da), da) for own, da in made.items()]
    inputs += [("sequence", own, str(da.attrs.get("source", "")), da) for own, da in rest.items()]
    inputs += [("truth", "Truth", "the file given", truth)] if truth is not None else []
    inputs += [("layer", own, str(da.attrs.get("long_name", "")), da) for own, da in (layers or {}).items()]
    scale = _scale(name, [da for *_, da in inputs], lowres, scale)
    inputs += [("lowres", "Lowres", "the file given", lowres)] if lowres is not None else []
    try:
        aligned, factors = align_grids([da for *_, da in inputs], [title for _, title, *_ in inputs], scale)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    rows, columns = max(da.shape[-2:] for da, factor in zip(aligned, factors, strict=True) if factor == 1)
    finer = scale or 1 if all(role == "lowres" for role, *_ in inputs) else 1  # than the finest sequence is the grid
    main, panels = aligned[0], list[Panel]()
    for (role, title, note, _), da, factor in zip(inputs, aligned, factors, strict=True):
        same = sum(panel.role == role for panel in panels)
        key = title if role == "layer" else f"{role}-{same + 1}" if same else role
        panel, *together = _panels((key, role, title, note), da, factor * finer, main["time"].values)
        if role in ("truth", "lowres") and not panel.present.any():
            raise InputError(f"{name}: {title} has no frame at the times of the other files; name the same hours.")
        panels += [panel, *together]
    if scale:
        panels += _computed(panels, next(iter(made.values())).attrs if made else {}, scale)
    panels.sort(key=lambda panel: ORDER.index(panel.role))
    scene = Scene(name, main, (rows * finer, columns * finer), tuple(panels))
    turn = turn_of(*aligned)
    return scene if turn == STORED else _turned(scene, turn)


def _turned(scene: Scene, turn: Turn) -> Scene:
    """Return a scene with north up, of whole pixels of every panel, which share a corner after the turn as before."""
    shape = common_size([panel.shape for panel in scene.panels], [panel.scale for panel in scene.panels])

    def turned(panel: Panel) -> Panel:
        height, width = (side // panel.scale for side in shape)
        return replace(
            panel,
            shape=(height, width),
            read=lambda time, member: panel.read(time, member)[:height, :width][turn],
        )

    finer = scene.shape[0] // scene.main.sizes["y"]
    main = scene.main[..., : shape[0] // finer, : shape[1] // finer][(..., *turn)]
    return Scene(scene.name, main, shape, tuple(turned(panel) for panel in scene.panels))


def _panels(
    names: tuple[str, str, str, str], da: xr.DataArray, scale: int, times: NDArray[np.datetime64]
) -> list[Panel]:
    """Return a sequence as a panel, matched by time, and those of its members together if it is a reconstruction's.

    Of frames with equal times it uses the first.
    """
    key, role, title, _ = names
    numbers = _numbers(times, da["time"].values)
    labels = tuple(member_names(da))
    members = Members(members_of(da))
    common = ((da.sizes["y"], da.sizes["x"]), scale, numbers >= 0)
    panel = Panel(
        *names, *common, lambda time, member: members.frame(int(numbers[time]), member), labels, dict(da.attrs)
    )
    if role == "layer":
        named, hidden = layer_title(title), hidden_at_first(title)
        return [replace(panel, title=named, quantity=quantity_of(da), hidden=hidden, attrs={})]
    if len(labels) < 2 or role not in ("reconstructed", "sequence"):
        return [panel]
    of, suffix = f"of the {len(labels)} members of {title.lower()}", key.removeprefix(role)
    spread = Panel(
        *(f"spread{suffix}", "spread", "Spread", f"standard deviation {of}"),
        *(*common, lambda time, _: members.spread(int(numbers[time]))),
        quantity="spread",
    )
    probability = Panel(
        *(f"probability{suffix}", "probability", "Probability", f"share {of} that are colder"),
        *(*common, lambda time, place: members.probability(int(numbers[time]), THRESHOLDS[place])),
        quantity="probability",
        thresholds=tuple(THRESHOLDS),
    )
    return [panel, spread, probability]


def _numbers(times: NDArray[np.datetime64], own: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Return the number of a sequence's frame at each time of the scene; -1 if there is none."""
    if np.array_equal(own, times):
        return np.arange(len(own))
    numbers = np.full(len(times), -1)
    matched, frames = pair_times(times, own, tolerance_between([times, own]))
    numbers[matched] = frames
    # If a time of the scene occurs twice, both show the same frame.
    _, first = np.unique(times, return_index=True)
    return numbers[first[np.searchsorted(times[first], times)]]


def _computed(panels: list[Panel], sensor: Mapping[Any, Any], scale: int) -> list[Panel]:
    """Return the lowres panel, if no file holds it and the sensor is known, and its bicubic interpolation."""
    from tempogan_eddy.evaluation.baselines import bicubic

    first = {panel.role: panel for panel in reversed(panels)}
    computed, low, kind = list[Panel](), first.get("lowres"), sensor.get(SENSOR)
    if low is None and "truth" in first:
        computed.append(_seen(first["truth"], f"{kind or 'area'} sensor on the truth", sensor, scale))
    elif low is None and "reconstructed" in first and kind == "area" and not sensor.get("sensor_model_noise_kelvin"):
        computed.append(_seen(first["reconstructed"], "block mean of the reconstruction", sensor, scale))
    low = low or next(iter(computed), None)
    if low is not None:
        see, shape = low.read, (low.shape[0] * scale, low.shape[1] * scale)
        note = f"interpolated from the lowres, {scale} times finer"
        computed.append(
            Panel(
                *("bicubic", "bicubic", "Bicubic", note, shape, 1, low.present),
                lambda time, member: bicubic(see(time, member), scale),
                low.members,
            )
        )
    return computed


def _seen(highres: Panel, note: str, sensor: Mapping[Any, Any], scale: int) -> Panel:
    """Return a lowres panel: the first member of a panel through the sensor model."""
    see, shape = _sensor(sensor, scale), (highres.shape[0] // scale, highres.shape[1] // scale)
    return Panel(
        *("lowres", "lowres", "Lowres", note, shape, scale, highres.present), lambda time, _: see(highres.read(time, 0))
    )


def _scale(name: str, highres: list[xr.DataArray], lowres: xr.DataArray | None, asked: int | None) -> int | None:
    """Return the scale between the lowres and the highres grid; None if neither a file nor the user states it."""
    stated = highres[0].attrs.get("scale") if highres and RECONSTRUCTED in highres[0].attrs else None
    if highres and lowres is not None:
        stated = round(highres[0].sizes["y"] / lowres.sizes["y"])
        if stated < 2:
            raise InputError(f"{name}: the lowres has as many pixels as the other files; name a coarser one.")
    if asked and stated and asked != int(stated):
        raise InputError(f"{name} is {int(stated)} times finer than its lowres, not {asked}; leave out --scale.")
    scale = int(stated or asked or 0)
    return scale if scale > 1 else None


def _sensor(attrs: Mapping[str, object], scale: int) -> Callable[[Kelvins], Kelvins]:
    """Return the sensor model that the attributes of a reconstruction record, without noise; default area mean."""
    from tempogan_eddy.dataset.sensor import SensorModel  # torch is slow to import
    from tempogan_eddy.evaluation.baselines import observe

    sensor = SensorModel.from_attributes(attrs, scale)
    return lambda frame: observe(frame, sensor)


def _made_by(da: xr.DataArray) -> str:
    model = da.attrs.get(f"{MADE}model")
    return f"model {model}" if model else "the file given"
