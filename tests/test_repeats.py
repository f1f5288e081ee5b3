"""What is the same of many storms is said once, whoever computes them."""

import logging
import pickle

import numpy as np
import pytest
import xarray as xr

from cli_cases import run
from tempogan_eddy import save_sequence
from tempogan_eddy.cli.application import Repeats
from tempogan_eddy.io.messages import about, collected_records, collected_warnings
from tempogan_eddy.io.workers import Workers, _told

NAMES = ("STORMA", "STORMB", "STORMC", "STORMD", "STORME")


@pytest.fixture
def archive(make_sequence, tmp_path):
    """Five storms in a folder, none of which names its sensor."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        storm = make_sequence(frames=1, shape=(16, 16), name=name, seed=number).drop_vars("satellite")
        save_sequence(storm, folder / f"{name}.nc")
    return folder


@pytest.mark.parametrize("workers", [[], ["--dask", "threads:2"]])
def test_an_archive_says_once_what_is_the_same_of_its_storms(archive, tmp_path, capsys, workers):
    output = tmp_path / "fine.zarr"
    words = ["-o", output, "--model", "faithful", "--engine", "torch", *workers]
    code, _, error = run(capsys, "reconstruct", archive, *words)
    assert code == 0
    told = [line.partition(" ")[2] for line in error.splitlines()]
    assert len(told) == len(set(told))
    first, last = (line for line in told if "does not say which sensor saw it" in line)
    assert first.startswith("The input does not say")
    assert last.startswith("True of 5 (STORMA, STORMB, STORMC and 2 more): The input does not say")


def records(*messages):
    """Records of messages (name, text, same)."""
    log = logging.getLogger("tempogan_eddy.test")
    with collected_records() as said:
        for name, text, same in messages:
            about(log, name, same).warning("%s", text)
    return said


@pytest.mark.parametrize(
    ("messages", "passed", "summary"),
    [
        ([("A", "one (x)", ""), ("B", "one (x)", "")], 1, ["True of 2 (A, B): one"]),
        ([("A", "A.nc: none; do", ": none; do"), ("B", "B.nc: none; do", ": none; do")], 1, ["True of 2 (A, B): none"]),
        ([("A", "one", ""), ("A", "one", "")], 1, []),
        ([("", "one", ""), ("", "one", "")], 1, []),
        ([("A", "one", ""), ("B", "two", "")], 2, []),
    ],
)
def test_messages_of_one_text_pass_once(caplog, messages, passed, summary):
    repeats = Repeats()
    assert sum(map(repeats.filter, records(*messages))) == passed
    with caplog.at_level(logging.INFO):
        repeats.tell(logging.getLogger("tempogan_eddy"))
    assert [record.getMessage() for record in caplog.records] == summary


def warned(name, number):
    about(logging.getLogger("tempogan_eddy.test"), name).warning("%d is odd", number)
    return number


def test_warnings_of_workers_come_back(caplog):
    result, said = pickle.loads(pickle.dumps(_told(warned, "A", 3)))
    assert result == 3
    assert [(record.getMessage(), record.about) for record in said] == [("3 is odd", "A")]
    with Workers("threads:2") as workers:
        assert [result for *_, result in workers.run(warned, [("B", 5)])] == [5]
    assert [(record.getMessage(), record.about) for record in caplog.records] == [("5 is odd", "B")]


def test_warnings_within_warnings_stay_with_the_inner_list():
    with collected_warnings() as outer:
        warned("A", 1)
        with collected_warnings() as inner:
            warned("A", 3)
        warned("A", 5)
    assert (outer, inner) == (["1 is odd", "5 is odd"], ["3 is odd"])


def test_what_the_error_of_a_command_says_is_not_said_twice(tmp_path, capsys):
    for name in "abc":
        xr.Dataset({"Tb": (("y", "x"), np.full((16, 16), 250.0), {"units": "K"})}).to_netcdf(tmp_path / f"{name}.nc")
    code, _, told = run(capsys, "info", tmp_path)
    assert code == 2 and "True of" not in told and "in a, b, c" in told and told.count("left out") == 1
