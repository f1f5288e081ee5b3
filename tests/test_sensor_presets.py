"""The named sensors: their table on the command line and in docs/sensors.md, and what their data look like."""

import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from cli_cases import run
from scripts.docs_pages import presets as presets_page
from tempogan_eddy.cli.sensor_commands import COLUMNS, row
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_presets import PRESETS
from tempogan_eddy.registry import SENSORS

PAGE = Path(__file__).parents[1] / "docs" / "sensors.md"


def as_markdown():
    """Return the table as the page holds it; print this and paste it if the presets changed."""
    lines = ["| " + " | ".join((*COLUMNS, "Form")) + " |", "| " + " | ".join(["---"] * (len(COLUMNS) + 1)) + " |"]
    for preset in PRESETS.values():
        name, *others = row(preset)
        lines.append("| " + " | ".join([f"`{name}`", *others, f"`{preset.text}`"]) + " |")
    return "\n".join(lines)


def test_the_page_holds_the_presets_as_they_are():
    assert as_markdown() in PAGE.read_text(), as_markdown()


def test_the_site_tells_what_is_known_and_assumed_of_every_preset():
    page = presets_page()
    for preset in PRESETS.values():
        section = page.partition(f"## {preset.name}\n")[2].partition("\n## ")[0]
        assert f"`{preset.text}`" in section
        assert f"Known: {preset.facts}. **Assumed**: {preset.assumed}." in section
        assert all(f"- [{number}] {source}." in section for number, source in enumerate(preset.sources, 1))


def test_the_forms_on_the_page_are_read():
    forms = re.findall(r"--sensor ([a-z][^\s`]*)", PAGE.read_text()) + re.findall(
        r"^\| `(\w+,[^`]*)`", PAGE.read_text(), re.M
    )
    assert len(forms) > 5
    for form in forms:
        SensorModel.parse(form)


def test_the_page_explains_every_key_with_its_limits():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    for kind in SENSORS:
        assert any(line.startswith(f"| `{kind}") for line in rows)
        for entry in fields(SENSORS[kind]):
            if "limits" not in entry.metadata or (entry.name == "sigma" and not SENSORS[kind].uses_sigma):
                continue
            least, most = entry.metadata["limits"]
            key = entry.name.removesuffix("_kelvin")
            (line,) = (line for line in rows if f"`{key}`" in line.split("|")[1])
            assert f"| {least:g} to {most:g} |" in line
            assert f"`{kind}`" in line or line.endswith("| all |")


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_number_of_a_preset_is_documented_or_assumed(preset):
    numbers = re.findall(r"\[(\d)\]", preset.facts)
    assert {int(number) for number in numbers} == set(range(1, len(preset.sources) + 1))
    sensor = SensorModel.parse(preset.text)
    assert SensorModel.parse(sensor.text) == sensor
    if sensor.noise_kelvin:
        assert "noise" in preset.facts + preset.assumed


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("scale", [3, 4])
def test_a_preset_sees_a_flat_scene_as_it_is(name, scale):
    sensor = SensorModel.parse(f"{name},noise=0", scale)
    step = max(sensor.step, 1e-3)
    for kelvin in (200.0, 250.0, 300.0):
        seen = sensor.apply(torch.full((8 * scale, 8 * scale), kelvin))
        assert float((seen - kelvin).abs().max()) <= 2 * step  # a count is more kelvin for cold scenes


def test_vissr_has_steps_that_grow_below_242_kelvin():
    scene = torch.linspace(200, 300, 64)[:, None].expand(64, 64).contiguous()
    values = np.unique(SensorModel.parse("vissr").apply(scene, torch.Generator().manual_seed(0)).numpy())
    assert {float(value % 1) for value in values[values < 241]} == {0.0}
    assert {float(value % 1) for value in values[values > 243]} == {0.0, 0.5}


def test_the_command_prints_a_table_that_fits_80_columns(capsys):
    code, text, _ = run(capsys, "sensors")
    assert code == 0
    assert max(map(len, text.splitlines())) <= 80
    for preset in PRESETS.values():
        assert re.search(rf"^{preset.name}  ", text, re.MULTILINE)
    assert "assumed" in text and "doi:10.2151/jmsj.2016-009" in text


def test_the_command_prints_some_presets_and_json(capsys):
    _, text, _ = run(capsys, "sensors", "gridsat")
    assert "box,width=0.5" in text and "seviri" not in text
    (facts,) = json.loads(run(capsys, "sensors", "ahi", "--json")[1])
    assert facts["text"] == PRESETS["ahi"].text and len(facts["sources"]) == 2
    code, _, text = run(capsys, "sensors", "nothing")
    assert code == 2 and "no preset 'nothing'" in text
