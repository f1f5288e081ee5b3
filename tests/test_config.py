import json

import pytest
from pydantic import BaseModel

from tempogan_eddy.config import Config, load_config
from tempogan_eddy.config_text import describe_config
from tempogan_eddy.errors import InputError


def test_the_seeds_configuration_is_valid_with_its_comments(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"model": {\n\t"n_residual_blocks": 4,  # a comment\n\t"upsample_factor": 2\n}}\n')
    config = load_config(path)
    assert config.model.n_residual_blocks == 4
    assert config.scale == 2


def test_shipped_configuration_holds_the_seeds_keys_and_values():
    config = load_config("configs/config.json")
    assert config.model.n_residual_blocks == 8
    assert config.model.upsample_factor == config.model.scale_factor == 4
    seed = {
        "data_root": "./data/digital_typhoon", "batch_size": 16, "patch_size": 64, "sequence_length": 3, "epochs": 100,
        "lr_g": 1e-4, "lr_d": 1e-4, "lambda_content": 1.0, "lambda_adv_s": 0.001, "lambda_adv_t": 0.001,
    }  # fmt: skip
    assert {key: getattr(config.training, key) for key in seed} == seed


def test_a_patch_size_that_follows_the_scale_is_not_the_users():
    config = load_config({"model": {"upsample_factor": 3}})
    assert config.training.patch_size == 66
    stated = config.model_dump(exclude_unset=True)
    assert "patch_size" not in stated.get("training", {})
    assert load_config(stated, ["model.upsample_factor=8"]).training.patch_size == 64


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"traning": {}}, ["traning", "did you mean 'training'"]),
        ({"epochs": 5}, ["unknown key 'epochs', did you mean 'training.epochs'"]),
        ({"model": {"n_residual_block": 8}}, ["model.n_residual_block", "n_residual_blocks"]),
        ({"training": {"batch_size": "many"}}, ["training.batch_size", "many"]),
        ({"training": {"batch_size": 0}}, ["training.batch_size", "0"]),
        ({"training": {"batch_size": 10**9}}, ["training.batch_size", "65536"]),
        ({"training": {"patch_size": 10**6}}, ["training.patch_size", "8192"]),
        ({"training": {"accumulate": 10**9}}, ["training.accumulate", "1024"]),
        ({"training": {"num_workers": 10**6}}, ["training.num_workers", "1024"]),
        ({"training": {"patch_size": 66}}, ["patch_size 66", "multiple"]),
        ({"training": {"patch_size": 20, "lambda_traces": 0.5}}, ["lambda_traces", "patch_size of at least 24"]),
        ({"model": {"upsample_factor": 5}}, ["upsample_factor", "not 5"]),
        ({"model": {"upsample_factor": 2, "scale_factor": 4}}, ["scale_factor is 4", "upsample_factor is 2"]),
        ({"data": {"kelvin_range": [320, 170]}}, ["kelvin_range"]),
        ({"data": {"split": {"rules": {"training": ["a"]}}}}, ["rules"]),
        ({"training": 3}, ["training should be a section", "given: 3"]),
        ({"training": {"cadence": "1h"}}, ["training.cadence", "did you mean 'data.cadence'"]),
        ({"training": {"device": "gpu"}}, ["training.device", "auto, cpu, mps, cuda", "not gpu"]),
        ({"198702": {"id": "198702"}, "200717": {}}, ["is no configuration", "model, sensor, data, training"]),
    ],
)
def test_wrong_values_are_refused_by_name(values, words):
    with pytest.raises(InputError) as caught:
        load_config(values)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


ENSEMBLE = {"model": {"conditioned": True, "textures": 8}, "training": {"score": "crps"}}


@pytest.mark.parametrize(
    ("base", "setting", "where"),
    [
        (ENSEMBLE, "training.lambda_traces = 0.5", "in an ensemble"),
        (ENSEMBLE, "training.lambda_feature = 0.1", "in an ensemble"),
        (ENSEMBLE, "training.lambda_adv_t = 0.1", "in an ensemble"),
        (ENSEMBLE, 'training.teacher = "faithful"', "in an ensemble"),
        (ENSEMBLE, "training.max_rmse = 1.2", "with training.score = crps"),
        ({"training": {"score": "last"}}, "training.early_stopping_patience = 3", "with training.score = last"),
        ({}, "training.lambda_patches = 0.5", "without an ensemble"),
        ({}, "training.members = 4", "without an ensemble"),
        ({}, "training.lambda_mean = 2.0", "without a mean frame"),
        ({}, "training.warm_up = 50", "without training.start_from"),
        ({}, "model.tails = 2", "without model.conditioned"),
        ({}, "sensor.sigma = 1.5", "with sensor.kind = area"),
        ({"training": {"lambda_adv_t": 0}}, "training.align_windows = false", "without Dt"),
    ],
)
def test_a_setting_without_an_effect_is_refused(base, setting, where):
    with pytest.raises(InputError) as caught:
        load_config(base, [setting.replace(" ", "")])
    assert f"{setting} has no effect {where}" in str(caught.value)
    assert str(caught.value).endswith("; leave it out.")


def test_an_ensemble_has_no_dt_and_its_printed_configuration_says_so():
    config = load_config(ENSEMBLE, ["training.lambda_feature=0", "training.lambda_patches=0.3"])
    assert config.training.lambda_adv_t == 0
    assert load_config(json.loads(config.to_json())) == config


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"model": {"channels": ]}}'])
def test_a_file_that_is_no_configuration_is_named(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.json"):
        load_config(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.json"):
        load_config(tmp_path / "nowhere.json")


def test_overrides_reach_every_depth_and_are_checked():
    config = load_config({}, ["training.epochs=20", "training.lr_g=1e-3", "data.split.by=time"])
    assert (config.training.epochs, config.training.lr_g, config.data.split.by) == (20, 1e-3, "time")
    with pytest.raises(InputError, match="is not an override"):
        load_config({}, ["training.epochs"])
    with pytest.raises(InputError, match="epoch"):
        load_config({}, ["training.epoch=20"])


def test_printed_configuration_reads_back_the_same():
    config = load_config("configs/config.json")
    assert load_config(json.loads(config.to_json())) == config


def leaves(section, prefix=""):
    """Every key below a section with its value and description."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, field.description


def test_every_key_is_printed_once_with_its_value_and_its_description():
    lines = [line for line in describe_config(Config()).splitlines() if " = " in line]
    expected = list(leaves(Config()))
    assert [line.split(" = ")[0] for line in lines] == [key for key, _, _ in expected]
    for line, (key, value, description) in zip(lines, expected, strict=True):
        shown = line.partition(" = ")[2]
        assert shown.startswith(json.dumps(value)) or shown.startswith(str(value)), key
        assert description is None or description in line, key


def test_the_description_tells_what_is_allowed():
    lines = {line.split(" = ")[0]: line for line in describe_config(Config()).splitlines()}
    assert lines["sensor.kind"].endswith("[area | bicubic | box | gaussian | nearest]")
    assert lines["model.scale_factor"].endswith("[2 | 3 | 4 | 8 | null]")
    assert lines["model.n_residual_blocks"].endswith("[>= 1, <= 128]")
    assert lines["training.epochs"] == "training.epochs = 100  # [>= 1]"
    assert "[" not in lines["data.variable"]


def test_all_problems_are_told_at_once_each_with_where_it_comes_from(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"training": {"epochs": "three", "bach_size": 4}, "data": {"cadence": "soon"}}')
    with pytest.raises(InputError) as caught:
        load_config(path, ["data.kelvin_range=[320, 170]"])
    first, *problems = str(caught.value).splitlines()
    assert first == "The configuration has 4 problems:"
    assert len(problems) == 4
    for words in ("mine.json: training.epochs: ", "did you mean 'batch_size'", "mine.json: data.cadence: 'soon'"):
        assert sum(words in line for line in problems) == 1
    assert any(line.strip().startswith("--set data.kelvin_range=[320, 170]: ") for line in problems)


@pytest.mark.parametrize(
    "text",
    ["training.epochs=three", "training.patch_size=66", "model.upsample_factor=2", "batch_size=4", "trainng.seed=4"],
)
def test_a_wrong_override_is_blamed_and_not_the_file(text):
    with pytest.raises(InputError) as caught:
        load_config("configs/config.json", [text, "training.seed=3"])
    assert str(caught.value).startswith(f"--set {text}: ")
    assert "config.json" not in str(caught.value)
