"""Tiles without seams, kelvin, NaN, coordinates, provenance, bounded memory."""

import dask.array
import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tempogan_eddy import load_model, open_sequence, save_sequence
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.reconstruction import Reconstructor, reconstruct, reconstructor
from tempogan_eddy.reconstruction.tiles import plan_tiles
from tempogan_eddy.reconstruction.transfer import Transfer
from tempogan_eddy.weights import Model, build_generator, save_model
from training_cases import moving_clouds


def make_model(scale=4, **settings) -> Model:
    """A small generator whose weights are all far from their start."""
    config = load_config({"model": {"n_residual_blocks": 2, "channels": 8, "upsample_factor": scale, **settings}})
    torch.manual_seed(0)
    generator = build_generator(config).eval().requires_grad_(False)
    for parameter in generator.parameters():
        parameter += torch.randn_like(parameter) * 0.01
    return Model.from_config(generator, config, "test", {"version": "0", "step": 7})


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def coarse():
    return SensorModel("area", 4).coarsen(moving_clouds(frames=3, size=96)).compute()


@given(height=st.integers(1, 40), width=st.integers(1, 40), tile=st.integers(1, 15), halo=st.integers(0, 9))
def test_kept_parts_of_tiles_cover_a_frame_exactly_once(height, width, tile, halo):
    count = np.zeros((height, width), int)
    for part in plan_tiles(height, width, tile, halo):
        count[part.rows, part.columns][part.inner_rows, part.inner_columns] += 1
    assert (count == 1).all()


@given(tile=st.integers(1, 30), height=st.integers(1, 24), width=st.integers(1, 24))
@settings(max_examples=15, deadline=None)
def test_tiling_has_no_seams(model, coarse, tile, height, width):
    part = coarse[:1, :height, :width]
    whole, tiled = (reconstruct(part, model, tile=size).values for size in (1000, tile))
    assert np.abs(whole - tiled).max() < 0.01


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_grid_is_refined_and_times_and_attributes_kept(coarse, scale):
    fine = reconstruct(coarse, make_model(scale))
    assert fine.shape == (3, 24 * scale, 24 * scale)
    assert fine.dtype == np.float32
    assert (fine["time"] == coarse["time"]).all()
    step = float(coarse["lat"][1] - coarse["lat"][0])
    np.testing.assert_allclose(np.diff(fine["lat"]), step / scale, rtol=1e-6)
    np.testing.assert_allclose(fine["lat"].values.reshape(-1, scale).mean(axis=1), coarse["lat"], rtol=1e-9)
    assert fine.attrs["units"] == "K"
    assert fine.attrs["sequence"] == "clouds"
    assert fine.attrs["scale"] == scale
    assert fine.attrs["super_resolution_model_step"] == 7
    assert "TempoGAN-Eddy" in fine.attrs["super_resolution_software"]


def test_what_was_measured_is_kept(model, coarse):
    fine = reconstruct(coarse, model)
    again = SensorModel("area", 4).coarsen(fine)
    assert float(np.abs(again.values - coarse.values).max()) < 0.01


def test_missing_stays_missing_and_harms_nothing_far_away(model, coarse):
    holed = coarse.copy()
    holed[1, 2:4, 3] = np.nan
    whole, fine = reconstruct(coarse, model).values, reconstruct(holed, model).values
    assert (np.isnan(fine) == np.isnan(holed.values).repeat(4, 1).repeat(4, 2)).all()
    np.testing.assert_array_equal(whole[0], fine[0])
    halo = model.generator.halo
    np.testing.assert_allclose(whole[1, (4 + halo) * 4 :], fine[1, (4 + halo) * 4 :], atol=1e-3)


def test_a_frame_without_a_pixel_stays_empty(model, coarse):
    assert np.isnan(reconstruct(xr.full_like(coarse, np.nan), model).values).all()


def test_nothing_is_computed_or_held_before_it_is_asked_for(model):
    calls = []

    def frame(block_info=None):
        calls.append(block_info[None]["chunk-location"][0])
        return np.full((1, 8, 8), 280, np.float32)

    lazy = dask.array.map_blocks(
        frame, chunks=((1,) * 1000, (8,), (8,)), dtype=np.float32, meta=np.empty((0, 0, 0), "f4")
    )
    times = np.datetime64("2001-01-01", "ns") + np.arange(1000) * np.timedelta64(1, "h")
    sequence = xr.DataArray(lazy, dims=("time", "y", "x"), coords={"time": times}, attrs={"units": "K"})
    fine = reconstruct(sequence, model)
    assert calls == []
    fine.isel(time=500).compute()
    assert calls == [500]


def test_values_are_not_clipped_at_the_range(coarse):
    model = make_model()
    hot = xr.full_like(coarse, 326.0)
    np.testing.assert_allclose(SensorModel("area", 4).coarsen(reconstruct(hot, model)).values, 326.0, atol=0.01)


def test_netcdf_of_a_reconstruction_reads_back(model, coarse, tmp_path):
    fine = reconstruct(coarse, model)
    save_sequence(fine, tmp_path / "fine.nc", history="test", precision="exact")
    back = open_sequence(tmp_path / "fine.nc")
    np.testing.assert_array_equal(back.values, fine.values)
    assert {"super_resolution_model", "history", "Conventions"} <= back.attrs.keys()
    np.testing.assert_allclose(back["lon"], fine["lon"])


def test_a_model_file_gives_back_the_same_model(model, coarse, tmp_path):
    model.metadata["score"] = 0.5
    save_model(tmp_path / "m.safetensors", model)
    loaded = load_model(tmp_path / "m.safetensors")
    assert (loaded.specification, loaded.config) == (model.specification, model.config)
    assert loaded.metadata["score"] == 0.5
    np.testing.assert_array_equal(reconstruct(coarse, loaded).values, reconstruct(coarse, model).values)


@pytest.mark.parametrize("name", ["missing.safetensors", "text.safetensors", "text.pth", "folder", "other.safetensors"])
def test_a_file_that_is_no_model_is_named(tmp_path, name):
    from safetensors.torch import save_file

    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif name.startswith("text"):
        path.write_text("not a model")
    elif name.startswith("other"):
        save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=name):
        load_model(path)


def test_a_reconstruction_as_input_is_warned_of(model, coarse, caplog):
    once = reconstruct(coarse, model)
    with caplog.at_level("WARNING", logger="tempogan_eddy"):
        reconstruct(once, model)
    assert "is a reconstruction" in caplog.text


def test_another_sensor_than_the_models_is_warned_of(model, caplog):
    blurred = SensorModel("gaussian", 4).coarsen(moving_clouds(frames=1))
    with caplog.at_level("WARNING", logger="tempogan_eddy"):
        reconstruct(blurred, model)
    assert "gaussian" in caplog.text


def test_a_sequence_that_is_not_in_kelvin_is_refused(model, coarse):
    with pytest.raises(InputError):
        reconstruct(coarse.assign_attrs(units="m s-1"), model)


@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_what_becomes_of_the_model_changes_nothing(coarse, engine):
    model = make_model()
    expected = reconstruct(coarse, model, engine=engine).values
    lazy = reconstruct(coarse, model, engine=engine)
    for tensor in (*model.generator.parameters(), *model.generator.buffers()):
        tensor.zero_()
    model.generator.lr_consistency = False
    model.generator.double()
    np.testing.assert_array_equal(lazy.values, expected)


@pytest.mark.parametrize("tile", [5, 12, 1000])
def test_frames_in_batches_are_the_frames_one_by_one(model, tile, monkeypatch):
    holed = SensorModel("area", 4).coarsen(moving_clouds(frames=7, size=96)).compute()
    holed[1, 2:4, 3] = np.nan
    holed[3, :, :20] = np.nan
    holed[4] = np.nan
    one_by_one = reconstruct(holed, model, tile=tile)
    monkeypatch.setitem(reconstructor.PIXELS_AT_ONCE, "cpu", 3 * 24 * 24)
    batches = reconstruct(holed, model, tile=tile)
    assert one_by_one.chunks[0] == (1,) * 7
    assert batches.chunks[0] == (3, 3, 1)
    np.testing.assert_allclose(batches.values, one_by_one.values, atol=0.01)
    np.testing.assert_array_equal(np.isnan(batches), holed.isnull().values.repeat(4, 1).repeat(4, 2))


def test_a_batch_is_written_and_read_once(model, tmp_path, monkeypatch, in_chunks):
    sequence = SensorModel("area", 4).coarsen(moving_clouds(frames=7, size=96)).compute()
    monkeypatch.setitem(reconstructor.PIXELS_AT_ONCE, "cpu", 3 * 24 * 24)
    lazy, computed = in_chunks(sequence, 1)
    fine = reconstruct(lazy, model)
    save_sequence(fine, tmp_path / "fine.nc", precision="exact")
    assert sorted(computed) == list(range(7))
    np.testing.assert_array_equal(open_sequence(tmp_path / "fine.nc").values, reconstruct(sequence, model).values)


@pytest.mark.parametrize(
    ("height", "width", "tile", "frames"),
    [(128, 128, 256, 64), (512, 512, 256, 11), (2000, 2000, 64, 1), (4000, 4000, 256, 1), (4, 4, 256, 65536)],
)
def test_a_batch_fills_a_gpu_and_no_more(height, width, tile, frames, monkeypatch):
    monkeypatch.setitem(reconstructor.PIXELS_AT_ONCE, "cpu", 64 * 128 * 128)
    eddy = Reconstructor("eddy", tile=tile, engine="torch")
    assert eddy.halo == 20
    assert eddy.frames_at_once(height, width) == frames


def test_no_more_than_tiles_are_on_the_device(model, monkeypatch):
    """Whatever the frame's size, the network is given tiles, and a tile is in kelvin when it leaves the device."""
    sizes, fetched = [], []
    compute, fetch = Reconstructor._compute, Transfer.fetch

    def watched(self, engine, tile, kept, frames):
        sizes.append(frames.shape[-1])
        return compute(self, engine, tile, kept, frames)

    def watch(self, result, target):
        fetched.append(result.shape[-1])
        assert 150 < result.mean() < 330
        fetch(self, result, target)

    monkeypatch.setattr(Reconstructor, "_compute", watched)
    monkeypatch.setattr(Transfer, "fetch", watch)
    coarse = SensorModel("area", 4).coarsen(moving_clouds(frames=1, size=256))
    reconstruct(coarse, model, tile=16).compute()
    assert max(sizes) == 16 + 2 * model.generator.halo
    assert len(sizes) == 16
    assert fetched == [64] * 16


@pytest.mark.parametrize("name", ["cuda:x", "cuda:99", "gpu"])
def test_a_device_that_cannot_be_had_is_told(model, coarse, name):
    with pytest.raises(InputError, match=f"The device '{name}' is"):
        reconstruct(coarse, model, device=name)


def test_a_device_may_be_chosen_for_the_user(model, coarse):
    np.testing.assert_allclose(
        reconstruct(coarse, model, device="auto").values, reconstruct(coarse, model).values, atol=0.05
    )
