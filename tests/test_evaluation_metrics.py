import numpy as np
import pytest
from skimage.metrics import structural_similarity

from evaluation_cases import cloud, noisy, sequence
from tempogan_eddy.evaluation import Settings, evaluate, metrics
from tempogan_eddy.evaluation.bootstrap import block_sums, difference, score
from tempogan_eddy.evaluation.frames import Frame, Pair, cloud_fraction
from tempogan_eddy.evaluation.mask import Mask
from tempogan_eddy.evaluation.statistics import consistency_statistics, frame_statistics, pair_statistics

PERFECT = {
    "rmse": 0,
    "mae": 0,
    "bias": 0,
    "cold_rmse": 0,
    "psnr": np.inf,
    "ssim": 1,
    "lsd": 0,
    "detail_energy": 0,
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
    statistics = frame_statistics(Frame(reconstructed, mask), Frame(truth, mask), 4, settings)
    blocks = block_sums([statistics], [0])
    return {metric.name: score(metric, blocks, settings).value for metric in metrics(settings)}


@pytest.mark.parametrize("missing", [0, 0.25])
def test_a_perfect_reconstruction_has_perfect_scores(missing):
    truth = sequence()
    if missing:
        rows = int(missing * truth.sizes["y"])
        truth[:, :rows] = np.nan
    scores = values(evaluate(truth, truth.assign_attrs(scale=4)))
    assert scores.keys() == PERFECT.keys()
    for name, expected in PERFECT.items():
        assert scores[name] == pytest.approx(expected, abs=1e-4), name


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
    fractions = cloud_fraction(field, valid, 241, 5)
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
    a, b = (cloud_fraction(field, every, 241, 5)[2:-2, 2:-2] for field in (ours, truth))
    assert 1 - ((a - b) ** 2).sum() / (a**2 + b**2).sum() == pytest.approx(float(expected))


def test_flow_difference_finds_a_wrong_motion():
    still, mask = cloud((128, 128)), Mask(np.ones((128, 128), bool))
    moved = np.roll(still, 3, axis=1)

    def pair(earlier, later):
        return Pair(Frame(earlier, mask), Frame(later, mask), mask)

    statistics = pair_statistics(pair(still, still), pair(still, moved))
    assert statistics["flow_difference"] / statistics["flow_pixels"] == pytest.approx(3, abs=0.5)
    right = pair_statistics(pair(still + 1, moved + 1), pair(still, moved))
    assert right["flow_difference"] / right["flow_pixels"] < 0.2


def test_flow_near_missing_pixels_is_not_counted():
    valid = np.ones((96, 96), bool)
    valid[40:44, 40:44] = False
    mask = Mask(valid)
    pair = Pair(Frame(cloud(), mask), Frame(cloud(), mask), mask)
    assert pair_statistics(pair, pair)["flow_pixels"] == 96**2 - (4 + 14) ** 2


def test_consistency_counts_whole_blocks_only():
    lowres = np.full((4, 4), 250.0, np.float32)
    fine = np.repeat(np.repeat(lowres, 4, 0), 4, 1)
    fine[0, 0] = np.nan
    fine[4:8, 4:8] += 0.5
    statistics = consistency_statistics(fine, lowres, 4)
    assert statistics["consistency_max"] == pytest.approx(0.5)
    assert statistics["consistency_squared"] == pytest.approx(0.25)
    assert statistics["consistency_pixels"] == 15


def test_an_interval_holds_the_value_and_widens_with_the_spread():
    truth = sequence(frames=60)
    steady = evaluate(truth[:, :48, :48], noisy(truth[:, :48, :48]), baselines=False)
    for name, result in steady.scores["reconstructed"].items():
        if np.isfinite(result.low):
            assert result.low <= result.value <= result.high, name
    rmse = steady.scores["reconstructed"]["rmse"]
    assert 0 < rmse.high - rmse.low < 0.1


def test_an_interval_of_constant_statistics_is_a_point():
    metric = metrics()[0]
    blocks = block_sums([{"squared_error": 8.0, "pixels": 2.0}] * 12, np.arange(12) // 3)
    result = score(metric, blocks)
    assert (result.value, result.low, result.high) == pytest.approx((2, 2, 2))


def test_the_interval_of_a_difference_is_paired():
    rng = np.random.default_rng(0)
    hard = rng.uniform(1, 100, 40)
    ours, theirs = (block_sums([{"squared_error": f * h, "pixels": 1.0} for h in hard], range(40)) for f in (0.8, 1.0))
    rmse = metrics()[0]
    assert score(rmse, ours).high > score(rmse, theirs).low  # apart, the intervals overlap
    assert difference(rmse, ours, theirs).high < 0


def test_one_block_has_no_interval():
    result = score(metrics()[0], block_sums([{"squared_error": 8.0, "pixels": 2.0}], [0]))
    assert result.value == 2
    assert np.isnan([result.low, result.high]).all()


def test_the_bootstrap_is_repeatable():
    truth = sequence(frames=24)[:, :48, :48]
    first, second = (evaluate(truth, noisy(truth), baselines=False) for _ in range(2))
    assert first.scores["reconstructed"]["lsd"] == second.scores["reconstructed"]["lsd"]
