"""The distortion-spectrum bound, on Gaussian fields whose limits are known."""

import logging

import numpy as np
import pytest
import xarray as xr

from evaluation_cases import noisy, sequence
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import combine, evaluate
from tempogan_eddy.evaluation.report import as_dict, caption

SIDE, NYQUIST, FRAMES = 128, 16, 12
METRICS = ["rmse", "least_rmse", "excess", "efficiency"]

WAVENUMBER = SIDE * np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
POWER = 1 / (1 + WAVENUMBER) ** 3  # of the truth
KNOWN = 1 / (1 + (WAVENUMBER / 20) ** 2)  # share that the regression explains


def fields(power, seed, frames=FRAMES):
    """Gaussian fields (time, y, x) of a power spectrum."""
    noise = np.random.default_rng(seed).normal(size=(frames, SIDE, SIDE))
    return np.fft.irfft2(np.fft.rfft2(noise) * np.sqrt(power), s=(SIDE, SIDE))


def filtered(values, gain):
    return np.fft.irfft2(np.fft.rfft2(values) * gain, s=values.shape[1:])


def as_frames(values):
    times = np.datetime64("2007-10-01T00", "ns") + np.arange(len(values)) * np.timedelta64(1, "h")
    attrs = {"units": "K", "sequence": "gauss", "scale": 4}
    return xr.DataArray((250 + 20 * values).astype(np.float32), {"time": times}, ("time", "y", "x"), attrs=attrs)


@pytest.fixture(scope="module")
def limits():
    """Scores of three estimates of a truth whose conditional mean is known."""
    regression = fields(POWER * KNOWN, 0)
    truth, sample = (regression + fields(POWER * (1 - KNOWN), seed) for seed in (1, 2))
    methods = {
        "regression": regression,
        "gain": filtered(regression, KNOWN**-0.5),
        "sample": sample,
        "noisy": truth + fields(POWER * (1 - KNOWN) / 2, 3),
    }
    methods = {name: as_frames(values) for name, values in methods.items()}
    truth = as_frames(truth)
    return evaluate(truth, methods, baselines=False, regression="regression", metrics=METRICS)


def of_rings(spectrum):
    """Sum over the modes of the plane up to the Nyquist wavenumber, of all and of those above the lowres Nyquist."""
    weight = np.where((np.arange(SIDE // 2 + 1) % (SIDE // 2)) == 0, 1, 2) * (np.rint(WAVENUMBER) <= SIDE // 2)
    return (spectrum * weight).sum(), (spectrum * weight)[np.rint(WAVENUMBER) > NYQUIST].sum()


@pytest.mark.parametrize("method", ["regression", "gain"])
def test_a_linear_gain_on_the_regression_lies_on_the_bound(limits, method):
    scores = limits.scores[method]
    assert scores["excess"].value == pytest.approx(0, abs=0.1)
    assert scores["efficiency"].value == pytest.approx(1, abs=0.01)
    assert scores["least_rmse"].value == pytest.approx(scores["rmse"].value, rel=1e-3)


def test_a_sample_of_the_posterior_has_the_efficiency_of_theory(limits):
    in_common, most = of_rings(POWER * KNOWN), of_rings(POWER * np.sqrt(KNOWN))
    power = of_rings(POWER)[0]
    scores = limits.scores["sample"]
    assert scores["efficiency"].value == pytest.approx(in_common[1] / most[1], abs=0.015)
    expected = 100 * (np.sqrt((power - in_common[0]) / (power - most[0])) - 1)
    assert expected > 10
    assert scores["excess"].value == pytest.approx(expected, abs=0.5)


def test_a_reconstruction_that_knows_more_than_the_regression_lies_below_its_bound(limits):
    scores = limits.scores["noisy"]
    assert scores["efficiency"].value > 1 and scores["least_rmse"].value > scores["rmse"].value


def test_the_limit_is_relative_to_faithful_which_is_computed_or_taken(monkeypatch):
    truth, metrics = sequence(frames=2), ["excess", "rmse"]
    ours, lowres = noisy(truth), SensorModel("area", 4).coarsen(truth).load()
    from tempogan_eddy import reconstruct

    faithful = reconstruct(lowres, "faithful", precision="fp32").load()
    computed = evaluate(truth, ours, lowres, metrics=metrics)
    assert computed.regression == "faithful" and "faithful" not in computed.scores
    monkeypatch.setattr("tempogan_eddy.evaluation.regression._model", None)  # it must not be computed again
    taken = evaluate(truth, {"ours": ours, "faithful": faithful}, lowres, metrics=metrics)
    for metric in metrics:
        assert taken.scores["ours"][metric].value == pytest.approx(
            computed.scores["reconstructed"][metric].value, rel=1e-4
        )
    assert "relative to faithful" in caption(taken) and as_dict(taken)["regression"] == "faithful"


def test_at_another_scale_the_limit_is_relative_to_the_wiener_filter(caplog):
    truth = sequence(frames=2)
    ours = noisy(truth).assign_attrs(scale=2)
    with caplog.at_level(logging.INFO, "tempogan_eddy"):
        found = evaluate(truth, ours, metrics=["excess"])
    assert found.regression == "Wiener filter" and "relative to the Wiener filter" in caplog.text
    assert found.scores["Wiener filter"]["excess"].value == pytest.approx(0, abs=0.01)
    assert (
        evaluate(truth, ours, metrics=["excess"], baselines=False).scores["reconstructed"]
        == (found.scores["reconstructed"])
    )
    with pytest.raises(InputError, match="has the scale 2, but the model faithful 4"):
        evaluate(truth, ours, metrics=["excess"], regression="faithful")
    with pytest.raises(InputError, match="does not exist"):
        evaluate(truth, ours, metrics=["excess"], regression="faithfull")


def test_storms_of_several_shapes_have_one_limit():
    storms = [sequence(frames=2), sequence(frames=3, shape=(160, 200), name="200718")]
    options = {"metrics": ["excess", "efficiency"], "baselines": False, "regression": "bicubic"}
    found = [evaluate(truth, noisy(truth), **options) for truth in storms]
    pooled = combine(found).scores["reconstructed"]["excess"].value
    parts = sorted(one.scores["reconstructed"]["excess"].value for one in found)
    assert parts[0] < pooled < parts[1]


def test_without_a_metric_that_needs_it_no_regression_is_computed(monkeypatch):
    monkeypatch.setattr("tempogan_eddy.evaluation.regression._model", None)
    truth = sequence(frames=2)
    assert evaluate(truth, noisy(truth), metrics=["rmse"]).regression == ""
