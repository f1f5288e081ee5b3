import json

import h5py
import numpy as np
import pytest
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences, save_sequence

HEADER = (
    "year,month,day,hour,grade,lat,lng,pressure,wind,dir50,long50,short50,dir30,long30,short30,"
    "landfall,intp,file_1,mask_1,mask_1_pct\n"
)


def write_frame(path, values, key="Infrared", units="kelvin"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        image = file.create_dataset(key, data=np.asarray(values, dtype="f8"), compression="gzip")
        if units:
            image.attrs["units"] = np.bytes_(units)


def kelvin(seed=0, shape=(8, 9)):
    return np.random.default_rng(seed).uniform(200, 300, shape)


@pytest.fixture
def basin(tmp_path):
    """A basin of the storm 200101 with four hourly frames, the last hour but one missing, and its metadata."""
    basin = tmp_path / "WP"
    names = [f"20010701{hour:02d}-200101-GMS5-1.h5" for hour in (0, 1, 2, 4)]
    for seed, name in enumerate(names):
        write_frame(basin / "image/200101" / name, kelvin(seed))
    rows = [
        f"2001,7,1,0,3,12.5,140.1,1002,0,0,0,0,0,0,0,0,0,{names[0]},12,16.6667\n",
        f"2001,7,1,1,3,12.6,140.0,1001.5,0,0,0,0,0,0,0,0,1,{names[1]},0,0.0000\n",
        "2001,7,1,2,4,12.7,139.9,,35,0,0,0,0,0,0,0,1,,,\n",
    ]
    (basin / "metadata").mkdir()
    (basin / "metadata/200101.csv").write_text(HEADER + "".join(rows))
    (basin / "metadata.json").write_text(json.dumps({"200101": {"id": "200101", "name": "DURIAN", "season": 2001}}))
    return basin


def test_a_sequence_has_the_files_kelvins_times_and_satellites(basin):
    sequence = open_sequence(basin / "image/200101")
    assert sequence.attrs["sequence"] == "200101"
    assert sequence.attrs["storm_name"] == "DURIAN"
    hours = (sequence.time.values - np.datetime64("2001-07-01")) / np.timedelta64(1, "h")
    np.testing.assert_array_equal(hours, [0, 1, 2, 4])
    assert sequence.satellite.values.tolist() == ["GMS5"] * 4
    np.testing.assert_array_equal(sequence.values, np.stack([kelvin(i) for i in range(4)]).astype("f4"))


def test_the_best_track_is_joined_by_file_name_else_by_hour(basin):
    sequence = open_sequence(basin)
    np.testing.assert_array_equal(sequence.center_lat, [12.5, 12.6, 12.7, np.nan])
    assert (sequence.center_lat.units, sequence.center_lon.units) == ("degrees_north", "degrees_east")
    np.testing.assert_array_equal(sequence.center_lon, [140.1, 140.0, 139.9, np.nan])
    np.testing.assert_array_equal(sequence.pressure, [1002, 1001.5, np.nan, np.nan])
    np.testing.assert_array_equal(sequence.grade, [3, 3, 4, np.nan])
    np.testing.assert_array_equal(sequence.wind, [0, 0, 35, np.nan])
    np.testing.assert_array_equal(sequence.mask_percent, [16.6667, 0, np.nan, np.nan])


def test_metadata_may_be_missing(basin):
    for path in (basin / "metadata/200101.csv", basin / "metadata.json"):
        path.unlink()
    sequence = open_sequence(basin)
    assert set(sequence.coords) == {"time", "satellite"}


@pytest.mark.parametrize("key", ["Infrared", "infrared", "Data"])
def test_all_versions_keys_are_read(tmp_path, key):
    write_frame(tmp_path / "2001070100-200101-GMS5-1.h5", kelvin(), key)
    np.testing.assert_array_equal(open_sequence(tmp_path)[0].values, kelvin().astype("f4"))


def test_version_3_has_channels_and_basins(tmp_path):
    name = "2001070100-200101-HMW9-{}.h5"
    for channel in (1, 2):
        for basin, storm in (("WP", "200101"), ("AU", "200103")):
            write_frame(
                tmp_path / f"{channel}/{basin}/image/{storm}" / name.format(channel),
                kelvin(channel),
                "Data",
                None,
            )
    table = HEADER.replace("_1", "_2") + f"2001,7,1,0,3,12.5,140.1,1002,0,0,0,0,0,0,0,0,0,{name.format(2)},3,4.5\n"
    (tmp_path / "2/WP/metadata").mkdir()
    (tmp_path / "2/WP/metadata/200101.csv").write_text(table)
    sequences = open_sequences(tmp_path)
    assert set(sequences) == {f"{c}_{b}_image_{s}" for c in (1, 2) for b, s in (("WP", "200101"), ("AU", "200103"))}
    assert sequences["2_WP_image_200101"].mask_percent.item() == 4.5
    assert set(open_sequences(tmp_path / "2")) == {"200101", "200103"}


def test_one_frame_alone_is_a_sequence_of_one(basin):
    sequence = open_sequence(basin / "image/200101/2001070101-200101-GMS5-1.h5")
    assert sequence.sizes["time"] == 1
    assert sequence.center_lat.item() == 12.6


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage(path):
    """Spoil the compressed pixels and leave the file's structure whole, so that only reading finds it."""
    with h5py.File(path) as file:
        chunk = file["Infrared"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)


def test_a_truncated_file_is_an_error_that_names_it(basin):
    file = basin / "image/200101/2001070102-200101-GMS5-1.h5"
    truncate(file)
    with pytest.raises(InputError, match=file.name):
        open_sequence(basin)


def test_a_damaged_file_is_an_error_that_names_it_when_read(basin):
    file = basin / "image/200101/2001070102-200101-GMS5-1.h5"
    damage(file)
    sequence = open_sequence(basin)
    assert np.isfinite(sequence[0].values).all()
    with pytest.raises(InputError, match=file.name):
        sequence.compute()


@pytest.mark.parametrize("spoil", [truncate, damage])
def test_an_unreadable_file_can_be_a_gap(basin, spoil, caplog):
    file = basin / "image/200101/2001070102-200101-GMS5-1.h5"
    spoil(file)
    sequence = open_sequence(basin, unreadable="gap")
    assert sequence.sizes["time"] == 3
    assert file.name in caplog.text
    np.testing.assert_array_equal(sequence.center_lat, [12.5, 12.6, np.nan])


def test_a_folder_in_which_nothing_can_be_read_is_an_error(tmp_path):
    (tmp_path / "2001070100-200101-GMS5-1.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="no frame"):
        open_sequence(tmp_path, unreadable="gap")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (
            lambda folder: write_frame(folder / "2001070105-200101-GMS5-1.h5", kelvin(shape=(9, 9))),
            r"\(9, 9\)",
        ),
        (lambda folder: write_frame(folder / "2001070105-200101-GMS5-1.h5", kelvin(), "visible"), "visible"),
        (
            lambda folder: write_frame(folder / "2001070105-200101-GMS5-1.h5", kelvin(), units="percent"),
            "percent",
        ),
        (lambda folder: write_frame(folder / "2001073299-200101-GMS5-1.h5", kelvin()), "not named"),
        (lambda folder: write_frame(folder / "picture.h5", kelvin()), "not named"),
        (lambda folder: (folder.parents[1] / "metadata/200101.csv").write_text("a,b\n1,2\n"), "best-track"),
        (lambda folder: (folder.parents[1] / "metadata.json").write_text("[1"), "metadata"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(basin, write, words):
    write(basin / "image/200101")
    with pytest.raises(InputError, match=words):
        open_sequence(basin)


def test_a_fill_is_missing(tmp_path):
    values = kelvin(shape=(40, 40))
    values[30:] = -19.1
    write_frame(tmp_path / "2001070100-200101-GMS5-1.h5", values)
    np.testing.assert_array_equal(np.isnan(open_sequence(tmp_path)[0].values), values < 0)


def test_what_is_written_is_the_official_layout(make_sequence, tmp_path):
    sequence = make_sequence(frames=3, missing=6)
    save_sequence(sequence, tmp_path / "WP", format="digital-typhoon")
    save_sequence(sequence.assign_attrs(sequence="200102"), tmp_path / "WP", format="digital-typhoon")
    names = sorted(path.name for path in (tmp_path / "WP/image/200101").iterdir())
    assert names == [f"200107010{i}-200101-{satellite}-1.h5" for i, satellite in enumerate(["GMS3", "MTS1", "GMS3"])]
    with h5py.File(tmp_path / "WP/image/200101" / names[0]) as file:
        assert list(file) == ["Infrared"]
        assert file["Infrared"].attrs["units"] == "kelvin"
    metadata = json.loads((tmp_path / "WP/metadata.json").read_text())
    assert metadata["200102"]["images"] == 3
    assert (metadata["200101"]["season"], metadata["200101"]["number"]) == (2001, 1)
    assert (tmp_path / "WP/metadata/200101.csv").read_text().startswith(HEADER)
    assert sorted(path.name for path in (tmp_path / "WP").iterdir()) == ["image", "metadata", "metadata.json"]
    assert set(open_sequences(tmp_path / "WP")) == {"200101", "200102"}


def test_frames_of_one_hour_are_kept_apart(make_sequence, tmp_path):
    sequence = make_sequence(frames=3).isel(time=[0, 0, 2])
    save_sequence(sequence, tmp_path / "WP", format="digital-typhoon")
    np.testing.assert_array_equal(open_sequence(tmp_path / "WP").values, sequence.values)


def test_times_between_hours_have_no_file_name(make_sequence, tmp_path):
    with pytest.raises(InputError, match="2001-07-01T00:30:00"):
        save_sequence(make_sequence(step="30m"), tmp_path / "WP", format="digital-typhoon")
    assert not (tmp_path / "WP").exists()


def test_the_real_storms_open_with_their_tracks(data_dir):
    sequences = open_sequences(data_dir / "digital-typhoon")
    assert {name: da.shape for name, da in sequences.items()} == {
        "198702": (156, 512, 512),
        "200717": (139, 512, 512),
    }
    storm = sequences["200717"]
    assert (np.diff(storm.time) == np.timedelta64(1, "h")).all()
    assert np.isfinite(storm.center_lat).all()
    assert float(storm.center_lat[0]) == 19.7
    assert storm.attrs["storm_season"] == 2007
    assert float(sequences["198702"].mask_percent[0]) == 19.244


def test_hdf5_is_used_under_the_lock_of_the_netcdf_library(basin, tmp_path, monkeypatch):
    unlocked, open_file = [], h5py.File

    def watched(path, *mode):
        if not NETCDF4_PYTHON_LOCK.locked():
            unlocked.append(path)
        return open_file(path, *mode)

    monkeypatch.setattr(h5py, "File", watched)
    sequence = open_sequence(basin, unreadable="gap")
    save_sequence(sequence, tmp_path / "copy", format="digital-typhoon")
    assert open_sequence(tmp_path / "copy").equals(sequence)
    assert unlocked == []
