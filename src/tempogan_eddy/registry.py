"""Registries of parts that other packages can add: formats of sequences and sensor models.

A package adds a part with `Registry.register`, or with an entry point, which the command line finds too. Names are
known without importing anything; a part is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from tempogan_eddy.errors import InputError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from tempogan_eddy.dataset.sensor import SensorModel
    from tempogan_eddy.io.format import Format

__all__ = ["FORMATS", "SENSORS", "Registry"]

Part = TypeVar("Part")


class Registry(Mapping[str, Part], Generic[Part]):
    """Parts by name: those of this package, those of entry points, and those that were registered.

    `kind` names a part in messages, `group` is that of the entry points, and `built_in` holds ``module:attribute`` by
    name.
    """

    def __init__(self, kind: str, group: str, built_in: Mapping[str, str]) -> None:
        self.kind, self.group, self._built_in = kind, group, built_in
        self._parts: dict[str, Part] = {}

    @cached_property
    def _unloaded(self) -> dict[str, EntryPoint]:
        """Entry points by name, those of this package last."""
        from importlib.metadata import EntryPoint, entry_points

        ours = {name: EntryPoint(name, value, self.group) for name, value in self._built_in.items()}
        return {entry.name: entry for entry in entry_points(group=self.group) if entry.name not in ours} | ours

    def register(self, name: str, part: Part) -> None:
        """Add a part; raise ValueError if there is a part of this name already."""
        if name in list(self):
            raise ValueError(f"There is a {self.kind} {name!r} already; choose another name.")
        self._parts[name] = part

    def __getitem__(self, name: str) -> Part:
        """Return a part, or raise `InputError` with the known names."""
        if name not in self._parts:
            if name not in self._unloaded:
                raise InputError(f"Unknown {self.kind} {name!r}; use one of {', '.join(self)}.")
            self._parts[name] = self._unloaded[name].load()
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, those that other packages added first."""
        return iter([*(name for name in self._parts if name not in self._unloaded), *self._unloaded])

    def __len__(self) -> int:
        """Return the number of parts."""
        return sum(1 for _ in self)


FORMATS: Registry[Format] = Registry(
    "format",
    "tempogan_eddy.formats",
    {
        "digital-typhoon": "tempogan_eddy.io.formats.digital_typhoon:DIGITAL_TYPHOON",
        "png": "tempogan_eddy.io.formats.png:PNG",
        "netcdf": "tempogan_eddy.io.formats.netcdf:NETCDF",
        "zarr": "tempogan_eddy.io.formats.zarr:ZARR",
    },
)
"""Formats by name; the first that recognises a file opens it."""

SENSORS: Registry[type[SensorModel]] = Registry(
    "sensor",
    "tempogan_eddy.sensors",
    {
        "area": "tempogan_eddy.dataset.separable_sensors:AreaSensor",
        "bicubic": "tempogan_eddy.dataset.separable_sensors:BicubicSensor",
        "box": "tempogan_eddy.dataset.separable_sensors:BoxSensor",
        "gaussian": "tempogan_eddy.dataset.separable_sensors:GaussianSensor",
        "nearest": "tempogan_eddy.dataset.separable_sensors:NearestSensor",
    },
)
"""Classes of sensor models by kind."""
