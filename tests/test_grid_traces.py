"""Traces of the lowres grid: what no radial spectrum sees."""

import numpy as np
import pytest
import torch

from evaluation_cases import cloud
from tempogan_eddy.config import load_config
from tempogan_eddy.evaluation import MaskedFrame
from tempogan_eddy.evaluation.baselines import bicubic, nearest
from tempogan_eddy.evaluation.masked import Mask
from tempogan_eddy.evaluation.texture import GridTraces, grid_traces
from tempogan_eddy.grid_traces import MARGIN, count_halves, moments_by_place
from tempogan_eddy.model.traces import trace_loss

SCALES = (2, 3, 4, 8)


def score(ours, truth, scale=4, valid=None):
    """The traces of a frame, %."""
    mask = Mask(np.ones(truth.shape, bool) if valid is None else valid)
    ours, truth = MaskedFrame(ours, mask, scale=scale), MaskedFrame(truth, mask, scale=scale)
    means = [GridTraces(half).compute(ours, truth) for half in (0, 1)]
    assert all(mean.weight > 0 for mean in means)
    return grid_traces(*((mean.total / mean.weight)[None] for mean in means)).item()


def scene(scale, seed=0, blocks=40):
    """A frame with texture at all scales, kelvin."""
    noise = np.random.default_rng(seed).standard_normal((blocks * scale, (blocks + 4) * scale))
    return 250 + noise + noise.cumsum(0).cumsum(1) / 50


def tiled(pattern, shape):
    rows, columns = (length // side for length, side in zip(shape, pattern.shape, strict=True))
    return np.tile(pattern, (rows, columns))


@pytest.mark.parametrize("scale", SCALES)
def test_tensors_and_arrays_have_the_same_moments(scale):
    frames = np.stack([scene(scale, seed) for seed in range(2)])
    counted = np.random.default_rng(0).random([length // scale - 2 * MARGIN for length in frames.shape[1:]]) < 0.5
    for chosen in (None, counted):
        moments = moments_by_place(frames, scale, 0.05, chosen)
        assert moments.shape == (2, 2 + 4 * (scale // 2), scale, scale)
        np.testing.assert_allclose(
            moments_by_place(torch.from_numpy(frames), scale, 0.05, chosen).numpy(), moments, rtol=1e-9, atol=1e-9
        )
        elsewhere = moments_by_place(torch.empty(frames.shape, device="meta"), scale, 0.05, chosen)
        assert elsewhere.device.type == "meta" and elsewhere.shape == moments.shape
        summed = sum(moments_by_place(frame, scale, 0.05, chosen) for frame in frames)
        np.testing.assert_allclose(summed, moments, rtol=1e-9, atol=1e-9)


def test_each_block_counts_in_one_half():
    frame, inner = scene(4, blocks=12), (8, 12)
    everything = moments_by_place(frame, 4, 0.05)
    parts = []
    for block in np.ndindex(inner):
        counted = np.zeros(inner, bool)
        counted[block] = True
        part = moments_by_place(frame, 4, 0.05, counted)
        black = sum(block) % 2
        assert not part[1 - black].any()
        assert count_halves(counted)[black] == 1
        assert count_halves(counted)[1 - black] == 0
        parts.append(part)
    np.testing.assert_allclose(sum(parts), everything, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_a_turned_frame_has_the_same(scale):
    truth, ours = scene(scale), scene(scale, seed=1)
    found = score(ours, truth, scale)
    assert score(ours[::-1], truth[::-1], scale) == pytest.approx(found, rel=1e-9)
    assert score(ours[:, ::-1], truth[:, ::-1], scale) == pytest.approx(found, rel=1e-9)
    assert score(ours.T, truth.T, scale) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_the_truth_has_none_and_a_scene_of_its_kind_is_not_called_worse_by_chance(scale):
    truth = scene(scale)
    assert score(truth, truth, scale) == 0
    squares = [score(scene(scale, seed), truth, scale) ** 2 for seed in range(1, 9)]
    assert np.mean(squares) < 3**2


@pytest.mark.parametrize("scale", SCALES)
def test_any_pattern_that_repeats_with_each_lowres_pixel_shows(scale):
    rng, truth = np.random.default_rng(1), scene(scale)
    chance = score(scene(scale, seed=1), truth, scale)
    for _ in range(10):
        pattern = rng.standard_normal((scale, scale))
        pattern = (pattern - pattern.mean()) / pattern.std()  # the projection would take the mean away
        assert score(truth + tiled(pattern, truth.shape), truth, scale) > 10 > 2 * chance


def test_a_pattern_whose_sign_changes_from_pixel_to_pixel_shows_too():
    truth, rng = scene(4), np.random.default_rng(2)
    signs = nearest(rng.choice([-1.0, 1.0], (40, 44)), 4)
    for pattern in ([1.0, -1, -1, 1], [1.0, 1, -1, -1], [1.0, 0, -1, 0]):
        for turned in (np.tile(pattern, (4, 1)), np.tile(pattern, (4, 1)).T):
            assert score(truth + signs * tiled(turned, truth.shape), truth) > 10


def test_interpolation_leaves_traces_that_grow_with_its_steps():
    truth = cloud(seed=1, shape=(192, 192), slope=-1.5)
    lowres = truth.reshape(48, 4, 48, 4).mean((1, 3))
    smooth, steps = (score(method(lowres, 4), truth) for method in (bicubic, nearest))
    assert 5 < smooth < steps


def test_calm_and_rough_areas_count_alike():
    truth, pattern = scene(4), np.random.default_rng(3).standard_normal((4, 4))
    strength = np.linspace(0.5, 20, truth.shape[1])
    rough = 250 + (truth - 250) * strength
    even = score(truth + tiled(pattern, truth.shape), truth)
    assert score(rough + tiled(pattern, truth.shape) * strength, rough) == pytest.approx(even, rel=0.1)


def test_what_is_fainter_than_anyone_would_see_counts_for_nothing():
    flat, pattern = np.full((96, 96), 250.0), np.tile([[1.0, -1], [-1, 1]], (48, 48))
    assert score(flat + 1e-3 * pattern, flat) < 1
    assert score(flat + pattern, flat) > 20


def test_missing_pixels_change_only_what_lies_near_them():
    truth, pattern = scene(4), np.random.default_rng(4).standard_normal((4, 4))
    ours = truth + tiled(pattern, truth.shape)
    valid = np.ones(truth.shape, bool)
    valid[:, 80:] = False
    masked = score(np.where(valid, ours, np.nan), np.where(valid, truth, np.nan), valid=valid)
    # The two columns of blocks beside the missing ones do not count, as at an edge of a frame.
    assert masked == pytest.approx(score(ours[:, :80], truth[:, :80]), rel=1e-6)


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (32, 64)])
def test_where_no_lowres_pixel_has_neighbours_nothing_is_counted(shape):
    valid = np.zeros(shape, bool)
    valid[: shape[0] // 2] = True
    mask = Mask(valid)
    frame = MaskedFrame(np.where(valid, 250.0, np.nan), mask)
    for half in (0, 1):
        assert GridTraces(half).compute(frame, frame) is None


def test_the_loss_is_none_for_the_truth_and_falls_along_its_gradient():
    truth = torch.from_numpy(np.stack([scene(4, seed, blocks=16) for seed in range(4)])).float()[:, None] / 100
    assert float(trace_loss(truth, truth, 4)) == 0
    pattern = torch.from_numpy(tiled(np.random.default_rng(5).standard_normal((4, 4)), truth.shape[-2:])).float() / 100
    drawn = (truth + pattern).requires_grad_()
    loss = trace_loss(drawn, truth, 4)
    loss.backward()
    step = drawn.grad / drawn.grad.abs().max() / 1000
    assert loss.item() > 10 * abs(float(trace_loss(truth.roll(1, 0), truth, 4))) > 0
    assert trace_loss(drawn.detach() - step, truth, 4) < loss


@pytest.mark.parametrize("scale", SCALES)
def test_the_smallest_patch_of_a_configuration_has_both_halves(scale):
    side = (2 * MARGIN + 2) * scale
    load_config({"model": {"upsample_factor": scale}, "training": {"patch_size": side, "lambda_traces": 0.1}})
    truth, drawn = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = trace_loss(drawn, truth, scale)
    assert loss.isfinite() and torch.autograd.grad(loss, drawn)[0].isfinite().all()
