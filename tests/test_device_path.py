"""What a GPU computes, checked on the CPU: the same numbers as the host's code, and no operation for each frame."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.operations import count_operations
from model_cases import detailed_model, kelvin_frames
from tempogan_eddy import open_sequence, reconstruct, save_sequence
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.values.precision import PRECISIONS, unpacked
from tempogan_eddy.reconstruction import Reconstructor, fill
from tempogan_eddy.reconstruction.fill import fill_nearest
from tempogan_eddy.reconstruction.tiles import pack_kelvin
from training_cases import moving_clouds

SENSORS = (None, SensorModel.parse("gaussian,fwhm=1.2", 4))


@pytest.fixture(scope="module")
def model():
    return detailed_model()


@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 20), st.integers(1, 20), st.sampled_from([0.1, 0.9, 1]))
def test_filling_on_the_device_is_filling_on_the_host(seed, frames, height, width, share):
    rng = np.random.default_rng(seed)
    kelvin = rng.normal(250, 10, (frames, height, width)).astype(np.float32)
    kelvin[rng.random(kelvin.shape) < share] = np.nan
    gaps = torch.from_numpy(np.flatnonzero(np.isnan(kelvin)))
    np.testing.assert_array_equal(fill_nearest(torch.from_numpy(kelvin), gaps), fill_missing(kelvin))


def test_filling_in_parts_changes_nothing(monkeypatch):
    kelvin = kelvin_frames(2, 20, 30)[:, 0]
    kelvin[:, 3:9, ::2] = np.nan
    gaps = kelvin.isnan().flatten().nonzero()[:, 0]
    whole = fill_nearest(kelvin, gaps)
    monkeypatch.setattr(fill, "AT_ONCE", 100)
    assert torch.equal(fill_nearest(kelvin, gaps), whole)


def test_packing_on_the_device_is_packing_by_the_writer():
    steps = np.arange(-40, 40, dtype=np.float32) / 4
    kelvin = np.concatenate([centre + 0.01 * steps for centre in (160, 250, 329.99, 330, 400)]).astype(np.float32)
    kelvin = np.concatenate([kelvin, np.random.default_rng(0).uniform(150, 340, 100_000).astype(np.float32), [np.nan]])
    packed = pack_kelvin(torch.from_numpy(kelvin)).numpy()
    np.testing.assert_array_equal(packed, PRECISIONS["packed"].stored(kelvin))
    np.testing.assert_allclose(unpacked(packed), kelvin, atol=0.0101)


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_a_packed_reconstruction_is_stored_as_one_that_the_writer_packs(model, tmp_path, suffix):
    lowres = SensorModel("area", 4).coarsen(moving_clouds(frames=3, size=96)).compute()
    lowres[1, 4:7, 5:9] = np.nan
    packed = reconstruct(lowres, model, packed=True)
    assert packed.dtype == np.int16
    plain = reconstruct(lowres, model)
    for name, da in (("packed", packed), ("plain", plain)):
        save_sequence(da, tmp_path / f"{name}.{suffix}", precision="packed", history="test")
    ours, theirs = (open_sequence(tmp_path / f"{name}.{suffix}") for name in ("packed", "plain"))
    xr.testing.assert_identical(ours.compute().drop_attrs(), theirs.compute().drop_attrs())
    assert set(ours.attrs) == set(theirs.attrs)
    decoded = xr.decode_cf(packed.to_dataset(name="kelvin"))["kelvin"]
    np.testing.assert_allclose(decoded, plain, atol=0.0051)
    save_sequence(packed, tmp_path / f"exact.{suffix}", precision="exact")
    np.testing.assert_allclose(open_sequence(tmp_path / f"exact.{suffix}"), decoded, atol=2e-5)


def test_packed_kelvins_that_16_bits_cannot_hold_are_refused():
    packed = pack_kelvin(torch.tensor([[250.0, 600.0]])).numpy()
    with pytest.raises(InputError, match=r"beyond -77.67 to 577.67 K"):
        PRECISIONS["packed"].stored(packed)


@pytest.mark.parametrize("sensor", SENSORS, ids=str)
@pytest.mark.parametrize("packed", [False, True])
def test_the_number_of_operations_does_not_grow_with_the_batch(model, sensor, packed):
    """Each operation is a kernel to launch on a GPU; reading a number there waits for all before it."""
    network = "faithful" if sensor else model
    rebuild = Reconstructor(network, sensor=sensor, engine="torch", precision="fp32", device="cpu", packed=packed)
    counts = []
    for frames in (1, 7):
        block = kelvin_frames(frames, 24, 24)[:, 0].numpy()
        block[:, 3:6, 4] = np.nan
        rebuild(block)  # opens the engine
        counts.append(count_operations(lambda block=block: rebuild(block)))
    assert counts[0].counts == counts[1].counts
    assert counts[0].scalar_reads == 0
    assert counts[0].counts.total() < 110
