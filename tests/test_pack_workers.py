"""Packing in several processes, and going on where a killed run stopped."""

import signal
import subprocess
import sys

import pytest
import zarr

from tempogan_eddy.config import load_config
from tempogan_eddy.dataset import pack as packing
from tempogan_eddy.dataset import pack_frames
from tempogan_eddy.dataset.pack import pack
from tempogan_eddy.dataset.pack_frames import Packing
from tempogan_eddy.dataset.store import open_storms
from tempogan_eddy.errors import InputError
from training_cases import write_storms


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"), size=32)


def contents(store):
    """Every file of a store."""
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


def test_the_store_is_the_same_for_every_number_of_processes(tmp_path, storms, monkeypatch):
    serial = pack(storms, tmp_path / "serial.zarr", load_config({}))
    monkeypatch.setattr(pack_frames, "AT_ONCE", 5)  # the flow into a part comes from the frame before it
    parts = pack(storms, tmp_path / "parts.zarr", load_config({}))
    several = pack(storms, tmp_path / "several.zarr", load_config({}), workers=2)
    assert contents(parts) == contents(serial)
    assert contents(several) == contents(serial)


def test_few_frames_start_no_process(monkeypatch):
    monkeypatch.setattr(pack_frames, "cores", lambda: 16)
    found = [pack_frames.workers_for(frames, None) for frames in (1, 100, 640, 10**6)]
    assert found == [None, None, "processes:10", "processes:16"]
    assert pack_frames.workers_for(1, 3) == "processes:3"


def test_an_error_in_a_process_is_that_of_the_file(tmp_path, storms, monkeypatch):
    def refuse(*arguments):
        raise InputError("x.h5 is broken; get it anew.")

    monkeypatch.setattr(Packing, "pack", refuse)
    with pytest.raises(InputError, match=r"x\.h5 is broken"):
        pack(storms, tmp_path / "p.zarr", load_config({}))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_chunk_is_noticed(tmp_path, storms):
    store = pack(storms, tmp_path / "p.zarr", load_config({}))
    chunk = store / "storm0" / "brightness_temperature" / "c" / "3" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(InputError, match=r"p\.zarr is damaged"):
        open_storms(store)


KILLED = """
import os, signal, sys
from pathlib import Path
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.pack import pack
def kill(storm, frame, frames):
    if storm == "storm1" and frame == 1:
        os.kill(os.getpid(), signal.SIGKILL)
pack(sys.argv[1], Path(sys.argv[2]), load_config({}), kill)
"""


@pytest.mark.slow
def test_a_killed_run_is_gone_on_with(tmp_path, storms, monkeypatch):
    whole = pack(storms, tmp_path / "whole.zarr", load_config({}))
    store = tmp_path / "p.zarr"
    assert subprocess.run([sys.executable, "-c", KILLED, storms, store]).returncode == -signal.SIGKILL
    begun, begin = [], packing._begin_sequence

    def watched(partial, name, *rest):
        begun.append(name)
        return begin(partial, name, *rest)

    monkeypatch.setattr(packing, "_begin_sequence", watched)
    pack(storms, store, load_config({}))
    assert begun == ["storm1"]
    assert contents(store) == contents(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.zarr", "whole.zarr"]


def test_what_was_left_of_other_data_is_not_taken_over(tmp_path, storms, monkeypatch):
    left = tmp_path / ".p.zarr.999999999.partial"
    zarr.open_group(left, mode="w", zarr_format=3, attributes={"format": "other"})
    pack(storms, tmp_path / "p.zarr", load_config({}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.zarr"]
    assert set(open_storms(tmp_path / "p.zarr")) == {"storm0", "storm1"}
