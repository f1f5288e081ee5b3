"""The viewer without a browser: files to scenes, frames to tiles, addresses to answers."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import closing, suppress
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from benchmarks.browser import served
from cli_cases import exit_code, run
from tempogan_eddy import InputError, open_sequence, save_sequence
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.display.members import Members
from tempogan_eddy.display.places import places_of
from tempogan_eddy.evaluation.baselines import bicubic
from tempogan_eddy.io.format import StoredSequence
from tempogan_eddy.io.summary import save_summary
from tempogan_eddy.viewer.catalog import Catalog, Request
from tempogan_eddy.viewer.export import export_site
from tempogan_eddy.viewer.scene import build_scene
from tempogan_eddy.viewer.server import listen
from tempogan_eddy.viewer.site import Site, TileAddress, page_files
from tempogan_eddy.viewer.tiles import SIDE, PyramidCache, cut, level_count, pyramid
from tempogan_eddy.viewer.track import describe_grid, describe_track
from viewer_cases import SCALE, Scenes, as_frames, ask, ensemble, kelvins, site_of, storm_arrays, storm_files


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    return folder, storm_files(folder)


@pytest.fixture(scope="module")
def site(files):
    return site_of(files[0])


@pytest.fixture(scope="module")
def address(site):
    with served(site) as address:
        yield address


def whole(address, panel, frame, shape):
    """Level 0 of a frame put together from its tiles, in kelvin."""
    rows, columns = (-(-side // SIDE) for side in shape)
    parts = []
    for row in range(rows):
        heights = min(SIDE, shape[0] - row * SIDE)
        tiles = [ask(address, f"/data/0/{panel}/{frame}/0/{row}-{column}.u16").content for column in range(columns)]
        parts.append(np.hstack([np.frombuffer(tile, "<u2").reshape(heights, -1) for tile in tiles]))
    steps = np.vstack(parts)
    return np.where(steps == 0, np.nan, steps / 100)


def test_tiles_hold_the_kelvins_of_the_arrays(address, files):
    arrays = files[1]
    for panel in ("truth", "reconstructed", "lowres"):
        expected = arrays[panel][3]
        np.testing.assert_allclose(whole(address, panel, 3, expected.shape), expected, atol=0.0051)
    smooth = bicubic(arrays["lowres"][3], SCALE)
    np.testing.assert_allclose(whole(address, "bicubic", 3, smooth.shape), smooth, atol=0.0051)
    assert np.isnan(whole(address, "truth", 3, (320, 320))[:24, :40]).all()


@pytest.mark.parametrize("shape", [(600, 530), (513, 258), (256, 256), (3, 1030)])
def test_levels_are_means_of_the_valid_pixels_of_blocks(shape):
    rng = np.random.default_rng(1)
    frame = rng.uniform(180, 310, shape).astype(np.float32)
    frame[rng.random(shape) < 0.3] = np.nan
    frame[: shape[0] // 2, :70] = np.nan
    levels = pyramid(frame)
    assert len(levels) == level_count(shape) and max(levels[-1].shape) <= SIDE
    for number, level in enumerate(levels):
        assert level.dtype == "<u2"
        for row, column in {
            (0, 0),
            (level.shape[0] - 1, level.shape[1] - 1),
            (level.shape[0] // 2, level.shape[1] // 3),
        }:
            block = frame[row << number : (row + 1) << number, column << number : (column + 1) << number]
            if np.isnan(block).all():
                assert level[row, column] == 0
            else:
                assert level[row, column] / 100 == pytest.approx(np.nanmean(block.astype(float)), abs=0.0052)


def test_tiles_beyond_the_edge_are_none():
    level = np.ones((300, 256), np.uint16)
    assert cut(level, 1, 0).shape == (44, 256)
    assert cut(level, 2, 0) is None and cut(level, 0, 1) is None and cut(level, -1, 0) is None


def test_a_frame_is_read_once_for_many_threads_and_memory_is_bounded():
    frame, read = np.full((300, 300), 250.0), []
    cache = PyramidCache(limit=3 * sum(level.nbytes for level in pyramid(frame)))

    def ask():
        for key in range(3):
            cache.get(key, lambda: read.append(1) or frame)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 3
    cache.get(3, lambda: frame)
    cache.get(2, lambda: read.append(1))
    assert len(read) == 3
    cache.get(0, lambda: read.append(1) or frame)
    assert len(read) == 4


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:PORT", 200), ("localhost:PORT", 200), ("LOCALHOST:PORT", 200), ("[::1]:PORT", 200),
        ("127.0.0.1", 403), ("127.0.0.1:1", 403), ("evil.example:PORT", 403), ("evil.example", 403),
        ("localhost.evil.example:PORT", 403), ("", 403),
    ],
)  # fmt: skip
def test_only_its_own_address_is_answered(address, host, status):
    for path in ("/", "/data/index.json", "/data/0/truth/0/0/0-0.u16"):
        answer = ask(address, path, host=host)
        assert answer.status == status
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_but_get(address, method):
    for path in ("/", "/data/index.json", "/data/0/scene.json"):
        assert ask(address, path, method).status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/truth.nc", "/data/0/truth.nc", "/..%2Ftruth.nc", "/../truth.nc", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
        "/page/main.js", "/__init__.py", "/server.py", "/docs", "/openapi.json", "/data/1/scene.json",
        "/data/-1/scene.json", "/data/0/..%2f/0/0/0-0.u16", "/data/0/other/0/0/0-0.u16", "/data/0/truth/5/0/0-0.u16",
        "/data/0/truth/-1/0/0-0.u16", "/data/0/truth/0/9/0-0.u16", "/data/0/truth/0/-1/0-0.u16",
        "/data/0/truth/0/0/2-0.u16", "/data/1/truth/0/0/0-0.u16", "/data/-1/truth/0/0/0-0.u16",
    ],
)  # fmt: skip
def test_nothing_but_the_page_and_the_files_named(address, path):
    assert ask(address, path).status in (404, 422)


def test_the_page_is_whole_and_names_nothing_elsewhere(address):
    names = page_files()
    assert {"index.html", "main.js", "style.css", "icon.svg"} <= names.keys()
    for name, (media_type, content) in names.items():
        answer = ask(address, f"/{name}")
        assert answer.content == content and answer.headers["content-type"].startswith(media_type.split(";")[0])
        text = content.decode()
        links = re.findall(r"""(?:https?:)?//[a-z0-9.-]+\.[a-z]+""", text)
        assert set(links) <= {"http://www.w3.org"}, f"{name} names {links}"
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert imported in names
    assert ask(address, "/").content == names["index.html"][1]
    modules = {name for name in names if name.endswith(".js")}
    assert set(re.findall(r'(?:href|src)="([^"]+\.js)"', names["index.html"][1].decode())) == modules


@pytest.mark.parametrize("wrong", [[120.0] * 4, [120, np.nan, 122, 123], [120, 122, 121, 123]])
def test_an_axis_without_one_direction_has_no_map(wrong):
    frames = xr.DataArray(np.full((1, 4, 4), 250.0), dims=("time", "y", "x"), coords={"lat": ("y", np.arange(4.0))})
    assert places_of(frames.assign_coords(lon=("x", np.array(wrong))), (4, 4)) is None
    assert places_of(frames.assign_coords(lon=("x", [178.5, 179.5, -179.5, -178.5])), (4, 4)) is not None


def test_a_scene_is_described(address):
    index = ask(address, "/data/index.json").json()
    assert index["scenes"] == ["200101"]
    assert [table["name"] for table in index["colours"]] == ["infrared", "grey", "bd", "viridis"]
    scene = ask(address, "/data/0/scene.json").json()
    assert [panel["key"] for panel in scene["panels"]] == ["lowres", "bicubic", "reconstructed", "truth"]
    assert [panel["scale"] for panel in scene["panels"]] == [4, 1, 1, 1]
    assert scene["times"][:2] == ["2001-07-01T00:00Z", "2001-07-01T01:00Z"]
    assert scene["track"]["wind"] == [None, 10, 20, 30, 40]  # 0 is how JMA says that none is known
    assert scene["track"]["grade"] == ["Typhoon"] * 5
    assert scene["track"]["centre"][0] == [160, 160]


def test_the_files_tell_where_they_come_from(address):
    origin = ask(address, "/data/0/scene.json").json()["origin"]
    assert origin["commands"] == ["tempogan-eddy reconstruct coarse.nc -o fine.nc"]
    told = {entry["title"]: entry["rows"] for entry in origin["facts"]}
    assert ["software", "TempoGAN-Eddy"] in told["Reconstructed"]
    assert ask(address, "/data/index.json").json()["command"] == "tempogan-eddy view fine.nc"


def roles(scene):
    return [panel.role for panel in scene.panels]


def read(scene, key, time=0):
    return scene.find(key)[0].read(time, 0)


def test_the_lowresolution_of_a_reconstruction_is_its_block_mean(files):
    folder, arrays = files
    scene = Catalog(Request([folder / "fine.nc"])).scene(0)
    assert roles(scene) == ["lowres", "bicubic", "reconstructed"]
    np.testing.assert_allclose(read(scene, "lowres", 2), arrays["lowres"][2], atol=1e-3)


def test_a_truth_alone_with_a_scale_is_seen_by_the_sensor(files):
    folder, arrays = files
    scene = Catalog(Request([folder / "truth.nc"], scale=SCALE)).scene(0)
    assert roles(scene) == ["lowres", "bicubic", "truth"]
    np.testing.assert_allclose(read(scene, "lowres"), arrays["lowres"][0], atol=1e-3)
    assert roles(Catalog(Request([folder / "truth.nc"])).scene(0)) == ["sequence"]


def test_another_sensor_sees_the_truth_as_it_saw_for_the_model():
    truth = as_frames(kelvins(2, 64))
    told = {"super_resolution_software": "x", "scale": 4, "sensor_model": "gaussian", "sensor_model_sigma": 3.0}
    fine = truth.assign_attrs(told)
    scene = build_scene("storm", {"fine": fine}, truth=truth)
    expected = SensorModel("gaussian", 4, 3.0).coarsen(truth).values[1]
    np.testing.assert_allclose(read(scene, "lowres", 1), expected, atol=1e-4)
    # The block mean of such a reconstruction is not what the sensor saw.
    assert roles(build_scene("storm", {"fine": fine})) == ["reconstructed"]


def test_files_of_one_storm_are_seen_together_by_what_they_say_of_themselves(files):
    folder, _ = files
    scene = Catalog(Request([folder / "coarse.nc", folder / "fine.nc", folder / "truth.nc"])).scene(0)
    assert roles(scene) == ["lowres", "bicubic", "reconstructed", "sequence"]
    assert scene.find("sequence")[0].title == "truth"


def test_two_models_beside_each_other(files, tmp_path):
    folder, _ = files
    save_sequence(open_sequence(folder / "fine.nc") + 1, tmp_path / "other.nc")
    scene = Catalog(Request([folder / "fine.nc", tmp_path / "other.nc"], truth=folder / "truth.nc")).scene(0)
    assert [panel.key for panel in scene.panels] == ["lowres", "bicubic", "reconstructed", "reconstructed-2", "truth"]
    assert [panel.title for panel in scene.panels][2:4] == ["fine", "other"]
    difference = read(scene, "reconstructed-2") - read(scene, "reconstructed")
    assert np.nanmax(np.abs(difference - 1)) < 1e-3


def test_panels_are_matched_by_time():
    arrays = storm_arrays(6, 64)
    fine = as_frames(arrays["reconstructed"], super_resolution_software="x", scale=4)
    truth = as_frames(arrays["truth"]).isel(time=[1, 2, 5])
    scene = build_scene("storm", {"fine": fine}, truth=truth)
    panel = scene.find("truth")[0]
    assert panel.present.tolist() == [False, True, True, False, False, True]
    np.testing.assert_array_equal(panel.read(5, 0), arrays["truth"][5])
    described = json.loads(Site(Scenes(scene)).scene(0))
    assert described["panels"][-1]["absent"] == [0, 3, 4]
    assert Site(Scenes(scene)).tile(TileAddress(0, "truth", 0, 0, 0, 0)) is None


def test_panels_are_matched_within_seconds_and_flipped_by_their_coordinates(make_sequence):
    truth = make_sequence(frames=3, shape=(66, 64))
    made = truth[:, :64] + 1
    fine = made.assign_attrs(truth.attrs | {"super_resolution_software": "x", "scale": 4})[:, ::-1]
    fine = fine.assign_coords(time=fine["time"].values + np.timedelta64(21, "s"))
    scene = build_scene("storm", {"fine": fine}, truth=truth)
    np.testing.assert_allclose(read(scene, "reconstructed", 2), read(scene, "truth", 2)[:64] + 1, atol=1e-4)
    assert (scene.main["time"].values == fine["time"].values).all()
    # The page's coordinates are those of what it shows.
    np.testing.assert_array_equal(scene.main["lat"], truth["lat"][:64])


def test_of_frames_with_equal_times_each_file_shows_its_own():
    truth = as_frames(kelvins(3, 32))
    twice = truth.assign_coords(time=truth["time"].values[[0, 0, 2]])
    scene = build_scene("storm", {"storm": twice})
    np.testing.assert_array_equal(read(scene, "sequence", 1), truth.values[1])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"truth": as_frames(kelvins(5, 96))}, "do not fit"),
        ({"truth": as_frames(kelvins(5, 64), start="2010-01-01T00")}, "no frame at the times"),
        ({"lowres": as_frames(kelvins(5, 16)), "scale": 2}, "4 times finer"),
        ({"lowres": as_frames(kelvins(5, 64))}, "name a coarser one"),
    ],
)
def test_what_does_not_fit_is_refused(change, complaint):
    fine = as_frames(kelvins(5, 64), super_resolution_software="x", scale=4)
    with pytest.raises(InputError, match=complaint):
        build_scene("storm", {"fine": fine}, **change)


def test_the_centre_lies_where_the_grid_says(make_sequence):
    sequence = make_sequence(frames=3)
    sequence = sequence.assign_coords(
        center_lat=("time", [17.25, np.nan, 80]), center_lon=("time", [-238.25, 120, 122])
    )
    track = describe_track(sequence, sequence.shape[1:])
    # Rows from 20 N down by half a degree, columns from 120 E up; the centre of the first pixel is at 0.5.
    assert track["centre"] == [[pytest.approx(4.0), pytest.approx(6.0)], None, None]
    assert track["pressure"] == [1007.7, None, 1007.7]
    grid = describe_grid(sequence, sequence.shape[1:])
    assert grid["lat"][:2] == [20, 19.5] and len(grid["lon"]) == 10
    in_km = sequence.drop_vars(["lat", "lon"]).assign_coords(
        y=("y", np.arange(12) * -5.0, {"units": "km"}), x=("x", np.arange(10) * 5000.0, {"units": "m"})
    )
    assert describe_grid(in_km, in_km.shape[1:]) == {"pixel_km": 5}
    assert describe_grid(as_frames(kelvins(1, 8)), (8, 8)) == {}


def test_a_file_is_named_once(files):
    path = files[0] / "fine.nc"
    with pytest.raises(InputError, match="named twice"):
        Catalog(Request([path, path.parent / ".." / path.parent.name / "fine.nc"]))


def test_files_of_a_folder_that_are_no_sequence_are_left_out_and_if_all_are_they_are_named(tmp_path):
    for name in "abc":
        xr.Dataset({"Tb": (("y", "x"), kelvins(1, 64)[0], {"units": "K"})}).to_netcdf(tmp_path / f"{name}.nc")
    with pytest.raises(InputError, match=r"holds no sequence of brightness temperature in a, b, c.*no time coordinate"):
        Catalog(Request([tmp_path]))
    save_sequence(as_frames(kelvins(2, 64), name="d"), tmp_path / "d.nc")
    assert Catalog(Request([tmp_path], scale=4)).names == ["d"]


def test_storms_of_a_folder_are_opened_when_asked_for(tmp_path, monkeypatch):
    for name in ("a", "b"):
        save_sequence(as_frames(kelvins(2, 64), name=name), tmp_path / "truth" / f"{name}.nc")
        save_sequence(as_frames(kelvins(2, 64) + 1, name=name), tmp_path / "fine" / f"{name}.nc")
    catalog = Catalog(Request([tmp_path / "fine"], truth=tmp_path / "truth", scale=4))
    assert catalog.names == ["a", "b"] and not catalog._scenes
    assert roles(catalog.scene(1)) == ["lowres", "bicubic", "reconstructed", "truth"]
    assert list(catalog._scenes) == [1]
    assert Catalog(Request([tmp_path / "fine"], storm="b")).names == ["b"]
    (tmp_path / "truth" / "a.nc").write_bytes(b"not NetCDF")
    with served(Site(catalog)) as address:
        answer = ask(address, "/data/0/scene.json")
    assert answer.status == 422 and "is text" in answer.json()["detail"]


def test_each_sequence_of_a_folder_is_opened_once_and_a_broken_one_again_when_it_is_whole(tmp_path, monkeypatch):
    opened, open_stored = [], StoredSequence.open

    def counted(stored, **options):
        opened.append(stored.path.name)
        return open_stored(stored, **options)

    monkeypatch.setattr(StoredSequence, "open", counted)
    for name in ("a", "b"):
        save_sequence(as_frames(kelvins(2, 64), name=name), tmp_path / f"{name}.nc")
    whole = (tmp_path / "b.nc").read_bytes()
    (tmp_path / "b.nc").write_bytes(whole[: len(whole) // 2])
    catalog = Catalog(Request([tmp_path], scale=4))
    assert catalog.scene(0).main.shape == (2, 64, 64)
    with pytest.raises(InputError, match=r"b\.nc"):
        catalog.scene(1)
    (tmp_path / "b.nc").write_bytes(whole)
    assert catalog.scene(1).main.shape == (2, 64, 64)
    assert opened == ["a.nc", "b.nc", "b.nc", "b.nc"]


def test_an_export_is_what_the_server_answers(site, address, tmp_path):
    told = []
    export_site(site, tmp_path / "out", lambda done, total: told.append((done, total)))
    assert told[-1] == (5, 5)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    tiles = [path for path in written if path.suffix == ".u16"]
    assert len([path for path in written if path.name.startswith("map-")]) == 0  # no place is known
    # Two levels of 320x320 in 4 + 1 tiles for three panels, one of 80x80, five frames.
    assert len(tiles) == 5 * (3 * 5 + 1)
    for path in written:
        answer = ask(address, "/" + path.relative_to(tmp_path / "out").as_posix())
        assert answer.status == 200 and answer.content == path.read_bytes()


def test_every_member_has_the_values_of_its_plain_sequence(tmp_path):
    together, plain, truth = ensemble()
    site = Site(Scenes(build_scene("storm", {"storm": together}, truth=truth)))
    described = {panel["key"]: panel for panel in json.loads(site.scene(0))["panels"]}
    assert list(described["reconstructed"]["members"]) == ["3", "7"] and not described["truth"]["members"]
    for number, one in enumerate(plain):
        alone = Site(Scenes(build_scene("storm", {"storm": one}, truth=truth)))
        for frame, level in ((0, 0), (2, 1)):
            wanted = alone.tile(TileAddress(0, "reconstructed", frame, level, 0, 0))
            assert site.tile(TileAddress(0, f"reconstructed.{number}", frame, level, 0, 0)) == wanted
        assert site.tile(TileAddress(0, "bicubic", 1, 0, 0, 0)) == alone.tile(TileAddress(0, "bicubic", 1, 0, 0, 0))
    for unknown in ("reconstructed", "reconstructed.2", "truth.0", "truth.mean"):
        assert site.tile(TileAddress(0, unknown, 0, 0, 0, 0)) is None
    export_site(site, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out/data/0").iterdir()} == {
        "scene.json", "lowres", "bicubic", "truth", "reconstructed.0", "reconstructed.1", "reconstructed.mean",
        "spread", "probability.225", "probability.241",
    }  # fmt: skip


@pytest.mark.parametrize("limit", [0, 1 << 20, 1 << 30])
def test_mean_spread_and_probability_are_those_of_all_members(limit):
    kelvin = np.stack([kelvins(frames=3, side=40, seed=seed) for seed in range(5)])
    kelvin[1, 1, 3, 4] = np.nan
    members = Members([as_frames(one) for one in kelvin], limit)
    for time in (1, 1, 0, 2):
        np.testing.assert_allclose(members.frame(time, 5), kelvin[:, time].mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(members.spread(time), kelvin[:, time].std(axis=0, ddof=1), rtol=1e-4)
        shares = 100 * (kelvin[:, time] < 241).mean(axis=0)
        shares[np.isnan(kelvin[:, time]).any(axis=0)] = np.nan
        np.testing.assert_allclose(members.probability(time, 241), shares, rtol=1e-6)


def test_panels_of_an_ensemble_answer_at_whole_kelvins_only():
    together, plain, truth = ensemble()
    scene = build_scene("storm", {"storm": together}, truth=truth)
    assert roles(scene) == ["lowres", "bicubic", "reconstructed", "spread", "probability", "truth"]
    np.testing.assert_allclose(read(scene, "spread", 1)[30:, 50:], np.sqrt(0.5), rtol=1e-4)  # of 0 and 1 K
    panel, number = scene.find("probability.245")
    colder = sum(one.values[2] < 245 for one in plain) / 2
    np.testing.assert_array_equal(panel.read(2, number)[30:, 50:], 100 * colder[30:, 50:])
    site = Site(Scenes(scene))
    for unknown in ("probability", "probability.0", "probability.159", "probability.331", "probability.225.5",
                    "probability.-225", "probability.mean", "spread.0", "reconstructed.1e3"):  # fmt: skip
        assert site.answer(f"data/0/{unknown}/0/0/0-0.u16") is None


@pytest.mark.parametrize("name", ["summary.nc", "summary.zarr"])
def test_a_summary_shows_its_layers(tmp_path, name):
    mean = as_frames(kelvins(frames=3, side=48), super_resolution_software="TempoGAN-Eddy", scale=SCALE)
    shape = mean.shape
    drawn = {
        "brightness_temperature": (mean.values, {"units": "K", "standard_name": "brightness_temperature",
                                                 "cell_methods": "realization: mean"}),
        "spread": (np.full(shape, 1.5), {"units": "K", "cell_methods": "realization: standard_deviation"}),
        "probability_below_225K": (np.full(shape, 0.25), {"units": "1"}),
        "quantile_95": (mean.values + 3, {"units": "K"}),
    }  # fmt: skip
    layers = {key: (mean.dims, values.astype(np.float32), attrs) for key, (values, attrs) in drawn.items()}
    save_summary(xr.Dataset(layers, mean.coords, mean.attrs), tmp_path / name)
    scene = Catalog(Request([tmp_path / name], time="2001-07-01T01/..")).scene(0)
    told = {panel.title: (panel.quantity, panel.hidden) for panel in scene.panels if panel.role == "layer"}
    assert told == {
        "Spread": ("spread", False),
        "P(T < 225 K)": ("probability", False),
        "95 % quantile": ("kelvin", True),
    }
    assert read(scene, "spread", 1)[4, 5] == 1.5 and read(scene, "probability_below_225K", 0)[4, 5] == 25
    np.testing.assert_array_equal(read(scene, "quantile_95", 0), mean.values[1] + 3)  # the hour of the request


def test_members_of_the_input_are_interpolated_one_by_one():
    together, plain, _ = ensemble()
    coarse = together.coarsen(y=SCALE, x=SCALE).mean().assign_attrs(together.attrs)
    scene = build_scene("storm", {"storm": together}, lowres=coarse)
    panel, number = scene.find("bicubic.1")
    alone = build_scene("storm", {"storm": plain[1]}, lowres=coarse[1])
    np.testing.assert_array_equal(panel.read(2, number), read(alone, "bicubic", 2))


def test_an_export_replaces_only_an_export(site, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="an exported page"):
        export_site(site, tmp_path)
    # An index of somebody else's is none of ours.
    (tmp_path / "data").mkdir()
    for index in ('{"version": "1"}', "[]", "no json"):
        (tmp_path / "data" / "index.json").write_text(index)
        with pytest.raises(InputError, match="an exported page"):
            export_site(site, tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"
    export_site(site, tmp_path / "out")
    (tmp_path / "out" / "old.js").write_text("of the old one")
    export_site(site, tmp_path / "out")
    assert not (tmp_path / "out" / "old").exists() and (tmp_path / "out" / "index.html").exists()


def test_the_server_listens_on_the_loopback_interface_only():
    with closing(listen(0)) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(InputError, match=f"Port {port} cannot be used"):
            listen(port)


def ask_in_vain(address, path):
    with suppress(OSError, http.client.HTTPException):
        ask(address, path)


def test_a_server_that_ends_while_it_reads_says_nothing(capsys):
    scene = build_scene("storm", {"storm": as_frames(kelvins(1, 32))})
    begun, over = threading.Event(), threading.Event()

    def read(time, member):
        begun.set()
        over.wait(20)
        return np.zeros((32, 32), np.float32)

    slow = replace(scene, panels=(replace(scene.panels[0], read=read),))
    with served(Site(Scenes(slow))) as address:
        asking = threading.Thread(target=ask_in_vain, args=(address, "/data/0/sequence/0/0/0-0.u16"))
        asking.start()
        assert begun.wait(20)
    over.set()
    asking.join()
    assert capsys.readouterr().err == ""


def command(*words):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-m", "tempogan_eddy", "view", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def test_the_command_tells_its_address_and_ends_cleanly(files):
    stops = (signal.SIGINT, signal.SIGTERM)
    processes = [command(files[0] / "fine.nc", "--no-browser") for _ in stops]
    for process, stop in zip(processes, stops, strict=True):
        address = process.stdout.readline().split()[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        assert ask(address, "/").status == 200
        process.send_signal(stop)
        _, error = process.communicate(timeout=60)
        assert (process.returncode, error) == (0, "")


def test_the_command_exports_and_refuses_in_one_sentence(files, tmp_path, capsys):
    folder = files[0]
    words = ["view", folder / "fine.nc", "--export", tmp_path / "out", "--truth", folder / "truth.nc"]
    assert exit_code(*words) == 0 and (tmp_path / "out" / "data" / "0" / "truth" / "4" / "1" / "0-0.u16").exists()
    code, _, error = run(capsys, "view", tmp_path / "nothing.nc")
    assert code == 2 and "nothing.nc does not exist" in error
