"""Commands around a model: train, reconstruct, evaluate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tempogan_eddy.cli.data_commands import read, write
from tempogan_eddy.cli.options import (
    ConfigPath,
    Format,
    FormatName,
    Input,
    InputFormat,
    Output,
    Overrides,
    Storm,
    Time,
    settings,
)
from tempogan_eddy.cli.progress import frame_progress, storm_progress
from tempogan_eddy.errors import InputError

__all__ = ["evaluate", "reconstruct", "train"]


def train(
    data: Annotated[
        Path | None, typer.Option("--data", help="Data instead of training.data_root.", show_default=False)
    ] = None,
    config: ConfigPath = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="A checkpoint to go on from, or auto.", show_default=False)
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Train G, Ds and Dt."""
    from tempogan_eddy.training.checkpoint import find_checkpoint, load_checkpoint
    from tempogan_eddy.training.trainer import TempoGANTrainer

    checked = settings(config, overrides, data)
    if resume:
        # Before data are read, which can take minutes.
        load_checkpoint(find_checkpoint(resume, Path(checked.training.checkpoint_dir)), checked)
    with storm_progress("packing") as advance:
        trainer = TempoGANTrainer(checked, advance)
    result = trainer.train(resume_from=resume)
    print(f"{'Stopped' if result.interrupted else 'Finished'} after {result.epochs} epochs.")
    if result.best_model:
        print(f"Best model:      {result.best_model} (score {result.best_score:.4f})")
    if result.checkpoint:
        print(f"Last checkpoint: {result.checkpoint}")
    if result.interrupted:
        raise typer.Exit(130)


def reconstruct(
    source: Input,
    output: Output,
    model: Annotated[
        Path, typer.Option("--model", "-m", help="faithful, eddy, a .safetensors model or a .pth checkpoint.")
    ] = Path("eddy"),
    detail: Annotated[
        float | None,
        typer.Option(help="With eddy: from 0 (faithful) to 1 (all the tempoGAN adds).", show_default=False),
    ] = None,
    storm: Storm = None,
    time: Time = None,
    format: Format = None,
    input_format: InputFormat = None,
    tile: Annotated[int, typer.Option(min=1, help="Side of a tile in coarse pixels; smaller takes less memory.")] = 256,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    engine: Annotated[
        str, typer.Option(help="torch, onnxruntime, openvino; auto takes the fastest that is installed.")
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="fp32, bf16; auto takes bf16 where it is fast and changes less than 0.05 K.")
    ] = "auto",
    config: ConfigPath = None,
    overrides: Overrides = None,
) -> None:
    """Rebuild the fine detail of a coarse sequence."""
    from tempogan_eddy.device import choose_device
    from tempogan_eddy.reconstruction import reconstruct as rebuild
    from tempogan_eddy.weights import load_model

    loaded = load_model(model, detail)
    sequence = read(source, storm, time, input_format, settings(config, overrides).data)
    fine = rebuild(sequence, loaded, tile=tile, device=choose_device(device), engine=engine, precision=precision)
    write(fine, output, format, "reconstructing")
    print(f"{output}: {fine.sizes['time']} frames of {fine.sizes['y']}x{fine.sizes['x']}")


def evaluate(
    truth: Annotated[Path, typer.Option("--truth", help="The true fine sequence.", show_default=False)],
    reconstructed: Annotated[Path, typer.Option("--reconstructed", help="The reconstruction.", show_default=False)],
    lowres: Annotated[
        Path | None,
        typer.Option("--lowres", help="The coarse input; made from the truth where left out.", show_default=False),
    ] = None,
    storm: Storm = None,
    time: Time = None,
    scale: Annotated[
        int | None,
        typer.Option(min=2, max=64, help="How many times finer, where no file tells.", show_default=False),
    ] = None,
    input_format: Annotated[
        FormatName | None,
        typer.Option("--input-format", help="Format of the truth, where it is not recognised.", show_default=False),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all scores as JSON.", show_default=False)
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write all scores as CSV.", show_default=False)] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", help="Folder for STORM-crops.png and STORM-spectra.png.", show_default=False),
    ] = None,
    baselines: Annotated[bool, typer.Option(help="Score nearest, bicubic and back-projected bicubic too.")] = True,
    config: ConfigPath = None,
    overrides: Overrides = None,
) -> None:
    """Score a reconstruction against the truth, beside simple interpolation."""
    from tempogan_eddy.evaluation import Settings, combine, report
    from tempogan_eddy.evaluation import evaluate as score

    for target in (json_file, csv_file):
        if target is not None and target.exists() and target.suffix.lower() not in {".json", ".csv"}:
            raise InputError(f"{target} exists and is no table of scores; name another file for them.")
    data = settings(config, overrides).data
    results = []
    for name, truth_part, fine, coarse in _pairs(truth, reconstructed, lowres, storm, time, input_format, data):
        with frame_progress(f"evaluating {name}") as advance:
            result = score(
                truth_part,
                fine,
                coarse,
                sensor_scale=scale,
                baselines=baselines,
                cadence=data.cadence,
                settings=Settings(kelvin_range=data.kelvin_range),
                progress=advance,
            )
        results.append(result)
        _print(report.table(result))
        if figures:
            _draw(figures, result, truth_part, fine, coarse)
    if len(results) > 1:
        results.append(combine(results))
        _print(report.table(results[-1]))
    for writer, target in ((report.to_json, json_file), (report.to_csv, csv_file)):
        if target:
            print(writer(results, target))


def _pairs(
    truth: Path,
    reconstructed: Path,
    lowres: Path | None,
    storm: str | None,
    time: str | None,
    truth_format: str | None,
    data: Any,
) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, truth, reconstruction and coarse input of every storm that was reconstructed."""
    from tempogan_eddy.io import open_sequences, select_time
    from tempogan_eddy.io.open import choose, find_sources, open_source

    def within(sequence: Any) -> Any:
        return select_time(sequence, time) if time else sequence

    # The variable's name is the truth's; what this package wrote is found without it.
    ours = data.model_copy(update={"variable": None})
    fines = open_sequences(reconstructed, **ours.reader_options())
    coarses = open_sequences(lowres, **ours.reader_options()) if lowres else None
    # Only those storms of the truth are opened that were reconstructed; it may hold a thousand more.
    truths = find_sources(truth, truth_format)
    alone = len(fines) == 1
    for name in [storm] if storm and not alone else fines:
        fine = choose(fines, name, reconstructed)
        label = storm or str(fine.attrs.get("sequence", name))
        # A truth of one storm needs no name; one of several is found by the name the reconstruction kept.
        wanted = storm or (None if len(truths) == 1 else label)
        whole = open_source(choose(truths, wanted, truth), **data.reader_options())
        coarse = within(choose(coarses, None if alone else name, str(lowres))) if coarses else None
        yield label, within(whole), within(fine), coarse


def _draw(folder: Path, result: Any, truth: Any, fine: Any, coarse: Any) -> None:
    from tempogan_eddy.evaluation import figures

    crops = folder / f"{result.storm}-crops.png"
    print(figures.save_crops(truth, fine, crops, lowres=coarse, time=result.example_time))
    if result.spectra is not None:
        print(figures.save_spectra(result, folder / f"{result.storm}-spectra.png"))


def _print(table: Any) -> None:
    from rich.console import Console

    console = Console()
    # Redirected output has no width of its own.
    (console if console.is_terminal else Console(width=110)).print(table)
