"""Attributes keep their places, and are true of what is written."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from model_cases import detailed_model
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.io import save_sequence
from tempogan_eddy.io.attributes import merge, split
from tempogan_eddy.io.grids.resolution import rescaled
from tempogan_eddy.io.writing.history import commands_of, with_line
from tempogan_eddy.reconstruction import reconstruct

names = st.text("abcdefghijkl_", min_size=1, max_size=5) | st.sampled_from(["units", "comment", "long_name", "source"])
values = (
    st.text("ab c:", max_size=5)
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | st.lists(st.integers(0, 9), max_size=3)
)
attributes = st.dictionaries(names, values, max_size=6)


@given(attributes, attributes)
def test_split_is_the_inverse_of_merge(of_file, of_variable):
    assert split(merge(of_file, of_variable)) == (of_file, of_variable)


@given(attributes, attributes)
def test_attributes_that_xarray_wrote_onto_the_variable_are_restored(of_file, of_variable):
    merged = merge(of_file, of_variable)
    assert merge({}, merged) == merged


def test_a_list_of_names_that_is_a_number_lists_nothing_of_the_variable():
    assert split({"variable_attributes": np.int32(0), "title": "a"}) == ({"title": "a"}, {})


def test_the_variables_attribute_wins_over_the_files():
    merged = merge(
        {"comment": "the file's", "units": "none", "title": "t"}, {"comment": "its own", "units": "K", "title": "v"}
    )
    assert merged["comment"] == "its own"
    assert merged["file:comment"] == "the file's"
    assert merged["units"] == "K"
    assert merged["title"] == "t"
    assert sorted(merged["variable_attributes"]) == ["comment", "units"]


def test_a_files_units_are_never_the_variables():
    merged = merge({"units": "none"}, {"long_name": "temperature"})
    assert "units" not in merged
    assert split(merged | {"units": "K"}) == ({"units": "none"}, {"long_name": "temperature", "units": "K"})


def test_only_our_own_files_name_the_storm():
    assert "sequence" not in merge({"sequence": 12}, {})
    assert "sequence" not in merge({"sequence": "x", "history": "2020 ncks a b"}, {"units": "K"})
    ours = {"sequence": "198702", "history": "2020-01-01T00:00:00Z tempogan-eddy coarsen a b"}
    assert merge(ours, {})["sequence"] == "198702"
    assert merge({"sequence": "x"}, {"sequence": "198702"})["sequence"] == "198702"


def test_without_a_list_the_names_decide():
    attrs = {
        "units": "K",
        "sensor_band_identifier": "13",
        "institution": "a",
        "sequence": "s",
        "cell_methods": "area: mean",
    }
    of_file, of_variable = split(attrs)
    assert of_file == {"institution": "a", "sequence": "s"}
    assert set(of_variable) == {"units", "sensor_band_identifier", "cell_methods"}


def test_merged_attributes_are_plain():
    merged = merge(
        {"a": np.float32(0.08), "b": np.array([1, 2], "i2"), "c": b"text"}, {"d": np.array(["x", "y"]), "e": True}
    )
    assert merged == {"a": 0.08, "b": [1, 2], "c": "text", "d": ["x", "y"], "e": 1, "variable_attributes": ["d", "e"]}
    assert type(merged["a"]) is float


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("geospatial_lat_resolution", np.float32(0.08), 0.02),
        ("geospatial_lon_resolution", "0.08 degrees_east", "0.02 degrees_east"),
        ("geospatial_lat_resolution", "0.08", "0.02"),
        ("spatial_resolution", "8 km", "2 km"),
        ("spatial_resolution", "2km at nadir", "0.5km at nadir"),
        ("spatial_resolution", "0.25\u00b0x0.25\u00b0", "0.0625\u00b0x0.0625\u00b0"),
        ("horizontal_resolution", "0.04 x 0.04 degrees", "0.01 x 0.01 degrees"),
        (
            "nominal_resolution",
            "8km (0.07 deg) at the sub-satellite point",
            "2km (0.0175 deg) at the sub-satellite point",
        ),
        ("resolution", "y: 0.000056 rad x: 0.000056 rad", "y: 0.000014 rad x: 0.000014 rad"),
        ("resolution", 2000, 500.0),
        ("resolution", [4000.0, 4000.0], [1000.0, 1000.0]),
        ("file:resolution", "4 KM", "1 KM"),
        ("pixel_size", 4.0, 1.0),
        ("pixel_spacing", "4-km", "1-km"),
        ("grid_interval", 0.02, 0.005),
        ("DX", 12000.0, 3000.0),
        ("number_of_lines", 100, 400),
        ("nx", 100, 400),
        # What cannot be told for certain goes.
        ("spatial_resolution", "1/12 degree", None),
        ("spatial_resolution", "full", None),
        ("spatial_resolution", "20 pixels per degree", None),
        ("pixel_resolution", "5 km, 10 bit", None),
        ("GeoTransform", "100 0.04 0 50 0 -0.04", None),
        ("geospatial_bounds", "POLYGON ((0 0, 0 1, 1 1, 0 0))", None),
        ("upper_left_latitude", 60.0, None),
        ("LL_lat", 10.0, None),
        ("xllcorner", 100.0, None),
        ("maximum", 300.0, 300.0),
        ("CFAC", 20466275, None),
        # What does not speak of the grid stays.
        ("temporal_resolution", "10 min", "10 min"),
        ("time_coverage_resolution", "PT1H", "PT1H"),
        ("spectral_resolution", "1 um", "1 um"),
        ("resolution_units", "km", "km"),
        ("geospatial_lat_units", "degrees_north", "degrees_north"),
        ("super_resolution_model", "released", "released"),
        ("sensor_model_scale", 4, 4),
        ("title", "4 km infrared", "4 km infrared"),
        ("latitude", 20.0, 20.0),
        ("number", 198702, 198702),
    ],
)
def test_attributes_of_the_grid_are_rescaled(name, value, expected):
    assert rescaled({name: value}, 4).get(name) == expected


@pytest.mark.parametrize("value", ["2 km", 0.5, "y: 0.000056 rad x: 0.000056 rad", [1.0, 2.0]])
def test_coarsening_undoes_refining(value):
    attrs = {"spatial_resolution": value, "nlat": 32}
    assert rescaled(rescaled(attrs, 4), 1 / 4) == attrs


def test_the_identity_of_the_product_becomes_its_sources(caplog):
    attrs = {"id": "a", "uuid": "b", "date_created": "2020", "title": "t", "history": "h"}
    with caplog.at_level("INFO"):
        changed = rescaled(attrs | {"spatial_resolution": "unknown"}, 4)
    assert changed == {
        "source_id": "a",
        "source_uuid": "b",
        "source_date_created": "2020",
        "title": "t",
        "history": "h",
    }
    assert "source_id, source_uuid, source_date_created" in caplog.text
    assert "left out: spatial_resolution" in caplog.text


OF_FILE = {
    "title": "a title",
    "comment": "the file's comment",
    "references": "doi:10/file",
    "units": "none",
    "sequence": "x",
    "id": "abc",
    "Conventions": "CF-1.7, ACDD-1.3",
    "spatial_resolution": "8 km",
    "geospatial_lat_min": np.float32(10),
    "geospatial_lat_max": "11.2",
    "geospatial_lon_min": 178.0,
    "geospatial_lon_max": -179.0,
    "time_coverage_start": "2019-12-25T00:00:00Z",
    "time_coverage_end": "2019-12-25T02:00:00Z",
    "time_coverage_duration": "PT2H",
    "time_coverage_resolution": "PT1H",
    "BeginDate": "2019-12-25",
    "BeginTime": "00:00:00Z",
    "history": "2020-01-01 ncks a b\n",
}
OF_VARIABLE = {
    "units": "K",
    "long_name": "10.4 um brightness temperature",
    "comment": "the variable's comment",
    "references": "doi:10/variable",
    "cell_methods": "t: point latitude: longitude: mean (interval: 8 km) band: mean",
    "sensor_band_central_radiation_wavelength": np.float32(10.4),
    "valid_range": np.array([0, 4095], "i2"),
    "ancillary_variables": "DQF",
}
GEOS = {"grid_mapping_name": "geostationary", "sweep_angle_axis": "x", "perspective_point_height": 35786023.0}


@pytest.fixture
def sequence():
    east = (178 + 0.2 * np.arange(16) + 180) % 360 - 180
    coords = {
        "time": np.datetime64("2019-12-25", "ns") + np.arange(3) * np.timedelta64(1, "h"),
        "lat": ("y", 10 + 0.08 * np.arange(16), {"units": "degrees_north", "bounds": "lat_bnds", "valid_min": -90}),
        "lon": ("x", east, {"units": "degree_E", "standard_name": "longitude"}),
        "band": ((), 13, {"long_name": "band"}),
    }
    attrs = merge(OF_FILE, OF_VARIABLE) | {"sequence": "storm"}
    return xr.DataArray(np.full((3, 16, 16), 250.0), dims=("time", "y", "x"), coords=coords, attrs=attrs)


def written(da, tmp_path, **options):
    save_sequence(da, tmp_path / "out.nc", **options)
    with xr.open_dataset(tmp_path / "out.nc", decode_coords=False) as file:
        return file.load()


def test_attributes_keep_their_places_through_a_reconstruction(sequence, tmp_path):
    file = written(reconstruct(sequence, detailed_model()), tmp_path, history="tempogan-eddy reconstruct a b")
    variable = file["brightness_temperature"]
    assert file.attrs["comment"] == "the file's comment"
    assert file.attrs["references"] == "doi:10/file"
    assert file.attrs["units"] == "none"
    assert file.attrs["source_sequence"] == "x"
    assert file.attrs["sequence"] == "storm"
    assert file.attrs["super_resolution_comment"].startswith("Detail")
    assert variable.attrs["comment"] == "the variable's comment"
    assert variable.attrs["references"] == "doi:10/variable"
    assert variable.attrs["units"] == "K"
    assert variable.attrs["sensor_band_central_radiation_wavelength"] == 10.4
    assert not {"valid_range", "ancillary_variables", "variable_attributes"} & set(variable.attrs)
    assert not {"valid_min", "bounds"} & set(file["lat"].attrs)
    assert not [name for name in file.attrs if ":" in name]
    assert file["band"] == 13


def test_attributes_of_the_file_are_true_of_a_reconstruction(sequence, tmp_path):
    file = written(reconstruct(sequence[1:], detailed_model()), tmp_path, history="tempogan-eddy reconstruct a b")
    assert file.attrs["spatial_resolution"] == "2 km"
    assert file.attrs["geospatial_lat_min"] == pytest.approx(9.97)
    assert file.attrs["geospatial_lat_max"] == pytest.approx(11.23)
    assert file.attrs["geospatial_lon_min"] == pytest.approx(177.925)
    assert file.attrs["geospatial_lon_max"] == pytest.approx(-178.925)
    assert file.attrs["time_coverage_start"] == "2019-12-25T01:00:00Z"
    assert file.attrs["time_coverage_end"] == "2019-12-25T02:00:00Z"
    assert file.attrs["time_coverage_duration"] == file.attrs["time_coverage_resolution"] == "PT1H"
    assert file.attrs["BeginTime"] == "01:00:00Z"
    assert file.attrs["Conventions"] == "CF-1.8, ACDD-1.3"
    assert "id" not in file.attrs
    assert file.attrs["source_id"] == "abc"
    first, second = file.attrs["history"].splitlines()
    assert first == "2020-01-01 ncks a b"
    assert second.endswith("Z tempogan-eddy reconstruct a b")


def test_attributes_of_the_file_are_true_of_a_coarsened_sequence(sequence, tmp_path):
    file = written(SensorModel(scale=4).coarsen(sequence[:1]), tmp_path)
    assert file.attrs["spatial_resolution"] == "32 km"
    assert file.attrs["geospatial_lat_min"] == pytest.approx(10.12)
    assert file.attrs["time_coverage_duration"] == "PT0S"
    assert "time_coverage_resolution" not in file.attrs


def test_cell_methods_of_missing_dimensions_are_left_out_with_a_log_line(sequence, tmp_path, caplog):
    with caplog.at_level("INFO"):
        file = written(
            sequence.assign_attrs(cell_methods="time:mean views: sum (comment: of all) area: mean"), tmp_path
        )
    assert file["brightness_temperature"].attrs["cell_methods"] == "time: mean area: mean"
    assert "views: sum (comment: of all)" in caplog.text


def test_cell_methods_name_the_dimensions_of_the_output(sequence, tmp_path):
    straight = sequence.assign_coords(lon=("x", 120 + 0.2 * np.arange(16), sequence.lon.attrs))
    methods = written(straight, tmp_path)["brightness_temperature"].attrs["cell_methods"]
    assert methods == "time: point lat: lon: mean (interval: 8 km) band: mean"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("geos", "geos"),
        ("geos: x y", "geos: x y"),
        ("geos : y x", "geos: y x"),
        ("crs: lat lon geos: x y", "geos: x y"),
        ("geos: xc yc", "geos"),
        (None, "geos"),
    ],
)
def test_the_grid_mapping_is_named_and_kept(told, expected, tmp_path):
    axis = ("x", 5.6e-5 * np.arange(16), {"units": "rad", "standard_name": "projection_x_coordinate", "axis": "X"})
    coords = {"time": np.array(["2019-12-25"], "M8[ns]"), "x": axis, "y": ("y", np.arange(16.0)), "geos": ((), 0, GEOS)}
    attrs = {"units": "K", "sequence": "s"} | ({"grid_mapping": told} if told else {})
    given = xr.DataArray(np.full((1, 16, 16), 250.0), dims=("time", "y", "x"), coords=coords, attrs=attrs)
    file = written(reconstruct(given, detailed_model()), tmp_path)
    assert file["brightness_temperature"].attrs["grid_mapping"] == expected
    assert GEOS.items() <= file["geos"].attrs.items()
    assert "geos" not in file["brightness_temperature"].attrs.get("coordinates", "").split()
    assert axis[2].items() <= file["x"].attrs.items()
    np.testing.assert_allclose(file["x"], 5.6e-5 * ((np.arange(64) + 0.5) / 4 - 0.5), atol=1e-15)


def test_a_grid_mapping_that_is_not_there_is_not_named(sequence, tmp_path, caplog):
    with caplog.at_level("INFO"):
        file = written(sequence.assign_attrs(grid_mapping="crs"), tmp_path)
    assert "grid_mapping" not in file["brightness_temperature"].attrs
    assert "grid mapping crs" in caplog.text


def test_history_has_one_dated_line_a_command():
    history = with_line({"history": ["first", "second"]}, "tempogan-eddy reconstruct\na b")
    assert history.splitlines()[:2] == ["first", "second"]
    assert len(history.splitlines()) == 3
    assert commands_of({"history": history}) == ["tempogan-eddy reconstruct a b"]
