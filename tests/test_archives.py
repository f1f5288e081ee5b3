"""reconstruct and coarsen make all storms of an archive into one store, and continue it."""

import numpy as np
import pytest

from cli_cases import run
from tempogan_eddy import open_sequence, open_sequences, save_sequence
from tempogan_eddy.io import open as open_module
from tempogan_eddy.io.formats.zarr import _Frames
from training_cases import moving_clouds

pytestmark = pytest.mark.usefixtures("small_shards")

COMMANDS = {
    "reconstruct": ["reconstruct", "--model", "faithful", "--engine", "torch"],
    "coarsen": ["coarsen", "--scale", 2, "--noise", 0.5, "--seed", 3],
}


@pytest.fixture(params=COMMANDS)
def words(request):
    return COMMANDS[request.param]


@pytest.fixture
def archive(tmp_path):
    """A folder of three storms, the last of another size and day."""
    for name, size, frames in (("one", 16, 6), ("two", 16, 5), ("late", 24, 4)):
        storm = moving_clouds(frames=frames, size=size, name=name)
        if name == "late":
            storm = storm.assign_coords(time=storm["time"] + np.timedelta64(300, "D"))
        save_sequence(storm, tmp_path / "archive" / f"{name}.nc")
    return tmp_path / "archive"


@pytest.mark.parametrize("dask", [(), ("--dask", "threads:2")])
def test_each_storm_is_what_the_command_makes_of_it_alone(capsys, tmp_path, archive, words, dask):
    code, said, error = run(capsys, *words, archive, "-o", tmp_path / "all.zarr", *dask)
    assert code == 0, error
    assert "15 frames of 3 storms" in said
    made = open_sequences(tmp_path / "all.zarr")
    assert sorted(made) == ["late", "one", "two"]
    for name, storm in made.items():
        assert run(capsys, *words, archive / f"{name}.nc", "-o", tmp_path / f"{name}.zarr")[0] == 0
        alone = open_sequence(tmp_path / f"{name}.zarr")
        np.testing.assert_array_equal(storm.values, alone.values)
        assert storm.attrs.keys() == alone.attrs.keys()


def stop_after_two_parts(capsys, monkeypatch, *words):
    write, written = _Frames.write, []

    def stopping(self, part, kelvins):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(part)
        write(self, part, kelvins)

    with monkeypatch.context() as stop:
        stop.setattr(_Frames, "write", stopping)
        assert run(capsys, *words)[0] == 130


def test_a_stopped_command_goes_on(capsys, tmp_path, archive, words, monkeypatch):
    write = _Frames.write
    stop_after_two_parts(capsys, monkeypatch, *words, archive, "-o", tmp_path / "all.zarr")
    whole = run(capsys, *words, archive, "-o", tmp_path / "whole.zarr")
    assert whole[0] == 0
    again = []
    monkeypatch.setattr(_Frames, "write", lambda self, *given: (again.append(given[0]), write(self, *given)))
    code, _, error = run(capsys, *words, archive, "-o", tmp_path / "all.zarr")
    assert code == 0, error
    parts = len(list((tmp_path / "whole.zarr").glob("*/brightness_temperature/c/*")))
    assert len(again) == parts - 2
    for name, storm in open_sequences(tmp_path / "whole.zarr").items():
        np.testing.assert_array_equal(open_sequence(tmp_path / "all.zarr", storm=name).values, storm.values)


@pytest.mark.parametrize("dask", [(), ("--dask", "threads:2")])
def test_a_storm_that_went_while_a_command_was_stopped_is_not_in_its_output(
    capsys, tmp_path, archive, words, dask, monkeypatch
):
    words = [*words, archive, "-o", tmp_path / "all.zarr"]
    stop_after_two_parts(capsys, monkeypatch, *words)
    (begun,) = {path.parts[-4] for path in tmp_path.glob(".all.zarr.*/*/brightness_temperature/c/*")}
    (archive / f"{begun}.nc").unlink()
    code, said, error = run(capsys, *words, *dask)
    assert code == 0, error
    assert "of 2 storms" in said
    assert sorted(open_sequences(tmp_path / "all.zarr")) == sorted({"one", "two", "late"} - {begun})


@pytest.mark.parametrize("dask", [(), ("--dask", "threads:2")])
def test_a_storm_that_is_damaged_while_a_command_runs_keeps_no_other_from_it(
    capsys, tmp_path, archive, dask, monkeypatch
):
    words = [*COMMANDS["coarsen"], archive, "-o", tmp_path / "all.zarr"]
    find, whole = open_module.find_sequences, (archive / "one.nc").read_bytes()

    def damaging(*given, **options):
        found = find(*given, **options)
        (archive / "one.nc").write_bytes(b"")
        return found

    with monkeypatch.context() as damage:
        damage.setattr(open_module, "find_sequences", damaging)
        code, _, error = run(capsys, *words, *dask)
    assert code == 2 and "one failed: " in error and "one.nc is empty" in error
    assert not (tmp_path / "all.zarr").exists()
    (archive / "one.nc").write_bytes(whole)
    code, said, error = run(capsys, *words, *dask)
    assert code == 0 and "15 frames of 3 storms" in said
    assert "late: 4 of 4 frames done before" in error and "two: 5 of 5 frames done before" in error


def test_storms_outside_the_interval_are_left_out(capsys, tmp_path, archive, words):
    code, said, error = run(capsys, *words, archive, "-o", tmp_path / "all.zarr", "--time", "2001-08-01T01/..")
    assert code == 0, error
    assert "13 frames of 3 storms" in said
    code, said, error = run(capsys, *words, archive, "-o", tmp_path / "late.zarr", "--time", "2002/..")
    assert code == 0, error
    assert "4 frames of 1 storm" in said
    assert "left out: No frame of one lies in" in error
    code, _, error = run(capsys, *words, archive, "-o", tmp_path / "none.zarr", "--time", "2003/..")
    assert code == 2 and "None of the 3 sequences can be used" in error
    code, _, error = run(capsys, *words, archive, "-o", tmp_path / "none.zarr", "--time", "soon")
    assert code == 2 and "Error: 'soon' is no time interval; write it as " in error


def test_a_storm_that_cannot_be_made_keeps_no_other_from_it(capsys, tmp_path, archive):
    words = ["coarsen", "--scale", 20, archive, "-o", tmp_path / "all.zarr"]
    save_sequence(moving_clouds(frames=2, size=40, name="large"), archive / "large.nc")
    for name in ("two", "late"):
        (archive / f"{name}.nc").unlink()
    code, _, error = run(capsys, *words)
    assert code == 2 and "one failed: Frames of 16x16 pixels are smaller than one 20x20 block" in error
    assert list(open_sequences(tmp_path / "all.zarr")) == ["large"]


def test_an_option_that_is_wrong_for_all_storms_is_an_error_at_once(capsys, tmp_path, archive):
    words = [*COMMANDS["reconstruct"], "--device", "cuda:77", archive, "-o", tmp_path / "all.zarr"]
    code, _, error = run(capsys, *words)
    assert code == 2 and error.count(" failed: ") <= 1
    assert not (tmp_path / "all.zarr").exists()


def test_other_formats_hold_one_storm(capsys, tmp_path, archive, words):
    code, _, error = run(capsys, *words, archive, "-o", tmp_path / "all.zarr", "--format", "netcdf")
    assert code == 2 and "Several storms go into one Zarr store; leave out --format netcdf" in error
    code, _, error = run(capsys, *words, archive, "-o", tmp_path / "all.nc")
    assert code == 2 and "--storm" in error
    code, said, error = run(capsys, *words, archive, "-o", tmp_path / "two.nc", "--storm", "two")
    assert code == 0, error
    assert "5 frames of" in said
