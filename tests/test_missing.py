"""Inputs that do not exist are refused before anything costly, with the name that was perhaps meant."""

import subprocess
import sys
from pathlib import Path

import pytest

from tempogan_eddy.errors import InputError
from tempogan_eddy.missing import missing, nearest, refuse_missing


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/lowres.nc").touch()
    (tmp_path / "archive/Truth.nc").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("archive/lowrse.nc", "archive/lowres.nc"),
        ("archive/truth.nc", "archive/Truth.nc"),
        ("archvie/lowres.nc", "archive"),
        ("archive/zebra", None),
    ],
)
def test_the_nearest_name_is_suggested(folder, typed, meant):
    assert nearest(folder / typed) == (meant and folder / meant)


def test_the_message_names_the_neighbour_or_gives_the_advice(folder):
    assert str(missing(folder / "archve", "give data")).endswith(f"does not exist; did you mean {folder}/archive?")
    assert str(missing(folder / "zebra", "give data")) == f"{folder}/zebra does not exist; give data."


@pytest.mark.parametrize("name", ["ftp://host/x.nc", Path("ftp://host/x.nc")])
def test_a_url_of_another_kind_is_named_whole(name):
    assert str(missing(name)).startswith("ftp://host/x.nc is not read by URL; give s3://")


def test_what_a_reader_can_resolve_is_left_to_it(folder):
    being_replaced = folder / "archive/out.nc"
    (folder / "archive/.out.nc.123.old").touch()
    refuse_missing(["s3://bucket/key", str(folder / "archive/*.nc"), "eddy", folder / "archive", being_replaced])
    refuse_missing(["x" * 5000, "a\0b"])
    with pytest.raises(InputError, match="does not exist"):
        refuse_missing([folder / "archive", folder / "zebra.nc"])


COMMANDS = (
    "info {}",
    "check {}",
    "sensor {}",
    "pack {} -o a.zarr",
    "train --data {}",
    "train --lowres {} --highres .",
    "reconstruct {} -o a.nc",
    "evaluate --truth {} --reconstructed .",
    "evaluate --truth . --reconstructed . --compare other={}",
    "view . --truth {}",
    "animate {} -o a.webp",
)


def test_commands_refuse_it_before_they_import_what_is_slow(folder):
    program = (
        "import sys, tempogan_eddy.cli as cli\n"
        "for command in sys.argv[1:]:\n"
        "    try: cli.main(command.split())\n"
        "    except SystemExit as end: print(end.code, {'numpy', 'xarray', 'torch'} & set(sys.modules))"
    )
    words = [command.format("archive/lowers.nc") for command in COMMANDS]
    ended = subprocess.run([sys.executable, "-c", program, *words], cwd=folder, capture_output=True, text=True)
    assert ended.stdout == "2 set()\n" * len(COMMANDS)
    refusal = "Error: archive/lowers.nc does not exist; did you mean archive/lowres.nc?\n"
    assert ended.stderr == refusal * len(COMMANDS)
