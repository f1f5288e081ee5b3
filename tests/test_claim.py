"""One writer at a time, and what killed writers leave."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tempogan_eddy import open_sequence, save_sequence
from tempogan_eddy.errors import InputError
from tempogan_eddy.inspection import inspect
from tempogan_eddy.io import aside
from tempogan_eddy.io.aside import written_aside
from tempogan_eddy.io.writing.claim import claimed
from tempogan_eddy.training.checkpoint import claimed_folder
from training_cases import moving_clouds

HOLD = """
import sys
from pathlib import Path
from pathlib import Path
from tempogan_eddy.io.writing.claim import claimed
with claimed(Path(sys.argv[1]), Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of a.nc."""
    words = [sys.executable, "-c", HOLD, tmp_path / "a.nc", tmp_path / ".a.nc.lock"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def write(path, text="new"):
    with written_aside(path, None) as partial:
        partial.write_text(text)


def test_a_second_writer_is_told_who_the_first_is(tmp_path, holder):
    with pytest.raises(InputError, match=rf"a\.nc is being written by process {holder.pid} on .* since 20.*wait"):
        write(tmp_path / "a.nc")
    holder.communicate("")
    write(tmp_path / "a.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nc"]


def test_the_lock_of_a_killed_process_is_taken_over_with_a_word(tmp_path, holder, caplog):
    holder.kill()
    holder.wait()
    assert (tmp_path / ".a.nc.lock").exists()
    write(tmp_path / "a.nc")
    assert f"taking over from process {holder.pid}" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["a.nc"]


def test_a_lock_of_another_host_says_how_to_remove_it(tmp_path):
    lock = tmp_path / ".a.nc.lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 3, "start": "2026-01-01T00:00:00"}))
    with pytest.raises(InputError, match=rf"process 3 on elsewhere.*if that process has ended, remove {lock}"):
        write(tmp_path / "a.nc")
    assert lock.exists()
    for content in ("", "{", "[]"):  # of a process that was killed before it signed
        lock.write_text(content)
        write(tmp_path / "a.nc")
        assert not lock.exists()


def test_a_lock_without_support_of_the_disk_goes_by_the_process(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    lock = tmp_path / ".a.nc.lock"
    lock.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getppid(), "start": "x"}))
    with pytest.raises(InputError, match="is being written"):
        write(tmp_path / "a.nc")
    lock.write_text(json.dumps({"host": socket.gethostname(), "pid": 999999999, "start": "x"}))
    write(tmp_path / "a.nc")


def test_two_runs_do_not_share_a_folder(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".checkpoint_best.pth.12.partial").write_text("half")
    with claimed_folder(tmp_path / "run"):
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
        with pytest.raises(InputError, match="run is being written by process"), claimed_folder(tmp_path / "run"):
            pass
    assert list((tmp_path / "run").iterdir()) == []
    with claimed_folder(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()


def test_what_a_killed_writer_left_is_swept(tmp_path):
    (tmp_path / ".a.nc.7.partial").write_text("half")
    (tmp_path / ".a.nc.7.partial.space").write_text("half")
    (tmp_path / ".b.nc.7.partial").write_text("of another output")
    write(tmp_path / "a.nc")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.nc.7.partial", "a.nc"]


def test_an_output_between_two_renames_is_restored_by_a_reader_and_by_a_writer(tmp_path, caplog):
    store, old = tmp_path / "a.zarr", tmp_path / ".a.zarr.7.old"
    save_sequence(moving_clouds(frames=2, size=16), store)
    store.rename(old)
    assert open_sequence(store).sizes["time"] == 2
    assert "the earlier output is restored" in caplog.text
    store.rename(old)
    assert inspect(store)["a"]["what"] == "sequence, zarr"
    store.rename(old)
    with pytest.raises(RuntimeError), written_aside(store, None) as partial:
        partial.mkdir()
        raise RuntimeError
    assert open_sequence(store).sizes["time"] == 2
    store.rename(old)
    with claimed(store, tmp_path / ".a.zarr.lock"), pytest.raises(InputError, match="is being written"):
        open_sequence(store)
    save_sequence(moving_clouds(frames=3, size=16), store)
    assert open_sequence(store).sizes["time"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_a_killed_writer_is_gone_on_with_only_if_it_fits(tmp_path):
    for number, text in enumerate(("other", "same")):
        (tmp_path / f".a.txt.{number}.partial").write_text(text)
    with written_aside(tmp_path / "a.txt", None, continues=lambda left: left.read_text() == "same") as partial:
        assert partial.read_text() == "same"
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".a.txt.lock", partial.name])
    assert (tmp_path / "a.txt").read_text() == "same"


def test_content_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, aside.Path.replace

    def watched(number):
        events.append(str(Path(f"/proc/self/fd/{number}").readlink()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(aside.Path, "replace", lambda path, to: (events.append("rename"), replace(path, to))[1])
    with written_aside(tmp_path / "a", None) as partial:
        (partial / "b").mkdir(parents=True)
        (partial / "b" / "c").write_text("x")
    place = events.index("rename")
    assert {os.path.relpath(path, partial) for path in events[:place]} == {".", "b", "b/c"}
    assert events[place + 1 :] == [str(tmp_path)]
