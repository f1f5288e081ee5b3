"""Inputs in which no pixel is valid."""

import numpy as np
import pytest

from cli_cases import run
from tempogan_eddy import open_sequences, save_sequence

OUTPUT = {"reconstruct": ["-o", "out.nc", "--model", "faithful", "--engine", "torch"], "coarsen": ["-o", "out.nc"]}


@pytest.fixture
def storm(make_sequence, tmp_path, monkeypatch):
    """A function that saves a storm whose first frames are missing."""
    monkeypatch.chdir(tmp_path)

    def save(path, missing, **options):
        sequence = make_sequence(frames=3, shape=(16, 16), **options).drop_vars("satellite")
        path.parent.mkdir(exist_ok=True)
        save_sequence(sequence.where(np.arange(3)[:, None, None] >= missing), path)
        return path

    return save


@pytest.mark.parametrize("command", ["reconstruct", "coarsen", "sensor"])
def test_an_input_without_a_valid_pixel_is_refused_before_anything_is_written(capsys, tmp_path, storm, command):
    source = storm(tmp_path / "storm.nc", missing=3)
    code, _, error = run(capsys, command, source, *OUTPUT.get(command, []))
    assert code == 2
    assert "no pixel of its 3 frames has a value from 160 to 330 K; are the units right?" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out.nc").exists()


@pytest.mark.parametrize("missing", [1, 2])
def test_an_input_with_one_valid_frame_is_none_of_these(capsys, tmp_path, storm, missing):
    code, _, error = run(capsys, "coarsen", storm(tmp_path / "storm.nc", missing=missing), *OUTPUT["coarsen"])
    assert code == 0, error


@pytest.mark.parametrize(
    ("empty", "last"),
    [
        ("B", "storms/B.nc: no pixel"),
        ("BC", "2 storms cannot be used; the first: "),
        ("ABC", "None of the 3 sequences"),
    ],
)
@pytest.mark.parametrize("command", OUTPUT)
def test_an_archive_goes_on_past_storms_without_a_valid_pixel(capsys, tmp_path, storm, empty, last, command):
    for name in "ABC":
        storm(tmp_path / "storms" / f"{name}.nc", missing=3 if name in empty else 0, name=name)
    words = [*OUTPUT[command]]
    words[1] = "out.zarr"
    code, _, error = run(capsys, command, "storms", *words)
    assert code == 2
    assert last in error.splitlines()[-1]
    for name in "ABC":
        assert (f"{name} failed: storms/{name}.nc: no pixel" in error) == (name in empty)
    rest = [name for name in "ABC" if name not in empty]
    assert (list(open_sequences(tmp_path / "out.zarr")) if rest else []) == rest
