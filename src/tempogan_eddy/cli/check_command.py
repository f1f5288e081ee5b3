"""The command check: which files of an archive are usable, which are not, and why."""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tempogan_eddy.cli import options
from tempogan_eddy.cli.progress import frame_progress
from tempogan_eddy.terminal import fact_table, results_console
from tempogan_eddy.wording import count

if TYPE_CHECKING:
    from rich.console import Console

    from tempogan_eddy.checking import Report, SequenceCheck

__all__ = ["check"]

WIDEST = 100  # columns
NARROW = 80


def check(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN...",
            callback=options.existing,
            help="Files, folders or patterns of names.",
        ),
    ],
    all_frames: Annotated[bool, typer.Option("--all", help="Read every frame, not 50 of each sequence.")] = False,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    input_format: options.InputFormat = None,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
    dask: options.Dask = None,
    as_json: options.Json = False,
) -> None:
    """Report which files of an archive are usable, and why not.

    Exit with 1 if a file is not usable.
    """
    from tempogan_eddy.checking import check as look

    data = options.reading(config, overrides, variable=variable, select=select, time_from=time_from)
    with frame_progress("checking") as advance:
        done = itertools.count(1)
        report = look(
            paths,
            format=input_format,
            cadence=data.cadence,
            tolerance=data.time_tolerance,
            every_frame=all_frames,
            options=data.reader_options(),
            progress=lambda *told: advance(next(done)),
            dask=dask,
        )
    if as_json:
        print(json.dumps({"usable": report.usable, **asdict(report)}, indent=2))
    else:
        _print(report)
    if not report.usable:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    console = results_console(width=10_000)  # a name stays whole on its line
    console.width = min(console.width, WIDEST) if console.is_terminal else console.width
    alone = len(report.sequences) == 1
    if alone:
        _print_facts(console, report.sequences[0])
    elif report.sequences:
        _print_table(console, report.sequences)
    line = functools.partial(console.print, markup=False, soft_wrap=True)
    for sequence in report.sequences:
        start = "" if alone else f"{sequence.name}: "
        for note in sequence.notes:
            line(f"{start}{note}")
        for problem in sequence.problems:
            line(f"not usable: {start}{problem}", style="red")
    for entry in report.refused:
        line(f"not usable: {entry.why}", style="red")
    line(_summary(report), style="bold")


def _print_facts(console: Console, sequence: SequenceCheck) -> None:
    times, seen = sequence.times, sequence.seen
    tolerated = f", times tolerated within {times.tolerance}" if times.tolerance else ""
    off = f", off by up to {times.deviation}" if times.deviation else ""
    windows = ", ".join(f"{count} at {cadence}" for cadence, count in times.windows.items())
    interval = f"{sequence.first} to {sequence.last}, every {times.step}" if times.step else sequence.first
    facts = {
        "sequence": f"{sequence.name}, {sequence.format}",
        "frames": f"{sequence.frames} of {sequence.size[0]}x{sequence.size[1]}, {interval}",
        "time source": sequence.time_source,
        "windows": f"{windows or 'none'}{tolerated}{off}",
        "kelvins": f"{_kelvins(sequence)}, {seen.missing:.2%} missing (of {count(seen.looked, 'frame')})",
        "grid spacing": f"{sequence.grid_km:.3g} km" if sequence.grid_km else "unknown",
        "channel": sequence.channel,
        "satellites": ", ".join(f"{name} ({count})" for name, count in times.satellites.items()) or "unknown",
    }
    console.print(fact_table(facts))


def _print_table(console: Console, sequences: list[SequenceCheck]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), header_style="dim", collapse_padding=console.width < NARROW)
    table.add_column("sequence", overflow="fold")
    placed = any(sequence.grid_km for sequence in sequences)
    for name in ("frames", "pixels", "from", "windows", "kelvins", "missing", *(["km"] if placed else [])):
        left, folds = name == "from", name == "windows"  # a number that is folded reads as two
        table.add_column(name, no_wrap=not folds, justify="left" if left else "right", overflow="fold")
    for sequence in sequences:
        table.add_row(
            Text(sequence.name, style="red" if sequence.problems else ""),
            str(sequence.frames),
            f"{sequence.size[0]}x{sequence.size[1]}",
            sequence.first[:10],
            " ".join(f"{cadence}:{count}" for cadence, count in sequence.times.windows.items()),
            _kelvins(sequence),
            f"{sequence.seen.missing:.1%}",
            *([f"{sequence.grid_km:.3g}" if sequence.grid_km else "?"] if placed else []),
        )
    console.print(table)


def _summary(report: Report) -> str:
    usable = sum(not sequence.problems for sequence in report.sequences)
    unusable = len(report.refused) + len(report.sequences) - usable
    frames = sum(sequence.frames for sequence in report.sequences if not sequence.problems)
    satellites = sorted({name for sequence in report.sequences for name in sequence.times.satellites})
    seen_by = f", seen by {', '.join(satellites)}" if satellites else ""
    return (
        f"usable: {count(usable, 'sequence')} of {count(frames, 'frame')}{seen_by}; not usable: {unusable or 'nothing'}"
    )


def _kelvins(sequence: SequenceCheck) -> str:
    kelvins = sequence.seen.kelvins
    return f"{kelvins[0]:.0f}-{kelvins[1]:.0f} K" if kelvins else "none valid"
