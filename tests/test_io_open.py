import logging

import numpy as np
import pytest
from PIL import Image

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences, save_sequence


@pytest.fixture
def archive(make_sequence, tmp_path):
    """A folder that holds a storm in every format, and things that are no storms."""
    for name, path, format in (
        ("one", "nc/one.nc", None),
        ("two", "two.zarr", None),
        ("three", "pictures/three", "png"),
        ("200104", "typhoons/WP", "digital-typhoon"),
    ):
        save_sequence(make_sequence(name=name), tmp_path / path, format=format)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "nc/figure.png")
    save_sequence(make_sequence(), tmp_path / ".cache/hidden.nc")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_folder_gives_all_that_it_holds_by_name(archive):
    sequences = open_sequences(archive)
    assert set(sequences) == {"one", "two", "three", "200104"}
    assert all(da.sizes["time"] == 4 for da in sequences.values())


@pytest.mark.parametrize(
    ("format", "names"),
    [("netcdf", {"one"}), ("zarr", {"two"}), ("png", {"three"}), ("digital-typhoon", {"200104"})],
)
def test_a_format_leaves_all_others_out(archive, format, names):
    assert set(open_sequences(archive, format=format)) == names


def test_one_of_several_is_named(archive):
    assert open_sequence(archive, storm="two").attrs["sequence"] == "two"
    with pytest.raises(InputError, match="4 sequences: one, three, two, 200104; choose one with --storm"):
        open_sequence(archive)
    with pytest.raises(InputError, match="no sequence 'five'; it holds one, three, two, 200104"):
        open_sequence(archive, storm="five")


def test_a_file_without_brightness_temperature_beside_others_is_left_out(archive, make_sequence, caplog):
    flow = make_sequence().rename("flow").assign_attrs(units="pixel", standard_name="flow")
    flow.compute().to_netcdf(archive / "nc/flow.nc")
    with caplog.at_level(logging.WARNING, logger="tempogan_eddy"):
        assert "flow" not in open_sequences(archive)
    assert "flow.nc" in caplog.text
    with pytest.raises(InputError, match=r"flow\.nc has no variable with standard_name"):
        open_sequences(archive / "nc/flow.nc")


@pytest.mark.parametrize("frames", [3, 25])
def test_frames_without_times_ask_for_times_and_not_for_a_storm(make_sequence, tmp_path, frames):
    frame = make_sequence(frames=1)[0].drop_vars(["time", "satellite"]).compute()
    for number in range(frames):
        frame.to_netcdf(tmp_path / f"frame{chr(97 + number)}.nc")
    for read in (open_sequence, open_sequences):
        with pytest.raises(
            InputError, match=r"of the first: .*framea\.nc: .* or name the file by YYYYMMDDHHMM"
        ) as error:
            read(tmp_path)
        assert "--storm" not in str(error.value)


def test_a_broken_file_beside_others_is_not_left_out(archive):
    (archive / "nc/broken.nc").write_text("no NetCDF")
    with pytest.raises(InputError, match=r"broken\.nc"):
        open_sequences(archive)


def test_content_tells_netcdf_without_a_suffix(archive):
    (archive / "nc/one.nc").rename(archive / "unnamed")
    assert open_sequence(archive / "unnamed").sizes["time"] == 4


def test_two_sequences_of_one_name_are_never_mixed_up(archive, make_sequence):
    save_sequence(make_sequence(), archive / "nc/one.zarr")
    with pytest.raises(InputError, match=r"one\.nc and .*one\.zarr are both the sequence 'nc_one'"):
        open_sequences(archive)
    assert set(open_sequences(archive, format="netcdf")) == {"one"}


@pytest.mark.parametrize(
    ("path", "words"),
    [("absent", "does not exist"), ("empty", "empty folder"), ("notes.txt", "no brightness temperatures")],
)
def test_a_path_without_a_sequence_is_refused_by_name(archive, path, words):
    for function in (open_sequence, open_sequences):
        with pytest.raises(InputError, match=words) as error:
            function(archive / path)
        assert path in str(error.value)


def test_an_unknown_format_is_refused_with_the_known_ones(archive):
    with pytest.raises(InputError, match="digital-typhoon, png, netcdf, zarr"):
        open_sequence(archive, format="gif")


@pytest.mark.parametrize(("key", "known"), [("time_from", "auto, attributes, name"), ("unreadable", "error, gap")])
def test_an_unknown_choice_is_refused_with_the_known_ones(archive, key, known):
    with pytest.raises(InputError, match=f"Unknown {key} 'gaps'; use one of {known}"):
        open_sequence(archive / "nc/one.nc", **{key: "gaps"})


def test_the_data_folder_holds_four_storms(data_dir):
    sequences = open_sequences(data_dir)
    assert set(sequences) >= {"198702", "200717", "merg_20191225-31_hourly", "merg_20011230-31_hourly"}
    assert all(da.dtype == np.float32 for da in sequences.values())
