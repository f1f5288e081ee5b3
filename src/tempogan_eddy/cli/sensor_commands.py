"""Commands on sensors: sensors lists the named ones; sensor estimates the one that saw lowres frames."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tempogan_eddy.cli import options
from tempogan_eddy.cli.files import read
from tempogan_eddy.errors import InputError
from tempogan_eddy.terminal import results_console
from tempogan_eddy.wording import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempogan_eddy.dataset.sensor import SensorModel
    from tempogan_eddy.dataset.sensor_comparison import SensorComparison
    from tempogan_eddy.dataset.sensor_estimate import SensorEstimate
    from tempogan_eddy.dataset.sensor_presets import Preset

__all__ = ["COLUMNS", "row", "sensor", "sensors"]

COLUMNS = ("Name", "Instrument", "Footprint, px", "Noise, K", "Rounding")

# Transfer function at the lowres Nyquist frequency, along y and x, below which frames may be interpolated: by cubic
# interpolation to a grid 1.5 times as fine it is 0.01 to 0.04; of SEVIRI, the widest preset, 0.21.
INTERPOLATED = 0.15


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


def sensor(
    source: options.Input,
    storm: options.Storm = None,
    time: options.Time = None,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    input_format: options.InputFormat = None,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Estimate the sensor that saw lowres frames.

    Width, sampling and noise, from the spectrum of the frames.
    """
    from tempogan_eddy.dataset.sensor import SensorModel
    from tempogan_eddy.dataset.sensor_comparison import compare_sensor
    from tempogan_eddy.dataset.sensor_estimate import estimate_sensor
    from tempogan_eddy.dataset.sensor_names import named_preset, said_of_sensor
    from tempogan_eddy.io.member import refuse_ensemble

    checked = options.settings(config, overrides, variable=variable, select=select, time_from=time_from)
    sequence = read(source, storm, time, input_format, checked.data)
    refuse_ensemble(sequence)
    estimate = estimate_sensor(sequence, checked.scale)
    said, stated = said_of_sensor(sequence), None
    if "sensor_model" in sequence.attrs:
        stated = SensorModel.from_attributes(sequence.attrs, checked.scale)
        said["sensor_model"] = stated.text
    elif preset := named_preset(sequence):
        stated = SensorModel.parse(preset, checked.scale)
        said["preset"] = preset
    known = "recorded" if "sensor_model" in said else "named"
    comparison = compare_sensor(stated, estimate, known) if stated else None
    if as_json:
        print(json.dumps(_facts(estimate, said, comparison), indent=2, default=str))
        return
    for line in _lines(estimate, said, comparison):
        print(line)


def _facts(estimate: SensorEstimate, said: Mapping[str, Any], comparison: SensorComparison | None) -> dict[str, Any]:
    """Return what programs read."""
    found = estimate.sensor is not None
    return {
        "sensor": estimate.sensor.text if estimate.sensor else None,
        "families": list(estimate.families),
        "certainty": estimate.certainty,
        "width_range": [list(ends) for ends in estimate.width_range],
        "transfer_at_nyquist": estimate.transfer[:, 1].tolist() if estimate.transfer is not None else None,
        "transfer_range": estimate.transfer_range.tolist() if estimate.transfer_range is not None else None,
        "noise_kelvin": estimate.noise if found else None,
        "noise_range": list(estimate.noise_range) if found else None,
        "windows": estimate.windows,
        "reason": estimate.reason or None,
        "file": said,
        "file_agrees": comparison.verdict if comparison else None,
    }


def _lines(estimate: SensorEstimate, said: Mapping[str, Any], comparison: SensorComparison | None) -> list[str]:
    """Return what people read."""
    file = "; ".join(f"{key} = {value}" for key, value in said.items()) or "nothing of its sensor"
    lines = [f"file       {file}"]
    if estimate.sensor is None or estimate.transfer_range is None or estimate.transfer is None:
        return [f"cannot decide: {estimate.reason}", *lines]
    lines = [
        f"sensor     {estimate.sensor.text}",
        f"family     {estimate.family}",
        f"certainty  {estimate.certainty} ({count(estimate.windows, 'window')} of the frames)",
        f"width      {_pair(estimate.width_range)} lowres pixels",
        f"transfer   {_pair(estimate.transfer_range)} at the lowres Nyquist frequency",
        f"noise      {estimate.noise:.2f} K ({estimate.noise_range[0]:.2f} to {estimate.noise_range[1]:.2f})",
        *lines,
    ]
    if estimate.transfer[:, 1].max() < INTERPOLATED:
        lines.append("note       interpolated frames look like this: if these were resampled, give the original ones")
    if comparison is not None:
        lines.append(f"agreement  {comparison.message or 'the file and the estimate agree'}")
    return lines


def _pair(ranges: Any) -> str:
    """Return one range, or those along y and along x where they differ."""
    texts = [f"{low:.2f} to {high:.2f}" for low, high in ranges]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} along y, {texts[1]} along x"
