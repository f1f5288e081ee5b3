import logging
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import dask.array
import numpy as np
import pytest
import xarray as xr

from tempogan_eddy import guards
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.evaluation import evaluate
from tempogan_eddy.guards import warn_of_channels, warn_of_input, warn_of_truth, warn_of_turned
from tempogan_eddy.io.grids.spacing import grid_spacing
from tempogan_eddy.io.values.texture import texture_of
from tempogan_eddy.reconstruction import reconstruct
from tempogan_eddy.synthesis import simulate_storm
from tempogan_eddy.weights import load_model


@pytest.fixture(scope="module")
def fine():
    """Frames of a simulated storm at 5 km, (time, y, x)."""
    return plain(simulate_storm(frames=2, size=256, seed=4)["brightness_temperature"].values)


@pytest.fixture(scope="module")
def coarse(fine):
    """The area means of them."""
    return SensorModel("area", 4).coarsen(fine)


@pytest.fixture(scope="module")
def model():
    return load_model("faithful")


@pytest.fixture
def warnings(caplog):
    """What is warned of while a function runs."""

    def during(function, *arguments):
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="tempogan_eddy"):
            function(*arguments)
        return [record.getMessage() for record in caplog.records]

    return during


def plain(frames):
    """Frames as a DataArray that tells nothing of its grid."""
    times = np.datetime64("2001-07-01T00", "ns") + np.arange(len(frames)) * np.timedelta64(1, "h")
    da = xr.DataArray(np.asarray(frames, np.float32), dims=("time", "y", "x"), coords={"time": times})
    return da.assign_attrs(units="K", sequence="a")


def enlarged(frames, factor, how):
    if how == "nearest":
        height, width = (np.arange(int(size * factor)) / factor for size in frames.shape[1:])
        return frames[:, height.astype(int)][:, :, width.astype(int)]
    method = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}[how]
    return np.stack([cv2.resize(frame, None, fx=factor, fy=factor, interpolation=method) for frame in frames])


# ---------------------------------------------------------------- texture


def test_area_means_look_right(coarse):
    texture = texture_of(coarse.values[0])
    assert (texture.repeats, texture.is_interpolated, texture.is_fine) == (False, False, False)


@pytest.mark.parametrize("factor", [1.5, 2, 3, 4])
@pytest.mark.parametrize("how", ["linear", "cubic", "lanczos"])
def test_interpolated_pixels_are_seen(coarse, factor, how):
    assert texture_of(enlarged(coarse.values, factor, how)[0]).is_interpolated


@pytest.mark.parametrize("factor", [1.2, 1.5, 2, 4])
def test_repeated_pixels_are_seen(coarse, factor):
    texture = texture_of(enlarged(coarse.values, factor, "nearest")[0])
    assert texture.repeats
    assert not texture.is_interpolated


def test_fine_frames_look_fine(fine):
    assert texture_of(fine.values[0]).is_fine


def test_eight_bits_noise_and_missing_pixels_change_nothing(coarse, fine):
    steps = np.round(2 * coarse.values[0]) / 2
    noisy = coarse.values[0] + np.random.default_rng(0).normal(0, 0.5, coarse.shape[1:]).astype(np.float32)
    holed = coarse.values[0].copy()
    holed[:, ::9] = holed[10:40, 10:60] = np.nan
    for frame in (steps, noisy, holed):
        texture = texture_of(frame)
        assert not (texture.repeats or texture.is_interpolated or texture.is_fine)
    cubic = enlarged(coarse.values, 4, "cubic")[0]
    cubic[50:90, 20:60] = np.nan
    assert texture_of(cubic).is_interpolated
    nearest = enlarged(coarse.values, 2, "nearest")[0]
    nearest[20:60, 20:90] = np.nan
    assert texture_of(nearest).repeats


@pytest.mark.parametrize(
    "frame",
    [
        np.full((64, 64), 250.0),
        np.full((64, 64), np.nan),
        np.where(np.arange(64)[:, None] < 40, np.nan, np.random.default_rng(0).normal(250, 9, (64, 64))),
        np.random.default_rng(0).normal(250, 9, (20, 300)),
        np.full((1, 1), 250.0),
        np.broadcast_to(np.linspace(200, 300, 64)[:, None], (64, 64)),
    ],
)
def test_what_tells_too_little_is_left_alone(frame):
    texture = texture_of(frame)
    assert texture is None or not (texture.repeats or texture.is_fine)


@pytest.mark.parametrize("storm", ["200717", "198702"])
def test_real_frames_are_told_apart(data_dir, storm):
    from tempogan_eddy.io import open_sequence

    frames = open_sequence(data_dir / "digital-typhoon" / "WP", storm=storm)[[6, 60, 120]].values
    means = SensorModel("area", 4).coarsen(plain(frames)).values
    assert all(texture_of(frame).is_fine for frame in frames)
    for frame in means:
        texture = texture_of(frame)
        assert not (texture.repeats or texture.is_interpolated or texture.is_fine)
    filled = np.where(np.isnan(means), np.float32(260), means)
    assert all(texture_of(frame).is_interpolated for frame in enlarged(filled, 4, "cubic"))
    assert all(texture_of(frame).repeats for frame in enlarged(filled, 4, "nearest"))


# ---------------------------------------------------------------- grid spacing


def on_grid(rows, columns, **coords):
    return xr.DataArray(np.zeros((1, rows, columns)), dims=("time", "y", "x"), coords=coords)


def axis(dim, values, units, name=None):
    standard = {"y": "projection_y_coordinate", "x": "projection_x_coordinate"}.get(name, name)
    return (dim, np.asarray(values, float), {"units": units, "standard_name": standard})


def test_grid_spacing_from_every_kind_of_coordinate():
    lat, lon = 10 + 0.1 * np.arange(20), 179 + 0.1 * np.arange(30)
    one = on_grid(
        20,
        30,
        lat=axis("y", lat, "degrees_north", "latitude"),
        lon=axis("x", (lon + 180) % 360 - 180, "degrees_east", "longitude"),
    )
    assert grid_spacing(one) == pytest.approx(11.12 * np.sqrt(np.cos(np.deg2rad(11))), rel=1e-3)
    north, east = np.meshgrid(lat, lon, indexing="ij")
    north[0, 0] = np.nan
    two = on_grid(
        20,
        30,
        nav_lat=(("y", "x"), north, {"units": "degrees_north"}),
        nav_lon=(("y", "x"), east, {"units": "degrees_east"}),
    )
    assert grid_spacing(two) == pytest.approx(grid_spacing(one), rel=1e-3)
    for step, units, km in ((5, "km", 5), (4000, "m", 4), (5.6e-5, "rad", 2.004), (56, "microradian", 2.004)):
        da = on_grid(
            20, 30, y=axis("y", -step * np.arange(20), units, "y"), x=axis("x", step * np.arange(30), units, "x")
        )
        assert grid_spacing(da) == pytest.approx(km, rel=1e-3)


def test_a_box_that_follows_its_storm_has_the_grid_spacing_of_its_first_frame():
    fixed = {"lat": ("y", 10 + 0.07 * np.arange(20)), "lon": ("x", 130 + 0.07 * np.arange(30))}
    box = xr.DataArray(np.zeros((3, 20, 30)), dims=("time", "y", "x"), coords=fixed)
    moving = {name: (box[name] + xr.DataArray([0.0, 5.0, 10.0], dims="time")).transpose("time", ...) for name in fixed}
    spacing = grid_spacing(box)
    assert spacing == pytest.approx(7.75, abs=0.05)
    assert grid_spacing(box.drop_vars(list(fixed)).assign_coords(moving)) == pytest.approx(spacing)


def test_grid_spacing_from_an_attribute_or_not_at_all():
    assert grid_spacing(on_grid(4, 4).assign_attrs(spatial_resolution="2km at nadir")) == pytest.approx(2)
    assert grid_spacing(on_grid(4, 4)) is None
    assert grid_spacing(on_grid(4, 4, y=("y", np.arange(4)), x=("x", np.arange(4)))) is None
    assert grid_spacing(on_grid(1, 1, lat=("y", [3.0]), lon=("x", [4.0]))) is None


# ---------------------------------------------------------------- before a reconstruction


def test_the_right_input_is_not_warned_of(warnings, coarse, model):
    values = coarse.values
    assert warnings(lambda: reconstruct(plain(values), model).compute()) == []
    assert warnings(lambda: reconstruct(coarse, model)[0].compute()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda coarse, fine: fine[:, :128, :128], "already fine"),
        (lambda coarse, fine: enlarged(coarse, 2, "cubic"), "resampled"),
        (lambda coarse, fine: enlarged(coarse, 2, "nearest"), "enlarged"),
        (lambda coarse, fine: coarse + 27, "outside the 170 to 320 K"),
        (lambda coarse, fine: np.round(np.where(coarse > 250, np.nan, coarse)), "counts of an image"),
    ],
)
def test_frames_that_are_not_what_the_model_undoes_are_warned_of_once(warnings, coarse, fine, model, change, words):
    frames = plain(change(coarse.values, fine.values))
    frames = xr.concat([frames.isel(time=[0]), frames], "time", join="override").chunk({"time": 1})
    frames["time"] = plain(np.zeros((3, 1, 1)))["time"].values
    told = warnings(lambda: reconstruct(frames, model).compute())
    assert len(told) == 1
    assert words in told[0]


def test_a_thread_waits_for_what_the_first_frame_shows(warnings, coarse, model, monkeypatch):
    frames = np.repeat(np.repeat(coarse.values, 2, 1), 2, 2).astype(np.float32)
    guard = warn_of_input(plain(frames), model)
    monkeypatch.setattr(guards, "texture_of", lambda frame: time.sleep(0.2) or texture_of(frame))

    def in_two_threads():
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(guard, [frames[:1], frames[1:2]]))

    told = warnings(in_two_threads)
    assert len(told) == 1
    assert "enlarged" in told[0]


def test_nothing_is_computed_for_the_guards_alone(coarse, model):
    def fail(block):
        raise RuntimeError("computed")

    lazy = dask.array.zeros((2, 64, 64), chunks=(1, 64, 64), dtype=np.float32).map_blocks(fail, dtype=np.float32)
    made = reconstruct(plain(np.zeros((2, 64, 64))).copy(data=lazy), model)
    assert made.shape == (2, 256, 256)
    with pytest.raises(RuntimeError, match="computed"):
        made.compute()


@pytest.mark.parametrize(
    ("step", "words"), [(5.0, "already fine: its grid spacing is 5 km"), (20.0, None), (90.0, "grid spacing is 90 km")]
)
def test_a_grid_far_from_the_model_s_is_warned_of(warnings, model, step, words):
    y = xr.Variable("y", step * np.arange(40.0), {"units": "km", "standard_name": "projection_y_coordinate"})
    x = xr.Variable("x", step * np.arange(40.0), {"units": "km", "standard_name": "projection_x_coordinate"})
    told = warnings(warn_of_input, plain(np.zeros((2, 40, 40))).assign_coords(y=y, x=x), model)
    assert [words in line for line in told] == ([True] if words else [])


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"long_name": "brightness temperature near 6.7 microns"}, "water vapour"),
        ({"wavelength": 3.9}, "shortwave"),
        ({"long_name": "brightness temperature near 11 microns"}, None),
        ({"wavelength": 12.3}, None),
        ({}, None),
    ],
)
def test_another_channel_is_warned_of(warnings, model, attrs, words):
    told = warnings(warn_of_input, plain(np.zeros((2, 40, 40))).assign_attrs(attrs), model)
    assert [words in line for line in told] == ([True] if words else [])


def test_duplicate_times_are_warned_of(warnings, model):
    da = plain(np.zeros((3, 40, 40)))
    da["time"] = da["time"].values[[0, 1, 1]]
    assert ["at the time of the one before: 1;" in line for line in warnings(warn_of_input, da, model)] == [True]


def test_a_model_of_one_s_own_has_its_own_grid_and_channel(warnings, fine, model):
    from dataclasses import replace

    own = replace(model, name="mine.safetensors")
    water = plain(fine.values[:1, :128, :128]).assign_attrs(long_name="water vapour")
    assert warnings(lambda: reconstruct(water, own).compute()) == []


# ---------------------------------------------------------------- before a score


def test_a_truth_without_detail_is_warned_of(warnings, coarse, fine):
    for frames, words in ((enlarged(coarse.values, 4, "cubic"), "almost no fine detail"),):
        truth = plain(frames)
        told = warnings(lambda truth=truth: evaluate(truth, plain(fine.values), sensor_scale=4))
        assert [words in line for line in told] == [True]
    assert ["enlarged" in line for line in warnings(warn_of_truth, enlarged(coarse.values, 4, "nearest")[0])] == [True]
    assert warnings(warn_of_truth, fine.values[0]) == []


def test_two_channels_are_not_compared_without_a_word(warnings, fine):
    truth = plain(fine.values).assign_attrs(wavelength=10.8)
    told = warnings(warn_of_channels, truth, {"mine": truth.assign_attrs(wavelength=6.2)})
    assert told == ["The truth is of the channel window, 10.8 um, but mine is of the channel water vapour, 6.2 um"]
    assert warnings(warn_of_channels, truth, {"mine": truth, "other": plain(fine.values)}) == []


def test_a_reconstruction_that_fits_the_truth_only_when_turned_is_told(fine, warnings):
    truth = fine[0].values
    upright = {"as is": truth + 2.0, "members": np.stack([truth, truth[::-1]]), "empty": truth * np.nan}
    assert not warnings(warn_of_turned, truth, upright)
    told = warnings(warn_of_turned, truth, {"mine": truth[::-1], "ours": truth[:, ::-1]})
    assert [text.partition(",")[0] for text in told] == [
        "mine fits the truth upside down",
        "ours fits the truth mirrored",
    ]
