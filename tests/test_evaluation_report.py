import csv
import io
import json
import math

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from evaluation_cases import noisy, sequence
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.display.figures import save_crops, save_spectra
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Settings, combine, evaluate
from tempogan_eddy.evaluation.baselines import area_mean, back_projected
from tempogan_eddy.evaluation.bootstrap import Score
from tempogan_eddy.evaluation.metrics import metrics
from tempogan_eddy.evaluation.report import SCORES, TABLE, best, table, to_csv, to_json
from tempogan_eddy.io.ownership import owns


@pytest.fixture(scope="module")
def warm():
    truth = sequence(frames=14, shape=(48, 48), name="199901")
    truth = truth.copy(data=np.clip(truth.values, 260, None))
    return evaluate(truth, noisy(truth, 0.01))


@pytest.fixture(scope="module")
def evaluation():
    truth = sequence(frames=14, shape=(64, 64))
    return evaluate(truth, noisy(truth), settings=Settings(block="1h"))


def printed(evaluation, width=100):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(table(evaluation))
    return console.file.getvalue()


def test_the_table_fits_a_hundred_columns_and_states_its_ranges(evaluation):
    text = printed(evaluation)
    assert max(map(len, text.splitlines())) <= 100
    assert "…\n" not in text  # nothing was cut off
    for part in (
        "RMSE",
        "K  ↓",
        "dB →0",
        "data range 150 K",
        "5x5 pixels",
        "14 frames, 13 pairs 1h apart",
        "95%",
    ):
        assert part in text, part
    for method in ("reconstructed", "nearest", "bicubic", "back-projected"):
        assert method in text, method


def test_an_evaluation_shows_itself_as_its_table(evaluation):
    assert repr(evaluation) == printed(evaluation, width=110).rstrip()


def test_what_is_not_defined_is_a_dash_null_and_empty(warm, tmp_path):
    line = next(line for line in printed(warm).splitlines() if "FSS at 225 K" in line)
    assert line.count("–") == 5
    stored = json.loads(to_json([warm], tmp_path / "scores.json").read_text())
    assert stored["storms"][0]["scores"]["bicubic"]["fss_225"] == {"value": None, "low": None, "high": None}
    rows = list(csv.DictReader(to_csv([warm], tmp_path / "scores.csv").open()))
    assert next(row for row in rows if row["metric"] == "fss_225")["value"] == ""


def test_an_infinite_score_is_said_to_be_infinite(tmp_path):
    truth = sequence(frames=2, shape=(48, 48))
    perfect = evaluate(truth, truth.assign_attrs(scale=4), metrics=["psnr"], baselines=False)
    assert "∞" in printed(perfect)
    stored = json.loads(to_json([perfect], tmp_path / "scores.json").read_text())["storms"][0]
    expected = {"value": None, "low": None, "high": None, "reason": "infinite"}
    assert stored["scores"]["reconstructed"]["psnr"] == expected
    assert ",psnr,dB,inf,,\n" in to_csv([perfect], tmp_path / "scores.csv").read_text()


def test_json_and_csv_hold_every_score(evaluation, tmp_path):
    both = [evaluation, combine([evaluation])]
    stored = json.loads(to_json(both, tmp_path / "new" / "scores.json").read_text())["storms"]
    rows = list(csv.DictReader(to_csv(both, tmp_path / "new" / "scores.csv").open()))
    assert [storm["storm"] for storm in stored] == ["200717", "all storms"]
    assert stored[0]["settings"]["data_range"] == 150
    for storm, source in zip(stored, both, strict=True):
        for method, scores in source.scores.items():
            for name, score in scores.items():
                entry = storm["scores"][method][name]
                row = next(r for r in rows if (r["storm"], r["method"], r["metric"]) == (storm["storm"], method, name))
                if math.isfinite(score.value):
                    assert entry["value"] == float(row["value"]) == score.value
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"scores.json", "scores.csv"}


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        ((2.951, 2.98, 3.04, 3.06), {0, 1, 2}),  # 3.0, 3.0, 3.0, 3.1
        ((2.94, 2.96), {0}),  # 2.9, 3.0
        ((np.nan, 2.0), set()),  # alone
        ((np.nan, 2.0, np.inf), {1}),
    ],
)
def test_those_that_print_like_the_best_are_best(values, marked):
    excess = next(metric for metric in metrics() if metric.unit == "%")
    assert best(excess, [Score(value, np.nan, np.nan) for value in values]) == marked


def test_the_best_of_a_row_is_marked(evaluation):
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(table(evaluation))
    row = next(line for line in console.file.getvalue().splitlines() if "Bias" in line)
    assert "\x1b[1m" in row


def test_crops_show_every_panel_in_its_own_detail(tmp_path):
    truth = sequence(frames=3)
    path = save_crops(truth, noisy(truth), tmp_path / "crops.png", side=64, time=truth["time"].values[1])
    picture = np.asarray(Image.open(path).convert("L"), float)
    assert picture.shape[1] > 3 * picture.shape[0]
    quarter = picture.shape[1] // 4
    roughness = [
        np.abs(np.diff(picture[120:300, i * quarter + 60 : i * quarter + 200], axis=1)).mean() for i in range(4)
    ]
    assert roughness[1] < roughness[3]  # bicubic is smoother than the truth


def test_crops_of_a_missing_time_are_refused(tmp_path):
    truth = sequence(frames=3)
    with pytest.raises(InputError, match="no common frame"):
        save_crops(truth, noisy(truth), tmp_path / "crops.png", time=np.datetime64("1999-01-01"))
    assert not list(tmp_path.iterdir())


def test_spectra_are_drawn_for_one_storm(evaluation, tmp_path):
    path = save_spectra(evaluation, tmp_path / "spectra.png")
    assert Image.open(path).size[0] > 500
    with pytest.raises(InputError, match="no mean spectrum"):
        save_spectra(combine([evaluation, evaluation]), tmp_path / "none.png")


def test_spectra_of_several_reconstructions_are_drawn(tmp_path):
    truth = sequence(frames=2, shape=(64, 64))
    both = evaluate(truth, {"ours": noisy(truth), "worse": noisy(truth, 4.0)})
    assert Image.open(save_spectra(both, tmp_path / "spectra.png")).size[0] > 500


def test_without_intervals_the_footer_says_why_and_counts_in_the_singular():
    truth = sequence(frames=2, shape=(64, 64))
    text = " ".join(printed(evaluate(truth, noisy(truth))).split())
    assert "2 frames, 1 pair 1h apart" in text
    assert "No intervals: all frames lie within one block of 6h" in text
    assert "resamples of" not in text


def test_no_interval_rests_on_fewer_than_eight_blocks(evaluation, tmp_path):
    truth = sequence(frames=14, shape=(64, 64))
    few = evaluate(truth, noisy(truth), settings=Settings(block="2h"))
    text = " ".join(printed(few).split())
    assert "No intervals: all frames lie within 7 blocks of 2h, and an interval needs 8." in text
    assert text.count("interval") == 2 and "…" not in text
    stored = json.loads(to_json([few], tmp_path / "few.json").read_text())["storms"][0]
    rmse = stored["scores"]["bicubic"]["rmse"]
    assert rmse["low"] is None and rmse["high"] is None and rmse["value"] > 0
    assert rmse["reason"] == "no interval: 7 blocks of time, and 8 are needed"
    assert stored["error_by_kelvin"][0]["rmse"]["bicubic"]["low"] is None
    rows = list(csv.DictReader(to_csv([few], tmp_path / "few.csv").open()))
    assert {row["low"] for row in rows} == {row["high"] for row in rows} == {""}
    stored = json.loads(to_json([evaluation], tmp_path / "many.json").read_text())["storms"][0]
    assert stored["scores"]["bicubic"]["rmse"].keys() == {"value", "low", "high"}


def test_a_table_says_once_that_some_scores_have_no_interval():
    truth = sequence(frames=14, shape=(64, 64))
    truth = truth.copy(data=np.where(np.arange(14)[:, None, None] < 3, truth.values, np.maximum(truth.values, 230)))
    mixed = evaluate(truth, noisy(truth, 0.01), settings=Settings(block="1h"))
    assert mixed.scores["bicubic"]["cold_rmse"].blocks == 3
    assert "14 blocks of 1h; none that rests on fewer than 8 of them." in " ".join(printed(mixed).split())


def test_what_is_zero_by_construction_has_no_row():
    truth = sequence(frames=2, shape=(64, 64))
    exact = truth.copy(
        data=np.stack([back_projected(area_mean(frame, 4), SensorModel("area", 4)) for frame in truth.values])
    )
    text = printed(evaluate(truth, exact.assign_attrs(scale=4)))
    rows = [line.split()[0] for line in text.splitlines() if line.strip()]
    assert "Bias" not in rows
    assert "LR consistency, max" in text
    assert "Not shown, as 0 wherever a reconstruction keeps its input: Bias; LR consistency, RMS." in text


def test_files_of_scores_are_told_from_others(evaluation, tmp_path):
    scores, lines = to_json([evaluation], tmp_path / "a.json"), to_csv([evaluation], tmp_path / "a.csv")
    assert owns(scores, SCORES) and owns(lines, TABLE)
    assert not owns(scores, TABLE) and not owns(lines, SCORES)
    earlier = {"storms": json.loads(scores.read_text())["storms"]}
    (tmp_path / "b.json").write_text(json.dumps(earlier))
    assert owns(tmp_path / "b.json", SCORES)
    for name, text in (("c.json", '{"training": {}}'), ("d.json", "[1]"), ("e.csv", "time,kelvin"), ("f.json", "# x")):
        (tmp_path / name).write_text(text)
        assert not owns(tmp_path / name, SCORES) and not owns(tmp_path / name, TABLE)
