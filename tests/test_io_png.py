import numpy as np
import pytest
from PIL import Image

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences, save_sequence
from tempogan_eddy.io.png import WRITTEN_KELVIN


def write_png(path, values, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values), mode).save(path) if mode else Image.fromarray(np.asarray(values)).save(path)


def ramp(dtype=np.uint8, shape=(4, 8)):
    white = np.iinfo(dtype).max
    return np.linspace(0, white, shape[0] * shape[1]).astype(dtype).reshape(shape)


@pytest.fixture
def seed_tree(tmp_path):
    """The tree of the seed's README."""
    for split, storm, frames in (("train", 1, 3), ("train", 2, 2), ("val", 1, 2), ("test", 3, 2)):
        for number in range(1, frames + 1):
            write_png(tmp_path / split / f"typhoon_{storm:03d}" / f"frame_{number:03d}.png", ramp() // number)
    return tmp_path


def test_the_seeds_tree_gives_its_storms_by_name(seed_tree):
    assert set(open_sequences(seed_tree / "train")) == {"typhoon_001", "typhoon_002"}
    names = {"train_typhoon_001", "typhoon_002", "val_typhoon_001", "typhoon_003"}
    assert set(open_sequences(seed_tree)) == names


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("grey_kelvin", [(170, 320), (310, 190)])
def test_grey_is_mapped_linearly_from_black_to_white(tmp_path, dtype, grey_kelvin):
    write_png(tmp_path / "a/frame_1.png", ramp(dtype))
    sequence = open_sequence(tmp_path / "a", grey_kelvin=grey_kelvin)
    low, high = grey_kelvin
    expected = low + ramp(dtype).astype("f8") / np.iinfo(dtype).max * (high - low)
    np.testing.assert_allclose(sequence[0].values, expected, atol=1e-4)


def test_frames_come_in_natural_order_an_hour_apart(tmp_path):
    for number in (1, 2, 10, 9):
        write_png(tmp_path / f"a/frame_{number}.png", np.full((4, 4), 10 * number, np.uint8))
    sequence = open_sequence(tmp_path / "a", grey_kelvin=(180, 320))
    hours = (sequence.time.values - np.datetime64("2000-01-01")) / np.timedelta64(1, "h")
    np.testing.assert_array_equal(hours, [1, 2, 9, 10])
    assert (np.diff(sequence[:, 0, 0].values) > 0).all()
    assert sequence.attrs["time_source"] == "frame number"


def test_the_cadence_sets_the_time_between_numbered_frames(seed_tree):
    sequence = open_sequence(seed_tree / "train/typhoon_001", cadence="30min")
    np.testing.assert_array_equal(np.diff(sequence.time), np.timedelta64(30, "m"))
    with pytest.raises(InputError, match="often"):
        open_sequence(seed_tree / "train/typhoon_001", cadence="often")


def test_times_are_read_from_file_names(tmp_path):
    for name in ("2007100323-200717-MTS1.png", "200710040030.png", "b_2007100401.png"):
        write_png(tmp_path / "a" / name, ramp())
    sequence = open_sequence(tmp_path / "a")
    expected = np.array(["2007-10-03T23:00", "2007-10-04T00:30", "2007-10-04T01:00"], "datetime64[ns]")
    np.testing.assert_array_equal(sequence.time, expected)
    assert sequence.attrs["time_source"] == "file name"


def test_grey_stored_as_colour_is_grey(tmp_path):
    write_png(tmp_path / "a/frame_1.png", np.repeat(ramp()[..., None], 3, axis=2))
    write_png(tmp_path / "a/frame_2.png", np.dstack([ramp(), ramp(), ramp(), np.full_like(ramp(), 255)]))
    write_png(tmp_path / "a/frame_3.png", ramp())
    frames = open_sequence(tmp_path / "a").values
    np.testing.assert_array_equal(frames[0], frames[2])
    np.testing.assert_array_equal(frames[1], frames[2])


def test_a_coloured_frame_is_refused_by_name(tmp_path):
    write_png(tmp_path / "a/frame_1.png", np.dstack([ramp(), ramp() // 2, ramp()]))
    with pytest.raises(InputError, match=r"frame_1\.png is coloured"):
        open_sequence(tmp_path / "a").compute()


def test_text_named_png_is_refused_by_name(seed_tree):
    (seed_tree / "train/typhoon_001/frame_002.png").write_text("this is no picture")
    with pytest.raises(InputError, match=r"frame_002\.png is not a PNG"):
        open_sequence(seed_tree / "train/typhoon_001")


def test_a_truncated_frame_is_refused_by_name_when_read(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    write_png(tmp_path / "a/frame_1.png", noise)
    file = tmp_path / "a/frame_1.png"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"frame_1\.png"):
        open_sequence(tmp_path / "a").compute()


def test_a_frame_of_another_size_is_refused_by_name(seed_tree):
    write_png(seed_tree / "train/typhoon_001/frame_004.png", ramp(shape=(8, 8)))
    with pytest.raises(InputError, match=r"frame_004\.png has \(8, 8\)"):
        open_sequence(seed_tree / "train/typhoon_001")


def test_our_own_frames_tell_their_kelvins_times_and_coordinates(make_sequence, tmp_path):
    sequence = make_sequence(missing=9)
    save_sequence(sequence, tmp_path / "storm", format="png")
    with Image.open(tmp_path / "storm/frame_001.png") as image:
        assert image.mode == "I;16"
    again = open_sequence(tmp_path / "storm", grey_kelvin=(0, 1))
    np.testing.assert_allclose(again.values, sequence.values, atol=0.5 * np.diff(WRITTEN_KELVIN)[0] / 65534 + 2e-5)
    np.testing.assert_array_equal(np.isnan(again), np.isnan(sequence))
    for name in ("time", "satellite", "center_lat", "pressure"):
        np.testing.assert_array_equal(again[name], sequence[name])
    assert again.attrs["institution"] == "test"


def test_other_viewers_mapping_is_kept_where_frames_are_subset(make_sequence, tmp_path):
    save_sequence(make_sequence(frames=12, shape=(3, 3)), tmp_path / "storm", format="png")
    (tmp_path / "storm/frame_005.png").unlink()
    times = open_sequence(tmp_path / "storm").time.values
    assert np.diff(times).max() == np.timedelta64(2, "h")


def test_kelvins_out_of_range_are_never_clipped(make_sequence, tmp_path):
    with pytest.raises(InputError, match="K: write NetCDF"):
        save_sequence(make_sequence() + 200, tmp_path / "storm", format="png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("names", "hours"),
    [
        (["20190101_0300", "20190102_0300"], [0, 24]),
        (["a_20190101_0300", "a_20190101_0400", "a_20190101_0700"], [0, 1, 4]),
        (["2019-01-01T03-00-00", "2019-01-01T03-30-00"], [0, 0.5]),
        (["frame_2", "frame_10"], [0, 8]),
    ],
)
def test_names_tell_times(tmp_path, names, hours):
    for name in names:
        Image.new("L", (4, 4), 128).save(tmp_path / f"{name}.png")
    times = open_sequence(tmp_path)["time"].values
    assert ((times - times[0]) / np.timedelta64(1, "h")).tolist() == hours


@pytest.mark.parametrize("names", [["img20190101", "img20190103"], ["a", "b"], ["x1", "y1"], ["frame_1", "2019010103"]])
def test_names_that_tell_no_time_are_refused(tmp_path, names):
    for name in names:
        Image.new("L", (4, 4), 128).save(tmp_path / f"{name}.png")
    with pytest.raises(InputError, match="frame_001"):
        open_sequence(tmp_path)


def test_an_unreadable_frame_may_be_a_gap(tmp_path):
    for number in (1, 3):
        Image.new("L", (4, 4), 128).save(tmp_path / f"frame_{number}.png")
    (tmp_path / "frame_2.png").write_text("text")
    with pytest.raises(InputError, match=r"frame_2\.png"):
        open_sequence(tmp_path)
    assert open_sequence(tmp_path, unreadable="gap").sizes["time"] == 2
