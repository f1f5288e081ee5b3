"""The packed store: any input as one Zarr v3 store that training reads; `pack_layout` describes it."""

import functools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from tempogan_eddy.config import Config
from tempogan_eddy.dataset.pack_frames import Packing, workers_for
from tempogan_eddy.dataset.pack_layout import (
    COMPLETE,
    LOWRES,
    NEIGHBOURS,
    PAIR,
    create_flow,
    create_kelvin,
    write_links,
)
from tempogan_eddy.dataset.pairs import Pair, open_pairs
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.source import Paths, fingerprint, open_source, paths_of, source_name
from tempogan_eddy.dataset.split import storm_of
from tempogan_eddy.dataset.store import damage_refused
from tempogan_eddy.dataset.windows import link_frames
from tempogan_eddy.distributed import rank
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import restored, written_aside
from tempogan_eddy.io.files.json_text import parse_json, read_bounded
from tempogan_eddy.io.files.names import safe_name
from tempogan_eddy.io.files.zarr_seal import begin_group, seal
from tempogan_eddy.io.formats.zarr import holds_only_zarr
from tempogan_eddy.io.ownership import Kind, check_place
from tempogan_eddy.io.workers import Failures, Workers

__all__ = ["FORMAT", "PACK", "is_pack", "pack", "packed"]

log = logging.getLogger(__name__)

FORMAT = "tempogan-eddy-pack"
LARGEST_HEADER = 16 << 20  # bytes of the JSON that begins a store


def is_pack(path: Path) -> bool:
    """Return whether a path is a packed store."""
    try:
        return bool(parse_json(read_bounded(path / "zarr.json", LARGEST_HEADER))["attributes"]["format"] == FORMAT)
    except (InputError, ValueError, KeyError, TypeError):
        return False


PACK = Kind("a packed store", lambda path: is_pack(path) and holds_only_zarr(path), holds_only_zarr)


def pack(
    source: Paths,
    output: Path,
    config: Config,
    on_frame: Callable[[str, int, int], None] | None = None,
    *,
    overwrite: bool = False,
    workers: int | None = 1,
    dask: Workers | str | None = None,
) -> Path:
    """Write every sequence of ``source`` into one packed store.

    Parameters
    ----------
    source
        Whatever `open_sequences` reads, a folder with ``train``, ``val`` and ``test``, a glob, or a list of such.
    output
        The store; replaced only when complete.
    on_frame
        Called with (storm, frame, frames) after each frame.
    overwrite
        Overwrite even a Zarr store that is no packed store of this package, but never the source.
    workers
        Processes that read, compute and compress; None for one a core, fewer where the data are few. A script that
        asks for several needs ``if __name__ == "__main__":``. The store is the same for every number. What a killed
        run finished is taken over, storm by storm.
    dask
        Who does this in place of such processes: ``threads:N``, ``local:N``, or the address of a Dask scheduler; see
        `Workers`.

    Raises
    ------
    InputError
        Nothing readable is found, or a file is broken. With several workers, the message counts the parts of 32 frames
        that failed, after all others are written.
    """
    output = Path(output)
    if output.suffix != ".zarr":
        raise InputError(f"A packed store is a Zarr store: call the output {output}.zarr instead of {output}.")
    own = config.data.pairs
    sources = [*paths_of(source), *(paths_of(own.lowres) if own else [])]
    check_place(output, PACK, overwrite=overwrite, sources=sources)
    opened = open_source(source, config)
    pairs = open_pairs(opened, config) if own else {}
    storms = {name: (pair.highres, pair.folder) for name, pair in pairs.items()} or opened
    sensor = replace(SensorModel.from_config(config), noise_kelvin=0.0)
    total = sum(sequence.sizes["time"] for sequence, _ in storms.values())
    made_from = fingerprint(source, config, {"pairs": own and own.model_dump()})
    attributes = _attributes(config) | {"source": made_from, "sealed": True}
    continues = functools.partial(_can_go_on, attributes=attributes)
    with (
        Workers.entered(dask or workers_for(total, workers)) as pool,
        written_aside(output, PACK, overwrite=overwrite, continues=continues) as partial,
    ):
        if not partial.exists():
            zarr.open_group(partial, mode="w", zarr_format=3, attributes=attributes)
        done: Counter[str] = Counter()
        for storm, part in _packed(_parts(partial, storms, pairs, sensor, config), pool):
            name, frames = storm.name, storm.sequence.sizes["time"]
            for _ in part:
                done[name] += 1
                if on_frame:
                    on_frame(name, done[name], frames)
            if done[name] == frames:
                zarr.open_group(partial, path=name, mode="r+").attrs[COMPLETE] = True
        for name in zarr.open_group(partial, mode="r").group_keys():
            seal(partial, name)
    return output


def _packed(parts: Iterable[tuple[Packing, range]], workers: Workers | None) -> Iterator[tuple[Packing, range]]:
    """Pack parts here or by workers; yield each when it is written."""
    if workers is None:
        for storm, part in parts:
            storm.pack(part)
            yield storm, part
        return
    failures = Failures()
    for storm, part, outcome in workers.run(Packing.pack, parts):
        if isinstance(outcome, Exception):
            failures.add(f"Frames {part.start + 1} to {part.stop} of {storm.name}", outcome)
        else:
            yield storm, part
    failures.end()


def _parts(
    store: Path,
    storms: dict[str, tuple[xr.DataArray, str]],
    pairs: dict[str, Pair],
    sensor: SensorModel,
    config: Config,
) -> Iterator[tuple[Packing, range]]:
    """Yield what is still to be packed."""
    taken: set[str] = set()
    for name, (sequence, folder) in storms.items():
        group = safe_name(name, taken)
        taken.add(group.lower())
        if not (store / group).is_dir() or COMPLETE not in zarr.open_group(store, path=group, mode="r").attrs:
            storm = _begin_sequence(store, group, sequence, pairs.get(name), folder, sensor, config)
            yield from ((storm, part) for part in storm.parts())


def _can_go_on(left: Path, attributes: dict[str, Any]) -> bool:
    """Return whether an earlier run left a whole storm of the same store."""
    try:
        store = zarr.open_group(left, mode="r")
        return dict(store.attrs) == attributes and any(COMPLETE in storm.attrs for _, storm in store.groups())
    except Exception:  # zarr raises whatever it meets in a store that was cut off
        return False


def packed(source: Paths, config: Config, on_frame: Callable[[str, int, int], None] | None = None) -> Path:
    """Return the packed store of a source: itself if it is one, else a store made once in the cache folder.

    Of the processes of a training run the first packs. The others wait for the store, for any time.

    Raises
    ------
    InputError
        A path does not exist, or the store was packed for another scale, sensor or cadence.
    """
    paths = paths_of(source)
    if len(paths) == 1 and is_pack(paths[0]):
        _check(paths[0], config)
        return paths[0]
    name = paths[0].resolve().name if len(paths) == 1 else ""
    settings, own = _attributes(config), config.data.pairs
    if own:
        settings["lowres"] = fingerprint(own.lowres, config, own.model_dump())
    cached = Path(config.data.cache_dir) / f"{name or 'data'}-{fingerprint(source, config, settings)}.zarr"
    while rank() and not is_pack(cached):
        time.sleep(1)
    if not (restored(cached) and is_pack(cached)):
        log.info("Packing %s into %s (once)", source_name(source), cached)
        pack(source, cached, config, on_frame)
    return cached


def _attributes(config: Config) -> dict[str, Any]:
    """Return the settings that the flow in the store depends on."""
    return {
        "format": FORMAT,
        "format_version": 2,
        "scale": config.scale,
        "sensor": config.sensor.kind,
        "sensor_sigma": 0.0,
        **{f"sensor_{name}": value for name, value in SensorModel.from_config(config).parameters.items()},
        "cadence": config.data.cadence,
        "time_tolerance": config.data.time_tolerance,
    }


def _check(store: Path, config: Config) -> None:
    with damage_refused(store):
        found = dict(zarr.open_group(store, mode="r").attrs)
    # The first version linked neighbours in the file at exactly one cadence, and stored neither their numbers nor a
    # tolerance: `open_storms` finds the same links.
    wanted_attributes = _attributes(config) | ({"format_version": 1} if found.get("format_version") == 1 else {})
    for key, wanted in wanted_attributes.items():
        if found.get(key) != wanted:
            raise InputError(
                f"{store} was packed with {key} = {found.get(key)}, but the configuration says {wanted}; "
                "pack the raw data again with this configuration."
            )


def _begin_sequence(
    store: Path,
    name: str,
    sequence: xr.DataArray,
    pair: Pair | None,
    folder: str,
    sensor: SensorModel,
    config: Config,
) -> Packing:
    """Create the arrays of a storm."""
    lowres = pair.lowres if pair else None
    frames, height, width = sequence.shape
    rows, columns = height // sensor.scale, width // sensor.scale
    if not rows or not columns:
        raise InputError(f"The frames of {name} ({height}x{width}) are smaller than the scale {sensor.scale}.")
    links = link_frames(sequence, config.data.cadence, config.data.time_tolerance)
    coordinates = sequence.coords.to_dataset().assign_attrs(
        split_folder=folder, sequence=name, storm=storm_of(sequence)
    )
    if pair:
        coordinates.attrs[PAIR] = pair.fit.as_json()
    begin_group(coordinates, store, {}, name)
    group = zarr.open_group(store, path=name, mode="r+")
    spatial = [str(key) for key in sequence.coords if key != "time" and {"y", "x"} & set(sequence[key].dims)]
    about = {"standard_name": "brightness_temperature"} | ({"coordinates": " ".join(spatial)} if spatial else {})
    create_kelvin(group, "brightness_temperature", sequence.shape, ["time", "y", "x"], about)
    if lowres is not None:
        about = {"long_name": "the same frames as another instrument saw them"}
        create_kelvin(group, LOWRES, lowres.shape, ["time", "y_low", "x_low"], about)
    write_links(group, links)
    for neighbour in NEIGHBOURS:
        create_flow(group, neighbour, (frames, 2, rows, columns))
    return Packing(store, name, sequence, lowres, links, sensor)
