import h5py
import numpy as np
import pytest
import xarray as xr
import zarr

from io_cases import all_frames
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences, save_sequence
from tempogan_eddy.io.variables import image

TIMES = np.datetime64("2019-12-25", "ns") + np.arange(3) * np.timedelta64(1, "h")
KELVIN = np.random.default_rng(0).uniform(200, 300, (3, 4, 5)).astype("f4")


def variable(dims=("time", "lat", "lon"), values=KELVIN, **attrs):
    return xr.Variable(dims, values, {"units": "K", **attrs})


def dataset(**variables):
    coords = {
        "time": TIMES,
        "lat": ("lat", np.linspace(20, 17, 4), {"units": "degrees_north"}),
        "lon": ("lon", np.linspace(120, 124, 5), {"units": "degrees_east"}),
    }
    return xr.Dataset(variables or {"Tb": variable()}, coords=coords, attrs={"title": "a title"})


@pytest.fixture(params=["a.nc", "a.zarr"])
def write(request, tmp_path):
    """A function that writes a dataset as NetCDF, and as Zarr, and gives the path."""

    def write(dataset, **encoding):
        path = tmp_path / request.param
        if path.suffix == ".nc":
            dataset.to_netcdf(path, encoding=encoding)
        else:
            dataset.to_zarr(path, consolidated=False, encoding=encoding)
        return path

    return write


def test_dimensions_are_named_and_coordinates_kept(write):
    sequence = open_sequence(write(dataset()))
    assert sequence.dims == ("time", "y", "x")
    assert sequence.lat.dims == ("y",)
    assert sequence.lon.dims == ("x",)
    assert sequence.attrs["title"] == "a title"
    assert sequence.attrs["sequence"] == "a"
    np.testing.assert_array_equal(sequence.values, KELVIN)
    np.testing.assert_array_equal(sequence.time, TIMES)


def test_packed_integers_are_unpacked(write):
    packing = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 250.0, "_FillValue": -32768}
    values = KELVIN.copy()
    values[1, 2, 3] = np.nan
    sequence = open_sequence(write(dataset(Tb=variable(values=values)), Tb=packing))
    np.testing.assert_allclose(sequence.values, values, atol=0.0051)


@pytest.mark.parametrize("standard_name", ["brightness_temperature", "toa_brightness_temperature"])
def test_the_standard_name_finds_the_variable(write, standard_name):
    path = write(dataset(sst=variable(), ir=variable(values=KELVIN + 1, standard_name=standard_name)))
    np.testing.assert_array_equal(open_sequence(path).values, KELVIN + 1)


def test_a_name_finds_the_variable(write):
    path = write(dataset(one=variable(), two=variable(values=KELVIN + 1)))
    np.testing.assert_array_equal(open_sequence(path, variable="two").values, KELVIN + 1)
    with pytest.raises(InputError, match="no variable 'three'; it has one, two"):
        open_sequence(path, variable="three")


def test_several_candidates_are_listed(write):
    with pytest.raises(InputError, match="several candidates, one, two"):
        open_sequence(write(dataset(two=variable(), one=variable())))


def test_no_candidate_lists_what_there_is(write):
    with pytest.raises(InputError, match="name one of humidity"):
        open_sequence(write(dataset(humidity=variable(units="percent"))))


def test_what_has_no_dates_is_no_sequence(write):
    with pytest.raises(InputError, match="ir has 3 frames along 'time' and no times"):
        open_sequence(write(dataset(ir=variable()).drop_vars("time")))


def test_no_units_are_told_how_to_be_set(write):
    unknown = variable(standard_name="brightness_temperature")
    del unknown.attrs["units"]
    with pytest.raises(InputError, match=r"has no units.*ncatted"):
        open_sequence(write(dataset(ir=unknown)))


def test_celsius_is_read_where_the_standard_name_tells(write):
    celsius = variable(values=KELVIN - 273.15, units="degrees_Celsius", standard_name="brightness_temperature")
    np.testing.assert_allclose(open_sequence(write(dataset(ir=celsius))).values, KELVIN, atol=1e-4)


def test_extra_dimensions_of_one_are_dropped_and_others_refused(write):
    one = variable(("time", "band", "lat", "lon"), KELVIN[:, None])
    assert open_sequence(write(dataset(ir=one))).shape == KELVIN.shape


def test_a_fourth_dimension_is_refused(tmp_path):
    dataset(ir=variable(("time", "band", "lat", "lon"), np.stack([KELVIN, KELVIN], 1))).to_netcdf(tmp_path / "a.nc")
    with pytest.raises(InputError, match="band"):
        open_sequence(tmp_path / "a.nc")


@pytest.mark.parametrize(
    "dims", [("time", "lat", "lon", "band"), ("band", "time", "lat", "lon"), ("lat", "lon", "band")]
)
def test_the_dimension_to_take_one_of_is_the_one_beside_the_grid(tmp_path, dims):
    path = tmp_path / "tb_2019122500.nc"
    values = np.full([{"time": 3, "lat": 4, "lon": 5, "band": 2}[dim] for dim in dims], 250.0)
    dataset(Tb=variable(dims, values)).drop_vars("time" if "time" not in dims else []).to_netcdf(path)
    with pytest.raises(InputError, match=r"choose one with --select band=0 \(in Python select=\{'band': 0\}"):
        open_sequence(path)


def test_transposed_axes_are_put_right(write):
    sequence = open_sequence(write(dataset(Tb=variable(("lon", "lat", "time"), KELVIN.T))))
    np.testing.assert_array_equal(sequence.values, KELVIN)
    assert sequence.lat.dims == ("y",)


def test_one_picture_with_a_scalar_time_is_a_sequence_of_one(write):
    sequence = open_sequence(write(dataset().isel(time=1)))
    assert sequence.shape == (1, 4, 5)
    np.testing.assert_array_equal(sequence.time, TIMES[1:2])


@pytest.mark.parametrize("names", [{"time": "t"}, {"time": "valid_time", "lat": "latitude", "lon": "longitude"}])
def test_dimensions_may_have_any_name(write, names):
    sequence = open_sequence(write(dataset().rename(names)))
    np.testing.assert_array_equal(sequence.time, TIMES)
    np.testing.assert_array_equal(sequence.values, KELVIN)


def test_times_may_lie_along_a_numbered_dimension(write):
    numbered = dataset().rename_dims(time="frame").reset_index("time").assign_coords(frame=[5, 6, 7])
    sequence = open_sequence(write(numbered))
    np.testing.assert_array_equal(sequence.time, TIMES)
    np.testing.assert_array_equal(sequence.frame, [5, 6, 7])


def test_times_may_have_a_dimension_of_one_beside_the_frames(write):
    # ncecat of files with one time each
    records = xr.Dataset({"ir": variable(("record", "time", "lat", "lon"), values=KELVIN[:, None])})
    records["time"] = ("record", "time"), np.arange(3.0)[:, None], {"units": "hours since 2019-12-25"}
    sequence = open_sequence(write(records))
    np.testing.assert_array_equal(sequence.values, KELVIN)
    np.testing.assert_array_equal(sequence.time, TIMES)


def test_a_projected_grid_keeps_its_mapping_and_two_dimensional_coordinates(write, tmp_path):
    latitude, longitude = np.mgrid[20:24:1.0, 120:125:1.0]
    projected = xr.Dataset(
        {"ir": variable(("time", "yc", "xc"), grid_mapping="crs")},
        coords={
            "time": TIMES,
            "yc": ("yc", np.arange(4.0) * 5000, {"standard_name": "projection_y_coordinate", "units": "m"}),
            "xc": ("xc", np.arange(5.0) * 5000, {"standard_name": "projection_x_coordinate", "units": "m"}),
        },
    )
    projected["crs"] = ((), 0, {"grid_mapping_name": "lambert_azimuthal_equal_area"})
    # No `coordinates` attribute names these two, as in many files.
    projected["latitude"] = (("yc", "xc"), latitude, {"standard_name": "latitude"})
    projected["longitude"] = (("yc", "xc"), longitude, {"standard_name": "longitude"})
    sequence = open_sequence(write(projected))
    assert sequence.attrs["grid_mapping"] == "crs"
    assert sequence.crs.attrs["grid_mapping_name"] == "lambert_azimuthal_equal_area"
    np.testing.assert_array_equal(sequence.latitude, latitude)
    assert sequence.latitude.dims == ("y", "x")
    save_sequence(sequence, tmp_path / "again.nc")
    with xr.open_dataset(tmp_path / "again.nc", decode_coords="all") as again:
        assert again.brightness_temperature.encoding["grid_mapping"] == "crs"
        assert {"crs", "latitude", "longitude", "xc", "yc"} <= set(again.brightness_temperature.coords)
        assert again.brightness_temperature.dims == ("time", "yc", "xc")


def test_bounds_and_packed_ranges_do_not_come_along(write):
    data = dataset(Tb=variable(valid_range=[0, 200]))
    data.lat.attrs["bounds"] = "lat_bounds"
    data["lat_bounds"] = (("lat", "nv"), np.zeros((4, 2)))
    sequence = open_sequence(write(data))
    assert set(sequence.coords) == {"time", "lat", "lon"}
    assert "valid_range" not in sequence.attrs


@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT"])
@pytest.mark.parametrize("unlimited", [[], ["time"]])
def test_a_truncated_file_is_refused_by_name(tmp_path, format, unlimited):
    path = tmp_path / "cut.nc"
    dataset().to_netcdf(path, format=format, unlimited_dims=unlimited)
    np.testing.assert_array_equal(open_sequence(path).values, KELVIN)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"cut\.nc"):
        open_sequence(path).compute()


def test_text_named_netcdf_is_refused_by_name(tmp_path):
    (tmp_path / "text.nc").write_text("this is no NetCDF")
    with pytest.raises(InputError, match=r"text\.nc is text"):
        open_sequence(tmp_path / "text.nc")


def test_a_damaged_chunk_is_an_error_that_names_the_store_when_read(tmp_path):
    store = tmp_path / "a.zarr"
    dataset().to_zarr(store, consolidated=False)
    next(path for path in (store / "Tb/c").rglob("*") if path.is_file()).write_bytes(b"damage")
    with pytest.raises(InputError, match=r"a\.zarr cannot be read at frame"):
        open_sequence(store).compute()


def test_a_damaged_store_is_refused_by_name(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr/zarr.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.zarr cannot be read as Zarr"):
        open_sequence(tmp_path / "a.zarr")


def test_a_packed_store_gives_each_of_its_groups(tmp_path):
    store = tmp_path / "pack.zarr"
    zarr.open_group(store, mode="w", zarr_format=3, attributes={"format": "tempogan-eddy-pack"})
    packing = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 250.0, "_FillValue": -32768}
    for name in ("200101", "200102"):
        packed = dataset(brightness_temperature=variable(standard_name="brightness_temperature"))
        packed["flow_next"] = (
            ("time", "component", "lat", "lon"),
            np.zeros((3, 2, 4, 5)),
            {"units": "pixel"},
        )
        packed.to_zarr(store, group=name, consolidated=False, encoding={"brightness_temperature": packing})
    sequences = open_sequences(store)
    assert list(sequences) == ["200101", "200102"]
    assert sequences["200102"].attrs["sequence"] == "200102"
    np.testing.assert_allclose(sequences["200101"].values, KELVIN, atol=0.0051)
    np.testing.assert_allclose(open_sequence(store, storm="200102").values, KELVIN, atol=0.0051)


def test_merged_infrared_is_found_by_its_standard_name(data_dir):
    sequence = open_sequence(data_dir / "merged-ir/merg_20011230-31_hourly.nc")
    assert sequence.shape == (47, 825, 825)
    assert sequence.lat.dims == ("y",)
    frame = sequence[0].values
    assert 180 < np.nanmin(frame) < np.nanmax(frame) <= 330


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_frames_packed_into_one_chunk_are_decoded_once(tmp_path, monkeypatch, suffix):
    kelvin = (250 + np.arange(10 * 6 * 8).reshape(10, 6, 8) / 10).astype(np.float32)
    times = np.datetime64("2001-08-01", "ns") + np.arange(10) * np.timedelta64(1, "h")
    da = xr.DataArray(kelvin, dims=("time", "y", "x"), coords={"time": times}, name="tb", attrs={"units": "K"})
    path = tmp_path / f"packed{suffix}"
    if suffix == ".nc":
        da.to_netcdf(path, encoding={"tb": {"chunksizes": (4, 6, 8)}})
    else:
        da.to_dataset().to_zarr(path, encoding={"tb": {"chunks": (4, 6, 8)}}, consolidated=False)
    read, reads = image._Frames._read, []
    monkeypatch.setattr(image._Frames, "_read", lambda self, *span: reads.append(span) or read(self, *span))
    frames = [da.values for da in open_sequence(path)]
    np.testing.assert_array_equal(frames, kelvin)
    assert reads == [(0, 4), (4, 8), (8, 12)]
    monkeypatch.setattr(image, "LARGEST_BLOCK_BYTES", 100)
    reads.clear()
    np.testing.assert_array_equal(open_sequence(path)[5].values, kelvin[5])
    assert reads == [(5, 6)]


def test_a_group_is_searched_where_the_root_holds_nothing(tmp_path):
    path = tmp_path / "a.nc"
    dataset().to_netcdf(path, group="data/ir_105/measured")
    sequence = open_sequence(path)
    np.testing.assert_array_equal(sequence.values, KELVIN)
    assert {"lat", "lon"} <= set(sequence.coords)


def test_a_group_sees_the_coordinates_above_it(tmp_path):
    path = tmp_path / "a.nc"
    whole = dataset()
    whole.drop_vars("Tb").to_netcdf(path)
    whole.drop_vars(["time", "lat", "lon"]).to_netcdf(path, group="data", mode="a")
    sequence = open_sequence(path)
    np.testing.assert_array_equal(sequence.time, TIMES)
    np.testing.assert_array_equal(sequence.lat, np.linspace(20, 17, 4))


def test_a_group_sees_the_attributes_above_it(tmp_path):
    attrs = {"start_time": "2019-12-25T00:00:00Z", "title": "above", "platform": "FY-4B"}
    xr.Dataset(attrs=attrs).to_netcdf(tmp_path / "a.nc")
    channels = {f"NOMChannel{number}": variable(("y", "x"), KELVIN[0]) for number in (11, 12, 13)}
    xr.Dataset(channels, attrs={"title": "own"}).to_netcdf(tmp_path / "a.nc", group="Data", mode="a")
    # Channel 13 is the window of FengYun-4B, and 12 that of 4A.
    with pytest.raises(InputError, match="--variable Data/NOMChannel13"):
        open_sequence(tmp_path / "a.nc")
    sequence = open_sequence(tmp_path / "a.nc", variable="NOMChannel13")
    assert (sequence.title, sequence.time.values) == ("own", [TIMES[0]])


def test_several_groups_are_told_apart_by_their_path(tmp_path):
    path = tmp_path / "a.nc"
    dataset().to_netcdf(path, group="one")
    dataset(Tb=variable(values=KELVIN + 1)).to_netcdf(path, group="two", mode="a")
    with pytest.raises(InputError, match="one/Tb, two/Tb; name the variable"):
        open_sequence(path)
    np.testing.assert_array_equal(open_sequence(path, variable="two/Tb").values, KELVIN + 1)


@pytest.mark.parametrize("version", [2, 3])
def test_a_zipped_zarr_store_is_read(tmp_path, version):
    path = tmp_path / "a.zarr.zip"
    with zarr.storage.ZipStore(path, mode="w") as store:
        dataset().to_zarr(store, zarr_format=version, consolidated=False)
    sequence = open_sequence(path)
    np.testing.assert_array_equal(sequence.values, KELVIN)
    assert sequence.attrs["sequence"] == "a"


def test_hdf5_without_dimension_scales_is_read_by_names_and_sizes(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["Tb"] = KELVIN[:, :, :4]
        file["Tb"].attrs["units"] = "K"
        file["time"] = np.arange(3.0)
        file["time"].attrs["units"] = "hours since 2019-12-25"
        file["lat"], file["lon"] = np.linspace(20, 17, 4), np.linspace(120, 123, 4)
    sequence = open_sequence(path)
    np.testing.assert_array_equal(sequence.values, KELVIN[:, :, :4])
    np.testing.assert_array_equal(sequence.time, TIMES)
    assert (sequence.lat.dims, sequence.lon.dims) == (("y",), ("x",))


@pytest.mark.parametrize("turned", [False, True])
def test_hdf5_of_matlab_has_vectors_of_two_dimensions_and_may_be_turned(tmp_path, turned):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["Tb"] = KELVIN.swapaxes(1, 2) if turned else KELVIN
        file["Tb"].attrs["units"] = "K"
        file["time"] = np.arange(3.0)[:, None]
        file["time"].attrs["units"] = "hours since 2019-12-25"
        file["lat"], file["lon"] = np.linspace(20, 17, 4)[None], np.linspace(120, 124, 5)[None]
    sequence = open_sequence(tmp_path / "a.h5")
    np.testing.assert_array_equal(sequence.values, KELVIN)
    np.testing.assert_array_equal(sequence.time, TIMES)
    assert (sequence.lat.dims, sequence.lon.dims) == (("y",), ("x",))


def test_flagged_pixels_are_missing(write, caplog):
    flags = xr.Variable(
        ("time", "lat", "lon"),
        np.zeros(KELVIN.shape, "i1"),
        {"flag_values": np.arange(3, dtype="i1"), "flag_meanings": "good suspect no_value"},
    )
    flags[1, 2, 3], flags[0, 0, 0] = 2, 1
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        sequence = open_sequence(write(dataset(Tb=variable(ancillary_variables="DQF"), DQF=flags)))
    expected = KELVIN.copy()
    expected[1, 2, 3] = np.nan
    np.testing.assert_array_equal(sequence.values, expected)
    assert "DQF flags as no_value are missing" in caplog.text


def test_flags_that_nothing_links_are_told_and_left_alone(write, caplog):
    attrs = {"flag_values": np.array([0, 1], "i1"), "flag_meanings": "good bad"}
    flags = xr.Variable(("time", "lat", "lon"), np.ones(KELVIN.shape, "i1"), attrs)
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        np.testing.assert_array_equal(open_sequence(write(dataset(Tb=variable(), mask=flags))).values, KELVIN)
    assert "not linked to Tb" in caplog.text


def test_all_pixels_beyond_the_valid_range_are_100_percent(write, caplog):
    all_frames(open_sequence(write(dataset(Tb=variable(values=KELVIN + 200)))))
    assert "(100 %, " in caplog.text


def test_what_the_valid_range_masks_is_counted_aloud(write, caplog):
    hot = KELVIN.copy()
    hot[0, 0, :2] = 338.0
    path = write(dataset(Tb=variable(values=hot)))
    frames = all_frames(open_sequence(path))
    assert np.isnan(frames[0][0, :2]).all()
    assert "2 pixels (3.3 %, 338.0 to 338.0 K) lie outside 160-330 K" in caplog.text
    np.testing.assert_array_equal(open_sequence(path, valid_kelvin=(160.0, 345.0)).values, hot)


def test_a_scan_line_time_is_no_time_of_frames(tmp_path):
    path = tmp_path / "a.nc"
    lines = xr.Variable("y", np.arange(4.0), {"units": "seconds since 2019-12-25", "long_name": "scan line time"})
    ir = xr.Variable(("y", "x"), KELVIN[0], {"units": "K", "standard_name": "toa_brightness_temperature"})
    time = xr.Variable((), 6.0, {"units": "hours since 2019-12-25", "standard_name": "time"})
    xr.Dataset({"ir": ir}, coords={"acq_time": lines, "time": time}).to_netcdf(path)
    sequence = open_sequence(path)
    assert sequence.shape == (1, 4, 5)
    assert sequence.time.values[0] == np.datetime64("2019-12-25T06")
    assert sequence.acq_time.dims == ("y",)
    assert sequence.acq_time.values[3] == np.datetime64("2019-12-25T00:00:03")


@pytest.mark.parametrize("name", ["timestamp", "datestr", "dates"])
def test_times_as_text_are_found_by_their_usual_names(tmp_path, name):
    texts = ("frame", [f"20191225_{hour:02d}00" for hour in range(3)])
    xr.Dataset({"Tb": variable(("frame", "lat", "lon")), name: texts}).to_netcdf(tmp_path / "a.nc")
    np.testing.assert_array_equal(open_sequence(tmp_path / "a.nc").time, TIMES)


def test_a_time_of_another_name_than_its_dimension_is_found(tmp_path):
    path = tmp_path / "a.nc"
    hours = xr.Variable("nt", np.arange(3.0), {"units": "hours since 2019-12-25", "standard_name": "time"})
    reference = xr.Variable((), 0.0, {"units": "hours since 2019-12-24", "standard_name": "forecast_reference_time"})
    xr.Dataset({"Tb": variable(("nt", "row", "col")), "valid": hours, "reference": reference}).to_netcdf(path)
    sequence = open_sequence(path)
    np.testing.assert_array_equal(sequence.time, TIMES)
    np.testing.assert_array_equal(sequence.values, KELVIN)


def timeless(path, name="Tb", **attrs):
    xr.Dataset({name: variable(("lat", "lon"), KELVIN[0])}, attrs=attrs).to_netcdf(path)
    return path


def test_a_frame_without_a_time_has_it_from_attributes_or_its_name(tmp_path):
    stated = timeless(tmp_path / "a_201912250300.nc", time_coverage_start="2019-12-25T06:00:21.3Z")
    assert open_sequence(stated).time.values[0] == np.datetime64("2019-12-25T06:00:21.3")
    assert open_sequence(stated, time_from="name").time.values[0] == np.datetime64("2019-12-25T03:00")
    named = timeless(tmp_path / "a_201912250400.nc")
    assert open_sequence(named).time.values[0] == np.datetime64("2019-12-25T04:00")
    with pytest.raises(InputError, match="no time in its attributes"):
        open_sequence(named, time_from="attributes")
    paired = timeless(tmp_path / "b.nc", start_date="2019-12-25", start_time="05:30:00")
    assert open_sequence(paired).time.values[0] == np.datetime64("2019-12-25T05:30")
    with pytest.raises(InputError, match=r"no time coordinate.*name the file by"):
        open_sequence(timeless(tmp_path / "c.nc"))


@pytest.mark.parametrize(
    "attrs",
    [
        {"Observing Beginning Date": "2019-12-25", "Observing Beginning Time": "05:30:00.000"},
        {"Acquisition_Date": "25DEC2019", "Acquisition_Time_in_GMT": "0530"},
        {"Acquisition_Start_Time": "25-DEC-2019T05:30:00", "nominal": "none"},
        {"RangeBeginningDate": "2019-12-25", "RangeBeginningTime": "05:30:00", "RangeEndingTime": "05:40:00"},
        {"obs_time": "2019-12-25 05:30 UTC", "date": "2021-01-01T00:00:00Z"},
    ],
    ids=lambda attrs: next(iter(attrs)),
)
def test_attributes_that_state_when_a_frame_was_seen_are_told_by_their_words(tmp_path, attrs):
    made = {
        "Data Creating Date": "2021-01-01",
        "Data Creating Time": "00:00:00",
        "time_coverage_end": "2019-12-25T06:00Z",
    }
    path = timeless(tmp_path / "a.nc", **made, **attrs)
    assert open_sequence(path).time.values[0] == np.datetime64("2019-12-25T05:30")
    with pytest.raises(InputError, match="no time coordinate"):
        open_sequence(timeless(tmp_path / "b.nc", **made))


def test_the_end_of_a_scan_is_no_time_of_its_frame_if_the_start_is_known(tmp_path):
    scan = {
        f"scan_{name}": np.datetime64(f"2019-12-25T00:{minute}", "ns")
        for name, minute in (("end", 10), ("start", "00"))
    }
    xr.Dataset({"Tb": variable(("lat", "lon"), KELVIN[0])}, scan).to_netcdf(tmp_path / "a.nc")
    assert open_sequence(tmp_path / "a.nc").time.values[0] == TIMES[0]


def test_a_start_time_of_one_stands_for_the_frame(tmp_path):
    path = tmp_path / "a.nc"
    start, end = (
        xr.Variable("time", [58842.0 + part], {"units": "days since 1858-11-17 0:0:0", "standard_name": "time"})
        for part in (0.25, 0.3)
    )
    tbb = xr.Variable(("latitude", "longitude"), KELVIN[0], {"units": "K"})
    xr.Dataset({"tbb_13": tbb, "start_time": start, "end_time": end}).to_netcdf(path)
    assert open_sequence(path).time.values[0] == np.datetime64("2019-12-25T06")


def test_several_channels_are_chosen_by_what_they_are_or_by_name(tmp_path, caplog):
    path = tmp_path / "a.nc"
    window = variable(long_name="NOAA FCDR of Brightness Temperature near 11 microns")
    dataset(irwin_cdr=window, irwvp=variable(values=KELVIN - 20)).to_netcdf(path)
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        np.testing.assert_array_equal(open_sequence(path).values, KELVIN)
    assert "irwin_cdr is read, not irwvp; --variable" in caplog.text
    dataset(tbb_13=variable(), tbb_15=variable()).to_netcdf(tmp_path / "b.nc")
    with pytest.raises(InputError, match=r"several candidates, tbb_13, tbb_15; name the variable \(--variable tbb_13"):
        open_sequence(tmp_path / "b.nc")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Tb_error", "uncertainty of brightness temperature"),
        ("IR_108_minus_IR_120", ""),
        ("tb_anomaly", "anomaly from the mean of 2001 to 2020"),
        ("d", "brightness temperature difference"),
    ],
)
def test_an_error_of_the_temperature_or_a_difference_is_no_candidate(write, name, text):
    other = variable(values=KELVIN / 100, long_name=text)
    path = write(dataset(**{"Tb": variable(long_name="bias-corrected brightness temperature"), name: other}))
    np.testing.assert_array_equal(open_sequence(path).values, KELVIN)


def test_a_temperature_that_is_corrected_for_errors_is_a_candidate(write):
    corrected = variable(long_name="brightness temperature corrected for bias")
    warmer = variable(values=KELVIN + 5, long_name="sea surface temperature")
    np.testing.assert_array_equal(open_sequence(write(dataset(Tb=corrected, sst=warmer))).values, KELVIN)


def test_packed_coordinates_and_their_fills_are_decoded(tmp_path):
    path = tmp_path / "a.nc"
    lat = xr.Variable("lat", np.array([2000, 1900, 1800, 1700], "i2"), {"units": "deg", "scale_factor": 0.01})
    plain = dataset().drop_vars("lat").assign(latitude=lat)
    plain.to_netcdf(path)
    np.testing.assert_allclose(open_sequence(path).latitude, [20, 19, 18, 17])


def test_unlinked_latitudes_of_two_dimensions_are_kept(tmp_path):
    path = tmp_path / "a.nc"
    north = xr.Variable(("ny", "nx"), np.ones((4, 5)) * 10, {"units": "degrees_north"})
    xr.Dataset({"tbb": variable(("time", "ny", "nx")), "latitude": north}, coords={"time": TIMES}).to_netcdf(path)
    assert open_sequence(path).latitude.dims == ("y", "x")


def test_frames_out_of_order_are_sorted_aloud(write, caplog):
    path = write(dataset().isel(time=[1, 0, 2]))
    sequence = open_sequence(path)
    np.testing.assert_array_equal(sequence.time, TIMES)
    np.testing.assert_array_equal(sequence.values, KELVIN)
    assert "not in the order of their times" in caplog.text


@pytest.mark.parametrize("order", [("lat", "lon", "time"), ("lon", "lat", "time"), ("time", "lon", "lat")])
def test_any_order_of_dimensions(write, order):
    np.testing.assert_array_equal(open_sequence(write(dataset().transpose(*order))).values, KELVIN)


def test_both_forms_of_a_grid_mapping_keep_it(tmp_path):
    geos = xr.Variable((), 0, {"grid_mapping_name": "geostationary", "perspective_point_height": 35785863.0})
    for number, form in enumerate(("geos", "geos: lon lat")):
        path = tmp_path / f"{number}.nc"
        whole = dataset().assign(geos=geos)
        whole.Tb.attrs["grid_mapping"] = form
        whole.to_netcdf(path)
        sequence = open_sequence(path)
        assert sequence.geos.attrs["perspective_point_height"] == 35785863.0
        assert sequence.attrs["grid_mapping"].startswith("geos")


def test_a_links_way_out_of_the_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["Tb"] = KELVIN
    path = tmp_path / "a.nc"
    dataset().drop_vars("Tb").to_netcdf(path)
    with h5py.File(path, "a") as file:
        file["Tb"] = h5py.ExternalLink("secret.h5", "/Tb")
    with pytest.raises(InputError, match=r"link to (another|the) file"):
        open_sequence(path)


def test_radiances_are_refused_with_what_turns_them_into_temperatures(tmp_path):
    path = tmp_path / "OR_ABI-L1b-RadF-M6C13_G16_s20193591000213_e20193591009533_c20193591009589.nc"
    rad = xr.Variable(("y", "x"), KELVIN[0], {"units": "mW m-2 sr-1 (cm-1)-1"})
    xr.Dataset({"Rad": rad, "planck_fk1": 1.0}, attrs={"platform_ID": "G16"}).to_netcdf(path)
    with pytest.raises(InputError, match="abi_l1b"):
        open_sequence(path)
