"""The demonstration: first the released models, then a training that is interrupted and resumed, in one table."""

import importlib
from pathlib import Path

import pytest

from docs_cases import ROOT
from tempogan_eddy.config import load_config


@pytest.fixture
def demo(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.chdir(tmp_path)
    return importlib.import_module("demo")


def test_the_released_models_come_first_and_the_own_one_joins_their_table(demo, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(demo, "run", lambda *words: ran.append([*map(str, words)]))
    monkeypatch.setattr(demo, "interrupt", lambda words, model: ran.append(["interrupt", *map(str, words)]))
    monkeypatch.setattr(demo, "first_result", lambda *told: ran.append(["first result"]))
    demo.main(None)
    names = [words[0] for words in ran]
    shown = ["synthesize", "coarsen", "reconstruct", "reconstruct", "evaluate", "first result"]
    assert names == [*shown, "synthesize", "interrupt", "train", "reconstruct", "evaluate"]
    assert [words[-1] for words in ran[2:4]] == ["eddy", "faithful"]
    assert ran[8][-2:] == ["--resume", "auto"]
    first, last = ran[4], ran[10]
    compared = first[first.index("--compare") + 1]
    assert compared in last and any(word.startswith("own model=") for word in last)
    assert 'stands in the same table as "own model"' in capsys.readouterr().out


def test_the_first_result_names_the_page_and_the_viewer(demo, capsys):
    demo.first_result(Path("home"), "200001", Path("data"))
    told = capsys.readouterr().out
    assert "home/report.html" in told
    assert "tempogan-eddy view home/eddy.nc --lowres home/lowres.nc --truth data --storm 200001" in told


def test_each_data_has_a_folder_of_its_own(demo, tmp_path):
    folders = {demo.folder_of(data) for data in (None, tmp_path / "a" / "WP", tmp_path / "b" / "WP")}
    assert len(folders) == 3
    assert all(folder.parent == Path("demo") for folder in folders)


def test_the_demonstration_trains_a_fixed_number_of_steps_with_both_discriminators():
    training = load_config(ROOT / "configs" / "demo.json").training
    assert training.max_minutes == 0 and training.early_stopping_patience == 0
    assert training.pretrain_epochs < training.epochs
    assert min(training.lambda_adv_s, training.lambda_adv_t) > 0
