"""evaluate, pack and check by workers give what they give alone, and count what fails."""

from dataclasses import dataclass

import numpy as np
import pytest

from evaluation_cases import noisy, sequence
from tempogan_eddy import save_sequence
from tempogan_eddy.checking import check
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset import pack_frames
from tempogan_eddy.dataset.pack import pack
from tempogan_eddy.dataset.pack_frames import Packing
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import Mean, Metric, Statistic, evaluate, scoring
from test_pack_workers import contents
from training_cases import moving_clouds, write_storms

SIDE = (48, 48)
CHOSEN = ["rmse", "lsd", "lsd_hourly", "consistency_max"]
POOLS = ["threads:2", pytest.param("local:2", marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("tempogan_eddy.io.workers.PAUSES", (0.0,))


def truth_and_ours(frames=11):
    truth = sequence(frames=frames, shape=SIDE)
    return truth, noisy(truth)


def numbers(evaluation):
    return {
        (method, name): (score.value, score.low, score.high)
        for method, scores in evaluation.scores.items()
        for name, score in scores.items()
    }


@pytest.mark.parametrize("where", POOLS)
def test_workers_sum_in_the_order_of_the_frames(monkeypatch, where):
    monkeypatch.setattr(scoring, "FRAMES_OF_PART", 2)  # pairs reach over the ends of the parts
    truth, ours = truth_and_ours()
    ours[4] = np.nan
    done = []
    alone = evaluate(truth, ours, metrics=CHOSEN)
    spread = evaluate(truth, ours, metrics=CHOSEN, dask=where, progress=lambda *told: done.append(told))
    np.testing.assert_equal(numbers(spread), numbers(alone))
    assert (spread.frames, spread.pairs, spread.left_out) == (alone.frames, alone.pairs, alone.left_out)
    assert spread.example_time == alone.example_time
    assert done == [(number, 11) for number in range(1, 12)]


def test_an_ensemble_scores_the_same_by_workers():
    truth, ours = truth_and_ours(frames=3)
    members = np.stack([ours.values + shift for shift in (-1.0, 0.0, 2.0)])
    ensemble = ours.expand_dims(member=3).copy(data=members.astype("f4"))
    chosen = ["crps", "rmse", "crps_hourly"]
    alone = evaluate(truth, ensemble, metrics=chosen, baselines=False)
    assert numbers(evaluate(truth, ensemble, metrics=chosen, baselines=False, dask="threads:2")) == numbers(alone)


@dataclass(frozen=True)
class Refusing(Statistic):
    """Fails at the frames that begin with some values."""

    refused: tuple[float, ...]

    def compute(self, reconstructed, truth):
        if float(truth.values[0, 0]) in self.refused:
            raise InputError("the frame is broken")
        return Mean(1.0, 1.0)


def test_parts_that_cannot_be_scored_are_counted_and_named(monkeypatch, caplog):
    monkeypatch.setattr(scoring, "FRAMES_OF_PART", 2)
    truth, ours = truth_and_ours()
    metric = Metric("m", "M", "1", "lower", (Refusing(tuple(truth.values[[2, 9], 0, 0].tolist())),))
    with pytest.raises(InputError, match="2 parts failed after three tries each; the first: the frame is broken"):
        evaluate(truth, ours, baselines=False, metrics=[metric], dask="threads:2")
    assert "Frames 3 to 4 failed" in caplog.text and "Frames 9 to 10 failed" in caplog.text
    with pytest.raises(InputError, match=r"^the frame is broken$"):
        evaluate(truth, ours, baselines=False, metrics=[metric])


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"), size=32)


@pytest.mark.parametrize("where", POOLS)
def test_a_store_is_the_same_by_workers(tmp_path, storms, monkeypatch, where):
    alone = pack(storms, tmp_path / "alone.zarr", load_config({}))
    monkeypatch.setattr(pack_frames, "AT_ONCE", 3)
    spread = pack(storms, tmp_path / "spread.zarr", load_config({}), dask=where)
    assert contents(spread) == contents(alone)


def test_storms_that_are_packed_stay_though_a_part_of_another_fails(tmp_path, storms, monkeypatch, caplog):
    whole = pack(storms, tmp_path / "whole.zarr", load_config({}))
    packing = Packing.pack
    packed = []

    def refuse(self, part):
        packed.append(self.name)
        if self.name == "storm0" and part.start == 0 and packed.count("storm0") <= 2:
            raise InputError("x.h5 is broken")
        packing(self, part)

    monkeypatch.setattr(Packing, "pack", refuse)
    with pytest.raises(InputError, match=r"x\.h5 is broken"):
        pack(storms, tmp_path / "p.zarr", load_config({}), dask="threads:1")
    assert "of storm0 failed" in caplog.text
    packed.clear()
    packed += ["storm0"] * 2
    pack(storms, tmp_path / "p.zarr", load_config({}))
    assert "storm1" not in packed
    assert contents(tmp_path / "p.zarr") == contents(whole)


@pytest.mark.parametrize("where", POOLS)
def test_a_report_is_the_same_by_workers(tmp_path, where, caplog):
    for name in ("one", "two"):
        save_sequence(moving_clouds(frames=4, size=16, name=name), tmp_path / f"{name}.nc")
    cold = moving_clouds(frames=4, size=16, name="cold")
    cold[1] = 20.0  # no kelvin of a cloud: a warning of its reader, which is a note
    save_sequence(cold, tmp_path / "cold.nc", precision="exact")
    (tmp_path / "broken.nc").write_bytes(b"CDF\x01")
    alone = check([tmp_path])
    done = []
    assert check([tmp_path], dask=where, progress=lambda *told: done.append(told)) == alone
    assert any(sequence.notes for sequence in alone.sequences) and alone.refused
    assert len(done) == 12
    assert "lie outside" not in caplog.text
