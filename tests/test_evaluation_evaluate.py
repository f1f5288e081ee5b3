import subprocess
import sys
from dataclasses import dataclass

import dask.array
import numpy as np
import pytest
import xarray as xr

from evaluation_cases import SCALE, noisy, sequence
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.display.words import summary
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import (
    BASELINES,
    Mean,
    Metric,
    Settings,
    Statistic,
    combine,
    error_by_kelvin,
    evaluate,
    scoring,
)
from tempogan_eddy.evaluation.baselines import area_mean, bicubic
from tempogan_eddy.evaluation.lacking import lacking
from tempogan_eddy.evaluation.matching import match
from tempogan_eddy.io.workers import TASKS_A_WORKER


@pytest.fixture(scope="module")
def truth():
    return sequence()


def coarse(truth):
    values = np.stack([area_mean(frame, SCALE) for frame in truth.values])
    return xr.DataArray(values, dims=truth.dims, coords={"time": truth["time"]}, attrs={"units": "K"})


def test_every_baseline_stands_beside_the_reconstruction(truth):
    evaluation = evaluate(truth, noisy(truth))
    assert list(evaluation.scores) == ["reconstructed", *BASELINES]
    assert evaluation.frames == 6
    assert evaluation.pairs == 5
    assert evaluation.storm == "200717"


def test_the_bicubic_baseline_scores_like_a_bicubic_reconstruction(truth):
    ours = truth.copy(data=np.stack([bicubic(area_mean(frame, SCALE), SCALE) for frame in truth.values]))
    scores = evaluate(truth, ours, coarse(truth)).scores
    for name, result in scores["bicubic"].items():
        assert scores["reconstructed"][name] == result, name


def test_the_scale_comes_from_the_input_the_option_or_the_attributes(truth):
    ours = noisy(truth)
    expected = evaluate(truth, ours).scores
    bare = ours.copy()
    bare.attrs = {}
    assert evaluate(truth, bare, coarse(truth)).scores == expected
    assert evaluate(truth, bare, sensor_scale=4).scores == expected
    with pytest.raises(InputError, match="scale"):
        evaluate(truth, bare)
    with pytest.raises(InputError, match="scale 5"):
        evaluate(truth, bare, sensor_scale=5)
    with pytest.raises(InputError, match="times the"):
        evaluate(truth, bare, coarse(truth)[:, :-1])


def test_frames_are_matched_by_time(truth):
    ours = noisy(truth)[[0, 1, 2, 4, 5]]
    evaluation = evaluate(truth[1:], ours, baselines=False)
    assert evaluation.frames == 4
    assert evaluation.pairs == 2  # hours 1-2 and 4-5, not 2-4
    assert evaluation.left_out == {"truth": 1, "reconstructed": 1, "empty": 0}
    error = (ours[1:] - truth[[1, 2, 4, 5]]).values.astype(float)
    assert evaluation.scores["reconstructed"]["rmse"].value == pytest.approx(np.sqrt(np.mean(error**2)))


def test_no_common_time_is_refused(truth):
    later = sequence(start="2008-10-01T00").assign_attrs(scale=4)
    with pytest.raises(InputError, match="no time in common"):
        evaluate(truth, later)


def test_pairs_end_where_the_satellite_changes(truth):
    satellite = ("time", np.array(["A", "A", "A", "B", "B", "B"]))
    marked = truth.assign_coords(satellite=satellite)
    assert evaluate(marked, noisy(marked), baselines=False).pairs == 4


def test_without_a_pair_the_metrics_in_time_are_not_defined(truth, caplog):
    with caplog.at_level("WARNING", "tempogan_eddy"):
        evaluation = evaluate(truth, noisy(truth), baselines=False, cadence="30min")
    assert "bring them back with --set data.cadence=1h or native" in caplog.text
    assert evaluation.pairs == 0
    scores = evaluation.scores["reconstructed"]
    assert np.isnan([scores["tof"].value, scores["lsd_hourly"].value]).all()
    assert np.isfinite(scores["rmse"].value)


def every(truth, minutes):
    """The same frames so many minutes apart."""
    times = truth["time"].values[0] + np.arange(truth.sizes["time"]) * np.timedelta64(minutes, "m")
    return truth.assign_coords(time=times)


def test_frames_an_hour_apart_are_pairs_though_others_lie_between(truth):
    halves = every(truth, 30)
    hourly = evaluate(halves, noisy(halves), baselines=False)
    assert (hourly.pairs, hourly.cadence) == (4, "1h")
    apart = [evaluate(every(part, 60), noisy(halves)[n::2].assign_coords(time=every(part, 60)["time"]), baselines=False)
             for n, part in enumerate((halves[0::2], halves[1::2]))]  # fmt: skip
    pooled = combine(apart)
    for name in ("tof", "lsd_hourly"):
        assert hourly.scores["reconstructed"][name].value == pytest.approx(pooled.scores["reconstructed"][name].value)
    native = evaluate(halves, noisy(halves), baselines=False, cadence="native")
    assert (native.pairs, native.cadence) == (5, "30min")
    expected = evaluate(truth, noisy(truth), baselines=False).scores["reconstructed"]
    assert native.scores["reconstructed"]["tof"].value == expected["tof"].value


@pytest.mark.parametrize(("minutes", "asked", "cadence", "pairs", "word"), [
    (180, None, "3h", 5, "between frames 3h apart, their own step"),
    (180, "1h", "1h", 0, "bring them back with --set data.cadence=3h or native"),
    (180, "native", "3h", 5, ""),
    (60, None, "1h", 5, ""),
])  # fmt: skip
def test_the_cadence_is_the_datas_own_where_nobody_asks_and_no_hours_follow(
    truth, caplog, minutes, asked, cadence, pairs, word
):
    slow = every(truth, minutes)
    with caplog.at_level("INFO", "tempogan_eddy"):
        evaluation = evaluate(slow, noisy(slow), baselines=False, cadence=asked)
    assert (evaluation.cadence, evaluation.pairs) == (cadence, pairs)
    assert word in caplog.text and (bool(word) or not caplog.text)


def test_few_frames_are_held_whatever_lies_between(truth):
    """Half-hourly frames at a cadence of an hour: two wait for the one an hour later, not all."""
    counted = []

    @dataclass(frozen=True)
    class Seen(Statistic):
        def compute(self, reconstructed, truth):
            counted.append((truth.earlier.values, truth.later.values))
            return Mean(1.0, 1.0)

    halves = every(truth, 30)
    metric = Metric("seen", "Seen", "1", "higher", (Seen(pairs=True),))
    evaluate(halves, noisy(halves), baselines=False, metrics=[metric])
    numbers = {frame.tobytes(): number for number, frame in enumerate(halves.values)}
    pairs = [tuple(numbers[frame.tobytes()] for frame in pair) for pair in counted]  # threads score them in any order
    assert sorted(pairs) == [(n, n + 2) for n in range(4)]


@pytest.mark.parametrize("seconds", [[21, 20, 21, 22, 21, 20], [-42, 42, 7, -7, 0, 30], [1e-5, -2e-5, 0, 0, 1e-5, 0]])
def test_times_beside_the_truths_hours_are_the_same_hours(truth, seconds):
    off = (np.array(seconds) * 1e9).astype("timedelta64[ns]")
    late = noisy(truth).assign_coords(time=truth["time"].values + off)
    evaluation = evaluate(truth, late)
    assert evaluation.scores == evaluate(truth, noisy(truth)).scores
    assert evaluation.left_out == {"truth": 0, "reconstructed": 0, "empty": 0}
    swapped = match(late, {"reconstructed": truth}, scale=4)
    np.testing.assert_array_equal(swapped.times, late["time"].values)  # the truth's own times are kept
    if max(map(abs, seconds)) > 1:
        with pytest.raises(InputError, match="no time in common"):
            evaluate(truth + 0, late.isel(time=[1]), time_tolerance="1us")


def on_earth(da, names=("lat", "lon"), north_first=True):
    lat = np.linspace(20, 16.2, da.shape[1])
    lon = np.linspace(120, 123.8, da.shape[2])
    attrs = {"units": "degrees_north"}, {"units": "degrees_east"}
    placed = da.assign_coords({names[0]: ("y", lat, attrs[0]), names[1]: ("x", lon, attrs[1])})
    return placed if north_first else placed.isel(y=slice(None, None, -1))


SYMMETRIC = {"regression": "Wiener filter"}  # a network is not


@pytest.fixture(scope="module")
def north_first_scores(truth):
    short = truth[:3]
    return evaluate(on_earth(short), on_earth(noisy(short)), on_earth(coarse(short)), **SYMMETRIC)


@pytest.mark.parametrize("names", [("lat", "lon"), ("latitude", "longitude")])
@pytest.mark.parametrize("north_first", [(True, False), (False, True), (False, False)])
def test_a_field_scores_the_same_whichever_way_its_rows_run(truth, north_first_scores, names, north_first):
    short = truth[:3]
    flipped = evaluate(
        on_earth(short, north_first=north_first[0]), on_earth(noisy(short), names, north_first[1]),
        on_earth(coarse(short), names), **SYMMETRIC,
    )  # fmt: skip
    for metric, value in north_first_scores.scores["reconstructed"].items():
        assert flipped.scores["reconstructed"][metric].value == pytest.approx(value.value, rel=1e-3, abs=1e-6), metric


@pytest.mark.parametrize("names", [("lat", "lon"), ("latitude", "longitude")])
def test_a_flipped_field_equals_itself(truth, names):
    truth = truth[:3]
    itself = evaluate(on_earth(truth), on_earth(truth.assign_attrs(scale=4), names, north_first=False), baselines=False)
    assert itself.scores["reconstructed"]["rmse"].value == 0


def test_truth_and_reconstruction_swapped_are_told(truth, caplog):
    made = noisy(truth).assign_attrs(super_resolution_software="TempoGAN-Eddy")
    with caplog.at_level("WARNING", "tempogan_eddy"):
        evaluate(truth, made, baselines=False)
        assert not caplog.text
        evaluate(made, truth, baselines=False, sensor_scale=4)
    assert "seem to be swapped" in caplog.text


def test_storms_of_several_cadences_are_pooled_and_name_them_all(truth):
    slow = every(truth, 180).assign_attrs(sequence="slow")
    both = combine([evaluate(da, noisy(da), baselines=False) for da in (truth, slow)])
    assert (both.cadence, both.pairs) == ("1h and 3h", 10)


def test_trailing_rows_of_the_truth_are_trimmed(truth):
    ours = noisy(truth)
    larger = sequence(shape=(99, 97))
    larger = larger.copy(data=np.pad(truth.values, ((0, 0), (0, 3), (0, 1)), constant_values=999.0))
    assert evaluate(larger, ours).scores == evaluate(truth, ours).scores
    with pytest.raises(InputError, match="96x96 pixels and the truth 100x96"):
        evaluate(truth.pad(y=(0, 4), constant_values=250), ours)


@pytest.mark.parametrize("two_dimensional", [False, True])
def test_a_grid_that_lies_elsewhere_is_refused(truth, two_dimensional):
    lat, lon = np.linspace(10, 14.75, 96), 177 + np.linspace(0, 4.75, 96)

    def place(da, shift):
        if two_dimensional:
            grid = np.meshgrid(lat, lon + shift, indexing="ij")
            return da.assign_coords(lat=(("y", "x"), grid[0]), lon=(("y", "x"), (grid[1] + 180) % 360 - 180))
        return da.assign_coords(lat=("y", lat), lon=("x", (lon + shift + 180) % 360 - 180))

    near = evaluate(place(truth, 0), place(noisy(truth), 0.02), baselines=False)
    assert near.frames == 6
    evaluate(place(truth, 0), place(noisy(truth), 360), baselines=False)
    with pytest.raises(InputError, match="half a pixel"):
        evaluate(place(truth, 0), place(noisy(truth), 0.04), baselines=False)


def test_a_shifted_input_is_refused(truth):
    placed = truth.assign_coords(x=np.arange(96.0))
    lowres = coarse(truth)
    evaluate(placed, noisy(placed), lowres.assign_coords(x=np.arange(24) * 4 + 1.5), baselines=False)
    with pytest.raises(InputError, match="lowres input lies"):
        evaluate(placed, noisy(placed), lowres.assign_coords(x=np.arange(24) * 4 + 9.5), baselines=False)


def pixels(evaluation):
    """How many pixels the RMSE of each method counts."""
    statistic = evaluation.metrics[0].statistics[0]
    return {evaluation.sums.total(method, statistic).weight for method in evaluation.scores}


def test_all_methods_share_one_mask(truth):
    ours = noisy(truth)
    gap = coarse(truth)
    gap[1, 3, 4] = np.nan
    gap[2] = np.nan
    evaluation = evaluate(truth, ours, gap)
    assert evaluation.frames == 5
    assert evaluation.left_out["empty"] == 1
    assert pixels(evaluation) == {5 * 96**2 - 16}
    assert evaluation.missing == pytest.approx(16 / (5 * 96**2))
    assert evaluation.pairs == 3


def test_a_reconstruction_that_lacks_pixels_of_the_truth_is_told(truth, caplog):
    truth = truth.copy(data=truth.values.copy())
    truth[:, :8] = np.nan  # lacks them too
    lacks = noisy(truth).where(np.arange(truth.sizes["x"]) >= 24)  # a quarter of 96 columns
    evaluation = evaluate(truth, {"reconstructed": noisy(truth), "narrow": lacks})
    assert "The reconstruction 'narrow' lacks 25.0% of the pixels that the truth has" in caplog.text
    assert "The reconstruction lacks" not in caplog.text
    assert lacking(combine([evaluation, evaluate(truth, {"narrow": noisy(truth)})]).sums, "narrow").count("12.5%") == 1
    gone = noisy(truth).where(np.arange(6)[:, None, None] != 2)  # one frame of six
    evaluate(truth, {"reconstructed": noisy(truth), "gone": gone})
    assert "The reconstruction 'gone' lacks 16.7% of the pixels that the truth has" in caplog.text
    assert "The reconstruction lacks" not in caplog.text
    assert "lacks 25.0%" in " ".join(summary(evaluate(truth, lacks)))
    assert "lacks" not in " ".join(summary(evaluate(truth, noisy(truth))))


def test_a_reconstruction_of_nothing_is_refused(truth):
    with pytest.raises(InputError, match="Every pixel of the reconstruction is missing"):
        evaluate(truth, noisy(truth) * np.nan, sensor_scale=4)
    with pytest.raises(InputError, match="Every pixel of the truth is missing"):
        evaluate(truth * np.nan, noisy(truth))
    left, right = truth.copy(), noisy(truth)
    left[..., :48], right[..., 48:] = np.nan, np.nan
    with pytest.raises(InputError, match="No pixel is valid in the truth and the reconstruction alike"):
        evaluate(left, right)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"cadence": "often"}, "cadence 'often'"),
        ({"cadence": "-1h"}, "cadence '-1h'"),
        ({"settings": Settings(block="0h")}, "block '0h'"),
        ({"baselines": ["lanczos"]}, "baseline 'lanczos'"),
        ({"baselines": "lanczos"}, "baseline 'lanczos'"),
        ({"metrics": "rmsee"}, "metric 'rmsee'"),
    ],
)
def test_an_unusable_option_is_named(truth, option, message):
    with pytest.raises(InputError, match=message):
        evaluate(truth, noisy(truth), **option)


def test_frames_are_read_in_order_and_few_at_a_time(monkeypatch):
    monkeypatch.setattr(scoring, "cores", lambda: 1)
    read = []

    def frame(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return np.full((1, 48, 48), 250 + len(read), np.float32)

    lazy = dask.array.map_blocks(frame, chunks=((1,) * 12, (48,), (48,)), dtype=np.float32)
    truth = sequence(frames=12, shape=(48, 48)).copy(data=lazy)
    done = []
    evaluate(
        truth,
        sequence(frames=12, shape=(48, 48), scale=4),
        progress=lambda *args: done.append((*args, len(read))),
    )
    assert read == list(range(12))
    assert [told[:2] for told in done] == [(index, 12) for index in range(1, 13)]
    assert all(ahead - index <= TASKS_A_WORKER for index, _, ahead in done)


def test_storms_are_pooled_frame_by_frame(truth):
    other = sequence(frames=3, start="2009-08-01", name="200908")
    first, second = evaluate(truth, noisy(truth)), evaluate(other, noisy(other, 4.0))
    both = combine([first, second])
    assert both.storm == "all storms"
    assert (both.frames, both.pairs, both.time_blocks) == (9, 7, 2)
    mse = (
        6 * first.scores["reconstructed"]["rmse"].value ** 2 + 3 * second.scores["reconstructed"]["rmse"].value ** 2
    ) / 9
    assert both.scores["reconstructed"]["rmse"].value == pytest.approx(np.sqrt(mse))
    worst = max(e.scores["reconstructed"]["consistency_max"].value for e in (first, second))
    assert both.scores["reconstructed"]["consistency_max"].value == worst


def test_storms_scored_differently_are_not_pooled(truth):
    first = evaluate(truth, noisy(truth), baselines=False)
    second = evaluate(truth, noisy(truth), baselines=False, settings=Settings(cold_kelvin=230.0))
    with pytest.raises(InputError, match="different settings"):
        combine([first, second])
    with pytest.raises(InputError, match="at least one"):
        combine([])


def test_what_reads_scores_and_shows_imports_nothing_heavier():
    modules = "tempogan_eddy.evaluation.report, tempogan_eddy.io, tempogan_eddy.viewer.server"
    heavy = {"torch", "matplotlib", "scipy.stats", "scipy.optimize"}
    code = f"import sys, {modules}; print(*{heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_every_frame_is_computed_once(in_chunks):
    truth = sequence(frames=13)
    ours = noisy(truth)
    lazy_truth, truths = in_chunks(truth, 4)
    lazy_ours, computed = in_chunks(ours, 6)
    # The choice of common times begins within a chunk and leaves one out of the middle.
    chosen = lazy_truth[[*range(1, 6), *range(7, 13)]]
    evaluation = evaluate(chosen, lazy_ours, baselines=False)
    assert evaluation.frames == 11
    assert computed == [0, 1, 2]
    assert evaluate(lazy_truth, ours[1:], baselines=False).frames == 12
    assert truths[-4:] == [0, 1, 2, 3]
    expected = evaluate(truth[[*range(1, 6), *range(7, 13)]], ours, baselines=False)
    assert evaluation.scores == expected.scores


def test_several_reconstructions_are_scored_in_one_pass(truth):
    ours, worse = noisy(truth), noisy(truth, 4.0, seed=2)
    together = evaluate(truth, {"ours": ours, "worse": worse})
    assert list(together.scores) == ["ours", "worse", *BASELINES]
    assert together.scores["ours"] == evaluate(truth, ours).scores["reconstructed"]
    assert together.scores["worse"] == evaluate(truth, worse).scores["reconstructed"]
    assert set(together.spectra.power) == {"truth", *together.scores}


def test_several_reconstructions_share_times_and_mask(truth):
    gap = noisy(truth)
    gap[1, 3, 4] = np.nan
    together = evaluate(truth, {"short": noisy(truth)[:4], "gap": gap}, baselines=False)
    assert together.left_out == {"truth": 2, "short": 0, "gap": 2, "empty": 0}
    assert pixels(together) == {4 * 96**2 - 1}


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (lambda ours: {"ours": ours, "small": ours[:, :-4]}, "one grid .*: ours 96x96, small 92x96"),
        (lambda ours: {}, "none at all"),
        (lambda ours: {"truth": ours}, "named 'truth'"),
        (lambda ours: {"bicubic": ours}, "named like the baseline 'bicubic'"),
        (lambda ours: {"ours": ours, "nothing": ours * np.nan}, "Every pixel of the reconstruction 'nothing'"),
    ],
)
def test_reconstructions_that_cannot_be_scored_together_are_named(truth, named, message):
    with pytest.raises(InputError, match=message):
        evaluate(truth, named(noisy(truth)), sensor_scale=4)


def test_error_by_kelvin_adds_up_to_the_whole():
    truth = sequence(frames=14, shape=(48, 48))
    result = evaluate(truth, noisy(truth, 2.0), settings=Settings(block="1h"))
    bins = error_by_kelvin(result)
    assert sum(part.share for part in bins) == pytest.approx(1, abs=1e-3)
    for method, scores in result.scores.items():
        squared = sum(part.share * part.rmse[method].value ** 2 for part in bins)
        assert np.sqrt(squared) == pytest.approx(scores["rmse"].value, rel=1e-2)
    middle = next(part for part in bins if part.low == 250)
    inside = truth.values[(truth.values >= 250) & (truth.values < 260)]
    assert middle.share == pytest.approx(inside.size / truth.size)
    score = middle.rmse["reconstructed"]
    assert score.low < score.value < score.high and score.value == pytest.approx(2, abs=0.1)
    # No interval of a bin rests on fewer than eight blocks that have such pixels.
    for part in bins:
        for found in (part.rmse["bicubic"], part.bias["bicubic"]):
            assert np.isfinite(found.low) == (found.blocks >= 8)
    # The smooth one is too warm where the truth is coldest.
    assert bins[0].bias["bicubic"].value > 0 > bins[-1].bias["bicubic"].value


def test_metrics_that_are_zero_by_construction_are_not_informative(truth):
    lowres = coarse(truth)
    exact = truth.copy(
        data=np.stack([BASELINES["back-projected bicubic"](f, SensorModel("area", SCALE)) for f in lowres.values])
    )

    def dead(evaluation):
        shown = evaluation.informative_metrics
        return [metric.name for metric in evaluation.metrics if metric not in shown]

    assert dead(evaluate(truth, exact, lowres)) == ["bias", "consistency_rms"]
    assert dead(evaluate(truth, noisy(truth), lowres)) == []
    assert dead(evaluate(truth, {"exact": exact, "noisy": noisy(truth)}, lowres)) == []
    # An input that is warmer than the truth gives every reconstruction its bias.
    assert dead(evaluate(truth, exact + 0.5, lowres + 0.5)) == ["consistency_rms"]
    assert dead(evaluate(truth, exact, lowres, metrics=["bias", "rmse"])) == []
    members = xr.concat([exact, truth], "member")
    assert dead(evaluate(truth, members, lowres)) == ["bias", "consistency_rms", "energy_score_4"]
