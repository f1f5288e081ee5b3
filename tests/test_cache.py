"""The cache of the user: made once, never wrong, never in the way."""

import os

import pytest

from model_cases import detailed_model
from tempogan_eddy import cache, export


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tempogan-eddy"


def cached(content: bytes, key="key") -> bytes:
    return cache.cached("letters.txt", key, lambda: content)


def test_what_was_made_from_the_same_is_not_made_again(folder):
    assert [cached(b"a"), cached(b"b"), cached(b"b", "other")] == [b"a", b"a", b"b"]
    assert len(list((folder / "letters.txt").iterdir())) == 2


def test_a_damaged_file_is_made_anew(folder):
    cached(b"abc")
    (file,) = (folder / "letters.txt").iterdir()
    for damaged in (file.read_bytes()[:-1], b"", b"x" * 99):
        file.write_bytes(damaged)
        assert cached(b"def") == b"def"


@pytest.mark.parametrize("place", ["/dev/null", "/proc"])
def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch, place):
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert [cached(b"a"), cached(b"b")] == [b"a", b"b"]


def test_the_oldest_files_go(folder, monkeypatch):
    monkeypatch.setattr(cache, "KEPT", 3)
    for number in range(4):
        cached(b"x", str(number))
        for age, file in enumerate(sorted((folder / "letters.txt").iterdir(), key=os.path.getmtime, reverse=True)):
            os.utime(file, (1e9 - age, 1e9 - age))
    assert [cached(b"new", str(number)) for number in (3, 2, 1)] == [b"x"] * 3
    assert cached(b"new", "0") == b"new"


def test_a_network_is_exported_once(monkeypatch):
    pytest.importorskip("onnx", reason="onnx is not installed")
    generator = detailed_model(2).generator
    first = export.residual_to_onnx(generator)
    monkeypatch.setattr(export, "_export", lambda *network: b"exported anew")
    assert export.residual_to_onnx(detailed_model(2).generator) == first
    generator.tail.bias += 1
    assert export.residual_to_onnx(generator) == b"exported anew"
