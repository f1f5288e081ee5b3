"""A ratio of 3, which is odd: blocks have a central pixel, and grids are no powers of two."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from evaluation_cases import cloud
from model_cases import detailed_model
from tempogan_eddy import coarsen, evaluate, load_model, open_sequence, reconstruct
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation.baselines import back_projected, bicubic, nearest
from tempogan_eddy.export import export_model
from tempogan_eddy.model.tempogan import upsample
from tempogan_eddy.training.trainer import TempoGANTrainer
from training_cases import moving_clouds, small_config, write_storms

KINDS = ["area", "bicubic", "box,width=1.6", "box,width=0.5", "gaussian,fwhm=1.0", "nearest"]


def ramp(height, width):
    """A frame that grows by 2 K a row and by 1 K a column."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return torch.from_numpy(250 + 2 * y + x)


@pytest.mark.parametrize("text", KINDS)
def test_every_sensor_samples_the_central_pixel_of_a_block(text):
    seen = SensorModel.parse(text, 3).see(ramp(24, 30))
    torch.testing.assert_close(seen[2:-2, 2:-2], ramp(24, 30)[1::3, 1::3][2:-2, 2:-2], atol=1e-3, rtol=0)


def test_the_grid_of_a_coarsened_sequence_is_that_of_the_central_pixels():
    sequence = moving_clouds(frames=2, size=50)  # two rows and columns fill no block
    lowres = coarsen(sequence, 3)
    assert lowres.shape == (2, 16, 16)
    np.testing.assert_allclose(lowres["lat"], sequence["lat"][1:48:3])
    np.testing.assert_allclose(lowres["lon"], sequence["lon"][1:48:3])
    blocks = sequence.values[:, :48, :48].reshape(2, 16, 3, 16, 3)
    np.testing.assert_allclose(lowres.values, blocks.mean((2, 4)), atol=1e-3)
    np.testing.assert_array_equal(
        coarsen(sequence, 3, sensor="nearest").values, sequence.values[:, 1:48:3, 1:48:3].astype(np.float32)
    )


def test_interpolation_keeps_the_central_pixels():
    lowres = torch.from_numpy(cloud((12, 15)))
    fine = torch.from_numpy(bicubic(lowres.numpy(), 3))
    torch.testing.assert_close(upsample(lowres[None, None], 3)[0, 0], fine, atol=2e-3, rtol=0)
    torch.testing.assert_close(fine[1::3, 1::3], lowres, atol=1e-3, rtol=0)
    assert (nearest(lowres.numpy(), 3)[1::3, 1::3] == lowres.numpy()).all()
    kept = functional.avg_pool2d(torch.from_numpy(back_projected(lowres.numpy(), SensorModel("area", 3)))[None], 3)[0]
    torch.testing.assert_close(kept, lowres, atol=1e-3, rtol=0)


@pytest.mark.parametrize("text", KINDS)
def test_the_projection_holds(text):
    sensor = SensorModel.parse(text, 3)
    generator = torch.Generator().manual_seed(0)
    highres = 250 + 20 * torch.randn(2, 27, 33, generator=generator)
    measured = 250 + 10 * torch.randn(2, 9, 11, generator=generator)
    torch.testing.assert_close(sensor.see(sensor.project(highres, measured)), measured, atol=2e-3, rtol=0)


def test_tiles_have_no_seams():
    lowres = coarsen(moving_clouds(frames=1, size=96), 3)
    whole, tiled = (reconstruct(lowres, detailed_model(3), tile=size).values for size in (1000, 13))
    assert np.abs(whole - tiled).max() < 0.01


@pytest.mark.parametrize(("scale", "said"), [(5, "not 5; regrid one of the archives"), (1.5, "not 1.5"), (6, "not 6")])
def test_other_ratios_are_refused_with_what_to_do(scale, said):
    with pytest.raises(InputError, match=said):
        load_config({"model": {"upsample_factor": scale}})


def test_a_patch_that_does_not_fit_is_refused_with_those_that_do():
    assert load_config({"model": {"upsample_factor": 3}}).training.patch_size == 66
    assert load_config().training.patch_size == 64
    with pytest.raises(InputError, match="patch_size 64 must be a multiple of upsample_factor 3; use 63 or 66"):
        load_config({"model": {"upsample_factor": 3}, "training": {"patch_size": 64}})


def test_a_model_is_trained_exported_and_used(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    data = write_storms(tmp_path / "storms", size=50, frames=4)
    config = small_config(tmp_path, data, patch_size=24, epochs=1, steps_per_epoch=1)
    config.model.upsample_factor = 3
    result = TempoGANTrainer(config).train()
    model = load_model(result.best_model)
    assert model.scale == 3

    truth = open_sequence(data / "storm1.nc")
    lowres = coarsen(truth, 3)
    highres = reconstruct(lowres, model)
    assert highres.shape == (4, 48, 48)
    np.testing.assert_allclose(highres["lat"], truth["lat"][:48], atol=1e-6)
    np.testing.assert_allclose(coarsen(highres, 3).values, lowres.values, atol=0.01)
    scores = evaluate(truth.isel(y=slice(48), x=slice(48)), highres, lowres)
    assert scores.scale == 3

    export_model(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (computed,) = session.run(None, {"lowres": lowres.values[:1, None].astype(np.float32)})
    np.testing.assert_allclose(computed[0, 0], highres.values[0], atol=0.02)
