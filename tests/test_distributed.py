"""Two processes on the CPU train as one does: the same losses, samples shared, one writer, restart and interruption."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tempogan_eddy.config import load_config
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import save_sequence
from tempogan_eddy.stored import read_checkpoint
from tempogan_eddy.training.ensemble import EnsembleTrainer
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.weights import Model, build_generator, save_model
from training_cases import moving_clouds, recorded, small_config

pytestmark = pytest.mark.slow

ADVERSARIAL = {
    "batch_size": 4, "epochs": 2, "steps_per_epoch": 2, "pretrain_epochs": 1, "lambda_feature": 0.1,
    "lambda_spectral": 1e-3, "validation_frames": 3, "grad_clip": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    """Storms some of whose frames miss pixels, so that the processes see unequally many."""
    folder = tmp_path_factory.mktemp("storms") / "data"
    for number in range(2):
        clouds = moving_clouds(seed=number, name=f"storm{number}", start=f"200{number}-08-01")
        clouds[number::3, 5:17, 8:30] = np.nan
        save_sequence(clouds, folder / f"storm{number}.nc")
    return folder


def torchrun(*words):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    options = ["--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    program = Path(__file__).with_name("distributed_run.py")
    command = [sys.executable, "-m", "torch.distributed.run", *options, program, *words]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, timeout=300)


def changed(config, **sections):
    """The same configuration with some settings of some sections changed."""
    values = config.model_dump()
    for section, settings in sections.items():
        values[section] |= settings
    return load_config(values)


def train(config, resume=None):
    trainer = (EnsembleTrainer if config.model.textures else TempoGANTrainer)(config)
    trainer.train(resume)
    return trainer


@pytest.fixture(scope="module")
def mean(storms, tmp_path_factory):
    """An untrained generator that adapts to the sensor."""
    config = changed(small_config(tmp_path_factory.mktemp("mean"), storms), model={"conditioned": True})
    path = Path(config.training.checkpoint_dir).with_suffix(".safetensors")
    save_model(path, Model.from_config(build_generator(config), config, "untrained"))
    return path


def configurations(folder, storms, mean):
    """An adversarial training, that of an ensemble, and the second epoch of one that another number began."""
    plain = {
        name: small_config(folder / name, storms, **ADVERSARIAL) for name in ("adversarial", "ensemble", "resumed")
    }
    around = {"pretrain_epochs": 0, "score": "crps", "lambda_adv_s": 0.3, "lambda_adv_t": 0, "lambda_feature": 0}
    around |= {"lambda_spectral": 0.3, "start_from": str(mean), "warm_up": 1, "grad_clip": 0}
    ensemble = changed(plain["ensemble"], model={"conditioned": True, "textures": 4}, training=around)
    return plain | {"ensemble": ensemble}


@pytest.fixture(scope="module")
def runs(storms, mean, tmp_path_factory):
    """The trainings of two processes and of one, by name, and what torchrun printed.

    One start serves all tests, because it takes longer than what they train.
    """
    two, one = (configurations(tmp_path_factory.mktemp(name), storms, mean) for name in ("two", "one"))
    folder = Path(two["adversarial"].training.log_dir).parents[1]
    train(changed(two["resumed"], training={"epochs": 1}))
    for name, config in two.items():
        own_store = changed(config, data={"cache_dir": str(folder / "cache")})
        (folder / f"{name}.json").write_text(own_store.to_json())
    failing = folder / "failing" / "config.json"
    failing.parent.mkdir()
    failing.write_text(small_config(failing.parent, storms, **ADVERSARIAL | {"epochs": 3}).to_json())
    done = torchrun(folder, failing)
    assert done.returncode == 0, done.stderr
    for name in ("adversarial", "ensemble"):
        train(one[name])
    return two, one, done


def notes(runs, name):
    """What both processes noted, by rank."""
    folder = Path(runs[0]["adversarial"].training.log_dir).parents[1]
    return [json.loads((folder / f"seen-{rank}").read_text())[name] for rank in (0, 1)]


def state(config, epoch=2):
    return read_checkpoint(Path(config.training.checkpoint_dir) / f"checkpoint_epoch_{epoch}.pth")


def assert_alike(ours, theirs):
    for network in ("generator", "spatial_discriminator", "temporal_discriminator", "ema"):
        for name, value in theirs[network].items():
            torch.testing.assert_close(ours[network][name], value, rtol=1e-3, atol=2e-5, msg=f"{network} {name}")


@pytest.mark.parametrize("name", ["adversarial", "ensemble"])
def test_losses_and_scores_equal_those_of_one_process(runs, name):
    two, one = (recorded(configs[name]) for configs in runs[:2])
    assert two.keys() == one.keys()
    assert len(two["loss/d_spatial"]) >= 2
    for tag, values in one.items():
        assert two[tag] == pytest.approx(values, rel=2e-3, abs=1e-5), tag


def test_the_processes_share_the_samples_of_each_batch(runs):
    first, second = notes(runs, "adversarial")
    assert first == [[0, 2], [4, 6], [8, 10], [12, 14]]
    assert second == [[1, 3], [5, 7], [9, 11], [13, 15]]


def test_one_process_packs_and_writes(runs):
    assert notes(runs, "packed") == [1, 0]
    assert len(list(Path(runs[0]["adversarial"].training.log_dir).iterdir())) == 1


def test_a_run_goes_on_with_another_number_of_processes(runs, storms, tmp_path):
    two, one, _ = runs
    whole = state(one["adversarial"])
    assert_alike(state(two["resumed"]), whole)  # from one process to two
    first_epoch = Path(two["adversarial"].training.checkpoint_dir) / "checkpoint_epoch_1.pth"
    config = small_config(tmp_path, storms, **ADVERSARIAL)
    train(config, first_epoch)
    assert_alike(state(config), whole)


def test_a_killed_process_is_restarted_and_a_signal_to_one_ends_both(runs):
    two, _, done = runs
    assert "Another process of the run has ended" in done.stderr
    assert "Resuming after step 2" in done.stderr
    assert done.stdout.count("Stopped after 2 epochs") == 1
    folder = Path(two["adversarial"].training.log_dir).parents[1] / "failing" / "checkpoints"
    saved = sorted(path.name for path in folder.glob("checkpoint_*"))
    assert saved == [*(f"checkpoint_{name}.pth" for name in ("best", "epoch_1", "epoch_2", "interrupted"))]
    assert "made a mistake" not in done.stderr


def test_a_batch_that_does_not_divide_is_refused(storms, tmp_path, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"training\.batch_size = 4 does not divide by 3 processes"):
        TempoGANTrainer(small_config(tmp_path, storms, batch_size=4))
    with pytest.raises(InputError, match=r"Dt judges 2 windows .* do not divide by 3 processes"):
        TempoGANTrainer(small_config(tmp_path, storms, batch_size=3))
