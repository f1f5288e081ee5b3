"""One damaged frame inside a file: named, never a value, and the only one that is lost."""

import h5py
import numpy as np
import pytest

from cli_cases import run
from parts_cases import FRAMES
from tempogan_eddy import coarsen, open_sequence, reconstruct, save_sequence
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.unread import UNREADABLE
from training_cases import moving_clouds

pytestmark = pytest.mark.usefixtures("small_shards", "no_pauses")

GAP = ("--set", "data.unreadable=gap")
WHERE = [(), ("--dask", "threads:2")]
RECONSTRUCT = ["reconstruct", "-m", "faithful", "--engine", "torch"]


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr("tempogan_eddy.io.workers.PAUSES", (0.0,))


def damage(path, *frames):
    """Flip bytes in the stored chunks of frames; the checksums then show it."""
    with h5py.File(path) as file:
        places = [file["brightness_temperature"].id.get_chunk_info_by_coord((frame, 0, 0)) for frame in frames]
    content = bytearray(path.read_bytes())
    for place in places:
        middle = place.byte_offset + place.size // 2
        content[middle : middle + 4] = bytes(byte ^ 0xFF for byte in content[middle : middle + 4])
    path.write_bytes(content)


def storm(path, *damaged, name="storm", size=16):
    """Write a storm of `FRAMES` frames, some of which cannot be read."""
    path.parent.mkdir(exist_ok=True)
    save_sequence(moving_clouds(frames=FRAMES, size=size, name=name), path, precision="exact")
    if damaged:
        damage(path, *damaged)
    return path


def values(path, **options):
    da = open_sequence(path, **options)
    return da.values, da.attrs.get(UNREADABLE)


@pytest.mark.parametrize(
    ("output", "where"),
    [("out.zarr", ()), ("out.nc", ()), ("out", ()), ("basin", ()), ("out.zarr", WHERE[1]), ("out", WHERE[1])],
)
def test_a_damaged_frame_is_missing_alone_on_request(capsys, tmp_path, output, where):
    whole, broken = storm(tmp_path / "whole.nc"), storm(tmp_path / "broken.nc", 9, 12)
    kind = {"out": ("--format", "png"), "basin": ("--format", "digital-typhoon")}.get(output, ())
    words = ["coarsen", broken, "--scale", 2, "-o", tmp_path / output, *kind, *where]
    code, _, error = run(capsys, *words, *GAP)
    assert code == 0, error
    times = [str(time)[:16] for time in open_sequence(whole)["time"].values[[9, 12]]]
    assert "storm: 2 frames unreadable and so missing: " in error
    assert all(f"{time}: {broken} cannot be read at frame" in error for time in times)
    place = tmp_path / output
    found, noted = values(place / "image" / "storm" if output == "basin" else place)
    expected = coarsen(open_sequence(whole), 2).values
    expected[[9, 12]] = np.nan
    np.testing.assert_allclose(found, expected, atol=0.005)
    if output.startswith("out."):
        assert noted == ", ".join(times)
    elif output == "out":
        (ninth,) = [values(frame)[1] for frame in [place / "frame_010.png"]]
        assert ninth == ", ".join(times) and values(place / "frame_009.png")[1] is None


@pytest.mark.parametrize("where", WHERE)
def test_without_the_option_all_other_frames_are_written_and_it_continues(capsys, tmp_path, where, monkeypatch):
    whole, broken = storm(tmp_path / "whole.nc"), storm(tmp_path / "broken.nc", 9, 12)
    words = ["coarsen", broken, "--scale", 2, "-o", tmp_path / "out.zarr", *where]
    code, _, error = run(capsys, *words)
    assert code == 2 and not (tmp_path / "out.zarr").exists()
    assert "2 frames failed after three tries each" in error
    assert "--set data.unreadable=gap makes such frames missing" in error
    (unfinished,) = tmp_path.glob(".*.partial")
    shards = {int(file.name) for file in (unfinished / "brightness_temperature/c").iterdir()}
    size = FRAMES // (max(shards) + 1)
    assert shards == {*range(FRAMES // size)} - {9 // size, 12 // size}
    read = []
    monkeypatch.setattr("tempogan_eddy.io.formats.zarr._Frames.write", spying(read))
    code, _, error = run(capsys, *words, *GAP)
    assert code == 0, error
    assert {part.frames.start // size for part in read} == {9 // size, 12 // size}
    expected = coarsen(open_sequence(whole), 2).values
    expected[[9, 12]] = np.nan
    np.testing.assert_allclose(values(tmp_path / "out.zarr")[0], expected, atol=0.005)


def spying(read):
    from tempogan_eddy.io.formats.zarr import _Frames

    write = _Frames.write

    def wrapped(self, part, kelvins):
        read.append(part)
        write(self, part, kelvins)

    return wrapped


@pytest.mark.parametrize("dask", [None, "threads:2", pytest.param("local:2", marks=pytest.mark.slow)])
def test_of_a_block_of_many_frames_only_the_damaged_one_is_lost(tmp_path, dask):
    """A GPU computes more frames at once than a shard of two frames holds."""
    whole, broken = storm(tmp_path / "whole.nc"), storm(tmp_path / "broken.nc", 9)
    with pytest.raises(InputError, match=r"^2001-.*broken\.nc cannot be read at frame 10 .*unreadable=gap"):
        save_sequence(open_sequence(broken).chunk(time=8), tmp_path / "a.zarr", dask=dask, fingerprint="a")
    (unfinished,) = tmp_path.glob(".*.partial")
    assert {file.name for file in (unfinished / "brightness_temperature/c").iterdir()} == {
        str(number) for number in range(FRAMES // 2) if number != 4
    }
    lost = open_sequence(broken, unreadable="gap").chunk(time=8)
    save_sequence(lost, tmp_path / "a.zarr", dask=dask, fingerprint="a", precision="exact")
    expected = open_sequence(whole).values
    expected[9] = np.nan
    np.testing.assert_allclose(values(tmp_path / "a.zarr")[0], expected, atol=1e-3)


def test_a_chunk_of_several_frames_is_lost_as_a_whole_and_named(tmp_path):
    da = moving_clouds(frames=FRAMES, size=16)
    encoding = {"brightness_temperature": {"chunksizes": (4, 16, 16), "zlib": True, "fletcher32": True}}
    da.to_dataset(name="brightness_temperature").to_netcdf(tmp_path / "a.nc", encoding=encoding, engine="netcdf4")
    damage(tmp_path / "a.nc", 8)
    with pytest.raises(InputError, match=r"4 frames failed .* cannot be read at frames 9 to 12, one chunk"):
        save_sequence(open_sequence(tmp_path / "a.nc"), tmp_path / "b.zarr")
    save_sequence(open_sequence(tmp_path / "a.nc", unreadable="gap"), tmp_path / "b.zarr")
    missing = np.isnan(values(tmp_path / "b.zarr")[0]).all(axis=(1, 2))
    assert np.flatnonzero(missing).tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize("dask", [None, "threads:2"])
def test_members_whose_noise_comes_from_a_damaged_frame_wait_with_it(tmp_path, dask):
    """They would differ from those of the repaired file."""
    broken = storm(tmp_path / "broken.nc", 9)
    near = open_sequence(broken)
    near = near.assign_coords(time=near["time"].values[0] + np.arange(FRAMES) * np.timedelta64(30, "m"))
    drawn = reconstruct(near, "ensemble", members=1)
    with pytest.raises(InputError, match="cannot be read at frame 10"):
        save_sequence(drawn, tmp_path / "a.zarr", dask=dask, fingerprint="a")
    (unfinished,) = tmp_path.glob(".*.partial")
    written = {int(file.name) for file in (unfinished / "brightness_temperature/c/0").iterdir()}
    assert not written & {9, 10} and {*range(9), 20} <= written


def test_a_frame_that_is_readable_at_the_second_try_is_no_failure(tmp_path, monkeypatch):
    from tempogan_eddy.io.variables.image import _Frames

    whole, read, failed = storm(tmp_path / "whole.nc"), _Frames.__call__, []

    def hiccup(self, number):
        if number == 5 and not failed:
            failed.append(number)
            raise InputError("the network has a bad moment")
        return read(self, number)

    expected = open_sequence(whole).values
    monkeypatch.setattr(_Frames, "__call__", hiccup)
    save_sequence(open_sequence(whole), tmp_path / "a.zarr", precision="exact")
    assert failed
    np.testing.assert_array_equal(values(tmp_path / "a.zarr")[0], expected)


@pytest.mark.parametrize(("command", "where"), [(RECONSTRUCT, ()), (["coarsen"], ()), (["coarsen"], WHERE[1])])
def test_an_archive_names_each_frame_and_goes_on_with_the_option(capsys, tmp_path, command, where, monkeypatch):
    storm(tmp_path / "in" / "a.nc", 0, name="a")
    storm(tmp_path / "in" / "b.nc", name="b")
    storm(tmp_path / "in" / "c.nc", 3, 4, name="c")
    words = [*command, tmp_path / "in", "-o", tmp_path / "all.zarr", *where]
    code, _, error = run(capsys, *words)
    assert code == 2 and "3 frames failed" in error
    assert error.count("A frame of a failed") == 1 and error.count("A frame of c failed") == 2
    written = []
    monkeypatch.setattr("tempogan_eddy.io.formats.zarr._Frames.write", spying(written))
    code, _, error = run(capsys, *words, *GAP)
    assert code == 0, error
    assert len(written) <= 4
    missing = {
        name: np.flatnonzero(np.isnan(open_sequence(tmp_path / "all.zarr", storm=name)).all(("y", "x"))).tolist()
        for name in "abc"
    }
    assert missing == {"a": [0], "b": [], "c": [3, 4]}


def test_joined_files_and_those_that_were_removed_meanwhile(tmp_path):
    da = moving_clouds(frames=6, size=16)
    for number in range(3):
        save_sequence(da[2 * number : 2 * number + 2], tmp_path / "in" / f"part_{number}.nc", precision="exact")
    damage(tmp_path / "in" / "part_1.nc", 1)
    lazy = open_sequence(tmp_path / "in", unreadable="gap")
    (tmp_path / "in" / "part_2.nc").unlink()
    save_sequence(lazy, tmp_path / "a.zarr", precision="exact")
    expected = da.values.copy()
    expected[3:] = np.nan
    np.testing.assert_array_equal(values(tmp_path / "a.zarr")[0], expected)


@pytest.mark.parametrize("where", WHERE)
def test_evaluate_masks_a_damaged_frame_and_says_so(capsys, tmp_path, where):
    truth, broken = storm(tmp_path / "t.nc", size=48), storm(tmp_path / "b.nc", 9, size=48)
    words = [
        "evaluate",
        "--truth",
        truth,
        "--reconstructed",
        broken,
        "--scale",
        2,
        "--metrics",
        "rmse",
        "--no-baselines",
    ]
    code, _, error = run(capsys, *words, *where)
    assert code == 2 and "cannot be read at frame 10" in error and "data.unreadable=gap" in error
    code, _, error = run(capsys, *words, *where, *GAP)
    assert code == 0, error
    assert f"2001-08-01T09:00: {broken} cannot be read at frame 10" in error and "The frame is missing." in error


def test_check_reports_a_damaged_frame_as_a_problem_or_on_request_as_a_note(capsys, tmp_path):
    broken = storm(tmp_path / "b.nc", 9)
    code, said, _ = run(capsys, "check", broken)
    assert code == 1 and "not usable: 1 frame cannot be read: 2001-" in said
    code, said, _ = run(capsys, "check", broken, *GAP)
    assert code == 0 and "1 frame cannot be read: 2001-" in said


def test_a_file_in_which_no_frame_can_be_read_is_refused_in_any_case(capsys, tmp_path):
    broken = storm(tmp_path / "b.nc", *range(FRAMES))
    for option in ((), GAP):
        code, _, error = run(capsys, "coarsen", broken, "-o", tmp_path / "a.zarr", *option)
        assert code == 2 and f"none of its {FRAMES} frames can be read" in error


def test_what_a_program_computes_of_a_damaged_frame_is_an_error_or_missing(tmp_path, caplog):
    broken = storm(tmp_path / "b.nc", 9)
    with pytest.raises(InputError, match="unreadable='gap'"):
        open_sequence(broken).values  # noqa: B018 - computing is what fails
    found = open_sequence(broken, unreadable="gap").values
    assert np.flatnonzero(np.isnan(found).all(axis=(1, 2))).tolist() == [9]
    assert caplog.text.count("The frame is missing.") == 1


@pytest.mark.parametrize("output", ["out.zarr", "out.nc"])
def test_too_many_frames_are_no_gaps_but_a_disk_that_is_gone(tmp_path, output):
    lazy = open_sequence(storm(tmp_path / "a.nc", *range(FRAMES // 2 + 1)), unreadable="gap")
    with pytest.raises(
        InputError, match=f"{FRAMES // 2 + 1} of {FRAMES} frames of storm cannot be read, too many .* --time"
    ):
        save_sequence(lazy, tmp_path / output)
    assert not (tmp_path / output).exists()
    save_sequence(open_sequence(storm(tmp_path / "a.nc", *range(FRAMES // 2)), unreadable="gap"), tmp_path / output)
    assert np.isnan(values(tmp_path / output)[0]).all(axis=(1, 2)).sum() == FRAMES // 2


@pytest.mark.parametrize("dask", [None, "threads:2"])
def test_frames_of_an_outage_are_read_at_the_end(tmp_path, dask, monkeypatch):
    from tempogan_eddy.io.variables.image import _Frames

    whole, read, failed = storm(tmp_path / "whole.nc"), _Frames.__call__, []

    def gone(self, number):
        if len(failed) < 6 and number >= 6:
            failed.append(number)
            raise InputError("the server does not answer")
        return read(self, number)

    expected = open_sequence(whole).values
    monkeypatch.setattr(_Frames, "__call__", gone)
    lazy = open_sequence(whole, unreadable="gap")
    save_sequence(lazy, tmp_path / "a.zarr", precision="exact", dask=dask)
    found, noted = values(tmp_path / "a.zarr")
    assert len(failed) == 6 and noted is None
    np.testing.assert_array_equal(found, expected)


def test_pack_holds_a_damaged_frame_as_missing(capsys, tmp_path):
    from tempogan_eddy.dataset.pack_layout import MISSING
    from tempogan_eddy.dataset.store import open_storms

    broken = storm(tmp_path / "b.nc", 9, size=32)
    code, _, error = run(capsys, "pack", broken, "-o", tmp_path / "p.zarr")
    assert code == 2 and "cannot be read at frame 10" in error and "data.unreadable=gap" in error
    code, _, error = run(capsys, "pack", broken, "-o", tmp_path / "p.zarr", *GAP)
    assert code == 0 and "The frame is missing." in error
    (packed,) = open_storms(tmp_path / "p.zarr").values()
    assert np.flatnonzero((packed.kelvins[:] == MISSING).all(axis=(1, 2))).tolist() == [9]


@pytest.mark.parametrize("dask", [None, "threads:2"])
def test_of_large_frames_in_bands_only_the_damaged_one_is_lost(tmp_path, dask, monkeypatch):
    from tempogan_eddy.io import bands
    from tempogan_eddy.reconstruction import sequences

    for module in (bands, sequences):
        monkeypatch.setattr(module, "PIXELS_OF_BAND", 8 * 4 * 16 * 4)
    broken, parts = storm(tmp_path / "broken.nc", 9), []
    options = {"engine": "torch", "tile": 8}
    monkeypatch.setattr("tempogan_eddy.io.formats.zarr._Frames.write", spying(parts))
    with pytest.raises(InputError, match=r"^2001-08-01T09:00: .* cannot be read at frame 10"):
        made = reconstruct(open_sequence(broken), "faithful", **options)
        save_sequence(made, tmp_path / "a.zarr", dask=dask, fingerprint="a")
    assert len(parts) == 2 * (FRAMES - 1)  # two bands of each frame
    made = reconstruct(open_sequence(broken, unreadable="gap"), "faithful", **options)
    save_sequence(made, tmp_path / "a.zarr", dask=dask, fingerprint="a")
    assert len(parts) == 2 * FRAMES
    assert np.flatnonzero(np.isnan(values(tmp_path / "a.zarr")[0]).all(axis=(1, 2))).tolist() == [9]
