"""Write a sequence in the layout of the Digital Typhoon dataset."""

import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from tempogan_eddy.errors import InputError
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.files.names import safe_name
from tempogan_eddy.io.files.netcdf_lock import NETCDF_LOCK
from tempogan_eddy.io.formats.digital_typhoon.frames import UNKNOWN_SATELLITE
from tempogan_eddy.io.formats.digital_typhoon.track import TRACK, read_metadata
from tempogan_eddy.io.ownership import MARK, Kind, check_place, hdf5_is_ours, mark_attributes, refuse_to_replace_input
from tempogan_eddy.io.pipeline import write_frames
from tempogan_eddy.io.unread import UNREADABLE, recorded, report_unread
from tempogan_eddy.io.values.precision import STATED

__all__ = ["check_basin", "write_digital_typhoon"]

log = logging.getLogger(__name__)

WIND_RADII = ("dir50", "long50", "short50", "dir30", "long30", "short30")
COLUMNS = (
    *("year", "month", "day", "hour", "grade", "lat", "lng", "pressure", "wind"),
    *(*WIND_RADII, "landfall", "intp", "file_1", "mask_1", "mask_1_pct"),
)


KIND = Kind.of_frames("a folder of Digital Typhoon frames", ".h5", lambda path: hdf5_is_ours(path, "sequence"))


def check_basin(da: xr.DataArray, basin: Path, overwrite: bool, sources: Iterable[Path]) -> None:
    """Refuse a folder that is no basin, and to replace a sequence in it that this package did not write."""
    refuse_to_replace_input(basin, sources)
    if basin.exists() and not (basin.is_dir() and (not any(basin.iterdir()) or (basin / "image").is_dir())):
        raise InputError(f"{basin} exists and is no Digital Typhoon basin (a folder with image/); name another place.")
    sequence = _folder_name(da)
    images = basin / "image" / sequence
    check_place(images, KIND, overwrite=overwrite, sources=sources)
    if overwrite or (images.is_dir() and any(images.iterdir())):
        return
    table, entries = basin / "metadata" / f"{sequence}.csv", read_metadata(basin)
    if os.path.lexists(table) or sequence in entries:
        found = table if os.path.lexists(table) else f"{basin / 'metadata.json'}, entry {sequence},"
        raise InputError(
            f"{found} exists and belongs to no sequence that TempoGAN-Eddy wrote; name another basin, or replace it "
            "with --overwrite (in Python: overwrite=True)."
        )


def write_digital_typhoon(
    da: xr.DataArray, basin: Path, on_frame: Callable[[int], None], *, overwrite: bool = False
) -> None:
    """Add a sequence to a basin folder: its HDF5 frames, its best-track table and its entry in metadata.json.

    Frames are float32 under the key ``Infrared``, NaN where missing. ``attrs["sequence"]``, as a safe file name, names
    their folder; call `check_basin` first. The layout holds no grid: leave out coordinates other than
    times, satellite and best track with a warning, and keep only the letters and digits of a satellite's name. Raise
    InputError if a time is not a whole hour: the file names hold hours only.
    """
    sequence = _folder_name(da)
    names = _file_names(da, sequence)
    if left_out := sorted({str(name) for name in da.coords} - {"time", "satellite", *TRACK}):
        log.warning("The Digital Typhoon layout holds no %s; left out.", ", ".join(left_out))
    attrs = {key: value for key, value in da.attrs.items() if key not in (*STATED, MARK)}
    attrs |= mark_attributes("sequence", str(attrs.get("history", "")))
    with (
        written_aside(basin / "metadata.json", None) as metadata,
        written_aside(basin / "metadata" / f"{sequence}.csv", None) as table,
        written_aside(basin / "image" / sequence, KIND, overwrite=overwrite) as images,
    ):
        images.mkdir()
        missing = []

        def add(number: int, frame: np.ndarray) -> None:
            _write_frame(images / names[number], frame, attrs)
            missing.append(int(np.isnan(frame).sum()))

        unread = write_frames(da, add, on_frame)
        for one in unread:
            for number in np.flatnonzero(da["time"].values == one.time):
                noted = {**attrs, UNREADABLE: recorded(attrs, [one])}
                _write_frame(images / names[number], np.full(da.shape[-2:], np.nan, np.float32), noted)
        report_unread(sequence, unread, len(names))
        _write_table(table, da, names, missing)
        _write_metadata(metadata, basin, sequence, da)


def _folder_name(da: xr.DataArray) -> str:
    """Return the sequence's name as a file name."""
    return safe_name(da.attrs.get("sequence") or da.name or "the sequence")


def _file_names(da: xr.DataArray, sequence: str) -> list[str]:
    """Return the frames' file names; frames of one hour and satellite are numbered from 1."""
    times = pd.DatetimeIndex(da["time"].values)
    if (odd := times != times.floor("h")).any():
        first = times[odd][0].isoformat()
        raise InputError(f"Digital Typhoon file names hold whole hours, not {first}; write NetCDF or Zarr instead.")
    satellites = da["satellite"].values if "satellite" in da.coords else [""] * len(times)
    names: list[str] = []
    for time, satellite in zip(times, satellites, strict=True):
        letters = re.sub(r"[^A-Za-z0-9]", "", str(satellite))
        stem = f"{time:%Y%m%d%H}-{sequence}-{letters or UNKNOWN_SATELLITE}"
        number = 1 + sum(name.startswith(f"{stem}-") for name in names[-100:])
        names.append(f"{stem}-{number}.h5")
    return names


def _write_frame(path: Path, frame: np.ndarray, attrs: dict[Any, Any]) -> None:
    """Write one frame, made in memory: HDF5 may crash the process where a disk is full."""
    content = io.BytesIO()
    # The NetCDF library may share an HDF5 library that is not for several threads.
    with NETCDF_LOCK, h5py.File(content, "w") as file:
        image = file.create_dataset("Infrared", data=frame, compression="gzip", compression_opts=1, shuffle=True)
        image.attrs["long_name"] = "temperature"
        image.attrs["units"] = "kelvin"
        for key, value in attrs.items():
            file.attrs[str(key)] = value
    path.write_bytes(content.getvalue())


def _write_table(path: Path, da: xr.DataArray, names: list[str], missing: list[int]) -> None:
    """Write the best track in the official columns, blank where unknown."""
    times = pd.DatetimeIndex(da["time"].values)
    table = pd.DataFrame(
        {part: getattr(times, part) for part in ("year", "month", "day", "hour")}, columns=list(COLUMNS)
    )
    table[[*WIND_RADII, "landfall", "intp"]] = 0
    table["file_1"], table["mask_1"] = names, missing
    table["mask_1_pct"] = [f"{100 * count / (da.sizes['y'] * da.sizes['x']):.4f}" for count in missing]
    for name, (column, _) in TRACK.items():
        if name in da.coords:
            texts = ["" if np.isnan(value) else repr(float(value)).removesuffix(".0") for value in da[name].values]
            table["mask_1_pct" if column == "mask_pct" else column] = texts
    table.to_csv(path, index=False, lineterminator="\r\n")


def _write_metadata(path: Path, basin: Path, sequence: str, da: xr.DataArray) -> None:
    """Write the basin's metadata.json with this sequence's entry added or replaced."""
    official = re.fullmatch(r"(\d{4})(\d{2})", sequence)
    times = pd.DatetimeIndex(da["time"].values)
    season, number = (official.group(1), official.group(2)) if official else (times[0].year, 0)
    entry = {
        "id": sequence,
        "number": int(da.attrs.get("storm_number") or number),
        "season": int(da.attrs.get("storm_season") or season),
        "name": str(da.attrs.get("storm_name", "")),
        "start": f"{times[0]:%Y-%m-%d}",
        "end": f"{times[-1]:%Y-%m-%d}",
        "images": len(times),
    }
    entries = read_metadata(basin) | {sequence: entry}
    path.write_text(json.dumps(dict(sorted(entries.items())), indent=2) + "\n", encoding="utf-8")
