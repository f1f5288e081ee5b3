"""The price of frames without traces of the lowres grid."""

import numpy as np
import pytest

from experiments.sensors import SCALE
from experiments.stationary_bound import SIDE, alias_vectors, cost_of_independence

MODES = SCALE * SCALE


def random(*shape, seed=0):
    real, imaginary = np.random.default_rng(seed).standard_normal((2, *shape))
    return (real + 1j * imaginary) / np.sqrt(2)


def test_modes_that_are_independent_anyway_cost_nothing():
    regression = random(4, MODES, 20000)
    truth = regression + random(4, MODES, 20000, seed=1)
    assert cost_of_independence(truth, regression) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("known", [0.2, 0.5])
def test_modes_that_the_regression_draws_together_cost_what_theory_says(known):
    """With K = k 11^T and S = I the traces of the roots are (k M)^1/2 and M k^1/2."""
    shared = np.sqrt(known) * random(4, 1, 40000) * np.ones((1, MODES, 1))
    truth = shared + np.sqrt(1 - known) * random(4, MODES, 40000, seed=1)
    expected = np.sqrt((MODES - np.sqrt(known * MODES)) / (MODES - MODES * np.sqrt(known)))
    assert cost_of_independence(truth, shared) == pytest.approx(100 * (expected - 1), rel=0.03)


def test_a_vector_holds_the_modes_that_alias_to_one():
    """A wave, and one a lowres sampling wavenumber shorter, are in one vector, at different places."""
    low, place = SIDE // SCALE, np.arange(SIDE) / SIDE
    found = []
    for wavenumber in (3, 3 + low):
        wave = np.cos(2 * np.pi * wavenumber * place)[None] * np.ones((SIDE, 1))
        energy = (np.abs(alias_vectors(wave)) ** 2).sum(-1).reshape(low, low, MODES)
        found.append(np.unravel_index(energy[:, : low // 2].argmax(), (low, low // 2, MODES)))
    assert found[0][:2] == found[1][:2] == (0, 3)
    assert found[0][2] != found[1][2]
