"""Pictures of a file are the same in whatever order its rows and columns run: north up, east right."""

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from evaluation_cases import noisy, sequence
from tempogan_eddy.display.animation import Animation
from tempogan_eddy.display.figures import save_crops
from tempogan_eddy.display.film import film_of
from tempogan_eddy.display.report_page import ReportPage
from tempogan_eddy.display.upright import STORED, common_size, turn_of
from tempogan_eddy.evaluation import evaluate
from tempogan_eddy.viewer.scene import build_scene
from tempogan_eddy.viewer.track import describe_grid

BACKWARD = slice(None, None, -1)
NORTH = {"standard_name": "latitude", "units": "degrees_north"}
EAST = {"standard_name": "longitude", "units": "degrees_east"}


def on_earth(da, lat=(30, 20), lon=(115, 125)):
    return da.drop_vars(["lat", "lon"], errors="ignore").assign_coords(
        lat=("y", np.linspace(*lat, da.sizes["y"]), NORTH), lon=("x", np.linspace(*lon, da.sizes["x"]), EAST)
    )


def turned(da):
    return da[..., BACKWARD, BACKWARD]


def frame(**coords):
    return xr.DataArray(np.zeros((1, 3, 4), np.float32), dims=("time", "y", "x"), coords=coords)


LAT_2D = np.array([[1, 1, 1, 1], [2, 2, np.nan, 2], [3, 3, 3, 3]])
COLUMNS = np.array([179.0, -180, -179, -178])
PROJECTED = {"standard_name": "projection_y_coordinate", "units": "rad"}


@pytest.mark.parametrize(
    ("coords", "rows", "columns"),
    [
        ({}, None, None),
        ({"y": ("y", [0, 1, 2]), "x": ("x", [3, 2, 1, 0])}, None, None),  # these count pixels
        ({"lat": ("y", [5, 6, 7], NORTH), "lon": ("x", COLUMNS, EAST)}, -1, None),
        ({"lat": ("y", [7, 6, 5], NORTH), "lon": ("x", COLUMNS[::-1], EAST)}, None, -1),
        ({"y": ("y", [5.0, 6.0, 7.0], NORTH)}, -1, None),
        ({"y": ("y", [-0.1, 0.0, 0.1], PROJECTED)}, -1, None),
        ({"lat": (("y", "x"), LAT_2D, NORTH)}, -1, None),
        ({"lat": (("y", "x"), np.full((3, 4), np.nan), NORTH)}, None, None),
    ],
)
def test_coordinates_tell_where_north_and_east_are(coords, rows, columns):
    assert turn_of(frame(**coords)) == (slice(None, None, rows), slice(None, None, columns))
    assert turn_of(frame(), frame(**coords)) == turn_of(frame(**coords))


def test_a_common_size_has_whole_pixels_of_every_grid():
    assert common_size([(2, 825, 825), (206, 206), (411, 412)], [1, 4, 2]) == (820, 824)


def test_an_animation_shows_north_up(make_sequence):
    fine = make_sequence(frames=2, shape=(49, 66))
    whole = fine[:, :48, :64]
    lowres = whole.coarsen(y=4, x=4).mean()
    pictures = [
        Animation(film_of([low, high], ["input", "truth"]), width=800).picture(1)
        for low, high in ((lowres, fine), (turned(lowres), whole), (turned(lowres), turned(whole)))
    ]
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


def test_a_scene_shows_north_up_and_still_sees_as_the_sensor_did(make_sequence):
    told = {"super_resolution_software": "x", "scale": 4, "sensor_model": "nearest"}
    truth = make_sequence(frames=2, shape=(50, 67)).compute()
    fine = (truth[:, :48, :64] + 1).assign_attrs(truth.attrs | told)
    southern = build_scene("storm", {"fine": turned(fine)}, truth=turned(truth[:, :48, :64]))
    unknown = [turned(da).drop_vars(["lat", "lon"]) for da in (fine, truth[:, :48, :64])]
    plain = build_scene("storm", {"fine": unknown[0]}, truth=unknown[1])
    for key in ("reconstructed", "truth", "lowres"):
        shown, stored = (scene.find(key)[0].read(1, 0) for scene in (southern, plain))
        np.testing.assert_array_equal(shown, stored[BACKWARD, BACKWARD])
    assert describe_grid(southern.main, southern.shape) == describe_grid(fine, fine.shape[1:])
    # Spare rows at the end of a grid would move to the other side, so they are not shown.
    spare = build_scene("storm", {"fine": on_earth(fine, lat=(20, 30))}, truth=truth.drop_vars(["lat", "lon"]))
    assert spare.shape == (48, 64) == spare.find("truth")[0].shape
    np.testing.assert_array_equal(spare.find("truth")[0].read(0, 0), truth.values[0, 47::-1, :64])


def test_crops_and_report_show_north_up(tmp_path):
    truth = on_earth(sequence(frames=3))
    made = noisy(truth)
    pictures, parts = [], []
    for number, (real, ours) in enumerate([(truth, made), (turned(truth), turned(made))]):
        with Image.open(save_crops(real, ours, tmp_path / f"{number}.png", side=64)) as picture:
            pictures.append(np.asarray(picture))
        page = ReportPage("tempogan-eddy evaluate")
        page.add(evaluate(real, ours), real, ours, None)
        parts.append(page.storms[0])
    assert np.array_equal(*pictures)
    assert parts[0]["crops"]["overview"] == parts[1]["crops"]["overview"]
    assert parts[0]["crops"]["rows"][0]["crops"] == parts[1]["crops"]["rows"][0]["crops"]
    assert parts[0]["films"][0]["still"] == parts[1]["films"][0]["still"]
    assert turn_of(truth) == STORED != turn_of(turned(truth))
