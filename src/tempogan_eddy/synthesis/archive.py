"""A small archive of simulated storms, in any format of this package."""

import logging
import shlex
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from tempogan_eddy.errors import SEEDS, InputError, require_seed, require_whole
from tempogan_eddy.io import save_sequence
from tempogan_eddy.io.aside import require_space, unwritable, written_aside
from tempogan_eddy.io.open import find_sequences
from tempogan_eddy.io.ownership import Kind, check_place, hdf5_is_ours, mark_attributes
from tempogan_eddy.registry import FORMATS
from tempogan_eddy.synthesis.storm import SATELLITE, simulate_storm
from tempogan_eddy.wording import listed

__all__ = ["synthesize"]

log = logging.getLogger(__name__)

FIRST_SEASON, SEASONS, STORMS_A_SEASON = 2000, 60, 3
SUFFIXES = {".zarr": "zarr", ".nc": "netcdf"}
PLACES = {"netcdf": "{name}.nc", "png": "typhoon_{number:03d}", "digital-typhoon": ""}  # others: the name

FLOW = Kind("the flow of a simulated storm", lambda path: hdf5_is_ours(path, "flow"))


def synthesize(
    path: str | Path,
    *,
    storms: int = 6,
    frames: int = 36,
    size: int = 256,
    seed: int = 0,
    format: str | None = None,
    precision: str = "rounded",
    overwrite: bool = False,
    on_frame: Callable[[str, int, int], None] | None = None,
) -> list[str]:
    """Simulate storms and write them, each with its true flow; return their names, ``YYYYNN``.

    The flow goes to ``<path>-flow/<storm>.nc``, beside the archive, which holds only sequences.

    Parameters
    ----------
    path
        ``*.zarr`` for one Zarr store with a group for each storm, ``*.nc`` for a single storm, else a folder.
    storms, frames, size, seed
        Number of storms, of hourly frames in each, and of pixels along their sides; seed of the storms.
    format, precision, overwrite
        As for `save_sequence`, in the folder: ``netcdf`` (the default: a file for each storm), ``zarr``, ``png``
        (``typhoon_001/frame_001.png``) or ``digital-typhoon`` (a basin with its metadata).
    on_frame
        Called with the name of a storm, its frames done and all its frames.
    """
    words: dict[str, Any] = {"-o": path, "--storms": storms, "--frames": frames, "--size": size, "--seed": seed}
    words |= {"--format": format} if format else {}
    flags = [f"--{precision}"] if precision != "rounded" else []
    history = shlex.join(["tempogan-eddy", "synthesize", *map(str, chain(*words.items())), *flags])
    path = Path(path)
    format = _format(path, format)
    seed = require_seed(seed)
    require_whole("storms", storms, 1, SEASONS * 99)
    if path.suffix == ".nc" and storms > 1:
        raise InputError(f"{path} is one file and cannot hold {storms} storms; name a folder, or ask for one storm.")
    if path.exists() and path.is_file() != (path.suffix == ".nc"):
        raise InputError(f"{path} is in the way; remove it, or write to another place.")
    names = [_name(index, storms) for index in range(storms)]
    places = {
        name: path if path.suffix == ".nc" else path / PLACES.get(format, "{name}").format(name=name, number=index + 1)
        for index, name in enumerate(names)
    }
    flows = path.resolve().with_name(f"{path.resolve().stem}-flow")  # resolved, since "." has no name
    for name in names:
        check_place(flows / f"{name}.nc", FLOW, overwrite=overwrite)
    _check_place(path, set(names) if format == "digital-typhoon" else {place.stem for place in places.values()})
    for index, name in enumerate(names):
        storm = simulate_storm(
            seed=(seed * 1000 + index) % SEEDS,
            frames=frames,
            size=size,
            name=name,
            on_frame=None if on_frame is None else partial(on_frame, name),
        )
        log.info("Writing the storm %s to %s", name, places[name])
        sequence = storm["brightness_temperature"]
        if format in ("png", "digital-typhoon"):
            sequence = sequence.drop_vars(["x", "y"])  # these formats have no place for them
        save_sequence(sequence, places[name], format=format, history=history, precision=precision, overwrite=overwrite)
        if format == "zarr":  # make the root of the store, or keep it
            try:
                zarr.open_group(path, mode="a", zarr_format=3)
            except OSError as error:
                raise unwritable(path, error) or error from error
        _save_flow(storm["flow"], flows / f"{name}.nc", history, overwrite)
    return names


def _check_place(path: Path, names: set[str]) -> None:
    """Refuse a place that holds anything but an earlier simulation of the same storms."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        found = find_sequences(path)
    except InputError as error:
        raise InputError(
            f"{path} is in the way ({str(error).rstrip('.')}); remove it, or write to another place."
        ) from error
    if others := sorted(found.keys() - names):
        raise InputError(f"{path} holds other storms ({listed(others, 3)}); remove them, or write to another place.")
    for name, stored in found.items():
        sequence = stored.open()
        if "satellite" not in sequence.coords or (sequence["satellite"] != SATELLITE).any():
            raise InputError(f"{path} holds real storms ({name}); write simulated ones to another place.")


def _format(path: Path, format: str | None) -> str:
    named = SUFFIXES.get(path.suffix)
    if format is not None:
        FORMATS[format]  # raises for an unknown one
    if named and format and named != format:
        raise InputError(f"{path} names the format {named}, not {format}; give a folder, or leave the format out.")
    return format or named or "netcdf"


def _name(index: int, storms: int) -> str:
    """Return the identifier of a storm: its season and its number in that season."""
    season, number = divmod(index, max(STORMS_A_SEASON, -(-storms // SEASONS)))
    return f"{FIRST_SEASON + season}{number + 1:02d}"


def _save_flow(flow: xr.DataArray, path: Path, history: str, overwrite: bool) -> None:
    packing = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -32768, "zlib": True, "complevel": 1}
    dataset = flow.to_dataset().assign_attrs(history=history, **mark_attributes("flow", history))
    with written_aside(path, FLOW, overwrite=overwrite) as place:
        require_space(place, flow.nbytes)
        dataset.to_netcdf(place, engine="netcdf4", encoding={"flow": packing})
