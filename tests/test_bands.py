"""Large frames are computed and written in bands of rows, which change no value."""

import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parts_cases import Counting, Deadly
from tempogan_eddy import open_sequence, reconstruct, save_sequence, save_summary
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import bands
from tempogan_eddy.io.format import Writing
from tempogan_eddy.io.formats import zarr as zarr_format
from tempogan_eddy.io.values.precision import precision_of
from tempogan_eddy.io.workers import Workers
from tempogan_eddy.io.writing import parts
from tempogan_eddy.io.writing.cf_dataset import side_within
from tempogan_eddy.reconstruction import Reconstructor, sequences
from test_ensemble_model import ensemble_model
from test_reconstruction import make_model
from training_cases import moving_clouds

TILE, HEIGHT, WIDTH, FRAMES = 8, 30, 20, 3
BANDS = -(-HEIGHT // TILE)
OPTIONS = {"tile": TILE, "device": "cpu"}
WIDE = (1.0, 1000.0)  # an untrained model goes beyond 160 to 330 K


@pytest.fixture
def small_bands(monkeypatch):
    """One row of tiles is a band, and more is a large frame."""
    for module in (bands, sequences):
        monkeypatch.setattr(module, "PIXELS_OF_BAND", TILE * 4 * WIDTH * 4)
    monkeypatch.setattr(zarr_format, "PIXELS_OF_SHARD", 1)


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def lowres():
    """Frames with a corner of several tiles, a gap and single pixels missing, and one that is all missing."""
    frames = moving_clouds(frames=FRAMES, size=HEIGHT)[:, :, :WIDTH].copy()
    frames[0, :20, :17] = np.nan
    frames[0, 25, 3] = frames[1, 13:18] = np.nan
    frames[2] = np.nan
    return frames


@pytest.fixture(scope="module")
def whole(model, lowres):
    """The frames, each computed at once."""
    return Reconstructor(model, **OPTIONS)(lowres.values)


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("dask", [None, "threads:2", pytest.param("local:2", marks=pytest.mark.slow)])
def test_a_store_holds_what_a_frame_computed_at_once_has(tmp_path, model, lowres, whole, dask):
    made, done = reconstruct(lowres, model, **OPTIONS), []
    save_sequence(made, tmp_path / "a.zarr", precision="exact", dask=dask, on_frame=done.append)
    assert done == [1, 2, 3]
    np.testing.assert_array_equal(open_sequence(tmp_path / "a.zarr", valid_kelvin=WIDE), whole)
    array = zarr.open_group(tmp_path / "a.zarr", mode="r")["brightness_temperature"]
    assert (array.shards or array.chunks) == (1, 4 * TILE, 4 * WIDTH)
    assert len([file for file in (tmp_path / "a.zarr/brightness_temperature/c").rglob("*") if file.is_file()]) == 12


@pytest.mark.usefixtures("small_bands")
def test_other_outputs_and_arrays_are_whole_frames(tmp_path, model, lowres, whole):
    made = reconstruct(lowres, model, **OPTIONS)
    np.testing.assert_array_equal(made, whole)
    np.testing.assert_array_equal(reconstruct(lowres.values, model, kelvin=True, **OPTIONS), whole)
    save_sequence(made, tmp_path / "a.nc", precision="exact")
    np.testing.assert_array_equal(open_sequence(tmp_path / "a.nc", valid_kelvin=WIDE), whole)
    save_sequence(made.clip(200, 300), tmp_path / "a", format="png", dask="threads:2")
    np.testing.assert_allclose(open_sequence(tmp_path / "a"), whole.clip(200, 300), atol=0.003)


@given(seed=st.integers(0, 1000), share=st.sampled_from([0.02, 0.5, 0.97]), packed=st.booleans())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_gaps_are_filled_as_in_the_whole_frame(model, lowres, seed, share, packed):
    rng = np.random.default_rng(seed)
    frame = np.where(rng.random((1, 60, WIDTH)) < share, np.nan, 250 + 30 * rng.random((1, 60, WIDTH))).astype("f4")
    at_once = Reconstructor(model, packed=packed, **OPTIONS)
    expected = at_once(frame)
    for first in range(0, 60, TILE):
        rows = slice(first, min(first + TILE, 60))
        np.testing.assert_allclose(
            at_once(frame, rows).astype(float), expected[:, 4 * rows.start : 4 * rows.stop].astype(float),
            atol=1 if packed else 1e-3,
        )  # fmt: skip


@pytest.mark.usefixtures("small_bands")
def test_tiles_without_a_valid_pixel_cost_nothing_in_bands(monkeypatch, model, lowres):
    tiles, compute = [], Reconstructor._compute
    monkeypatch.setattr(Reconstructor, "_compute", lambda *arguments: tiles.append(1) or compute(*arguments))
    reconstruct(lowres[:1], model, **OPTIONS).compute()
    assert len(tiles) == 12 - 2 * 2  # of the missing corner


@pytest.mark.usefixtures("small_bands")
def test_bands_of_a_frame_read_it_once(tmp_path, model, lowres):
    counted = Counting(lowres)
    made = reconstruct(counted.sequence, model, **OPTIONS)
    save_sequence(made, tmp_path / "a.zarr")
    assert len(made.chunks[1]) == BANDS and counted.computed == [0, 1, 2]


@pytest.mark.usefixtures("small_bands")
def test_packed_bands_are_written_unchanged(tmp_path, model, lowres):
    made = reconstruct(lowres.clip(220, 280), model, packed=True, **OPTIONS)
    save_sequence(made, tmp_path / "a.zarr", precision="packed", dask="threads:2")
    with xr.open_zarr(tmp_path / "a.zarr", mask_and_scale=False) as stored:
        np.testing.assert_array_equal(stored["brightness_temperature"], made)
        assert stored["brightness_temperature"].dtype == np.int16


@pytest.mark.usefixtures("small_bands")
def test_a_large_frame_that_is_not_chunked_along_its_rows_is_one_part(tmp_path, lowres):
    highres = lowres.isel(y=np.arange(HEIGHT).repeat(4), x=np.arange(WIDTH).repeat(4))
    save_sequence(highres, tmp_path / "a.zarr", dask="threads:2")
    assert [path.name for path in (tmp_path / "a.zarr/brightness_temperature/c/0").iterdir()] == ["0"]


# Ensembles


@pytest.mark.parametrize("noise", ["white", "coherent"])
def test_the_noise_of_members_does_not_depend_on_bands(tmp_path, lowres, small_bands, noise, monkeypatch):
    ensemble, options = ensemble_model(), {"members": 3, "seed": 4, "noise": noise, **OPTIONS}
    made, summary = (reconstruct(lowres, ensemble, summary=each, **options) for each in (False, True))
    assert made.chunks[2] == (32, 32, 32, 24)
    for module in (bands, sequences):
        monkeypatch.setattr(module, "PIXELS_OF_BAND", 1 << 24)
    expected, of_all = (reconstruct(lowres, ensemble, summary=each, **options) for each in (False, True))
    assert expected.chunks[2] == (120,)
    save_sequence(expected, tmp_path / "whole.zarr", precision="exact")
    for module in (bands, sequences):
        monkeypatch.setattr(module, "PIXELS_OF_BAND", TILE * 4 * WIDTH * 4)
    save_sequence(made, tmp_path / "bands.zarr", precision="exact", dask="threads:2")
    save_summary(summary, tmp_path / "summary.zarr", dask="threads:2")
    with xr.open_zarr(tmp_path / "bands.zarr") as ours, xr.open_zarr(tmp_path / "whole.zarr") as theirs:
        np.testing.assert_array_equal(ours["brightness_temperature"], theirs["brightness_temperature"])
    with xr.open_zarr(tmp_path / "summary.zarr") as ours:
        for name in of_all.data_vars:
            np.testing.assert_array_equal(ours[name], of_all[name])


@pytest.mark.usefixtures("small_bands")
def test_noise_that_is_carried_along_the_motion_keeps_frames_whole(lowres):
    times = lowres["time"].values[0] + np.arange(FRAMES) * np.timedelta64(10, "m")
    made = reconstruct(lowres.assign_coords(time=times), ensemble_model(), members=2, **OPTIONS)
    assert made.chunks[2] == (4 * HEIGHT,)


# Stopped and started again


@pytest.fixture
def written(monkeypatch):
    """The parts that are written, and a set of (frame, first row) that fail."""
    told, failing, write = [], set(), zarr_format._Frames.write

    def watched(self, part, kelvins):
        if (part.frames.start, part.rows.start) in failing:
            raise InputError("the disk has a bad moment")
        told.append((part.frames.start, part.rows.start))
        write(self, part, kelvins)

    monkeypatch.setattr(zarr_format._Frames, "write", watched)
    monkeypatch.setattr("tempogan_eddy.io.workers.PAUSES", (0.0,))
    return told, failing


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("dask", [None, "threads:2"])
def test_only_bands_that_are_missing_are_written(tmp_path, model, lowres, whole, written, dask, caplog):
    told, failing = written
    made = reconstruct(lowres, model, **OPTIONS)
    save = {"precision": "exact", "fingerprint": "a"}
    failing |= {(0, 64), (1, 32)}
    with pytest.raises(InputError, match="2 parts failed after three tries each; the first: the disk has a bad moment"):
        save_sequence(made, tmp_path / "a.zarr", dask="threads:2", **save)
    assert "Rows 65 to 96 of frame 1 of " in caplog.text and "Rows 33 to 64 of frame 2 of " in caplog.text
    assert len(told) == FRAMES * BANDS - 2 and not (tmp_path / "a.zarr").exists()
    told.clear(), failing.clear()
    done = []
    save_sequence(made, tmp_path / "a.zarr", dask=dask, on_frame=done.append, **save)
    assert sorted(told) == [(0, 64), (1, 32)] and done == [1, 2, 3]
    np.testing.assert_array_equal(open_sequence(tmp_path / "a.zarr", valid_kelvin=WIDE), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.usefixtures("small_bands")
def test_an_equal_sequence_in_other_chunks_continues_the_shards_that_are_there(tmp_path, model, lowres, whole, written):
    told, failing = written
    made, save = reconstruct(lowres, model, **OPTIONS), {"precision": "exact", "fingerprint": "a"}
    failing.add((1, 32))
    with pytest.raises(InputError, match="bad moment"):
        save_sequence(made, tmp_path / "a.zarr", dask="threads:2", **save)
    told.clear(), failing.clear()
    save_sequence(made.chunk({"y": -1}), tmp_path / "a.zarr", dask="threads:2", **save)
    assert told == [(1, 32)]
    np.testing.assert_array_equal(open_sequence(tmp_path / "a.zarr", valid_kelvin=WIDE), whole)


@pytest.mark.slow
@pytest.mark.usefixtures("small_bands")
def test_a_worker_killed_in_a_band_loses_nothing(tmp_path, model, lowres, whole):
    pytest.importorskip("distributed")
    made = reconstruct(lowres, model, **OPTIONS).assign_attrs(history="h")
    place = zarr_format.ZARR.begin(made, tmp_path / "b.zarr", Writing(precision_of("exact"), lambda done: None))
    done = []
    with Workers("local:2") as workers:
        parts.write_jobs([parts.Job(made, Deadly(place, tmp_path / "killed", (1, 64)), done.append)], workers)
    assert (tmp_path / "killed").exists() and done == [1, 2, 3]
    np.testing.assert_array_equal(open_sequence(tmp_path / "b.zarr", valid_kelvin=WIDE), whole)


# Which rows


@pytest.mark.parametrize(
    ("height", "width", "chunks", "rows"),
    [
        (8000, 20572, (1024,) * 7 + (832,), 1024),  # GridSat
        (22000, 22000, (1024,) * 21 + (496,), 1024),  # a full disk
        (100_000, 500, (1024,) * 97 + (672,), 32 * 1024),  # a swath: some rows of tiles together
        (4000, 4000, (1024,) * 3 + (928,), 4000),  # not large
        (8000, 20572, (8000,), 8000),  # computed at once
        (8000, 20572, (1000, 3000, 4000), 8000),  # by no rule
        (8000, 20572, (1024,) * 6 + (832, 1024), 8000),
        (8000, 20572, (3000, 5000), 8000),
    ],
)
def test_bands_are_some_chunks_of_a_large_frame(height, width, chunks, rows):
    lazy = dask.array.empty((1, height, width), chunks=(1, chunks, width), dtype="f4")
    assert bands.bands_of(xr.DataArray(lazy, dims=("time", "y", "x"))) == rows


@given(rows=st.integers(1, 40_000))
def test_chunks_fill_a_band_exactly(rows):
    assert rows % side_within(rows) == 0


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("dask", [None, "threads:2"])
def test_a_run_that_goes_on_after_the_first_band_still_looks_at_the_values(
    tmp_path, model, lowres, dask, monkeypatch, caplog
):
    """Counts of an image that are called kelvin."""
    counts = lowres[1:2].copy(data=np.round((lowres[1:2].values - 200) * 2 + 60).clip(1, 255))
    counts = counts.where((counts > 0) & (counts.x % 2 == 0) & (counts.y % 2 == 0))
    made = reconstruct(counts, model, valid_kelvin=WIDE, **OPTIONS)
    write = zarr_format._Frames.write

    def stopped(self, part, kelvins):
        if part.rows.start:
            raise KeyboardInterrupt
        write(self, part, kelvins)

    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(zarr_format._Frames, "write", stopped)
        save_sequence(made, tmp_path / "a.zarr", fingerprint="a")
    caplog.clear()
    made = reconstruct(counts, model, valid_kelvin=WIDE, **OPTIONS)
    save_sequence(made, tmp_path / "a.zarr", fingerprint="a", dask=dask)
    assert caplog.text.count("are these counts of an image") == 1
