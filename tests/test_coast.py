"""Coasts and graticule in the pixels of a frame."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from tempogan_eddy.display.animation import Animation
from tempogan_eddy.display.coast import MapLine, coastlines
from tempogan_eddy.display.film import film_of
from tempogan_eddy.display.map_overlay import map_overlay
from tempogan_eddy.display.places import places_of
from tempogan_eddy.viewer.scene import build_scene
from tempogan_eddy.viewer.site import Site
from viewer_cases import Scenes, as_frames, kelvins

# Capes, degrees: Cabo da Roca, South Cape of Taiwan, Cape Reinga, North Cape of Vanua Levu across the date line.
ROCA, ELUANBI, REINGA = (-9.50, 38.78), (120.85, 21.90), (172.68, -34.42)


def on_axes(lon, lat):
    data = np.full((1, len(lat), len(lon)), 280.0, np.float32)
    return xr.DataArray(
        data,
        dims=("time", "y", "x"),
        coords={
            "time": [np.datetime64("2001-07-01", "ns")],
            "lat": ("y", lat, {"standard_name": "latitude"}),
            "lon": ("x", lon, {"standard_name": "longitude"}),
        },
    )


def around(lat, lon, side=512):
    """A frame around a storm, as Digital Typhoon has it."""
    frame = as_frames(np.full((1, side, side), 280.0), storm_season=2001)
    return frame.assign_coords(center_lat=("time", [lat]), center_lon=("time", [lon]))


def nearest(lines, x, y):
    """How far the coast is from a pixel."""
    points = np.concatenate([line.points for line in lines if line.kind == "coast"])
    return np.hypot(*(points - (x, y)).T).min()


@pytest.mark.parametrize("turn", [0, 360])
@pytest.mark.parametrize(("cape", "rows"), [(ROCA, 1), (ELUANBI, 1), (REINGA, 1), (REINGA, -1)])
def test_a_cape_lies_where_the_axes_say(cape, rows, turn):
    lon, lat = cape[0] + turn - 10 + np.arange(500) * 0.04, (cape[1] - 10 + np.arange(500) * 0.04)[::rows]
    places = places_of(on_axes(lon, lat), (500, 500))
    row = 250.5 if rows == 1 else 249.5
    assert places.fixed and nearest(places.lines(0), 250.5, row) < 6  # 0.2 degrees
    assert {line.kind for line in places.lines(0)} == {"coast", "parallel", "meridian"}


@pytest.mark.parametrize("cape", [ELUANBI, REINGA])
@pytest.mark.parametrize(("north", "east"), [(4.0, 0.0), (-5.0, 0.0), (0.0, 6.0), (3.0, 7.5)])
def test_a_cape_lies_at_its_distance_from_a_storm_in_both_hemispheres(cape, north, east):
    lon, lat = cape[0] - east, cape[1] - north
    lines = places_of(around(lat, lon), (512, 512)).lines(0)
    side, up, middle = 5.07, np.radians(cape[1]), np.radians(lat)
    # By the great circle, whose length and bearing the projection keeps (the length to 0.1 % at this distance).
    cosine = np.sin(up) * np.sin(middle) + np.cos(up) * np.cos(middle) * np.cos(np.radians(east))
    distance = 6371 * np.arccos(cosine) / side
    bearing = np.arctan2(
        np.sin(np.radians(east)) * np.cos(up),
        np.cos(middle) * np.sin(up) - np.sin(middle) * np.cos(up) * np.cos(np.radians(east)),
    )
    assert nearest(lines, 256 + distance * np.sin(bearing), 256 - distance * np.cos(bearing)) < 5


@pytest.mark.parametrize("lat", [-17.0, 66.0])
def test_no_coast_runs_along_the_date_line_or_across_the_frame(lat):
    for lines in (
        places_of(around(lat, 179.9), (512, 512)).lines(0),
        places_of(on_axes(170 + np.arange(500) * 0.04, lat - 9 + np.arange(450) * 0.04), (450, 500)).lines(0),
    ):
        coasts = [line.points for line in lines if line.kind == "coast"]
        assert len(coasts) > 3  # Fiji; Chukotka and Wrangel
        assert max(np.hypot(*np.diff(points, axis=0).T).max() for points in coasts) < 60
    for line in coastlines():
        on_seam = np.abs((line[:, 0] + 180) % 360 - 180) > 179.99
        assert not (on_seam[1:] & on_seam[:-1] & (np.abs(np.diff(line[:, 1])) > 0.3)).any()


def test_the_page_gets_maps_only_of_what_has_a_place():
    moving = Site(Scenes(build_scene("storm", {"storm": around(20.0, 122.0)})))
    assert json.loads(moving.scene(0))["map"] == "moving"
    kind, content = moving.answer("data/0/map-0.json")
    assert kind == "application/json" and {line["kind"] for line in json.loads(content)} >= {"coast", "meridian"}
    assert any(line["label"] == "20°N" for line in json.loads(content))
    plain = Site(Scenes(build_scene("storm", {"storm": as_frames(kelvins(1, 64))})))
    assert json.loads(plain.scene(0))["map"] is None
    for site, path in ((moving, "map-1.json"), (plain, "map-0.json"), (moving, "map--1.json")):
        assert site.answer(f"data/0/{path}") is None
    assert moving.answer("data/1/map-0.json") is None


# --- pictures


def lines_at(*, column=10.0, row=30.0):
    along = np.linspace(2, 98, 97)
    return [
        MapLine("coast", np.stack([np.full(97, column), along], axis=1)),
        MapLine("parallel", np.stack([along, np.full(97, row)], axis=1), "20°N"),
    ]


@pytest.mark.parametrize(("window", "x", "y"), [((0, 0, 100, 100), 20, 60), ((20, 5, 50, 50), 20, 40)])
def test_lines_are_drawn_where_they_lie_in_the_window(window, x, y):
    alpha = np.asarray(map_overlay(lines_at(), window, (200, 200)))[..., 3].astype(int)
    far_below, far_right = alpha[150], alpha[:, 150]
    assert np.flatnonzero(far_below).tolist() == pytest.approx([x - 1.5, x - 0.5, x + 0.5], abs=1.6)
    assert abs(np.flatnonzero(far_right).mean() - y) < 1 and far_right.max() < far_below.max()


def test_a_label_stands_at_the_left_end_of_its_parallel_in_the_window():
    shown = np.asarray(map_overlay(lines_at(column=98), (0, 50, 50, 50), (200, 200)))[..., 3]
    plain = [replace(line, label="") for line in lines_at(column=98)]
    rows, columns = np.nonzero(shown != np.asarray(map_overlay(plain, (0, 50, 50, 50), (200, 200)))[..., 3])
    assert columns.min() < 8 and columns.max() < 50 and rows.max() < 122


def test_every_panel_of_an_animation_has_the_map_of_its_time():
    storm = around(20.0, 121.0, side=128)
    later = around(21.5, 124.0, side=128).assign_coords(time=storm["time"].values + np.timedelta64(1, "h"))
    both = xr.concat([storm, storm.assign_coords(time=storm["time"].values + np.timedelta64(30, "m")), later], "time")
    film = film_of([both, both], ["a", "b"], every=2)
    assert nearest(film.places.lines(1), 0, 0) == nearest(places_of(later, (128, 128)).lines(0), 0, 0)
    drawn = Animation(film, width=600)
    plain = Animation(replace(film, places=None), width=600)
    left, top = drawn._corner(0)
    right = drawn._corner(1)[0]
    maps = []
    for number in range(2):
        picture = np.asarray(drawn.picture(number)).astype(int)
        changed = (picture != np.asarray(plain.picture(number))).any(axis=-1)
        panels = [changed[top : top + drawn.shown[0], start : start + drawn.shown[1]] for start in (left, right)]
        assert panels[0].any() and (panels[0] == panels[1]).all() and changed.sum() == 2 * panels[0].sum()
        maps.append(panels[0])
    assert (maps[0] != maps[1]).any()
