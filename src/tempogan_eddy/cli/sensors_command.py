"""The command that lists the named sensors."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tempogan_eddy.cli import options
from tempogan_eddy.errors import InputError
from tempogan_eddy.terminal import results_console

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel
    from tempogan_eddy.dataset.sensor_presets import Preset

__all__ = ["COLUMNS", "row", "sensors"]

COLUMNS = ("Name", "Instrument", "Footprint, px", "Noise, K", "Rounding")


def sensors(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these.", autocompletion=options.sensor_names),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the named sensors, their facts and sources."""
    from rich.table import Table
    from rich.text import Text

    from tempogan_eddy.dataset.sensor_presets import PRESETS

    if unknown := [name for name in names or [] if name not in PRESETS]:
        raise InputError(f"There is no preset {unknown[0]!r}; there are {', '.join(PRESETS)}.")
    chosen = [PRESETS[name] for name in names or PRESETS]
    if as_json:
        print(json.dumps([asdict(preset) for preset in chosen], indent=2, ensure_ascii=False))
        return
    console = results_console(width=80)
    table = Table(*COLUMNS, box=None, padding=(0, 2, 0, 0))
    for preset in chosen:
        table.add_row(*map(Text, row(preset)))
    console.print(table)
    for preset in chosen:
        details = Table.grid(padding=(0, 1))
        details.add_column(style="dim", no_wrap=True, width=9)
        details.add_column(overflow="fold")
        for title, text in (("form", preset.text), ("known", preset.facts), ("assumed", preset.assumed)):
            details.add_row(title, Text(text))
        for number, source in enumerate(preset.sources, 1):
            details.add_row(f"[{number}]".rjust(9), Text(source))
        console.print(Text(f"\n{preset.name}", style="bold"))
        console.print(details)


def row(preset: Preset) -> tuple[str, ...]:
    """Return the `COLUMNS` of a preset."""
    from tempogan_eddy.dataset.sensor import SensorModel

    sensor = SensorModel.parse(preset.text)
    return preset.name, preset.instrument, _footprint(sensor), f"{sensor.noise_kelvin:g}", _rounding(sensor)


def _footprint(sensor: SensorModel) -> str:
    """Return the widths along y and x, in lowres pixels."""
    from tempogan_eddy.dataset.separable_sensors import BoxSensor

    if not isinstance(sensor, BoxSensor):
        return {"area": "1", "nearest": "1 highres"}[sensor.kind]
    width = f"{sensor.width:g}" + (f" x {sensor.width_x:g}" if sensor.width_x is not None else "")
    return f"{width}, blur {sensor.fwhm:g}" if sensor.fwhm else width


def _rounding(sensor: SensorModel) -> str:
    if sensor.bits:
        return f"{sensor.bits} bits"
    if sensor.cold_quantum:
        return f"{sensor.quantum:g} K, cold {sensor.cold_quantum:g} K"
    return f"{sensor.quantum:g} K" if sensor.quantum else "none"
