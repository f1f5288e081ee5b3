"""Pairs of one's own: lowres frames that are given and not simulated."""

import numpy as np
import pytest
import torch

from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.typhoon import TyphoonDataset
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import save_sequence
from tempogan_eddy.training.trainer import TempoGANTrainer
from training_cases import moving_clouds, small_config


def lowres_of(highres, offset=3.0):
    """What a blurring instrument sees that is 3 K too warm."""
    return SensorModel("gaussian", 4).coarsen(highres).compute() + offset


@pytest.fixture
def folders(tmp_path):
    """Two storms, seen by both instruments; the second one's lowres frames run from south to north and begin later."""
    for number in range(2):
        highres = moving_clouds(seed=number, name=f"storm{number}", start=f"200{number}-08-01")
        lowres = lowres_of(highres).assign_attrs(highres.attrs)
        if number:
            lowres = lowres.isel(time=slice(2, None), y=slice(None, None, -1))
        save_sequence(highres, tmp_path / "highres" / f"storm{number}.nc")
        save_sequence(lowres, tmp_path / "lowres" / f"storm{number}.nc")
    return tmp_path / "highres", tmp_path / "lowres"


def test_pairs_are_matched_by_name_time_and_grid(tmp_path, folders):
    config = small_config(tmp_path, folders[0], lowres_root=str(folders[1]), augment=False)
    seen = {}
    for split in ("train", "val"):
        dataset = TyphoonDataset(folders[0], split, config)
        (name,) = {window.storm.name for window in dataset.windows}
        seen[name] = dataset.full_frame(0)
        assert len(dataset) == {"storm0": 10, "storm1": 8}[name], "windows lie where both have frames"
    for number, first in ((0, 0), (1, 2)):
        highres = moving_clouds(seed=number, start=f"200{number}-08-01").isel(time=slice(first, first + 3))
        sample, lowres = seen[f"storm{number}"], lowres_of(highres).values
        np.testing.assert_allclose(sample["highres"][:, 0], highres.values, atol=0.006)
        np.testing.assert_allclose(sample["lowres"][:, 0], lowres, atol=0.006)
        np.testing.assert_allclose(sample["flow"][0], estimate_flow(lowres[1], lowres[0]), atol=0.1)
        assert sample["times"].tolist() == highres["time"].values.astype(np.int64).tolist()


def test_patches_of_a_pair_are_cut_and_turned_together(tmp_path, folders):
    config = small_config(tmp_path, folders[0], lowres_root=str(folders[1]), shift_blocks=True)
    dataset = TyphoonDataset(folders[0], "train", config)
    for index in range(8):
        sample = dataset[index]
        means = torch.nn.functional.avg_pool2d(sample["highres"], 4) + 3
        others = means.flip(-1)
        error, wrong = ((sample["lowres"] - part).abs().mean() for part in (means, others))
        assert error < 0.6 * wrong


def test_what_one_of_two_instruments_missed_is_masked(tmp_path):
    highres = moving_clouds()
    lowres = lowres_of(highres).assign_attrs(highres.attrs)
    lowres[:, 3, 4] = np.nan
    highres[:, 40, 40] = np.nan
    for name, sequence in {"fine": highres, "coarse": lowres}.items():
        save_sequence(sequence, tmp_path / f"{name}.nc")
    config = small_config(tmp_path, tmp_path / "fine.nc", lowres_root=str(tmp_path / "coarse.nc"))
    config.data.split.by = "time"
    config.data.split.validation_fraction, config.data.split.guard_hours = 0.4, 0
    sample = TyphoonDataset(tmp_path / "fine.nc", "train", config).full_frame(0)
    masked = sample["valid"][0, 0] == 0
    assert masked[12:16, 16:20].all() and masked[40, 40]
    assert int(masked.sum()) == 17
    assert torch.isfinite(sample["lowres"]).all()


def test_a_trainer_learns_from_pairs(tmp_path, folders, caplog):
    result = TempoGANTrainer(small_config(tmp_path, folders[0], lowres_root=str(folders[1]))).train()
    assert result.epochs == 2
    assert "model.lr_consistency" in caplog.text


def test_pairs_without_a_common_name_are_refused(tmp_path, folders):
    for number in range(2):
        save_sequence(moving_clouds(), tmp_path / "others" / f"other{number}.nc")
    config = small_config(tmp_path, folders[0], lowres_root=str(tmp_path / "others"))
    with pytest.raises(InputError, match=r"No sequence of training\.lowres_root \(other0, other1\)"):
        TyphoonDataset(folders[0], "train", config)


@pytest.mark.parametrize(
    ("lowres", "message"),
    [
        (lowres_of(moving_clouds(start="2009-08-01")), "no time in common"),
        (moving_clouds(), r"48x48 and 48x48 \(lowres\)"),
        (lowres_of(moving_clouds()).assign_coords(lat=("y", np.linspace(5, -5, 12))), "latitude"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(tmp_path, lowres, message):
    for name, sequence in {"fine": moving_clouds(), "coarse": lowres}.items():
        save_sequence(sequence.assign_attrs(moving_clouds().attrs), tmp_path / f"{name}.nc")
    config = small_config(tmp_path, tmp_path / "fine.nc", lowres_root=str(tmp_path / "coarse.nc"))
    with pytest.raises(InputError, match=message):
        TyphoonDataset(tmp_path / "fine.nc", "train", config)
