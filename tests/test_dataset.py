"""The packed store and TyphoonDataset."""

import json
import shutil
import weakref

import numpy as np
import pytest
import torch
import xarray as xr
import zarr

from tempogan_eddy.config import load_config
from tempogan_eddy.dataset import store, typhoon
from tempogan_eddy.dataset.pack import pack, packed
from tempogan_eddy.dataset.pack_layout import FLOW_QUANTUM, KELVIN_OFFSET, KELVIN_QUANTUM
from tempogan_eddy.dataset.resident import ResidentStore
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.source import fingerprint
from tempogan_eddy.dataset.store import open_storms
from tempogan_eddy.dataset.typhoon import TyphoonDataset
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences, save_sequence
from tempogan_eddy.training.batches import step_batches
from training_cases import moving_clouds, small_config, write_storms


@pytest.fixture(scope="module")
def storms(tmp_path_factory):
    return write_storms(tmp_path_factory.mktemp("storms"))


@pytest.fixture(scope="module")
def config(tmp_path_factory, storms):
    return small_config(tmp_path_factory.mktemp("run"), storms)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, storms):
    """The packed store of the storms; do not change it."""
    return pack(storms, tmp_path_factory.mktemp("whole") / "p.zarr", load_config({}))


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Two storms of one window each."""
    return write_storms(tmp_path_factory.mktemp("few"), frames=3)


def test_pack_keeps_kelvin_times_coordinates_and_missing(tmp_path):
    truth = moving_clouds(frames=4)
    truth[3, :5] = np.nan
    save_sequence(truth, tmp_path / "a.nc")
    truth = open_sequence(tmp_path / "a.nc")  # written in thousandths of a kelvin
    store = pack(tmp_path / "a.nc", tmp_path / "a.zarr", load_config({}))
    back = open_sequence(store)
    assert np.nanmax(np.abs(back.values - truth.values)) <= 0.0051
    assert (np.isnan(back.values) == np.isnan(truth.values)).all()
    assert (back["time"].values == truth["time"].values).all()
    np.testing.assert_allclose(back["lat"], truth["lat"])


def test_pack_is_cf_that_xarray_reads_by_itself(whole):
    dataset = xr.open_zarr(whole, group="storm1", consolidated=False)
    assert dataset["brightness_temperature"].attrs["units"] == "K"
    assert float(dataset["brightness_temperature"].mean()) == pytest.approx(270, abs=5)
    group = zarr.open_group(whole, path="storm1", mode="r")
    assert group["brightness_temperature"].dtype == np.int16
    assert set(open_sequences(whole)) == {"storm0", "storm1"}


def test_flow_in_the_pack_follows_the_clouds(whole):
    storm = open_storms(whole)["storm0"]
    flow = storm.cut_flow(5, slice(None), slice(None))[:, 0, 3:-3, 3:-3] * FLOW_QUANTUM
    assert np.median(flow[0]) == pytest.approx(-0.5, abs=0.2)  # two pixels from the left, in LR pixels
    assert np.median(flow[1]) == pytest.approx(0.5, abs=0.2)


def test_no_flow_across_a_gap(tmp_path):
    gap = moving_clouds().isel(time=[0, 1, 2, 5, 6, 7])
    save_sequence(gap, tmp_path / "a.nc")
    storm = open_storms(pack(tmp_path / "a.nc", tmp_path / "a.zarr", load_config({})))["a"]
    before, after = storm.cut_flow(3, slice(None), slice(None))
    assert (before == 0).all()
    assert np.abs(after).max() > 0


def test_raw_data_are_packed_once(tmp_path, storms):
    config = small_config(tmp_path, storms)
    calls = []
    first = packed(storms, config, lambda *words: calls.append(words))
    count = len(calls)
    assert count == 24
    assert packed(storms, config, lambda *words: calls.append(words)) == first
    assert len(calls) == count
    assert packed(first, config) == first


def test_changed_data_are_packed_again(tmp_path):
    data = write_storms(tmp_path / "data", frames=3)
    config = small_config(tmp_path, data)
    first = packed(data, config)
    save_sequence(moving_clouds(frames=3, seed=9), data / "storm1.nc")
    assert packed(data, config) != first


def test_a_store_of_another_scale_is_refused(whole):
    with pytest.raises(InputError, match="scale = 4"):
        packed(whole, load_config({"model": {"upsample_factor": 2}}))


def test_pack_replaces_only_a_pack(tmp_path, few):
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "notes.txt").write_text("keep me")
    with pytest.raises(InputError, match=r"mine\.zarr"):
        pack(few, tmp_path / "mine.zarr", load_config({}))
    assert (tmp_path / "mine.zarr" / "notes.txt").exists()


def test_a_broken_pack_leaves_nothing_behind(tmp_path):
    data = write_storms(tmp_path / "data", frames=3)
    broken = data / "storm2.nc"
    broken.write_bytes((data / "storm1.nc").read_bytes()[:5000])
    with pytest.raises(InputError, match=r"storm2\.nc"):
        pack(data, tmp_path / "out" / "p.zarr", load_config({}))
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_a_sample_is_three_frames_their_coarse_frames_and_flow(config, storms):
    sample = TyphoonDataset(storms, "train", config)[0]
    assert sample["highres"].shape == (3, 1, 32, 32)
    assert sample["lowres"].shape == (3, 1, 8, 8)
    assert sample["flow"].shape == (2, 2, 8, 8)
    assert 180 < float(sample["highres"].min()) < float(sample["highres"].max()) < 320
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(sample["highres"], 4), sample["lowres"])


def test_frames_of_a_window_are_cut_and_turned_alike(config, storms):
    """The clouds drift by two pixels, whatever the augmentation: rolling one frame gives the next."""
    dataset = TyphoonDataset(storms, "train", config)
    for index in range(16):
        before, middle, after = dataset[index]["highres"][:, 0].numpy()
        shifts = [(0, 2), (0, -2), (2, 0), (-2, 0)]
        fits = [
            all(
                np.abs(np.roll(a, shift, (0, 1)) - b)[4:-4, 4:-4].max() < 0.02
                for a, b in ((before, middle), (middle, after))
            )
            for shift in shifts
        ]
        assert sum(fits) == 1


def test_samples_repeat_by_number_and_vary_between_numbers(config, storms):
    first, second = (TyphoonDataset(storms, "train", config) for _ in range(2))
    assert all(torch.equal(first[7][key], second[7][key]) for key in first[7])
    assert not torch.equal(first[7]["highres"], first[8]["highres"])


def test_a_store_too_large_for_memory_gives_the_same_samples(config, storms, monkeypatch):
    held = TyphoonDataset(storms, "train", config)
    monkeypatch.setattr(store, "IN_MEMORY_BYTES", 0)
    read = TyphoonDataset(storms, "train", config)
    assert not isinstance(read.windows[0].storm.kelvins, np.ndarray)
    for index in range(4):
        assert all(torch.equal(held[index][key], read[index][key]) for key in held[index])


@pytest.mark.parametrize(("free", "resident"), [(1 << 40, True), (1000, False)])
def test_frames_stay_on_a_gpu_that_has_room_for_them(config, storms, monkeypatch, free, resident):
    """The decision and what is drawn; the copy itself needs a GPU and stays on the CPU here."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    monkeypatch.setattr(typhoon, "ResidentStore", lambda *given: ResidentStore(*given[:3], torch.device("cpu")))
    dataset = TyphoonDataset(storms, "train", config)
    moved = dataset.to(torch.device("cuda"))
    assert moved.resident is resident
    assert dataset.resident is False
    assert all(torch.equal(moved[3][key], dataset[3][key]) for key in moved[3])


@pytest.mark.parametrize("kind", ["area", "gaussian"])
def test_a_store_on_the_device_gives_the_same_samples(tmp_path, kind):
    """Gathered by index arithmetic: every symmetry, missing pixels, edges, storms of two sizes."""
    holed = moving_clouds(size=51, name="storm0")
    holed[3:5, 20:24, 20:24] = np.nan
    save_sequence(holed, tmp_path / "storms" / "storm0.nc")
    save_sequence(moving_clouds(size=64, name="storm1", seed=1, start="2001-08-01"), tmp_path / "storms" / "storm1.nc")
    config = small_config(tmp_path, tmp_path / "storms", shift_blocks=True)
    config.data.split.by, config.data.split.guard_hours, config.sensor.kind = "time", 0, kind
    held = TyphoonDataset(tmp_path / "storms", "train", config)
    resident = held.on(torch.device("cpu"))
    samples = [dataset.develop(dataset.draw_batch(range(24)), torch.device("cpu")) for dataset in (held, resident)]
    assert (samples[0]["valid"] == 0).any()
    assert {patch.symmetry for patch in map(held._patch, range(24))} == set(range(8))
    assert resident.draw_batch([0])["kelvins"].shape == (1, 5), "where the pixels lie, and no pixel"
    assert all(torch.equal(samples[0][key], samples[1][key]) for key in samples[0])


def test_the_middle_frames_alone_are_those_of_the_whole_windows(config, storms):
    config = config.model_copy(deep=True)
    config.sensor.noise_kelvin = 0.5
    dataset = TyphoonDataset(storms, "train", config)
    drawn = dataset.draw_batch(range(3))
    whole, middle = (dataset.develop(drawn, torch.device("cpu"), whole) for whole in (True, False))
    for name in ("highres", "lowres", "valid"):
        assert torch.equal(middle[name], whole[name][:, 1:2])


def test_samples_are_those_of_earlier_releases(config, storms):
    """Sums that the code before batched drawing gave; torch and numpy promise the random numbers, not the rounding."""
    config = config.model_copy(deep=True)
    config.sensor.noise_kelvin = 0.5
    sample = TyphoonDataset(storms, "train", config)[7]
    weights = torch.linspace(0, 1, 32 * 32).view(32, 32)
    assert float((sample["highres"] * weights).double().sum()) == pytest.approx(421026.5296, rel=1e-6)
    assert float((sample["lowres"] * weights[:8, :8]).double().sum()) == pytest.approx(5952.379030, rel=1e-6)
    assert float((sample["flow"] * weights[:8, :8]).double().sum()) == pytest.approx(-0.3259530420, rel=1e-6)


@pytest.mark.parametrize("shift_blocks", [False, True])
def test_blocks_lie_as_in_the_full_frame_or_anywhere(tmp_path, storms, shift_blocks):
    config = small_config(tmp_path, storms, augment=False, shift_blocks=shift_blocks)
    dataset = TyphoonDataset(storms, "train", config)
    on_blocks = 0
    for index in range(16):
        patch, window = dataset[index]["highres"][1, 0], dataset._window(index)
        full = torch.from_numpy(window.storm.cut(window.frames, 0, 0, 48, 48)[1]) * KELVIN_QUANTUM + KELVIN_OFFSET
        places = full.unfold(0, 32, 1).unfold(1, 32, 1)
        top, left = ((places - patch).abs().amax(dim=(2, 3)) < 0.01).nonzero()[0].tolist()
        on_blocks += top % 4 == 0 and left % 4 == 0
    assert on_blocks == 16 if not shift_blocks else on_blocks < 8


def test_every_pass_visits_every_window(config, storms):
    dataset = TyphoonDataset(storms, "train", config)
    visited = [dataset._window(index) for index in range(2 * len(dataset))]
    for part in (visited[: len(dataset)], visited[len(dataset) :]):
        assert {(w.storm.name, w.frames[1]) for w in part} == {(w.storm.name, w.frames[1]) for w in dataset.windows}


def test_a_pass_draws_the_windows_of_a_storm_as_often_as_asked(config, storms):
    plain = TyphoonDataset(storms, "train", config)
    names = {window.storm.name for window in plain.windows}
    often = sorted(names)[0]
    config.data.draws = {often: 3}
    dataset = TyphoonDataset(storms, "train", config)
    windows = [w for w in plain.windows for _ in range(3 if w.storm.name == often else 1)]
    drawn = [dataset._window(index) for index in range(len(windows))]
    assert sorted((w.storm.name, w.frames[1]) for w in drawn) == sorted((w.storm.name, w.frames[1]) for w in windows)
    config.data.draws = {"*": 0}
    with pytest.raises(InputError, match=r"data\.draws"):
        TyphoonDataset(storms, "train", config)


def test_missing_pixels_are_masked_and_filled(tmp_path):
    holed = moving_clouds()
    holed[:, 10:12] = np.nan
    save_sequence(holed, tmp_path / "storm.nc")
    config = small_config(tmp_path, tmp_path / "storm.nc")
    config.data.split.by = "time"
    config.data.split.guard_hours = 0
    dataset = TyphoonDataset(tmp_path / "storm.nc", "train", config)
    sample = next(s for s in (dataset[i] for i in range(20)) if (s["valid"] == 0).any())
    assert all(torch.isfinite(value).all() for value in sample.values())
    assert 0 < float((sample["valid"] == 0).float().mean()) <= config.data.max_missing


def test_patches_with_too_much_missing_are_refused(tmp_path):
    holed = moving_clouds()
    holed[:, ::3] = np.nan
    save_sequence(holed, tmp_path / "storm.nc")
    config = small_config(tmp_path, tmp_path / "storm.nc")
    config.data.split.by = "time"
    config.data.split.guard_hours = 0
    dataset = TyphoonDataset(tmp_path / "storm.nc", "train", config)
    with pytest.raises(InputError, match="max_missing"):
        dataset[0]


def test_no_window_at_all_is_refused(tmp_path, few):
    config = small_config(tmp_path, few)
    config.data.cadence = "30min"
    with pytest.raises(
        InputError, match=r"no three frames 30min apart .* its frames are 1h apart; set data.cadence to 1h or native"
    ):
        TyphoonDataset(few, "train", config)


def write_cadences(folder, frames=14, **steps):
    """Storms whose clouds drift two pixels a frame, at several steps in minutes; times are a little off."""
    for number, (name, minutes) in enumerate(steps.items()):
        da = moving_clouds(frames=frames, seed=number, name=name, start=f"200{number}-08-01")
        jitter = np.random.default_rng(number).integers(-20_000, 20_000, frames).astype("timedelta64[us]")
        times = da["time"].values[0] + np.arange(frames) * np.timedelta64(minutes, "m") + jitter
        save_sequence(
            da.assign_coords(time=("time", times.astype("datetime64[ns]"), da["time"].attrs)), folder / f"{name}.nc"
        )
    return folder


def cadence_config(folder, data, cadence):
    config = small_config(folder, data)
    config.data.cadence = cadence
    return config


@pytest.mark.parametrize(
    ("cadence", "between"),
    [("1h", {"ten": 6, "half": 2, "hourly": 1}), ("native", {"ten": 1, "half": 1, "hourly": 1, "slow": 1})],
)
def test_archives_of_several_cadences_train_together(tmp_path, cadence, between):
    data = write_cadences(tmp_path / "data", ten=10)
    write_cadences(data, frames=6, half=30, hourly=60, slow=180)
    config = cadence_config(tmp_path, data, cadence)
    dataset = TyphoonDataset(data, "train", config)
    windows = dataset.windows + dataset.other("val").windows
    lengths = {"ten": 14, "half": 6, "hourly": 6, "slow": 6}
    found = {name: [w.frames for w in windows if w.storm.name == name] for name in lengths}
    expected = {name: [(m - n, m, m + n) for m in range(n, lengths[name] - n)] for name, n in between.items()}
    assert {name: frames for name, frames in found.items() if frames} == expected
    assert torch.isfinite(dataset[0]["lowres"]).all()


@pytest.fixture(scope="module")
def half_hourly(tmp_path_factory):
    """A half-hourly storm, and its store at a cadence of an hour."""
    folder = tmp_path_factory.mktemp("half")
    data = write_cadences(folder / "data", half=30)
    return data, pack(data, folder / "p.zarr", cadence_config(folder, data, "1h"))


def test_flow_in_the_pack_leads_to_the_frame_one_cadence_away(tmp_path, half_hourly):
    data, store = half_hourly
    hourly = open_storms(store)["half"]
    native = open_storms(pack(data, tmp_path / "n.zarr", cadence_config(tmp_path, data, "native")))["half"]
    shifts = [
        np.median(storm.cut_flow(6, slice(None), slice(3, -3))[1][0]) * FLOW_QUANTUM for storm in (native, hourly)
    ]
    assert shifts == pytest.approx([0.5, 1.0], abs=0.25)  # two and four pixels to the right, in LR pixels
    assert native.links.following.tolist() == [*range(1, 14), -1]
    assert hourly.links.following.tolist() == [*range(2, 14), -1, -1]
    # Each of two interleaved chains of frames begins without a flow.
    assert not hourly.cut_flow(1, slice(None), slice(None))[0].any()


@pytest.mark.parametrize("in_memory", [1 << 32, 0])
def test_frames_far_apart_in_the_store_are_cut_as_neighbours_are(monkeypatch, half_hourly, in_memory):
    monkeypatch.setattr(store, "IN_MEMORY_BYTES", in_memory)
    storm = open_storms(half_hourly[1])["half"]
    cut = storm.cut((3, 5, 7), -2, 30, 16, 24)
    single = [storm.cut((n - 1, n, n + 1), -2, 30, 16, 24)[1] for n in (3, 5, 7)]
    assert np.array_equal(cut, np.stack(single))
    assert storm.may_miss((3, 5, 7)) is (not in_memory)


def test_only_frames_that_are_still_needed_are_held_while_packing(tmp_path, monkeypatch, half_hourly):
    """A half-hourly archive at a cadence of an hour needs two frames at a time, however long it is."""
    data, _ = half_hourly
    seen, alive = [], []
    apply = SensorModel.apply

    def watched(self, frame, *rest):
        result = apply(self, frame, *rest)
        seen.append(weakref.ref(result))
        alive.append(sum(reference() is not None for reference in seen))
        return result

    monkeypatch.setattr(SensorModel, "apply", watched)
    pack(data, tmp_path / "p.zarr", cadence_config(tmp_path, data, "1h"))
    assert len(alive) == 14 and max(alive) <= 4


def as_first_version(store):
    """The store as the first version of the format wrote it: no numbers of neighbours, no tolerance, no seal."""
    root = zarr.open_group(store, mode="r+")
    del root.attrs["time_tolerance"]
    root.attrs["format_version"] = 1
    for name in root.group_keys():
        for neighbour in ("previous", "next"):
            del root[f"{name}/frame_{neighbour}"]
        metadata = store / name / "zarr.json"
        document = json.loads(metadata.read_text())
        del document["consolidated_metadata"]
        metadata.write_text(json.dumps(document))
    return store


def test_a_store_of_the_first_version_still_opens(tmp_path, storms, whole):
    config = small_config(tmp_path, storms)
    old = as_first_version(shutil.copytree(whole, tmp_path / "old.zarr"))
    for split in ("train", "val"):
        first, second = TyphoonDataset(old, split, config), TyphoonDataset(whole, split, config)
        assert [w.frames for w in first.windows] == [w.frames for w in second.windows]
        assert all(torch.equal(first[3][key], second[3][key]) for key in second[3])
    config.data.cadence = "native"
    with pytest.raises(InputError, match="packed with cadence = 1h"):
        TyphoonDataset(old, "train", config)


def test_a_store_of_the_first_version_links_only_exact_neighbours(tmp_path):
    data = write_cadences(tmp_path / "data", frames=4, half=30, hourly=60)
    old = as_first_version(pack(data, tmp_path / "old.zarr", cadence_config(tmp_path, data, "1h")))
    assert all((storm.links.following < 0).all() for storm in open_storms(old).values())


def test_a_change_of_how_files_are_read_packs_again(tmp_path, few):
    config = small_config(tmp_path, few)
    names = {packed(few, config)}
    for key, value in {"valid_kelvin": (170.0, 330.0), "time_tolerance": "30s", "unreadable": "gap"}.items():
        setattr(config.data, key, value)
        names.add(packed(few, config))
    assert len(names) == 4


def test_a_storm_without_a_window_is_named(tmp_path, caplog):
    data = write_cadences(tmp_path / "data", hourly=60, slow=180)
    config = cadence_config(tmp_path, data, "1h")
    config.data.split.rules = {"train": ["slow", "hourly ../2000-08-01T06"], "val": ["hourly 2000-08-01T07/.."]}
    with caplog.at_level("WARNING", "tempogan_eddy"):
        dataset = TyphoonDataset(data, "train", config)
    assert "slow gives no window for 'train': its frames are 3h apart; set data.cadence to 3h or native" in caplog.text
    assert [(part.storm, part.windows, part.idle) for part in dataset.parts] == [
        ("hourly", 5, 0), ("slow", 0, 14), ("hourly", 5, 0)
    ]  # fmt: skip


def test_data_may_be_a_list_of_files_folders_and_globs(tmp_path, few):
    save_sequence(moving_clouds(frames=3, seed=7, name="other"), tmp_path / "more" / "other.nc")
    config = small_config(tmp_path, few)
    config.training.data_root = [f"{few}/storm*.nc", str(tmp_path / "more")]
    dataset = TyphoonDataset(config.training.data_root, "train", config)
    assert set(dataset.storms) == {"storm0", "storm1", "other"}
    first, again = (packed(config.training.data_root, config) for _ in range(2))
    assert first == again != packed(few, config)


def test_divided_folders_of_a_list_keep_their_splits(tmp_path):
    for place, seed in (("a", 0), ("b", 1)):
        for split in ("train", "val"):
            save_sequence(moving_clouds(frames=4, seed=seed), tmp_path / place / split / f"{split}0.nc")
    config = small_config(tmp_path, tmp_path)
    config.data.split.by = "auto"
    dataset = TyphoonDataset([tmp_path / "a", tmp_path / "b"], "train", config)
    assert set(dataset.storms) == {"train0", "val0", "train_train0", "val_val0"}
    assert {(part.split, part.storm) for part in dataset.parts} == {
        ("train", "train0"), ("train", "train_train0"), ("val", "val0"), ("val", "val_val0")
    }  # fmt: skip


def test_files_that_change_or_are_added_change_the_fingerprint(tmp_path, storms):
    config = load_config({})
    save_sequence(moving_clouds(seed=7), tmp_path / "a.nc")
    one = [str(tmp_path / "a.nc")]
    prints = {fingerprint(source, config, {}) for source in (one, [*one, storms], storms, f"{storms}/*.nc")}
    assert len(prints) == 4
    assert fingerprint(one, config, {}) == fingerprint(tmp_path / "a.nc", config, {}) in prints
    config.data.time_from = "name"
    assert fingerprint(one, config, {}) not in prints


def test_data_may_be_a_glob(tmp_path, storms):
    config = small_config(tmp_path, storms)
    config.data.split.by, config.data.split.guard_hours = "time", 0
    dataset = TyphoonDataset(f"{storms}/storm[1]*", "train", config)
    assert list(dataset.storms) == ["storm1"]
    with pytest.raises(InputError, match=r"storm\[7\].* matches no file"):
        packed(f"{storms}/storm[7]*", config)


@pytest.mark.parametrize("kind", ["area", "gaussian"])
def test_a_batch_is_its_samples(tmp_path, kind):
    """Made together or one by one, with and without missing pixels, at the edge and in the middle."""
    holed = moving_clouds()
    holed[4:6, 10:14, 10:14] = np.nan
    save_sequence(holed, tmp_path / "storm.nc")
    config = small_config(tmp_path, tmp_path / "storm.nc", batch_size=8)
    config.data.split.by, config.data.split.guard_hours, config.sensor.kind = "time", 0, kind
    config.sensor.noise_kelvin = 0.5
    dataset = TyphoonDataset(tmp_path / "storm.nc", "train", config)
    ((batch,),) = next(step_batches(dataset, dataset.config.training, 0, 1))
    alone = [dataset[index] for index in range(8)]
    assert (batch["valid"] == 0).any()
    for name in batch:
        torch.testing.assert_close(batch[name], torch.stack([sample[name] for sample in alone]))


@pytest.mark.parametrize("size", [48, 51])
@pytest.mark.parametrize("kind", ["area", "bicubic", "gaussian"])
def test_coarse_patches_are_cut_from_coarse_frames(tmp_path, kind, size):
    """The sensor's kernel sees beyond the patch exactly what it sees in the full frame, and nothing else."""
    storms = write_storms(tmp_path / "storms", frames=4, size=size)
    config = small_config(tmp_path, storms, augment=False)
    config.sensor.kind = kind
    dataset = TyphoonDataset(storms, "train", config)
    sensor = SensorModel.from_config(config)
    for index in range(8):
        sample = dataset[index]
        window = dataset._window(index)
        coarse = sensor.apply(torch.from_numpy(window.storm.cut(window.frames, 0, 0, 48, 48)) * 0.01 + 250)
        patch = sample["lowres"][:, 0]
        places = coarse.unfold(1, 8, 1).unfold(2, 8, 1)
        distance = (places - patch[:, None, None]).abs().amax(dim=(0, 3, 4))
        assert distance.min() < 1e-3


def test_the_seeds_tree_is_split_by_its_folders(tmp_path):
    for split, storm, seed in (
        ("train", "typhoon_001", 0),
        ("val", "typhoon_002", 1),
        ("test", "typhoon_003", 2),
    ):
        save_sequence(moving_clouds(frames=4, seed=seed), tmp_path / "d" / split / storm, format="png")
    config = small_config(tmp_path, tmp_path / "d")
    config.data.split.by = "auto"
    names = {
        split: {w.storm.name for w in TyphoonDataset(tmp_path / "d", split, config).windows}
        for split in ("train", "val", "test")
    }
    assert names == {"train": {"typhoon_001"}, "val": {"typhoon_002"}, "test": {"typhoon_003"}}


@pytest.mark.parametrize("text", ["does not exist", "empty"])
def test_a_missing_or_empty_data_folder_is_named(tmp_path, text):
    folder = tmp_path / "data"
    if text == "empty":
        folder.mkdir()
    with pytest.raises(InputError, match=text) as caught:
        TyphoonDataset(folder, "train", small_config(tmp_path, folder))
    assert str(folder) in str(caught.value)
