"""Every engine against PyTorch in float32, the choice among them, and the gate of bf16."""

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.machinery import ModuleSpec

import pytest
import torch

from model_cases import detailed_model, kelvin_frames, watch_convolutions
from tempogan_eddy.device import computes_bf16
from tempogan_eddy.errors import InputError
from tempogan_eddy.model.scaling import from_kelvin
from tempogan_eddy.reconstruction import engines
from tempogan_eddy.reconstruction.engines import BF16_LIMIT_KELVIN, ENGINES, OF_TORCH, bf16_error_kelvin, open_engine

CPU = torch.device("cpu")
needs_bf16 = pytest.mark.skipif(not computes_bf16(CPU), reason="this CPU has no bfloat16 instructions")


@pytest.fixture(scope="module")
def model():
    return detailed_model()


@pytest.fixture(scope="module")
def frames(model):
    """Scaled frames of two sizes."""
    sizes = ((2, 24, 37), (1, 40, 16))
    return [from_kelvin(kelvin_frames(*size), model.kelvin_range) for size in sizes]


def difference(model, frames, detail):
    """Fine frames with ``detail`` less those of PyTorch in float32, kelvin."""
    low, high = model.kelvin_range
    return (model.generator.combine(frames, detail) - model.generator(frames)) * (high - low)


def make(model, name, precision="fp32"):
    for library in (name, "onnx"):
        if name not in OF_TORCH:
            pytest.importorskip(library, reason=f"{library} is not installed")
    return open_engine(model, name, precision=precision)


@pytest.fixture(autouse=True)
def quick_compilation(monkeypatch):
    """torch.compile traces the network but leaves out the C++ or Triton compiler, which takes half a minute."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))


def test_a_compiled_engine_falls_back_where_compilation_fails(model, frames, monkeypatch, caplog):
    def refuse(graph, inputs):
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(torch, "compile", lambda function, **options: partial(refuse, None))
    engine = open_engine(model, "compiled", precision="fp32")
    expected = open_engine(model, "torch", precision="fp32")(frames[0])
    for _ in range(2):
        assert torch.equal(engine(frames[0]), expected)
    assert [record.message for record in caplog.records if "torch.compile does not work" in record.message] == [
        "torch.compile does not work here (no compiler here); torch computes uncompiled"
    ]


@pytest.mark.parametrize("name", ENGINES)
def test_engines_agree_in_fp32(model, frames, name):
    engine = make(model, name)
    assert (engine.name, engine.precision) == (name, "fp32")
    for part in (*frames, *frames):
        detail = engine(part)
        assert detail.dtype == torch.float32
        assert detail.shape == (len(part), 16, *part.shape[-2:])
        assert difference(model, part, detail).abs().max() < 0.01


@needs_bf16
@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_engines_agree_in_bf16(model, frames, name):
    engine = make(model, name, "bf16")
    for part in frames:
        detail = engine(part)
        assert detail.dtype == torch.float32
        # Not zero either: bf16 has been used.
        assert 1e-4 < difference(model, part, detail).square().mean().sqrt() < 0.05


def test_a_frame_in_two_parts_loses_nothing_in_bf16(frames):
    rounded, rest = (engines._in_two(frames[0]) - 0.5).unbind(1)
    assert (rounded.bfloat16().float() - rounded).abs().max() < 1e-7
    assert (rest.bfloat16().float() - rest).abs().max() < 1e-5
    assert (rounded + rest - (frames[0][:, 0] - 0.5)).abs().max() < 1e-6


@pytest.mark.parametrize("name", ENGINES)
def test_threads_may_share_an_engine(model, frames, name):
    engine = make(model, name)
    parts = [frames[0] + shift / 10 for shift in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for part, detail in zip(parts, pool.map(engine, parts), strict=True):
            assert difference(model, part, detail).abs().max() < 0.01


def test_the_fastest_installed_engine_is_chosen(model, monkeypatch, caplog):
    present = set()
    monkeypatch.setattr(
        engines, "find_spec", lambda name: ModuleSpec(name, None, origin="here") if name in present else None
    )
    monkeypatch.setattr(engines, "_BUILDERS", dict.fromkeys(ENGINES, lambda generator, precision: None))
    choices = []
    with caplog.at_level(logging.INFO, "tempogan_eddy"):
        for installed in ({"onnx"}, {"onnxruntime", "onnx"}, {"openvino"}, {"openvino", "onnxruntime", "onnx"}):
            present = installed
            choices.append(open_engine(model, precision="fp32").name)
    assert choices == ["torch", "onnxruntime", "torch", "openvino"]
    assert "The network computes with openvino in fp32 on cpu" in caplog.text
    # onnxruntime has no bf16, and is slower than torch that has.
    present = {"onnxruntime", "onnx"}
    assert engines._fastest_first(CPU, "bf16") == ["torch"]
    assert engines._fastest_first(torch.device("cuda"), "fp32") == ["torch"]


def test_bf16_is_used_only_where_it_is_harmless(model, monkeypatch):
    rough = detailed_model(detail_kelvin=100.0)
    assert 0 < bf16_error_kelvin(model) < BF16_LIMIT_KELVIN < bf16_error_kelvin(rough)
    assert bf16_error_kelvin(model) == bf16_error_kelvin(model)
    monkeypatch.setattr(engines, "computes_bf16", lambda device: True)
    assert open_engine(model, "torch").precision == "bf16"
    assert open_engine(rough, "torch").precision == "fp32"
    monkeypatch.setattr(engines, "computes_bf16", lambda device: False)
    assert open_engine(model, "torch").precision == "fp32"
    with pytest.raises(InputError, match="cpu does not compute in bf16"):
        open_engine(model, "torch", precision="bf16")


def test_a_folder_with_the_name_of_a_library_is_none(tmp_path, monkeypatch, model):
    monkeypatch.setattr(engines, "find_spec", lambda name: ModuleSpec(name, None, is_package=True))
    assert open_engine(model, precision="fp32").name == "torch"
    with pytest.raises(InputError, match="onnxruntime is not installed"):
        open_engine(model, "onnxruntime")


def test_a_library_that_does_not_work_is_passed_over(model, monkeypatch, caplog):
    def broken(generator, precision):
        raise OSError("libfoo.so: cannot open\nmore")

    monkeypatch.setattr(engines, "_missing", lambda engine: [])
    monkeypatch.setitem(engines._BUILDERS, "openvino", broken)
    monkeypatch.setitem(engines._BUILDERS, "onnxruntime", broken)
    assert open_engine(model, precision="fp32").name == "torch"
    assert "openvino is installed but does not work (libfoo.so: cannot open)" in caplog.text
    with pytest.raises(
        InputError, match=r"openvino does not work here \(libfoo.so: cannot open\); use another"
    ) as error:
        open_engine(model, "openvino", precision="fp32")
    assert "\n" not in str(error.value)


def test_the_callers_model_is_left_as_it_is(frames):
    model = detailed_model()
    model.generator.double()
    engine = open_engine(model, "torch", precision="fp32")
    assert engine(frames[0]).dtype == torch.float32
    assert all(weight.dtype == torch.float64 for weight in model.generator.state_dict().values())
    open_engine(model, "torch", "meta", "fp32")
    assert all(weight.device.type == "cpu" for weight in (*model.generator.parameters(), *model.generator.buffers()))


def test_fp32_is_no_less_than_float32(model, frames, monkeypatch):
    seen = watch_convolutions(monkeypatch)
    open_engine(model, "torch", precision="fp32")(frames[0])
    assert seen == {"exact"}
    if computes_bf16(CPU):
        seen = watch_convolutions(monkeypatch)
        open_engine(model, "torch", precision="bf16")(frames[0])
        assert seen == {"as set"}


def test_what_cannot_be_had_is_told(model, monkeypatch):
    with pytest.raises(InputError, match=r"Unknown engine 'tensorrt'; use auto, torch, compiled, onnx"):
        open_engine(model, "tensorrt")
    with pytest.raises(InputError, match="Unknown precision 'fp8'"):
        open_engine(model, precision="fp8")
    with pytest.raises(InputError, match="openvino computes on the CPU, not on cuda"):
        open_engine(model, "openvino", "cuda:0")
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    for name in ("onnxruntime", "openvino"):
        with pytest.raises(InputError, match=rf"{name} is not installed; run: pip install 'tempogan-eddy\[{name}\]'"):
            open_engine(model, name)


def test_onnxruntime_sends_no_telemetry(tmp_path):
    pytest.importorskip("onnxruntime")
    script = (
        "from model_cases import detailed_model as model\n"
        "from tempogan_eddy.reconstruction.engines import open_engine\n"
        "open_engine(model(), 'onnxruntime')"
    )
    # In continuous integration it sends none anyway, so nothing of this environment but the path.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert not list(tmp_path.rglob("deviceid"))
