import json

import h5py
import numpy as np
import pytest

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences, save_sequence
from tempogan_eddy.io.files.netcdf_lock import NETCDF_LOCK
from tempogan_eddy.io.formats.digital_typhoon.frames import _seems_whole

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


def test_the_best_track_is_the_same_once_a_spreadsheet_has_saved_it(basin):
    table = basin / "metadata/200101.csv"
    expected = open_sequence(basin)
    text = table.read_text()
    table.write_text(text.replace(",", ";").replace(".", ",") + ";" * text.partition("\n")[0].count(",") + "\n\n")
    for name in ("center_lat", "center_lon", "pressure", "grade", "wind"):
        np.testing.assert_array_equal(open_sequence(basin)[name], expected[name])


def test_frames_that_others_packed_are_unpacked_or_refused(tmp_path):
    for name, image, attrs in (
        ("packed", np.rint(kelvin() * 100).astype("u2")[None], {"scale_factor": 0.01, "_FillValue": np.uint16(0)}),
        ("bytes", np.rint(kelvin() - 75).astype("u1"), {}),
    ):
        (tmp_path / name).mkdir()
        with h5py.File(tmp_path / name / "2001070100-200101-GMS5-1.h5", "w") as file:
            file["Infrared"] = image
            file["Infrared"].attrs.update(attrs)
    np.testing.assert_allclose(open_sequence(tmp_path / "packed").values[0], kelvin(), atol=0.006)
    with pytest.raises(InputError, match="Infrared holds bytes, at most 255"):
        open_sequence(tmp_path / "bytes")


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
    with pytest.raises(InputError, match=rf"{file.name} cannot be read .*; .* --set data\.unreadable=gap makes"):
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

    def watched(path, *mode, **options):
        if not NETCDF_LOCK.locked():
            unlocked.append(path)
        return open_file(path, *mode, **options)

    monkeypatch.setattr(h5py, "File", watched)
    sequence = open_sequence(basin, unreadable="gap")
    save_sequence(sequence, tmp_path / "copy", format="digital-typhoon")
    assert open_sequence(tmp_path / "copy").equals(sequence)
    assert unlocked == []


def write_official(basin, hours=3, sequence="202107", size=512):
    """A basin as V1 and V2 spell it: units and names as bytes, chunks of 256x256."""
    y, x = np.mgrid[:size, :size]
    rows = []
    for hour in range(hours):
        path = basin / f"image/{sequence}/20210719{hour:02d}-{sequence}-HMW8-1.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            values = 290 - 80 * np.exp(-((x - 256 - 3 * hour) ** 2 + (y - 256) ** 2) / 9000)
            image = file.create_dataset("Infrared", data=values, chunks=(256, 256), compression="gzip")
            image.attrs["long_name"] = np.bytes_("Brightness temperature")
            image.attrs["units"] = np.bytes_("K (kelvin)")
        rows.append(f"2021,7,19,{hour},3,{20 + hour / 10},128.0,990,45,0,0,0,0,0,0,0,0,{path.name},0,0.0000\n")
    (basin / "metadata").mkdir(exist_ok=True)
    (basin / f"metadata/{sequence}.csv").write_text(HEADER + "".join(rows))
    entry = {"id": sequence, "number": 7, "season": 2021, "name": ""}
    (basin / "metadata.json").write_text(json.dumps({sequence: entry}))
    (basin / "aux_data.csv").write_text("")
    return values


def test_the_official_release_reads(tmp_path):
    last = write_official(tmp_path / "WP")
    sequence = open_sequence(tmp_path / "WP")
    assert sequence.shape == (3, 512, 512)
    np.testing.assert_array_equal(sequence[2].values, last.astype("f4"))
    np.testing.assert_array_equal(sequence.center_lat, [20, 20.1, 20.2])
    assert sequence.satellite.values.tolist() == ["HMW8"] * 3
    assert "storm_name" not in sequence.attrs
    assert (sequence.attrs["storm_season"], sequence.attrs["storm_number"]) == (2021, 7)


@pytest.mark.parametrize(
    "units", [np.bytes_("K (kelvin)"), "kelvin", np.array([b"K"]), np.array(["K"], dtype=object), "[K]", None]
)
def test_units_come_as_bytes_arrays_or_not_at_all(tmp_path, units):
    path = tmp_path / "2001070100-200101-GMS5-1.h5"
    write_frame(path, kelvin(), units=None)
    if units is not None:
        with h5py.File(path, "a") as file:
            file["Infrared"].attrs["units"] = units
    np.testing.assert_array_equal(open_sequence(tmp_path)[0].values, kelvin().astype("f4"))


def test_version_3_tells_its_layers_and_joins_the_tracks_of_each_channel(tmp_path):
    for channel in (1, 3):
        basin = tmp_path / f"V3-2025/{channel}/AU"
        name = "2022010100-202201-HMW8-1.h5"
        write_frame(basin / "image/202201" / name, kelvin(), "Data", "K (kelvin)")
        (basin / "metadata").mkdir()
        header = HEADER.replace("_1", f"_{channel}")
        row = f"2022,1,1,0,3,-12.5,115.1,1002,0,0,0,0,0,0,0,0,0,{name},3,{channel}.5\n"
        (basin / "metadata/202201.csv").write_text(header + row)
    first, third = (open_sequence(tmp_path / f"V3-2025/{channel}") for channel in (1, 3))
    assert (first.mask_percent.item(), third.mask_percent.item()) == (1.5, 3.5)
    assert third.center_lat.item() == -12.5
    assert first.attrs["long_name"] == "infrared brightness temperature"
    assert "water vapour" in third.attrs["long_name"]


def test_labels_of_minus_one_or_nothing_are_unknown(basin):
    rows = [
        "2001,7,1,0,-1,-1,-1,-1,-1,0,0,0,0,0,0,0,0,,,\n",
        "2001,7,1,1,3,-1.0,140.0,,,0,0,0,0,0,0,0,1,2001070101-200101-GMS5-1.h5,-1,-1\n",
        "2001,7,1,2,3,12.7,179.9,nan,NA,0,0,0,0,0,0,0,1\n",
        "2001,7,1,4,3,12.7,-179.9,950,inf,0,0,0,0,0,0,0,1,,,,,,surplus\n",
    ]
    (basin / "metadata/200101.csv").write_text(HEADER + "".join(rows))
    sequence = open_sequence(basin)
    np.testing.assert_array_equal(sequence.grade, [np.nan, 3, 3, 3])
    np.testing.assert_array_equal(sequence.center_lat, [np.nan, -1, 12.7, 12.7])
    np.testing.assert_array_equal(sequence.center_lon, [np.nan, 140, 179.9, -179.9])
    np.testing.assert_array_equal(sequence.pressure, [np.nan, np.nan, np.nan, 950])
    np.testing.assert_array_equal(sequence.wind, [np.nan] * 4)
    np.testing.assert_array_equal(sequence.mask_percent, [np.nan] * 4)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00\x81",
        b"year,month,day,hour\n2001,7,1,x\n",
        b"year,month,day,hour\n99999999999999999999,7,1,0\n",
        b"year,month,day,hour,lat\n2001,7,1,0\n",
        b"year,month,day,hour,lat,lng\n2001,13,1,0,1,1\n",
        b"year,month,day,hour,lat,lng\n2001,7,1,0,north,1\n",
        b"year,month\n2001\0,7\n",
        HEADER.encode() + b'"' + b"x" * 200_000,
        b"\x89HDF\r\n\x1a\n",
    ],
)
def test_a_damaged_table_is_refused_or_read(basin, content):
    (basin / "metadata/200101.csv").write_bytes(content)
    try:
        sequence = open_sequence(basin)
    except InputError as error:
        assert "200101.csv is not a best-track table" in str(error)
    else:
        assert np.isnan(sequence.center_lat).all()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[1]", b'{"200101": 3}', b'{"200101": {"name": [1]}}', b"[" * 10**5])
def test_damaged_metadata_are_refused_or_read(basin, content):
    (basin / "metadata.json").write_bytes(content)
    try:
        assert "storm_name" not in open_sequence(basin).attrs
    except InputError as error:
        assert "metadata.json is not the dataset's metadata" in str(error)


def test_the_metadata_are_found_from_the_folder_itself_and_beside_the_sequences(basin, monkeypatch):
    monkeypatch.chdir(basin / "image/200101")
    assert open_sequence(".").attrs["storm_name"] == "DURIAN"
    (basin / "image/200101").rename(basin / "200101")
    assert open_sequence(basin / "200101").attrs["storm_name"] == "DURIAN"


def test_names_are_read_whatever_their_case_and_hidden_files_are_passed_over(basin):
    folder = basin / "image/200101"
    (folder / "2001070100-200101-GMS5-1.h5").rename(folder / "2001070100-200101-GMS5-1.H5")
    (folder / "._2001070100-200101-GMS5-1.h5").write_bytes(b"\0\5\x16\7")
    sequence = open_sequence(basin)
    assert sequence.sizes["time"] == 4
    assert sequence.center_lat[0] == 12.5


def test_two_files_of_one_hour_are_both_kept_and_named(basin, caplog):
    write_frame(basin / "image/200101/2001070102-200101-GOE9-1.h5", kelvin(8))
    sequence = open_sequence(basin)
    assert sequence.satellite.values.tolist() == ["GMS5", "GMS5", "GMS5", "GOE9", "GMS5"]
    assert "2001-07-01T02: GMS5, GOE9" in caplog.text


def test_frames_of_two_storms_are_not_one_sequence(basin):
    write_frame(basin / "image/200101/2001070105-200102-GMS5-1.h5", kelvin())
    with pytest.raises(InputError, match="2 storms"):
        open_sequence(basin / "image/200101")


@pytest.mark.parametrize(
    ("spoil", "missing", "words"),
    [
        (lambda image: np.full_like(image, 213.4), 1.0, "is blank"),
        (lambda image: np.where(image > 250, 213.4, 290.0), 1.0, "is blank"),
        (lambda image: np.where(np.arange(image.size).reshape(image.shape) % 3 > 0, 170.0, image), 2 / 3, "67%"),
        (lambda image: np.full_like(image, -19.1), 1.0, None),
        (lambda image: np.full_like(image, np.nan), 1.0, None),
        (np.round, 0.0, None),
    ],
)
def test_images_without_content_are_missing(tmp_path, spoil, missing, words, caplog):
    write_frame(tmp_path / "2001070100-200101-GMS5-1.h5", spoil(kelvin(shape=(60, 60))))
    sequence = open_sequence(tmp_path)
    assert float(np.isnan(sequence).mean()) == pytest.approx(missing, abs=1e-3)
    sequence.compute()
    assert caplog.text.count(words or "no picture") == (1 if words else 0)


def test_long_sequences_are_opened_without_every_header(tmp_path, monkeypatch):
    write_frame(tmp_path / "frame.h5", kelvin())
    content = (tmp_path / "frame.h5").read_bytes()
    times = np.datetime64("2001-01-01T00") + np.arange(300)
    names = [f"{str(time).replace('-', '').replace('T', '')}-200101-GMS5-1.h5" for time in times]
    (tmp_path / "200101").mkdir()
    for name in names:
        (tmp_path / "200101" / name).write_bytes(content)
    opened, open_file = [], h5py.File
    monkeypatch.setattr(h5py, "File", lambda path, *mode, **kw: (opened.append(path), open_file(path, *mode, **kw))[1])
    assert open_sequence(tmp_path / "200101").sizes["time"] == 300
    assert len(opened) < 100
    truncate(tmp_path / "200101" / names[7])
    with pytest.raises(InputError, match=names[7]):
        open_sequence(tmp_path / "200101")
    write_frame(tmp_path / "200101" / names[7], kelvin(shape=(9, 9)))
    sequence = open_sequence(tmp_path / "200101")
    with pytest.raises(InputError, match=rf"{names[7]} has \(9, 9\)"):
        sequence[7].compute()


@pytest.mark.parametrize("version", ["earliest", "v110", "latest"])
def test_a_file_cut_short_is_seen_whatever_its_version(tmp_path, version):
    path = tmp_path / "frame.h5"
    with h5py.File(path, "w", libver=version) as file:
        file["Infrared"] = kelvin()
    assert _seems_whole(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert not _seems_whole(path)
