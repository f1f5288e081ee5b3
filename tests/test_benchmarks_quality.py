"""The quality benchmark on simulated storms and untrained networks."""

import json
import math

import cv2
import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image

from evaluation_cases import SCALE, noisy, sequence
from experiments import quality
from experiments.quality_curves import cold_shares, measure, profile
from experiments.quality_methods import (
    EDDY,
    FAITHFUL,
    LANCZOS,
    REGRESSION,
    SHARPENED,
    interpolated,
    lanczos,
    load_detail,
    load_networks,
    order,
    sharpened,
)
from experiments.quality_page import page_text, rewrite, verdicts
from experiments.quality_storms import Centre, Storm, coldest_run, open_storm
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import BASELINES, evaluate
from tempogan_eddy.evaluation.baselines import area_mean, bicubic
from tempogan_eddy.synthesis import synthesize
from tempogan_eddy.weights import Model, build_generator, save_model

pytestmark = pytest.mark.slow

FIGURES = ("crops", "detail", "errors", "profiles", "reliability", "spectra")


def write_model(path, seed, tails=1, **metadata):
    """A network whose learned branch is random and not zero."""
    conditioned = {"conditioned": True, "tails": tails} if tails == 2 else {}
    config = load_config({"model": {"n_residual_blocks": 1, "channels": 8, "discriminator_channels": 8, **conditioned}})
    torch.manual_seed(seed)
    generator = build_generator(config)
    torch.nn.init.normal_(generator.get_parameter("generator.tail.weight" if conditioned else "tail.weight"), std=1e-2)
    save_model(path, Model.from_config(generator, config, metadata={"step": seed, **metadata}))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two simulated storms, three networks and an empty page."""
    folder = tmp_path_factory.mktemp("quality")
    synthesize(folder / "data", storms=2, frames=10, size=64, format="digital-typhoon")
    for seed, name in enumerate((FAITHFUL, EDDY, "regression"), start=1):
        write_model(folder / f"{name}.safetensors", seed, 2 if name == EDDY else 1)
    (folder / "page.md").write_text("# Page\n\n<!-- tables -->\nold\n<!-- end -->\n\nAfter.\n")
    return folder


@pytest.fixture(scope="module")
def storms(folder):
    paths = sorted((folder / "data" / "image").iterdir())
    times = [open_storm(Storm("", "", str(path), None, "", 5.0), folder, None)["time"].values for path in paths]
    return [
        Storm(path.name, f"Storm {path.name}", f"data/image/{path.name}", str(time[2]), "a test", 5.0,
              Centre(str(time[3]), "eye", eye=number == 0))
        for number, (path, time) in enumerate(zip(paths, times, strict=True))
    ]  # fmt: skip


def options(folder, *others):
    places = [f"--{key}={folder / place}" for key, place in {
        "data": "", "output": "scores.json", "images": "images", "page": "page.md",
        "faithful": "faithful.safetensors", "eddy": "eddy.safetensors", "regression": "regression.safetensors",
    }.items()]  # fmt: skip
    return quality.parse(["--device=cpu", *places, *others])


@pytest.fixture(scope="module")
def written(folder, storms):
    quality.run(storms, options(folder, "--frames=4", "--detail=0.4", "--docs"))
    return json.loads((folder / "scores.json").read_text())


def test_every_method_is_scored_on_every_storm_and_on_all_together(written, storms):
    assert [one["storm"] for one in written["scores"]] == [*(storm.title for storm in storms), "all storms"]
    details = {FAITHFUL, EDDY, "eddy 0.25", "eddy 0.5", "eddy 0.75", "eddy 1"}
    for one in written["scores"]:
        assert set(one["scores"]) == {LANCZOS, *BASELINES, REGRESSION, SHARPENED, *details}
    assert written["details"][EDDY] == 0.4
    assert [one["frames"] for one in written["scores"]] == [4, 4, 8]
    assert written["models"][EDDY]["size"] == "1x8"


def test_scores_are_those_of_the_evaluation(written, folder, storms):
    truth = open_storm(storms[0], folder, 4)
    networks = load_networks(
        load_detail(folder / "faithful.safetensors", folder / "eddy.safetensors", 0.4), None, "cpu"
    )
    coarse = networks.faithful.sensor.coarsen(truth).load()
    alone = evaluate(truth, networks.rebuild(coarse, EDDY), coarse)
    scores = written["scores"][0]["scores"]
    for metric in ("rmse", "lsd", "tof"):
        assert scores[EDDY][metric]["value"] == pytest.approx(alone.scores["reconstructed"][metric].value, rel=1e-4)
        assert scores["bicubic"][metric]["value"] == pytest.approx(alone.scores["bicubic"][metric].value, rel=1e-4)
    assert len({scores[name]["rmse"]["value"] for name in (FAITHFUL, EDDY, "eddy 1", REGRESSION)}) == 4


def test_figures_and_page_are_written(written, folder, storms):
    for name in FIGURES:
        path = folder / "images" / f"quality-{name}.png"
        assert Image.open(path).size[0] > 1000
        assert path.stat().st_size < 400_000
    page = (folder / "page.md").read_text()
    assert page.startswith("# Page\n\n<!-- tables -->\n\nMeasured on")
    assert page.endswith("<!-- end -->\n\nAfter.\n")
    assert "\nold\n" not in page
    assert f"\n| nearest | {written['scores'][-1]['scores']['nearest']['rmse']['value']:.2f}" in page
    full = (folder / "scores.md").read_text()
    assert all(f"## {storm.title}" in full for storm in storms)
    assert f"\n| {LANCZOS} | {written['scores'][0]['scores'][LANCZOS]['rmse']['value']:.2f}" in full


def test_without_data_or_with_an_unusable_detail_there_is_one_sentence(folder, monkeypatch, capsys):
    def fails(*others):
        arguments = [f"--data={folder / 'none'}", f"--faithful={folder / 'faithful.safetensors'}", *others]
        monkeypatch.setattr("sys.argv", ["quality.py", *arguments])
        with pytest.raises(SystemExit) as exit:
            quality.main()
        assert exit.value.code == 2
        return capsys.readouterr().err

    eddy = f"--eddy={folder / 'eddy.safetensors'}"
    assert "TEMPOGAN_EDDY_DATA" in fails(eddy)
    assert "not at 1.5" in fails(eddy, "--detail=1.5")
    assert "makes one frame" in fails(f"--eddy={write_model(folder / 'plain.safetensors', 1)}")


@pytest.mark.parametrize(("text", "frames"), [("all", None), ("24", 24)])
def test_frames_are_a_number_or_all(text, frames):
    assert quality.parse([f"--frames={text}"]).frames == frames


@pytest.mark.parametrize("text", ["1", "-3", "many"])
def test_other_frames_are_refused(text, capsys):
    with pytest.raises(SystemExit):
        quality.parse([f"--frames={text}"])
    assert "neither all nor a number" in capsys.readouterr().err


def test_the_coldest_hours_in_a_row_are_chosen():
    cold = np.array([9, 9, 0, 1, 2, 5, 4, 0, 9])
    hours = np.array([0, 1, 3, 4, 5, 6, 7, 8, 10])  # 2 and 9 are missing
    values = np.where(np.arange(10) < cold[:, None, None], 200.0, 280.0)
    times = np.datetime64("2001-01-01", "ns") + hours * np.timedelta64(1, "h")
    storm = xr.DataArray(values, {"time": times}, ("time", "y", "x"))
    assert coldest_run(storm, 2) == slice(0, 2)
    assert coldest_run(storm, 3) == slice(4, 7)
    assert coldest_run(storm, 40) == slice(2, 8)


def test_lanczos_is_that_of_opencv_and_missing_pixels_stay_alone():
    coarse = area_mean(sequence(1)[0].values, SCALE)
    whole = lanczos(coarse, SCALE)
    assert np.array_equal(whole, cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_LANCZOS4))
    coarse[5, 6] = np.nan
    gap = lanczos(coarse, SCALE)
    assert np.isnan(gap[20:24, 24:28]).all()
    assert np.isfinite(gap).sum() == gap.size - SCALE**2


def test_what_is_sharpened_has_the_spectrum_of_the_truth_up_to_the_borders():
    truth = sequence(2, shape=(128, 128))
    truth = truth + 40 * xr.DataArray(np.linspace(-1, 1, 128), dims="y")  # the border jumps from one side to the other
    sensor = SensorModel.parse("area")
    coarse = sensor.coarsen(truth).load()
    smooth = interpolated(coarse, SCALE, bicubic)
    sharp = sharpened(smooth, truth, coarse, sensor)
    scores = evaluate(truth, {"smooth": smooth, "sharp": sharp}, coarse, baselines=False, metrics=["lsd"]).scores
    assert scores["sharp"]["lsd"].value < 2 < 10 < scores["smooth"]["lsd"].value
    assert np.abs(sensor.coarsen(sharp).values - coarse.values).max() < 1e-3
    error = (sharp - truth).values ** 2
    assert error[:, :4].mean() < 4 * error[:, 32:96].mean()
    coarse[0, 5, 6] = np.nan
    gap = sharpened(smooth.where(smooth != smooth[0, 20, 24]), truth, coarse, sensor)
    assert np.isnan(gap.values).sum() == SCALE**2 and np.isnan(gap.values[0, 20:24, 24:28]).all()


def test_the_detail_goes_from_one_frame_to_the_other(folder):
    choice = load_detail(folder / "faithful.safetensors", folder / "eddy.safetensors", None)
    assert choice.default == 0.5
    tails = [choice.at(detail).for_sensor().generator.tail.weight for detail in (0, 0.25, 1)]
    assert not torch.equal(tails[0], tails[2])
    assert torch.allclose(tails[1], 0.75 * tails[0] + 0.25 * tails[2], atol=1e-6)


def test_a_file_tells_its_own_default(folder, tmp_path):
    eddy = write_model(tmp_path / "eddy.safetensors", 2, 2, detail=0.7)
    assert load_detail(folder / "faithful.safetensors", eddy, None).default == 0.7
    assert load_detail(folder / "faithful.safetensors", eddy, 0.3).default == 0.3


def test_what_is_exact_is_reliable_and_what_is_too_warm_has_less_cold_cloud():
    truth = sequence(2) - 20
    curves = measure(truth, {"exact": truth, "warm": truth + 2}, SCALE)
    for count, ours, theirs in curves.shares["exact"]:
        assert np.array_equal(ours, theirs)
        assert ours == pytest.approx(count * np.arange(SCALE**2 + 1) / SCALE**2)
    for count, ours, theirs in curves.shares["warm"]:
        assert count.sum() == 2 * 24 * 24
        assert ours.sum() < theirs.sum()


def test_shares_count_valid_pixels_only():
    frame = np.full((4, 8), 280.0)
    frame[:, :2] = 200.0
    valid = np.ones((4, 8), bool)
    valid[:, 3], valid[:, 4:7] = False, False
    assert cold_shares(frame, valid, 241.0, 4) == pytest.approx([2 / 3])


def test_a_profile_goes_through_the_eye():
    rows, columns = np.indices((64, 64))
    frame = 200 + np.maximum(0, 80.0 - 20 * np.hypot(rows - 29, columns - 39))
    frame[5:10, 5:10] = 300.0  # warmer, but far from the middle
    eye = profile("storm", frame, {"smooth": frame - 1}, 4.0, eye=True)
    assert eye.kelvin["truth"] == pytest.approx(frame[28:31].mean(axis=0))
    assert eye.distance == pytest.approx(4.0 * (np.arange(64) - 39))
    assert eye.kelvin["smooth"] == pytest.approx(eye.kelvin["truth"] - 1)
    middle = profile("storm", frame, {}, 4.0, eye=False)
    assert middle.kelvin["truth"] == pytest.approx(frame[31:34].mean(axis=0))
    assert middle.distance[32] == 0


@pytest.fixture(scope="module")
def judged():
    """Bicubic in the place of faithful, and the truth with a trace of noise in the place of eddy."""
    truth = sequence(frames=14) - 10
    coarse = xr.DataArray(
        np.stack([area_mean(frame, SCALE) for frame in truth.values]), {"time": truth["time"]}, truth.dims
    )
    methods = {FAITHFUL: interpolated(coarse, SCALE, bicubic), EDDY: noisy(truth, 1e-4)}
    methods |= {LANCZOS: interpolated(coarse, SCALE, lanczos)}
    return evaluate(truth, methods, coarse)


def test_targets_tell_the_exact_from_the_merely_smooth(judged):
    found = {(told["model"], told["target"]): told for told in verdicts(judged)}
    assert found[FAITHFUL, "gain over bicubic, dB"]["value"] == pytest.approx(0, abs=1e-3)
    assert found[FAITHFUL, "gain over bicubic, dB"]["met"] == "not met"
    assert {told["met"] for (model, _), told in found.items() if model == EDDY} == {"met"}
    rmse = [judged.scores[name]["rmse"].value for name in (EDDY, "bicubic")]
    assert found[EDDY, "RMSE over bicubic's"]["value"] == pytest.approx(rmse[0] / rmse[1])


def test_the_page_says_plainly_what_is_not_met(judged):
    text = page_text([], [judged], {EDDY: 0.5}, {"date": "2001-01-01", "minutes": 1.0, "models": {}})
    assert "9 of 10 targets are met. **Not met:** faithful gain over bicubic, dB." in text
    lines = [line for line in text.splitlines() if line.startswith("| **eddy** (interpolation weight 0.5)")]
    assert len(lines) == 1 and lines[0].count("**") > 4
    assert all(line.count("|") == lines[0].count("|") for line in text.split("### All")[1].splitlines() if "|" in line)


def test_a_page_without_markers_is_refused_and_left_alone(tmp_path):
    page = tmp_path / "page.md"
    for text in ("", "<!-- end -->\n<!-- tables -->\n"):
        page.write_text(text)
        with pytest.raises(InputError, match="no place for tables"):
            rewrite(page, "new")
        assert page.read_text() == text


def test_methods_go_from_plain_to_sharp():
    names = [FAITHFUL, EDDY, "nearest", LANCZOS, "bicubic", "back-projected bicubic"]
    plain = ["nearest", "bicubic", LANCZOS, "back-projected bicubic", "Wiener filter"]
    assert order([*names, "Wiener filter"]) == [*plain, FAITHFUL, EDDY]


def test_a_score_that_is_not_defined_is_a_dash_and_meets_nothing():
    warm = sequence(frames=2) + 60
    evaluation = evaluate(warm, {FAITHFUL: noisy(warm), EDDY: noisy(warm)})
    (fss,) = [told for told in verdicts(evaluation) if told["target"].startswith("FSS at 225")]
    assert fss["value"] is None and fss["met"] == "not met"
    assert math.isnan(evaluation.scores[EDDY]["fss_225"].value)
