"""Pairs of one's own: lowres frames that are given and not simulated."""

import logging
import shutil

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cli_cases import exit_code
from tempogan_eddy.cli import options
from tempogan_eddy.config import PairsConfig, load_config
from tempogan_eddy.dataset.augment import augment_sensor, turn_frames
from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.dataset.pair_fit import fit_line, fit_pair
from tempogan_eddy.dataset.pair_footprint import fit_sensor
from tempogan_eddy.dataset.pairs import cut_to_footprints
from tempogan_eddy.dataset.registration import displaced, estimate_offset, see_displaced
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.typhoon import TyphoonDataset
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import save_sequence
from tempogan_eddy.training.trainer import TempoGANTrainer
from training_cases import moving_clouds, small_config

AS_IT_IS = {"offset": [0.0, 0.0], "calibrate": False}


def pairs_config(folder, highres, lowres, pairs=AS_IT_IS, sensor=None, **training):
    """Return a small configuration that trains on pairs."""
    config = small_config(folder, highres, **training)
    config.data.pairs = {"lowres": str(lowres), **pairs}
    config.data.split.by = "storm"
    return load_config(config.model_dump() | ({"sensor": sensor} if sensor else {}))


def lowres_of(highres, offset=3.0):
    """What a blurring instrument sees that is 3 K too warm."""
    return SensorModel("gaussian", 4).coarsen(highres).compute() + offset


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two storms, seen by both instruments; the second one's lowres frames run from south to north and begin later.

    Tests that read them as they are share one packed store.
    """
    tmp_path = tmp_path_factory.mktemp("folders")
    for number in range(2):
        highres = moving_clouds(seed=number, name=f"storm{number}", start=f"200{number}-08-01")
        lowres = lowres_of(highres).assign_attrs(highres.attrs)
        if number:
            lowres = lowres.isel(time=slice(2, None), y=slice(None, None, -1))
        save_sequence(highres, tmp_path / "highres" / f"storm{number}.nc")
        save_sequence(lowres, tmp_path / "lowres" / f"storm{number}.nc")
    return tmp_path / "highres", tmp_path / "lowres"


def test_pairs_are_matched_by_name_time_and_grid(tmp_path, folders):
    config = pairs_config(tmp_path, folders[0], folders[1], augment=False)
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
    config = pairs_config(tmp_path, folders[0], folders[1], shift_blocks=True)
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
    config = pairs_config(tmp_path, tmp_path / "fine.nc", tmp_path / "coarse.nc")
    config.data.split.by = "time"
    config.data.split.validation_fraction, config.data.split.guard_hours = 0.4, 0
    sample = TyphoonDataset(tmp_path / "fine.nc", "train", config).full_frame(0)
    masked = sample["valid"][0, 0] == 0
    assert masked[12:16, 16:20].all() and masked[40, 40]
    assert int(masked.sum()) == 17
    assert torch.isfinite(sample["lowres"]).all()


def test_a_trainer_learns_from_pairs(tmp_path, folders, caplog):
    result = TempoGANTrainer(pairs_config(tmp_path, folders[0], folders[1])).train()
    assert result.epochs == 2
    assert "model.lr_consistency" in caplog.text


def test_pairs_without_a_common_name_are_refused(tmp_path, folders):
    for number in range(2):
        save_sequence(moving_clouds(frames=1), tmp_path / "others" / f"other{number}.nc")
    config = pairs_config(tmp_path, folders[0], tmp_path / "others")
    with pytest.raises(InputError, match=r"No sequence of data\.pairs\.lowres \(other0, other1\)"):
        TyphoonDataset(folders[0], "train", config)


@pytest.mark.parametrize(
    ("lowres", "message"),
    [
        (lowres_of(moving_clouds(frames=3, start="2009-08-01")), "no time in common"),
        (moving_clouds(frames=3), r"48x48 and 48x48 \(lowres\).*regrid the highres frames to 4 x 4 pixels"),
        (
            lowres_of(moving_clouds(frames=3)).assign_coords(lat=("y", np.linspace(5, -5, 12))),
            r"latitude.*regrid the highres .*: latitude 5\.34091 to -5\.34091 in 48 steps, longitude",
        ),
    ],
)
def test_pairs_that_do_not_fit_are_refused(tmp_path, lowres, message):
    for name, sequence in {"fine": moving_clouds(frames=3), "coarse": lowres}.items():
        save_sequence(sequence.assign_attrs(moving_clouds().attrs), tmp_path / f"{name}.nc")
    config = pairs_config(tmp_path, tmp_path / "fine.nc", tmp_path / "coarse.nc")
    with pytest.raises(InputError, match=message):
        TyphoonDataset(tmp_path / "fine.nc", "train", config)


SEVIRI = SensorModel("box", 4, width=1.6, fwhm=0.47, noise_kelvin=0.2, wavelength=10.8)


def seen_by_seviri(highres, offset, line=(4.0, 0.98)):
    """What a displaced SEVIRI on another calibration sees."""
    seen = displaced(SEVIRI, offset).coarsen(highres).compute()
    seen.attrs = dict(highres.attrs)
    with xr.set_options(keep_attrs=True):
        return line[0] + line[1] * seen


def large_clouds(**options):
    return moving_clouds(frames=8, size=96, **options)


@settings(max_examples=8)
@given(offset=st.tuples(*[st.floats(-1.5, 1.5)] * 2), seed=st.integers(0, 99))
def test_the_offset_of_footprints_is_found_to_hundredths(offset, seed):
    frames = large_clouds(seed=seed).values[:3]
    lows = [4 + 0.98 * see_displaced(frame, SEVIRI, offset) for frame in frames]
    found = estimate_offset(list(frames), lows, SEVIRI)
    np.testing.assert_allclose(found.value, offset, atol=0.01)
    assert max(found.spread) < 0.01


def test_missing_pixels_do_not_move_the_offset():
    frames = large_clouds().values[:3].copy()
    lows = [see_displaced(frame, SEVIRI, (0.5, -0.25)) for frame in frames]
    for number, low in enumerate(lows):
        frames[number, 30:50, 10 * number : 60] = np.nan
        low[:3] = np.nan
    np.testing.assert_allclose(estimate_offset(list(frames), lows, SEVIRI).value, (0.5, -0.25), atol=0.05)


@settings(max_examples=20)
@given(intercept=st.floats(-20, 20), slope=st.floats(0.8, 1.2))
def test_the_line_is_found_despite_outliers_and_missing_pixels(intercept, slope):
    rng = np.random.default_rng(0)
    expected = [rng.normal(260, 15, (6, 1, 6, 1)).repeat(4, 1).repeat(4, 3).reshape(24, 24) for _ in range(6)]
    seen = [intercept + slope * frame + rng.normal(0, 0.2, frame.shape) for frame in expected]
    seen[0][:8] = 170.0
    seen[1][4:9] = np.nan
    a, b, correlation = fit_line(expected, seen)
    assert correlation > 0.99
    assert abs(b - slope) < 0.005
    assert abs(a + b * 260 - intercept - slope * 260) < 0.1


def test_the_footprint_is_found_from_a_pair():
    frames = list(large_clouds().values[:3])
    for sensor in (SensorModel("box", 4, width=1.6), SensorModel("gaussian", 4, fwhm=1.0)):
        found = fit_sensor(frames, [see_displaced(frame, sensor, (0.2, 0)) for frame in frames], 4, (0.0,), (0.2, 0))
        centre = [np.abs(np.fft.rfft(np.array(model.kernels[0]), 64))[8] for model in (found, sensor)]
        assert centre[0] == pytest.approx(centre[1], abs=0.02), "transfer function at the lowres Nyquist frequency"


def test_frames_that_are_fitted_best_by_a_mean_of_all_have_the_widest_footprint():
    frames = list(large_clouds().values[:2])
    means = [ndimage.uniform_filter(see_displaced(frame, SensorModel("area", 4), (0, 0)), 13) for frame in frames]
    assert 4 < fit_sensor(frames, means, 4).width <= 8


@pytest.mark.parametrize("whole", [(0, 0), (3, -2), (-5, 9), (4, -4)])
def test_frames_are_cut_so_that_footprints_lie_on_their_blocks(whole):
    highres = moving_clouds(frames=1)
    blocks = SensorModel("area", 4)
    seen = see_displaced(highres.values[0], blocks, (whole[0] / 4, whole[1] / 4))
    lowres = xr.DataArray(seen[None], dims=("time", "y", "x"))
    fine, coarse = cut_to_footprints(highres, lowres, whole, 4)
    assert np.isfinite(coarse).all()
    np.testing.assert_allclose(blocks.see(torch.from_numpy(fine.values)).numpy(), coarse.values, atol=1e-3)


@pytest.mark.parametrize("symmetry", range(8))
def test_a_turned_sensor_sees_turned_frames_turned(symmetry):
    sensor = SensorModel("box", 4, width=1.6, width_x=0.7, fwhm_x=0.5, phase=0.3, phase_x=-0.2)
    frames = moving_clouds(frames=1).values
    turned = augment_sensor(sensor, symmetry).see(torch.from_numpy(turn_frames(frames, symmetry).copy()))
    expected = turn_frames(sensor.see(torch.from_numpy(frames)).numpy(), symmetry)
    np.testing.assert_allclose(turned.numpy(), expected, atol=1e-3)


@pytest.fixture(scope="module")
def seviri_pair(tmp_path_factory):
    """Two storms, whose lowres files have other names, times four minutes later, and footprints elsewhere."""
    folder = tmp_path_factory.mktemp("pair")
    for number, offset in enumerate([(0.5, 0.0), (-0.3, 0.85)]):
        highres = large_clouds(seed=number, name=f"storm{number}", start=f"200{number}-08-01")
        lowres = seen_by_seviri(highres, offset).assign_attrs(sequence=f"other{1 - number}")
        lowres = lowres.assign_coords(time=lowres["time"] + np.timedelta64(4, "m"))
        save_sequence(highres, folder / "highres" / f"storm{number}.nc")
        save_sequence(lowres, folder / "lowres" / f"other{1 - number}.nc")
    return folder


def test_a_pair_is_matched_in_time_and_place_and_its_offset_and_line_are_applied(tmp_path, seviri_pair):
    sensor = {"kind": "box", "parameters": {"width": 1.6, "fwhm": 0.47, "wavelength": 10.8}, "noise_kelvin": 0.2}
    pairs = {"sensor_known": True, "tolerance": "10min"}
    config = pairs_config(tmp_path, seviri_pair / "highres", seviri_pair / "lowres", pairs, sensor, augment=True)
    config.model.conditioned = True
    dataset = TyphoonDataset(config.highres_root, "train", config)
    expected = {"storm0": ((0.5, 0.0), (2, 0)), "storm1": ((-0.3, 0.85), (-1, 3))}
    for name, (offset, whole) in expected.items():
        fit = dataset.storms[name].fit
        np.testing.assert_allclose(fit.offset, offset, atol=0.01)
        assert fit.whole == whole
        # The noise of tops at 185 K is several kelvins.
        assert fit.slope == pytest.approx(0.98, abs=0.005)
        assert fit.intercept + fit.slope * 270 == pytest.approx(4 + 0.98 * 270, abs=0.1)
        assert fit.sensor_known
        assert SensorModel.parse(fit.suggested, 4).noise_kelvin > 0
        assert fit.residual < 0.4
    assert any("lowres = +" in line for line in dataset.describe())
    for split in ("train", "val"):
        dataset = dataset.other(split)
        for index in range(6):
            sample = dataset[index]
            sensor = dataset.sensors.sensors[int(sample["sensor"])]
            seen = sensor.see(sample["highres"][:, 0])
            # Kernels at the edge of a patch have only a part of what was seen.
            error = (seen - sample["lowres"][:, 0])[:, 2:-2, 2:-2]
            assert error.square().mean().sqrt() < 0.4, "noise and rounding alone are left, on every symmetry"


def test_a_conditioned_generator_learns_from_a_pair_of_a_known_sensor(tmp_path, seviri_pair):
    sensor = {"kind": "box", "parameters": {"width": 1.6, "fwhm": 0.47, "wavelength": 10.8}, "noise_kelvin": 0.2}
    pairs = {"sensor_known": True, "tolerance": "10min"}
    config = pairs_config(tmp_path, seviri_pair / "highres", seviri_pair / "lowres", pairs, sensor)
    config.model.conditioned = True
    assert TempoGANTrainer(config).train().epochs == 2


def test_times_further_apart_than_the_tolerance_do_not_match(tmp_path, seviri_pair):
    pairs = AS_IT_IS | {"tolerance": "3min"}
    config = pairs_config(tmp_path, seviri_pair / "highres", seviri_pair / "lowres", pairs)
    with pytest.raises(InputError, match="No sequence of data"):
        TyphoonDataset(config.highres_root, "train", config)


def test_a_conditioned_generator_needs_a_stated_sensor(tmp_path, folders):
    config = pairs_config(tmp_path, *folders)
    config.model.conditioned = True
    with pytest.raises(InputError, match=r"needs the sensor of the lowres frames.*the pairs suggest"):
        TyphoonDataset(folders[0], "train", config)


def test_a_pair_of_different_scenes_is_refused(tmp_path):
    save_sequence(large_clouds(), tmp_path / "fine.nc")
    other = seen_by_seviri(large_clouds(seed=5), (0, 0))
    save_sequence(other, tmp_path / "coarse.nc")
    config = pairs_config(tmp_path, tmp_path / "fine.nc", tmp_path / "coarse.nc", {})
    with pytest.raises(InputError, match=r"no common offset|are not alike"):
        TyphoonDataset(tmp_path / "fine.nc", "train", config)


@pytest.mark.parametrize(("share", "told"), [(0.2, False), (0.5, True)])
def test_a_pair_that_is_only_roughly_alike_draws_a_warning(caplog, share, told):
    scene, other = large_clouds(), large_clouds(seed=5)
    seen = seen_by_seviri(scene.copy(data=(1 - share) * scene.values + share * other.values), (0, 0))
    fit_pair(scene, seen, SEVIRI, PairsConfig(lowres="lowres", offset=(0.0, 0.0)), "storm")
    assert ("only roughly alike" in caplog.text) == told


def test_a_pair_that_does_not_fit_is_skipped_beside_others(tmp_path, folders, caplog):
    """The second storm lies elsewhere."""
    highres, lowres = (shutil.copytree(folder, tmp_path / folder.name) for folder in folders)
    wrong = lowres_of(moving_clouds(seed=1, start="2001-08-01")).assign_coords(lat=("y", np.linspace(5, -5, 12)))
    save_sequence(wrong.assign_attrs(moving_clouds().attrs), lowres / "storm1.nc")
    config = pairs_config(tmp_path, highres, lowres)
    config.data.split.by = "time"
    config.data.split.guard_hours = 0
    assert set(TyphoonDataset(highres, "train", config).storms) == {"storm0"}
    assert "Skipped: The highres grid of storm1" in caplog.text


def test_the_command_line_packs_a_pair_and_tells_what_it_found(tmp_path, seviri_pair, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    highres, lowres = seviri_pair / "highres" / "storm0.nc", seviri_pair / "lowres"
    command = ["pack", highres, "-o", "pair.zarr", "--lowres", lowres, "--set", "data.pairs.tolerance=10min"]
    assert exit_code(*command) == 0
    capsys.readouterr()
    assert exit_code("info", "pair.zarr") == 0
    assert '"offset": [0.' in capsys.readouterr().out.replace("\n", "")
    assert exit_code("train", "--highres", highres) == 2
    assert "--highres needs --lowres" in capsys.readouterr().err
    split = ["--set", "data.split.by=time", "--set", "data.split.guard_hours=0"]
    assert exit_code("train", "--data", "pair.zarr", "--set", "training.patch_size=32", *split) == 2
    assert "model.lr_consistency=false" in capsys.readouterr().err


def test_the_earlier_setting_becomes_a_pair_as_it_is(caplog):
    with caplog.at_level(logging.WARNING):
        config = load_config({"training": {"lowres_root": "coarse"}})
    assert config.data.pairs.lowres == "coarse"
    assert not config.data.pairs.calibrate
    assert config.data.pairs.offset == (0, 0)
    assert "training.lowres_root is now data.pairs.lowres" in caplog.text
    assert load_config({"training": {"lowres_root": None}}).data.pairs is None
    with pytest.raises(InputError, match=r"training\.lowres_root is now"):
        load_config({"training": {"lowres_root": "a"}, "data": {"pairs": {"lowres": "b"}}})


def test_a_sensor_on_the_command_line_describes_the_instrument_of_the_pair():
    config = options.settings(None, None, lowres=["coarse"], sensor="seviri")
    assert config.sensor_known
    assert config.sensor.kind == "box"
    assert not options.settings(None, None, lowres=["coarse"]).sensor_known
