"""The command sensor: estimate the sensor that saw lowres frames."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tempogan_eddy.cli import options
from tempogan_eddy.cli.files import read
from tempogan_eddy.wording import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempogan_eddy.dataset.sensor_comparison import SensorComparison
    from tempogan_eddy.dataset.sensor_estimate import SensorEstimate

__all__ = ["sensor"]

# Transfer function at the lowres Nyquist frequency, along y and x, below which frames may be interpolated: by cubic
# interpolation to a grid 1.5 times as fine it is 0.01 to 0.04; of SEVIRI, the widest preset, 0.21.
INTERPOLATED = 0.15


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
