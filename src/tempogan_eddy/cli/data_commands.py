"""Commands on data: coarsen, pack, split, synthesize, info, config."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tempogan_eddy.cli import options
from tempogan_eddy.cli.files import one_or_all
from tempogan_eddy.cli.making import Asked, Make, make
from tempogan_eddy.cli.progress import storm_progress
from tempogan_eddy.errors import InputError
from tempogan_eddy.terminal import fact_table, printable, results_console
from tempogan_eddy.wording import count

__all__ = ["coarsen", "config", "info", "pack", "split", "synthesize"]

LONGEST = 240  # characters of a text among the facts about several sequences


def coarsen(
    context: typer.Context,
    source: options.Input,
    output: options.Output,
    scale: Annotated[
        int | None, typer.Option(min=2, max=64, help="How many times coarser; else as configured.")
    ] = None,
    sensor: options.Sensor = None,
    sigma: Annotated[
        float | None,
        typer.Option(help="Of a gaussian sensor: standard deviation in highres pixels, in place of its own."),
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Standard deviation of added noise, K, in place of that of the sensor.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    storm: options.Storm = None,
    time: options.Time = None,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    format: options.Format = None,
    input_format: options.InputFormat = None,
    packed: options.Packed = False,
    exact: options.Exact = False,
    dask: options.Dask = None,
    overwrite: options.Overwrite = False,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
) -> None:
    """See a sequence with a coarser instrument; of several storms all, into one Zarr store."""
    from tempogan_eddy.dataset.sensor import SensorModel

    precision = options.precision_name(packed, exact)
    checked = options.settings(config, overrides, sensor=sensor, variable=variable, select=select, time_from=time_from)
    given: dict[str, Any] = {"scale": scale, "sigma": sigma, "noise_kelvin": noise}
    given = {name: value for name, value in given.items() if value is not None}
    model = replace(SensorModel.from_config(checked), **given)

    def prepare() -> tuple[Make, dict[str, object]]:
        return partial(model.coarsen, seed=seed), {"sensor_model": model}

    make(Asked.of(context, checked.data, precision), "coarsening", prepare)


def pack(
    source: options.Input,
    output: Annotated[Path, typer.Option("--output", "-o", help="The store, NAME.zarr.")],
    lowres: options.Lowres = None,
    sensor: options.Sensor = None,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes; else one a core, fewer where the data are few.")
    ] = None,
    dask: options.Dask = None,
    overwrite: options.Overwrite = False,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
) -> None:
    """Pack any input into one Zarr store for training.

    The store holds frames, times, masks and lowres flow.
    """
    from tempogan_eddy.dataset.pack import pack as write_pack

    if workers and dask:
        raise InputError("--workers and --dask both say who packs; give one of them.")
    checked = options.settings(
        config, overrides, lowres=lowres, sensor=sensor, variable=variable, select=select, time_from=time_from
    )
    with storm_progress("packing") as advance:
        write_pack(one_or_all(source), output, checked, advance, overwrite=overwrite, workers=workers, dask=dask)
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    print(f"{output}: {size / 1e6:.1f} MB")


def split(
    source: options.Input,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Print which frames train, validate and test."""
    from tempogan_eddy.dataset.source import open_source
    from tempogan_eddy.dataset.split import Entry, describe_split, split_frames, storm_of
    from tempogan_eddy.dataset.windows import find_windows, link_frames, why_no_window
    from tempogan_eddy.io.times.cadence import duration_text, minutes

    checked = options.settings(config, overrides, variable=variable, select=select, time_from=time_from)
    cadence, tolerance = checked.data.cadence, checked.data.time_tolerance
    opened = open_source(one_or_all(source), checked)
    links = {name: link_frames(sequence, cadence, tolerance) for name, (sequence, _) in opened.items()}
    storms = {
        name: Entry(
            sequence["time"].values.astype("datetime64[ns]"),
            folder or None,
            find_windows(links[name]).size > 0,
            storm_of(sequence),
        )
        for name, (sequence, folder) in opened.items()
    }
    off = {name: links[name].deviation(entry.times, cadence) for name, entry in storms.items()}
    parts = describe_split(split_frames(storms, checked.data.split), storms, links)
    if as_json:
        rows = [
            {
                "split": part.split,
                "storm": part.storm,
                "times": minutes(part.times).astype(str).tolist(),
                "windows": part.windows,
                "frames_in_no_window": part.idle,
                "seconds_off_cadence": int(off[part.storm].astype("timedelta64[ns]").astype(int)) / 1e9,
            }
            for part in parts
        ]
        print(json.dumps(rows))
        return
    for part in parts:
        reason = "" if part.windows else f"; {why_no_window({part.storm: part.times}, cadence)}"
        print(f"{part}{reason}")
    for name, deviation in off.items():
        if deviation:
            print(f"{name}: times up to {duration_text(deviation)} off the cadence are tolerated")


def synthesize(
    output: options.Output,
    storms: Annotated[int, typer.Option(min=1, help="How many storms.")] = 6,
    frames: Annotated[int, typer.Option(min=1, help="Hourly frames of each.")] = 36,
    size: Annotated[int, typer.Option(min=32, help="Side of the frames in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of the storms.")] = 0,
    format: options.Format = None,
    packed: options.Packed = False,
    exact: options.Exact = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Simulate storms.

    A vortex with shear and eddies advects, grows and dissolves cloud.
    """
    from tempogan_eddy.synthesis import synthesize as simulate

    with storm_progress("simulating", storms) as advance:
        simulate(
            output,
            storms=storms,
            frames=frames,
            size=size,
            seed=seed,
            format=format,
            precision=options.precision_name(packed, exact),
            overwrite=overwrite,
            on_frame=advance,
        )
    print(f"{output}: {count(storms, 'storm')} of {count(frames, 'frame')}, {size}x{size}")


def info(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN...",
            callback=options.existing,
            help="Data, a model, a checkpoint, or anything a command wrote.",
            autocompletion=options.model_names,
        ),
    ],
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    as_json: options.Json = False,
    config: Annotated[
        bool, typer.Option("--config", help="Print the configuration a model was trained with, for train --config.")
    ] = False,
) -> None:
    """Describe any file or model."""
    from tempogan_eddy.inspection import inspect, is_model

    if config:
        path = paths[0]
        if not is_model(path):
            raise InputError(f"{path} holds no configuration; give a .safetensors model or a .pth checkpoint.")
        from tempogan_eddy.weights import load_model

        print(json.dumps(load_model(path).config, indent=4))
        return
    data = options.settings(None, None, variable=variable, select=select, time_from=time_from).data
    facts = inspect(one_or_all(paths), data.reader_options())
    if as_json:
        print(json.dumps(facts, indent=2, default=str))
        return
    console = results_console()
    for title, rows in facts.items():
        console.print(printable(title), style="bold", markup=False)
        console.print(fact_table(rows if len(facts) == 1 else {name: _shortened(fact) for name, fact in rows.items()}))


def _shortened(fact: Any) -> Any:
    """Return a fact without the rest of a long text, such as a history, which would fill the screen."""
    if not isinstance(fact, str) or len(fact) <= LONGEST:
        return fact
    return f"{fact[:LONGEST].rstrip()} … ({len(fact):,} characters; --json prints all)"


def config(
    source: Annotated[Path | None, typer.Argument(help="The configuration, as with --config.")] = None,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
    describe: Annotated[bool, typer.Option("--describe", help="Say what each key means and allows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs (the default).")] = False,
) -> None:
    """Check and print the configuration, defaults included."""
    if describe and as_json:
        raise InputError("A description is text for people; give --describe or --json.")
    from tempogan_eddy.config_text import describe_config

    checked = options.settings(source or config, overrides)
    print(describe_config(checked) if describe else checked.to_json())
