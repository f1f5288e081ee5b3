"""Scores of ensembles: those of scoringrules, additive, and right for ensembles whose calibration is known."""

import numpy as np
import pytest
import scoringrules
import xarray as xr

from evaluation_cases import cloud, noisy, sequence
from tempogan_eddy import InputError
from tempogan_eddy.evaluation import Aggregation, Block, MaskedFrame, combine, evaluate
from tempogan_eddy.evaluation.bootstrap import score
from tempogan_eddy.evaluation.calibration import by_decile, relative_ranks, spread_skill
from tempogan_eddy.evaluation.ensembles import (
    ColdestInterval,
    Crps,
    CrpsByKelvin,
    OfChange,
    Ranks,
    Reliability,
    SkillBySpread,
    SpreadSkill,
)
from tempogan_eddy.evaluation.masked import Mask, MaskedPair
from tempogan_eddy.evaluation.metrics import choose_metrics, ensemble_metrics
from tempogan_eddy.evaluation.multivariate import PATCH, VARIOGRAM_POWER, EnergyScore, VariogramScore

SIDE, MEMBERS = 64, 5


@pytest.fixture(scope="module")
def drawn():
    """Five members and a truth drawn alike around a mean frame, kelvin: a calibrated ensemble."""
    random = np.random.default_rng(0)
    mean = cloud((SIDE, SIDE))
    spread = 0.5 + 3 * random.random((SIDE, SIDE))
    drawn = (mean + spread * random.normal(size=(MEMBERS + 1, SIDE, SIDE))).astype(np.float32)
    return drawn[1:], drawn[0]


def masked(members, truth, valid=None, lowres=None):
    mask = Mask(np.ones(truth.shape, bool) if valid is None else valid)
    frames = [MaskedFrame(frame, mask, lowres) for frame in (*members, truth)]
    return frames[:-1], frames[-1]


def value(statistic, members, truth, valid=None, lowres=None):
    """The aggregated value of one frame."""
    mean = statistic.compute_members(*masked(members, truth, valid, lowres))
    return mean.total / mean.weight


def test_the_crps_is_that_of_scoringrules(drawn):
    members, truth = drawn
    expected = scoringrules.crps_ensemble(truth, members, m_axis=0, estimator="fair")
    assert value(Crps(), *drawn) == pytest.approx(expected.mean(), rel=1e-5)
    weighted = scoringrules.twcrps_ensemble(truth, members, b=245.0, m_axis=0, estimator="fair")
    assert value(Crps(245.0), *drawn) == pytest.approx(weighted.mean(), rel=1e-5)
    valid = truth > 240
    assert value(Crps(), *drawn, valid) == pytest.approx(expected[valid].mean(), rel=1e-5)
    by_kelvin = CrpsByKelvin().compute_members(*masked(*drawn))
    assert by_kelvin.total.sum() / by_kelvin.weight.sum() == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize("kelvin", [225.0, 241.0])
def test_the_brier_score_is_that_of_scoringrules_less_what_few_members_add(drawn, kelvin):
    members, truth = drawn
    share, seen = (members < kelvin).mean(axis=0), (truth < kelvin).astype(float)
    expected = scoringrules.brier_score(seen, share) - share * (1 - share) / (MEMBERS - 1)
    metric = next(m for m in ensemble_metrics() if m.name == f"brier_{kelvin:g}")
    assert metric.compute(value(Reliability(kelvin), *drawn)[None]) == pytest.approx(expected.mean(), abs=1e-9)


@pytest.mark.parametrize("pool", [1, 2])
def test_the_energy_score_is_that_of_scoringrules(drawn, pool):
    members, truth = drawn

    def patches(frames):
        pooled = frames.reshape(-1, SIDE // pool, pool, SIDE // pool, pool).mean(axis=(2, 4))
        count = SIDE // pool // PATCH
        return pooled.reshape(-1, count, PATCH, count, PATCH).swapaxes(2, 3).reshape(-1, count**2, PATCH**2)

    fair = scoringrules.es_ensemble(patches(truth)[0], patches(members).swapaxes(0, 1), estimator="fair")
    assert value(EnergyScore(pool), *drawn) == pytest.approx(fair.mean() / PATCH, rel=1e-5)
    valid = np.ones(truth.shape, bool)
    valid[3, SIDE // 2 + 5] = False
    there = (SIDE // 2 + 5) // (PATCH * pool)
    assert value(EnergyScore(pool), *drawn, valid) == pytest.approx(np.delete(fair, there).mean() / PATCH, rel=1e-5)


def test_the_variogram_score_is_that_of_scoringrules(drawn):
    members, truth = (frames[..., :8, :8] for frames in drawn)
    row, column = (place.ravel() for place in np.indices((8, 8)))
    apart = np.abs(row[:, None] - row), np.abs(column[:, None] - column)
    lag = np.where((apart[0] == 0) | (apart[1] == 0), apart[0] + apart[1], 0)
    weight = np.where(np.isin(lag, (1, 2, 4)), 1 / np.maximum(lag, 1), 0)
    arguments = truth.reshape(64), members.reshape(MEMBERS, 64), weight
    expected = scoringrules.vs_ensemble(*arguments, p=VARIOGRAM_POWER, estimator="fair")
    assert value(VariogramScore(), members, truth) == pytest.approx(expected / weight.sum(), rel=1e-4)


def test_ranks_are_counted_and_equal_values_count_in_each_order():
    truth = np.full((2, 2), 250.0)
    members = np.array([[[240, 250], [250, 260]], [[260, 260], [250, 270]]], float)
    valid = np.pad(np.ones((2, 2), bool), (0, 2))
    truth, members = (np.pad(frames, [(0, 0)] * (frames.ndim - 2) + [(0, 2)] * 2) for frames in (truth, members))
    assert Ranks().compute_members(*masked(members, truth, valid, truth[:1, :1])).total == pytest.approx(
        np.array([0, 1, 0]) + np.array([1, 1, 0]) / 2 + np.ones(3) / 3 + np.array([1, 0, 0])
    )


def test_a_calibrated_ensemble_is_found_calibrated_and_a_narrow_one_is_not(drawn):
    members, truth = drawn
    metrics = {m.name: m for m in ensemble_metrics()}

    def found(name, ensemble):
        metric = metrics[name]
        values = (value(s, ensemble, truth, lowres=np.zeros((16, 16))) for s in metric.statistics)
        return metric.compute(*(np.asarray(one)[None] for one in values)).item()

    narrow = members.mean(axis=0) + (members - members.mean(axis=0)) / 2
    assert found("spread_skill", members) == pytest.approx(1, abs=0.03)
    assert found("rank_deviation", members) < 0.12
    assert found("spread_skill", narrow) == pytest.approx(0.5, abs=0.02)
    assert found("rank_deviation", narrow) > 0.5
    assert found("crps", narrow) > found("crps", members)


FIELD = 192
STRENGTH = 0.3 * 20 ** np.random.default_rng(3).random((FIELD, FIELD))  # K: 0.3 to 6, each pixel its own


def deciles(members, width=1.0, spread=STRENGTH):
    """Spread and RMSE by decile, K, and their overall ratio, of members beside a truth with the spread STRENGTH."""
    random = np.random.default_rng(4)
    truth = 250 + STRENGTH * random.normal(size=STRENGTH.shape)
    drawn = 250 + width * spread * random.normal(size=(members, FIELD, FIELD))
    overall = spread_skill(value(SpreadSkill(), drawn, truth)[None]).item()
    return *by_decile(value(SkillBySpread(), drawn, truth)[None])[0], overall, drawn, truth


@pytest.mark.parametrize("members", [4, 5, 8, 16])
def test_a_perfect_ensemble_of_few_members_has_as_much_spread_as_error_in_every_decile(members):
    spread, error, overall, *_ = deciles(members)
    assert spread / error == pytest.approx(np.ones(10), abs=0.06)
    assert overall == pytest.approx(1, abs=0.02)


def test_pixels_sorted_by_the_spread_that_is_compared_have_too_little_of_it_where_chance_made_it_small():
    """Why one half of the members sorts the pixels for the other half."""
    *_, drawn, truth = deciles(8)
    variance, error = drawn.var(axis=0, ddof=1).ravel() * 9 / 8, ((drawn.mean(axis=0) - truth) ** 2).ravel()
    tenths = np.array_split(np.argsort(variance), 10)
    ratio = np.array([np.sqrt(variance[tenth].sum() / error[tenth].sum()) for tenth in tenths])
    assert ratio[0] < 0.85 and ratio[-1] > 1.1


def test_half_the_spread_is_seen_in_every_decile():
    spread, error, overall, *_ = deciles(8, 0.5)
    # The mean of half of the members errs by the truth's spread and, a quarter as much in square, by its own.
    expected = 0.5 * np.sqrt((1 + 1 / 4) / (1 + 0.25 / 4))
    assert spread / error == pytest.approx(np.full(10, expected), abs=0.04)
    assert overall == pytest.approx(0.5 * np.sqrt((1 + 1 / 8) / (1 + 0.25 / 8)), abs=0.02)


def test_a_spread_that_does_not_follow_the_error_is_seen_by_decile_though_not_overall():
    perfect, *_ = deciles(8)
    assert perfect[-1] > 5 * perfect[0]
    mean_square = np.sqrt(np.mean(STRENGTH**2))
    spread, _, overall, *_ = deciles(8, spread=np.full_like(STRENGTH, mean_square))
    assert overall == pytest.approx(1, abs=0.03)
    assert spread == pytest.approx(np.full(10, np.sqrt(5 / 4) * mean_square), rel=0.03)  # it tells nothing
    timid = np.sqrt(STRENGTH)
    spread, error, overall, *_ = deciles(8, spread=timid * mean_square / np.sqrt(np.mean(timid**2)))
    assert overall == pytest.approx(1, abs=0.03)
    assert spread[0] > 1.25 * error[0] and spread[-1] < 0.9 * error[-1]


def test_fewer_than_four_members_have_no_deciles_as_half_of_them_has_no_spread(drawn):
    members, truth = drawn
    for count in (1, 2, 3):
        assert SkillBySpread().compute_members(*masked(members[:count], truth)) is None
    assert SkillBySpread().compute_members(*masked(members[:4], truth)).weight == 2 * SIDE**2


@pytest.mark.parametrize("members", [8, 24])
@pytest.mark.parametrize("kind", ["normal", "exponential"])
def test_the_coldest_pixel_of_a_calibrated_ensemble_lies_in_its_90_percent_interval_9_times_of_10(members, kind):
    """The coldest pixel has a skewed distribution, and strength and mean differ from box to box."""
    random, boxes, frames = np.random.default_rng(0), 8, 20
    inside = total = 0.0
    for _ in range(frames):
        fields = np.full((members + 1, boxes * 64, boxes * 64), 260, np.float32)
        strength, mean = random.uniform(0.5, 3, (boxes, boxes)), random.uniform(190, 230, (boxes, boxes))
        fields[:, 20::64, 30::64] = mean - strength * getattr(random, kind)(size=(members + 1, boxes, boxes))
        lowres = np.full((boxes * 16, boxes * 16), 200.0)
        found = ColdestInterval(220.0).compute_members(*masked(fields[1:], fields[0], lowres=lowres))
        inside, total = inside + found.total, total + found.weight
    assert total == boxes**2 * frames
    assert inside / total == pytest.approx(0.9, abs=0.03)  # three standard errors, and what skewness does to the few


@pytest.mark.parametrize(("shift", "factor", "expected"), [(0, 0.5, 0.62), (3, 1, 0.2)])
def test_the_90_percent_interval_of_too_narrow_or_biased_members_holds_less(shift, factor, expected):
    random = np.random.default_rng(1)
    fields = np.full((9, 1024, 1024), 260, np.float32)
    fields[:, ::64, ::64] = 210 + random.normal(size=(9, 16, 16))
    fields[1:, ::64, ::64] = 210 + factor * (fields[1:, ::64, ::64] - 210) - shift
    found = value(ColdestInterval(220.0), fields[1:], fields[0], lowres=np.full((256, 256), 200.0))
    assert found == pytest.approx(expected, abs=0.1)


def test_ranks_are_counted_by_region_of_the_lowres(drawn):
    lowres = np.full((16, 16), 280.0)
    lowres[:, 8:] = 215.0
    shares = {
        region: Ranks(region, 220.0).compute_members(*masked(*drawn, lowres=lowres))
        for region in ("cold", "edge", "calm")
    }
    assert {region: mean.weight / 16 for region, mean in shares.items()} == {"cold": 128, "edge": 32, "calm": 224}
    assert relative_ranks((shares["cold"].total / shares["cold"].weight)[None]).sum() == pytest.approx(MEMBERS + 1)


def ensemble(truth, members):
    return xr.concat([noisy(truth, 2.0, seed) for seed in range(members)], "member", combine_attrs="override")


def test_an_ensemble_is_scored_beside_its_mean_and_what_is_one_frame_has_its_absolute_error_as_crps():
    truth = sequence(frames=2)
    members = ensemble(truth, 4)
    found = evaluate(truth, members)
    names = [metric.name for metric in ensemble_metrics()]
    assert [metric.name for metric in found.metrics][-len(names) :] == names
    ours, bicubic = found.scores["reconstructed"], found.scores["bicubic"]
    assert bicubic["crps"].value == pytest.approx(bicubic["mae"].value)
    assert np.isnan(bicubic["spread_skill"].value) and np.isnan(bicubic["energy_score_1"].value)
    assert ours["crps_ratio"].value == pytest.approx(
        ours["crps"].value / (bicubic["crps"].value / bicubic["crps_ratio"].value)
    )
    assert ours["spread_skill"].value == pytest.approx(np.sqrt(5), abs=0.1)  # its mean errs by 1 K, not by 2.2 K
    plain = evaluate(truth, members.mean("member").assign_attrs(members.attrs)).scores["reconstructed"]
    mean = found.scores["mean of reconstructed"]
    for name in ("rmse", "lsd", "detail_energy", "tof"):
        assert mean[name].value == pytest.approx(plain[name].value, rel=1e-4), name
    assert not {"crps", "mean of reconstructed"} & (set(plain) | set(evaluate(truth, members[:1]).scores))


def test_frames_split_among_workers_give_the_same_scores_of_ensembles(drawn):
    members, truth = drawn
    parts = [Aggregation() for _ in range(3)]
    metrics = choose_metrics([metric.name for metric in ensemble_metrics() if metric.name != "crps_ratio"])
    lowres = np.full((16, 16), 215.0)
    lowres[:, 8:] = 280
    for number in range(6):
        frames = masked(members + number, truth + number // 2, lowres=lowres)
        before = masked(members[::-1], truth.T, lowres=lowres)
        both = zip([*before[0], before[1]], [*frames[0], frames[1]], strict=True)
        pairs = [MaskedPair(earlier, later, later.mask) for earlier, later in both]
        for statistic in dict.fromkeys(s for metric in metrics for s in metric.statistics):
            for sums in (parts[number % 2], parts[2]):
                seen = (pairs[:-1], pairs[-1]) if statistic.pairs else frames
                sums.add(Block("storm", number), "ours", statistic, statistic.compute_members(*seen))
    for metric in metrics:
        together = score(metric, parts[0] + parts[1], "ours")
        assert np.isfinite(together.value), metric.name
        np.testing.assert_allclose(
            together.value, score(metric, parts[2], "ours").value, rtol=1e-9, err_msg=metric.name
        )


def test_time_differences_tell_noise_that_lasts_from_noise_that_does_not():
    """Members that keep their error have differences without spread; those of the truth differ by its new errors."""
    random = np.random.default_rng(2)
    shape = (SIDE, SIDE)
    mask, mean = Mask(np.ones(shape, bool)), cloud(shape)

    def pair(same):
        first = random.normal(size=shape)
        second = same * first + np.sqrt(1 - same**2) * random.normal(size=shape)
        return MaskedPair(MaskedFrame(mean + first, mask), MaskedFrame(mean + 5 + second, mask), mask)

    truth, found = pair(0.5), {}
    for same in (0.0, 0.5, 0.9):
        ensemble = [pair(same) for _ in range(8)]
        for statistic in (Crps(), SpreadSkill()):
            mean_of = OfChange(statistic).compute_members(ensemble, truth)
            found[same, type(statistic)] = np.asarray(mean_of.total / mean_of.weight)
    skill = {same: spread_skill(found[same, SpreadSkill][None]).item() for same in (0.0, 0.5, 0.9)}
    assert skill[0.5] == pytest.approx(1, abs=0.03) and skill[0.9] < 0.6 and skill[0.0] > 1.3
    assert found[0.5, Crps] == pytest.approx(1 / np.sqrt(np.pi), rel=0.03)
    assert found[0.5, Crps] < min(found[0.0, Crps], found[0.9, Crps])


def test_storms_with_different_numbers_of_members_are_not_pooled():
    truth = sequence(frames=2)
    parts = [evaluate(truth, ensemble(truth, count), metrics=["crps", "rank_deviation"]) for count in (3, 4)]
    with pytest.raises(InputError, match="reconstructed with different numbers of members"):
        combine(parts)
    assert combine(parts[:1] * 2).scores["reconstructed"]["crps"].value > 0
