"""Formats and sensors from outside the package: one file and one entry point each."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import tempogan_eddy
from tempogan_eddy.checking import check
from tempogan_eddy.errors import InputError
from tempogan_eddy.inspection import inspect
from tempogan_eddy.io import open_sequence, save_sequence
from tempogan_eddy.registry import FORMATS, SENSORS, Registry
from training_cases import small_config, write_storms

TOY_FORMAT = '''
"""Sequences as .toy files: NumPy's archives with the times beside the kelvins."""

import functools

import numpy as np

from tempogan_eddy.io.format import Format
from tempogan_eddy.io.frames import FrameStack, lazy_sequence
from tempogan_eddy.io.ownership import Kind
from tempogan_eddy.io.pipeline import write_frames
from tempogan_eddy.io.sequence import as_sequence


def open_toy(stored, reading):
    held = np.load(stored.path)
    stack = FrameStack(stored.path, held["kelvin"].__getitem__, held["kelvin"].shape, valid_kelvin=reading.valid_kelvin)
    return as_sequence(lazy_sequence(stack, {"time": held["time"]}, {"units": "K", "sequence": stored.name}))


def write_toy(da, path, writing):
    frames = []
    write_frames(da, lambda number, frame: frames.append(frame), writing.on_frame)
    with path.open("wb") as file:
        np.savez(file, kelvin=frames, time=da["time"].values)


TOY = Format(
    "toy",
    "Toy",
    recognise=lambda path: path.suffix == ".toy",
    open=open_toy,
    write=write_toy,
    owns=Kind("a toy sequence", lambda path: "kelvin" in np.load(path)),
    suffixes=(".toy",),
    precisions=("exact", "rounded"),
)
'''


TOY_SENSOR = '''
"""A box that is wider than a block."""

from dataclasses import dataclass

import torch

from tempogan_eddy.dataset.separable_sensors import SeparableSensor


@dataclass(frozen=True)
class BoxSensor(SeparableSensor):
    extra: float = 1.0

    def kernel(self):
        width = self.scale + 2 * int(self.extra)
        return torch.full((width,), 1.0 / width)
'''


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Return a folder as pip fills it, with a package that adds a format and a sensor."""
    folder = tmp_path / "site"
    (folder / "toy-1.0.dist-info").mkdir(parents=True)
    (folder / "toy_format.py").write_text(TOY_FORMAT)
    (folder / "toy_sensor.py").write_text(TOY_SENSOR)
    (folder / "toy-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (folder / "toy-1.0.dist-info/entry_points.txt").write_text(
        "[tempogan_eddy.formats]\ntoy = toy_format:TOY\n[tempogan_eddy.sensors]\nslab = toy_sensor:BoxSensor\n"
    )
    monkeypatch.syspath_prepend(folder)
    for registry in (FORMATS, SENSORS):
        registry.__dict__.pop("_unloaded", None)  # what was installed before
    yield folder
    for registry, name in ((FORMATS, "toy"), (SENSORS, "slab")):
        registry.__dict__.pop("_unloaded", None)
        registry._parts.pop(name, None)


def test_a_format_from_outside_is_written_read_told_and_checked(plugins, tmp_path, make_sequence):
    sequence = make_sequence()
    done: list[int] = []
    save_sequence(sequence, tmp_path / "data/storm.toy", on_frame=done.append)
    save_sequence(make_sequence(), tmp_path / "data/other.nc")
    assert done == list(range(1, sequence.sizes["time"] + 1))
    opened = open_sequence(tmp_path / "data/storm.toy")
    np.testing.assert_array_equal(opened.values, sequence.values)
    assert opened.attrs["sequence"] == "storm"
    assert set(open_sequence(tmp_path / "data", storm="storm")["time"].values) == set(sequence["time"].values)
    facts = inspect(tmp_path / "data/storm.toy")
    assert facts["storm"]["what"] == "sequence, toy"
    assert {entry.format for entry in check([tmp_path / "data"]).sequences} == {"toy", "netcdf"}


def test_outputs_of_a_format_from_outside_are_guarded_like_ours(plugins, tmp_path, make_sequence):
    save_sequence(make_sequence(), tmp_path / "storm.toy")
    save_sequence(make_sequence(), tmp_path / "storm.toy")  # its own output
    (tmp_path / "notes.toy").write_text("mine")
    with pytest.raises(InputError, match="not written by TempoGAN-Eddy as a toy sequence"):
        save_sequence(make_sequence(), tmp_path / "notes.toy")
    with pytest.raises(InputError, match="toy holds no packed values"):
        save_sequence(make_sequence(), tmp_path / "new.toy", precision="packed")


def test_a_sensor_from_outside_coarsens(plugins, make_sequence):
    sequence = make_sequence(shape=(16, 16))
    coarse = tempogan_eddy.coarsen(sequence, 4, sensor="slab")
    np.testing.assert_allclose(coarse.values[0, 1, 1], sequence.values[0, 3:9, 3:9].mean(), atol=1e-3)
    assert coarse.attrs["sensor_model"] == "slab"


@pytest.mark.slow
def test_the_command_line_knows_an_installed_format_and_sensor(plugins, tmp_path):
    data = write_storms(tmp_path / "data")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(plugins), os.environ.get("PYTHONPATH", "")))}
    config = small_config(tmp_path, data, epochs=1, steps_per_epoch=1).model_dump(mode="json")
    config["sensor"] |= {"kind": "slab", "parameters": {"extra": 2}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    commands = [
        ["coarsen", "data/storm0.nc", "-o", "coarse.toy", "--format", "toy", "--sensor", "slab"],
        ["info", "coarse.toy", "--json"],
        ["train", "--config", "config.json"],
        ["info", "checkpoints/best_model.safetensors", "--json"],
    ]
    script = (
        "import json, sys; from tempogan_eddy.cli import main\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    try: main(command)\n"
        "    except SystemExit as end: assert not end.code, command\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(commands)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert '"what": "sequence, toy"' in done.stdout
    assert re.search(r'"sensor model": "slab,extra=2"', done.stdout)


def test_a_name_is_taken_once_and_an_unknown_one_refused():
    registry: Registry[int] = Registry("number", "tempogan_eddy.none", {"pi": "math:pi"})
    registry.register("two", 2)
    assert list(registry) == ["two", "pi"] and registry["two"] == 2 and registry["pi"] > 3
    with pytest.raises(ValueError, match="'pi' already"):
        registry.register("pi", 3)
    with pytest.raises(InputError, match="Unknown number 'e'; use one of two, pi"):
        registry["e"]


def test_hdf5_behind_a_user_block_may_not_lead_out_of_the_file_either(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = np.full((2, 4, 4), 280.0)
    with h5py.File(tmp_path / "in.nc", "w", userblock_size=1024) as file:
        file["Tb"] = h5py.ExternalLink("secret.h5", "/secret")
    with pytest.raises(InputError, match="link to another file"):
        open_sequence(Path(tmp_path / "in.nc"))
