"""The public benchmark: its inputs, its scores on scaled frames, and entries beside our models."""

import json

import numpy as np
import pytest

from evaluation_cases import SCALE, noisy, sequence
from experiments import benchmark
from tempogan_eddy import open_sequence, save_sequence
from tempogan_eddy.evaluation import evaluate


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with one small storm, two sensors and two of the released models."""
    save_sequence(sequence(), tmp_path / "data" / "storm.nc")
    monkeypatch.setattr(benchmark, "STORMS", {"200717": ("storm.nc", "2007-10-01T02", None)})
    monkeypatch.setattr(benchmark, "SENSORS", {"area": "area", "box": "box,width=1.6"})
    monkeypatch.setattr(benchmark, "MODELS", {"faithful": None, "ensemble": 2})
    monkeypatch.setattr(benchmark, "FRAMES", 2)
    return tmp_path / "data"


def run(data, *words):
    benchmark.main([*map(str, words), "--data", str(data)])


def test_an_entry_is_scored_beside_the_baselines(data, tmp_path, capsys):
    inputs, entry, scores = tmp_path / "inputs", tmp_path / "entry", tmp_path / "scores.json"
    run(data, "inputs", inputs)
    lowres = open_sequence(inputs / "200717-area.nc")
    assert list(lowres["time"].values.astype("datetime64[h]").astype(str)) == ["2007-10-01T02", "2007-10-01T05"]
    for name in ("200717-area", "200717-box"):
        save_sequence(noisy(benchmark.truth_of("200717", data)), entry / f"{name}.nc")
    run(data, "score", inputs, "--entry", f"mine={entry}", "--json", scores)
    table = capsys.readouterr().out
    for method in ("mine", "Wiener filter", "faithful", "ensemble"):
        assert table.count(f"| {method} |") == 2
    found = json.loads(scores.read_text())
    assert set(found) == {"200717-area", "200717-box"}
    assert "psnr_normalised" in json.dumps(found)


@pytest.mark.parametrize("words", [["--entry", "mine"], ["--entry", "mine=nowhere"], ["--entry", "bicubic=nowhere"]])
def test_a_wrong_entry_ends_with_a_sentence(data, tmp_path, capsys, words):
    run(data, "inputs", tmp_path / "inputs")
    with pytest.raises(SystemExit) as ended:
        run(data, "score", tmp_path / "inputs", *words)
    assert ended.value.code == 2
    assert words[-1].rpartition("=")[2] in capsys.readouterr().err


def test_scores_of_scaled_frames_are_those_of_frames_scaled_by_hand():
    truth = sequence(frames=3)
    made = noisy(truth)
    scores = evaluate(truth, made, sensor_scale=SCALE, baselines=False, metrics=benchmark.NORMALISED).scores
    low, high = (getattr(truth, name)(("y", "x")) for name in ("min", "max"))
    error = ((((made - low) / (high - low)) - (truth - low) / (high - low)).astype(np.float64) ** 2).mean(("y", "x"))
    assert scores["reconstructed"]["psnr_normalised"].value == pytest.approx(
        float((-10 * np.log10(error)).mean()), rel=1e-5
    )
    skimage = pytest.importorskip("skimage.metrics")
    by_hand = [
        skimage.structural_similarity(
            ((one - base) / (top - base)).values, ((two - base) / (top - base)).values,
            data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for one, two, base, top in zip(truth, made, low, high, strict=True)
    ]  # fmt: skip
    assert scores["reconstructed"]["ssim_normalised"].value == pytest.approx(np.mean(by_hand), rel=1e-3)
