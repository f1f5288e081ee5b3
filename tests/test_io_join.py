"""Many files as one sequence."""

import gzip
import logging
import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from io_cases import all_frames
from tempogan_eddy.dataset.windows import find_windows, link_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences
from tempogan_eddy.io.joining import headers, join

START = np.datetime64("2019-12-25T00:00", "ns")
HOUR = np.timedelta64(1, "h")


def write(path, hours, *, offset=0.0, size=8, name="Tb", value=None, dtype="f8", **attrs):
    """A file of frames that are constant, 200 K plus their hour."""
    hours = np.atleast_1d(np.asarray(hours, float))
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(attrs)
        for dim, length in (("time", len(hours)), ("lat", size), ("lon", size)):
            file.createDimension(dim, length)
        time = file.createVariable("time", dtype, ("time",))
        time.units = "days since 1970-01-01 00:00:00"
        time[:] = 18255 + hours / 24
        for dim, units in (("lat", "degrees_north"), ("lon", "degrees_east")):
            axis = file.createVariable(dim, "f4", (dim,))
            axis.units = units
            axis[:] = 10 + offset + 0.04 * np.arange(size)
        image = file.createVariable(name, "f4", ("time", "lat", "lon"), fill_value=-9999.0, zlib=True)
        image.setncatts({"units": "K", "standard_name": "brightness_temperature"})
        for number, hour in enumerate(hours):
            image[number] = 200 + hour if value is None else value
    return path


def hourly(folder, hours, pattern="merg_20191225{:02d}_4km-pixel.nc4", **options):
    for hour in hours:
        write(folder / pattern.format(hour), [hour, hour + 0.5], **options)


def values(sequence):
    return [float(frame[0, 0]) for frame in all_frames(sequence)]


@pytest.mark.parametrize("how", ["folder", "glob", "list"])
def test_hourly_files_are_one_lazy_sequence(tmp_path, how):
    hourly(tmp_path, range(4))
    paths = {"folder": tmp_path, "glob": f"{tmp_path}/*.nc4", "list": sorted(tmp_path.glob("*.nc4"), reverse=True)}
    sequence = open_sequence(paths[how])
    assert sequence.chunks[0] == (1,) * 8
    assert values(sequence) == [200 + half / 2 for half in range(8)]
    assert {name: find_windows(link_frames(sequence, name)).shape[0] for name in ("30min", "1h")} == {
        "30min": 6,
        "1h": 4,
    }


def test_one_frame_a_file_in_folders_by_date(tmp_path):
    for hour in range(6):
        write(
            tmp_path / f"2019/{359 + hour // 3}/GRIDSAT-B1.2019.12.{25 + hour // 3}.{hour % 3:02d}.nc",
            24 * (hour // 3) + hour % 3,
        )
    sequence = open_sequence(tmp_path)
    assert sequence.sizes["time"] == 6
    assert values(sequence) == [200.0, 201.0, 202.0, 224.0, 225.0, 226.0]


def test_only_the_first_of_files_alike_is_opened_in_full(tmp_path, monkeypatch):
    hourly(tmp_path, range(20))
    opened = []
    full = headers.find_image
    monkeypatch.setattr(headers, "find_image", lambda path, *options: opened.append(path) or full(path, *options))
    sequence = open_sequence(tmp_path)
    assert sequence.sizes["time"] == 40
    assert len(opened) == 1


def test_no_file_is_opened_again_to_join_files_that_were_opened_in_full(tmp_path, monkeypatch, caplog):
    """Classic NetCDF, whose headers are not compared piece by piece."""
    for hour in range(3):
        write(tmp_path / "new" / f"a_201912250{hour}.nc", [hour], EndTime=f"{hour:02d}:59")
        (tmp_path / "old").mkdir(exist_ok=True)
        with xr.open_dataset(tmp_path / "new" / f"a_201912250{hour}.nc") as file:
            file.to_netcdf(tmp_path / "old" / f"a_201912250{hour}.nc", format="NETCDF3_64BIT")
    opened, full = [], headers.find_image
    for module in (headers, join):
        monkeypatch.setattr(
            module, "find_image", lambda path, *options: opened.append(path.name) or full(path, *options)
        )
    with caplog.at_level(logging.INFO, logger="tempogan_eddy"):
        sequence = open_sequence(tmp_path / "old")
    assert opened == ["a_2019122500.nc", "a_2019122501.nc", "a_2019122502.nc"]
    assert "left out: EndTime" in caplog.text and "EndTime" not in sequence.attrs


def test_few_files_are_held_open_while_many_are_read(tmp_path):
    hourly(tmp_path, range(20))
    sequence = open_sequence(tmp_path)
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("this system does not list open files")
    before = len(list(descriptors.iterdir()))
    assert len(values(sequence)) == 40
    assert len(list(descriptors.iterdir())) - before < 10


def test_overlaps_and_gaps_are_told_in_a_line_each(tmp_path, caplog):
    write(tmp_path / "a_2019122500.nc", [0, 1, 2])
    write(tmp_path / "a_2019122502.nc", [2, 3], value=300.0)
    write(tmp_path / "a_2019122507.nc", [7, 8])
    with caplog.at_level(logging.INFO, logger="tempogan_eddy"):
        sequence = open_sequence(tmp_path)
    assert values(sequence) == [200.0, 201.0, 202.0, 300.0, 207.0, 208.0]
    assert "a_2019122502.nc overlaps a_2019122500.nc: left out 1 frame of it" in caplog.text
    assert "a gap of 3 frames between 2019-12-25T03:00 and 2019-12-25T07:00" in caplog.text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"offset": 1.0}),  # another grid
        ({}, {"size": 16}),
        ({}, {"name": "Tb2"}),
        ({"platform": "Himawari-8"}, {"platform": "Himawari-9"}),
    ],
)
def test_files_of_another_kind_stay_apart(tmp_path, first, second):
    for hour in range(3):
        write(tmp_path / f"a_20191225{hour:02d}.nc", hour, **first)
        write(tmp_path / f"a_20191226{hour:02d}.nc", 24 + hour, **second)
    sequences = open_sequences(tmp_path)
    assert sorted(sequence.sizes["time"] for sequence in sequences.values()) == [3, 3]


def test_storms_on_one_grid_stay_apart(tmp_path):
    for number in range(3):
        write(tmp_path / f"typhoon_{number:03d}.nc", 240 * number + np.arange(5))
    assert {name: len(da) for name, da in open_sequences(tmp_path).items()} == {
        "typhoon_000": 5,
        "typhoon_001": 5,
        "typhoon_002": 5,
    }


def test_storms_weeks_apart_in_stamped_names_stay_apart(tmp_path):
    for day in (0, 1, 30, 31):
        write(
            tmp_path / f"box_2019{['1225', '1226', '0124', '0125'][(0, 1, 30, 31).index(day)]}.nc",
            24 * day + np.arange(24),
        )
    sequences = open_sequences(tmp_path)
    assert sorted(len(da) for da in sequences.values()) == [48, 48]
    together = open_sequence(sorted(tmp_path.glob("*.nc")))
    assert len(together) == 96


def test_numbered_parts_that_adjoin_are_one(tmp_path):
    write(tmp_path / "part_1.nc", [0, 1, 2])
    write(tmp_path / "part_2.nc", [3, 4])
    write(tmp_path / "part_3.nc", [9, 10])
    lengths = sorted(len(da) for da in open_sequences(tmp_path).values())
    assert lengths == [2, 5]


def test_a_broken_file_of_many_is_an_error_or_a_gap(tmp_path, caplog):
    hourly(tmp_path, range(4))
    (tmp_path / "merg_2019122502_4km-pixel.nc4").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100)
    with pytest.raises(InputError, match="2019122502"):
        open_sequences(tmp_path)
    sequence = open_sequence(tmp_path, unreadable="gap")
    assert values(sequence) == [200.0, 200.5, 201.0, 201.5, 203.0, 203.5]
    assert "left out as a gap" in caplog.text
    assert "2019122502" in caplog.text


def test_a_choice_that_all_files_leave_open_is_asked_for_once(tmp_path):
    for minute in (0, 10, 20):
        path = write(tmp_path / f"NC_H08_20191225_00{minute:02d}_R21_FLDK.06001_06001.nc", minute / 60, name="tbb_13")
        with netCDF4.Dataset(path, "a") as file:
            other = file.createVariable("tbb_15", "f4", ("time", "lat", "lon"))
            other.setncatts({"units": "K", "standard_name": "brightness_temperature"})
    with pytest.raises(InputError, match="several candidates, tbb_13, tbb_15"):
        open_sequence(tmp_path)
    assert len(open_sequence(tmp_path, variable="tbb_13")) == 3


def test_times_off_by_microseconds_are_kept_and_still_follow(tmp_path):
    for hour in range(4):
        write(tmp_path / f"merg_20191225{hour:02d}_4km-pixel.nc4", [hour + 1e-8, hour + 0.5 + 1e-8])
    sequence = open_sequence(tmp_path)
    assert (sequence.time.values[0] - START) > np.timedelta64(0, "ns")
    assert find_windows(link_frames(sequence, "30min")).shape[0] == 6


def test_a_packed_file_beside_others_is_told(tmp_path, caplog):
    hourly(tmp_path, range(2))
    with (
        (tmp_path / "merg_2019122500_4km-pixel.nc4").open("rb") as plain,
        gzip.open(tmp_path / "x.nc.gz", "wb") as packed,
    ):
        shutil.copyfileobj(plain, packed)
    assert len(open_sequence(tmp_path)) == 4
    assert "gunzip" in caplog.text
    with pytest.raises(InputError, match="gunzip"):
        open_sequence(tmp_path / "x.nc.gz")


def test_patterns_and_lists_that_match_nothing_are_refused(tmp_path):
    with pytest.raises(InputError, match="matches no file"):
        open_sequence(f"{tmp_path}/*.nc")
    with pytest.raises(InputError, match="does not exist"):
        open_sequence([tmp_path, tmp_path / "absent.nc"])
    with pytest.raises(InputError, match="No input"):
        open_sequence([])


def test_links_in_a_circle_end(tmp_path):
    hourly(tmp_path / "a", range(2))
    (tmp_path / "a/again").symlink_to(tmp_path / "a")
    assert len(open_sequence(tmp_path)) == 4


def test_frames_named_one_by_one_are_the_sequence_of_their_folder(tmp_path, make_sequence):
    from tempogan_eddy.io import save_sequence

    save_sequence(make_sequence(frames=5), tmp_path / "frames", format="png")
    save_sequence(make_sequence(frames=5, name="200101"), tmp_path / "WP", format="digital-typhoon")
    assert len(open_sequence(f"{tmp_path}/frames/frame_00[1-3].png")) == 3
    assert len(open_sequence(sorted(tmp_path.glob("WP/image/200101/*.h5"))[:2])) == 2


def test_the_originals_are_read_as_one(data_dir):
    sequence = open_sequence(f"{data_dir}/originals/merg_20191225*.nc4")
    assert sequence.shape == (12, 825, 825)
    assert {name: find_windows(link_frames(sequence, name)).shape[0] for name in ("30min", "1h")} == {
        "30min": 10,
        "1h": 8,
    }
    off = sequence.time.values - (START + np.arange(12) * np.timedelta64(30, "m"))
    assert np.abs(off).max() == np.timedelta64(27000, "ns")


def change(path, what):
    """Make a file differ from the others of its archive."""
    with netCDF4.Dataset(path, "a") as file:
        image = file["Tb"]
        if what == "units":
            image.units = "1"
            del image.standard_name
        elif what == "packing":
            image.scale_factor, image.add_offset = 2.0, -200.0
        elif what == "celsius":
            image.units = "degC"
            image.add_offset = 0.0
            image[:] = image[:] - 273.15
        elif what == "no time":
            file["time"].setncattr("missing_value", float(file["time"][0].item()))
        elif what == "other epoch":
            hours = file["time"][:] * 24
            file["time"].units = "hours since 1970-01-01"
            file["time"][:] = hours
        elif what == "sensor of the variable":
            image.platform_name = "GOES-16"
        elif what == "storm":
            file.storm_id = "B"
        elif what == "channel":
            image.long_name = "6.7 micron water vapor brightness temperature"
        elif what == "grid mapping":
            crs = file.createVariable("crs", "i4", ())
            crs.setncatts({"grid_mapping_name": "geostationary", "longitude_of_projection_origin": 75.0})
            image.grid_mapping = "crs"
        elif what == "middle of the grid":
            file["lat"][4] = file["lat"][4] + 0.01
        elif what == "another variable":
            file.createVariable("orbit", "i4", ())[...] = 3


CHANGES = (
    *("units", "packing", "celsius", "no time", "other epoch", "sensor of the variable", "storm", "channel"),
    *("grid mapping", "middle of the grid", "another variable"),
)


@pytest.mark.parametrize("what", CHANGES)
def test_a_header_compared_is_the_header_read_in_full(tmp_path, what):
    paths = [write(tmp_path / f"x_20191225{hour:02d}.nc", hour) for hour in range(3)]
    change(paths[1], what)
    quick, full = headers.HeaderReader(), [headers.HeaderReader() for _ in paths]

    def outcome(reader, path):
        try:
            header = reader(path)
        except InputError as error:
            return str(error)
        return header.kind, header.times.tolist(), sorted(header.coords)

    assert [outcome(quick, path) for path in paths] == [outcome(r, path) for r, path in zip(full, paths, strict=True)]


@pytest.mark.parametrize("what", ["sensor of the variable", "storm", "channel", "grid mapping", "middle of the grid"])
def test_a_file_of_another_kind_is_not_joined(tmp_path, what):
    for hour in range(4):
        write(tmp_path / f"x_20191225{hour:02d}.nc", hour)
    change(tmp_path / "x_2019122502.nc", what)
    assert sorted(len(da) for da in open_sequences(tmp_path).values()) == [1, 3]


def test_a_file_of_other_units_is_joined_in_kelvin(tmp_path):
    for hour in range(3):
        write(tmp_path / f"x_20191225{hour:02d}.nc", hour)
    change(tmp_path / "x_2019122501.nc", "celsius")
    assert values(open_sequence(tmp_path)) == pytest.approx([200.0, 201.0, 202.0], abs=1e-4)


@pytest.mark.parametrize("what", ["units", "no time"])
def test_what_cannot_be_used_is_an_error_or_a_gap(tmp_path, what):
    for hour in range(4):
        write(tmp_path / f"x_20191225{hour:02d}.nc", hour)
    change(tmp_path / "x_2019122502.nc", what)
    assert values(open_sequence(tmp_path, unreadable="gap")) == [200.0, 201.0, 203.0]


def test_an_archive_with_a_file_without_frames(tmp_path):
    for hour in range(3):
        write(tmp_path / f"x_20191225{hour:02d}.nc", hour)
    write(tmp_path / "x_2019122503.nc", [])
    assert len(open_sequence(tmp_path)) == 3


def test_coordinates_that_differ_from_file_to_file_lie_along_time(tmp_path, make_sequence):
    from tempogan_eddy.io import save_sequence

    for hour in range(4):
        one = make_sequence(frames=1, start=f"2001-07-01T{hour:02d}", name="200101")
        one = one.assign_coords(satellite=("time", [["GMS5", "GMS5", "MTS1", "MTS1"][hour]]))
        save_sequence(one, tmp_path / f"x_20010701{hour:02d}.nc")
        with netCDF4.Dataset(tmp_path / f"x_20010701{hour:02d}.nc", "a") as file:
            file.createVariable("height", "f4", ())[...] = 30.0 + hour
            file["brightness_temperature"].coordinates += " height"
    sequence = open_sequence(tmp_path)
    assert sequence.satellite.values.tolist() == ["GMS5", "GMS5", "MTS1", "MTS1"]
    assert sequence.height.values.tolist() == [30.0, 31.0, 32.0, 33.0]
    assert sequence.lat.dims == ("y",)
    assert len(all_frames(sequence)) == 4


def test_a_box_that_follows_its_storm_is_one_sequence(tmp_path):
    for hour in range(4):
        name = f"2013306N07162.HAIYAN.2013.11.07.{3 * hour:02d}00.32.MTS-2.037.hursat-b1.v06.nc"
        write(tmp_path / name, 3 * hour, offset=0.5 * hour)
    sequence = open_sequence(tmp_path)
    assert sequence.sizes["time"] == 4
    assert sequence.lat.dims == ("time", "y")
    np.testing.assert_allclose(sequence.lat[:, 0], 10 + 0.5 * np.arange(4), atol=1e-5)


def test_files_that_run_north_to_south_are_not_joined_with_those_that_run_the_other_way(tmp_path):
    for hour in range(3):
        with xr.open_dataset(write(tmp_path / "a.nc", hour)) as upright:
            turned = upright.load().isel(lat=slice(None, None, -1)) if hour == 1 else upright.load()
        turned.to_netcdf(tmp_path / f"ir_20191225{hour:02d}.nc")
    (tmp_path / "a.nc").unlink()
    assert sorted(values(storm) for storm in open_sequences(tmp_path).values()) == [[200.0, 202.0], [201.0]]


@pytest.mark.parametrize("between", [1, 0])
def test_boxes_that_no_one_storm_can_have_taken_are_of_several_storms(tmp_path, between):
    for hour in range(4):
        for storm, first in (("01", 0), ("02", 40)):
            name = f"{storm}/ir_20191225{2 * hour + between * int(storm):02d}.nc"
            write(tmp_path / name, 2 * hour + between * int(storm), offset=first + 0.1 * hour, value=200 + first)
    storms = open_sequences(tmp_path)
    assert [values(storm) for storm in storms.values()] == [[200.0] * 4, [240.0] * 4]


@pytest.mark.parametrize("frames", [7, 8])
def test_files_of_a_moving_box_may_share_their_ends(tmp_path, frames):
    for hour in (0, 6, 12, 18):
        write(tmp_path / f"nest_20191225{hour:02d}.nc", hour + np.arange(frames), offset=0.1 * hour)
    assert values(open_sequence(tmp_path)) == [200.0 + hour for hour in range(18 + frames)]


def test_a_box_may_be_as_far_away_after_a_gap_as_a_storm_moves(tmp_path):
    for hour in (0, 3, 6, 48):
        write(
            tmp_path / f"ir_20191225{hour:02d}.nc" if hour < 24 else tmp_path / "ir_2019122700.nc",
            hour,
            offset=hour / 4,
        )
    assert open_sequence(tmp_path).sizes["time"] == 4


def test_storms_named_together_stay_apart(tmp_path):
    for name, first in (("alice", 0), ("bob", 2), ("carol", 400)):
        write(tmp_path / f"{name}.nc", first + np.arange(4), offset=len(name))
    assert sorted(open_sequences(f"{tmp_path}/*.nc")) == ["alice", "bob", "carol"]


def test_files_of_other_names_that_follow_each_other_are_joined_when_named_together(tmp_path):
    first, second = write(tmp_path / "morning.nc", np.arange(6)), write(tmp_path / "evening.nc", 6 + np.arange(6))
    assert len(open_sequence([second, first])) == 12
    assert sorted(open_sequences(tmp_path)) == ["evening", "morning"]


def test_what_is_masked_in_many_files_is_counted_once(tmp_path, caplog):
    for hour in range(3):
        path = write(tmp_path / f"x_20191225{hour:02d}.nc", hour)
        with netCDF4.Dataset(path, "a") as file:
            file["Tb"][0, 0, :4] = 338.0
    values(open_sequence(tmp_path))
    assert "12 pixels (6.2 %, 338.0 to 338.0 K) lie outside 160-330 K" in caplog.text


def test_attributes_that_are_true_of_one_file_alone_are_left_out_with_a_word(tmp_path, caplog):
    for hour in range(4):
        about = {"EndTime": f"{hour:02d}:59", "source": "GOES", "history": f"made {hour}", "sensor_model": "area"}
        write(tmp_path / f"merg_20191225{hour:02d}_4km-pixel.nc4", [hour, hour + 0.5], **about)
    with caplog.at_level(logging.INFO, logger="tempogan_eddy"):
        sequence = open_sequence(tmp_path)
    assert "Attributes that differ from file to file, left out: EndTime" in caplog.text
    assert "EndTime" not in sequence.attrs
    kept = {"source": "GOES", "history": "made 0", "sensor_model": "area"}
    assert kept.items() <= sequence.attrs.items()


def test_why_files_named_alike_are_several_sequences_is_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for hour in range(4):
        write(tmp_path / f"x_20191225{hour:02d}.nc", hour, platform=f"Himawari-{8 + hour // 2}", size=8 + hour // 2)
    assert len(open_sequences(tmp_path)) == 2
    told = "x: files named alike are 2 sequences; what differs beside the times: rows, columns, grid, sensor"
    assert told in caplog.text
    caplog.clear()
    assert len(open_sequences([tmp_path / "x_2019122500.nc", tmp_path / "x_2019122501.nc"])) == 1
    assert "named alike" not in caplog.text
