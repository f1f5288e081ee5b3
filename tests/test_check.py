import io
import json
import logging
import re

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from rich.console import Console

from cli_cases import run
from tempogan_eddy.checking import check
from tempogan_eddy.cli.check_command import _print_table
from tempogan_eddy.errors import InputError
from tempogan_eddy.io import open_sequences, save_sequence
from tempogan_eddy.survey import survey, timing
from tempogan_eddy.terminal import fact_table


@pytest.fixture(autouse=True)
def untouched_logging():
    """What a command does to the logger ends with the test."""
    yield
    logger = logging.getLogger("tempogan_eddy")
    logger.handlers, logger.propagate = [], True


@pytest.fixture
def archive(make_sequence, tmp_path):
    """A folder of sequences in several formats."""
    save_sequence(make_sequence(frames=5, name="one"), tmp_path / "one.nc")
    save_sequence(make_sequence(frames=4, name="two"), tmp_path / "two.zarr")
    save_sequence(make_sequence(frames=6, name="200104"), tmp_path / "typhoons/WP", format="digital-typhoon")
    (tmp_path / "notes.txt").write_text("Read me.")
    (tmp_path / "typhoons/WP/aux.csv").write_text("a,b\n1,2\n")
    return tmp_path


def by_name(report):
    return {sequence.name: sequence for sequence in report.sequences}


def test_a_whole_archive_is_usable(archive):
    report = check([archive])
    assert report.usable
    assert {name: found.frames for name, found in by_name(report).items()} == {"one": 5, "two": 4, "200104": 6}
    assert by_name(report)["one"].format == "netcdf"
    assert by_name(report)["one"].grid_km == pytest.approx(54, abs=3)


def test_broken_and_foreign_files_are_told_and_passed(archive):
    (archive / "broken.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    (archive / "page.nc").write_text("<!doctype html><html>Log in</html>")
    (archive / "other.grib2").write_bytes(b"GRIB\0\0\0\2" + bytes(99))
    for segment in range(3):
        name = f"HS_H08_20190101_0000_B13_FLDK_R20_S0{segment + 1}03.DAT"
        (archive / name).write_bytes(b"\1\x1a\1\x0b\0\0Himawari-8" + bytes(99))
    report = check([archive])
    assert not report.usable
    assert set(by_name(report)) == {"one", "two", "200104"}
    why = [entry.why for entry in report.refused]
    assert len(why) == 4
    assert all("\n" not in line for line in why)
    for words in (
        "broken.nc",
        "is an HTML page",
        "is GRIB",
        "Himawari Standard Data (HSD); satpy reads it (and 2 more",
    ):
        assert any(words in line for line in why)


def test_what_stops_the_search_stops_not_the_check(archive):
    (archive / "bad.zarr").mkdir()
    (archive / "bad.zarr/zarr.json").write_text("{")
    report = check([archive])
    assert set(by_name(report)) == {"one", "two", "200104"}
    assert ["bad.zarr" in entry.path for entry in report.refused] == [True]


def test_beside_a_broken_store_files_that_continue_each_other_stay_one_sequence(make_sequence, tmp_path):
    da = make_sequence(frames=6)
    for number in range(3):
        save_sequence(da[2 * number : 2 * number + 2], tmp_path / f"part_{number}.nc")
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr/zarr.json").write_text("{")
    report = check([tmp_path])
    assert [sequence.frames for sequence in report.sequences] == [6]
    assert ["bad.zarr" in entry.path for entry in report.refused] == [True]


def test_two_sequences_of_one_name_are_both_checked(make_sequence, tmp_path):
    for folder in ("a", "a_b"):
        save_sequence(make_sequence(frames=2), tmp_path / folder / ("b/c.nc" if folder == "a" else "c.nc"))
    with pytest.raises(InputError, match="are both the sequence 'a_b_c'"):
        open_sequences(tmp_path)
    report = check([tmp_path])
    assert {sequence.name for sequence in report.sequences} == {"a_b_c", str(tmp_path / "a_b/c.nc")}


def test_frames_that_cannot_be_read_are_told(archive):
    frames = sorted((archive / "typhoons/WP").rglob("*.h5"))
    frames[2].write_bytes(frames[2].read_bytes()[:300])
    found = by_name(check([archive]))["200104"]
    assert found.frames == 5
    assert [frames[2].name in problem for problem in found.problems] == [True]
    assert by_name(check([archive]))["one"].problems == []


def test_a_folder_without_one_frame_says_why(tmp_path):
    for number, columns in enumerate((8, 9)):
        Image.new("RGB", (columns, 8), "red").save(tmp_path / f"chart{number}.png")
    (refused,) = check([tmp_path]).refused
    assert "chart0.png is coloured, but grey stands for kelvin" in refused.why


def test_every_frame_is_read_on_request(make_sequence, in_chunks):
    sequence, computed = in_chunks(make_sequence(frames=120), 1)
    survey(sequence)
    assert len(set(computed)) == len(computed) == 50
    computed.clear()
    assert survey(sequence, frames=None).looked == 120
    assert sorted(computed) == list(range(120))


def test_a_frame_that_fails_is_one_problem(make_sequence):
    sequence = make_sequence(frames=6, missing=30)

    def fail(block, block_info=None):
        if block_info[0]["chunk-location"][0] == 3:
            raise InputError("frame.h5 cannot be read; fetch it again.")
        return block

    meta = np.empty((0, 0, 0), sequence.dtype)
    seen = survey(sequence.copy(data=sequence.data.map_blocks(fail, dtype=sequence.dtype, meta=meta)))
    assert seen.looked == 5
    assert seen.broken == ["2001-07-01T03:00: frame.h5 cannot be read; fetch it again."]
    assert 0 < seen.missing < 0.1
    low, high = seen.kelvins
    assert 160 < low < high < 330


def test_times_tell_windows_gaps_duplicates_and_satellites(make_sequence):
    sequence = make_sequence(frames=8, step="30m")
    jitter = np.array([0, 13, -13, 13, 0, 13, -13, 0]) * np.timedelta64(1, "us")
    sequence["time"] = sequence["time"].values + jitter
    sequence = sequence.assign_coords(satellite=("time", np.array(["A"] * 8)))
    times = timing(sequence)
    assert times.windows == {"30min": 6, "1h": 4}
    assert (times.step, times.tolerance, times.deviation) == ("30min", "6min", "26us")
    assert (times.gaps, times.duplicates, times.changes, times.satellites) == ([], [], [], {"A": 8})

    cut = sequence.isel(time=[0, 1, 2, 2, 4, 5, 7])
    cut = cut.assign_coords(satellite=("time", np.array(list("AAAABBB"))))
    times = timing(cut, cadence="native")
    assert times.windows == {"30min": 1}
    assert times.gaps == ["1h after 2001-07-01T01:00", "1h after 2001-07-01T02:30"]
    assert times.duplicates == ["2001-07-01T01:00"]
    assert times.changes == ["A to B at 2001-07-01T02:00"]
    assert times.satellites == {"A": 4, "B": 3}
    assert timing(cut.isel(time=[0])).windows == {"1h": 0}


def test_values_that_are_no_kelvins_are_a_problem(make_sequence, tmp_path):
    sequence = make_sequence().compute()
    xr.Dataset({"bt": (sequence - 300).assign_attrs(units="K")}).to_netcdf(tmp_path / "in.nc")
    found = check([tmp_path / "in.nc"]).sequences[0]
    assert ["are the units right?" in problem for problem in found.problems] == [True]


def test_enlarged_frames_are_noted(make_sequence, tmp_path):
    sequence = make_sequence(shape=(48, 48)).compute()
    large = sequence.isel(y=np.arange(96) // 2, x=np.arange(96) // 2).drop_vars(["lat", "lon"])
    save_sequence(large.chunk(time=1), tmp_path / "in.nc")
    assert any("enlarged" in note for note in check([tmp_path / "in.nc"]).sequences[0].notes)


def test_hidden_and_text_files_are_no_fault(archive):
    (archive / ".cache").mkdir()
    (archive / ".cache/x.grib").write_bytes(b"GRIB\0\0\0\2" + bytes(99))
    (archive / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(99))
    assert check([archive]).usable


def test_links_that_lead_nowhere_are_told(archive):
    (archive / "gone.nc").symlink_to(archive / "nowhere.nc")
    (archive / "circle").symlink_to(archive)
    report = check([archive])
    assert [entry.path for entry in report.refused] == [str(archive / "gone.nc")]
    assert len(report.sequences) == 3


def test_nothing_usable_and_no_such_path(tmp_path, make_sequence):
    (tmp_path / "notes.txt").write_text("hello")
    report = check([tmp_path])
    assert not report.usable
    assert ["holds no sequence" in entry.why for entry in report.refused] == [True]
    with pytest.raises(InputError, match="does not exist"):
        check([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="not a time span"):
        check([tmp_path], cadence="soon")


# ---------------------------------------------------------------- the command


def test_the_command_exits_with_0_1_or_2(capsys, archive):
    code, out, error = run(capsys, "check", archive)
    assert code == 0, error
    assert "usable: 3 sequences of 15 frames, seen by GMS3, MTS1; not usable: nothing" in out
    assert all(name in out for name in ("one", "two", "200104"))
    (archive / "page.nc").write_text("<!doctype html><html>Log in</html>")
    code, out, _ = run(capsys, "check", archive)
    assert code == 1
    assert "not usable: " + str(archive / "page.nc") + " is an HTML page" in out
    code, _, error = run(capsys, "check", archive / "nowhere")
    assert code == 2
    assert "does not exist" in error


def test_the_command_tells_one_sequence_in_lines(capsys, archive):
    code, out, _ = run(capsys, "check", archive / "one.nc", "--set", "data.cadence=2h")
    assert code == 0
    for words in ("5 of 12x10", "1h", "2h", "GMS3 (3), MTS1 (2)", "4 changes of satellite", "unknown"):
        assert words in out
    assert max(map(len, out.splitlines())) < 400


def test_the_command_tells_everything_as_json(capsys, archive):
    (archive / "page.nc").write_text("<!doctype html><html>Log in</html>")
    code, out, _ = run(capsys, "check", archive, "--json", "--all")
    told = json.loads(out)
    assert code == 1
    assert told["usable"] is False
    assert {entry["name"]: entry["frames"] for entry in told["sequences"]} == {"one": 5, "two": 4, "200104": 6}
    assert told["sequences"][0]["seen"]["looked"] == told["sequences"][0]["frames"]
    assert [entry["path"] for entry in told["refused"]] == [str(archive / "page.nc")]


def test_real_half_hourly_files_give_every_window(data_dir):
    report = check([data_dir / "originals" / "merg_20191225*"])
    assert report.usable
    (found,) = report.sequences
    assert found.times.windows == {"30min": 10, "1h": 8}
    assert found.times.deviation == "27us"
    assert found.grid_km == pytest.approx(4.04, abs=0.01)


def test_a_check_and_info_say_where_the_times_come_from(archive, make_sequence, capsys, tmp_path):
    sources = {name: found.time_source for name, found in by_name(check([archive])).items()}
    assert sources == {"one": "variable time", "two": "variable time", "200104": "file name"}
    save_sequence(make_sequence(frames=2), tmp_path / "frames", format="png")
    assert "time source   recorded" in run(capsys, "check", tmp_path / "frames")[1]
    assert re.search(r"time source +recorded", run(capsys, "info", tmp_path / "frames")[1])


def test_a_name_that_states_another_time_than_its_file_is_told(make_sequence, capsys, tmp_path):
    sequence = make_sequence(frames=3)  # hourly from 2020-08-01T00
    first = sequence["time"].values[0].astype("datetime64[s]").astype(object)
    for number in range(3):
        save_sequence(sequence[[number]], tmp_path / f"good/ir_{first:%Y%m%d}{number:02d}20.nc")
        save_sequence(sequence[[number]], tmp_path / f"late/ir_{first:%Y%m%d}{number + 9:02d}00.nc")
    assert "differ" not in run(capsys, "check", tmp_path / "good")[1]
    told = run(capsys, "check", tmp_path / "late")[1]
    assert "variable time and name differ in 3 files" in told and "--time-from name" in told
    assert "differ in 3 files" in run(capsys, "info", tmp_path / "late")[1].replace("\n", " ")
    corrected = run(capsys, "check", "--time-from", "name", tmp_path / "late")[1]
    assert "time source   file name" in corrected and "differ" not in corrected


def test_no_number_of_the_table_is_folded_in_a_narrow_terminal(make_sequence, tmp_path):
    for name in ("198702", "200717"):
        sequence = make_sequence(frames=3, name=name)
        save_sequence(sequence, tmp_path / "WP", format="digital-typhoon")
    sequences = check([tmp_path]).sequences
    console = Console(width=60, file=io.StringIO(), color_system=None)
    _print_table(console, sequences)
    lines = console.file.getvalue().splitlines()[-2:]
    assert all(re.fullmatch(r" \d{6} +3 +\d+x\d+ +[-\d]+ +1h:0 +\d+-\d+ K +\d+\.\d% *", line) for line in lines), lines


def test_facts_are_short_numbers_and_never_empty():
    console = Console(width=60, file=io.StringIO(), color_system=None)
    console.print(fact_table({"score": 0.5495478076000241, "folder": "", "step": 50}))
    assert console.file.getvalue().split() == ["score", "0.549548", "step", "50"]
