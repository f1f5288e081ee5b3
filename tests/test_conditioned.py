"""One model for every sensor: folding, two tails, training, reconstruction, fine-tuning."""

import json

import numpy as np
import pytest
import torch

from tempogan_eddy import coarsen, open_sequence, reconstruct
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import DESCRIPTION, describe_sensor
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.conditioned import ConditionedGenerator
from tempogan_eddy.reconstruction import Reconstructor
from tempogan_eddy.training.discriminators import discriminators_path
from tempogan_eddy.training.trainer import TempoGANTrainer
from tempogan_eddy.weights import Model, load_model, save_model
from training_cases import moving_clouds, small_config, write_storms

SENSORS = [
    SensorModel("area", 4),
    SensorModel("area", 4, noise_kelvin=0.3),
    SensorModel("box", 4, width=1.6, fwhm=0.47, wavelength=10.8),
    SensorModel("gaussian", 4, fwhm=1.5),
    SensorModel("box", 4, width=0.5),
]


def random_generator(tails=1, seed=0):
    torch.manual_seed(seed)
    generator = ConditionedGenerator(DESCRIPTION, 2, 4, 8, tails)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    return generator.eval().requires_grad_(False)


def random_model(tails=1, sensor=None):
    """A model that adapts to every sensor, or one that was trained for one."""
    config = load_config(
        {
            "model": {"n_residual_blocks": 2, "channels": 8, "conditioned": True, "tails": tails},
            "sensor": sensor or {"random": True},
        }
    )
    return Model.from_config(random_generator(tails), config, "test", {"training_data": ["clouds"]})


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.text)
def test_a_folded_generator_computes_the_same(sensor):
    generator, description = random_generator(), describe_sensor(sensor)
    frames = torch.rand(2, 1, 12, 16)
    told = generator(frames, description.expand(2, -1))
    torch.testing.assert_close(generator.folded(description)(frames), told, atol=2e-6, rtol=0)


def test_the_detail_mixes_the_frames_of_two_tails():
    generator, description = random_generator(tails=2), describe_sensor(SENSORS[3])
    frames = torch.rand(1, 1, 12, 12)
    mean, sharp = generator(frames, description[None]).chunk(2, dim=1)
    assert (mean - sharp).abs().max() > 1e-3
    for detail in (0.0, 0.3, 1.0):
        mixed = generator.folded(description, detail)(frames)
        torch.testing.assert_close(mixed, torch.lerp(mean, sharp, detail), atol=2e-6, rtol=0)


def test_both_tails_begin_as_the_one_tail_of_an_earlier_model():
    earlier, later = random_generator(), random_generator(tails=2, seed=1)
    later.adopt(earlier.state_dict())
    frames, description = torch.rand(1, 1, 8, 8), describe_sensor(SENSORS[2])[None]
    both = later(frames, description)
    torch.testing.assert_close(both, earlier(frames, description).expand_as(both))


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.text)
def test_a_reconstruction_keeps_what_its_sensor_measured_over_tiles_and_beside_missing_pixels(sensor):
    truth = moving_clouds(frames=2, size=192)
    lowres = sensor.coarsen(truth).compute()
    lowres[0, 10:13, 20] = np.nan
    whole = reconstruct(lowres, random_model(), sensor=sensor, engine="torch", precision="fp32").compute()
    tiled = reconstruct(lowres, random_model(), sensor=sensor, engine="torch", precision="fp32", tile=20).compute()
    difference = np.abs(whole - tiled).max().item()
    assert difference < 2e-3
    if sensor.noise_kelvin:
        return
    seen = sensor.see(torch.from_numpy(np.nan_to_num(whole.values, nan=250.0))).numpy()
    valid = np.isfinite(lowres.values)
    valid[0, 6:17, 16:25] = False  # the sensor looks into the gap
    assert np.abs(seen - lowres.values)[valid].max() < 1e-3


def test_the_sensor_comes_from_the_file_unless_it_is_stated(caplog):
    model, truth = random_model(), moving_clouds(frames=1, size=64)
    lowres = coarsen(truth, 4, sensor="gaussian,fwhm=1.2")
    recorded = reconstruct(lowres, model)
    stated = reconstruct(lowres.drop_attrs().assign_attrs(units="K"), model, sensor="gaussian,fwhm=1.2")
    np.testing.assert_allclose(recorded, stated, atol=1e-4)
    assert recorded.attrs["sensor_model_text"] == "gaussian,fwhm=1.2"
    assert not [record for record in caplog.records if record.levelname == "WARNING" and "records" in record.message]
    other = reconstruct(lowres, model, sensor="area")
    assert "records the sensor gaussian,fwhm=1.2; it is reconstructed for the stated area" in caplog.text
    assert other.attrs["sensor_model_text"] == "area"
    assert float(np.abs(other - recorded).max()) > 0.05


def test_a_model_for_one_sensor_refuses_another():
    with pytest.raises(InputError, match="trained for one sensor, area, not for gaussian,fwhm=1; use a model"):
        reconstruct(moving_clouds(frames=1), stored_plain(), sensor="gaussian,fwhm=1")


def stored_plain():
    from model_cases import detailed_model

    return detailed_model()


def conditioned_config(folder, data, model=None, sensor=None, **training):
    config = small_config(folder, data, **{"context": 1, **training}).model_dump()
    config["model"] |= {"conditioned": True, **(model or {})}
    config["sensor"] |= sensor or {"random": True}
    return load_config(config)


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("data") / "storms", size=96)


@pytest.fixture(scope="module")
def faithful(tmp_path_factory, storms):
    folder = tmp_path_factory.mktemp("faithful")
    config = conditioned_config(folder, storms, lambda_adv_s=0, lambda_adv_t=0, score="rmse", content_distance="l2")
    return TempoGANTrainer(config).train().best_model


def test_a_trained_model_saves_loads_and_adapts(faithful):
    model = load_model(faithful)
    assert model.adapts and model.specification.network.projection and model.specification.sensor.random
    for sensor in SENSORS:
        own = model.for_sensor(sensor)
        assert not own.adapts and own.sensor == sensor
        assert own.specification.network.lr_consistency == (sensor == SensorModel("area", 4))
    assert Reconstructor(model) == Reconstructor(model, sensor=SensorModel("area", 4))
    assert Reconstructor(model) != Reconstructor(model, sensor=SENSORS[3])
    with pytest.raises(InputError, match="has the scale 2, but the model"):
        model.for_sensor(SensorModel("area", 2))


def test_the_tempogan_goes_on_from_it_and_fine_tuning_from_the_tempogan(tmp_path, storms, faithful, caplog):
    config = conditioned_config(
        tmp_path / "eddy",
        storms,
        {"tails": 2},
        start_from=str(faithful),
        pretrain_epochs=0,
        warm_up=2,
        lambda_spectral=1e-3,
    )
    caplog.set_level("INFO")
    trainer = TempoGANTrainer(config)
    result = trainer.train()
    eddy = load_model(result.best_model)
    assert trainer.warm_up == 2 and "start: RMSE" in caplog.text
    assert "another sensor model" not in caplog.text  # the start adapts to every sensor
    assert eddy.specification.network.tails == 2
    assert not torch.equal(*eddy.generator.generator.tail.weight.chunk(2))
    assert discriminators_path(result.best_model).is_file()

    # One's own sensor: the discriminators of the start are there, so nothing needs warming up.
    own = conditioned_config(
        tmp_path / "own", storms, {"tails": 2}, {"kind": "gaussian", "parameters": {"fwhm": 1.3}},
        start_from=str(result.best_model), pretrain_epochs=0, lr_g=1e-12,
    )  # fmt: skip
    trainer = TempoGANTrainer(own)
    again = trainer.train()
    assert trainer.warm_up == 0
    tuned = load_model(again.best_model)
    assert tuned.sensor == SensorModel("gaussian", 4, fwhm=1.3)
    for name, value in tuned.generator.state_dict().items():
        torch.testing.assert_close(value, eddy.generator.state_dict()[name], atol=1e-5, rtol=0)
    for name, value in trainer.networks.spatial.state_dict().items():
        assert value.shape == trainer.networks.spatial.state_dict()[name].shape


def test_a_start_that_is_never_beaten_stays_the_best_model(tmp_path, storms, faithful):
    config = conditioned_config(
        tmp_path, storms, start_from=str(faithful), lr_g=0.05, lambda_adv_s=0, lambda_adv_t=0, score="rmse"
    )
    result = TempoGANTrainer(config).train()
    best, start = load_model(result.best_model), load_model(faithful)
    assert best.metadata["epoch"] == 0 and best.metadata["step"] == 0
    for name, value in best.generator.state_dict().items():
        torch.testing.assert_close(value, start.generator.state_dict()[name])


def test_a_start_of_another_kind_of_generator_is_refused(tmp_path, storms, faithful):
    plain = TempoGANTrainer(small_config(tmp_path / "plain", storms, start_from=str(faithful)))
    with pytest.raises(InputError, match=r"has model.conditioned = True, but the configuration says False"):
        plain.train()
    two = tmp_path / "two.safetensors"
    model = random_model(tails=2)
    save_model(two, model)
    settings = {"n_residual_blocks": 2, "channels": 8}
    with pytest.raises(InputError, match=r"has model.tails = 2, but the configuration says 1"):
        TempoGANTrainer(conditioned_config(tmp_path / "one", storms, settings, start_from=str(two))).train()


def test_a_resumed_run_sees_the_same_sensors(tmp_path, storms):
    losses = []
    for name, epochs in (("straight", [2]), ("resumed", [1, 2])):
        for count in epochs:
            config = conditioned_config(tmp_path / name, storms, epochs=count, lambda_adv_s=0, lambda_adv_t=0)
            trainer = TempoGANTrainer(config)
            trainer.train("auto" if count != epochs[0] else None)
        losses.append({key: value.clone() for key, value in trainer.networks.generator.state_dict().items()})
    for name, value in losses[0].items():
        assert torch.equal(value, losses[1][name]), name


def test_random_sensors_need_a_generator_that_adapts():
    with pytest.raises(InputError, match="needs model"):
        load_config({"sensor": {"random": True}})


def test_detail_belongs_to_two_tails(tmp_path):
    for tails in (1, 2):
        path = tmp_path / f"tails{tails}.safetensors"
        save_model(path, random_model(tails))
        if tails == 1:
            with pytest.raises(InputError, match="makes one frame"):
                load_model(path, 0.5)
        else:
            frames = moving_clouds(frames=1, size=48)
            models = [load_model(path, detail) for detail in (0.0, 0.5, 1.0)]
            made = [reconstruct(frames, model, precision="fp32").values for model in models]
            np.testing.assert_allclose(made[1], (made[0] + made[2]) / 2, atol=2e-3)
            assert json.loads(json.dumps(load_model(path, 0.5).metadata))["detail"] == 0.5
            with pytest.raises(InputError, match="must lie between 0"):
                load_model(path, 1.5)


def test_a_stated_sensor_that_the_frames_contradict_is_refused_unless_trusted(data_dir, caplog):
    storm = open_sequence(data_dir / "digital-typhoon" / "WP", storm="200717").isel(time=slice(108, 139, 10)).load()
    sampled = coarsen(storm, 4, sensor="box,width=0.5").drop_attrs().assign_attrs(units="K")
    model = random_model()
    with pytest.raises(InputError, match=r"look sharper than the stated sensor gaussian,fwhm=1.5.*--trust-sensor"):
        reconstruct(sampled, model, sensor="gaussian,fwhm=1.5")
    recorded = coarsen(storm, 4, sensor="box,width=0.5")  # says so in its attributes: no reason to believe another
    with pytest.raises(InputError, match=r"look sharper than the stated sensor gaussian,fwhm=1.5.*--trust-sensor"):
        reconstruct(recorded, model, sensor="gaussian,fwhm=1.5")
    caplog.clear()
    with caplog.at_level("WARNING", logger="tempogan_eddy"):
        reconstruct(sampled, model, sensor="gaussian,fwhm=1.5", trust_sensor=True)
        reconstruct(sampled, model, sensor="box,width=0.5")
    assert "sensor" not in caplog.text
    blurred = coarsen(storm, 4, sensor="gaussian,fwhm=2").drop_attrs().assign_attrs(units="K")
    reconstruct(blurred, model).compute()
    assert "state the sensor if footprints are wider than pixels" in caplog.text
    caplog.clear()
    reconstruct(sampled[:1], model).compute()  # of several frames, a thread checks whichever comes first
    assert "sharper than the assumed sensor area leaves them" in caplog.text


@pytest.mark.parametrize(
    ("attributes", "stated", "line"),
    [
        ({}, "box,width=0.5", "The sensor is box,width=0.5, as stated"),
        ({"sensor_model": "gaussian"}, None, "The sensor is gaussian,fwhm=1, as the input records"),
        ({"platform": "MTSAT-1R"}, None, "The file names the sensor jami"),
        ({}, None, "The input does not say which sensor saw it; the mean over a block is assumed"),
    ],
)
def test_one_line_says_which_sensor_was_used_and_why(caplog, attributes, stated, line):
    seen = moving_clouds(frames=1, size=48)
    if "sensor_model" in attributes:
        seen = coarsen(moving_clouds(frames=1, size=192), sensor="gaussian,fwhm=1")
    else:
        seen.attrs |= attributes
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        reconstruct(seen, random_model(), sensor=stated, trust_sensor=stated is not None)
    assert [record.message.startswith(line) for record in caplog.records if "sensor" in record.message] == [True]


def test_a_model_for_one_sensor_is_used_for_that_one_whatever_the_file_names(caplog):
    seen = moving_clouds(frames=1, size=48).assign_attrs(platform="MTSAT-1R")
    own, how = random_model(sensor="box,width=1.6"), {"engine": "torch", "precision": "fp32"}
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        made = reconstruct(seen, own, **how)
    assert "The sensor is box,width=1.6, for which the model was trained" in caplog.text
    expected = Reconstructor(own, sensor=SensorModel("box", 4, width=1.6), **how)(seen.values)
    np.testing.assert_allclose(made.values, expected, rtol=0, atol=1e-3)
