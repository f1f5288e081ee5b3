"""The reconstructor: any process and any thread gives the same frames; engines are opened once."""

import logging
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import dask
import numpy as np
import pytest
import torch

from model_cases import detailed_model, kelvin_frames
from tempogan_eddy import load_model, reconstruct
from tempogan_eddy.errors import InputError
from tempogan_eddy.reconstruction import Reconstructor, reconstructor
from tempogan_eddy.reconstruction.transfer import Transfer
from tracing import traced
from training_cases import moving_clouds


@pytest.fixture(scope="module")
def model():
    return detailed_model()


@pytest.fixture(scope="module")
def block():
    frames = kelvin_frames(3, 24, 37)[:, 0].numpy()
    frames[1, 4:7, 5] = np.nan
    return frames


@pytest.fixture
def openings(monkeypatch):
    """The engines opened from now on; none is open before."""
    opened, open_engine = [], reconstructor.open_engine

    def count(*options):
        opened.append(options)
        return open_engine(*options)

    monkeypatch.setattr(reconstructor, "open_engine", count)
    reconstructor._OPENED.clear()
    yield opened
    reconstructor._OPENED.clear()


def test_a_block_of_lowres_frames_becomes_one_of_highres_frames(model, block):
    rebuild = Reconstructor(model, precision="fp32")
    highres = rebuild(block)
    assert (rebuild.scale, rebuild.halo, rebuild.kelvin_range) == (4, 10, (170, 320))
    assert highres.dtype == np.float32
    assert highres.shape == (3, 96, 148)
    np.testing.assert_array_equal(np.isnan(highres), np.isnan(block).repeat(4, 1).repeat(4, 2))
    np.testing.assert_allclose(highres[0].reshape(24, 4, 37, 4).mean((1, 3)), block[0], atol=0.01)
    assert np.isnan(block).sum() == 3  # the input is left as it is


def test_a_pickled_reconstructor_gives_identical_frames(model, block):
    rebuild = Reconstructor(model)
    expected = rebuild(block)
    pickled = pickle.dumps(rebuild)
    weights = sum(value.nbytes for value in model.generator.state_dict().values())
    assert len(pickled) < weights + 50_000, "an opened engine is not part of it"
    again = pickle.loads(pickled)
    assert again == rebuild
    assert hash(again) == hash(rebuild)
    np.testing.assert_array_equal(again(block), expected)


def test_another_process_gives_identical_frames(block):
    rebuild = Reconstructor(load_model("eddy", 0.5), engine="torch", tile=16)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(rebuild, block).result(), rebuild(block))


def test_an_engine_is_opened_once_for_equal_reconstructors(model, block, openings):
    first, second = Reconstructor(model), Reconstructor(detailed_model())
    assert first == second
    assert openings == []
    first(block)
    second(block)
    pickle.loads(pickle.dumps(first))(block)
    assert len(openings) == 1
    for other in (Reconstructor(detailed_model(detail_kelvin=5)), Reconstructor(model, precision="fp32", tile=9)):
        assert other != first
        other(block)
    assert len(openings) == 3


def test_what_a_network_computes_decides_what_is_equal(model):
    plain = Reconstructor(model)
    assert Reconstructor(detailed_model(lr_consistency=False)) != plain
    other = detailed_model()
    other.specification = other.specification.model_copy(update={"kelvin_range": (160.0, 330.0)})
    assert Reconstructor(other) != plain
    assert plain != "eddy"


def test_later_changes_of_the_model_have_no_effect(block):
    model = detailed_model()
    rebuild = Reconstructor(model, precision="fp32")
    for weight in model.generator.parameters():
        weight.zero_()
    np.testing.assert_array_equal(rebuild(block), Reconstructor(detailed_model(), precision="fp32")(block))


def test_threads_share_an_engine_and_agree(model, block, openings):
    blocks = [block + shift for shift in range(8)]
    expected = [Reconstructor(model, engine="torch", precision="fp32", tile=12)(part) for part in blocks]
    reconstructor._OPENED.clear()
    openings.clear()
    with ThreadPoolExecutor(8) as pool:
        rebuild = Reconstructor(model, engine="torch", precision="fp32", tile=12)
        for whole, part in zip(expected, pool.map(rebuild, blocks), strict=True):
            np.testing.assert_array_equal(part, whole)
    assert len(openings) == 1


def test_the_threads_of_dask_compute_one_block_at_a_time(model, monkeypatch, caplog):
    """The network uses every core; two at once would take no less time, and on a GPU twice the memory."""
    busy, most = set(), []
    compute = Reconstructor._compute

    def watched(*arguments):
        busy.add(object())
        most.append(len(busy))
        result = compute(*arguments)
        busy.pop()
        return result

    monkeypatch.setattr(Reconstructor, "_compute", watched)
    counts = moving_clouds(frames=12, size=48).round().clip(max=255)
    with dask.config.set(scheduler="threads", num_workers=4), caplog.at_level(logging.WARNING, "tempogan_eddy"):
        threaded = reconstruct(counts, model, precision="fp32").values
    assert most == [1] * 12
    with dask.config.set(scheduler="synchronous"):
        np.testing.assert_array_equal(threaded, reconstruct(counts, model, precision="fp32").values)


def test_a_reconstruction_can_be_pickled_before_it_is_computed(model):
    lowres = moving_clouds(frames=2, size=24)
    lazy = reconstruct(lowres, model)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)).values, lazy.values)
    assert (
        reconstruct(lowres.chunk({"time": 1}), model).data.name
        == reconstruct(lowres.chunk({"time": 1}), model).data.name
    )


def test_what_is_no_model_or_tile_is_refused(model):
    with pytest.raises(InputError, match="int is no model"):
        Reconstructor(3)
    for tile in (0, 2.5):
        with pytest.raises(InputError, match=f"The tile must be a whole number of at least 1 pixel, not {tile}"):
            Reconstructor(model, tile=tile)
    with pytest.raises(InputError, match="Unknown engine 'tensorrt'"):
        Reconstructor(model, engine="tensorrt")(np.zeros((1, 4, 4), np.float32))


def test_whoever_follows_one_frame_opens_few_files(model, monkeypatch):
    # An earlier test may have left the log handler of the command line, which is no part of the path.
    monkeypatch.setattr(logging.getLogger("tempogan_eddy.reconstruction.engines"), "disabled", True)
    lowres = moving_clouds(frames=1, size=24).drop_vars(["lat", "lon"])
    with dask.config.set(scheduler="synchronous"):
        reconstruct(lowres, "faithful", precision="fp32").compute()  # imports
        lazy = reconstruct(lowres, model, precision="fp32")
        with traced() as frame:
            lazy.compute()
        reconstructor._OPENED.clear()
        with traced() as whole:
            reconstruct(lowres, model, precision="fp32").compute()
    assert frame.switches <= 20, "\n".join(*frame.visits())
    assert whole.switches <= 60, "\n".join(*whole.visits())


def test_one_logger_says_whatever_is_said_of_an_input(caplog):
    lowres = moving_clouds(frames=1, size=48).assign_attrs(wavelength=3.9, sequence="198702")
    with traced() as trace, caplog.at_level("INFO", logger="tempogan_eddy"):
        reconstruct(lowres, "faithful")
    made = [call for calls in trace.calls.values() for call in calls if call == ("io/messages.py", "about")]
    of_input = [record.about for record in caplog.records if "The input" in record.getMessage()]
    assert len(made) == 1
    assert of_input == ["198702", "198702"]  # of the sensor and of the channel


@pytest.mark.parametrize("packed", [False, True])
def test_a_tile_without_a_valid_pixel_never_meets_the_network(model, block, packed, monkeypatch):
    """As the space beside a full disk; every other pixel is what it is without the shortcut."""
    disk = block.copy()
    disk[:, :8] = np.nan
    whole = Reconstructor(model, packed=packed)(disk)
    tiled, tiles = Reconstructor(model, tile=8, packed=packed), []
    compute = Reconstructor._compute
    monkeypatch.setattr(Reconstructor, "_compute", lambda *arguments: tiles.append(1) or compute(*arguments))
    rebuilt = tiled(disk)
    height, width = disk.shape[1:]
    assert len(tiles) == -(-(height - 8) // 8) * -(-width // 8)
    np.testing.assert_allclose(rebuilt.astype(float), whole.astype(float), atol=1 if packed else 1e-3)
    assert (rebuilt[:, : 8 * tiled.scale] == -32768).all() if packed else np.isnan(rebuilt[:, : 8 * tiled.scale]).all()


def test_a_tile_bounded_for_one_block_is_whole_again_for_the_next(model, block):
    rebuild, sides = Reconstructor(model, tile=16), []

    def compute(tile, kept, frames):
        sides.append((tile.rows.stop, frames.shape[1]))
        return frames.repeat_interleave(rebuild.scale, 1).repeat_interleave(rebuild.scale, 2)[:, *kept]

    highres = np.empty((len(block), *(rebuild.scale * side for side in block.shape[1:])), np.float32)
    for largest in (8, None):
        sides.clear()
        rebuild._fill(highres, block, compute, Transfer(torch.device("cpu")), largest)
        assert sides[0] == (min((largest or 16) + rebuild.halo, block.shape[1]),) * 2
    enlarged = block.repeat(rebuild.scale, 1).repeat(rebuild.scale, 2)
    np.testing.assert_array_equal(highres, enlarged)


def test_when_memory_runs_out_smaller_tiles_give_the_same_frames(monkeypatch, caplog):
    block = kelvin_frames(2, 40, 48)[:, 0].numpy().copy()
    block[0, 3:9, 5] = np.nan
    model = detailed_model()
    expected = Reconstructor(model, engine="torch")(block)
    limited, sizes = Reconstructor(model, engine="torch", tile=64), []
    compute = Reconstructor._compute

    def exhausted(self, engine, tile, kept, frames):
        sizes.append(frames.shape[-1])
        if frames.shape[-1] > 40 or len(sizes) == 4:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
        return compute(self, engine, tile, kept, frames)

    monkeypatch.setattr(Reconstructor, "_compute", exhausted)
    monkeypatch.setattr(np, "empty", lambda shape, dtype: np.full(shape, -1, dtype))  # stale pixels would show
    np.testing.assert_allclose(limited(block), expected, atol=1e-3)
    assert "Memory ran out with tiles of 64 pixels; going on with tiles of 24" in caplog.text
    assert limited._fitting < 24 and max(sizes[4:]) <= 40
    monkeypatch.setattr(Reconstructor, "_compute", lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory")))
    with pytest.raises(RuntimeError, match="out of memory"):
        limited(block)
    monkeypatch.setattr(Reconstructor, "_compute", lambda *_: (_ for _ in ()).throw(RuntimeError("another")))
    with pytest.raises(RuntimeError, match="another"):
        limited(block)
