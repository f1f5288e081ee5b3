"""What only a GPU can show; `make gpu-check` runs these, and every other machine skips them."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from model_cases import detailed_model, kelvin_frames
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.reconstruction import Reconstructor
from tempogan_eddy.stored import read_checkpoint
from tempogan_eddy.training.trainer import TempoGANTrainer
from training_cases import recorded, small_config, write_storms

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


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


def weights(config, epoch):
    """The weights of the generator after an epoch."""
    return read_checkpoint(f"{config.training.checkpoint_dir}/checkpoint_epoch_{epoch}.pth")["generator"]


def losses_of(scalars):
    """The tags of losses; the norms of gradients differ more between devices."""
    return [tag for tag in scalars if tag.startswith("loss/") and "gradient" not in tag]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_resumed_training_equals_straight_training(tmp_path, storms, precision):
    ends = []
    for name, stops in (("straight", [4]), ("resumed", [2, 4])):
        for epochs in stops:
            config = small_config(tmp_path / name, storms, device="cuda", precision=precision, epochs=epochs)
            TempoGANTrainer(config).train("auto")
        ends.append(weights(config, 4))
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]), name


def test_the_losses_are_those_of_the_cpu(tmp_path, storms):
    losses = []
    for device in ("cuda", "cpu"):
        config = small_config(tmp_path / device, storms, device=device)
        TempoGANTrainer(config).train()
        losses.append(recorded(config))
    for tag in losses_of(losses[1]):
        assert losses[0][tag] == pytest.approx(losses[1][tag], rel=0.02), tag


@pytest.mark.slow  # compiling takes a minute; `make gpu-check BENCH=--compiled`
@pytest.mark.parametrize("accumulate", [1, 2])
def test_cuda_graphs_change_no_loss(tmp_path, storms, accumulate):
    losses = []
    for on in (True, False):
        options = {"compile": on, "accumulate": accumulate, "steps_per_epoch": 5, "lambda_feature": 0.1}
        config = small_config(tmp_path / str(on), storms, device="cuda", **options)
        TempoGANTrainer(config).train()
        losses.append(recorded(config))
    for tag in losses_of(losses[1]):
        assert losses[0][tag] == pytest.approx(losses[1][tag], rel=0.02), tag


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="this machine has fewer than two GPUs")
def test_two_gpus_train_as_one_does(tmp_path, storms):
    configs = {name: small_config(tmp_path / name, storms, device="cuda") for name in ("one", "two")}
    TempoGANTrainer(configs["one"]).train()
    path = tmp_path / "two.json"
    path.write_text(configs["two"].to_json())
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    program = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "tempogan_eddy"]
    command = [sys.executable, *program, "train", "--config", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    one, two = (recorded(config) for config in configs.values())
    for tag in losses_of(one):
        assert two[tag] == pytest.approx(one[tag], rel=0.02), tag
