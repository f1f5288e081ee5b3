"""Long outputs are written in parts: by workers, and only those parts that an earlier run did not write."""

import errno
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from parts_cases import FRAMES, Counting, Deadly, command
from tempogan_eddy import open_sequence, open_sequences, reconstruct, save_sequence, save_summary
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import workers
from tempogan_eddy.io.formats import zarr as zarr_format
from tempogan_eddy.io.workers import Workers
from tempogan_eddy.io.writing import parts
from training_cases import moving_clouds

pytestmark = pytest.mark.usefixtures("small_shards")


@pytest.mark.parametrize("place", ["out.zarr", "out"])
def test_only_the_frames_that_are_missing_are_computed(tmp_path, clouds, place, caplog):
    path, options = tmp_path / place, {"format": "zarr" if place.endswith("zarr") else "png", "fingerprint": "a"}
    with pytest.raises(RuntimeError, match="stopped"):
        save_sequence(Counting(clouds, fail_at=9).sequence, path, **options)
    assert not path.exists()
    again = Counting(clouds)
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        save_sequence(again.sequence, path, **options)
    first = 8 if place.endswith("zarr") else 9  # a shard of two frames is written whole
    assert len(again.computed) == FRAMES - first
    assert f"{first} of {FRAMES} frames" in caplog.text
    save_sequence(clouds, tmp_path / f"whole{path.suffix}", format=options["format"])
    whole = open_sequence(tmp_path / f"whole{path.suffix}")
    np.testing.assert_array_equal(open_sequence(path).values, whole.values)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([place, f"whole{path.suffix}"])


def summary_of(sequence):
    spread = (sequence * 0 + 2).assign_attrs(units="K", long_name="spread")
    return xr.Dataset({"brightness_temperature": sequence, "spread": spread}, attrs=sequence.attrs)


def test_a_summary_continues_in_zarr(tmp_path, clouds):
    with pytest.raises(RuntimeError, match="stopped"):
        save_summary(summary_of(Counting(clouds, fail_at=9).sequence), tmp_path / "a.zarr", fingerprint="a")
    again = Counting(clouds)
    save_summary(summary_of(again.sequence), tmp_path / "a.zarr", fingerprint="a")
    assert set(again.computed) == set(range(8, FRAMES))
    save_summary(summary_of(clouds.chunk({"time": 1})), tmp_path / "threads.zarr", dask="threads:2")
    with xr.open_dataset(tmp_path / "a.zarr") as ours, xr.open_dataset(tmp_path / "threads.zarr") as theirs:
        np.testing.assert_array_equal(ours["brightness_temperature"], clouds)
        np.testing.assert_array_equal(ours["spread"], np.full(clouds.shape, 2))
        for name in ours.data_vars:
            np.testing.assert_array_equal(theirs[name], ours[name])
    with pytest.raises(InputError, match="leave out --dask"):
        save_summary(summary_of(clouds), tmp_path / "a.nc", dask="threads")


def test_a_store_with_other_shards_is_continued_in_these(tmp_path, clouds, monkeypatch):
    monkeypatch.setattr(zarr_format, "PIXELS_OF_SHARD", 6 * 16 * 16)
    with pytest.raises(RuntimeError):
        save_sequence(Counting(clouds, fail_at=9).sequence, tmp_path / "a.zarr", fingerprint="a")
    monkeypatch.setattr(zarr_format, "PIXELS_OF_SHARD", 16 * 16)
    with pytest.raises(RuntimeError):
        save_sequence(Counting(clouds, fail_at=9).sequence, tmp_path / "a.zarr", fingerprint="a")
    again = Counting(clouds)
    save_sequence(again.sequence, tmp_path / "a.zarr", fingerprint="a")
    assert again.computed == list(range(6, FRAMES))
    np.testing.assert_allclose(open_sequence(tmp_path / "a.zarr").values, clouds.values, atol=1e-3)


def test_what_was_made_from_something_else_is_not_continued(tmp_path, clouds, caplog):
    with pytest.raises(RuntimeError):
        save_sequence(Counting(clouds, fail_at=9).sequence, tmp_path / "a.zarr", fingerprint="a")
    again = Counting(clouds + 1)
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        save_sequence(again.sequence, tmp_path / "a.zarr", fingerprint="b")
    assert len(again.computed) == FRAMES
    assert "its input, model or options differ" in caplog.text
    np.testing.assert_allclose(open_sequence(tmp_path / "a.zarr").values, clouds.values + 1, atol=1e-3)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_workers_stop_where_the_disk_is_full(tmp_path, clouds, monkeypatch):
    tried = set()

    def fail(self, part, kelvins):
        tried.add(part)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zarr_format._Frames, "write", fail)
    monkeypatch.setattr(workers, "PAUSES", ())
    with pytest.raises(InputError, match=r"a\.zarr cannot be written \(No space left on device\); free space"):
        save_sequence(clouds, tmp_path / "a.zarr", fingerprint="a", dask="threads:1")
    assert len(tried) < FRAMES // 2


def test_a_part_without_a_valid_pixel_counts_as_written(tmp_path, clouds):
    clouds[:6] = np.nan
    with pytest.raises(RuntimeError):
        save_sequence(Counting(clouds, fail_at=9).sequence, tmp_path / "a.zarr", fingerprint="a")
    again = Counting(clouds)
    save_sequence(again.sequence, tmp_path / "a.zarr", fingerprint="a")
    assert len(again.computed) == FRAMES - 8


@pytest.mark.slow
def test_a_killed_command_goes_on_where_it_was(tmp_path):
    save_sequence(moving_clouds(frames=100, size=16), tmp_path / "low.nc")
    words = ["reconstruct", tmp_path / "low.nc", "--engine", "torch", "-o"]
    killed = command(*words, tmp_path / "high.zarr")
    while not list(tmp_path.glob(".high.zarr.*.partial/brightness_temperature/c/3")):
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    again = command(*words, tmp_path / "high.zarr")
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert "of 100 frames" in said
    expected = reconstruct(tmp_path / "low.nc", engine="torch")
    save_sequence(expected, tmp_path / "whole.zarr")
    np.testing.assert_array_equal(
        open_sequence(tmp_path / "high.zarr").values, open_sequence(tmp_path / "whole.zarr").values
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["high.zarr", "low.nc", "whole.zarr"]


def test_threads_give_what_the_plain_loop_gives(tmp_path, clouds):
    rebuilt = reconstruct(clouds, engine="torch")
    done = []
    save_sequence(rebuilt, tmp_path / "plain.zarr")
    save_sequence(rebuilt, tmp_path / "threads.zarr", dask="threads:2", on_frame=done.append)
    assert done == list(range(1, FRAMES + 1))
    np.testing.assert_array_equal(
        open_sequence(tmp_path / "threads.zarr").values, open_sequence(tmp_path / "plain.zarr").values
    )


def test_frames_that_cannot_be_read_are_tried_again_counted_and_named(tmp_path, clouds, monkeypatch, caplog):
    monkeypatch.setattr("tempogan_eddy.io.workers.PAUSES", (0.0,))
    broken = Counting(clouds, fail_at=9, error=InputError("x.h5 is broken"))
    with pytest.raises(InputError, match=r"x\.h5 is broken"):
        save_sequence(broken.sequence, tmp_path / "a.zarr", dask="threads:2", fingerprint="a")
    assert "Frames 9 to 10" in caplog.text
    assert not (tmp_path / "a.zarr").exists()
    assert len(set(broken.computed)) >= FRAMES - 2  # all others
    again = Counting(clouds)
    save_sequence(again.sequence, tmp_path / "a.zarr", dask="threads:2", fingerprint="a")
    assert len(again.computed) == 2


@pytest.mark.parametrize(("at_once", "blocks"), [(8, 3), (5, 5), (FRAMES, 1)])
@pytest.mark.parametrize("cut", [parts.CUT_AT_ONCE, 6])
def test_a_block_of_frames_is_computed_once_though_it_fills_several_parts(
    tmp_path, clouds, at_once, blocks, cut, monkeypatch
):
    """A GPU computes more frames at once than a shard of two frames holds."""
    monkeypatch.setattr(parts, "CUT_AT_ONCE", cut)
    counting, done = Counting(clouds, at_once=at_once), []
    save_sequence(counting.sequence, tmp_path / "a.zarr", dask="threads:2", on_frame=done.append)
    assert sorted(set(counting.computed)) == list(range(blocks))
    spanning = blocks if at_once % 2 else 0  # of odd blocks, a shard may need two
    assert len(counting.computed) <= blocks + spanning
    assert done == list(range(1, FRAMES + 1))
    save_sequence(clouds, tmp_path / "plain.zarr")
    ours, plain = (open_sequence(tmp_path / f"{name}.zarr").values for name in ("a", "plain"))
    np.testing.assert_array_equal(ours, plain)


def test_a_part_that_cannot_be_written_keeps_no_other_of_its_block_from_being_written(tmp_path, clouds, monkeypatch):
    monkeypatch.setattr("tempogan_eddy.io.workers.PAUSES", (0.0,))
    write = zarr_format._Frames.write

    def refused(self, part, kelvins):
        if part.frames.start == 10:
            raise InputError("no room")
        write(self, part, kelvins)

    with monkeypatch.context() as failing, pytest.raises(InputError, match="no room"):
        failing.setattr(zarr_format._Frames, "write", refused)
        sequence = Counting(clouds, at_once=8).sequence
        save_sequence(sequence, tmp_path / "a.zarr", dask="threads:2", fingerprint="a")
    again = Counting(clouds)
    save_sequence(again.sequence, tmp_path / "a.zarr", dask="threads:2", fingerprint="a")
    assert sorted(again.computed) == [10, 11]


@pytest.mark.parametrize("dask", [None, "threads:2", pytest.param("processes:2", marks=pytest.mark.slow)])
def test_masked_pixels_are_counted_for_the_file_that_holds_them(tmp_path, clouds, dask, monkeypatch, caplog):
    monkeypatch.setattr(parts, "CUT_AT_ONCE", 6)  # frames that a worker gets at once: of one file
    for name, some, rows in (("a", slice(0, 12), 1), ("b", slice(12, 24), 2)):
        cold = clouds[some].copy()
        cold[:, :rows] = 100.0
        save_sequence(cold, tmp_path / f"{name}.nc", precision="exact")
    caplog.clear()
    both = xr.concat([open_sequence(tmp_path / f"{name}.nc") for name in "ab"], "time", combine_attrs="override")
    save_sequence(both, tmp_path / "both.zarr", dask=dask)
    said = sorted(record.getMessage() for record in caplog.records if "lie outside" in record.getMessage())
    assert [text.split(" (")[0].split("/")[-1] for text in said] == ["a.nc: 192 pixels", "b.nc: 384 pixels"]


DAMAGE = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "zeros at the end": lambda content: content[: len(content) // 2].ljust(len(content), b"\0"),
}


@pytest.mark.parametrize("dask", [None, "threads:2"])
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("place", ["out.zarr", "out"])
def test_what_a_power_cut_damaged_is_made_again(tmp_path, clouds, place, damage, dask):
    path, options = tmp_path / place, {"format": "zarr" if place.endswith("zarr") else "png", "fingerprint": "a"}
    with pytest.raises(RuntimeError, match="stopped"):
        save_sequence(Counting(clouds, fail_at=9).sequence, path, **options)
    (unfinished,) = tmp_path.glob(".*.partial")
    written = sorted(
        file for pattern in ("c/[0-9]*/**/*", "frame_*.png") for file in unfinished.rglob(pattern) if file.is_file()
    )
    damaged = written[len(written) // 2]
    damaged.write_bytes(DAMAGE[damage](damaged.read_bytes()))
    left = damaged.with_name(f"{damaged.name}.0123.partial" if place.endswith("zarr") else ".frame_005.png")
    left.touch()
    again = Counting(clouds)
    save_sequence(again.sequence, path, **options, dask=dask)
    frames = 2 if place.endswith("zarr") else 1
    assert len(again.computed) == FRAMES - (8 if frames == 2 else 9) + frames
    save_sequence(clouds, tmp_path / f"whole{path.suffix}", format=options["format"])
    ours, whole = (open_sequence(tmp_path / name).values for name in (place, f"whole{path.suffix}"))
    np.testing.assert_array_equal(ours, whole)
    assert not [file for file in path.rglob("*") if ".partial" in file.name or file.name.startswith(".frame")]


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path, clouds):
    pytest.importorskip("distributed")
    rebuilt = reconstruct(clouds, engine="torch")
    save_sequence(rebuilt, tmp_path / "plain.zarr")
    place = zarr_format.ZARR.begin(rebuilt.assign_attrs(history="h"), tmp_path / "b.zarr", writing())
    done = []
    with Workers("local:2") as workers:
        parts.write_jobs([parts.Job(rebuilt, Deadly(place, tmp_path / "killed", (8, 0)), done.append)], workers)
    assert (tmp_path / "killed").exists()
    assert done == list(range(1, FRAMES + 1))
    np.testing.assert_array_equal(
        open_sequence(tmp_path / "b.zarr").values, open_sequence(tmp_path / "plain.zarr").values
    )


def writing():
    from tempogan_eddy.io.format import Writing
    from tempogan_eddy.io.values.precision import precision_of

    return Writing(precision_of("rounded"), lambda done: None)


def test_an_archive_is_reconstructed_into_one_store(tmp_path):
    for name in ("one", "two"):
        save_sequence(moving_clouds(frames=6, size=16, name=name), tmp_path / "archive" / f"{name}.nc")
    run = command("reconstruct", tmp_path / "archive", "--engine", "torch", "-o", tmp_path / "all.zarr")
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    found = open_sequences(tmp_path / "all.zarr")
    assert list(found) == ["one", "two"]
    expected = reconstruct(open_sequence(tmp_path / "archive/two.nc"), engine="torch")
    np.testing.assert_allclose(found["two"].values, expected.values, atol=2**-11)


@pytest.mark.parametrize(
    "where", ["", "local:0", "10.0.0.1:8786", "threads:x", "http://127.0.0.1:9", "tcp://127.0.0.1"]
)
def test_where_is_checked(where):
    with pytest.raises(InputError, match="threads:N, local:N"):
        Workers(where)


def test_netcdf_is_written_by_one_process(tmp_path, clouds):
    with pytest.raises(InputError, match="leave out --dask"):
        save_sequence(clouds, tmp_path / "a.nc", dask="threads")
    assert list(Path(tmp_path).iterdir()) == []
