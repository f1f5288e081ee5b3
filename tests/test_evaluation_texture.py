"""What spectra cannot see: extremes, edges and unevenness of the detail."""

import numpy as np
import pytest
from scipy.stats import kurtosis, wasserstein_distance

from evaluation_cases import cloud, sequence
from experiments.quality_methods import sharpened
from tempogan_eddy import coarsen
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.evaluation import MaskedFrame, evaluate
from tempogan_eddy.evaluation.baselines import wiener
from tempogan_eddy.evaluation.masked import Mask
from tempogan_eddy.evaluation.texture import (
    ColdestPixel,
    DetailMoments,
    Gradients,
    detail_correlation,
    detail_kurtosis,
    gradient_distance,
)


def value(statistic, ours, truth, valid=None, lowres=None):
    mask = Mask(np.ones(truth.shape, bool) if valid is None else valid)
    mean = statistic.compute(MaskedFrame(ours, mask), MaskedFrame(truth, mask, lowres))
    return np.array(mean.total / mean.weight)[None]


def detail(frame):
    """The detail (blocks, 16) of a frame."""
    blocks = frame.astype(float).reshape(24, 4, 24, 4).swapaxes(1, 2).reshape(-1, 16)
    return blocks - blocks.mean(axis=1, keepdims=True)


def test_moments_of_the_detail_are_those_of_scipy():
    ours, truth = cloud(seed=1), cloud(seed=1) + cloud(seed=2, slope=-1.0) - 250
    moments = value(DetailMoments(), ours, truth)
    own, true = detail(ours), detail(truth)
    expected = kurtosis(own, axis=None, fisher=False) / kurtosis(true, axis=None, fisher=False)
    assert detail_kurtosis(moments).item() == pytest.approx(expected, rel=1e-4)
    expected = np.corrcoef(own.std(axis=1), true.std(axis=1))[0, 1]
    assert detail_correlation(moments).item() == pytest.approx(expected, abs=1e-4)


def test_the_distance_of_gradients_is_that_of_scipy():
    ours, truth = cloud(seed=1, slope=-4.0), cloud(seed=2)

    def gradients(frame):
        return np.abs(np.concatenate([np.diff(frame, axis=1).ravel(), np.diff(frame, axis=0).ravel()]))

    expected = wasserstein_distance(gradients(ours), gradients(truth))
    assert gradient_distance(value(Gradients(), ours, truth)).item() == pytest.approx(expected, rel=0.01)


def test_the_coldest_pixel_counts_in_boxes_that_the_lowres_sees_as_cold():
    truth = np.full((128, 128), 280, np.float32)
    truth[10, 10], truth[100, 100] = 200, 190
    ours = truth.copy()
    ours[10, 10], ours[30, 30] = 205, 203
    lowres = np.full((32, 32), 280.0)
    lowres[2, 2] = 215
    assert value(ColdestPixel(220), ours, truth, lowres=lowres) == 3
    valid = np.ones(truth.shape, bool)
    valid[30, 30] = False
    assert value(ColdestPixel(220), ours, truth, valid, lowres) == 5


def test_a_gain_by_wavenumber_has_the_right_spectrum_and_the_wrong_texture():
    smooth = sequence(frames=3, shape=(128, 128))
    # Cloud tops with sharp edges over a smooth sea: their detail is at the edges only.
    truth = smooth.copy(
        data=np.where(smooth > 250, 290 + (smooth - 250) / 8, 210 + (smooth - 250) / 2).astype(np.float32)
    )
    sensor = SensorModel("area", 4)
    lowres = coarsen(truth, 4).load()
    regression = truth.copy(data=np.stack([wiener(frame, sensor) for frame in lowres.values]))
    found = evaluate(
        truth,
        {"sharpened": sharpened(regression, truth, lowres, sensor), "regression": regression},
        lowres,
        baselines=False,
        regression="regression",
        metrics=["lsd", "excess", "gradient_distance", "coldest_bias", "detail_kurtosis", "detail_correlation"],
    ).scores["sharpened"]
    assert found["lsd"].value < 4
    assert found["excess"].value < 5
    assert found["coldest_bias"].value < -5
    assert not 0.9 < found["detail_kurtosis"].value < 1.1
    assert found["gradient_distance"].value > 0.5
