"""The exported file against PyTorch, and what it says of itself."""

import json
import logging
import math
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cli_cases import run
from model_cases import detailed_model, kelvin_frames
from tempogan_eddy import load_model, open_sequence, reconstruct, save_sequence
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.export import export_model
from tempogan_eddy.model.scaling import from_kelvin, to_kelvin
from tempogan_eddy.weights import save_model
from training_cases import moving_clouds

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'tempogan-eddy[export]'")


@pytest.mark.parametrize("lr_consistency", [True, False])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_file_computes_what_pytorch_computes_at_any_size(tmp_path, scale, lr_consistency):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = detailed_model(scale, lr_consistency=lr_consistency)
    export_model(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    span = model.kelvin_range
    for count, height, width in ((1, 24, 37), (3, 40, 16), (1, 1, 1)):
        lowres = kelvin_frames(count, height, width)
        scaled = from_kelvin(lowres, span)
        expected = to_kelvin(model.generator(scaled), span).numpy()
        (highres,) = session.run(None, {"lowres": lowres.numpy()})
        assert highres.shape == (count, 1, height * scale, width * scale)
        assert highres.dtype == np.float32
        assert np.abs(highres - expected).max() < 0.01
        # Without detail the comparison would say nothing of most of the network.
        smooth = model.generator.combine(scaled, torch.zeros(count, scale**2, height, width))
        assert np.abs(expected - to_kelvin(smooth, span).numpy()).max() > 1


@pytest.mark.parametrize("sensor", ["gridsat", "seviri", "gaussian,fwhm=1.2,width_x=0.4", "area,noise=0.5"])
def test_a_file_for_another_sensor_computes_what_pytorch_computes_at_its_size(tmp_path, sensor):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model, path = load_model("faithful"), tmp_path / "model.onnx"
    if "area" not in sensor:
        with pytest.raises(InputError, match=r"depends on the size .* --size"):
            export_model(model, path, sensor)
    export_model(model, path, sensor, (24, 37))
    lowres = kelvin_frames(2, 24, 37)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"lowres": lowres.numpy()})
    ours = reconstruct(
        lowres[:, 0].numpy(), model, sensor=sensor, trust_sensor=True, kelvin=True, engine="torch", precision="fp32"
    )
    np.testing.assert_allclose(theirs[:, 0], ours, atol=0.01)
    (said,) = [entry.value for entry in onnx.load(path).metadata_props if entry.key == "sensor_model_text"]
    assert said == SensorModel.parse(sensor).text
    with pytest.raises(InputError, match="was trained for one sensor, area"):
        export_model(detailed_model(), tmp_path / "other.onnx", sensor, (24, 37))


def test_the_program_of_the_documentation_reconstructs_as_this_package_does(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    page = Path(__file__).parent.parent / "docs" / "export.md"
    (program,) = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    lowres = moving_clouds(frames=2)
    lowres[0, 20:22, 10:30] = np.nan
    save_sequence(lowres, tmp_path / "lowres.nc")
    export_model(load_model("eddy"), tmp_path / "eddy.onnx")
    (tmp_path / "program.py").write_text(program)
    monkeypatch.chdir(tmp_path)
    theirs = np.array(runpy.run_path("program.py")["highres"])
    ours = reconstruct(open_sequence("lowres.nc"), load_model("eddy"), engine="torch", precision="fp32").values
    np.testing.assert_allclose(theirs, ours, atol=1e-3)
    assert np.isnan(ours).sum() == 2 * 20 * 16


def test_the_file_says_what_its_numbers_mean(tmp_path):
    model = detailed_model(2)
    export_model(model, tmp_path / "folder" / "model.onnx")
    exported = onnx.load(tmp_path / "folder" / "model.onnx")
    said = {entry.key: entry.value for entry in exported.metadata_props}
    assert said["format"] == "tempogan-eddy-onnx"
    assert said["version"] == exported.producer_version
    assert json.loads(said["kelvin_range"]) == [170, 320]
    assert said["scale"] == "2"
    assert said["sensor_model"] == "area"
    assert json.loads(said["sensor_model_noise_kelvin"]) == 0
    assert said["training_data"] == "clouds; more clouds"
    assert json.loads(said["metadata"])["step"] == 7
    assert json.loads(said["config"]) == model.config
    assert "kelvin" in said["use"]
    assert "not observed" in said["use"]


def test_what_json_does_not_have_is_null(tmp_path):
    model = detailed_model(2)
    model.metadata |= {"score": math.nan, "scores": [1.5, -math.inf], "best": {"psnr": (math.inf, 7)}}
    export_model(model, tmp_path / "model.onnx")
    (said,) = [entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props if entry.key == "metadata"]

    def refuse(word):
        raise AssertionError(word)

    metadata = json.loads(said, parse_constant=refuse)
    assert (metadata["score"], metadata["scores"], metadata["best"]) == (None, [1.5, None], {"psnr": [None, 7]})
    assert metadata["step"] == 7
    assert math.isnan(model.metadata["score"])


def test_the_command_writes_a_file_that_loads(tmp_path, capsys, monkeypatch):
    # What a command does to the logger ends with the test.
    logger = logging.getLogger("tempogan_eddy")
    for name in ("handlers", "propagate", "level"):
        monkeypatch.setattr(logger, name, getattr(logger, name))
    model = detailed_model()
    save_model(tmp_path / "model.safetensors", model)
    code, out, _ = run(capsys, "export", tmp_path / "model.safetensors", "-o", tmp_path / "model.onnx")
    assert code == 0 and "(N, 1, 4h, 4w)" in out
    assert [value.name for value in onnx.load(tmp_path / "model.onnx").graph.output] == ["highres"]
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "model.onnx"}


def test_another_suffix_and_a_missing_library_are_told(tmp_path, monkeypatch):
    model = detailed_model()
    with pytest.raises(InputError, match=r"model\.pt does not end in \.onnx"):
        export_model(model, tmp_path / "model.pt")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"onnx is not installed; run: pip install 'tempogan-eddy\[export\]'"):
        export_model(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
