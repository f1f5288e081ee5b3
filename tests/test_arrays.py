"""Arrays as people hold them: every kind gives the right value in the form it came in, or one sentence."""

import datetime
from collections import namedtuple
from typing import NamedTuple

import dask.array
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy import coarsen, evaluate, open_sequence, reconstruct, save_sequence
from tempogan_eddy.config import load_config
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Settings
from tempogan_eddy.io import adapt
from tempogan_eddy.weights import Model, build_generator, save_model

FRAMES, ROWS, COLUMNS = 3, 8, 12
QUICK = Settings(resamples=2)

VALUES = np.random.default_rng(0).uniform(200, 300, (FRAMES, ROWS, COLUMNS)).astype("f4")
TIMES = np.datetime64("2019-10-09T00", "ns") + np.arange(FRAMES) * np.timedelta64(1, "h")
LAT = 20 - 0.5 * np.arange(ROWS)
LON = 120 + 0.5 * np.arange(COLUMNS)
COARSE = VALUES.reshape(FRAMES, ROWS // 4, 4, COLUMNS // 4, 4).mean((2, 4))
"""What the area sensor sees of the values."""


@pytest.fixture(scope="module")
def model():
    config = load_config({"model": {"n_residual_blocks": 1, "channels": 4, "upsample_factor": 4}})
    torch.manual_seed(0)
    return Model.from_config(
        build_generator(config).eval().requires_grad_(False), config, "test", {"version": "0", "step": 1}
    )


def plain(**changes):
    """A DataArray as CF writes it, with other names."""
    da = xr.DataArray(
        VALUES,
        dims=("time", "lat", "lon"),
        coords={"time": TIMES, "lat": LAT, "lon": LON},
        name="tb",
        attrs={"units": "K", "institution": "test"},
    )
    return da.assign_attrs(changes) if changes else da


class Wavelength(namedtuple("Wavelength", "min central max unit")):
    """As satpy writes one."""


class Area:
    """As much of pyresample's AreaDefinition as is used."""

    def __init__(self, height, width, area_extent):
        self.shape, self.area_extent = (height, width), area_extent

    def aggregate(self, y=1, x=1):
        return Area(int(self.shape[0] / y), int(self.shape[1] / x), self.area_extent)

    def __getitem__(self, key):
        rows, columns = (part.stop for part in key)
        left, bottom, right, top = self.area_extent
        width, height = (right - left) / self.shape[1], (top - bottom) / self.shape[0]
        return Area(rows, columns, (left, top - rows * height, left + columns * width, top))


class Swath:
    """An area that cannot be made finer."""

    shape, lons = (ROWS, COLUMNS), LON

    def aggregate(self, **dims):
        raise NotImplementedError("dask is needed")


def of_satpy(area=None, **attrs):
    """One frame as satpy's ``Scene["B13"]`` is."""
    step = 2000.0
    return xr.DataArray(
        dask.array.from_array(VALUES[0], chunks=(4, 12)),
        dims=("y", "x"),
        coords={
            "y": ("y", 1e6 - step * np.arange(ROWS), {"units": "meter"}),
            "x": ("x", step * np.arange(COLUMNS), {"units": "meter"}),
            "crs": ((), np.array({"proj": "geos"}, dtype=object)),
        },
        name="reshape-d66223a8",
        attrs={
            "area": area or Area(ROWS, COLUMNS, (-1000.0, 985000.0, 23000.0, 1001000.0)),
            "start_time": datetime.datetime(2019, 10, 9, 0, 0, 20),
            "end_time": datetime.datetime(2019, 10, 9, 0, 9, 40),
            "platform_name": "Himawari-8",
            "sensor": "ahi",
            "wavelength": Wavelength(10.2, 10.4, 10.6, "µm"),
            "calibration": "brightness_temperature",
            "standard_name": "toa_brightness_temperature",
            "units": "K",
            "orbital_parameters": {"projection_longitude": 140.7},
            "modifiers": (),
            "ancillary_variables": [],
            **attrs,
        },
    )


def of_earth2studio(channel="ir1035", **sizes):
    """As Earth2Studio's data sources return it; no attributes at all."""
    da = xr.DataArray(VALUES, dims=("time", "lat", "lon"), coords={"time": TIMES, "lat": LAT, "lon": LON})
    leads = np.arange(sizes.get("lead_time", 1)) * np.timedelta64(1, "h")
    da = da.expand_dims(lead_time=leads.astype("m8[ns]"), variable=[channel], axis=(1, 2))
    return da.transpose("time", "lead_time", "variable", "lat", "lon")


# --- What is taken: the array, the arguments, and the order in which its dimensions are time, y, x.

TAKEN = {
    "lat and lon": (plain(), {}, "lat lon"),
    "longitude first": (plain().transpose("lon", "time", "lat"), {}, "lat lon"),
    "latitude, longitude": (plain().rename(lat="latitude", lon="longitude"), {}, "latitude longitude"),
    "y and x": (plain().rename(lat="y", lon="x"), {}, "y x"),
    "x before y": (plain().rename(lat="y", lon="x").transpose("x", "y", "time"), {}, "y x"),
    "columns before rows": (
        plain().drop_vars(["lat", "lon"]).rename(lat="rows", lon="columns").transpose("time", "columns", "rows"),
        {},
        "rows columns",
    ),
    "names without a meaning": (plain().drop_vars(["lat", "lon"]).rename(lat="a", lon="b"), {}, "a b"),
    "x called y, by coordinates": (
        plain().swap_dims(lat="x", lon="y").transpose("time", "y", "x"),
        {},
        "x y",
    ),
    "no names": (xr.DataArray(VALUES, attrs={"units": "K"}), {}, "dim_1 dim_2"),
    "one frame": (plain()[0], {}, "lat lon"),
    "one frame without a time": (plain()[0].drop_vars("time"), {}, "lat lon"),
    "one frame with a time in front": (plain()[:1], {}, "lat lon"),
    "frames without times": (plain().drop_vars("time"), {}, "lat lon"),
    "frames that are numbered": (
        plain().drop_vars("time").rename(time="frame").assign_coords(frame=[7, 8, 9]),
        {},
        "lat lon",
    ),
    "times beside the dimension": (
        plain().rename(time="scene").reset_index("scene").rename(scene="valid_time"),
        {},
        "lat lon",
    ),
    "a band": (plain().expand_dims(band=[13], axis=1), {}, "lat lon"),
    "celsius": ((plain() - 273.15).assign_attrs(units="degC"), {}, "lat lon"),
    "units in brackets": (plain(units="K (kelvin)"), {}, "lat lon"),
    "units in bytes": (plain(units=b"Kelvin"), {}, "lat lon"),
    "no units, kelvin by flag": (plain().drop_attrs(), {"kelvin": True}, "lat lon"),
    "units of nothing, kelvin by flag": (plain(units="1"), {"kelvin": True}, "lat lon"),
    "double precision": (plain().astype("f8"), {}, "lat lon"),
    "big endian": (plain().astype(">f4"), {}, "lat lon"),
    "dask in odd chunks": (plain().chunk(time=2, lat=3, lon=5), {}, "lat lon"),
    "text as an object along time": (
        plain().assign_coords(satellite=("time", np.array(["A", "A", "B"], object))),
        {},
        "lat lon",
    ),
    "storm centres along time, called lat": (
        plain().rename(lat="y", lon="x").drop_vars(["y", "x"]).assign_coords(lat=("time", [10.0, 11.0, 12.0])),
        {},
        "y x",
    ),
    "latitude in two dimensions": (
        plain()
        .drop_vars(["lat", "lon"])
        .rename(lat="line", lon="pixel")
        .assign_coords(x=(("line", "pixel"), np.ones((ROWS, COLUMNS)))),
        {},
        "line pixel",
    ),
    "a scan time along y": (
        plain()[0].rename(lat="y", lon="x").assign_coords(scan_time=("y", TIMES[0] + np.arange(ROWS))),
        {},
        "y x",
    ),
    "satpy": (of_satpy(), {}, "y x"),
    "satpy, a swath": (of_satpy(Swath()), {}, "y x"),
    "satpy, with its bands": (of_satpy().expand_dims(bands=["L"]), {}, "y x"),
    "earth2studio": (of_earth2studio(), {}, "lat lon"),
    "earth2studio, one channel selected": (of_earth2studio().isel(variable=0, lead_time=0), {}, "lat lon"),
}


def test_neutral_packing_as_rioxarray_states_it_is_none():
    da = plain().assign_attrs(scale_factor=1.0, add_offset=0.0)
    np.testing.assert_array_equal(adapt(da).sequence.values, VALUES)


@pytest.mark.parametrize("name", TAKEN)
def test_an_array_comes_back_coarser_in_the_form_it_had(name):
    held, options, spatial = TAKEN[name]
    coarse = coarsen(held, **options)
    y, x = spatial.split()
    assert coarse.dims == held.dims
    assert dict(coarse.sizes) == dict(held.sizes) | {y: ROWS // 4, x: COLUMNS // 4}
    assert coarse.dtype == np.float32
    assert coarse.name == held.name
    assert coarse.attrs["units"] == "K"
    frames = coarse.squeeze([dim for dim in held.dims if dim not in (y, x) and held.sizes[dim] == 1])
    np.testing.assert_allclose(frames.transpose(..., y, x).values, COARSE[0] if frames.ndim == 2 else COARSE, atol=2e-4)
    for key, coordinate in held.coords.items():
        if not {y, x} & set(coordinate.dims):
            assert coarse[key].variable.identical(coordinate.variable), key
            assert coarse[key].dtype == coordinate.dtype, key


@pytest.mark.parametrize("name", TAKEN)
def test_an_array_comes_back_finer_in_the_form_it_had(name, model):
    held, options, spatial = TAKEN[name]
    fine = reconstruct(held, model, **options)
    y, x = spatial.split()
    assert fine.dims == held.dims
    assert dict(fine.sizes) == dict(held.sizes) | {y: 4 * ROWS, x: 4 * COLUMNS}
    assert fine.name == held.name
    assert set(held.coords) - set(fine.coords) <= {"scan_time"}
    assert "super_resolution_model" in fine.attrs
    again = coarsen(fine).transpose(..., y, x)
    expected = held.transpose(..., y, x).astype("f8") + (273.15 if name == "celsius" else 0)
    np.testing.assert_allclose(again.values, expected.values, atol=0.01)


@given(
    names=st.permutations(["time", "lat", "lon", "band"]),
    kept=st.sets(st.sampled_from(["time", "band"])),
    order=st.permutations(range(FRAMES)),
)
@settings(max_examples=10, deadline=None)
def test_order_frames_and_extra_dimensions_make_no_difference(names, kept, order):
    held = plain().isel(time=order).expand_dims(band=[13])
    held = held.isel({dim: 0 for dim in ("time", "band") if dim not in kept}).transpose(*names, missing_dims="ignore")
    coarse = coarsen(held)
    assert coarse.dims == held.dims
    assert {*coarse.coords} == {*held.coords}
    expected = plain(values=1).copy(data=VALUES).pipe(coarsen).sel(time=coarse["time"])
    np.testing.assert_array_equal(coarse.squeeze().transpose(..., "lat", "lon"), expected.squeeze())
    assert coarse["time"].to_index().is_monotonic_increasing if "time" in kept else coarse["time"].ndim == 0


@pytest.mark.parametrize("shape", [(ROWS, COLUMNS), (FRAMES, ROWS, COLUMNS)])
def test_numbers_come_back_as_numbers(shape, model):
    values = VALUES[: shape[0]] if len(shape) == 3 else VALUES[0]
    values.flags.writeable = False
    coarse, fine = coarsen(values, kelvin=True), reconstruct(values, model, kelvin=True)
    values.flags.writeable = True
    assert type(coarse) is type(fine) is np.ndarray
    np.testing.assert_allclose(coarse, COARSE[: len(coarse)] if len(shape) == 3 else COARSE[0], atol=1e-4)
    assert fine.shape == (*shape[:-2], 4 * ROWS, 4 * COLUMNS)
    assert fine.dtype == np.float32


def test_whole_and_half_precision_numbers_are_kelvin_too():
    np.testing.assert_allclose(coarsen(np.full((4, 4), 250, np.uint16), kelvin=True), [[250]])
    np.testing.assert_allclose(coarsen(np.full((4, 4), 250, np.float16), kelvin=True), [[250]])


def test_masked_pixels_are_missing_and_come_back_masked():
    values = np.ma.masked_greater(np.where(np.arange(COLUMNS) < 4, 999.0, VALUES[0]), 900)
    coarse = coarsen(values, kelvin=True)
    assert isinstance(coarse, np.ma.MaskedArray)
    np.testing.assert_array_equal(coarse.mask, [[True, False, False]] * 2)


def test_arrays_of_dask_stay_lazy_and_tensors_are_arrays():
    lazy = dask.array.from_array(VALUES, chunks=(1, 4, 4))
    assert isinstance(coarsen(lazy, kelvin=True), dask.array.Array)
    np.testing.assert_allclose(coarsen(torch.from_numpy(VALUES.copy()), kelvin=True), COARSE, atol=1e-4)


class Quantity:
    """As much of pint's as is used."""

    def __init__(self, magnitude, units):
        self.magnitude, self.units = magnitude, units


def test_a_quantity_states_its_units():
    np.testing.assert_allclose(coarsen(Quantity(VALUES, "kelvin")), COARSE, atol=1e-4)
    np.testing.assert_allclose(coarsen(Quantity(VALUES - 273.15, "degree_Celsius")), COARSE, atol=1e-4)


# --- Datasets and files


def dataset(**others):
    return xr.Dataset({"tb": plain(standard_name="toa_brightness_temperature"), **others}, attrs={"title": "Hagibis"})


def test_a_dataset_comes_back_with_its_brightness_temperature(caplog, model):
    caplog.set_level("WARNING")
    held = dataset(sst=plain(), quality=plain().astype("i1").drop_attrs())
    held = held.assign_attrs(institution="another", spatial_resolution="4 km")
    fine = reconstruct(held, model)
    assert list(fine.data_vars) == ["tb"]
    assert fine.attrs == {"title": "Hagibis", "institution": "another", "spatial_resolution": "1 km"}
    assert fine["tb"].attrs["institution"] == "test"
    assert fine["tb"].attrs["standard_name"] == "toa_brightness_temperature"
    assert "super_resolution_model" in fine["tb"].attrs
    assert "not sst, quality" in caplog.text
    np.testing.assert_allclose(coarsen(held)["tb"], COARSE, atol=1e-4)


def test_places_beside_the_variable_are_refined_with_it():
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    held = dataset().drop_vars(["lat", "lon"]).rename(lat="y", lon="x")
    held["latitude"] = (("y", "x"), lat, {"units": "degrees_north"})
    held["longitude"] = (("y", "x"), lon, {"units": "degrees_east"})
    held["geos"] = ((), 0, {"grid_mapping_name": "geostationary"})
    held["tb"].attrs["grid_mapping"] = "geos"
    coarse = coarsen(held)
    assert set(coarse.coords) >= {"latitude", "longitude", "geos", "time"}
    np.testing.assert_allclose(coarse["latitude"][:, 0], LAT.reshape(-1, 4).mean(1))
    assert coarse["geos"].attrs["grid_mapping_name"] == "geostationary"


@pytest.mark.parametrize(
    ("held", "options", "words"),
    [
        (dataset(wv=plain(standard_name="toa_brightness_temperature")), {}, r"tb, wv.*variable='tb'"),
        (xr.Dataset({"a": plain(), "b": plain()}), {}, r"a, b.*variable='a'"),
        (xr.Dataset({"a": plain().drop_attrs()}), {}, "holds a, but no brightness temperature"),
        (xr.Dataset(), {}, "holds no variable"),
        (dataset(), {"variable": "ir"}, "no variable 'ir'; it has tb"),
    ],
)
def test_a_dataset_without_one_brightness_temperature_names_what_it_has(held, options, words):
    with pytest.raises(InputError, match=words):
        coarsen(held, **options)


def test_the_variable_of_a_dataset_can_be_named():
    held = dataset(wv=plain(standard_name="toa_brightness_temperature") + 1)
    np.testing.assert_allclose(coarsen(held, variable="wv")["wv"], COARSE + 1, atol=1e-3)
    bare = xr.Dataset({"a": plain().drop_attrs()})
    np.testing.assert_allclose(coarsen(bare, kelvin=True)["a"], COARSE, atol=1e-4)


# --- What is refused


class Thing:
    """Nothing that anybody could read."""


REFUSED = {
    "numbers without units": (VALUES, {}, "kelvin=True"),
    "no units": (plain().drop_attrs(), {}, r"attrs\['units'\] = 'K' or add kelvin=True"),
    "a standard name without units": (
        plain().drop_attrs().assign_attrs(standard_name="toa_brightness_temperature"),
        {},
        "kelvin=True",
    ),
    "percent": (plain(units="%"), {}, "'%', which are no temperature"),
    "a variable of an array": (plain(), {"variable": "Tb"}, "no variables to choose from; leave out variable='Tb'"),
    "units that the flag contradicts": (plain(units="degC"), {"kelvin": True}, "leave out kelvin=True"),
    "radiance of satpy": (of_satpy(calibration="radiance"), {}, "calibration='brightness_temperature'"),
    "celsius called kelvin": ((plain() - 273.15).assign_attrs(units="K"), {}, "degrees_Celsius"),
    "celsius by flag": (VALUES - 273.15, {"kelvin": True}, "degrees_Celsius"),
    "packed numbers": (plain(scale_factor=0.01).astype("i2"), {}, "scale_factor.*decode_cf"),
    "times as text": (plain().assign_coords(time=["a", "b", "c"]), {}, "'time' holds text; convert it"),
    "times as numbers": (plain().assign_coords(time=[0, 1, 2]), {}, "int64 numbers; convert it"),
    "times of another calendar": (
        plain().convert_calendar("360_day", align_on="year", use_cftime=True),
        {},
        "calendar '360_day'",
    ),
    "a time missing": (
        plain().assign_coords(time=np.where(np.arange(3) == 1, np.datetime64("NaT"), TIMES)),
        {},
        r"without a time \(frame 2\)",
    ),
    "an ensemble": (plain().expand_dims(member=4), {}, r"ensemble of 4.*da\.isel\(member=0\)"),
    "several channels": (
        xr.concat([of_earth2studio(), of_earth2studio("ir1230")], "variable"),
        {},
        r"2 along 'variable'.*da\.sel\(variable='ir1035'\)",
    ),
    "several lead times": (of_earth2studio(lead_time=3), {}, "3 along 'lead_time'"),
    "a visible channel": (of_earth2studio("vis064"), {"kelvin": True}, "'vis064', which is no brightness"),
    "wind": (of_earth2studio("u10m"), {}, "'u10m', which is no brightness"),
    "a line": (plain()[0, 0], {}, "a frame has two"),
    "a line in time": (plain()[:, 0], {}, "two beside time"),
    "channels in two ways": (
        plain().expand_dims({"band": 2, "view": [1]}),
        {},
        r"2 along 'band'.*da\.isel\(band=0\)",
    ),
    "a name that is no word": (plain().expand_dims({1: 2}), {}, r"da\.isel\(\{1: 0\}\)"),
    "a number": (plain()[0, 0, 0], {}, "a frame has two"),
    "an empty array": (plain()[:, :0], {}, "is empty"),
    "no frames": (plain()[:0], {}, "is empty"),
    "three unknown dimensions": (
        plain().drop_vars(["time", "lat", "lon"]).rename(time="a", lat="b", lon="c"),
        {},
        "a, b, c could be y and x",
    ),
    "complex numbers": (plain().astype("c8"), {}, "complex64"),
    "truth values": (plain() > 250, {"kelvin": True}, "bool"),
    "text": (plain().astype(str), {}, "<U"),
    "objects": (plain().astype(object), {}, "object values"),
    "objects of numpy": (VALUES.astype(object), {"kelvin": True}, "no array of numbers"),
    "four dimensions of numbers": (VALUES[None], {"kelvin": True}, "the shape"),
    "nothing": (None, {}, "NoneType is no array"),
    "a thing": (Thing(), {}, "Thing is no array"),
    "rows of unequal length": ([[1.0], [1.0, 2.0]], {"kelvin": True}, "list cannot be read"),
    "a file that is not there": ("nowhere.nc", {}, "nowhere.nc does not exist"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unsuitable_input_is_refused_in_one_sentence(name, model):
    held, options, words = REFUSED[name]
    for function in (coarsen, lambda held, **options: reconstruct(held, model, **options)):
        if function is coarsen and name == "an ensemble":
            continue
        with pytest.raises(InputError, match=words) as error:
            function(held, **options)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 1}, "scale"),
        ({"scale": 2.5}, "scale must be a whole number from 2 to 64"),
        ({"scale": 10**9}, "from 2 to 64"),
        ({"seed": -1}, "The seed must be a whole number from 0"),
        ({"scale": 16}, "smaller than one"),
        ({"sensor": "eye"}, "The sensor 'eye' begins with no known name"),
        ({"sigma": 0}, "sigma"),
        ({"noise_kelvin": -1}, "noise_kelvin"),
    ],
)
def test_options_of_coarsen_are_checked(options, words):
    with pytest.raises(InputError, match=words):
        coarsen(plain(), **options)


def test_a_seed_of_numpy_is_the_seed_that_it_equals():
    for seed in (np.int64(2), np.uint8(2)):
        np.testing.assert_array_equal(
            coarsen(plain(), noise_kelvin=0.1, seed=seed), coarsen(plain(), noise_kelvin=0.1, seed=2)
        )


@pytest.mark.parametrize("wrong", [None, 3, VALUES])
def test_other_objects_than_models_are_refused(wrong):
    with pytest.raises(InputError, match="is no model"):
        reconstruct(plain(), wrong)


# --- What is kept, what is dropped


def test_attributes_come_back_unless_they_are_no_longer_true(model, caplog):
    created = datetime.datetime(2019, 10, 9, 1)
    held = of_satpy(
        valid=True,
        resolution=2000,
        _FillValue=65535,
        ancillary_variables=[of_satpy()],
        _satpy_id=Thing(),
        date_created=created,
    )
    fine = reconstruct(held, model)
    changed = {"area", "_FillValue", "ancillary_variables", "_satpy_id", "resolution", "date_created"}
    unchanged = set(held.attrs) - changed
    assert fine.attrs["resolution"] == 500
    assert fine.attrs["source_date_created"] == created
    assert "_satpy_id" not in fine.attrs
    assert {key: fine.attrs[key] for key in unchanged} == {key: held.attrs[key] for key in unchanged}
    assert isinstance(fine.attrs["wavelength"], Wavelength)
    assert not {"_FillValue", "ancillary_variables"} & set(fine.attrs)
    assert "ancillary_variables describes the grid before" in caplog.text
    assert "sequence" not in fine.attrs


def test_an_area_of_satpy_follows_the_grid_or_is_dropped(model, caplog):
    fine, coarse = reconstruct(of_satpy(), model), coarsen(of_satpy(), 5)
    assert fine.attrs["area"].shape == (4 * ROWS, 4 * COLUMNS)
    assert fine.attrs["area"].area_extent == of_satpy().attrs["area"].area_extent
    assert coarse.attrs["area"].shape == (1, 2)
    left, bottom, right, top = coarse.attrs["area"].area_extent
    np.testing.assert_allclose((left + right) / 2, coarse["x"].mean())
    np.testing.assert_allclose((bottom + top) / 2, coarse["y"].mean())
    assert "area describes" not in caplog.text
    assert "area" not in reconstruct(of_satpy(Swath()), model).attrs
    assert "area describes the grid before" in caplog.text


def test_a_fill_value_that_an_attribute_names_is_missing():
    held = plain(_FillValue=np.float32(VALUES[0, 0, 0]), missing_value=250).copy()
    held[1, 4:, :4] = 250
    coarse = coarsen(held, 2)
    assert coarse[0, 0, 0].isnull() == False  # noqa: E712 - one of four is missing
    assert coarse[1, 2:, :2].isnull().all()


def test_frames_at_the_same_time_are_kept_with_a_warning(caplog, model):
    assert reconstruct(plain().isel(time=[0, 1, 1, 2]), model).sizes["time"] == 4
    assert "at the time of the one before: 1;" in caplog.text


def test_the_time_of_a_forecast_is_its_valid_time():
    held = of_earth2studio().assign_coords(lead_time=[np.timedelta64(6, "h").astype("m8[ns]")])
    np.testing.assert_array_equal(adapt(held).sequence["time"], TIMES + np.timedelta64(6, "h"))


def test_results_are_computed_lazily(model):
    def fail(block):
        raise AssertionError("computed too early")

    lazy = dask.array.map_blocks(fail, dask.array.zeros((3, 8, 8), chunks=(1, 8, 8)), meta=np.empty((0, 0, 0)))
    held = xr.DataArray(lazy, dims=("time", "lat", "lon"), attrs={"units": "K"}).transpose("lon", "lat", "time")
    assert reconstruct(held, model).chunks
    assert coarsen(held[:, :, 0]).chunks


def test_values_that_xarray_opened_lazily_stay_in_the_file(tmp_path):
    plain().transpose("time", "lon", "lat").to_netcdf(tmp_path / "tb.nc")
    with xr.open_dataset(tmp_path / "tb.nc") as opened:
        sequence = adapt(opened["tb"]).sequence
        assert sequence.chunks[0] == (1, 1, 1)
        np.testing.assert_array_equal(sequence.values, VALUES)


def test_a_wider_range_of_kelvin_is_kept_to_the_end(model):
    hot = plain().copy(data=np.full_like(VALUES, 335.0))
    assert coarsen(hot).isnull().all()
    assert (coarsen(hot, valid_kelvin=(160, 345)) == 335).all()
    assert reconstruct(hot, model, valid_kelvin=(160, 345)).notnull().all()


# --- Evaluation


class Scored(NamedTuple):
    frames: int
    pairs: int
    rmse: float


def scores(truth, fine, lowres=None, **options):
    result = evaluate(truth, fine, lowres, baselines=False, settings=QUICK, **options)
    return Scored(result.frames, result.pairs, result.scores["reconstructed"]["rmse"].value)


BIG = np.random.default_rng(1).uniform(200, 300, (3, 48, 48)).astype("f4")


def frames(values=BIG, **attrs):
    return xr.DataArray(values, dims=("time", "y", "x"), coords={"time": TIMES}, attrs={"units": "K", **attrs})


def test_evaluation_takes_the_same_arrays():
    truth, ours = frames(), frames(BIG + 2)
    expected = scores(truth, ours, sensor_scale=4)
    assert expected == pytest.approx((3, 2, 2.0), abs=1e-4)
    for given_truth, given_ours in [
        (truth.rename(y="lat", x="lon").transpose("lon", "time", "lat"), ours.expand_dims(band=[1])),
        (truth.to_dataset(name="tb"), ours.to_dataset(name="tb")),
        (truth, ours.drop_vars("time")),
        (truth.drop_vars("time"), ours),
        (truth.drop_vars("time"), ours.drop_vars("time")),
        (truth, ours.drop_attrs()),
        (truth, (ours - 273.15).assign_attrs(units="degC")),
    ]:
        assert scores(given_truth, given_ours, sensor_scale=4) == pytest.approx(expected, abs=1e-4)
    assert scores(BIG, BIG + 2, coarsen(BIG, kelvin=True), kelvin=True) == pytest.approx(expected, abs=1e-4)


def test_two_single_frames_are_matched_whatever_they_are():
    truth, ours = frames()[1], frames(BIG + 2)[1]
    pairs = [
        (truth, ours),
        (truth.drop_vars("time"), ours.drop_vars("time")),
        (truth, ours.drop_vars("time")),
        (BIG[1], BIG[1] + 2),
        (truth.drop_vars("time").assign_attrs(start_time=datetime.datetime(2019, 10, 9, 1)), ours),
    ]
    for given_truth, given_ours in pairs:
        result = scores(given_truth, given_ours, sensor_scale=4, kelvin=isinstance(given_truth, np.ndarray))
        assert result == pytest.approx((1, 0, 2.0), abs=1e-4)


def test_files_can_be_compared_without_being_opened(tmp_path, model):
    save_sequence(frames(sequence="hagibis"), tmp_path / "truth.nc")
    save_sequence(coarsen(frames(), 4), tmp_path / "coarse.nc")
    save_model(tmp_path / "m.safetensors", model)
    fine = reconstruct(tmp_path / "coarse.nc", str(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(fine, reconstruct(open_sequence(tmp_path / "coarse.nc"), model))
    result = evaluate(str(tmp_path / "truth.nc"), {"ours": fine}, tmp_path / "coarse.nc", settings=QUICK)
    assert result.storm == "hagibis"
    assert {"ours", "bicubic"} <= result.scores.keys()


@pytest.mark.parametrize(
    ("truth", "ours", "words"),
    [
        (frames()[:2], frames().drop_vars("time"), "the 3 frames of the reconstruction were seen"),
        (frames()[::-1], frames().drop_vars("time"), "same frames in the same order"),
        (frames(), BIG, "kelvin=True"),
        (BIG, frames(), "kelvin=True"),
        (frames().drop_attrs(), frames(), "no units"),
        (frames(), None, "NoneType is no array"),
        (frames()[0], frames()[1], "no time in common"),
        (frames()[:, :8, :8], frames()[:, :8, :8], "8x8 pixels; scores need 11x11"),
        (frames().to_dataset(name="a").assign(b=frames()), frames(), r"dataset\['a'\]"),
    ],
)
def test_incomparable_inputs_are_refused(truth, ours, words):
    with pytest.raises(InputError, match=words):
        evaluate(truth, ours, sensor_scale=4)


def test_dates_of_cftime_are_matched_with_those_of_numpy():
    cftime = xr.date_range("2019-10-09", periods=3, freq="h", calendar="standard", use_cftime=True)
    ours = frames(BIG + 2).assign_coords(time=cftime)
    assert scores(frames(), ours, sensor_scale=4).frames == 3
    zoned = frames(BIG + 2).assign_coords(time=pd.DatetimeIndex(TIMES, tz="UTC").tz_convert("Asia/Tokyo"))
    assert scores(frames(), zoned, sensor_scale=4).frames == 3
    assert str(coarsen(zoned)["time"].dtype) == "datetime64[ns, Asia/Tokyo]"


def test_when_an_array_was_made_is_no_time_of_its_frame():
    frame = xr.DataArray(np.full((4, 4), 250.0), dims=("y", "x"), attrs={"units": "K"})
    moment = np.datetime64("2019-12-25T03", "ns")
    assert not adapt(frame.assign_coords(creation_time=moment)).timed
    assert adapt(frame.assign_coords(creation_time=moment + 1, start=moment)).sequence.time.values[0] == moment


def test_bounds_of_a_dataset_are_no_unused_variables_and_leave_no_name_behind(caplog):
    edges = np.stack([TIMES, TIMES + np.timedelta64(1, "h")], axis=1)
    coords = {"time": ("time", TIMES, {"bounds": "time_bnds"}), "lat": ("lat", LAT, {"bounds": "lat_bnds"}), "lon": LON}
    held = {"Tb": (("time", "lat", "lon"), VALUES, {"units": "K"}), "time_bnds": (("time", "nv"), edges)}
    held["lat_bnds"] = (("lat", "nv"), np.stack([LAT + 0.25, LAT - 0.25], axis=1))
    coarse = coarsen(xr.Dataset(held, coords), scale=4)
    np.testing.assert_allclose(coarse["Tb"], COARSE, atol=1e-3)
    assert "is used" not in caplog.text
    assert not any("bounds" in coord.attrs for coord in coarse.coords.values())
