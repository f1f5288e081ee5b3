"""Write many sequences into one Zarr store, a group each, so that what a stopped run finished is not made again."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.files.names import safe_name
from tempogan_eddy.io.files.objects import discard
from tempogan_eddy.io.files.zarr_seal import consolidate
from tempogan_eddy.io.format import Writing
from tempogan_eddy.io.formats.zarr import ZARR, zarr_attributes
from tempogan_eddy.io.ownership import FINGERPRINT, mark_attributes
from tempogan_eddy.io.save import described
from tempogan_eddy.io.values.precision import precision_of
from tempogan_eddy.io.workers import Workers
from tempogan_eddy.io.writing.history import with_line
from tempogan_eddy.io.writing.parts import Job, write_jobs

__all__ = ["save_archive"]


def save_archive(
    sequences: Iterable[tuple[str, xr.DataArray, str]],
    path: Path,
    *,
    fingerprint: str,
    history: str,
    precision: str,
    overwrite: bool,
    dask: Workers | str | None,
    on_frame: Callable[[str, int, int], None],
) -> None:
    """Write sequences into one Zarr store; `open_sequences` reads them by name.

    Parameters
    ----------
    sequences
        Name, sequence and fingerprint of each; see `save_sequence`. The next is asked for when there is room for it.
    path, history, precision, overwrite, dask
        As for `save_sequence`.
    fingerprint
        Of what decides the values of all sequences, such as the model.
    on_frame
        Called with (storm, frames done, all frames).

    Raises
    ------
    InputError
        As `save_sequence`.
    """
    line = with_line({}, history)

    def begun(store: Path) -> bool:
        return (store / "zarr.json").exists() and zarr_attributes(store).get(FINGERPRINT) == fingerprint

    with (
        Workers.entered(dask) as workers,
        written_aside(path, ZARR.owns, overwrite=overwrite, continues=begun) as store,
    ):
        if not begun(store):
            about: dict[str, Any] = {"history": line, FINGERPRINT: fingerprint, **mark_attributes("sequence", line)}
            zarr.open_group(store, mode="w", zarr_format=3, attributes=about)
        writing = Writing(precision_of(precision), lambda done: None, workers=workers)
        groups: set[str] = set()
        write_jobs(_jobs(sequences, store, groups, writing, history, on_frame), workers)
        for left in store.iterdir():  # of an earlier run, whose input has gone since
            if left.is_dir() and left.name not in groups:
                discard(left)
        consolidate(store)


def _jobs(
    sequences: Iterable[tuple[str, xr.DataArray, str]],
    store: Path,
    groups: set[str],
    writing: Writing,
    history: str,
    on_frame: Callable[[str, int, int], None],
) -> Iterator[Job]:
    assert ZARR.begin is not None and ZARR.continues is not None
    taken: set[str] = set()
    for name, sequence, fingerprint in sequences:
        group = safe_name(name, taken)
        taken.add(group.lower())
        groups.add(group)
        if (store / group).exists() and not ZARR.continues(store / group, fingerprint):
            discard(store / group)
        da = described(sequence, writing.precision.name, history)

        def count(done: int, name: str = name, frames: int = da.sizes["time"]) -> None:
            on_frame(name, done, frames)

        own = Writing(writing.precision, count, fingerprint=fingerprint, workers=writing.workers)
        yield Job(da, ZARR.begin(da, store / group, own), count)
