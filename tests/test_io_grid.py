import numpy as np
import pytest
import xarray as xr

from tempogan_eddy.io import coarsen_grid, open_sequence, refine_grid


def grid(**coords):
    """A sequence of one frame with these coordinates; its size is that of the first along each axis."""
    sizes = {"time": 1, "y": 5, "x": 6}
    for dims, values, *_ in coords.values():
        sizes |= dict(zip([dims] if isinstance(dims, str) else dims, np.shape(values), strict=True))
    shape = tuple(sizes[dim] for dim in ("time", "y", "x"))
    return xr.DataArray(np.zeros(shape, "f4"), dims=("time", "y", "x"), coords=coords)


def refined(sequence, scale):
    shape = (sequence.sizes["time"], sequence.sizes["y"] * scale, sequence.sizes["x"] * scale)
    return xr.DataArray(np.zeros(shape, "f4"), dims=sequence.dims, coords=refine_grid(sequence, scale))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_a_regular_axis_is_refined_exactly(scale):
    fine = refine_grid(grid(lat=("y", [20.0, 19.5, 19.0, 18.5])), scale)["lat"]
    offsets = (np.arange(scale) + 0.5) / scale - 0.5
    expected = (np.array([20.0, 19.5, 19.0, 18.5])[:, None] - 0.5 * offsets).ravel()
    np.testing.assert_allclose(fine.values, expected, rtol=0, atol=1e-13)
    assert fine.dims == ("y",)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_refined_then_coarsened_is_the_same_axis(scale, dtype):
    lon = (-89.98 + np.arange(825) * 0.036363).astype(dtype)
    coarse = coarsen_grid(refined(grid(lon=("x", lon)), scale), scale)["lon"]
    np.testing.assert_allclose(coarse.values, lon, rtol=0, atol=8e-6 if dtype == "f4" else 1e-12)


def test_the_merged_infrared_grid_is_refined_evenly(data_dir):
    sequence = open_sequence(data_dir / "merged-ir/merg_20011230-31_hourly.nc")
    fine = refine_grid(sequence, 4)["lat"].values
    assert np.ptp(np.diff(fine)) < 1e-12
    assert abs(fine[:4].mean() - float(sequence.lat[0])) < 2e-6
    assert coarsen_grid(sequence, 4)["lat"].size == 206


def test_an_irregular_axis_is_interpolated_and_extrapolated():
    fine = refine_grid(grid(y=("y", [0.0, 1.0, 4.0, 10.0])), 2)["y"].values
    np.testing.assert_allclose(fine, [-0.25, 0.25, 0.75, 1.75, 3.25, 5.5, 8.5, 11.5])


def test_an_axis_nearly_but_not_regular_keeps_its_bend():
    gaussian = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(64)[0]))
    coarse = coarsen_grid(grid(lat=("y", gaussian)), 2)["lat"].values
    np.testing.assert_allclose(coarse, gaussian.reshape(-1, 2).mean(1))


def test_rows_that_fill_no_block_are_dropped():
    coarse = coarsen_grid(grid(y=("y", np.arange(10.0)), x=("x", np.arange(8.0) ** 2)), 4)
    np.testing.assert_allclose(coarse["y"].values, [1.5, 5.5])
    np.testing.assert_allclose(coarse["x"].values, [np.mean([0, 1, 4, 9]), np.mean([16, 25, 36, 49])])


def test_two_dimensional_coordinates_are_interpolated_bilinearly():
    y, x = np.mgrid[:4, :5].astype(float)
    lat = 10 + 2 * y + 0.5 * x + 0.1 * x * y
    fine = refine_grid(grid(lat=(("y", "x"), lat)), 4)["lat"]
    v, u = ((np.mgrid[:16, :20] + 0.5) / 4 - 0.5).astype(float)
    np.testing.assert_allclose(fine.values, 10 + 2 * v + 0.5 * u + 0.1 * u * v, atol=1e-12)
    assert fine.dims == ("y", "x")


@pytest.mark.parametrize("west", [178.9, -181.1 + 360])
@pytest.mark.parametrize("convention", [180, 360])
def test_longitudes_are_right_across_the_date_line(west, convention):
    true = west + 0.5 * np.arange(6)
    fine_true = west + 0.5 * ((np.arange(24) + 0.5) / 4 - 0.5)
    wrap = (lambda lon: (lon + 180) % 360 - 180) if convention == 180 else (lambda lon: lon % 360)
    attrs = {"standard_name": "longitude"}
    sequence = grid(lon=("x", wrap(true), attrs), lon2=(("y", "x"), np.tile(wrap(true), (3, 1)), attrs))
    fine = refine_grid(sequence, 4)
    np.testing.assert_allclose(wrap(fine["lon"].values), wrap(fine_true), atol=1e-10)
    np.testing.assert_allclose(wrap(fine["lon2"].values)[5], wrap(fine_true), atol=1e-10)
    coarse = coarsen_grid(refined(sequence, 4), 4)
    np.testing.assert_allclose(wrap(coarse["lon2"].values)[1], wrap(true), atol=1e-10)
    assert fine["lon"].values.max() <= convention


def test_a_slanted_date_line_is_crossed_in_both_directions():
    y, x = np.mgrid[:6, :6].astype(float)
    true = 179 + 0.3 * x + 0.4 * y
    longitude = (true + 180) % 360 - 180
    coords = {"lon": (("y", "x"), longitude, {"units": "degrees_east"})}
    fine = refine_grid(grid(**coords), 2)["lon"].values
    v, u = (np.mgrid[:12, :12] + 0.5) / 2 - 0.5
    np.testing.assert_allclose((fine + 180) % 360, (179 + 0.3 * u + 0.4 * v + 180) % 360, atol=1e-10)
    longitude[0, 0] = np.nan  # beyond the edge of the Earth
    gappy = refine_grid(grid(**coords), 2)["lon"].values
    np.testing.assert_allclose(gappy[4:, 4:], fine[4:, 4:], atol=1e-10)
    assert np.isnan(gappy[0, 0])


def test_other_coordinates_pass_and_labels_of_cells_do_not():
    sequence = grid(
        y=("y", np.arange(4.0), {"units": "m"}),
        satellite=("time", ["GMS3"]),
        row=("y", list("abcd")),
        crs=((), 0, {"grid_mapping_name": "mercator", "GeoTransform": "0 1 0 0 0 1"}),
    )
    fine = refine_grid(sequence, 2)
    assert set(fine) == {"y", "satellite", "crs"}
    assert fine["y"].attrs == {"units": "m"}
    assert fine["crs"].attrs == {"grid_mapping_name": "mercator"}
    assert fine["satellite"].values.tolist() == ["GMS3"]


def test_a_single_cell_is_refined_around_itself():
    fine = refine_grid(grid(y=("y", [7.0])), 4)["y"].values
    np.testing.assert_array_equal(fine, [7.0] * 4)


EASTS = ("degrees_east", "degree_east", "degrees_E", "degree_E", "degreesE", "degreeE")


def to_standard_turn(longitude):
    return (np.asarray(longitude) + 180) % 360 - 180


@pytest.mark.parametrize("name", ["lon", "longitude", "nav_lon", "anything"])
@pytest.mark.parametrize("units", EASTS)
@pytest.mark.parametrize("attrs", [{}, {"standard_name": "longitude"}])
def test_the_date_line_is_crossed_in_every_spelling(name, units, attrs):
    true = 178 + 0.2 * np.arange(16)
    fine = refine_grid(grid(**{name: ("x", to_standard_turn(true), {"units": units, **attrs})}), 4)[name].values
    expected = to_standard_turn(178 + 0.2 * ((np.arange(64) + 0.5) / 4 - 0.5))
    np.testing.assert_allclose(fine, expected, rtol=0, atol=1e-9)
    coarse = coarsen_grid(refined(grid(**{name: ("x", to_standard_turn(true), {"units": units, **attrs})}), 4), 4)
    np.testing.assert_allclose(to_standard_turn(coarse[name].values - true), 0, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["lon", "longitude"])
def test_a_name_alone_makes_a_longitude(name):
    fine = refine_grid(grid(**{name: ("x", [179.75, -179.75])}), 2)[name].values
    np.testing.assert_allclose(fine, [179.625, 179.875, -179.875, -179.625])


@pytest.mark.parametrize("step", [0.5, -0.5])
def test_the_files_turn_is_kept(step):
    east = (358.6 + abs(step) * np.arange(6))[:: int(np.sign(step))] % 360
    fine = refine_grid(grid(lon=("x", east, {"units": "degrees_east"})), 4)["lon"].values
    assert fine.min() >= 0
    assert fine.max() < 360
    np.testing.assert_allclose(to_standard_turn(np.diff(fine)), step / 4, atol=1e-9)
    beyond = refine_grid(grid(lon=("x", 179.0 + np.arange(4), {"units": "degrees_east"})), 2)["lon"].values
    np.testing.assert_allclose(beyond, 178.75 + 0.5 * np.arange(8))  # without a jump it stays one line


def test_an_azimuth_turns_as_a_longitude_does():
    fine = refine_grid(grid(solar_azimuth_angle=("x", [358.0, 0.0, 2.0])), 2)["solar_azimuth_angle"].values
    np.testing.assert_allclose(to_standard_turn(fine), [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])


def test_cells_at_the_limb_keep_a_place():
    lat, lon = np.meshgrid(np.arange(6.0), 177.0 + np.arange(6), indexing="ij")
    seen = np.add.outer(np.arange(6), np.arange(6)) > 2
    lat, lon = np.where(seen, lat, np.nan), np.where(seen, to_standard_turn(lon), np.nan)
    fine = refine_grid(grid(a=(("y", "x"), lat, {"units": "degree_N"}), b=(("y", "x"), lon, {"units": "degreeE"})), 4)
    known = seen.repeat(4, 0).repeat(4, 1)
    offset = (np.arange(24) + 0.5) / 4 - 0.5
    np.testing.assert_array_equal(np.isfinite(fine["a"].values), known)
    np.testing.assert_allclose(fine["a"].values[known], np.broadcast_to(offset[:, None], (24, 24))[known], atol=1e-9)
    east = to_standard_turn(177 + np.broadcast_to(offset, (24, 24)))
    np.testing.assert_allclose(to_standard_turn(fine["b"].values - east)[known], 0, atol=1e-9)


def test_a_gap_without_a_jump_leaves_longitudes_as_they_are():
    fine = refine_grid(grid(lon=("x", [0.5, 1.5, np.nan, 3.5, 4.5])), 2)["lon"].values
    np.testing.assert_allclose(fine, [0.25, 0.75, 1.25, 1.75, np.nan, np.nan, 3.25, 3.75, 4.25, 4.75])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_rows_stay_before_the_pole(sign, scale):
    lat = sign * np.linspace(90, -90, 19)
    fine = refine_grid(grid(lat=("y", lat)), scale)["lat"].values
    assert np.abs(fine).max() < 90
    assert (np.diff(fine) * sign < 0).all()
    np.testing.assert_allclose(
        fine[scale:-scale], 10 / scale * sign * (np.arange(17 * scale)[::-1] - 8.5 * scale + 0.5)
    )


def test_latitudes_of_two_dimensions_stay_before_the_pole():
    lat = np.broadcast_to(np.linspace(88, 90, 3)[:, None], (3, 4))
    assert refine_grid(grid(lat=(("y", "x"), lat, {"units": "degrees_north"})), 4)["lat"].values.max() == 90


def test_the_time_of_each_scan_line_is_refined_as_dates():
    lines = np.datetime64("2019-12-25", "ns") + np.arange(4) * np.timedelta64(10, "s")
    lines[3] = np.datetime64("NaT")
    fine = refine_grid(grid(acq_time=("y", lines)), 2)["acq_time"].values
    seconds = (fine - lines[0]) / np.timedelta64(1, "s")
    np.testing.assert_array_equal(seconds, [-2.5, 2.5, 7.5, 12.5, 17.5, 22.5, np.nan, np.nan])
    assert fine.dtype.kind == "M"
    unknown = refine_grid(grid(acq_time=("y", np.full(4, np.datetime64("NaT", "ns")))), 2)["acq_time"]
    assert np.isnat(unknown.values).all()
    assert coarsen_grid(grid(acq_time=("y", lines)), 2)["acq_time"].values[0] == lines[0] + np.timedelta64(5, "s")


@pytest.mark.parametrize("wrong", [[10, 11, 11, 12], [10, 12, 11, 13], [10, np.nan, 12, 13], [13, 12, 12.5, 10]])
def test_an_axis_out_of_order_is_told(caplog, wrong):
    coords = {"lat": ("y", np.array(wrong, float)), "lon": ("x", [178.0, 179, -180, -179])}
    refine_grid(xr.DataArray(np.zeros((1, 4, 4)), dims=("time", "y", "x"), coords=coords), 4)
    assert caplog.text.count("does not run in one direction") == 1
    assert "lat does not" in caplog.text


def test_an_axis_of_one_value_is_told(caplog):
    grid = xr.DataArray(np.zeros((1, 1, 4)), dims=("time", "y", "x"), coords={"lat": ("y", [10.0])})
    assert set(refine_grid(grid, 4)["lat"].values) == {10.0}
    assert "lat has one value" in caplog.text


def test_labels_of_cells_are_left_out_with_a_word(caplog):
    flags = ("y", np.arange(4), {"flag_values": [0, 1], "flag_meanings": "sea land"})
    with caplog.at_level("INFO"):
        assert not refine_grid(grid(row=("y", list("abcd")), surface=flags), 2)
    assert "row, surface" in caplog.text


@pytest.mark.parametrize(("change", "expected"), [(refine_grid, 0.25), (coarsen_grid, 1.0)])
def test_attributes_of_coordinates_stay_true(change, expected):
    attrs = {
        "units": "degrees_north",
        "valid_min": -90,
        "valid_range": [-90, 90],
        "bounds": "lat_bnds",
        "resolution": 0.5,
        **{"minimum": 0.0, "maximum": 1.5, "grads_size": "4", "increment": 0.5},  # as GrADS states them
    }
    given = grid(lat=("y", 0.5 * np.arange(4), attrs), band=((), 13, {"long_name": "band"}), orbit=("time", [7]))
    changed = change(given, 2)
    assert changed["lat"].attrs == {"units": "degrees_north", "resolution": expected}
    assert changed["band"].attrs == {"long_name": "band"}
    assert changed["orbit"].values.tolist() == [7]
    assert given["lat"].attrs == attrs
