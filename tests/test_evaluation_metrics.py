import csv
import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy import ndimage
from skimage.metrics import structural_similarity

from evaluation_cases import cloud, noisy, sequence
from tempogan_eddy.dataset.blocks import block_means
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import (
    Aggregation,
    Block,
    MaskedFrame,
    MaskedPair,
    Maximum,
    Mean,
    Metric,
    Score,
    Settings,
    Statistic,
    combine,
    error_by_kelvin,
    evaluate,
)
from tempogan_eddy.evaluation.bootstrap import difference, score
from tempogan_eddy.evaluation.masked import Mask, cloud_fraction
from tempogan_eddy.evaluation.metrics import ensemble_metrics, metrics
from tempogan_eddy.evaluation.statistics import (
    KELVIN_BINS,
    ConsistencyMaximum,
    ConsistencySquare,
    Error,
    ErrorByKelvin,
    FlowDifference,
    StructuralSimilarity,
)
from tempogan_eddy.rapsd import radial_power

STORED = Path(__file__).parent / "stored"

PERFECT = {
    "rmse": 0,
    "mae": 0,
    "bias": 0,
    "cold_rmse": 0,
    "psnr": np.inf,
    "ssim": 1,
    "lsd": 0,
    "detail_energy": 0,
    "excess": -100,
    "gradient_distance": 0,
    "coldest_bias": 0,
    "detail_kurtosis": 1,
    "detail_correlation": 1,
    "grid_traces": 0,
    "lsd_hourly": 0,
    "fss_225": 1,
    "fss_241": 1,
    "tof": 0,
    "consistency_rms": 0,
    "consistency_max": 0,
}


def values(evaluation, method="reconstructed"):
    return {name: score.value for name, score in evaluation.scores[method].items()}


def frame_values(reconstructed, truth, valid=None, settings=None):
    """Metrics of one frame by name."""
    settings = settings or Settings()
    mask = Mask(np.isfinite(truth) & np.isfinite(reconstructed) if valid is None else valid)
    lowres = np.full([side // 4 for side in truth.shape], np.nan)
    frames = [MaskedFrame(values, mask, lowres=lowres) for values in (reconstructed, truth)]
    sums = Aggregation()
    of_frames = [m for m in metrics(settings) if not m.statistics[0].pairs and "cons" not in m.name]
    for statistic in {statistic for metric in of_frames for statistic in metric.statistics}:
        if mask.share >= statistic.minimum_valid:
            sums.add(Block("storm", 0), "ours", statistic, statistic.compute(*frames))
    return {metric.name: score(metric, sums, "ours", settings).value for metric in of_frames}


def sums_of(aggregates, statistic, method="ours", blocks=None):
    """Sums of one statistic, a block each."""
    sums = Aggregation()
    for number, aggregate in zip(blocks or range(len(aggregates)), aggregates, strict=True):
        sums.add(Block("storm", number), method, statistic, aggregate)
    return sums


def test_names_labels_units_and_directions_are_those_that_files_of_scores_have():
    ours = [(metric.name, metric.label, metric.unit, metric.better) for metric in (*metrics(), *ensemble_metrics())]
    with (STORED / "metrics.csv").open(newline="") as file:
        assert ours == [tuple(row) for row in csv.reader(file)][1:]


def test_a_frame_compared_with_a_second_truth_scores_as_a_fresh_one():
    mask = Mask(np.ones((128, 128), bool))
    lowres = np.full((32, 32), 210.0)

    def frame(seed):
        return MaskedFrame(cloud((128, 128), seed), mask, lowres=lowres)

    used, second = frame(0), frame(2)
    for statistic in {s for metric in metrics(Settings()) for s in metric.statistics if not s.pairs}:
        statistic.compute(used, frame(1))
        again, fresh = (statistic.compute(ours, second) for ours in (used, frame(0)))
        assert repr(again) == repr(fresh), statistic


@pytest.mark.parametrize("missing", [0, 0.25])
def test_a_perfect_reconstruction_has_perfect_scores(missing):
    truth = sequence()
    if missing:
        rows = int(missing * truth.sizes["y"])
        truth[:, :rows] = np.nan
    scores = values(evaluate(truth, truth.assign_attrs(scale=4)))
    assert scores.keys() == PERFECT.keys() | {"least_rmse", "efficiency"}
    for name, expected in PERFECT.items():
        assert scores[name] == pytest.approx(expected, abs=1e-4), name


def test_a_perfect_score_costs_less_than_a_worse_one_on_either_side():
    truth = sequence(frames=3)
    pattern = np.resize([3.0, -3, -3, 3], truth.sizes["x"])  # repeats with each lowres pixel
    for shift in (-1, 1):
        made = noisy(truth)
        scores = values(evaluate(truth, made.copy(data=made.values + pattern + shift)))
        worse = [metric for metric in metrics() if metric.name in PERFECT and np.isfinite(scores[metric.name])]
        assert len(worse) > 15
        for metric in worse:
            assert metric.cost(PERFECT[metric.name]) < metric.cost(scores[metric.name]), metric.name


def test_a_constant_moves_the_bias_and_nothing_of_the_detail():
    truth = sequence()
    scores = values(evaluate(truth, (truth + 1.5).assign_attrs(scale=4)))
    for name in ("bias", "mae", "rmse", "cold_rmse", "consistency_max"):
        assert scores[name] == pytest.approx(1.5, abs=1e-3), name
    for name in ("lsd", "lsd_hourly", "detail_energy"):
        assert scores[name] == pytest.approx(0, abs=1e-2), name
    assert scores["psnr"] == pytest.approx(20 * np.log10(150 / 1.5), abs=1e-3)


def test_errors_are_those_of_numpy_over_the_valid_pixels():
    truth = sequence()
    ours = noisy(truth)
    ours[2, 10:30, 5:50] = np.nan
    truth[4, :, 90:] = np.nan
    error = (ours - truth).values
    cold = error[truth.values < 220]
    scores = values(evaluate(truth, ours, baselines=False))
    assert scores["rmse"] == pytest.approx(np.sqrt(np.nanmean(error.astype(float) ** 2)))
    assert scores["mae"] == pytest.approx(np.nanmean(np.abs(error.astype(float))))
    assert scores["bias"] == pytest.approx(np.nanmean(error.astype(float)))
    assert scores["cold_rmse"] == pytest.approx(np.sqrt(np.nanmean(cold.astype(float) ** 2)))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_bins_of_kelvin_are_those_of_numpy_at_every_edge(kind):
    edges = np.array(KELVIN_BINS, kind)
    kelvins = np.stack([np.nextafter(edges, kind(0)), edges, np.nextafter(edges, kind(1000))])
    expected = np.histogram(np.clip(kelvins, *edges[[0, -1]]), edges)[0]
    frame = MaskedFrame(kelvins, Mask(np.ones(kelvins.shape, bool)))
    assert np.array_equal(ErrorByKelvin(np.square).compute(frame, frame).weight, expected)


@pytest.mark.parametrize("missing", [0, 0.25])
def test_the_spectrum_of_a_change_is_that_of_the_difference(missing):
    valid = np.ones((96, 96), bool)
    valid[: int(96 * missing)] = False
    earlier, later = (MaskedFrame(cloud(seed=seed), Mask(valid)) for seed in (1, 2))
    expected = radial_power(later.values - earlier.values, valid)
    assert MaskedPair(earlier, later, Mask(valid)).spectrum == pytest.approx(expected, rel=1e-4)


def test_missing_pixels_change_no_score_of_the_rest():
    truth, ours = cloud(), cloud(seed=1)
    cut_truth, cut_ours = truth[:, :60], ours[:, :60]
    masked = ours.copy()
    masked[:, 60:] = np.nan
    whole, cut = frame_values(masked, truth), frame_values(cut_ours, cut_truth)
    for name in ("rmse", "mae", "bias", "cold_rmse", "psnr", "ssim", "fss_225", "fss_241"):
        assert whole[name] == pytest.approx(cut[name], rel=1e-9), name


def test_ssim_is_that_of_skimage():
    truth, ours = cloud(), cloud() + np.random.default_rng(0).normal(size=(96, 96)).astype(np.float32)
    expected = structural_similarity(
        truth.astype(float) - 170,
        ours.astype(float) - 170,
        data_range=150,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert frame_values(ours, truth)["ssim"] == pytest.approx(expected)


def test_ssim_and_psnr_depend_on_the_stated_range():
    truth, ours = cloud(), cloud() + 3
    wide = frame_values(ours, truth, settings=Settings(kelvin_range=(100.0, 400.0)))
    assert wide["psnr"] - frame_values(ours, truth)["psnr"] == pytest.approx(20 * np.log10(2))


def test_half_the_detail_is_three_decibels_less_energy():
    truth = cloud((128, 128))
    transform = np.fft.rfft2(truth.astype(float))
    radius = 128 * np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None])
    ours = np.fft.irfft2(np.where(radius > 12, np.sqrt(0.5), 1) * transform)
    assert frame_values(ours, truth)["detail_energy"] == pytest.approx(-3.01, abs=0.05)


def test_fss_without_an_event_is_not_defined():
    warm = np.full((64, 64), 290.0, np.float32)
    assert np.isnan(frame_values(warm, warm)["fss_225"])


def test_fss_of_a_perfect_forecast_under_scattered_gaps_is_one():
    truth = cloud()
    truth[np.random.default_rng(0).random(truth.shape) < 0.25] = np.nan
    assert frame_values(truth, truth)["fss_241"] == 1


def test_fss_of_events_far_apart_is_zero():
    truth, ours = np.full((64, 64), 290.0), np.full((64, 64), 290.0)
    truth[10:14, 10:14] = ours[40:44, 40:44] = 200
    assert frame_values(ours, truth)["fss_225"] == pytest.approx(0, abs=1e-12)


def test_fractions_are_brute_force_means_over_valid_pixels():
    rng = np.random.default_rng(2)
    field, valid = cloud((20, 23)), rng.random((20, 23)) > 0.3
    fractions = cloud_fraction(MaskedFrame(field, Mask(valid)), 241, 5)
    for y, x in [(0, 0), (10, 11), (19, 22), (3, 21)]:
        window = np.s_[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
        expected = (field[window] < 241)[valid[window]].mean()
        assert fractions[y, x] == pytest.approx(expected)


def test_fss_agrees_with_scores_inside_the_frame():
    spatial = pytest.importorskip("scores.spatial", reason="the library 'scores' is not installed")
    truth, ours = cloud(), cloud() + 8 * np.random.default_rng(0).normal(size=(96, 96)).astype(np.float32)
    expected = spatial.fss_2d_single_field(
        ours, truth, event_threshold=241, window_size=(5, 5), threshold_operator=np.less
    )
    every = np.ones((96, 96), bool)
    a, b = (cloud_fraction(MaskedFrame(field, Mask(every)), 241, 5)[2:-2, 2:-2] for field in (ours, truth))
    assert 1 - ((a - b) ** 2).sum() / (a**2 + b**2).sum() == pytest.approx(float(expected))


def test_flow_difference_finds_a_wrong_motion():
    still, mask = cloud((128, 128)), Mask(np.ones((128, 128), bool))
    moved = np.roll(still, 3, axis=1)

    def pair(earlier, later):
        return MaskedPair(MaskedFrame(earlier, mask), MaskedFrame(later, mask), mask)

    wrong = FlowDifference().compute(pair(still, still), pair(still, moved))
    assert wrong.total / wrong.weight == pytest.approx(3, abs=0.5)
    right = FlowDifference().compute(pair(still + 1, moved + 1), pair(still, moved))
    assert right.total / right.weight < 0.2


def test_flow_near_missing_pixels_is_not_counted():
    valid = np.ones((96, 96), bool)
    valid[40:44, 40:44] = False
    mask = Mask(valid)
    pair = MaskedPair(MaskedFrame(cloud(), mask), MaskedFrame(cloud(), mask), mask)
    assert FlowDifference().compute(pair, pair).weight == 96**2 - (4 + 14) ** 2


@given(st.integers(0, 99), st.sampled_from([0.0, 0.02, 0.5]), st.sampled_from([2, 3, 4]))
def test_a_mask_knows_its_windows_blocks_and_pixels(seed, missing, side):
    rng = np.random.default_rng(seed)
    valid, values = rng.random((23, 18)) >= missing, rng.normal(250, 20, (23, 18)).astype(np.float32)
    mask = Mask(valid)
    np.testing.assert_array_equal(mask.pick(values), values[valid])
    for border, inside in (({"mode": "constant", "cval": 0}, True), ({"mode": "nearest"}, False)):
        np.testing.assert_array_equal(mask.whole(5, inside=inside), ndimage.minimum_filter(valid, 5, **border))
    rows, columns = 23 // side, 18 // side
    blocks = [
        [np.s_[y * side : (y + 1) * side, x * side : (x + 1) * side] for x in range(columns)] for y in range(rows)
    ]
    np.testing.assert_array_equal(mask.whole_blocks(side), [[valid[block].all() for block in row] for row in blocks])
    expected = [[values[block].astype(float).mean() for block in row] for row in blocks]
    np.testing.assert_allclose(block_means(values, side), expected, rtol=1e-14)


def test_consistency_counts_whole_blocks_only():
    lowres = np.full((4, 4), 250.0, np.float32)
    highres = np.repeat(np.repeat(lowres, 4, 0), 4, 1)
    highres[0, 0] = np.nan
    highres[4:8, 4:8] += 0.5
    frame = MaskedFrame(highres, Mask(np.isfinite(highres)), lowres, 4)
    assert ConsistencyMaximum().compute(frame, frame).value == pytest.approx(0.5)
    square = ConsistencySquare().compute(frame, frame)
    assert (square.total, square.weight) == (pytest.approx(0.25), 15)


def test_an_interval_holds_the_value_and_widens_with_the_spread():
    truth = sequence(frames=60)
    steady = evaluate(truth[:, :48, :48], noisy(truth[:, :48, :48]), baselines=False)
    found = [result for result in steady.scores["reconstructed"].values() if np.isfinite(result.low)]
    assert len(found) > 8
    for result in found:
        assert result.low <= result.value <= result.high
    rmse = steady.scores["reconstructed"]["rmse"]
    assert 0 < rmse.high - rmse.low < 0.1


RMSE = metrics()[0]
SQUARED = RMSE.statistics[0]


def test_an_interval_of_constant_statistics_is_a_point():
    result = score(RMSE, sums_of([Mean(8.0, 2.0)] * 24, SQUARED, blocks=[n // 3 for n in range(24)]), "ours")
    assert (result.value, result.low, result.high, result.blocks) == pytest.approx((2, 2, 2, 8))


def test_the_interval_of_a_difference_is_paired():
    hard = np.random.default_rng(0).uniform(1, 100, 40)
    sums = sums_of([Mean(0.8 * h, 1.0) for h in hard], SQUARED) + sums_of(
        [Mean(h, 1.0) for h in hard], SQUARED, "other"
    )
    assert score(RMSE, sums, "ours").high > score(RMSE, sums, "other").low  # apart, the intervals overlap
    assert difference(RMSE, sums, "ours", "other").high < 0


@pytest.mark.parametrize(("blocks", "has_interval"), [(1, False), (7, False), (8, True)])
def test_no_interval_rests_on_fewer_than_eight_blocks(blocks, has_interval):
    sums = sums_of([Mean(8.0 + n, 2.0) for n in range(blocks)], SQUARED)
    for number in range(blocks, 12):  # blocks without a pixel to count are none
        sums.add(Block("storm", number), "ours", SQUARED, Mean(0.0, 0.0))
    result = score(RMSE, sums, "ours")
    assert result.value == pytest.approx(np.sqrt(4 + (blocks - 1) / 4))
    assert np.isfinite([result.low, result.high]).all() == has_interval
    assert result.blocks == blocks
    other = difference(RMSE, sums + sums_of([Mean(1.0, 1.0)] * 12, SQUARED, "other"), "ours", "other")
    assert np.isfinite(other.low) == has_interval


def test_a_maximum_is_that_of_the_blocks_drawn():
    metric = next(metric for metric in metrics() if metric.name == "consistency_max")
    sums = sums_of([Maximum(float(n)) for n in range(10)], metric.statistics[0])
    result = score(metric, sums, "ours")
    assert (result.value, result.high) == (9, 9) and 6 <= result.low < 9
    assert np.isnan(score(metric, sums, "nobody").value)


# --- sums add up, whoever computes them


def by_frame(evaluation):
    """The sums of each block of an evaluation apart, as workers would hand them over."""
    parts = []
    for block in evaluation.sums.blocks:
        part = Aggregation()
        for (method, statistic), aggregate in evaluation.sums._blocks[block].items():
            part.add(Block(block.storm, block.number // 3), method, statistic, aggregate)
        parts.append(part)
    return parts


@pytest.fixture(scope="module")
def hourly():
    truth = sequence(frames=14, shape=(32, 32))
    truth[4, :20] = np.nan
    truth[7] = np.nan
    return evaluate(truth, noisy(truth), baselines=["bicubic"], settings=Settings(block="1h", resamples=20))


@given(st.data())
@examples(max_examples=15, deadline=None)
def test_frames_split_among_workers_in_any_way_give_the_same_metrics(hourly, data):
    parts = by_frame(hourly)
    order = data.draw(st.permutations(range(len(parts))))
    owner = data.draw(st.lists(st.integers(0, 3), min_size=len(parts), max_size=len(parts)))
    workers = [Aggregation() for _ in range(4)]
    for number in order:
        workers[owner[number]] += parts[number]
    first, second, third, fourth = (pickle.loads(pickle.dumps(worker)) for worker in workers)
    ways = [(first + second) + (third + fourth), fourth + (first + (third + second))]
    sums = data.draw(st.sampled_from(ways))
    together = dataclasses.replace(hourly, sums=sum(parts[1:], start=parts[0]))
    result = dataclasses.replace(hourly, sums=sums)
    assert (result.frames, result.pairs, result.missing) == pytest.approx((13, 9, hourly.missing))
    assert result.scores.keys() == together.scores.keys()
    for method, scores in together.scores.items():
        for name, expected in scores.items():
            found = result.scores[method][name]
            assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(expected), nan_ok=True), name
            assert found.value == pytest.approx(hourly.scores[method][name].value, nan_ok=True)
    np.testing.assert_allclose(result.spectra.power["truth"], hourly.spectra.power["truth"])


def test_an_evaluation_can_be_pickled(hourly):
    copied = pickle.loads(pickle.dumps(hourly)).scores
    for method, scores in hourly.scores.items():
        np.testing.assert_equal(
            {name: dataclasses.astuple(score) for name, score in copied[method].items()},
            {name: dataclasses.astuple(score) for name, score in scores.items()},
        )


@dataclasses.dataclass(frozen=True)
class WarmShare(Statistic):
    kelvin: float

    def compute(self, reconstructed, truth):
        valid = truth.mask.valid
        return Mean(float((reconstructed.values[valid] > self.kelvin).sum()), float(valid.sum()))


def double(value, other):
    return 2 * value + 0 * other


def test_a_metric_from_outside_is_one_object():
    truth = sequence()
    ours = noisy(truth)
    toy = Metric("warm", "Warm share, twice", "%", "higher", (WarmShare(250.0), Error(np.abs)), double)
    evaluation = evaluate(truth, ours, baselines=False, metrics=[toy, "mae"])
    assert list(evaluation.scores["reconstructed"]) == ["warm", "mae"]
    assert evaluation.scores["reconstructed"]["warm"].value == pytest.approx(2 * (ours.values > 250).mean())
    both = combine([evaluation, evaluate(truth[:2], ours[:2], baselines=False, metrics=[toy, "mae"])])
    assert both.scores["reconstructed"]["warm"].blocks == 2


def test_only_the_statistics_of_the_chosen_metrics_are_computed(monkeypatch):
    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(StructuralSimilarity, "compute", fail)
    monkeypatch.setattr(FlowDifference, "compute", fail)
    truth = sequence(frames=3)
    evaluation = evaluate(truth, noisy(truth), metrics=["psnr", "rmse"])
    assert list(evaluation.scores["bicubic"]) == ["psnr", "rmse"]
    assert (evaluation.frames, evaluation.pairs) == (3, 2)
    assert evaluation.spectra is None and error_by_kelvin(evaluation) == []


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["rmse", "crpss"], "metric 'crpss' is unknown; use rmse, mae"),
        ([], "No metric is chosen"),
        (["mae", Metric("mae", "MAE", "K", "lower", (Error(np.square),))], "Two metrics are named 'mae'"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(chosen, message):
    truth = sequence(frames=2)
    with pytest.raises(InputError, match=message):
        evaluate(truth, noisy(truth), metrics=chosen)


# --- members of an ensemble


def ensemble(truth, members):
    """Members (member, time, y, x), each with noise of its own."""
    import xarray as xr

    return xr.concat([noisy(truth, 2.0, seed) for seed in range(members)], "member", combine_attrs="override")


def test_one_member_scores_like_the_plain_sequence():
    truth = sequence(frames=4)
    truth[1, 10:30] = np.nan
    plain = evaluate(truth, noisy(truth, 2.0, 0))
    assert evaluate(truth, ensemble(truth, 1)).scores == plain.scores


def test_several_members_have_the_scores_of_an_average_one():
    truth = sequence(frames=4)
    members = ensemble(truth, 3)
    one_by_one = [evaluate(truth, members.isel(member=n), baselines=False).scores for n in range(3)]
    together = evaluate(truth, members)
    assert (together.frames, together.pairs) == (4, 3)
    assert together.left_out == {"truth": 0, "reconstructed": 0, "empty": 0}
    found = together.scores["reconstructed"]
    for name in ("mae", "ssim", "lsd", "tof"):
        assert found[name].value == pytest.approx(np.mean([s["reconstructed"][name].value for s in one_by_one])), name
    largest = max(scores["reconstructed"]["consistency_max"].value for scores in one_by_one)
    assert found["consistency_max"].value == largest


@dataclasses.dataclass(frozen=True)
class MemberSpread(Statistic):
    def compute(self, reconstructed, truth):
        raise AssertionError

    def compute_members(self, members, truth):
        return Mean(float(np.var([member.values for member in members], axis=0, ddof=1).mean()), 1.0)


def test_a_statistic_can_see_all_members():
    truth = sequence(frames=2)
    spread = Metric("spread", "Spread", "K", "higher", (MemberSpread(),), np.sqrt)
    result = evaluate(truth, ensemble(truth, 5), baselines=False, metrics=[spread])
    assert result.scores["reconstructed"]["spread"].value == pytest.approx(2, abs=0.05)


def test_a_gap_in_one_member_is_a_gap_for_all():
    truth = sequence(frames=2)
    members = ensemble(truth, 2)
    members[1, 0, 3, 4] = np.nan
    result = evaluate(truth, members, baselines=False)
    assert result.missing == pytest.approx(1 / (2 * 96**2))


def test_the_bootstrap_is_repeatable():
    truth = sequence(frames=24)[:, :48, :48]
    first, second = (evaluate(truth, noisy(truth), baselines=False) for _ in range(2))
    assert first.scores["reconstructed"]["lsd"] == second.scores["reconstructed"]["lsd"]


def test_scores_that_are_not_defined_alike_are_equal():
    """Python 3.13 compares dataclasses number by number, and NaN with NaN is False."""
    first, second = (Score(2.0, float("nan"), float("nan"), 3) for _ in range(2))
    assert first == second and hash(first) == hash(second)
    assert first == pickle.loads(pickle.dumps(first))
    assert first != Score(2.0, 1.0, float("nan"), 3) and first != Score(2.0, float("nan"), float("nan"), 4)
    assert first != 2.0
