"""The command line as a person meets it: each command, and each mistake."""

import hashlib
import html
import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from cli_cases import exit_code, run
from tempogan_eddy import InputError, coarsen, load_model, open_sequence, save_sequence
from tempogan_eddy.cli import progress
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.training.checkpoint import claimed_folder
from tempogan_eddy.training.trainer import TempoGANTrainer
from training_cases import moving_clouds, small_config, write_storms


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


@pytest.fixture(scope="module")
def model(tmp_path_factory, storms):
    return TempoGANTrainer(small_config(tmp_path_factory.mktemp("model"), storms, epochs=1)).train().best_model


def refused(capsys, *words):
    """The one clear sentence of a command that exits with code 2."""
    code, _, error = run(capsys, *words)
    assert code == 2, error
    assert "Traceback" not in error
    sentence = error.strip().splitlines()[-1]
    assert sentence.startswith("Error: ")
    return sentence


def test_an_option_that_changes_nothing_is_refused_or_told(capsys, tmp_path, storms, model):
    words = ("reconstruct", storms, "-o", tmp_path / "fine.zarr", "--model", model)
    assert "--set sensor.kind changes nothing in this command" in refused(
        capsys, *words, "--set", "data.unreadable=gap", "--set", "sensor.kind=gaussian"
    )
    assert "--set data.kelvin_range changes nothing" in refused(
        capsys, "check", storms, "--set", "data.kelvin_range=[180, 310]"
    )
    assert "Several storms go into one Zarr store; leave out --format png" in refused(capsys, *words, "--format", "png")
    pictures = tmp_path / "pictures"
    save_sequence(coarsen(open_sequence(storms / "storm1.nc"))[:1], pictures, format="png")
    code, _, error = run(capsys, "info", pictures, "--variable", "Tb")
    assert code == 0 and "PNG has neither variables" in error
    assert "variables" not in run(capsys, "info", storms / "storm1.nc", "--time-from", "name")[2]
    with pytest.raises(InputError, match="says its units itself; leave out kelvin=True"):
        coarsen(storms / "storm1.nc", kelvin=True)


def test_help_tells_every_command(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for command in (
        "train",
        "reconstruct",
        "evaluate",
        "animate",
        "coarsen",
        "pack",
        "synthesize",
        "info",
        "config",
        "split",
    ):
        assert command in out


def test_from_fine_to_coarse_to_fine_to_scores(capsys, tmp_path, storms, model):
    truth, coarse, fine = storms / "storm1.nc", tmp_path / "coarse.nc", tmp_path / "fine.zarr"
    assert run(capsys, "coarsen", truth, "-o", coarse)[0] == 0
    assert run(capsys, "reconstruct", coarse, "-o", fine, "--model", model)[0] == 0
    code, out, _ = run(
        capsys, "evaluate", "--truth", truth, "--reconstructed", fine, "--lowres", coarse,
        "--json", tmp_path / "s.json", "--csv", tmp_path / "s.csv", "--figures", tmp_path,
    )  # fmt: skip
    assert code == 0
    assert "RMSE" in out
    assert "bicubic" in out
    scores = json.loads((tmp_path / "s.json").read_text())["storms"][0]
    assert scores["frames"] == 12
    assert (tmp_path / "s.csv").read_text().startswith("storm,method,metric")
    assert (tmp_path / "storm1-crops.png").stat().st_size > 10_000
    assert (tmp_path / "storm1-spectra.png").exists()
    history = open_sequence(fine).attrs["history"]
    assert "reconstruct" in history
    assert "coarsen" in history


@pytest.fixture(scope="module")
def triplet(tmp_path_factory, storms, model):
    """Truth, coarse and reconstructed files of one storm."""
    folder = tmp_path_factory.mktemp("triplet")
    truth, coarse, fine = storms / "storm1.nc", folder / "coarse.nc", folder / "fine.nc"
    for words in (["coarsen", truth, "-o", coarse], ["reconstruct", coarse, "-o", fine, "-m", model]):
        assert exit_code(*words) == 0
    return truth, coarse, fine


def test_several_reconstructions_stand_in_one_table(capsys, tmp_path, triplet, model):
    truth, coarse, fine = triplet
    plain, scores, page = tmp_path / "plain.nc", tmp_path / "s.json", tmp_path / "page.html"
    assert run(capsys, "reconstruct", coarse, "-o", plain, "--model", model, "--packed")[0] == 0
    words = ("evaluate", "--truth", truth, "--reconstructed", fine, "--lowres", coarse, "--json", scores)
    code, out, _ = run(capsys, *words, "--compare", f"plain={plain}", "--report", page)
    assert code == 0
    assert "plain" in out
    by_method = json.loads(scores.read_text())["storms"][0]["scores"]
    assert {"reconstructed", "plain", "bicubic"} <= by_method.keys()
    assert by_method["plain"]["rmse"]["value"] == pytest.approx(by_method["reconstructed"]["rmse"]["value"], abs=0.01)
    assert "plain" in page.read_text()
    for wrong in (str(plain), f"={plain}", "plain=", f"reconstructed={plain}"):
        code, _, err = run(capsys, *words, "--compare", wrong)
        assert code == 2
        assert "NAME=PATH" in err


@pytest.fixture(scope="module")
def report(triplet, model):
    """The page of an evaluation."""
    truth, coarse, fine = triplet
    page = fine.with_name("report.html")
    words = ("--truth", truth, "--reconstructed", fine, "--lowres", coarse, "--model", model, "--report", page)
    assert exit_code("evaluate", *words) == 0
    return page


def test_a_report_tells_the_model_and_the_commands(report, triplet, model):
    text = html.unescape(report.read_text())
    assert f"tempogan-eddy coarsen {triplet[0]} -o {triplet[1]}" in text.replace(" \\\n   ", "")
    assert hashlib.sha256(model.read_bytes()).hexdigest() in text
    assert "the fingerprints are equal" in text
    assert "Not held out" in text  # storm1 is what the model was trained on


def test_a_report_with_a_wrong_name_or_model_is_refused_before_scoring(capsys, tmp_path, triplet):
    words = ("evaluate", "--truth", triplet[0], "--reconstructed", triplet[2], "--report")
    assert "does not end in .html" in refused(capsys, *words, tmp_path / "r.txt")
    assert "does not exist" in refused(capsys, *words, tmp_path / "r.html", "--model", tmp_path / "no.safetensors")
    assert not list(tmp_path.iterdir())


def test_json_of_an_evaluation_is_alone_on_standard_output(capsys, triplet, tmp_path):
    words = ("--truth", triplet[0], "--reconstructed", triplet[2], "--lowres", triplet[1], "--csv", tmp_path / "s.csv")
    code, out, error = run(capsys, "evaluate", *words, "--json", "-")
    assert code == 0 and json.loads(out)["storms"][0]["frames"] == 12
    assert "RMSE" in error and "s.csv" in error


def test_only_chosen_metrics_are_scored(capsys, triplet, tmp_path):
    words = ("evaluate", "--truth", triplet[0], "--reconstructed", triplet[2])
    code, out, _ = run(capsys, *words, "--metrics", "lsd, rmse", "--metrics", "psnr", "--json", tmp_path / "s.json")
    assert code == 0 and "PSNR" in out and "tOF" not in out
    stored = json.loads((tmp_path / "s.json").read_text())["storms"][0]
    assert list(stored["metrics"]) == list(stored["scores"]["bicubic"]) == ["lsd", "rmse", "psnr"]
    assert stored["error_by_kelvin"] == [] and stored["spectra"] is None
    assert "metric 'wit' is unknown; use rmse" in refused(capsys, *words, "--metrics", "wit")
    assert "leave out --metrics" in refused(capsys, *words, "--metrics", "rmse", "--report", tmp_path / "r.html")


def test_an_animation_of_what_was_read_and_rebuilt(capsys, tmp_path, storms, triplet):
    truth, coarse, fine = triplet
    words = ("animate", coarse, fine, storms, "--storm", "storm1", "--labels", "input,ours,truth", "--colours", "bd")
    code, out, _ = run(capsys, *words, "--width", 400, "--every", 5, "--credit", "me", "-o", tmp_path / "a.webp")
    assert code == 0 and "a.webp: 3 frames of " in out
    assert Image.open(tmp_path / "a.webp").n_frames == 3
    assert "one label for each" in refused(capsys, "animate", truth, "--labels", "a,b", "-o", tmp_path / "b.gif")
    assert "TOP,LEFT" in refused(capsys, "animate", truth, "--crop", "1,2,3", "-o", tmp_path / "b.gif")
    assert "does not end in" in refused(capsys, "animate", truth, "-o", tmp_path / "b.avi")
    assert "hold" in refused(capsys, "animate", storms, "-o", tmp_path / "b.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.webp"]


def facts(capsys, path):
    """What info says of one file, as JSON."""
    code, out, error = run(capsys, "info", path, "--json")
    assert code == 0, error
    return next(iter(json.loads(out).values()))


def test_info_tells_anything_that_a_command_reads_or_writes(capsys, tmp_path, storms, triplet, report, model):
    fine = triplet[2]
    run(
        capsys,
        "evaluate",
        "--truth",
        triplet[0],
        "--reconstructed",
        fine,
        "--json",
        tmp_path / "s.json",
        "--metrics",
        "rmse",
    )
    run(capsys, "export", model, "-o", tmp_path / "m.onnx")
    for suffix in ("webp", "gif", "png", "mp4"):
        run(capsys, "animate", fine, "-o", tmp_path / f"a.{suffix}", "--width", 300, "--every", 4)
    run(capsys, "pack", storms, "-o", tmp_path / "p.zarr")
    run(capsys, "coarsen", fine, "-o", tmp_path / "png", "--format", "png")
    fingerprint = hashlib.sha256(model.read_bytes()).hexdigest()
    assert facts(capsys, model)["sha256"] == fingerprint
    assert facts(capsys, next(model.parent.glob("*.pth")))["what"] == "model"
    assert facts(capsys, fine)["super_resolution_model_sha256"] == fingerprint
    assert facts(capsys, fine)["what"] == "sequence, netcdf"
    assert facts(capsys, tmp_path / "png")["what"] == "sequence, png"
    assert facts(capsys, tmp_path / "p.zarr")["what"] == "packed store"
    assert facts(capsys, tmp_path / "m.onnx")["scale"] == 4
    assert facts(capsys, "configs/config.json")["what"].startswith("configuration")
    for path in (tmp_path / "s.json", report):
        assert facts(capsys, path)["storm1"].startswith("12 frames, x4; RMSE: reconstructed ")
    for suffix in ("webp", "gif", "png", "mp4"):
        shown = facts(capsys, tmp_path / f"a.{suffix}")
        assert shown["what"].startswith("animation") and shown["frames"].startswith("3 of ")
        assert " a second" in shown["frames"]
    assert fingerprint in run(capsys, "info", model)[1]  # not cut off


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", b"hello", "nothing that TempoGAN-Eddy reads"),
        ("noise.nc", bytes(range(256)), "noise.nc"),
        ("noise.onnx", bytes(range(256)), "noise.onnx"),
        ("noise.webp", bytes(range(256)), "cannot be read as a picture"),
        ("noise.mp4", bytes(range(256)), "cannot be read as a film"),
        ("other.html", b"<p>hello</p>", "no report"),
        ("other.json", b'{"a": 1}', "other.json"),
        ("scores.json", b'{"storms": [1]}', "write them anew"),
        ("noise.safetensors", bytes(range(256)), "not a safetensors file"),
    ],
)
def test_info_on_what_nobody_knows_is_one_sentence(capfd, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert words in refused(capfd, "info", tmp_path / name)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("animate --colours ", {"grey", "bd", "infrared", "viridis"}),
        ("reconstruct x.nc --model ", {"faithful", "eddy", "ensemble", "faithful-2x"}),
        ("reconstruct x.nc --engine o", {"onnxruntime", "openvino"}),
        ("an", {"animate"}),
    ],
)
def test_the_shell_completes_names(capsys, monkeypatch, words, offered):
    monkeypatch.setattr(sys, "argv", ["tempogan-eddy"])
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None)  # of pytest, which is not the command
    monkeypatch.setenv("_TEMPOGAN_EDDY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"tempogan-eddy {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" "))))
    assert set(run(capsys)[1].split()) == offered


def test_an_archive_of_which_nothing_can_be_used_writes_nothing(capsys, tmp_path, storms):
    for number in range(2):
        undated = xr.open_dataset(storms / "storm0.nc").isel(time=number).drop_vars("time").drop_encoding()
        undated.attrs = {}
        (tmp_path / "frames").mkdir(exist_ok=True)
        undated.to_netcdf(tmp_path / "frames" / f"frame_{number}.nc")
    output = tmp_path / "out" / "fine.zarr"
    code, _, error = run(capsys, "reconstruct", tmp_path / "frames", "-o", output, "--model", "faithful")
    assert (code, error.count("left out: ")) == (2, 1)
    assert "True of 2 (frame_0, frame_1): brightness_temperature has no time coordinate" in error
    assert "None of the 2 sequences can be used" in error
    assert not list(tmp_path.glob("out/*")) and not list(tmp_path.glob("out/.*"))


def test_several_storms_are_scored_each_against_its_own_truth(capsys, tmp_path, storms):
    coarse, fine = tmp_path / "coarse", tmp_path / "fine"
    for name in ("storm0", "storm1"):
        run(capsys, "coarsen", storms / f"{name}.nc", "-o", coarse / f"{name}.nc", "--scale", 2)
        save_sequence(open_sequence(storms / f"{name}.nc") + 1, fine / f"{name}.nc")
    words = ("evaluate", "--truth", storms, "--reconstructed", fine, "--lowres", coarse, "--json", tmp_path / "s.json")
    words = (*words, "--metrics", "bias")
    code, _, error = run(capsys, *words)
    assert code == 0, error
    scores = json.loads((tmp_path / "s.json").read_text())["storms"]
    assert [entry["storm"] for entry in scores] == ["storm0", "storm1", "all storms"]
    assert all(entry["scores"]["reconstructed"]["bias"]["value"] == pytest.approx(1, abs=1e-3) for entry in scores)
    assert run(capsys, *words, "--storm", "storm1")[0] == 0
    assert [entry["storm"] for entry in json.loads((tmp_path / "s.json").read_text())["storms"]] == ["storm1"]
    assert "it holds storm0, storm1" in refused(capsys, *words, "--storm", "storm2")
    late = open_sequence(fine / "storm1.nc").compute()
    save_sequence(late.assign_coords(time=late["time"] + np.timedelta64(9, "D")), fine / "storm1.nc")
    assert "storm1: The sequences have no time in common" in refused(capsys, *words)


def test_scale_format_and_ranges_of_an_evaluation_can_be_told(capsys, tmp_path, storms):
    truth = tmp_path / "truth"
    save_sequence(open_sequence(storms / "storm1.nc"), truth / "one.nc")
    save_sequence(open_sequence(storms / "storm1.nc"), truth / "two.zarr")
    words = ("evaluate", "--truth", truth, "--reconstructed", storms / "storm1.nc", "--input-format", "netcdf")
    assert "--scale" in refused(capsys, *words)
    words = (*words, "--metrics", "psnr,rmse")
    code, out, _ = run(capsys, *words, "--scale", 4, "--set", "data.kelvin_range=[180, 310]")
    assert code == 0
    assert "4x reconstruction" in out
    assert "data range 130 K (180-310 K)" in " ".join(out.split())


@pytest.mark.parametrize("name", ["out.nc", "out.zarr", "png", "digital-typhoon"])
def test_every_format_goes_in_and_out(capsys, tmp_path, storms, model, name):
    options = [] if "." in name else ["--format", name]
    assert run(capsys, "coarsen", storms / "storm1.nc", "-o", tmp_path / f"c{name}", *options)[0] == 0
    assert run(capsys, "reconstruct", tmp_path / f"c{name}", "-o", tmp_path / f"f{name}", "-m", model, *options)[0] == 0
    back = open_sequence(tmp_path / f"f{name}")
    assert back.shape == (12, 48, 48)
    assert (back["time"].values == moving_clouds(start="2001-08-01")["time"].values).all()


def test_time_and_storm_choose(capsys, tmp_path, storms):
    code, out, _ = run(
        capsys,
        "coarsen",
        storms,
        "--storm",
        "storm0",
        "--time",
        "2000-08-01T03/2000-08-01T05",
        "-o",
        tmp_path / "c.nc",
    )
    assert code == 0
    assert "3 frames of 12x12" in out
    assert "storm0, storm1" in refused(capsys, "coarsen", storms, "-o", tmp_path / "c.nc")


def test_config_prints_what_holds(capsys):
    code, out, _ = run(capsys, "config", "configs/config.json", "--set", "training.epochs=20")
    assert code == 0
    assert json.loads(out)["training"]["epochs"] == 20
    assert "training.lambda_adv_t = 0.001  #" in run(capsys, "config", "--describe")[1]
    assert json.loads(run(capsys, "config", "--json")[1])["training"]["epochs"] == 100
    assert "--describe or --json" in refused(capsys, "config", "--describe", "--json")


def test_config_reads_the_file_of_the_folder_as_other_commands_do(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    for name, epochs in (("configs/config.json", 7), ("own.json", 8)):
        (tmp_path / name).write_text(json.dumps({"training": {"epochs": epochs}}))
    for words, epochs in (((), 7), (("-c", "own.json"), 8), (("own.json",), 8)):
        assert json.loads(run(capsys, "config", *words)[1])["training"]["epochs"] == epochs


def test_an_unknown_option_that_is_a_setting_says_how_to_set_it(capsys):
    found = refused(capsys, "train", "--epochs", 1)
    assert found.endswith("No such option: --epochs (Possible options: --set training.epochs=...)")
    assert "--set training.batch_size=..." in refused(capsys, "train", "--batch-size=4")
    assert "--set" not in refused(capsys, "train", "--colour", "red")


def test_split_prints_every_frame_once(capsys, storms, tmp_path):
    config = tmp_path / "c.json"
    config.write_text(small_config(tmp_path, storms).to_json())
    rows = json.loads(run(capsys, "split", storms, "-c", config, "--json")[1])
    assert {row["split"] for row in rows} == {"train", "val"}
    assert sum(len(row["times"]) for row in rows) == 24


@pytest.fixture
def half_hourly(tmp_path):
    """A storm whose frames are half an hour apart, to some seconds, in a file."""
    storm = moving_clouds(frames=40, name="half")
    steps = np.arange(40) * np.timedelta64(1800, "s") + np.resize([0, 21, 20], 40).astype("timedelta64[s]")
    times = (storm["time"].values[0] + steps).astype("datetime64[ns]")
    save_sequence(storm.assign_coords(time=("time", times, storm["time"].attrs)), tmp_path / "half.nc")
    return tmp_path / "half.nc"


def test_split_tells_the_windows_of_every_part_and_what_would_give_some(capsys, half_hourly):
    alone = ("--set", "data.split.guard_hours=0")
    hourly = run(capsys, "split", half_hourly, *alone)[1].splitlines()
    assert hourly[0].startswith("train half: 28 frames, 24 windows, 2001-08-01T00:00 to")
    assert hourly[-1] == "half: times up to 21s off the cadence are tolerated"
    rows = json.loads(run(capsys, "split", half_hourly, *alone, "--set", "data.cadence=native", "--json")[1])
    assert [row["windows"] for row in rows] == [26, 4, 4]
    assert rows[0]["seconds_off_cadence"] == 21
    out = run(capsys, "split", half_hourly, *alone, "--set", "data.cadence=45min")[1]
    assert "28 frames, 0 windows (28 frames in none)" in out
    assert out.count("its frames are 30min apart; set data.cadence to 30min or native") == 3


def test_info_counts_windows_an_hour_and_a_step_apart(capsys, half_hourly):
    (facts,) = json.loads(run(capsys, "info", half_hourly, "--json")[1]).values()
    assert facts["windows"] == {"1h": 36, "30min": 38}
    assert facts["times off their cadence"] == "up to 21s"
    assert facts["time steps"] == "39 of 30 min"


@pytest.mark.parametrize(("option", "cadence"), [([], "3h"), (["--set", "data.cadence=1h"], "1h")])
def test_evaluate_obeys_a_cadence_that_was_asked_for_and_finds_one_otherwise(
    capsys, tmp_path, monkeypatch, option, cadence
):
    monkeypatch.chdir(tmp_path)
    slow = moving_clouds(frames=3, size=96)
    slow = slow.assign_coords(time=slow["time"].values[0] + np.arange(3) * np.timedelta64(3, "h"))
    save_sequence(slow, tmp_path / "a.nc")
    words = ("--truth", "a.nc", "--reconstructed", "a.nc", "--scale", 4, "--no-baselines", "--json", "-")
    (scores,) = json.loads(run(capsys, "evaluate", *words, *option)[1])["storms"]
    assert (scores["cadence"], scores["pairs"]) == (cadence, 2 if cadence == "3h" else 0)


def test_info_tells_what_a_model_and_data_are(capsys, storms, model):
    out = run(capsys, "info", model, "--json")[1]
    facts = next(iter(json.loads(out).values()))
    assert facts["scale"] == "x4"
    assert facts["kelvin range"] == "170 to 320 K"
    assert "12 of 48x48" in run(capsys, "info", storms)[1]


def test_info_prints_the_configuration_that_trains_the_same_model(capsys, tmp_path, storms, model):
    code, out, _ = run(capsys, "info", model, "--config")
    assert code == 0
    (tmp_path / "c.json").write_text(out)
    assert load_config(tmp_path / "c.json").model_dump(mode="json") == load_model(model).config
    assert "no configuration" in refused(capsys, "info", storms, "--config")


def test_python_m_runs_the_same_command():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tempogan_eddy", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.stdout.startswith("tempogan-eddy 0.")


@pytest.mark.skipif(os.name == "nt", reason="a shell closes the streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_runs_without_standard_streams(tmp_path, storms, closed):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-m", "tempogan_eddy", "coarsen", storms / "storm1.nc", "-o", tmp_path / "c.nc"]
    command = f"{shlex.join(map(str, words))} {closed}"
    assert subprocess.run(["sh", "-c", command], env=environment, capture_output=True).returncode == 0
    assert open_sequence(tmp_path / "c.nc").sizes["time"] == 12


def test_a_long_command_tells_now_and_then_how_far_it_is(capsys, tmp_path, storms, monkeypatch):
    words = ("coarsen", storms / "storm1.nc", "-o", tmp_path / "c.nc")
    assert "of 12 frames" not in run(capsys, *words)[2]
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 0.0)
    assert re.search(r"coarsening: 12 of 12 frames, [\d.]+ frames/s, 0:00:00 left", run(capsys, *words)[2])
    synthesize = ("synthesize", "-o", tmp_path / "s.nc", "--storms", 1, "--frames", 2, "--size", 32)
    assert "simulating 200001: 1 of 2 frames" in run(capsys, *synthesize)[2]


def test_the_rate_of_many_storms_is_that_of_all_their_frames(monkeypatch, caplog):
    caplog.set_level("INFO")
    clock = iter(range(100))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 4.0)
    with progress.storm_progress("reconstructing", 9) as advance:
        for storm in "abc":
            for frame in (1, 2):
                advance(storm, frame, 2)
    assert caplog.messages == ["reconstructing b (storm 2 of 9): 2 of 2 frames, 1.0 frames/s"]


def test_celsius_called_kelvin_is_refused(capsys, tmp_path, model):
    celsius = moving_clouds(frames=2) - 273.15
    celsius.assign_attrs(moving_clouds().attrs).to_netcdf(tmp_path / "celsius.nc")
    words = ("reconstruct", tmp_path / "celsius.nc", "-o", tmp_path / "o.nc", "-m", model)
    assert "set the attribute units to degrees_Celsius" in refused(capsys, *words)
    assert not (tmp_path / "o.nc").exists()
    words = ("evaluate", "--truth", tmp_path / "celsius.nc", "--reconstructed", tmp_path / "celsius.nc", "--scale", 4)
    assert "check its units" in refused(capsys, *words)


def test_a_file_is_called_by_its_own_name_or_its_storms(capsys, tmp_path):
    save_sequence(moving_clouds(frames=2), tmp_path / "other.nc")
    for storm in ("clouds", "other"):
        words = ("coarsen", tmp_path / "other.nc", "--storm", storm, "-o", tmp_path / f"coarse-{storm}.nc")
        assert run(capsys, *words)[0] == 0
    words = ("coarsen", tmp_path / "other.nc", "--storm", "third", "-o", tmp_path / "o.nc")
    assert "no sequence 'third'" in refused(capsys, *words)


# --- wrong input: one clear sentence, exit code 2, nothing left behind


def test_a_place_that_cannot_be_written_is_refused_before_the_model_is_read(capsys, tmp_path, storms):
    words = ("reconstruct", storms / "storm1.nc", "-m", tmp_path / "no.safetensors")
    assert "tell its format" in refused(capsys, *words, "-o", tmp_path / "o.xyz")
    assert "where the input is read from" in refused(capsys, *words, "-o", storms / "storm1.nc")
    assert "in a folder that the input is read from" in refused(capsys, *words, "-o", storms / "storm1.nc" / "o.nc")
    (tmp_path / "notes.txt").touch()
    assert "is a file, not a folder" in refused(capsys, *words, "-o", tmp_path / "notes.txt" / "o.nc")
    assert "no.safetensors does not exist" in refused(capsys, *words, "-o", tmp_path / "o.nc")


def test_an_export_is_no_model(capsys, tmp_path, storms):
    (tmp_path / "m.onnx").write_bytes(b"x")
    words = ("reconstruct", storms / "storm1.nc", "-m", tmp_path / "m.onnx", "-o", tmp_path / "o.nc")
    assert "the model that it was made from" in refused(capsys, *words)


def test_an_earlier_run_is_told_of_before_data_are_read(capsys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best_model.safetensors").touch()
    (tmp_path / "void").mkdir()
    words = ("train", "--data", tmp_path / "void", "--set", f"training.checkpoint_dir={tmp_path}/run")
    assert "holds a model but no checkpoint to resume from" in refused(capsys, *words)
    (tmp_path / "run" / "checkpoint_epoch_0001.pth").touch()
    assert "go on with --resume auto" in refused(capsys, *words)


def test_a_run_in_progress_is_told_of_before_its_checkpoints_are_looked_at(capsys, tmp_path):
    words = ("train", "--data", tmp_path, "--set", f"training.checkpoint_dir={tmp_path}/run", "--resume", "auto")
    with claimed_folder(tmp_path / "run"):
        (tmp_path / "run" / "checkpoint_epoch_0001.pth").write_bytes(b"removed while it is read")
        assert "is being written by process" in refused(capsys, *words)


def test_a_run_holds_its_folder_while_it_reads_its_data(capsys, tmp_path, monkeypatch):
    def second_run(*_):
        with claimed_folder(tmp_path / "run"):
            pass

    monkeypatch.setattr("tempogan_eddy.training.trainer.TempoGANTrainer", second_run)
    words = ("train", "--data", tmp_path, "--set", f"training.checkpoint_dir={tmp_path}/run")
    assert "is being written by process" in refused(capsys, *words)


def test_a_folder_made_for_a_run_that_cannot_begin_does_not_stay(capsys, tmp_path):
    words = ("train", "--data", tmp_path, "--set", f"training.checkpoint_dir={tmp_path}/run", "--resume", "no.pth")
    assert "no.pth" in refused(capsys, *words)
    assert not (tmp_path / "run").exists()


def test_missing_folder(capsys, tmp_path):
    assert "nowhere" in refused(capsys, "coarsen", tmp_path / "nowhere", "-o", tmp_path / "o.nc")


def test_empty_folder(capsys, tmp_path):
    (tmp_path / "void").mkdir()
    assert "void" in refused(capsys, "coarsen", tmp_path / "void", "-o", tmp_path / "o.nc")


def test_training_without_data(capsys, tmp_path):
    assert "synthesize" in refused(capsys, "train", "--data", tmp_path / "nowhere")


def test_one_frame_is_too_few_to_train(capsys, tmp_path):
    save_sequence(moving_clouds(frames=1), tmp_path / "d" / "one.nc")
    sentence = refused(capsys, "train", "--data", tmp_path / "d", "--set", f"data.cache_dir={tmp_path}/cache")
    assert "three frames" in sentence or "leaves no frame" in sentence


def test_one_frame_is_enough_to_reconstruct(capsys, tmp_path, model):
    save_sequence(moving_clouds(frames=1), tmp_path / "one.nc")
    assert run(capsys, "reconstruct", tmp_path / "one.nc", "-o", tmp_path / "o.nc", "-m", model)[0] == 0
    assert open_sequence(tmp_path / "o.nc").shape == (1, 192, 192)


def test_a_frame_of_another_size(capsys, tmp_path):
    save_sequence(moving_clouds(frames=3), tmp_path / "p", format="png")
    save_sequence(moving_clouds(frames=1, size=40), tmp_path / "q", format="png")
    next((tmp_path / "q").glob("*.png")).rename(tmp_path / "p" / "frame_009.png")
    assert "frame_009.png" in refused(capsys, "coarsen", tmp_path / "p", "-o", tmp_path / "o.nc")


def test_truncated_hdf5(capsys, tmp_path):
    save_sequence(moving_clouds(frames=3), tmp_path / "b", format="digital-typhoon")
    broken = sorted((tmp_path / "b").rglob("*.h5"))[1]
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    assert broken.name in refused(capsys, "coarsen", tmp_path / "b", "-o", tmp_path / "o.nc")
    assert not list(tmp_path.glob("*o.nc*"))
    assert not list(tmp_path.glob(".o*"))
    code, out, _ = run(capsys, "coarsen", tmp_path / "b", "-o", tmp_path / "o.nc", "--set", "data.unreadable=gap")
    assert code == 0
    assert "2 frames" in out


def test_text_named_png(capsys, tmp_path):
    save_sequence(moving_clouds(frames=3), tmp_path / "p", format="png")
    (tmp_path / "p" / "frame_002.png").write_text("this is text")
    assert "frame_002.png" in refused(capsys, "coarsen", tmp_path / "p", "-o", tmp_path / "o.nc")


def test_times_that_go_back_are_sorted_aloud(capsys, tmp_path):
    da = moving_clouds(frames=4)
    da.isel(time=[0, 2, 1, 3]).to_netcdf(tmp_path / "back.nc")
    da.to_netcdf(tmp_path / "plain.nc")
    code, _, err = run(capsys, "coarsen", tmp_path / "back.nc", "-o", tmp_path / "o.nc")
    assert code == 0
    assert "sorted" in err
    run(capsys, "coarsen", tmp_path / "plain.nc", "-o", tmp_path / "p.nc")
    sorted_, plain = (open_sequence(tmp_path / name) for name in ("o.nc", "p.nc"))
    np.testing.assert_array_equal(sorted_.values, plain.values)
    np.testing.assert_array_equal(sorted_["time"], plain["time"])


def test_a_wider_range_of_kelvin_holds_from_reading_to_writing(capsys, tmp_path, model):
    hot = moving_clouds(frames=2)
    hot[:] = 338.0
    hot.to_netcdf(tmp_path / "hot.nc")
    wider = ("--set", "data.valid_kelvin=[160,345]")
    assert run(capsys, "reconstruct", tmp_path / "hot.nc", "-o", tmp_path / "o.nc", "-m", model, *wider)[0] == 0
    assert (open_sequence(tmp_path / "o.nc", valid_kelvin=(160, 345)) > 330).all()
    assert open_sequence(tmp_path / "o.nc", valid_kelvin=(160, 345)).notnull().all()


def test_a_frame_of_nan_passes_as_missing(capsys, tmp_path, model):
    da = moving_clouds(frames=3)
    da[1] = np.nan
    save_sequence(da, tmp_path / "nan.nc")
    assert run(capsys, "reconstruct", tmp_path / "nan.nc", "-o", tmp_path / "o.nc", "-m", model)[0] == 0
    missing = np.isnan(open_sequence(tmp_path / "o.nc").values).mean(axis=(1, 2))
    assert missing.tolist() == [0, 1, 0]


def test_a_wrong_key_and_a_wrong_type(capsys, tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{"training": {"epoch": 3}}')
    assert "training.epoch" in refused(capsys, "train", "-c", path)
    path.write_text('{"training": {"epochs": "three"}}')
    assert "training.epochs" in refused(capsys, "train", "-c", path)


def test_a_checkpoint_of_another_model(capsys, tmp_path, storms, model):
    checkpoint = next(model.parent.glob("checkpoint_epoch_*.pth"))
    assert "another model" in refused(capsys, "train", "--data", storms, "--resume", checkpoint)


def test_an_output_whose_name_tells_no_format(capsys, tmp_path, storms):
    assert "format" in refused(capsys, "coarsen", storms / "storm1.nc", "-o", tmp_path / "out")


def test_the_input_is_never_written_over(capsys, storms, model):
    before = (storms / "storm1.nc").read_bytes()
    refused(capsys, "reconstruct", storms / "storm1.nc", "-o", storms / "storm1.nc", "-m", model)
    assert (storms / "storm1.nc").read_bytes() == before


def test_evaluating_what_does_not_belong_together(capsys, tmp_path, storms):
    assert refused(capsys, "evaluate", "--truth", storms / "storm0.nc", "--reconstructed", storms / "storm1.nc")


def test_a_time_outside_the_sequence(capsys, tmp_path, storms):
    words = ("coarsen", storms / "storm1.nc", "-o", tmp_path / "o.nc", "--time")
    assert "2001-08-01" in refused(capsys, *words, "../1987-04-14")
    assert "interval" in refused(capsys, *words, "yesterday/..")


def test_a_folder_is_never_replaced_by_a_file(capsys, tmp_path, storms):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "notes.txt").write_text("keep me")
    coarse = tmp_path / "c.nc"
    run(capsys, "coarsen", storms / "storm1.nc", "-o", coarse, "--scale", 2)
    words = ("evaluate", "--truth", storms / "storm1.nc", "--reconstructed", storms / "storm1.nc", "--lowres", coarse)
    assert "precious" in refused(capsys, *words, "--json", tmp_path / "precious")
    assert (tmp_path / "precious" / "notes.txt").read_text() == "keep me"
    refused(capsys, *words, "--json", ".")


def test_scores_replace_nothing_but_scores(capsys, tmp_path, storms):
    (tmp_path / "mine.json").write_text('{"training": {"epochs": 3}}')
    words = ("evaluate", "--truth", storms / "storm1.nc", "--reconstructed", storms / "storm1.nc")
    assert "mine.json" in refused(capsys, *words, "--json", tmp_path / "mine.json")
    assert "epochs" in (tmp_path / "mine.json").read_text()


def test_coarsen_sees_as_configured_where_no_option_tells(capsys, tmp_path, storms):
    settings = ["--set", "sensor.kind=gaussian", "--set", "sensor.sigma=1.5", "--set", "model.upsample_factor=2"]
    settings += ["--set", "model.scale_factor=2"]
    run(capsys, "coarsen", storms / "storm1.nc", "-o", tmp_path / "a.nc", *settings)
    run(capsys, "coarsen", storms / "storm1.nc", "-o", tmp_path / "b.nc", *settings, "--sensor", "area", "--scale", 4)
    first, second = (open_sequence(tmp_path / name).attrs for name in ("a.nc", "b.nc"))
    assert (first["sensor_model"], first["sensor_model_scale"], first["sensor_model_sigma"]) == ("gaussian", 2, 1.5)
    assert (second["sensor_model"], second["sensor_model_scale"]) == ("area", 4)


def test_coarsen_takes_presets_and_forms_and_writes_the_text(capsys, tmp_path, storms):
    python = coarsen(open_sequence(storms / "storm1.nc"), 2, sensor="gridsat", noise_kelvin=0.2)
    assert python.attrs["sensor_model_text"] == "box,width=0.5,noise=0.2"
    words = ("coarsen", storms / "storm1.nc", "-o", tmp_path / "low.nc")
    run(capsys, *words, "--sensor", "gridsat", "--noise", "0.2", "--scale", "2", "--set", "sensor=area,noise=3")
    written = open_sequence(tmp_path / "low.nc")
    np.testing.assert_allclose(written.values, python.values, atol=1e-3)
    assert SensorModel.from_attributes(written.attrs, 2) == SensorModel.parse("gridsat,noise=0.2", 2)
    assert "did you mean 'fwhm'?" in refused(capsys, *words, "--sensor", "seviri,fwm=1")
    assert "noise_kelvin = nan" in refused(capsys, *words, "--noise", "nan")


def test_a_text_file_is_never_replaced_by_netcdf(capsys, tmp_path, storms):
    (tmp_path / "notes.txt").write_text("keep me")
    words = ("coarsen", storms / "storm1.nc", "-o", tmp_path / "notes.txt", "--format", "netcdf")
    assert "notes.txt" in refused(capsys, *words)
    assert (tmp_path / "notes.txt").read_text() == "keep me"


def test_simulated_storms_never_replace_real_ones(capsys, tmp_path):
    real = moving_clouds(frames=3, name="200001")
    save_sequence(real, tmp_path / "WP", format="digital-typhoon")
    words = ("synthesize", "-o", tmp_path / "WP", "--storms", 1, "--frames", 2, "--size", 32)
    assert "real storms" in refused(capsys, *words, "--format", "digital-typhoon")
    assert open_sequence(tmp_path / "WP").sizes["time"] == 3


def test_a_data_folder_may_have_any_name(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "200001" in refused(capsys, "train", "--data", "200001")


@pytest.mark.parametrize("text", ["training.epochs=true", "data.cadence=soon", "training.lambda_content=.inf"])
def test_values_that_only_look_right(capsys, text):
    assert text.split("=")[0].split(".")[-1] in refused(capsys, "config", "--set", text)
