"""Frames of one time and pixels of one place, in files that write both in their own way."""

import logging

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy.display.upright import turn_of
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.align import align_grid, align_grids, match_times, pair_times, refinement, tolerance_between
from tempogan_eddy.io.grids.coverage import covered

START = np.datetime64("2019-12-25T10:00:00", "ns")
MINUTE = np.timedelta64(60_000_000_000, "ns")


def minutes(*numbers):
    return START + (np.array(numbers, float) * 60e9).round().astype("timedelta64[ns]")


HOURS = minutes(*range(0, 480, 60))
FLOAT_DAYS = np.datetime64("2002-01-01", "ns") + (
    (6500 + np.arange(8) / 24).astype("f4").astype("f8") * 86400e9
).astype("timedelta64[ns]")


@pytest.mark.parametrize(
    ("exact", "real"),
    [
        (HOURS, HOURS + np.array([21, 20, 21, 22, 21, 20, 21, 21]) * np.timedelta64(1, "s")),
        (FLOAT_DAYS[0].astype("datetime64[h]") + np.arange(8), FLOAT_DAYS),
        (minutes(*range(0, 240, 30)), minutes(*range(0, 240, 30)) - np.timedelta64(27, "us")),
        (HOURS.astype("datetime64[s]"), HOURS),
    ],
    ids=["scan mid times", "float32 days", "microseconds", "seconds and nanoseconds"],
)
def test_times_beside_their_slots_find_each_other(exact, real):
    for times in ([exact, real], [real, exact]):
        assert [numbers.tolist() for numbers in match_times(times, ["a", "b"])] == [list(range(8))] * 2


def test_only_times_that_all_have_are_common():
    numbers = match_times([HOURS, HOURS[2:], HOURS[:6] + np.timedelta64(5, "s")], ["a", "b", "c"])
    assert [own.tolist() for own in numbers] == [[2, 3, 4, 5], [0, 1, 2, 3], [2, 3, 4, 5]]


def test_the_finer_step_decides_what_is_the_same():
    ten, hourly = minutes(*range(0, 120, 10)), minutes(0.5, 62)
    assert tolerance_between([ten, hourly]) == MINUTE
    assert [own.tolist() for own in match_times([ten, hourly], ["ten", "hourly"])] == [[0], [0]]
    assert [own.tolist() for own in match_times([ten, hourly], ["ten", "hourly"], "3min")] == [[0, 6], [0, 1]]


def test_single_frames_match_within_three_minutes():
    assert tolerance_between([HOURS[:1], HOURS[:1]]) == 3 * MINUTE
    assert match_times([minutes(0), minutes(2.9)], ["a", "b"])[0].tolist() == [0]
    with pytest.raises(InputError, match=r"no time in common \(a 2019-12-25T10:00 to .*; within 3min\)"):
        match_times([minutes(0), minutes(3.1)], ["a", "b"])


def test_what_was_tolerated_and_what_is_double_is_said(caplog):
    with caplog.at_level(logging.INFO, "tempogan_eddy"):
        for little in (np.timedelta64(27, "us"), np.timedelta64(1, "s")):
            match_times([HOURS, HOURS + little], ["truth", "ours"])
        assert not caplog.text
        numbers = match_times([HOURS, np.sort([*HOURS, HOURS[3]]) + np.timedelta64(21, "s")], ["truth", "ours"])
    assert "Times of ours up to 21s from those of truth count as the same" in caplog.text
    assert "ours has 1 frame with a time that it has already; the first of a time counts" in caplog.text
    assert numbers[1].tolist() == [0, 1, 2, 3, 5, 6, 7, 8]


times_lists = st.lists(st.integers(0, 2000), min_size=1, max_size=30).map(
    lambda seconds: START + np.sort(seconds) * np.timedelta64(1, "s")
)


@given(first=times_lists, second=times_lists, tolerance=st.integers(0, 100))
@settings(deadline=None)
def test_pairs_are_one_to_one_in_order_nearest_and_within_the_tolerance(first, second, tolerance):
    limit = np.timedelta64(tolerance, "s")
    left, right = pair_times(first, second, limit)
    assert (np.diff(first[left]) > 0).all() and (np.diff(second[right]) > 0).all()
    assert (np.abs(first[left] - second[right]) <= limit).all()
    for a, b in zip(first[left], second[right], strict=True):
        assert np.abs(second - a).min() == np.abs(b - a) == np.abs(first - b).min()
    back = pair_times(second, first, limit)
    assert len(back[0]) == len(left)
    # Whatever is exactly the same is always found.
    assert set(np.intersect1d(first, second)) <= set(first[left])


# --- grids


def field(shape=(12, 16)):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def grid(values=None, lat=None, lon=None, names=("lat", "lon"), kind="plain", **others):
    """One frame with coordinates: 1-D with names alone, 1-D with CF attributes, or 2-D."""
    values = field() if values is None else values
    lat = 20 - 0.04 * np.arange(values.shape[0]) if lat is None else lat
    lon = 120 + 0.04 * np.arange(values.shape[1]) if lon is None else lon
    marks = {} if kind == "plain" else {"units": "degrees_north"}, {} if kind == "plain" else {"units": "degrees_east"}
    if kind == "2d":
        rows, columns = np.meshgrid(lat, lon, indexing="ij")
        coords = {names[0]: (("y", "x"), rows, marks[0]), names[1]: (("y", "x"), columns, marks[1])}
    else:
        coords = {names[0]: ("y", lat, marks[0]), names[1]: ("x", lon, marks[1])}
    return xr.DataArray(values[None], dims=("time", "y", "x"), coords={"time": HOURS[:1], **coords, **others})


def check_aligned(highres, lowres, factor=1, flipped=()):
    """Align a grid with one that is flipped, which must give both as they were."""
    turned = lowres.isel({dim: slice(None, None, -1) for dim in flipped})
    aligned = align_grid(highres, turned, factor, LABELS)
    assert all(made.identical(given) for made, given in zip(aligned, (highres, lowres), strict=True))


NAMES = [("lat", "lon"), ("latitude", "longitude"), ("nav_lat", "nav_lon"), ("north", "east")]
LABELS = ("the truth", "The reconstruction")


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("kinds", [("cf", "cf"), ("cf", "2d"), ("2d", "cf"), ("2d", "2d")])
@pytest.mark.parametrize("flipped", [(), ("y",), ("x",), ("y", "x")])
def test_a_grid_that_runs_the_other_way_is_flipped(names, kinds, flipped, caplog):
    truth = grid(kind=kinds[0])
    other = grid(names=names, kind=kinds[1]).isel(dict.fromkeys(flipped, slice(None, None, -1)))
    with caplog.at_level(logging.INFO, "tempogan_eddy"):
        fine, aligned = align_grid(truth, other, 1, LABELS)
    np.testing.assert_array_equal(aligned.values, truth.values)
    assert fine.identical(truth)
    assert caplog.text.count("The reconstruction has its") == len(flipped)


def test_coordinates_known_by_their_names_alone_are_enough():
    for names in NAMES[:3]:
        other = grid(names=names)[:, ::-1]
        np.testing.assert_array_equal(align_grid(grid(), other, 1, LABELS)[1].values, grid().values)


@pytest.mark.parametrize("flip", [slice(None), slice(None, None, -1)])
def test_a_coarse_grid_is_laid_onto_its_blocks(flip):
    fine = grid(field((12, 16)))
    coarse = fine.coarsen(y=4, x=4).mean().isel(y=flip)
    np.testing.assert_array_equal(align_grid(fine, coarse, 4, LABELS)[1].values, fine.coarsen(y=4, x=4).mean().values)


def test_spare_rows_lie_where_the_coordinates_say():
    """What filled no block lay at the end of the truth as it was when it was coarsened: here, at its start now."""
    truth = grid(field((14, 18)))
    seen = truth[:, ::-1, ::-1][:, :12, :16]
    fine, aligned = align_grid(truth, seen, 1, LABELS)
    np.testing.assert_array_equal(fine[:, :12, :16].values, aligned.values)
    np.testing.assert_array_equal(aligned.values, truth[:, 2:, 2:].values)
    fine, aligned = align_grid(truth, truth[:, :12, :16], 1, LABELS)
    assert fine.identical(truth)


@pytest.mark.parametrize("names", NAMES[:3])
@pytest.mark.parametrize("kind", ["plain", "2d"])
def test_longitudes_are_the_same_modulo_a_turn(names, kind):
    lon = 179.7 + 0.04 * np.arange(16)
    truth = grid(lon=(lon + 180) % 360 - 180, kind=kind)
    align_grid(truth, grid(lon=lon % 360, names=names, kind=kind), 1, LABELS)
    coarse = grid(field((3, 4)), 20 - 0.06 - 0.16 * np.arange(3), 179.7 + 0.06 + 0.16 * np.arange(4), names, kind)
    align_grid(truth, coarse, 4, LABELS)
    with pytest.raises(
        InputError, match=r"The reconstruction lies 0\.03 beside the truth in longitude, more than half"
    ):
        align_grid(truth, grid(lon=lon % 360 + 0.03, names=names, kind=kind), 1, LABELS)


@pytest.mark.parametrize("kind", ["plain", "2d"])
def test_a_grid_elsewhere_or_transposed_is_refused(kind):
    square = grid(field((12, 12)), kind=kind)
    align_grid(square, grid(field((12, 12)), 20.015 - 0.04 * np.arange(12), kind=kind), 1, LABELS)
    with pytest.raises(InputError, match="half a pixel"):
        align_grid(square, grid(field((12, 12)), 20.03 - 0.04 * np.arange(12), kind=kind), 1, LABELS)
    swapped = square.assign_coords(
        {
            name: (tuple({"y": "x", "x": "y"}[dim] for dim in square[name].dims), square[name].values)
            for name in ("lat", "lon")
        }
    )
    with pytest.raises(InputError, match="half a pixel"):
        align_grid(square, swapped, 1, LABELS)


@pytest.mark.parametrize("flip", [slice(None), slice(None, None, -1)])
@pytest.mark.parametrize("row", [0, -1])
def test_a_single_row_at_the_edge_that_lies_elsewhere_is_found(flip, row):
    lat = 20 - 0.04 * np.arange(12)
    other = lat.copy()
    other[row] += 0.03 if row == 0 else -0.03
    with pytest.raises(InputError, match="beside the truth in latitude, more than half a pixel"):
        align_grid(grid(field((12, 12)), lat), grid(field((12, 12)), other).isel(y=flip), 1, LABELS)


def test_each_axis_has_its_own_half_pixel():
    """An offset that is small along wide pixels does not hide one that is large along narrow ones."""
    lat, lon = 20 - 0.04 * np.arange(12), 120 + 0.4 * np.arange(12)
    truth = grid(field((12, 12)), lat, lon)
    align_grid(truth, grid(field((12, 12)), lat + 0.01, lon + 0.1), 1, LABELS)
    with pytest.raises(InputError, match=r"lies 0\.03 beside the truth in latitude, more than half a pixel \(0\.02\)"):
        align_grid(truth, grid(field((12, 12)), lat + 0.03, lon + 0.1), 1, LABELS)


def test_several_grids_are_brought_to_the_finest_which_loses_its_spare_rows_once():
    truth = grid(field((14, 18)))
    kept = truth[:, 2:, 2:]
    lowres = kept.coarsen(y=4, x=4).mean()
    sequences = [lowres[:, ::-1, ::-1], truth, kept[:, ::-1, ::-1]]
    aligned, factors = align_grids(sequences, ["lowres", "truth", "ours"])
    assert factors == [4, 1, 1]
    for da, expected in zip(aligned, [lowres, kept, kept], strict=True):
        np.testing.assert_array_equal(da.values, expected.values)
    with pytest.raises(InputError, match=r"^other has 12x4 pixels, which do not fit the 14x18 of truth"):
        align_grids([grid(field((14, 18))), grid(field((12, 4)))], ["truth", "other"])


def test_x_and_y_count_in_one_unit_where_there_is_no_place_on_earth():
    def placed(x, unit, values=None):
        values = field((8, 8)) if values is None else values
        return xr.DataArray(
            values[None], dims=("time", "y", "x"), coords={"time": HOURS[:1], "x": ("x", x, {"units": unit})}
        )

    metres = placed(4000.0 * np.arange(8), "m")
    np.testing.assert_array_equal(
        align_grid(metres, placed(4000.0 * np.arange(8)[::-1], "m", field((8, 8))[:, ::-1]), 1, LABELS)[1], metres
    )
    check_aligned(metres, placed(4.0 * np.arange(8), "km"))
    check_aligned(placed(np.arange(8), "1"), placed(np.arange(4), "1", field((4, 4))), 2)  # numbers of pixels
    with pytest.raises(InputError, match="in x, more than half"):
        align_grid(metres, placed(4000.0 * np.arange(8) + 2100, "m"), 1, LABELS)


def test_missing_coordinates_and_single_pixels_compare_where_they_can():
    truth = grid(kind="2d")
    holed = truth.assign_coords(lat=truth["lat"].where(truth["lat"] < 19.9))
    check_aligned(truth, holed)
    check_aligned(truth, holed, flipped=("y", "x"))
    check_aligned(truth.drop_vars(["lat", "lon"]), holed)
    check_aligned(grid(field((1, 1))), grid(field((1, 1))))
    with pytest.raises(InputError, match="beside the truth in lat"):
        align_grid(truth, holed.assign_coords(lat=holed["lat"] + 0.03), 1, LABELS)


@pytest.mark.parametrize(
    ("fine", "coarse", "scale", "expected"),
    [
        ((96, 96), (96, 96), None, 1),
        ((96, 96), (24, 24), None, 4),
        ((99, 97), (24, 24), None, 4),
        ((103, 96), (96, 96), None, 1),
        ((104, 96), (96, 96), None, None),
        ((99, 96), (96, 96), 4, 1),
        ((100, 96), (96, 96), 4, None),
        ((1000, 1000), (62, 62), None, 16),
        ((1010, 1000), (1000, 1000), 16, 1),
        ((49, 63), (6, 7), 8, 8),
        ((96, 96), (24, 32), None, None),
        ((24, 24), (96, 96), None, None),
    ],
)  # fmt: skip
def test_how_many_times_finer_a_grid_is(fine, coarse, scale, expected):
    assert refinement(fine, coarse, scale) == expected


def boxes(shift=0.0, start=0, rows=8):
    """Frames of boxes that move half a degree an hour northward."""
    hours = np.arange(start, start + 3)
    lat = 10.0 + shift + 0.5 * hours[:, None] + 0.1 * np.arange(rows)
    coords = {
        "time": START + hours * 60 * MINUTE,
        "lat": (("time", "y"), lat, {"units": "degrees_north"}),
        "lon": (("time", "x"), np.tile(120.0 + 0.1 * np.arange(6), (3, 1)), {"units": "degrees_east"}),
    }
    return xr.DataArray(np.broadcast_to(lat[:, :, None], (3, rows, 6)), coords, ("time", "y", "x"))


def test_boxes_that_follow_a_storm_are_compared_at_a_common_time(caplog):
    caplog.set_level(logging.INFO)
    truth, turned = boxes(), boxes(start=1).isel(y=slice(None, None, -1))
    _, laid = align_grid(truth, turned, 1, ("the truth", "The other"))
    np.testing.assert_array_equal(laid[0], truth[1])
    assert "rows in the other order" in caplog.text
    with pytest.raises(InputError, match="The other lies 5 beside the truth in latitude"):
        align_grid(truth, boxes(shift=5.0), 1, ("the truth", "The other"))


def test_boxes_that_follow_a_storm_have_north_up_and_an_extent():
    assert turn_of(boxes()) == (slice(None, None, -1), slice(None))
    attrs = covered(boxes().assign_attrs(geospatial_lat_min=0.0, geospatial_lat_max=0.0))
    assert (attrs["geospatial_lat_min"], attrs["geospatial_lat_max"]) == (10.0, 11.7)


def test_a_track_or_the_time_of_each_row_moves_no_box():
    fixed = boxes().isel(time=0, drop=True).expand_dims(time=boxes()["time"]).drop_vars("lon")
    fixed = fixed.assign_coords(
        lon=("time", [1.0, 2.0, 3.0], {"units": "degrees_east"}), seen=(("time", "y"), fixed[..., 0].data)
    )
    assert "geospatial_lon_min" not in covered(fixed)
    later = fixed.assign_coords(time=fixed["time"] + 600 * MINUTE).isel(y=slice(None, None, -1))
    np.testing.assert_array_equal(align_grid(fixed, later, 1, ("the truth", "The other"))[1], fixed)
