"""Options that several commands share, so that one name means one thing everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from tempogan_eddy.missing import refuse_missing
from tempogan_eddy.registry import FORMATS

if TYPE_CHECKING:
    from tempogan_eddy.config import Config
    from tempogan_eddy.config_data import DataConfig

DEFAULT_CONFIG = Path("configs/config.json")


def existing(named: Any) -> Any:
    """Refuse a path, or one of several, that does not exist, before the seconds that heavy imports take."""
    refuse_missing([named] if isinstance(named, Path) else named or [])
    return named


if TYPE_CHECKING:
    FormatName: TypeAlias = str
else:  # what the user has installed; typer takes the choices from the type
    FormatName = Literal[tuple(FORMATS)]

Input = Annotated[
    list[Path],
    typer.Argument(
        metavar="IN...",
        callback=existing,
        help="NetCDF, HDF5, Zarr, PNG or Digital Typhoon frames, a folder of these, or a pattern in quotes; "
        "files that continue each other are one sequence.",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where to write; the suffix decides the format.")]
Format = Annotated[
    FormatName | None, typer.Option("--format", help="Format of the output, where its suffix does not tell.")
]
InputFormat = Annotated[
    FormatName | None, typer.Option("--input-format", help="Format of the input, where it is not recognised.")
]
Scale = Annotated[int | None, typer.Option("--scale", min=2, max=64, help="How many times finer, where no file tells.")]
Sensor = Annotated[
    str | None,
    typer.Option(
        "--sensor",
        help="How the instrument sees: a preset (`tempogan-eddy sensors` lists them), or a form: "
        "gaussian,fwhm=1.0; else as configured.",
        autocompletion=lambda: sensor_names(),
    ),
]
Storm = Annotated[str | None, typer.Option("--storm", help="Which storm, where the input holds several.")]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        help="Only these times: START/END in ISO 8601, both included; T01 is the whole hour, .. an open end.",
    ),
]
Variable = Annotated[
    str | None, typer.Option("--variable", help="Variable of a NetCDF or Zarr input, where several fit.")
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="NAME=VALUE",
        help="One of several along a dimension of a NetCDF or Zarr input: band=13, or member=2 (may be repeated).",
    ),
]
TimeName = Literal["auto", "attributes", "name"]
TimeFrom = Annotated[
    TimeName | None,
    typer.Option("--time-from", help="Source of the time of a single frame; else as configured (auto)."),
]
ColourName = Literal["grey", "bd", "infrared", "viridis"]
Colours = Annotated[
    ColourName,
    typer.Option("--colours", "--colors", help="Palette: grey, bd (the Dvorak BD curve), infrared, viridis."),
]
Credit = Annotated[str, typer.Option("--credit", help="Source of the data, printed at the foot.")]
Lowres = Annotated[
    list[Path] | None,
    typer.Option(
        "--lowres",
        callback=existing,
        help="Lowres frames of another instrument, instead of simulated ones (may be repeated).",
    ),
]
ConfigPath = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file; configs/config.json where that exists.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Override, e.g. --set training.epochs=20 (may be repeated).")
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace what is there even where no command wrote it: any file, and a folder of the same format; "
        "never the input.",
    ),
]
Packed = Annotated[
    bool, typer.Option("--packed", help="Store 16 bits in steps of 0.01 K (NetCDF, Zarr); else rounded to 0.001 K.")
]
Exact = Annotated[bool, typer.Option("--exact", help="Store every bit of float32 (NetCDF, Zarr).")]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="WHERE",
        help="Workers: threads:N, local:N processes, or a Dask scheduler's tcp://HOST:PORT; frames go to Zarr or PNG.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def model_names() -> list[str]:
    """Return names for the completion of the shell, which completes files where none matches."""
    from tempogan_eddy.released import RELEASED

    return list(RELEASED)


def sensor_names() -> list[str]:
    """Return the presets, for the completion of the shell."""
    from tempogan_eddy.dataset.sensor_presets import PRESETS

    return list(PRESETS)


def one_of(*names: str) -> Callable[[], list[str]]:
    """Complete an option in the shell; the command checks its value."""
    return lambda: list(names)


def precision_name(packed: bool, exact: bool) -> str:
    """Return the precision that two options choose."""
    from tempogan_eddy.errors import InputError

    if packed and exact:
        raise InputError("Values are either packed or exact; give --packed or --exact.")
    return "packed" if packed else "exact" if exact else "rounded"


def reading(
    config: Path | None,
    overrides: list[str] | None,
    *others: str,
    variable: str | None = None,
    select: list[str] | None = None,
    time_from: TimeName | None = None,
) -> DataConfig:
    """Return how a command reads data; refuse to override a key that it does not use, which are `others` too."""
    from tempogan_eddy.config_data import READER_KEYS
    from tempogan_eddy.errors import InputError

    used = [f"data.{key}" for key in (*READER_KEYS, "time_tolerance", *others)]
    checked = settings(config, overrides, variable=variable, select=select, time_from=time_from)
    for text in overrides or []:
        key = text.partition("=")[0].strip()
        if key not in used:
            raise InputError(f"--set {key} changes nothing in this command; leave it out, or set {', '.join(used)}.")
    return checked.data


def settings(
    config: Path | None,
    overrides: list[str] | None,
    data: list[Path] | None = None,
    *,
    sensor: str | None = None,
    lowres: list[Path] | None = None,
    variable: str | None = None,
    select: list[str] | None = None,
    time_from: TimeName | None = None,
) -> Config:
    """Return the configuration of a command: the file named, else configs/config.json, else the defaults.

    ``data`` takes the place of ``training.data_root`` and ``data.pairs.highres``, ``lowres`` that of
    ``data.pairs.lowres``; the others that of the key of their name.
    """
    from tempogan_eddy.config import SensorConfig, load_config

    if lowres:
        named = [str(path) for path in lowres]
        overrides = [*(overrides or []), f"data.pairs.lowres={json.dumps(named if len(named) > 1 else named[0])}"]
    checked = load_config(config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None), overrides)
    if data:
        checked.training.data_root = str(data[0]) if len(data) == 1 else [str(path) for path in data]
        if checked.data.pairs:
            checked.data.pairs.highres = None
    if sensor is not None:
        from tempogan_eddy.dataset.sensor import SensorModel

        checked.sensor = SensorConfig.model_validate(SensorModel.parse(sensor).section())
        if checked.data.pairs:
            checked.data.pairs.sensor_known = True
    if variable is not None:
        checked.data.variable = variable
    if select:
        from tempogan_eddy.io.variables.selection import parse_selection

        checked.data.select = {**checked.data.select, **parse_selection(select)}
    if time_from is not None:
        checked.data.time_from = time_from
    return checked
