"""What only a GPU can show; `make gpu-check` runs these, and every other machine skips them."""

import numpy as np
import pytest
import torch

from model_cases import detailed_model, kelvin_frames
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.reconstruction import Reconstructor

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU"),
]


@pytest.fixture(scope="module")
def block():
    frames = kelvin_frames(9, 48, 61)[:, 0].numpy()
    frames[1, 4:7, 5:30] = np.nan
    frames[7, ::3] = np.nan
    return frames


def both(block, **options):
    """The block as the GPU and as the CPU reconstruct it; the CPU in float32."""
    ours = Reconstructor(device="cuda", **options)(block)
    return ours, Reconstructor(device="cpu", **{**options, "engine": "torch", "precision": "fp32"})(block)


@pytest.mark.parametrize("tile", [256, 16])
@pytest.mark.parametrize("sensor", [None, SensorModel.parse("gaussian,fwhm=1.2", 4)], ids=str)
def test_fp32_equals_the_cpu(block, tile, sensor):
    ours, theirs = both(block, model="faithful", sensor=sensor, tile=tile, engine="torch", precision="fp32")
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_bf16_is_within_its_bound(block):
    ours, theirs = both(block, model="eddy", engine="torch", precision="bf16")
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.sqrt(np.nanmean((ours - theirs) ** 2)) < 0.05


def test_packed_frames_are_those_of_the_cpu_to_one_step(block):
    ours, theirs = both(block, model=detailed_model(), engine="torch", precision="fp32", packed=True)
    assert ours.dtype == np.int16
    np.testing.assert_array_equal(ours == -32768, theirs == -32768)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_the_compiled_engine_equals_the_plain_one(block):
    ours, theirs = both(block, model=detailed_model(), engine="compiled", precision="fp32")
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_many_batches_in_flight_are_those_of_one(block):
    rebuild = Reconstructor(detailed_model(), device="cuda", engine="torch", precision="fp32")
    whole = rebuild(np.concatenate([block + shift for shift in range(40)]))
    for shift in (0, 17, 39):
        np.testing.assert_allclose(whole[9 * shift : 9 * shift + 9], rebuild(block + np.float32(shift)), atol=2e-3)
