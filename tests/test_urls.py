"""URLs as inputs, models and outputs: a server of files, and one that speaks S3, both on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import netCDF4
import numpy as np
import pytest
import xarray as xr

from cli_cases import exit_code, run
from parts_cases import FRAMES, Counting, command
from tempogan_eddy import open_sequence, open_sequences, reconstruct, save_sequence
from tempogan_eddy.errors import InputError, with_urls
from tempogan_eddy.io.files import urls
from tempogan_eddy.released import RELEASES
from tempogan_eddy.weights import load_model
from test_unread import damage
from training_cases import moving_clouds

pytestmark = pytest.mark.usefixtures("small_shards")


class Ranges(SimpleHTTPRequestHandler):
    """Files and parts of files, which chunks in a shard are."""

    def do_GET(self):
        asked, path = self.headers.get("Range"), Path(self.translate_path(self.path))
        if asked is None or not path.is_file():
            super().do_GET()
            return
        first, last = asked.removeprefix("bytes=").split("-")
        content = path.read_bytes()
        start, stop = (int(first), int(last) + 1 if last else len(content)) if first else (-int(last), len(content))
        self.send_response(206)
        self.send_header("Content-Length", str(len(content[start:stop])))
        self.end_headers()
        self.wfile.write(content[start:stop])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def served(tmp_path):
    """The URL of a folder."""
    pytest.importorskip("aiohttp")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=tmp_path)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_is_a_url():
    assert urls.url_of(Path("s3://bucket/a.zarr")) == "s3://bucket/a.zarr"
    assert urls.shown(Path("https://host/a.nc")) == "https://host/a.nc"
    assert urls.local("file:///data/a.nc") == urls.local(Path("file:///data/a.nc")) == Path("/data/a.nc")
    for other in ("a.nc", "/s3/a.nc", "memory://a.nc", "zip://a.nc", "C:/a.nc"):
        assert urls.url_of(other) is None
    with pytest.raises(InputError, match="chains several"):
        urls.url_of("s3://bucket/a.zip::file:///etc/passwd")


def test_objects_that_would_lead_out_of_a_folder_are_refused():
    files = fsspec.filesystem("memory")
    files.pipe_file("/prefix/a/../../../etc/passwd", b"")
    with pytest.raises(InputError, match="cannot be the path of a file"):
        urls.listing(files, "/prefix", "s3://prefix")


@pytest.mark.parametrize("name", ["in.nc", "in.zarr"])
def test_an_input_behind_a_url_equals_the_file(served, tmp_path, clouds, name):
    save_sequence(clouds, tmp_path / name)
    found = open_sequence(f"{served}/{name}")
    xr.testing.assert_identical(found.load(), open_sequence(tmp_path / name).load())


def test_a_missing_chunk_behind_a_url_is_an_error(served, tmp_path, clouds):
    save_sequence(clouds, tmp_path / "in.zarr")
    next(path for path in (tmp_path / "in.zarr/brightness_temperature/c").rglob("*") if path.is_file()).unlink()
    with pytest.raises(InputError, match=rf"{served}/in\.zarr/.* is missing"):
        open_sequence(f"{served}/in.zarr").load()


def test_a_model_behind_a_url_is_the_same_and_a_checkpoint_is_refused(served, tmp_path):
    (tmp_path / "m.safetensors").write_bytes((RELEASES / "faithful.safetensors").read_bytes())
    assert load_model(f"{served}/m.safetensors").metadata == load_model("faithful").metadata
    with pytest.raises(InputError, match=r"no \.safetensors model"):
        load_model(f"{served}/m.pth")


@pytest.fixture
def damaged(served, tmp_path, clouds):
    """The URL of a folder of files that cannot be used."""
    for name in ("cut.nc", "other.nc"):
        save_sequence(clouds, tmp_path / name)
    content = (tmp_path / "cut.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(content[: len(content) // 2])
    with netCDF4.Dataset(tmp_path / "other.nc", "a") as file:
        file["brightness_temperature"].setncatts({"units": "m", "standard_name": ""})
    (tmp_path / "m.safetensors").write_bytes(b"no model")
    return served


@pytest.mark.parametrize("name", ["cut.nc", "other.nc", "m.safetensors", "absent.nc"])
def test_messages_name_the_url_and_not_its_copy(damaged, capsys, name):
    with pytest.raises(InputError) as failed:
        load_model(f"{damaged}/{name}") if name.startswith("m.") else open_sequence(f"{damaged}/{name}").load()
    code, _, error = run(capsys, "info", f"{damaged}/{name}")
    assert code == 2
    for said in (str(failed.value), error):
        assert f"{damaged}/{name}" in said and tempfile.gettempdir() not in said


def test_a_server_that_does_not_answer_is_told_from_a_file_that_does_not_exist(served):
    with pytest.raises(InputError, match=r"absent\.nc does not exist\.$"):
        open_sequence(f"{served}/absent.nc")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for name in ("a.nc", "a.zarr"):
        with pytest.raises(InputError, match=rf"{port}/{name} cannot be reached \(Cannot connect.*\); check"):
            open_sequence(f"http://127.0.0.1:{port}/{name}")


def test_info_describes_what_lies_at_a_url(served, tmp_path, clouds, capsys):
    save_sequence(clouds, tmp_path / "in.nc")
    code, out, _ = run(capsys, "info", f"{served}/in.nc")
    assert code == 0 and f"{clouds.sizes['time']} of 16x16" in out


def test_a_path_that_was_a_url_has_both_slashes_again():
    assert with_urls(f"{Path('s3://bucket/a.zarr')} and {Path('https://host/b.nc')}") == (
        "s3://bucket/a.zarr and https://host/b.nc"
    )
    assert with_urls("/s3/a and C:/a") == "/s3/a and C:/a"


def test_files_by_url_are_local_files(tmp_path, clouds):
    save_sequence(clouds, f"file://{tmp_path}/in.zarr")
    xr.testing.assert_identical(open_sequence(f"file://{tmp_path}/in.zarr").load(), open_sequence(tmp_path / "in.zarr"))


def test_what_cannot_be_written_by_url_says_so(clouds):
    with pytest.raises(InputError, match=r"only Zarr \(\.zarr\) is written"):
        save_sequence(clouds, "s3://bucket/out.nc")
    with pytest.raises(InputError, match="give s3://"):
        save_sequence(clouds, "https://host/out.zarr")


@pytest.fixture(scope="module")
def bucket():
    """The file system of an empty bucket ``bucket``."""
    moto = pytest.importorskip("moto.server", reason="pip install 'tempogan-eddy[test-s3]'")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    key = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "key", "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**key, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        files = fsspec.filesystem("s3", use_listings_cache=False)
        files.mkdir("bucket")
        yield files
    server.stop()


def objects(files, prefix):
    """The content of each object under a prefix."""
    return {name.removeprefix(prefix): files.cat_file(name) for name in files.find(prefix)}


@pytest.mark.slow
@pytest.mark.parametrize("dask", [None, "threads:2", "local:2"])
def test_from_s3_to_s3_gives_what_local_files_give(bucket, tmp_path, clouds, dask):
    source, target = f"s3://bucket/{dask}/in.zarr", f"s3://bucket/{dask}/out.zarr"
    save_sequence(clouds, source)
    save_sequence(reconstruct(open_sequence(source), engine="torch"), target, dask=dask)
    save_sequence(clouds, tmp_path / "in.zarr")
    save_sequence(reconstruct(open_sequence(tmp_path / "in.zarr"), engine="torch"), tmp_path / "out.zarr")
    there = objects(bucket, f"bucket/{dask}/out.zarr/")
    here = {str(path.relative_to(tmp_path / "out.zarr")): path for path in (tmp_path / "out.zarr").rglob("*")}
    assert set(there) == {name for name, path in here.items() if path.is_file()}
    assert all(there[name] == here[name].read_bytes() for name in there if not name.endswith("zarr.json"))
    np.testing.assert_array_equal(open_sequence(target).values, open_sequence(tmp_path / "out.zarr").values)


@pytest.mark.slow
def test_an_archive_under_a_prefix_and_a_pattern(bucket, tmp_path):
    for name in ("one", "two"):
        save_sequence(moving_clouds(frames=3, size=16, name=name), tmp_path / f"{name}.nc")
        bucket.put_file(str(tmp_path / f"{name}.nc"), f"bucket/archive/{name}.nc")
    assert list(open_sequences("s3://bucket/archive")) == ["one", "two"]
    assert list(open_sequences("s3://bucket/archive/t*.nc")) == ["two"]
    assert exit_code("reconstruct", "s3://bucket/archive", "--engine", "torch", "-o", "s3://bucket/all.zarr") == 0
    found = open_sequences("s3://bucket/all.zarr")
    assert list(found) == ["one", "two"]
    expected = reconstruct(open_sequence(tmp_path / "two.nc"), engine="torch")
    np.testing.assert_allclose(found["two"].values, expected.values, atol=2**-11)


@pytest.mark.slow
def test_a_killed_command_goes_on_at_s3(bucket, tmp_path):
    save_sequence(moving_clouds(frames=60, size=16), "s3://bucket/killed/in.zarr")
    words = ["reconstruct", "s3://bucket/killed/in.zarr", "--engine", "torch", "-o", "s3://bucket/killed/out.zarr"]
    killed = command(*words)
    while len(bucket.find("bucket/killed/out.zarr/brightness_temperature/c")) < 3:
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not bucket.exists("bucket/killed/out.zarr/zarr.json")
    with pytest.raises(InputError):
        open_sequence("s3://bucket/killed/out.zarr")
    again = command(*words)
    _, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert "Continuing s3://bucket/killed/out.zarr" in said and "of 60 frames" in said
    save_sequence(reconstruct(open_sequence("s3://bucket/killed/in.zarr"), engine="torch"), tmp_path / "whole.zarr")
    there, whole = open_sequence("s3://bucket/killed/out.zarr"), open_sequence(tmp_path / "whole.zarr")
    np.testing.assert_array_equal(there.values, whole.values)


@pytest.mark.slow
def test_what_was_made_from_something_else_starts_anew_at_s3(bucket, clouds, caplog):
    place = "s3://bucket/anew.zarr"
    with pytest.raises(RuntimeError, match="stopped"):
        save_sequence(Counting(clouds, fail_at=9).sequence, place, fingerprint="a")
    assert bucket.exists("bucket/anew.zarr/zarr.json.partial")
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        save_sequence(clouds + 1, place, fingerprint="b")
    assert "its input, model or options differ" in caplog.text
    np.testing.assert_allclose(open_sequence(place).values, clouds.values + 1, atol=1e-3)
    with pytest.raises(InputError, match="cannot exchange it"):
        save_sequence(clouds, place)
    save_sequence(clouds, place, overwrite=True)
    np.testing.assert_allclose(open_sequence(place).values, clouds.values, atol=1e-3)
    with pytest.raises(InputError, match="where the input is read from"):
        save_sequence(open_sequence(place), place, overwrite=True)


@pytest.mark.slow
def test_a_failed_output_without_fingerprint_leaves_nothing_and_other_objects_stay(bucket, clouds):
    with pytest.raises(RuntimeError, match="stopped"):
        save_sequence(Counting(clouds, fail_at=9).sequence, "s3://bucket/failed.zarr")
    assert not bucket.find("bucket/failed.zarr")
    bucket.pipe_file("bucket/mine.zarr/notes.txt", b"mine")
    with pytest.raises(InputError, match="objects other than"):
        save_sequence(clouds, "s3://bucket/mine.zarr", overwrite=True)
    assert bucket.cat_file("bucket/mine.zarr/notes.txt") == b"mine"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["s3://nobody/in.zarr", "s3://bucket/nothing.nc", "s3://bucket/no*.nc"])
def test_a_missing_bucket_or_key_is_one_sentence(bucket, tmp_path, capsys, place):
    code, _, error = run(capsys, "reconstruct", place, "-o", tmp_path / "out.zarr")
    assert code == 2
    (line,) = error.strip().splitlines()
    assert line.startswith(f"Error: {place} ")


@contextmanager
def cluster(folder):
    """A Dask cluster of two workers on this machine: yields its address and the process of the scheduler."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    start = partial(subprocess.Popen, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    dask = [sys.executable, "-m", "dask"]
    here = folder / "scheduler.json"
    running = [
        start([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", here])
    ]
    try:
        while not here.exists():
            assert running[0].poll() is None
            time.sleep(0.1)
        time.sleep(0.2)
        address = json.loads(here.read_text())["address"]
        worker = [*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"]
        running += [start(worker), start(worker)]
        yield address, running[0]
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait(60)


@pytest.mark.slow
def test_the_workers_of_a_cluster_by_tcp_give_what_one_process_gives(tmp_path):
    pytest.importorskip("distributed")
    save_sequence(moving_clouds(frames=FRAMES, size=16), tmp_path / "in.nc")
    with cluster(tmp_path) as (address, _):
        words = ["reconstruct", tmp_path / "in.nc", "--engine", "torch", "-o"]
        run = command(*words, tmp_path / "cluster.zarr", "--dask", address)
        _, said = run.communicate(timeout=400)
        assert run.returncode == 0, said
        assert "workers, dashboard" in said
    save_sequence(reconstruct(tmp_path / "in.nc", engine="torch"), tmp_path / "plain.zarr")
    made, plain = open_sequence(tmp_path / "cluster.zarr"), open_sequence(tmp_path / "plain.zarr")
    np.testing.assert_array_equal(made.values, plain.values)


@pytest.mark.slow
def test_a_killed_scheduler_loses_nothing(tmp_path):
    pytest.importorskip("distributed")
    save_sequence(moving_clouds(frames=64, size=128), tmp_path / "in.nc")  # eight shards
    words = ["reconstruct", tmp_path / "in.nc", "--engine", "torch", "-o", tmp_path / "out.zarr"]
    with cluster(tmp_path) as (address, scheduler):
        run = command(*words, "--dask", address)
        while not any("c/" in place and files for place, _, files in os.walk(tmp_path)):
            assert run.poll() is None, run.communicate()[1]
            time.sleep(0.02)
        scheduler.kill()
        _, said = run.communicate(timeout=200)
    assert run.returncode == 2 and "is lost; start it and the command again" in said
    assert not (tmp_path / "out.zarr").exists()
    again = command(*words)
    _, said = again.communicate(timeout=200)
    assert again.returncode == 0 and "done before" in said, said
    expected = reconstruct(tmp_path / "in.nc", engine="torch")
    np.testing.assert_allclose(open_sequence(tmp_path / "out.zarr").values, expected.values, atol=2**-11)


@pytest.mark.slow
def test_frames_that_cannot_be_read_are_recorded_at_s3(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("tempogan_eddy.io.workers.PAUSES", (0.0,))
    save_sequence(moving_clouds(frames=6, size=16), tmp_path / "in.nc", precision="exact")
    damage(tmp_path / "in.nc", 2)
    place = "s3://bucket/damaged.zarr"
    with pytest.raises(InputError, match="cannot be read at frame 3"):
        save_sequence(open_sequence(tmp_path / "in.nc"), place, fingerprint="a")
    save_sequence(open_sequence(tmp_path / "in.nc", unreadable="gap"), place, fingerprint="a")
    there = open_sequence(place)
    assert np.flatnonzero(np.isnan(there.values).all(axis=(1, 2))).tolist() == [2]
    assert there.attrs["unreadable_frames"] == str(there["time"].values[2])[:16]
