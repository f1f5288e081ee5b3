"""The files on the command line as scenes, each opened on its first request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import select_time
from tempogan_eddy.io.format import StoredSequence
from tempogan_eddy.io.open import choose, find_sequences
from tempogan_eddy.io.reading import ReaderOptions
from tempogan_eddy.viewer.scene import Scene, build_scene

__all__ = ["Catalog", "Request"]

Opener = Callable[[], xr.DataArray]


@dataclass(frozen=True)
class Request:
    """Files to view and how to read them.

    Attributes
    ----------
    files : sequence of Path
        Reconstructions, or any sequences; files of the same storm form one scene.
    truth, lowres : Path, optional
        May hold many storms; the storms of the files are used.
    scale : int, optional
        How many times finer than the lowres, if no file states it.
    storm, time, time_tolerance : str, optional
        One storm of several, and an interval and a tolerance as for `select_time`.
    options : ReaderOptions
        As for `open_sequence`; a variable is one of the truth, if given.
    """

    files: Sequence[Path]
    truth: Path | None = None
    lowres: Path | None = None
    scale: int | None = None
    storm: str | None = None
    time: str | None = None
    time_tolerance: str | None = None
    options: ReaderOptions = field(default_factory=ReaderOptions)


class Catalog:
    """Scenes by number.

    Raises
    ------
    InputError
        A file is missing or no sequence. Each of several scenes reports its errors when it is opened.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._groups = self._find()
        self._scenes: dict[int, Scene] = {}
        self._lock = threading.Lock()
        if len(self._groups) == 1:
            self.scene(0)

    @property
    def names(self) -> list[str]:
        """Names of the storms."""
        return list(self._groups)

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
            found = find_sequences(path, **self._options(named=self.request.truth is None))
            if self.request.storm and len(found) > 1:
                found = {self.request.storm: choose(found, self.request.storm, path)}
            for name, stored in found.items():
                opener = self._opener(stored)
                storm = name if len(found) > 1 else str(opener().attrs["sequence"])
                titles = groups.setdefault(storm, {})
                title = path.stem if len(found) == 1 else path.name
                if title in titles:
                    title = str(path)
                titles[title] = opener
        return groups

    def _opener(self, stored: StoredSequence) -> Opener:
        @cache
        def open_once() -> xr.DataArray:
            da = stored.open(**self._options(named=self.request.truth is None))
            return select_time(da, self.request.time, self.request.time_tolerance)

        return open_once

    def _build(self, name: str) -> Scene:
        request = self.request
        return build_scene(
            name,
            {title: opener() for title, opener in self._groups[name].items()},
            truth=self._companion(request.truth, name, named=True),
            lowres=self._companion(request.lowres, name, named=False),
            scale=request.scale,
        )

    def _companion(self, path: Path | None, name: str, *, named: bool) -> xr.DataArray | None:
        """Open the sequence of a storm at a path, if given; a single sequence may have any name."""
        if path is None:
            return None
        found = find_sequences(path, **self._options(named=named))
        stored = choose(found, None if len(found) == 1 else self.request.storm or name, path)
        return stored.open(**self._options(named=named))

    def _options(self, *, named: bool) -> ReaderOptions:
        options = self.request.options
        return options if named else ReaderOptions(**{**options, "variable": None})
