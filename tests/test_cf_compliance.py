"""What is written passes the compliance checker of IOOS for CF-1.8, whatever grid it lies on."""

import functools

import numpy as np
import pytest
import xarray as xr
from compliance_checker.cf import util
from compliance_checker.runner import CheckSuite

from model_cases import detailed_model
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.io import open_sequence, save_sequence
from tempogan_eddy.reconstruction import reconstruct

GEOSTATIONARY = {
    "grid_mapping_name": "geostationary",
    "perspective_point_height": 35785863.0,
    "semi_major_axis": 6378137.0,
    "semi_minor_axis": 6356752.3,
    "longitude_of_projection_origin": 140.7,
    "latitude_of_projection_origin": 0.0,
    "sweep_angle_axis": "y",
}
NORTH = {"standard_name": "latitude", "units": "degrees_north"}
EAST = {"standard_name": "longitude", "units": "degrees_east"}
SIZE = 16

# The storm's centre has degrees north and east, but it is not where the cells lie: called latitude and longitude, it
# would be taken for the grid.
RECOMMENDED_AND_NOT_FOLLOWED = {
    "latitude variable 'center_lat' should define standard_name='latitude' or axis='Y'",
    "longitude variable 'center_lon' should define standard_name='longitude' or axis='X'",
}


@pytest.fixture(scope="module", autouse=True)
def checkers():
    """The checkers, with the table of standard names (it comes with them) read once for all files."""
    if not CheckSuite.checkers:
        CheckSuite.load_all_available_checkers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(util, "StandardNameTable", functools.cache(util.StandardNameTable))
        yield


@pytest.fixture(scope="module")
def model():
    return detailed_model(n_residual_blocks=1, channels=4)


def problems(path):
    """Every message of a check that a file does not pass in full, but for what we do not follow."""
    suite = CheckSuite()
    file = suite.load_dataset(str(path))
    try:
        found = []
        for results, errors in suite.run_all(file, ["cf:1.8"], []).values():
            assert not errors
            results = list(results)
            while results:
                result = results.pop()
                results += result.children or []
                value = result.value
                passed = value[0] == value[1] if isinstance(value, tuple) else bool(value)
                found += [] if passed else result.msgs
        return [message for message in found if message not in RECOMMENDED_AND_NOT_FOLLOWED]
    finally:
        file.close()


def steps(first, step):
    return first + step * np.arange(SIZE)


def plain_grid():
    return {"lat": ("y", steps(20, -0.2), NORTH), "lon": ("x", steps(120, 0.2), EAST)}


def single_precision():
    coords = {"latitude": ("y", steps(10, 0.08).astype("f4")), "longitude": ("x", steps(120, 0.08).astype("f4"))}
    return coords | {"band": ((), 13), "height": ((), 0.0, {"units": "m", "standard_name": "height", "positive": "up"})}


def swath():
    lat, lon = np.meshgrid(steps(20, -0.2), steps(120, 0.2), indexing="ij")
    lat[0, 0] = lon[0, 0] = np.nan
    return {"lat": (("y", "x"), lat, NORTH), "lon": (("y", "x"), lon, EAST)}


def geostationary():
    metres = {"units": "m"}
    return {
        "y": ("y", steps(2e6, -2000.0), metres | {"standard_name": "projection_y_coordinate", "axis": "Y"}),
        "x": ("x", steps(-1e5, 2000.0), metres | {"standard_name": "projection_x_coordinate", "axis": "X"}),
        "geos": ((), 0, GEOSTATIONARY | {"GeoTransform": "0 1 0 0 0 1"}),
        "acq_time": ("y", np.datetime64("2019-12-25", "ns") + np.arange(SIZE) * np.timedelta64(10, "s")),
        **swath(),
    }


def date_line():
    return {"lat": ("y", steps(20, -0.2), NORTH), "lon": ("x", (steps(178, 0.2) + 180) % 360 - 180, EAST)}


def storm():
    """The coordinates of a Digital Typhoon sequence: all along time."""
    return {
        "satellite": ("time", ["GMS3", "MTS1", "MTS1"]),
        "center_lat": ("time", [12.0, 12.5, 13.0], {"units": "degrees_north"}),
        "center_lon": ("time", [140.0, 139.5, np.nan], {"units": "degrees_east"}),
        "grade": ("time", [3, 4, 5], {"long_name": "best-track grade of the storm", "units": "1"}),
        "pressure": ("time", [990.0, 985.0, np.nan], {"long_name": "lowest sea-level pressure", "units": "hPa"}),
        "wind": ("time", [40.0, 45.0, 50.0], {"long_name": "highest sustained wind", "units": "knot"}),
    }


GRIDS = {grid.__name__: grid for grid in (plain_grid, single_precision, swath, geostationary, date_line, storm)}

FROM_THE_FILE = {
    "long_name": "10.4 um brightness temperature",
    "valid_range": [0, 4095],
    "ancillary_variables": "DQF",
    "cell_methods": "t: point area: mean (interval: 2 km) band: mean",
    "Conventions": "CF-1.6, ACDD-1.3",
    "geospatial_lat_min": 3.0,
    "time_coverage_start": "2001-01-01",
    "spatial_resolution": "2 km",
}


def sequence(grid):
    kelvin = 250 + 10 * np.random.default_rng(0).standard_normal((3, SIZE, SIZE))
    times = np.datetime64("2019-12-25", "ns") + np.arange(3) * np.timedelta64(1, "h")
    attrs = FROM_THE_FILE | {"units": "K", "sequence": grid, "id": "product-1"}
    if grid == "geostationary":
        attrs["grid_mapping"] = "geos: x y"
    coords = {"time": times, **GRIDS[grid]()}
    return xr.DataArray(kelvin, dims=("time", "y", "x"), coords=coords, attrs=attrs)


@pytest.mark.parametrize("grid", GRIDS)
def test_written_reconstructed_and_coarsened_files_follow_cf(grid, model, tmp_path):
    given = sequence(grid)
    outputs = {
        "saved": given[:1] if grid == "plain_grid" else given,
        "reconstructed": reconstruct(given, model),
        "coarsened": SensorModel(scale=4).coarsen(given),
    }
    for number, (name, output) in enumerate(outputs.items()):
        path = tmp_path / f"{number}.nc"
        save_sequence(output, path, history="tempogan-eddy command")
        assert problems(path) == [], name


def test_an_ensemble_follows_cf(tmp_path):
    given = xr.concat([sequence("plain_grid"), sequence("plain_grid") + 1], "member", combine_attrs="override")
    save_sequence(given.assign_coords(member=("member", [0, 1], {"standard_name": "realization"})), tmp_path / "a.nc")
    assert problems(tmp_path / "a.nc") == []


def test_two_frames_of_one_time_follow_cf(tmp_path):
    given = sequence("storm")
    given = given.assign_coords(time=given.time.values[[0, 0, 1]])
    save_sequence(given, tmp_path / "a.nc")
    assert problems(tmp_path / "a.nc") == []
    again = open_sequence(tmp_path / "a.nc")
    np.testing.assert_array_equal(again.time, given.time)
    np.testing.assert_array_equal(again.satellite, given.satellite)


@pytest.mark.parametrize(
    "coords",
    [
        {"y": ("y", steps(20, -0.2), NORTH), "x": ("x", (steps(178, 0.2) + 180) % 360 - 180, EAST)},
        {"lat": ("y", steps(20, -0.2), {"units": "degrees"}), "lon": ("x", steps(120, 0.2))},
        {
            "y": ("y", steps(20, -0.2)),
            "x": ("x", steps(1, 0.2)),
            "crs": ((), 0, {"grid_mapping_name": "latitude_longitude"}),
        },
        {"scan line": ("time", np.array([1, 2, 3], "u8")), "day": ("time", [True, False, True]), "crs": ((), object())},
    ],
    ids=["x across the date line", "plain degrees", "as GDAL writes", "types and names"],
)
def test_names_and_types_outside_cf_are_converted(coords, tmp_path):
    given = sequence("storm")
    given = given.drop_vars([name for name in given.coords if name != "time"]).assign_coords(coords)
    save_sequence(given, tmp_path / "a.nc")
    assert problems(tmp_path / "a.nc") == []


def test_a_file_that_breaks_the_conventions_is_noticed(tmp_path):
    broken = sequence("plain_grid").to_dataset(name="brightness_temperature")
    broken["lat"] = ("y", steps(20, -0.2), {"units": "K", "standard_name": "latitude"})
    broken.to_netcdf(tmp_path / "a.nc")
    assert problems(tmp_path / "a.nc")
