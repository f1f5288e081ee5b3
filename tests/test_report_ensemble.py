"""The calibration of an ensemble in the page of an evaluation: right for ensembles whose calibration is known."""

import numpy as np
import pytest
import xarray as xr

from evaluation_cases import SCALE, noisy, sequence
from tempogan_eddy.display.chart import draw_errors, page_axes
from tempogan_eddy.display.ensemble_chart import draw_ranks, draw_reliability, draw_spread
from tempogan_eddy.display.report_page import ReportPage
from tempogan_eddy.display.report_storm import ensemble_charts
from tempogan_eddy.evaluation import Settings, error_by_kelvin, evaluate
from tempogan_eddy.evaluation.ensemble_curves import FEWEST_PIXELS, ensemble_curves
from tempogan_eddy.evaluation.ensembles import Reliability

pytestmark = pytest.mark.usefixtures("small_films")

MEMBERS, FRAMES = 4, 9
KELVIN = 241.0
KNOWN = {"baselines": ["nearest"], "regression": "nearest"}


def ensemble(mean, spread, width=1.0):
    """Members around a mean whose spread is `width` times what a calibrated ensemble has."""
    drawn = [noisy(mean, width * spread, seed=10 + number) for number in range(MEMBERS)]
    return xr.concat(drawn, "member").assign_attrs(scale=SCALE)


@pytest.fixture(scope="module")
def truths():
    """A mean and a truth drawn around it: 4 K on the right, 1 K on the left."""
    mean = sequence(FRAMES)
    spread = np.where(np.arange(mean.sizes["x"]) < 48, 1.0, 4.0)
    return mean, spread, noisy(mean, spread, seed=5).assign_attrs(mean.attrs)


@pytest.fixture(scope="module")
def results(truths):
    mean, spread, truth = truths
    settings = Settings(block="1h", resamples=100)
    return {width: evaluate(truth, ensemble(mean, spread, width), **KNOWN, settings=settings) for width in (1.0, 0.5)}


def values(scores):
    return np.array([score.value for score in scores])


def test_curves_tell_a_calibrated_ensemble_from_one_with_too_little_spread(results):
    good, narrow = (ensemble_curves(results[width], "reconstructed") for width in (1.0, 0.5))
    assert "all" in good.ranks and len(good.ranks["all"]) == MEMBERS + 1
    assert values(good.ranks["all"]) == pytest.approx(np.ones(MEMBERS + 1), abs=0.03)
    assert all(score.low < score.value < score.high for score in good.ranks["all"])
    assert values(narrow.ranks["all"])[[0, -1]].min() > 1.3  # a hollow
    assert values(narrow.spread).mean() < 0.6 * values(narrow.error).mean()
    assert np.mean(values(good.spread) ** 2) == pytest.approx(np.mean(values(good.error) ** 2), rel=0.02)
    seen = values(good.reliability[KELVIN])
    assert seen[0] < 0.1 and seen[-1] > 0.9 and (np.diff(seen) > 0).all()


def test_shares_at_few_pixels_are_not_known(results):
    result = results[1.0]
    total = result.sums.total("reconstructed", Reliability(225.0)).total
    score = ensemble_curves(result, "reconstructed").reliability[225.0]
    assert (np.isnan(values(score)) == (total[0] < FEWEST_PIXELS)).all()


def test_a_single_frame_has_no_curves_and_no_charts(truths, results):
    _, _, truth = truths
    assert ensemble_curves(results[1.0], "nearest") is None
    assert ensemble_charts(evaluate(truth, noisy(truth), **KNOWN)) == []


def test_charts_show_the_curves(results):
    result = results[1.0]
    curves = ensemble_curves(result, "reconstructed")
    ranks, spread, reliability, crps = (page_axes(500, 320) for _ in range(4))
    draw_ranks(ranks, curves.ranks)
    assert [bar.get_height() for bar in ranks.patches] == [score.value for score in curves.ranks["all"]]
    assert {line.get_label() for line in ranks.lines} >= set(curves.ranks) - {"all"}
    draw_spread(spread, curves.spread, curves.error)
    assert np.array_equal(spread.lines[-1].get_xydata(), np.transpose([values(curves.spread), values(curves.error)]))
    draw_reliability(reliability, curves.reliability)
    assert np.array_equal(reliability.lines[-1].get_ydata(), values(curves.reliability[KELVIN]), equal_nan=True)
    bins = error_by_kelvin(result)
    draw_errors(crps, bins, "crps")
    assert (crps.lines[-1].get_ydata() == [part.crps["reconstructed"].value for part in bins]).all()
    shares = np.array([part.share for part in bins])
    assert (shares * crps.lines[-1].get_ydata()).sum() == pytest.approx(
        result.scores["reconstructed"]["crps"].value, rel=1e-3
    )
    assert "CRPS" in crps.get_ylabel() and crps.get_ylim()[0] == 0


def test_the_chart_says_why_three_members_have_no_deciles(truths):
    mean, spread, truth = truths
    result = evaluate(truth, ensemble(mean, spread)[:3], **KNOWN)
    scores, curves = result.scores["reconstructed"], ensemble_curves(result, "reconstructed")
    assert np.isnan(scores["spread_skill_deciles"].value) and scores["spread_skill"].value > 0
    assert curves.spread == curves.error == []
    draw_spread(axes := page_axes(500, 320), curves.spread, curves.error)
    assert [text.get_text() for text in axes.texts] == ["Deciles need four members or more."]
    assert not axes.axison and not axes.lines


def test_the_page_has_the_charts_of_an_ensemble_only(truths, results):
    mean, spread, truth = truths
    members, page = ensemble(mean, spread), ReportPage("evaluate")
    page.add(results[1.0], truth, members, None)
    html = page.html()
    scores = results[1.0].scores["reconstructed"]
    together = (
        f"a CRPS of {scores['crps'].value:.2f} K, {scores['crps_ratio'].value:.2f} times the mean error of nearest"
    )
    assert f"That is an average member; all together have {together}" in html
    assert html.count("Calibration of the ensemble") == 1 and html.count('-ensemble">Ensemble</a>') == 1
    for name in ("Rank histogram", "Spread and error", "Reliability", "CRPS"):
        assert f"<h4>{name}</h4>" in html
    assert html.count('<figure class="film">') == 2
    shown = ", ".join(f"member {number}" for number in range(3))
    assert f'side by side: truth, mean of {len(members)} members, spread, 0 to 12 K, {shown}"' in html
    single = ReportPage("evaluate")
    single.add(evaluate(truth, members[0], **KNOWN), truth, members[0], None)
    assert single.html().count('<figure class="film">') == 1
    assert (
        "average member" not in single.html()
        and "Calibration of the ensemble" not in single.html()
        and "-ensemble" not in single.html()
    )
