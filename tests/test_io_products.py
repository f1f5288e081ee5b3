"""Conventions of real products: what their files call things, and what of them is no brightness temperature."""

import re

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr

from io_cases import all_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence

HOURS = {"units": "hours since 2019-12-25"}
TIMES = np.datetime64("2019-12-25", "ns") + np.arange(3) * np.timedelta64(1, "h")
KELVIN = np.random.default_rng(0).uniform(200, 300, (3, 4, 5)).astype("f4")
LAT, LON = np.linspace(20, 17, 4), np.linspace(120, 124, 5)
DIMS = ("time", "lat", "lon")


def frames(values=KELVIN, dims=DIMS, **attrs):
    return xr.Variable(dims, values, {"units": "K", **attrs})


def write(path, **variables):
    xr.Dataset(variables, {"time": ("time", np.arange(3.0), HOURS)}).to_netcdf(path)
    return path


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("sst", {"long_name": "sea surface temperature"}),
        ("t2m", {"long_name": "2 metre temperature"}),
        ("TSK", {"description": "SURFACE SKIN TEMPERATURE"}),
        ("t", {"standard_name": "air_temperature"}),
        ("CTT", {"long_name": "cloud top temperature"}),
        ("thm", {"long_name": "potential temperature"}),
        ("T2", {}),
        ("Teff", {"long_name": "cloud effective temperature"}),
    ],
)
def test_temperatures_of_something_else_are_read_only_by_name(tmp_path, name, attrs):
    path = write(tmp_path / "a.nc", **{name: frames(**attrs)})
    with pytest.raises(InputError, match=rf"no brightness temperature, but {name}, .* --variable {name} "):
        open_sequence(path)
    np.testing.assert_array_equal(open_sequence(path, variable=name).values, KELVIN)
    beside = write(tmp_path / "b.nc", **{name: frames(KELVIN + 9, **attrs), "CLOUDBRIGHT": frames()})
    np.testing.assert_array_equal(open_sequence(beside).values, KELVIN)


@pytest.mark.parametrize(
    "long_name",
    ["temperature", "Temperature at 10.8 um", "cloud top brightness temperature", "surface temperature, 11 micron"],
)
def test_a_temperature_that_may_be_of_brightness_is_read(tmp_path, long_name):
    np.testing.assert_array_equal(open_sequence(write(tmp_path / "a.nc", T=frames(long_name=long_name))).values, KELVIN)


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("T22", {}),  # of a channel, as VIIRS names it
        ("temp", {"long_name": "2019-12-25T21:00Z"}),
        ("C13", {"long_name": "cloud top temperature"}),
        ("IRWIN", {"long_name": "surface temperature"}),
        ("data", {"standard_name": "surface_temperature", "central_wavelength": 10.8}),
        ("tb", {"long_name": "denoised brightness temperature"}),
        ("tb", {"long_name": "error-corrected brightness temperature"}),
    ],
)
def test_a_channel_is_read_though_its_description_sounds_like_something_else(tmp_path, name, attrs):
    np.testing.assert_array_equal(open_sequence(write(tmp_path / "a.nc", **{name: frames(**attrs)})).values, KELVIN)


@pytest.mark.parametrize(
    ("names", "proposed"),
    [
        (["tbb_07", "tbb_13", "tbb_15"], "tbb_13"),
        (["IRNIR", "IRSPL", "IRWIN", "IRWVP"], "IRWIN"),
        (["NOMChannel11", "NOMChannel12", "NOMChannel13"], "NOMChannel12"),
    ],
)
def test_of_several_channels_the_message_proposes_the_window(tmp_path, names, proposed):
    path = tmp_path / "a.nc"
    xr.Dataset(dict.fromkeys(names, frames()), {"time": TIMES}, {"Satellite Name": "FY4A"}).to_netcdf(path)
    with pytest.raises(InputError, match=rf"several candidates, {names[0]}, .* \(--variable {proposed}, say\)"):
        open_sequence(path)


@pytest.mark.parametrize("shape", [(1024,), (1, 1024)])  # Fengyun 4 and Fengyun 2
def test_counts_have_the_table_of_their_number(tmp_path, shape):
    path, counts = tmp_path / "FY2E_20191225_0000.h5", np.arange(20).reshape(4, 5).astype("u2")
    with h5py.File(path, "w") as file:
        for number in (1, 2, 11):
            file[f"NOMChannel{number}"] = counts
            file[f"CALChannel{number}"] = (np.linspace(200, 300, 1024) + number).reshape(shape)
        file["NOMChannelVIS"] = counts
    sequence = open_sequence(path, variable="NOMChannel11")
    np.testing.assert_allclose(sequence.values[0], np.linspace(200, 300, 1024)[counts] + 11, rtol=1e-6)
    with pytest.raises(InputError, match="NOMChannelVIS has no units"):
        open_sequence(path, variable="NOMChannelVIS")


@pytest.mark.parametrize("name", ["creation_time", "processing_time", "date_created", "reference_time"])
def test_when_a_file_was_made_is_no_time_of_a_frame(tmp_path, name):
    path = tmp_path / "ir_201912250300.nc"
    made = xr.Variable((), 48.0, HOURS)
    xr.Dataset({"Tb": frames(KELVIN[0], ("lat", "lon")), name: made}).to_netcdf(path)
    assert open_sequence(path).time.values[0] == np.datetime64("2019-12-25T03")
    made.attrs["standard_name"] = "time"
    xr.Dataset({"Tb": frames(KELVIN[0], ("lat", "lon")), name: made}).to_netcdf(path)
    assert open_sequence(path).time.values[0] == np.datetime64("2019-12-27")


@pytest.mark.parametrize("name", ["product_time", "product_start_time"])
def test_the_time_of_a_product_is_that_of_its_frame(tmp_path, name):
    observed = xr.Variable((), 3.0, HOURS)
    xr.Dataset({"Tb": frames(KELVIN[0], ("lat", "lon")), name: observed}).to_netcdf(tmp_path / "ir.nc")
    assert open_sequence(tmp_path / "ir.nc").time.values[0] == np.datetime64("2019-12-25T03")


def test_times_may_lie_along_the_last_dimension_of_any_name(tmp_path):
    path = tmp_path / "a.h5"  # as MATLAB's h5create leaves (time, lat, lon)
    with h5py.File(path, "w") as file:
        file["Tb"] = KELVIN.transpose(2, 1, 0)
        file["Tb"].attrs["units"] = "K"
        file["time"], file["lat"], file["lon"] = np.arange(3.0), LAT, LON
        file["time"].attrs.update(HOURS)
    sequence = open_sequence(path)
    np.testing.assert_array_equal(sequence.values, KELVIN)
    np.testing.assert_array_equal(sequence.time, TIMES)
    assert (sequence.lat.dims, sequence.lon.dims) == (("y",), ("x",))


@pytest.mark.parametrize("name", ["wrfout_d01_2019-12-25_{:02d}:00:00", "FY2E_FDI_ALL_NOM_20191225_{:02d}00.hdf"])
def test_a_folder_of_files_whose_suffix_tells_little_is_read(tmp_path, name):
    for hour in range(3):
        with h5py.File(tmp_path / name.format(hour), "w") as file:
            file["Tb"] = KELVIN[hour]
            file["Tb"].attrs["units"] = "K"
    (tmp_path / "README").write_text("Frames.")
    sequence = open_sequence(tmp_path)
    np.testing.assert_array_equal(all_frames(sequence), KELVIN)
    np.testing.assert_array_equal(sequence.time, TIMES)


@pytest.mark.parametrize("moves", [False, True])
def test_a_place_that_is_the_same_in_all_frames_has_no_time(tmp_path, moves):
    path, north = tmp_path / "wrfout", np.broadcast_to(LAT[:, None], KELVIN.shape).copy()
    north[1:] += moves
    coords = {
        "XLAT": (("Time", "south_north", "west_east"), north, {"units": "degree_north"}),
        "XTIME": ("Time", np.arange(3.0), HOURS),
    }
    xr.Dataset({"SBT124": frames(dims=("Time", "south_north", "west_east"))}, coords).to_netcdf(path)
    sequence = open_sequence(path)
    assert sequence.XLAT.dims == (("time", "y", "x") if moves else ("y", "x"))
    np.testing.assert_array_equal(sequence.XLAT, north if moves else north[0])


def test_degrees_that_are_none_are_missing_aloud(tmp_path, caplog):
    path = tmp_path / "disk_201912250000.nc"
    north = np.broadcast_to(LAT[:, None], (4, 5)).copy()
    north[0, :2] = -999
    disk = {
        "Tb": frames(KELVIN[0], ("line", "pixel")),
        "latitude": (("line", "pixel"), north, {"units": "degrees_north"}),
        "longitude": (("line", "pixel"), np.full((4, 5), 1e20), {"units": "degrees_east"}),
    }
    xr.Dataset(disk).to_netcdf(path)
    sequence = open_sequence(path)
    np.testing.assert_array_equal(sequence.latitude, np.where(north == -999, np.nan, north))
    assert "longitude" not in sequence.coords
    assert "latitude: 2 of 20 values are no degrees (-999); missing" in caplog.text


@pytest.mark.parametrize(
    ("hours", "known"), [([0, 1, 2], True), ([2, 1, 0], True), ([0, 0, 1], False), ([0, 5, 6], False)]
)
def test_a_fill_value_that_continues_an_axis_is_a_number(tmp_path, hours, known):
    path = tmp_path / "a.zarr"  # a store of Zarr 2 fills with 0, if nothing else is stated
    group = zarr.open_group(path, mode="w", zarr_format=2)
    for name, values, dims, attrs in (
        ("Tb", KELVIN, DIMS, {"units": "K"}),
        ("time", np.array(hours), ["time"], HOURS),
        ("lat", np.linspace(-1, 2, 4), ["lat"], {"units": "degrees_north"}),
    ):
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, fill_value=0)
        array[:] = values
        array.attrs.update(attrs | {"_ARRAY_DIMENSIONS": list(dims)})
    if known:
        sequence = open_sequence(path)
        np.testing.assert_array_equal(sequence.time, TIMES)
        np.testing.assert_array_equal(sequence.lat, np.linspace(-1, 2, 4))
    else:
        with pytest.raises(InputError, match="has no time"):
            open_sequence(path)


@pytest.mark.parametrize(
    ("attrs", "remedy"),
    [
        ({"Slope": 1.0, "Intercept": 75.0}, "ncrename -a 'Tb@Intercept,add_offset' a.nc"),
        ({"scale": 0.5, "offset": 100.0}, "ncrename -a 'Tb@scale,scale_factor' -a 'Tb@offset,add_offset' a.nc"),
        ({}, "ncatted -a scale_factor,Tb,c,f,SCALE"),
        ({"Slope": 1.0, "Intercept": 0.0}, "ncatted -a scale_factor,Tb,c,f,SCALE"),
    ],
)
def test_numbers_packed_in_a_way_that_is_not_cfs_are_refused(tmp_path, attrs, remedy):
    path = write(tmp_path / "a.nc", Tb=frames((KELVIN - 75).astype("u1"), **attrs))
    with pytest.raises(InputError) as refused:
        open_sequence(path)
    assert remedy in str(refused.value)


def test_whole_kelvins_and_floats_with_a_slope_are_read(tmp_path):
    whole = np.rint(KELVIN).astype("i2")
    np.testing.assert_array_equal(open_sequence(write(tmp_path / "a.nc", Tb=frames(whole, Slope=1.0))).values, whole)
    np.testing.assert_array_equal(open_sequence(write(tmp_path / "b.nc", Tb=frames(Slope=0.5))).values, KELVIN)
    degrees = frames((KELVIN - 273.15).astype("i1"), standard_name="brightness_temperature", units="degC")
    expected = (KELVIN - 273.15).astype("i1") + np.float32(273.15)
    np.testing.assert_allclose(open_sequence(write(tmp_path / "c.nc", Tb=degrees)).values, expected, atol=1e-4)


@pytest.mark.parametrize("spelling", ["Units", "UNITS", "unit"])
def test_units_under_other_spellings_of_their_name_count(tmp_path, spelling):
    path = tmp_path / "a.he5"
    with h5py.File(path, "w") as file:
        file["HDFEOS/GRIDS/IR/Data Fields/BrightnessTemperature"] = KELVIN
        file["HDFEOS/GRIDS/IR/Data Fields/time"] = np.arange(3.0)
        for name, units in (("BrightnessTemperature", b"degC"), ("time", HOURS["units"].encode())):
            file[f"HDFEOS/GRIDS/IR/Data Fields/{name}"].attrs[spelling] = np.bytes_(units)
        file["HDFEOS/GRIDS/IR/Data Fields/BrightnessTemperature"][...] = KELVIN - 273.15
    sequence = open_sequence(path)
    np.testing.assert_allclose(all_frames(sequence), KELVIN, atol=1e-3)
    np.testing.assert_array_equal(sequence.time, TIMES)
    assert "degC" not in map(str, sequence.attrs.values())


@pytest.mark.parametrize("places", [("Geolocation",), ("Geolocation", "Other")])
def test_the_only_place_in_another_group_is_that_of_the_image(tmp_path, places):
    path = tmp_path / "VX_20191225_0000.h5"
    with h5py.File(path, "w") as file:
        file["Data/TB11"] = KELVIN[0]
        file["Data/TB11"].attrs["units"] = "K"
        for place in places:
            file[f"{place}/Latitude"], file[f"{place}/Longitude"] = np.meshgrid(LAT, LON, indexing="ij")
    sequence = open_sequence(path)
    if len(places) == 1:
        np.testing.assert_array_equal(sequence.Latitude[:, 0], LAT)
        np.testing.assert_array_equal(sequence.Longitude[0], LON)
    assert set(sequence.coords) == ({"time", "Latitude", "Longitude"} if len(places) == 1 else {"time"})


def test_dimensions_are_found_by_their_first_letter_and_places_by_their_description(tmp_path):
    path = tmp_path / "a.nc"
    bands = np.stack([KELVIN, KELVIN - 30], axis=-1).transpose(0, 2, 1, 3)
    image = frames(bands, ("time", "x_geostationary", "y_geostationary", "variable"))
    north = ("y_geostationary", LAT, {"units": "degrees", "long_name": "Latitude"})
    xr.Dataset({"data": image}, {"time": TIMES, "variable": ["IR_108", "WV_062"], "phi": north}).to_netcdf(path)
    with pytest.raises(InputError, match="--select variable=IR_108"):
        open_sequence(path)
    sequence = open_sequence(path, select={"variable": "IR_108"})
    np.testing.assert_array_equal(sequence.values, KELVIN)
    assert sequence.phi.dims == ("y",)


def test_radians_become_degrees(tmp_path):
    coords = {
        name: ((name,), np.deg2rad(values), {"units": "radian", "standard_name": standard})
        for name, values, standard in (("lat", LAT, "latitude"), ("lon", LON, "longitude"))
    }
    xr.Dataset({"Tb": frames()}, coords | {"time": TIMES}).to_netcdf(tmp_path / "a.nc")
    sequence = open_sequence(tmp_path / "a.nc")
    np.testing.assert_allclose(sequence.lat, LAT)
    np.testing.assert_allclose(sequence.lon, LON)
    assert (sequence.lat.units, sequence.lon.units) == ("degrees_north", "degrees_east")


def test_degrees_south_and_west_become_negative_but_not_twice(tmp_path):
    for sign in (1, -1):
        coords = {
            "lat": ("lat", sign * LAT, {"units": "degrees_south"}),
            "lon": ("lon", sign * LON, {"units": "degrees_west"}),
        }
        xr.Dataset({"Tb": frames()}, coords | {"time": TIMES}).to_netcdf(tmp_path / f"{sign}.nc")
        sequence = open_sequence(tmp_path / f"{sign}.nc")
        np.testing.assert_array_equal(sequence.lat, -LAT)
        np.testing.assert_array_equal(sequence.lon, -LON)
        assert (sequence.lat.units, sequence.lon.units) == ("degrees_north", "degrees_east")


def test_places_as_text_are_kept_as_text(tmp_path):
    coords = {"lat": ("lat", [f"{degrees:g}N" for degrees in LAT]), "time": TIMES}
    xr.Dataset({"Tb": frames()}, coords).to_netcdf(tmp_path / "a.nc")
    assert open_sequence(tmp_path / "a.nc").lat[0] == "20N"


def test_whole_numbers_that_are_no_degrees_are_left_out_aloud(tmp_path, caplog):
    coords = {"lat": ("lat", (100 * LAT).astype("i4"), {"units": "degrees_north"}), "time": TIMES}
    xr.Dataset({"Tb": frames()}, coords).to_netcdf(tmp_path / "a.nc")
    assert "lat" not in open_sequence(tmp_path / "a.nc").coords
    assert "lat: 4 of 4 values are no degrees (2000); missing" in caplog.text


def test_latitudes_in_metres_are_places_on_a_map(tmp_path, caplog):
    north, east = 4000.0 * np.arange(4)[::-1], 4000.0 * np.arange(5)
    coords = {"lat": ("lat", north, {"units": "m"}), "lon": ("lon", east, {"units": "m"}), "time": TIMES}
    xr.Dataset({"Tb": frames()}, coords).to_netcdf(tmp_path / "a.nc")
    sequence = open_sequence(tmp_path / "a.nc")
    np.testing.assert_array_equal(sequence.lat, north)
    np.testing.assert_array_equal(sequence.lon, east)
    assert "degrees" not in caplog.text


def test_cells_without_rows_and_columns_are_to_be_put_on_a_grid(tmp_path):
    path = write(tmp_path / "icon.nc", bt=frames(np.ones((3, 9)), ("time", "cell")))
    with pytest.raises(InputError, match="a frame has rows and columns beside time; put cells or scans on a grid"):
        open_sequence(path)


def test_a_valid_range_that_no_kelvin_meets_is_told(tmp_path, caplog):
    path = write(tmp_path / "a.nc", Tb=frames(valid_range=np.array([-100.0, 60.0], "f4")))
    assert np.isnan(open_sequence(path).values).all()
    assert "by valid_range every pixel is missing" in caplog.text


def test_stores_that_only_python_can_open_are_refused_with_its_lines(tmp_path):
    bare, unnamed, references = (tmp_path / name for name in ("bare.zarr", "unnamed.zarr", "refs.parq"))
    zarr.save_array(bare, KELVIN)
    zarr.open_group(unnamed, mode="w").create_array("Tb", data=KELVIN)
    references.mkdir()
    (references / ".zmetadata").write_text('{"metadata": {".zgroup": {"zarr_format": 2}}, "record_size": 9}')
    for path, words in (
        (bare, r"one Zarr array.*zarr\.open_array\("),
        (unnamed, r"do not name their dimensions.*zarr\.open_group\("),
        (references, r"references for kerchunk.*engine='kerchunk'"),
    ):
        with pytest.raises(InputError, match=f"(?s){path}.*{words}"):
            open_sequence(path)


def test_matlabs_own_hdf5_is_refused_with_the_lines_that_read_it(tmp_path):
    path = tmp_path / "in.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["Tb"] = KELVIN.transpose(0, 2, 1)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    with pytest.raises(InputError, match=r"(?s)MATLAB file, version 7\.3.*\['NAME'\]\[:\]\.T"):
        open_sequence(path)


def test_a_compression_that_the_library_lacks_is_named(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("Tb", data=KELVIN, compression="lzf").attrs["units"] = "K"
        file["time"] = np.arange(3.0)
        file["time"].attrs.update(HOURS)
    with pytest.raises(InputError, match=r"a filter that the NetCDF library lacks.*engine='h5netcdf'"):
        open_sequence(path).compute()


@pytest.mark.parametrize("name", ["/", "/Tb"])
def test_an_attribute_that_the_library_cannot_read_is_named(tmp_path, name):
    write(tmp_path / "a.nc", Tb=frames())
    with h5py.File(tmp_path / "a.nc", "a") as file:
        file[name].attrs["corners"] = np.zeros((2, 2))
    remedy = re.escape(f"[{name!r}].attrs['corners']")
    with pytest.raises(InputError, match=rf"the attribute corners of {name} has two or more dimensions.*{remedy}"):
        open_sequence(tmp_path / "a.nc")


def test_several_channels_in_many_files_are_no_fault_to_leave_out(tmp_path):
    for hour in range(2):
        write(tmp_path / f"NC_H08_20191225_{hour:02d}00.nc", tbb_13=frames(), tbb_15=frames())
    with pytest.raises(InputError, match=r"\(--variable tbb_13, say\)\.$"):
        open_sequence(tmp_path)


def test_a_valid_range_that_few_kelvins_meet_is_told(tmp_path, caplog):
    packed = {"scale_factor": 0.01, "add_offset": 273.15, "valid_range": np.array([-120.0, 60.0], "f4")}
    counts = np.rint((KELVIN - 273.15) * 100).astype("i4")
    open_sequence(write(tmp_path / "a.nc", Tb=frames(counts, **packed)))
    assert "by valid_range every pixel outside 271.95 to 273.75 is missing" in caplog.text
