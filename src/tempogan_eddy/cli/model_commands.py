"""Commands around a model: train, reconstruct, export."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tempogan_eddy.cli import options
from tempogan_eddy.cli.making import Asked, Make, make
from tempogan_eddy.cli.progress import storm_progress
from tempogan_eddy.errors import InputError
from tempogan_eddy.missing import refuse_missing
from tempogan_eddy.wording import count

__all__ = ["export", "reconstruct", "train"]


def _existing_storms(paths: list[Path] | None) -> list[Path] | None:
    refuse_missing(paths or [], "make storms to try with `tempogan-eddy synthesize -o storms`")
    return paths


def train(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            callback=_existing_storms,
            help="Data instead of training.data_root (may be repeated).",
        ),
    ] = None,
    sensor: options.Sensor = None,
    lowres: options.Lowres = None,
    highres: Annotated[
        list[Path] | None,
        typer.Option(
            callback=options.existing,
            help="Highres frames of own pairs: with --lowres the same as --data.",
        ),
    ] = None,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    config: options.ConfigPath = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="A checkpoint to continue from, or auto: the last one, or the beginning where there is none."
        ),
    ] = None,
    overrides: options.Overrides = None,
) -> None:
    """Train G, Ds and Dt."""
    from tempogan_eddy.device import keep_freed_memory
    from tempogan_eddy.distributed import quiet, rank, world_size
    from tempogan_eddy.training.checkpoint import (
        claimed_folder,
        find_checkpoint,
        load_checkpoint,
        refuse_earlier_run,
    )
    from tempogan_eddy.training.ensemble import EnsembleTrainer
    from tempogan_eddy.training.trainer import TempoGANTrainer, earlier_model

    if data and highres:
        raise InputError("--data and --highres name the same data; give one of them.")
    data = data or highres
    checked = options.settings(
        config, overrides, data, lowres=lowres, sensor=sensor, variable=variable, select=select, time_from=time_from
    )
    if highres and not checked.data.pairs:
        raise InputError("--highres needs --lowres, the frames of the other instrument; else give --data.")
    quiet()
    folder = Path(checked.training.checkpoint_dir)
    keep_freed_memory()
    with nullcontext() if rank() else claimed_folder(folder):  # data are read for minutes; another run waits
        if not rank():
            if checkpoint := find_checkpoint(resume, folder) if resume else None:
                load_checkpoint(checkpoint, checked)
            else:
                refuse_earlier_run(folder)
                if checked.training.start_from:
                    earlier_model(checked.training.start_from, checked)
        with storm_progress("packing") as advance:
            trainer = (EnsembleTrainer if checked.model.textures else TempoGANTrainer)(checked, advance)
    result = trainer.train(resume_from=resume)
    if rank():
        return
    print(f"{'Stopped' if result.interrupted else 'Finished'} after {count(result.epochs, 'epoch')}.")
    if result.best_model:
        print(f"Best model:      {result.best_model} (score {result.best_score:.4f})")
    if result.checkpoint:
        print(f"Last checkpoint: {result.checkpoint}")
    if result.interrupted and world_size() == 1:  # torchrun would take the code for a failure, and start anew
        raise typer.Exit(130)


def reconstruct(
    context: typer.Context,
    source: options.Input,
    output: options.Output,
    model: Annotated[
        Path,
        typer.Option(
            "--model",
            "-m",
            help="faithful, eddy, ensemble, faithful-2x, a .safetensors model or a .pth checkpoint.",
            autocompletion=options.model_names,
        ),
    ] = Path("eddy"),
    detail: Annotated[
        float | None,
        typer.Option(help="With eddy: from 0 (the mean frame) to 1 (the sharp one); `info eddy` prints its default."),
    ] = None,
    members: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="With an ensemble: how many members to draw; by default its mean."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="With --members: decides their noise; 0 by default.")] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            help="With --members: coherent (by default), which moves with the clouds; white, independent at each time; "
            "or dressing, white noise without a network, as strong as the local spread tells.",
            autocompletion=options.one_of("coherent", "white", "dressing"),
        ),
    ] = None,
    summary: Annotated[
        bool,
        typer.Option(
            "--summary",
            help="With --members: write their mean, spread, probabilities and quantiles in place of them.",
        ),
    ] = False,
    sensor: options.Sensor = None,
    trust_sensor: Annotated[
        bool, typer.Option("--trust-sensor", help="Use the sensor even if the spectrum of the input contradicts it.")
    ] = False,
    storm: options.Storm = None,
    time: options.Time = None,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    format: options.Format = None,
    input_format: options.InputFormat = None,
    tile: Annotated[int, typer.Option(min=1, help="Side of a tile in lowres pixels; smaller takes less memory.")] = 256,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, mps.", autocompletion=options.one_of("auto", "cpu", "cuda", "mps"))
    ] = "auto",
    engine: Annotated[
        str,
        typer.Option(
            help="torch, compiled, onnxruntime, openvino; auto takes the fastest that is installed.",
            autocompletion=options.one_of("auto", "torch", "compiled", "onnxruntime", "openvino"),
        ),
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            help="fp32, bf16; auto takes bf16 where it is fast and changes less than 0.05 K.",
            autocompletion=options.one_of("auto", "fp32", "bf16"),
        ),
    ] = "auto",
    packed: options.Packed = False,
    exact: options.Exact = False,
    dask: options.Dask = None,
    overwrite: options.Overwrite = False,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
) -> None:
    """Reconstruct a lowres sequence at high resolution; of several storms all, into one Zarr store."""
    from tempogan_eddy.fingerprint import network_digest
    from tempogan_eddy.reconstruction import reconstruct as rebuild
    from tempogan_eddy.weights import load_model

    data = options.reading(config, overrides, variable=variable, select=select, time_from=time_from)
    stored = options.precision_name(packed, exact)
    how: dict[str, Any] = {
        "sensor": sensor, "trust_sensor": trust_sensor, "valid_kelvin": data.valid_kelvin, "tile": tile,
        "device": device, "engine": engine, "precision": precision, "packed": stored == "packed", "members": members,
        "seed": seed, "noise": noise,
    }  # fmt: skip

    def prepare() -> tuple[Make, dict[str, object]]:
        loaded = load_model(model, detail)
        made = partial(rebuild, model=loaded, summary=summary, **how)
        return made, {"model_digest": network_digest(loaded.generator), "metadata": loaded.metadata}

    make(Asked.of(context, data, stored), "reconstructing", prepare, summary=summary)


def export(
    model: Annotated[
        Path,
        typer.Argument(
            help="faithful, eddy, a .safetensors model or a .pth checkpoint.", autocompletion=options.model_names
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, NAME.onnx.")],
    detail: Annotated[float | None, typer.Option(help="With eddy: from 0 (faithful) to 1.")] = None,
    sensor: options.Sensor = None,
    size: Annotated[str | None, typer.Option(help="ROWS,COLUMNS of the lowres frames, with most sensors.")] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Write a model as ONNX.

    Kelvin in, kelvin out; frames of any size, or of one size with most sensors.
    """
    from tempogan_eddy.export import export_model
    from tempogan_eddy.io.ownership import refuse_to_replace_input
    from tempogan_eddy.weights import load_model

    refuse_to_replace_input(output, [model])
    loaded = load_model(model, detail)
    sides = _sides(size) if size else None
    export_model(loaded, output, sensor, sides, overwrite=overwrite)
    height, width = map(str, sides or ("h", "w"))
    highres = [str(int(side) * loaded.scale) if sides else f"{loaded.scale}{side}" for side in (height, width)]
    megabytes = output.stat().st_size / 1e6
    print(f"{output}: kelvin (N, 1, {height}, {width}) to kelvin (N, 1, {', '.join(highres)}), {megabytes:.1f} MB")


def _sides(size: str) -> tuple[int, int]:
    """Read ROWS,COLUMNS."""
    parts = size.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise InputError(f"--size is '{size}'; give ROWS,COLUMNS in lowres pixels, e.g. 128,128.")
    return int(parts[0]), int(parts[1])
