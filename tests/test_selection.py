"""One of several bands or members of a file, chosen in one way by every command and in Python."""

from functools import partial

import numpy as np
import pytest
import xarray as xr
from typer.main import get_command

from cli_cases import run
from tempogan_eddy import InputError, coarsen, open_sequence, open_sequences, reconstruct, save_sequence
from tempogan_eddy.cli.application import app
from tempogan_eddy.cli.options import settings
from tempogan_eddy.dataset.source import open_source
from tempogan_eddy.io.variables.channel import channel_of
from tempogan_eddy.io.variables.selection import parse_selection

FRAMES, SIDE = 4, 40
LABELS = {
    "numbers": xr.Variable("band", [8, 13, 15]),
    "text": xr.Variable("band", ["B08", "B13", "B15"]),
    "packed": xr.Variable("band", np.array([62, 104, 123], "i2"), {"scale_factor": 0.1}),
}
KELVIN = np.random.default_rng(0).uniform(200, 300, (FRAMES, SIDE, SIDE)).astype("f4")


def bands(dims=("time", "band", "lat", "lon"), **variables):
    """A dataset with three bands, each a kelvin warmer than the one before."""
    one = xr.DataArray(KELVIN, dims=("time", "lat", "lon"))
    kelvin = xr.concat([one, one + 1, one + 2], "band").transpose(*dims).assign_attrs(units="K")
    grid = {
        "time": np.datetime64("2019-12-25", "ns") + np.arange(FRAMES) * np.timedelta64(1, "h"),
        "lat": ("lat", 20 - 0.18 * np.arange(SIDE), {"units": "degrees_north"}),
        "lon": ("lon", 120 + 0.18 * np.arange(SIDE), {"units": "degrees_east"}),
    }
    return xr.Dataset({"Tb": kelvin, **variables}, coords=grid)


def written(dataset, path):
    if path.suffix == ".zarr":
        dataset.to_zarr(path, consolidated=False)
    else:
        dataset.to_netcdf(path)
    return path


@pytest.fixture
def members(tmp_path):
    """A file of three members as `reconstruct --members` writes it."""
    ensemble = open_sequence(written(bands().rename(band="member"), tmp_path / "raw.nc"))
    save_sequence(ensemble, tmp_path / "members.nc")
    return tmp_path / "members.nc"


@pytest.mark.parametrize("name", ["a.nc", "a.zarr"])
@pytest.mark.parametrize("dims", [("time", "band", "lat", "lon"), ("lat", "lon", "band", "time")])
@pytest.mark.parametrize(
    ("labels", "value"),
    [("numbers", 13), ("numbers", "13"), ("text", "B13"), ("packed", 10.4), ("packed", "10.4"), (None, 1), (None, "1")],
)
def test_a_band_is_chosen_by_its_label_else_by_its_number(tmp_path, name, dims, labels, value):
    dataset = bands(dims)
    if labels:
        dataset["band"] = LABELS[labels]
    sequence = open_sequence(written(dataset, tmp_path / name), select={"band": value})
    np.testing.assert_array_equal(sequence.values, KELVIN + 1)
    assert sequence.dims == ("time", "y", "x")
    assert sequence.attrs["selection"] == f"band={value}"


def test_a_variable_along_the_dimension_chooses_too_and_tells_the_channel(tmp_path):
    wavelength = xr.Variable("band", [6.2, 10.4, 12.3], {"units": "um"})
    path = written(bands(band_wavelength=wavelength), tmp_path / "a.nc")
    for select, kind in (({"band_wavelength": 6.2}, "water vapour"), ({"band": 1}, "window")):
        sequence = open_sequence(path, select=select)
        assert channel_of("", sequence.attrs, sequence.coords).kind == kind


def test_files_that_continue_each_other_are_chosen_from_as_one(tmp_path):
    for number in range(FRAMES):
        written(bands(band=LABELS["numbers"]).isel(time=[number]), tmp_path / f"tb_201912250{number}.nc")
    sequence = open_sequence(tmp_path, select={"band": 15})
    np.testing.assert_array_equal(sequence.values, KELVIN + 2)
    assert sequence.attrs["selection"] == "band=15"


def test_a_member_is_chosen_and_the_output_says_which(members, tmp_path):
    sequence = open_sequence(members, select={"member": 2})
    np.testing.assert_allclose(sequence.values, KELVIN + 2, atol=0.001)
    save_sequence(sequence, tmp_path / "one.nc")
    assert open_sequence(tmp_path / "one.nc").attrs["selection"] == "member=2"


def test_reconstruct_and_coarsen_choose_of_a_file_as_their_messages_say(tmp_path):
    path = written(bands(band=LABELS["numbers"]), tmp_path / "bands.nc")
    for function in (partial(reconstruct, model="faithful", engine="torch"), coarsen):
        with pytest.raises(InputError, match=r"in Python select=\{'band': 8\}"):
            function(path)
        made = function(path, select={"band": 13})
        xr.testing.assert_allclose(made, function(open_sequence(path, select={"band": 13})))
        assert made.attrs["selection"] == "band=13"
        with pytest.raises(InputError, match=r"leave it out and give a part of it, as .sel\(band=13\)"):
            function(bands(), select={"band": 13})


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ({}, r"choose one with --select band=8 \(in Python select=\{'band': 8\}; there are 8, 13, 15\)"),
        ({"band": 12}, "has no band=12, but band 8, 13, 15; choose one of these"),
        ({"band": "first"}, "has no band=first"),
        ({"lat": 20}, "'lat' lies along time or the grid"),
        ({"time": 0}, "'time' lies along time or the grid.*times: --time"),
        ({"band": 13, "member": 2}, "has no dimension 'member' to choose from; leave out --select member=2"),
    ],
)
def test_what_cannot_be_chosen_is_refused(tmp_path, select, message):
    path = written(bands(band=LABELS["numbers"]), tmp_path / "a.nc")
    for read in (open_sequence, open_sequences):
        with pytest.raises(InputError, match=message):
            read(path, select=select)


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ("text", r"--select band=B08 \(in Python select=\{'band': 'B08'\}; there are B08, B13, B15\)"),
        (None, r"--select band=0 \(in Python select=\{'band': 0\}; there are 0, 1, 2\)"),
        ("beside", r"--select wave=6.2 \(in Python select=\{'wave': 6.2\}; there are 6.2, 10.4, 12.3\)"),
    ],
)
def test_the_refusal_names_the_choices(tmp_path, labels, shown):
    dataset = bands()
    if labels == "beside":
        dataset["wave"] = ("band", np.array([6.2, 10.4, 12.3], "f4"))
    elif labels:
        dataset["band"] = LABELS[labels]
    with pytest.raises(InputError, match=shown):
        open_sequence(written(dataset, tmp_path / "a.nc"))


@pytest.mark.parametrize("text", ["band", "band=", "=13"])
def test_a_choice_has_a_name_and_a_value(text):
    with pytest.raises(InputError, match=f"--select {text} is not NAME=VALUE"):
        parse_selection([text])
    with pytest.raises(InputError, match="a name of its own"):
        parse_selection(["band=13", "band=15"])


def test_every_command_that_chooses_a_variable_chooses_a_band():
    offered = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in get_command(app).commands.items()
    }
    readers = {name for name, options in offered.items() if "--variable" in options}
    assert readers == {name for name, options in offered.items() if "--select" in options}
    assert {"reconstruct", "evaluate", "view", "animate", "coarsen", "check", "info", "sensor", "train"} <= readers


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("info", []),
        ("check", []),
        ("sensor", []),
        ("coarsen", ["-o", "coarse.nc"]),
        ("reconstruct", ["-o", "fine.nc", "--model", "faithful", "--engine", "torch"]),
        ("animate", ["-o", "film.webp"]),
        ("view", ["--export", "site"]),
        ("evaluate", ["--reconstructed", "fine.nc", "--lowres", "in.nc", "--metrics", "rmse"]),
    ],
)
def test_commands_take_a_band_and_refuse_one_that_is_not_there(capsys, tmp_path, monkeypatch, command, options):
    monkeypatch.chdir(tmp_path)
    written(bands(band=LABELS["numbers"]), tmp_path / "in.nc")
    source = ["in.nc"]
    if command == "evaluate":
        save_sequence(open_sequence("in.nc", select={"band": 13}), tmp_path / "fine.nc")
        source, options = ["--truth", "in.nc"], [*options[:2], "--scale", "2", *options[4:]]
    code, _, error = run(capsys, command, *source, *options, "--select", "band=13")
    assert code == 0, error
    code, out, error = run(capsys, command, *source, *options, "--select", "band=13", "--select", "bnd=13")
    assert code == (1 if command == "check" else 2)
    assert "no dimension 'bnd' to choose from" in out + error


def test_training_data_are_chosen_from_too(tmp_path):
    written(bands(band=LABELS["numbers"]), tmp_path / "a.nc")
    ((sequence, _),) = open_source(tmp_path / "a.nc", settings(None, None, select=["band=13"])).values()
    np.testing.assert_array_equal(sequence.values, KELVIN + 1)
    with pytest.raises(InputError, match="no dimension 'bnd'"):
        open_source(tmp_path / "a.nc", settings(None, ["data.select={band: 13, bnd: 2}"]))
