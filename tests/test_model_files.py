"""Model files of earlier and later releases open; what they hold is checked.

``stored_models`` holds a small model and its checkpoint as the release of November 2026 wrote them, the same model with
keys and a section that this release does not know, and the output of its generator.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from model_cases import detailed_model
from tempogan_eddy.errors import InputError
from tempogan_eddy.specification import read_specification
from tempogan_eddy.stored import read_checkpoint
from tempogan_eddy.training.checkpoint import state_of
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.weights import load_model, save_model
from training_cases import small_config, write_storms

STORED = Path(__file__).parent / "stored_models"


def reconstructed(path):
    frames = torch.linspace(0.2, 0.8, 64).reshape(1, 1, 8, 8).sin()
    return load_model(path).generator(frames)[0, 0].numpy()


@pytest.mark.parametrize("name", ["november_2026.safetensors", "november_2026.pth", "unknown_keys.safetensors"])
def test_files_of_other_releases_give_the_same_output(name):
    np.testing.assert_allclose(reconstructed(STORED / name), np.load(STORED / "output.npy"), atol=1e-6)


def test_unknown_keys_are_kept_as_provenance():
    model = load_model(STORED / "unknown_keys.safetensors")
    assert model.config["ensemble"] == {"members": 8}
    assert model.config["training"]["warm_up_steps"] == 100
    assert (model.scale, model.kelvin_range, model.sensor.kind) == (4, (170.0, 320.0), "area")


def test_a_checkpoint_of_an_earlier_release_can_be_resumed(tmp_path, caplog):
    settings = read_checkpoint(STORED / "november_2026.pth")["config"]["training"]
    data = write_storms(tmp_path / "storms")
    config = small_config(tmp_path, data, **{key: settings[key] for key in ("epochs", "steps_per_epoch")})
    config.model.channels = config.model.discriminator_channels = 4
    trainer = TempoGANTrainer(config)
    assert trainer.train(STORED / "november_2026.pth").epochs == 1
    assert "selection of the best model begins anew" in caplog.text
    weights = load_model(STORED / "november_2026.pth").generator.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in trainer.average.module.state_dict().items())


def rewritten(path, **values):
    """The same file with other texts in its header, as early releases wrote it; None removes one."""
    with safe_open(path, framework="pt") as file:
        header, weights = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = {key: value for key, value in ({**header, "sha256": None} | values).items() if value is not None}
    save_file(weights, path, header)
    return path


@pytest.fixture
def file(tmp_path):
    save_model(tmp_path / "mine.safetensors", detailed_model())
    return tmp_path / "mine.safetensors"


def specification(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["specification"])


def test_a_model_file_states_what_its_weights_need(file):
    found = specification(file)
    assert found.pop("sensor")["kind"] == "area"
    assert found == {
        "version": 1,
        "network": {
            "kind": "residual",
            "blocks": 3,
            "channels": 16,
            "lr_consistency": True,
            "projection": False,
            "tails": 1,
            "textures": 0,
        },
        "scale": 4,
        "kelvin_range": [170.0, 320.0],
    }


@pytest.mark.parametrize("config", ["{}", '{"training": {"epochs": "many"}, "model": 3}', "[1]"])
def test_the_training_configuration_is_never_checked(file, config):
    expected = reconstructed(file)
    np.testing.assert_array_equal(reconstructed(rewritten(file, config=config)), expected)


def test_unknown_keys_of_the_specification_are_skipped(file):
    later = specification(file)
    later["network"]["activation"] = later["sensor"]["psf"] = later["channels"] = "new"
    expected = reconstructed(file)
    np.testing.assert_array_equal(reconstructed(rewritten(file, specification=json.dumps(later))), expected)


def test_a_state_of_other_networks_may_be_of_an_earlier_release():
    with (
        pytest.raises(InputError, match=r"early\.pth .* earlier release: .* training\.start_from"),
        state_of(Path("early.pth")),
    ):
        torch.nn.Linear(2, 2).load_state_dict({"weight": torch.zeros(2, 2)})


def test_a_stored_configuration_may_hold_a_setting_without_an_effect():
    earlier = {"sensor": {"kind": "area", "sigma": 1.3}, "model": {"channels": 16}}
    assert read_specification(None, earlier, "early.pth").network.channels == 16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version 2.*update"),
        ({"network": {"kind": "transformer", "blocks": 3, "channels": 16, "lr_consistency": True}}, "'transformer'"),
        ({"network": {"kind": "residual", "channels": 16, "lr_consistency": True}}, r"network\.blocks"),
        ({"network": {"kind": "residual", "blocks": 3, "channels": 10**9, "lr_consistency": True}}, "channels"),
        ({"network": {"kind": "residual", "blocks": 2, "channels": 16, "lr_consistency": True}}, "do not fit"),
        ({"sensor": {"kind": "psychic"}}, r"sensor\.kind"),
        ({"sensor": None}, "sensor"),
        ({"kelvin_range": [320, 170]}, "rise"),
        ({"scale": 5}, "scale"),
    ],
)
def test_a_specification_that_cannot_be_used_is_refused(file, changes, message):
    rewritten(file, specification=json.dumps(specification(file) | changes))
    with pytest.raises(InputError, match=message) as refused:
        load_model(file)
    assert "mine.safetensors" in str(refused.value)


@pytest.mark.parametrize("text", ["3", "[]", "{", '"' + "x" * 100])
def test_a_specification_that_is_none_is_refused(file, text):
    with pytest.raises(InputError, match=r"mine\.safetensors"):
        load_model(rewritten(file, specification=text))


def test_a_model_saved_again_is_the_same(tmp_path):
    shutil.copy(STORED / "unknown_keys.safetensors", tmp_path / "old.safetensors")
    old = load_model(tmp_path / "old.safetensors")
    save_model(tmp_path / "new.safetensors", old)
    new = load_model(tmp_path / "new.safetensors")
    assert (new.specification, new.config, new.metadata) == (old.specification, old.config, old.metadata)
