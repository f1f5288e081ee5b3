"""Damage shows: one flipped bit, a chunk that is gone, metadata that changed."""

import json
import pickle
import random

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors.torch import load_file, save_file

from model_cases import detailed_model
from tempogan_eddy import open_sequence, save_sequence
from tempogan_eddy.config import load_config
from tempogan_eddy.dataset.pack import pack
from tempogan_eddy.dataset.store import open_storms
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.files.zarr_seal import checked_store
from tempogan_eddy.released import RELEASES
from tempogan_eddy.safetensors_file import read_safetensors
from tempogan_eddy.weights import load_model, save_model
from training_cases import moving_clouds


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.fixture
def store(tmp_path):
    """A store with a frame that is all missing, which Zarr would not write by itself."""
    da = moving_clouds(frames=3, size=32)
    da[1] = np.nan
    save_sequence(da, tmp_path / "a.zarr")
    return tmp_path / "a.zarr"


def values(path):
    da = open_sequence(path).load()
    return {"kelvin": da.values.tobytes(), **{str(name): c.values.tobytes() for name, c in da.coords.items()}}


def test_a_bit_of_a_store_that_flips_changes_no_value_without_an_error(store):
    before, rng = values(store), random.Random(1)
    files = [path for path in sorted(store.rglob("*")) if path.is_file()]
    seen = 0
    for number in range(60):
        path = files[number % len(files)]
        bit = rng.randrange(8 * path.stat().st_size)
        flip(path, bit)
        try:
            assert values(store) == before, (path, bit)
        except InputError as error:
            assert str(store) in str(error)
            seen += 1
        flip(path, bit)
    assert values(store) == before and seen > 40


def test_every_deleted_file_of_a_store_is_named(store):
    before = values(store)
    for path in [path for path in store.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(InputError, match=r"a\.zarr") as refusal:
            values(store)
        assert path.name == "zarr.json" or f"{path} is missing" in str(refusal.value)
        path.write_bytes(content)
    assert values(store) == before


def test_every_chunk_is_written_and_others_read_them(store):
    assert len(list((store / "brightness_temperature" / "c").glob("*/0/0"))) == 1  # a shard of three frames
    assert np.isnan(xr.open_zarr(store)["brightness_temperature"][1]).all()
    assert xr.open_zarr(store)["brightness_temperature"][2].notnull().all()


def test_what_xarray_makes_of_a_store_is_read_although_it_writes_no_missing_chunk(store, tmp_path):
    xr.open_zarr(store).drop_encoding().isel(time=slice(0, 2)).to_zarr(tmp_path / "b.zarr", zarr_format=3)
    assert np.isnan(open_sequence(tmp_path / "b.zarr")[1].values).all()


def test_a_store_that_is_changed_on_purpose_says_what_to_do(store):
    path = store / "brightness_temperature" / "zarr.json"
    path.write_text(path.read_text().replace("brightness_temperature", "toa_brightness_temperature"))
    with pytest.raises(InputError, match=r"run zarr\.consolidate_metadata"):
        open_sequence(store)
    import zarr

    zarr.consolidate_metadata(store)
    assert open_sequence(store).sizes["time"] == 3


def test_a_checked_store_goes_to_other_processes(store):
    copy = pickle.loads(pickle.dumps(checked_store(store)))
    (store / "brightness_temperature" / "c" / "0" / "0" / "0").unlink()
    with pytest.raises(InputError, match=r"c/0/0/0 is missing"):
        xr.open_dataset(copy, engine="zarr", consolidated=False)["brightness_temperature"].load()


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_packed_store_names_what_is_damaged(tmp_path, monkeypatch, in_memory):
    if not in_memory:
        monkeypatch.setattr("tempogan_eddy.dataset.store.IN_MEMORY_BYTES", 0)
    save_sequence(moving_clouds(frames=4, size=32), tmp_path / "storms" / "clouds.nc")
    store = pack(tmp_path / "storms", tmp_path / "p.zarr", load_config({}))

    def read():
        for storm in open_storms(store).values():
            storm.cut((1, 2, 3), 0, 0, 32, 32)
            storm.cut_flow(2, slice(None), slice(None))

    store.rename(tmp_path / ".p.zarr.1.old")  # as if its writer was killed while it put a new one in place
    read()
    for name in ("brightness_temperature", "flow_previous", "flow_next"):
        (path,) = (store / "clouds" / name / "c" / "2").rglob("0/0/0" if "flow" in name else "0/0")
        content = path.read_bytes()
        flip(path, 8 * (len(content) // 2))
        with pytest.raises(InputError, match=r"p\.zarr is damaged.*checksum"):
            read()
        path.unlink()
        with pytest.raises(InputError, match=f"{name}/c/2/.* is missing"):
            read()
        path.write_bytes(content)
    metadata = store / "clouds" / "brightness_temperature" / "zarr.json"
    document = json.loads(metadata.read_text())
    document["attributes"]["add_offset"] = 251.0
    metadata.write_text(json.dumps(document))
    with pytest.raises(InputError, match="not those it was written with"):
        read()


def test_equal_models_are_equal_files(tmp_path):
    for name in ("a", "b"):
        save_model(tmp_path / f"{name}.safetensors", detailed_model(2))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_bit_of_a_model_that_flips_changes_nothing_without_an_error(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, detailed_model(2))

    def read():
        model = load_model(path)
        weights = {name: value.numpy().tobytes() for name, value in model.generator.state_dict().items()}
        return weights, model.specification, model.metadata, model.config

    before, rng, size = read(), random.Random(1), path.stat().st_size
    header = int.from_bytes(path.read_bytes()[:8], "little")
    for number in range(200):
        bit = rng.randrange(8 * (8 + header if number % 2 else size))
        flip(path, bit)
        try:
            assert read() == before, bit
        except InputError as error:
            assert str(path) in str(error)
        flip(path, bit)


def test_a_model_without_digest_still_opens(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, detailed_model(2))
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    before = load_model(path).generator.state_dict()
    del header["sha256"]
    save_file(load_file(path), path, header)
    assert all(torch.equal(value, before[name]) for name, value in load_model(path).generator.state_dict().items())


@pytest.mark.parametrize("path", sorted(RELEASES.glob("*.safetensors")), ids=lambda path: path.stem)
def test_released_files_have_a_digest(tmp_path, path):
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    read_safetensors(copy, "The model")
    flip(copy, 8 * copy.stat().st_size - 10)
    with pytest.raises(InputError, match="SHA-256"):
        read_safetensors(copy, "The model")
