import contextlib
import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequence, open_sequences, save_sequence
from tempogan_eddy.io.formats.png import open_png
from tempogan_eddy.io.formats.png.record import WRITTEN_KELVIN
from tempogan_eddy.io.values.quality import looks_drawn, looks_white_cold


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


@pytest.mark.parametrize("coloured", [0, 1])
def test_pictures_of_other_sizes_in_colour_are_no_frames_to_resize(tmp_path, coloured):
    for number, columns in enumerate((8, 9)):
        grey = ramp(shape=(4, columns))
        write_png(
            tmp_path / f"frame_{number}.png", np.stack([grey, grey, grey // (2 if number == coloured else 1)], -1)
        )
    with pytest.raises(InputError, match=rf"frame_{coloured}\.png is coloured"):
        open_sequence(tmp_path)


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


def test_our_own_frames_record_kelvins_times_and_coordinates(make_sequence, tmp_path):
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
    with pytest.raises(InputError, match=r"^Frame 1 has .* K: write NetCDF"):
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
def test_times_in_names_are_parsed(tmp_path, names, hours):
    for name in names:
        Image.new("L", (4, 4), 128).save(tmp_path / f"{name}.png")
    times = open_sequence(tmp_path)["time"].values
    assert ((times - times[0]) / np.timedelta64(1, "h")).tolist() == hours


@pytest.mark.parametrize("names", [["img20190101", "img20190103"], ["a", "b"], ["x1", "y1"], ["frame_1", "2019010103"]])
def test_names_without_times_are_refused(tmp_path, names):
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


# What other machines write: every kind of PNG, made by hand where Pillow cannot write it.

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def packed_rows(levels, bits, row_filter):
    """Rows of an image (y, x, channels) as PNG holds them before compression, under one of the filters 0 to 2."""
    rows, before = [], None
    for row in levels:
        if bits < 8:
            each = np.unpackbits(row.astype(np.uint8)[..., None], axis=-1)[..., -bits:]
            line = np.packbits(each.ravel())
        else:
            line = np.frombuffer(row.astype(">u2" if bits == 16 else "u1").tobytes(), np.uint8)
        back = levels.shape[-1] * max(bits, 8) // 8
        left = np.concatenate([np.zeros(back, np.uint8), line])[: len(line)]
        above = np.zeros_like(line) if before is None else before
        rows.append(bytes([row_filter]) + (line - [0 * line, left, above][row_filter]).astype(np.uint8).tobytes())
        before = line
    return b"".join(rows)


def raw_png(path, levels, kind, bits=8, *, palette=None, key=None, interlaced=False, row_filter=0, extra=()):
    """Write levels (y, x) or (y, x, channels) as the PNG of this kind that they are."""
    levels = np.asarray(levels)
    levels = levels[..., None] if levels.ndim == 2 else levels
    height, width = levels.shape[:2]
    passes = [levels[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [levels]
    pixels = b"".join(packed_rows(part, bits, row_filter) for part in passes if part.size)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced))]
    parts += [chunk(b"PLTE", bytes(palette))] if palette is not None else []
    parts += [chunk(b"tRNS", bytes(key))] if key is not None else []
    parts += [chunk(*each) for each in extra]
    path.parent.mkdir(parents=True, exist_ok=True)
    compressed = zlib.compress(pixels)
    parts += [chunk(b"IDAT", compressed[:20]), chunk(b"IDAT", compressed[20:]), chunk(b"IEND", b"")]
    path.write_bytes(SIGNATURE + b"".join(parts))


def levels_of(bits, shape=(9, 13)):
    return np.random.default_rng(bits).integers(0, 2**bits, shape).astype(np.uint16 if bits == 16 else np.uint8)


def expected(levels, bits):
    return 170 + levels.astype(float) / (2**bits - 1) * 150


LAYOUTS = {
    **{f"grey {bits}": (GREY, bits, lambda grey: grey) for bits in (1, 2, 4, 8, 16)},
    "colour 8": (COLOUR, 8, lambda grey: np.dstack([grey] * 3)),
    "colour 16": (COLOUR, 16, lambda grey: np.dstack([grey] * 3)),
    "grey alpha 8": (GREY_ALPHA, 8, lambda grey: np.dstack([grey, np.full_like(grey, 200)])),
    "grey alpha 16": (GREY_ALPHA, 16, lambda grey: np.dstack([grey, np.full_like(grey, 256)])),
    "colour alpha 8": (COLOUR_ALPHA, 8, lambda grey: np.dstack([grey] * 3 + [np.full_like(grey, 1)])),
    "colour alpha 16": (COLOUR_ALPHA, 16, lambda grey: np.dstack([grey] * 3 + [np.full_like(grey, 1)])),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("row_filter", [0, 1, 2])
def test_every_kind_of_grey_is_exact(tmp_path, layout, interlaced, row_filter):
    kind, bits, stored = LAYOUTS[layout]
    grey = levels_of(bits)
    raw_png(tmp_path / "a/frame_1.png", stored(grey), kind, bits, interlaced=interlaced, row_filter=row_filter)
    np.testing.assert_array_equal(open_sequence(tmp_path / "a")[0].values, expected(grey, bits).astype("f4"))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("seen_through", ["one", "some", "none"])
def test_a_grey_palette_is_grey_and_its_transparent_entries_are_missing(tmp_path, bits, seen_through):
    numbers = levels_of(bits)
    shades = np.random.default_rng(1).integers(0, 256, 2**bits)
    alpha = {"one": [0], "some": [0, 128], "none": None}[seen_through]
    raw_png(tmp_path / "a/frame_1.png", numbers, PALETTE, bits, palette=np.repeat(shades, 3).tolist(), key=alpha)
    kelvin = expected(shades[numbers], 8)
    np.testing.assert_array_equal(
        open_sequence(tmp_path / "a")[0].values, np.where((numbers == 0) & bool(alpha), np.nan, kelvin).astype("f4")
    )


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "alpha" not in name])
def test_the_level_of_a_transparency_key_is_missing(tmp_path, layout):
    kind, bits, stored = LAYOUTS[layout]
    grey = levels_of(bits)
    level = int(grey[4, 4])
    key = struct.pack(">H", level) * (3 if kind == COLOUR else 1)
    raw_png(tmp_path / "a/frame_1.png", stored(grey), kind, bits, key=key)
    kelvin = np.where(grey == level, np.nan, expected(grey, bits)).astype("f4")
    np.testing.assert_array_equal(open_sequence(tmp_path / "a")[0].values, kelvin)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "alpha" in name])
def test_pixels_without_opacity_are_missing_whatever_their_colour(tmp_path, layout):
    kind, bits, stored = LAYOUTS[layout]
    grey = levels_of(bits)
    values = stored(grey)
    values[2:5, 3:6, -1] = 0
    values[3, 4, 0] = 7
    raw_png(tmp_path / "a/frame_1.png", values, kind, bits)
    kelvin = expected(grey, bits).astype("f4")
    kelvin[2:5, 3:6] = np.nan
    np.testing.assert_array_equal(open_sequence(tmp_path / "a")[0].values, kelvin)


@pytest.mark.parametrize("bits", [8, 16])
def test_colours_that_differ_in_the_lowest_bit_are_no_grey(tmp_path, bits):
    colours = np.dstack([levels_of(bits)] * 3)
    colours[5, 5, 2] ^= 1
    raw_png(tmp_path / "a/frame_1.png", colours, COLOUR, bits)
    with pytest.raises(InputError, match="coloured"):
        open_sequence(tmp_path / "a").compute()


def test_a_palette_of_colours_is_refused_where_they_are_used(tmp_path):
    palette = [*np.repeat(np.arange(255), 3), 1, 2, 3]
    raw_png(tmp_path / "a/frame_1.png", levels_of(8) // 2, PALETTE, palette=palette)
    assert np.isfinite(open_sequence(tmp_path / "a").values).all()
    raw_png(tmp_path / "a/frame_1.png", levels_of(8) | 1 | 254 * (levels_of(8) > 99), PALETTE, palette=palette)
    with pytest.raises(InputError, match="coloured"):
        open_sequence(tmp_path / "a").compute()


def test_files_of_other_formats_are_skipped_or_refused_by_format(tmp_path):
    write_png(tmp_path / "a/1.PNG", ramp())
    (tmp_path / "a/._1.PNG").write_bytes(b"\0\5\x16\7")
    (tmp_path / "a/.DS_Store").write_bytes(b"x")
    (tmp_path / "a/2.png").mkdir()
    assert open_sequence(tmp_path / "a").sizes["time"] == 1
    for kind in ("JPEG", "GIF", "BMP", "TIFF"):
        Image.fromarray(ramp()).save(tmp_path / "a/3.png", format=kind)
        with pytest.raises(InputError, match=rf"3\.png is not a PNG image but a {kind}"):
            open_sequence(tmp_path / "a")


def test_an_animation_is_refused(tmp_path):
    frames = [Image.fromarray(ramp() // number) for number in (1, 2)]
    frames[0].save(tmp_path / "frame_1.png", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="animation"):
        open_sequence(tmp_path)


@pytest.mark.parametrize(
    ("width", "height", "bits", "kind"),
    [(13000, 13000, 8, GREY), (10**6, 10**6, 16, GREY), (2**31 - 1, 2**31 - 1, 8, COLOUR), (2**31, 1, 8, GREY)],
)
def test_a_claimed_size_that_the_file_cannot_hold_is_refused_before_memory_is_taken(
    tmp_path, width, height, bits, kind
):
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    pixels = zlib.compress(bytes(100))
    file = SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    (tmp_path / "frame_1.png").write_bytes(file)
    with pytest.raises(InputError, match=r"frame_1\.png"):
        open_sequence(tmp_path)


def test_a_large_frame_of_nothing_is_refused_before_memory_is_taken(tmp_path):
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(bytes(9001)) for _ in range(9000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 9000, 9000, 8, GREY, 0, 0, 0)
    file = SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    (tmp_path / "frame_1.png").write_bytes(file)
    with pytest.raises(InputError, match="does not hold"):
        open_sequence(tmp_path)


@pytest.mark.parametrize("names", [["OR_C13_G16_s2019112100{}213", "OR_C13_G16_s2019112103{}213"], ["a", "b"]])
def test_days_of_the_year_are_read_as_such(tmp_path, names):
    if names == ["a", "b"]:
        names = ["2019112_100{}", "2019112_110{}"]
        context = pytest.raises(InputError, match="day of the year")
    else:
        context = contextlib.nullcontext()
    for name in names:
        write_png(tmp_path / "a" / f"{name.format(0)}.png", ramp())
    with context:
        times = open_sequence(tmp_path / "a").time.values
        np.testing.assert_array_equal(times, np.array(["2019-04-22T10:00:21.300", "2019-04-22T10:30:21.300"], "M8[ns]"))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["191225_2200", "191225_2300"], "four digits for the year"),
        (["25-12-2019_0930", "25-12-2019_1000"], "four digits for the year"),
        (["25122019_090000", "25122019_100000"], "four digits for the year"),
        (["191225_2300", "191226_0000"], "neither time nor number"),
        (["20191225_2300", "20191225_2400"], "no time"),
        (["20191225T0900CST", "20191225T1000CST"], "CST"),
        (["1577264400", "1577268000"], "neither time nor number"),
    ],
)
def test_impossible_times_are_refused(tmp_path, names, words):
    for name in names:
        write_png(tmp_path / "a" / f"{name}.png", ramp())
    with pytest.raises(InputError, match=words):
        open_sequence(tmp_path / "a")


@pytest.mark.parametrize(
    ("names", "hours"),
    [
        (["0", "1", "3", "10"], [0, 1, 3, 10]),
        (["200717_0001", "200717_0002"], [1, 2]),
        (["frame_0000", "frame_0010", "frame_0025"], [0, 10, 25]),
        (["frame_001_4km", "frame_002_4km"], [1, 2]),
        (["\u53f0\u98ce \u30d5\u30ec\u30fc\u30e0 1", "\u53f0\u98ce \u30d5\u30ec\u30fc\u30e0 2"], [1, 2]),
        (["x\u00b21", "x\u00b22"], [1, 2]),
    ],
)
def test_frames_are_counted_by_the_one_number_that_varies(tmp_path, names, hours):
    for name in names:
        write_png(tmp_path / "a" / f"{name}.png", ramp())
    sequence = open_sequence(tmp_path / "a", cadence="native")
    assert ((sequence.time.values - np.datetime64("2000-01-01")) / np.timedelta64(1, "h")).tolist() == hours


def test_times_in_a_zone_are_converted_with_a_warning(tmp_path, caplog):
    write_png(tmp_path / "a/20191225T0900JST.png", ramp())
    write_png(tmp_path / "a/20191225T1000JST.png", ramp())
    expected = np.array(["2019-12-25T00:00", "2019-12-25T01:00"], "M8[ns]")
    np.testing.assert_array_equal(open_sequence(tmp_path / "a").time, expected)
    assert "JST; they are converted to UTC" in caplog.text


def test_one_frame_alone_is_a_sequence_of_one(tmp_path):
    write_png(tmp_path / "a/20191225_0930.png", ramp())
    write_png(tmp_path / "a/20191225_1000.png", ramp())
    sequence = open_png(tmp_path / "a/20191225_0930.png")
    assert sequence.attrs["sequence"] == "20191225_0930"
    np.testing.assert_array_equal(sequence.time, np.array(["2019-12-25T09:30"], "M8[ns]"))


@pytest.mark.parametrize("step", ["30m", "21s", "1500ms"])
def test_times_between_hours_come_back(make_sequence, tmp_path, step):
    sequence = make_sequence(step="1h")
    shift = {"30m": 1_800_000_000_000, "21s": 21_000_000_000, "1500ms": 1_500_000_001}[step]
    sequence = sequence.assign_coords(time=sequence.time.values + np.arange(4) * np.timedelta64(shift, "ns"))
    save_sequence(sequence, tmp_path / "storm", format="png")
    np.testing.assert_array_equal(open_sequence(tmp_path / "storm").time, sequence.time)


@pytest.mark.parametrize(("level", "missing"), [(0, [0, 1, 0.6]), (255, [0, 1, 0])])
def test_a_blank_frame_is_missing_with_one_warning(tmp_path, caplog, level, missing):
    picture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 40)), 3)
    picture = np.rint(20 + 200 * (picture - picture.min()) / np.ptp(picture)).astype(np.uint8)
    half = np.where(np.arange(40) < 24, level, picture).astype(np.uint8)
    for number, frame in enumerate((picture, np.full_like(picture, level), half)):
        write_png(tmp_path / "a" / f"frame_{number}.png", frame)
    sequence = open_sequence(tmp_path / "a")
    np.testing.assert_allclose(np.isnan(sequence.compute()).mean(("y", "x")), missing)
    sequence.compute()
    assert caplog.text.count("no picture") == np.count_nonzero(missing)


def test_names_like_those_of_digital_typhoon_state_the_satellites(tmp_path):
    for name in ("2003010100-200301-GMS5-1", "2003010101-200301-GOE9-1"):
        write_png(tmp_path / "200301" / f"{name}.png", ramp())
    assert open_sequence(tmp_path / "200301").satellite.values.tolist() == ["GMS5", "GOE9"]


def cloudy(frames=3):
    """Kelvins of a warm, smooth sea with cold, ragged clouds."""
    rng = np.random.default_rng(3)
    ragged = ndimage.gaussian_filter(rng.normal(size=(frames, 96, 96)), (0, 3, 3))
    cloud = np.clip(ragged / ragged.std() - 0.8, 0, None)
    return 294 + 0.8 * rng.normal(size=(frames, 96, 96)) - 35 * cloud * (1 + 0.2 * rng.normal(size=(frames, 96, 96)))


def write_kelvins(folder, frames, grey_kelvin):
    black, white = grey_kelvin
    for number, frame in enumerate(frames):
        write_png(folder / f"frame_{number}.png", np.rint((frame - black) / (white - black) * 255).astype(np.uint8))


def test_white_cold_pictures_read_as_white_warm_are_warned_about_once(tmp_path, caplog):
    write_kelvins(tmp_path / "a", np.clip(cloudy(6), 170, 320), (320, 170))
    open_sequence(tmp_path / "a")
    assert caplog.text.count("upside down") == 1
    assert "data.grey_kelvin" in caplog.text
    caplog.clear()
    open_sequence(tmp_path / "a", grey_kelvin=(320, 170)).compute()
    assert caplog.text == ""


def chart(inches, dpi, kind, style="default"):
    """The grey picture of a chart."""
    from matplotlib import style as styles
    from matplotlib.figure import Figure

    x, y = np.arange(50), np.random.default_rng(0).normal(size=50).cumsum()
    with styles.context(style):
        figure = Figure(inches, dpi=dpi)
        axes = figure.subplots()
        axes.bar(x, abs(y), color="0.4") if kind == "bar" else axes.plot(x, y, kind, color="0.2", label="run")
        axes.set(xlabel="epoch", ylabel="loss")
        picture = io.BytesIO()
        figure.savefig(picture)
    return np.asarray(Image.open(picture).convert("L"))


@pytest.mark.parametrize("kind", ["-", "o", "bar"])
@pytest.mark.parametrize(("inches", "dpi"), [((3, 2), 50), ((6.4, 4.8), 100), ((10, 4), 200)])
def test_the_grey_picture_of_a_chart_is_warned_about(tmp_path, caplog, inches, dpi, kind):
    write_png(tmp_path / "run" / "loss.png", chart(inches, dpi, kind))
    open_sequence(tmp_path / "run", grey_kelvin=(200, 300))
    assert caplog.text.count("run looks like the picture of a chart: two axes within a margin.") == 1


def test_a_grey_chart_beside_frames_is_not_to_be_resized(tmp_path):
    write_png(tmp_path / "frame_1.png", ramp())
    write_png(tmp_path / "frame_2.png", chart((3, 2), 100, "-"))
    with pytest.raises(InputError, match=r"frame_2\.png looks like the picture of a chart, not a frame"):
        open_sequence(tmp_path)


@pytest.mark.parametrize("style", ["ggplot", "grayscale", "seaborn-v0_8-whitegrid", "classic"])
def test_charts_of_other_styles_look_drawn(style):
    assert looks_drawn(chart((6.4, 4.8), 100, "-", style))


@pytest.mark.parametrize(("part", "white"), [(100, "655.35"), (10, "6553.5"), (1, "65535")])
def test_kelvins_stored_as_grey_are_told(tmp_path, caplog, part, white):
    kelvin = np.random.default_rng(0).uniform(200, 300, (3, 40, 40))
    for number, frame in enumerate(kelvin):
        Image.fromarray(np.rint(frame * part).astype("u2")).save(tmp_path / f"frame_{number}.png")
    open_sequence(tmp_path)
    assert f"looks like kelvin times {part} in 16 bits; if it is, set data.grey_kelvin to [0, {white}]" in caplog.text
    sequence = open_sequence(tmp_path, grey_kelvin=(0, 65535 / part))
    np.testing.assert_allclose(sequence.values, kelvin, atol=0.51 / part)
    assert caplog.text.count("looks like kelvin") == 1


def test_space_in_black_is_told_with_the_setting_that_makes_it_missing(tmp_path, caplog):
    grey = np.random.default_rng(0).integers(80, 255, (40, 40), "u1")
    write_png(tmp_path / "whole" / "frame_1.png", grey)
    open_sequence(tmp_path / "whole")
    assert "valid_kelvin" not in caplog.text
    grey[:5, :5] = 0
    write_png(tmp_path / "disk" / "frame_1.png", grey)
    open_sequence(tmp_path / "disk")
    assert "disk is 170 K, the end of its greys, in more than 1 %" in caplog.text
    assert "--set data.valid_kelvin=[170.1,330]" in caplog.text
    sequence = open_sequence(tmp_path / "disk", valid_kelvin=(170.1, 330))
    np.testing.assert_array_equal(np.isnan(sequence.values[0]), grey == 0)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_greys_of_fewer_bits_stored_in_16_are_told(tmp_path, caplog, bits):
    kelvin = np.random.default_rng(0).uniform(200, 300, (3, 40, 40))
    white = 2**bits - 1
    for number, frame in enumerate(kelvin):
        level = np.rint((frame - 170) / 150 * white).astype("u2")
        Image.fromarray(level).save(tmp_path / f"frame_{number}.png")
    open_sequence(tmp_path)
    told = re.search(
        rf"uses {bits} of its 16 bits; if {white} is white, set data.grey_kelvin to \[170, (\S+)\]", caplog.text
    )
    sequence = open_sequence(tmp_path, grey_kelvin=(170, float(told[1])))
    np.testing.assert_allclose(sequence.values, kelvin, atol=0.51 * 150 / white)


def test_no_real_frame_looks_drawn_not_within_a_margin_either(data_dir):
    for storm in ("200717", "198702"):
        for frame in open_sequence(data_dir / "digital-typhoon", storm=storm).isel(time=slice(0, None, 20)).values:
            for low, high in ((170, 320), (200, 290), (200, 250)):
                grey = np.where(np.isfinite(frame), np.rint(np.clip((frame - low) / (high - low), 0, 1) * 255), 0)
                for seen in (grey, grey[::4, ::4], grey[100:164, 200:264]):
                    assert not looks_drawn(seen)
                    assert not looks_drawn(np.pad(seen, 5)) and not looks_drawn(np.pad(seen, 5, constant_values=255))


def test_no_real_frame_looks_upside_down_and_most_do_when_turned(data_dir):
    turned = 0
    frames = open_sequence(data_dir / "digital-typhoon", storm="200717").isel(time=slice(0, None, 20)).values
    for frame in frames:
        assert not looks_white_cold(frame)
        assert not looks_white_cold(frame[::4, ::4])
        turned += looks_white_cold(490 - frame)
    assert turned >= 0.8 * len(frames)


@pytest.mark.parametrize(
    "record",
    [
        "[1]",
        "{",
        "[" * 100_000,
        '{"mapping": 3}',
        '{"mapping": {"levels": [1, 1], "kelvins": [100, 200]}}',
        '{"mapping": {"levels": [1, 2], "kelvins": [100, NaN]}}',
        '{"mapping": {"levels": [1, 2], "kelvins": ["a", "b"]}}',
        '{"mapping": {"levels": [0, 255], "kelvins": [100, 200], "missing": "x"}}',
        '{"time": "yesterday"}',
        '{"time": {}}',
        '{"time": "2019-01-01T00:00+09:00"}',
        '{"coordinates": [1]}',
        '{"coordinates": {"y": [1, {}]}}',
        '{"coordinates": {"a": [[1], {}]}}',
        '{"coordinates": {"a": 1}}',
        '{"coordinates": {"a": [1, 2, 3]}}',
        '{"attrs": 5}',
        '{"attrs": {"units": "furlong"}}',
    ],
)
def test_a_damaged_record_is_refused(tmp_path, record):
    text = b"tempogan-eddy\0\0\0\0\0" + record.encode()
    raw_png(tmp_path / "a/frame_1.png", levels_of(8), GREY, extra=[(b"iTXt", text)])
    with pytest.raises(InputError):
        open_sequence(tmp_path / "a").compute()


def test_a_record_may_be_packed(tmp_path):
    record = b'{"mapping": {"levels": [0, 255], "kelvins": [200, 300]}}'
    raw_png(
        tmp_path / "a/frame_1.png", ramp(), GREY, extra=[(b"iTXt", b"tempogan-eddy\0\1\0\0\0" + zlib.compress(record))]
    )
    assert float(open_sequence(tmp_path / "a").max()) == 300


@pytest.mark.parametrize("layout", [*LAYOUTS, "ours", "palette"])
def test_a_broken_frame_is_read_whole_or_refused(tmp_path, layout, make_sequence):
    """Change bits and cut: TEMPOGAN_EDDY_FUZZ sets how many times, 12 by default."""
    path = tmp_path / "a/frame_1.png"
    if layout == "ours":
        save_sequence(make_sequence(frames=1), tmp_path / "a", format="png")
    elif layout == "palette":
        raw_png(path, levels_of(4), PALETTE, 4, palette=range(48), key=[0])
    else:
        kind, bits, stored = LAYOUTS[layout]
        raw_png(path, stored(levels_of(bits)), kind, bits)
    path = next((tmp_path / "a").iterdir())
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for attempt in range(int(os.environ.get("TEMPOGAN_EDDY_FUZZ", "12"))):
        content = bytearray(whole)
        if attempt % 4 == 0:
            content = content[: rng.integers(len(whole))]
        elif attempt % 4 == 1:  # a change that a wrong sum does not give away
            content = repaired(content, rng)
        else:
            content[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            values = open_sequence(tmp_path / "a").compute()
            assert values.dtype == np.float32
            assert attempt % 4 == 1


def repaired(content, rng):
    """Change one byte of a chunk's content, and its sum accordingly."""
    starts, position = [], 8
    while position < len(content):
        (length,) = struct.unpack_from(">I", content, position)
        starts += [(position, length)] if length else []
        position += 12 + length
    start, length = starts[rng.integers(len(starts))]
    content[start + 8 + rng.integers(length)] = rng.integers(256)
    struct.pack_into(">I", content, start + 8 + length, zlib.crc32(content[start + 4 : start + 8 + length]))
    return content
