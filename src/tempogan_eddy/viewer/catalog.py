"""The files on the command line as scenes, each opened on its first request."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import select_time
from tempogan_eddy.io.format import StoredSequence
from tempogan_eddy.io.open import choose, find_sequences, openers
from tempogan_eddy.io.reading import ReaderOptions
from tempogan_eddy.io.variables.selection import require_selection
from tempogan_eddy.viewer.layers import summary_layers
from tempogan_eddy.viewer.scene import Scene, build_scene

__all__ = ["Catalog", "Request"]

Opener = Callable[[], tuple[xr.DataArray, dict[str, xr.DataArray]]]
"""Returns a sequence, and the layers of a summary."""


@dataclass(frozen=True)
class Request:
    """Files to view and how to read them."""

    files: Sequence[Path]  # reconstructions, or any sequences; files of the same storm form one scene
    truth: Path | None = None  # may hold many storms; those of the files are used
    lowres: Path | None = None  # as the truth
    scale: int | None = None  # the scale, if no file states it
    storm: str | None = None  # one storm of several
    time: str | None = None  # an interval, as for `select_time`
    time_tolerance: str | None = None
    options: ReaderOptions = field(default_factory=ReaderOptions)  # a variable is one of the truth, if given


class Catalog:
    """Scenes by number.

    Raise `InputError` if a file is missing or no sequence; each of several scenes raises its errors when it is opened.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._groups = self._find()
        self.names = list(self._groups)
        self._scenes: dict[int, Scene] = {}
        self._lock = threading.Lock()
        if len(self.names) == 1:
            self.scene(0)

    def scene(self, number: int) -> Scene:
        """Open the storm of this number; IndexError where there is none."""
        name = self.names[number]
        with self._lock:
            if number not in self._scenes:
                self._scenes[number] = self._build(name)
            return self._scenes[number]

    def _find(self) -> dict[str, dict[str, Opener]]:
        """Return openers by title, by storm. In a folder of many sequences the name of each is the storm."""
        groups: dict[str, dict[str, Opener]] = {}
        files = self.request.files
        for path in files:
            if sum(path.resolve() == other.resolve() for other in files) > 1:
                raise InputError(f"{path} is named twice; name it once.")
            options = self._options(named=self.request.truth is None)
            found = find_sequences(path, **options)
            if self.request.storm and len(found) > 1:
                found = {self.request.storm: choose(found, self.request.storm, path)}
            whole = openers(found, path, options)
            for name, open_whole in whole.items():
                opener = cache(partial(self._open, found[name], open_whole))
                storm = name if len(whole) > 1 else str(opener()[0].attrs["sequence"])
                titles = groups.setdefault(storm, {})
                title = path.stem if len(whole) == 1 else path.name
                titles[title if title not in titles else str(path)] = opener
        return groups

    def _open(
        self, stored: StoredSequence, open_whole: Callable[[], xr.DataArray]
    ) -> tuple[xr.DataArray, dict[str, xr.DataArray]]:
        whole = open_whole()
        chosen = select_time(whole, self.request.time, self.request.time_tolerance)
        return chosen, summary_layers(stored, whole)

    def _build(self, name: str) -> Scene:
        request = self.request
        opened = {title: opener() for title, opener in self._groups[name].items()}
        layers = [layers for _, layers in opened.values() if layers]
        sequences = {title: sequence for title, (sequence, _) in opened.items()}
        truth = self._companion(request.truth, name, named=True)
        lowres = self._companion(request.lowres, name, named=False)
        beside = [da for da in (truth, lowres) if da is not None]
        require_selection([*sequences.values(), *beside], request.options.get("select", {}))
        return build_scene(
            name,
            sequences,
            truth=truth,
            lowres=lowres,
            scale=request.scale,
            layers=layers[0] if layers else None,
        )

    def _companion(self, path: Path | None, name: str, *, named: bool) -> xr.DataArray | None:
        """Open the sequence of a storm at a path, if given; a single sequence may have any name."""
        if path is None:
            return None
        options = self._options(named=named)
        found = find_sequences(path, **options)
        return choose(found, None if len(found) == 1 else self.request.storm or name, path).open(**options)

    def _options(self, *, named: bool) -> ReaderOptions:
        options = self.request.options
        return options if named else ReaderOptions(**{**options, "variable": None})
