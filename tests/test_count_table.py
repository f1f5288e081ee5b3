"""Counts that a table in the same file turns into kelvin."""

import logging

import h5py
import numpy as np
import pytest
import xarray as xr

from io_cases import all_frames
from tempogan_eddy import InputError, open_sequence
from tempogan_eddy.io.variables.container import open_stored
from tempogan_eddy.io.variables.count_table import kelvins_by_count

TABLE = np.linspace(180, 320, 256).astype("f4")
COUNTS = np.random.default_rng(0).integers(0, 255, (3, 6, 7))


def written(path, dtype="u1", counts=None, tables=("irwin_table",), images=("irwin",), **attrs):
    """A file of counts with tables of kelvins, each a kelvin warmer than the one before."""
    frames = xr.Variable(("time", "lat", "lon"), np.asarray(COUNTS if counts is None else counts).astype(dtype), attrs)
    variables = dict.fromkeys(images, frames)
    variables |= {name: ("count", TABLE + number, {"units": "K"}) for number, name in enumerate(tables)}
    times = np.datetime64("1987-04-13", "ns") + np.arange(3) * np.timedelta64(1, "h")
    xr.Dataset(variables, {"time": times}).to_netcdf(path)
    return path


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4"])
def test_the_only_table_is_used_and_named_in_one_line(tmp_path, caplog, dtype):
    caplog.set_level(logging.INFO)
    sequence = open_sequence(written(tmp_path / "a.nc", dtype))
    np.testing.assert_array_equal(sequence.values, TABLE[COUNTS])
    assert sequence.attrs["units"] == "K"
    told = [record.getMessage() for record in caplog.records if "table" in record.getMessage()]
    assert told == [f"{tmp_path / 'a.nc'}: irwin holds counts, which are kelvin by the table irwin_table"]


@pytest.mark.parametrize("attrs", [{"calibration_table": "other"}, {"comment": "counts of the table other"}])
def test_the_table_that_an_attribute_names_is_used(tmp_path, attrs):
    path = written(tmp_path / "a.nc", tables=("irwin_table", "other"), units="count", **attrs)
    np.testing.assert_array_equal(open_sequence(path).values, TABLE[COUNTS] + 1)


@pytest.mark.parametrize("variable", [None, "irwin"])
def test_several_tables_are_refused_with_the_remedy(tmp_path, variable):
    path = written(tmp_path / "a.nc", tables=("one", "two"))
    with pytest.raises(
        InputError, match=r"one, two could each be the table .* ncatted -a calibration_table,irwin,o,c,one"
    ):
        open_sequence(path, variable=variable)


def test_a_fill_value_and_counts_beyond_the_table_are_missing(tmp_path):
    counts = COUNTS.copy()
    counts[0, 0, :3] = 255, 300, -1
    sequence = open_sequence(written(tmp_path / "a.nc", "i2", counts, _FillValue=np.int16(255)))
    assert np.isnan(sequence.values[0, 0, :3]).all()
    assert np.isfinite(sequence.values).sum() == COUNTS.size - 3


@pytest.mark.parametrize("fills", [{0: 0.0}, {0: -100.0, 254: -200.0, 255: -1000.0}])
def test_fill_values_of_a_table_that_nothing_marks_are_missing_and_counted(tmp_path, caplog, fills):
    path, counts = tmp_path / "a.nc", 1 + COUNTS % 250
    counts[1, 0, : len(fills)] = list(fills)
    with xr.open_dataset(written(tmp_path / "whole.nc", counts=counts)) as dataset:
        dataset.load()
    for count, value in fills.items():
        dataset["irwin_table"][count] = value
    dataset.to_netcdf(path)
    expected = TABLE[counts]
    expected[1, 0, : len(fills)] = np.nan
    np.testing.assert_array_equal(all_frames(open_sequence(path)), expected)
    low, high = min(fills.values()), max(fills.values())
    share = 100 * len(fills) / COUNTS.size
    assert f"{len(fills)} pixels ({share:.2g} %, {low:.1f} to {high:.1f} K) lie outside 160-330 K" in caplog.text


def test_of_several_images_the_one_of_the_infrared_window_is_read(tmp_path):
    path = written(tmp_path / "a.nc", tables=("irwin_table", "irwvp_table"), images=("irwin", "irwvp", "vischn"))
    np.testing.assert_array_equal(open_sequence(path).values, TABLE[COUNTS])
    np.testing.assert_array_equal(open_sequence(path, variable="irwvp").values, TABLE[COUNTS] + 1)
    with pytest.raises(InputError, match="vischn has no units"):
        open_sequence(path, variable="vischn")


def test_a_table_is_read_once_for_all_images_of_a_file(tmp_path):
    path = written(tmp_path / "a.nc", tables=("irwin_table", "irwvp_table"), images=("irwin", "irwvp"))
    dataset = open_stored(path)
    first = kelvins_by_count(dataset, "irwin", path)
    dataset.close()
    path.unlink()
    second = kelvins_by_count(dataset, "irwvp", path)
    assert (first[0], second[0]) == ("irwin_table", "irwvp_table")
    np.testing.assert_array_equal([first[1], second[1]], [TABLE, TABLE + 1])


@pytest.mark.parametrize(
    "table",
    [
        TABLE[:200],  # fewer than counts
        TABLE - 273.15,  # no kelvin
        np.full(256, 250.0),  # one value
        np.linspace(0, 350, 256),  # most are kelvins, but the others are no fill values
        np.where(np.arange(256) < 100, TABLE, 0),  # mostly a fill value
    ],
)
def test_what_is_no_table_of_kelvins_is_not_used(tmp_path, table):
    path = written(tmp_path / "a.nc", tables=())
    with xr.open_dataset(path) as dataset:
        dataset.load().assign(lut=("count", table)).to_netcdf(tmp_path / "b.nc")
    with pytest.raises(InputError, match=r"no units; .* Calibrate counts or radiance first"):
        open_sequence(tmp_path / "b.nc", variable="irwin")


@pytest.mark.parametrize(("image", "attrs"), [("vis", {}), ("state", {"flag_meanings": "a b", "flag_values": [0, 1]})])
def test_a_table_that_nothing_names_is_not_that_of_other_quantities(tmp_path, image, attrs):
    path = written(tmp_path / "a.nc", tables=("temperature_table",), images=(image,), **attrs)
    with pytest.raises(InputError, match="no variable with standard_name brightness_temperature"):
        open_sequence(path)


def test_a_table_may_lie_in_another_group_and_begin_far_below_any_cloud(tmp_path):
    # FengYun-4B: /Data/NOMChannel13 and /Calibration/CALChannel13, whose first counts are of 110 K
    table, counts = np.linspace(110, 345, 4096, dtype="f4"), 1500 + 9 * COUNTS[0].astype("u2")
    path = tmp_path / "FY4B-_AGRI--_N_DISK_1330E_L1-_FDI-_MULT_NOM_20221225000000_20221225001459_4000M_V0001.HDF"
    with h5py.File(path, "w") as file:
        for channel, warmer in ((12, 1), (13, 0), (14, 2)):
            file[f"Data/NOMChannel{channel}"] = counts
            file[f"Calibration/CALChannel{channel}"] = table + warmer
    sequence = open_sequence(path, variable="NOMChannel13")
    np.testing.assert_array_equal(sequence.values, [table[counts]])
    assert sequence.time.values == [np.datetime64("2022-12-25")]


def test_files_of_counts_that_continue_each_other_are_one_sequence(tmp_path):
    whole = written(tmp_path / "whole.nc")
    folder = tmp_path / "hours"
    folder.mkdir()
    with xr.open_dataset(whole) as dataset:
        for hour in range(3):
            part = dataset.load().isel(time=[hour])
            part.assign(irwin_table=part["irwin_table"] + hour).to_netcdf(folder / f"ir_198704130{hour}.nc")
    hours = np.arange(3)[:, None, None]
    np.testing.assert_array_equal(open_sequence(folder).values, TABLE[COUNTS] + np.float32(hours))


def test_kelvins_beside_a_table_stay_as_they_are(tmp_path):
    path = written(tmp_path / "a.nc", "i2", COUNTS % 100 + 200, units="K")
    np.testing.assert_array_equal(open_sequence(path).values, COUNTS % 100 + 200)
