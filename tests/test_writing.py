"""Every output against what may stand in its way: a foreign file, an earlier output, the input, a full disk."""

import contextlib
import gc
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from cli_cases import exit_code
from evaluation_cases import noisy, sequence
from model_cases import detailed_model
from tempogan_eddy import open_sequence, save_sequence
from tempogan_eddy.dataset.pack import PACK, pack
from tempogan_eddy.display.animation import Animation
from tempogan_eddy.display.figures import FIGURE, save_crops
from tempogan_eddy.display.film import film_of
from tempogan_eddy.display.movie import ANIMATION, save_animation
from tempogan_eddy.display.palettes import PALETTES
from tempogan_eddy.display.report_page import REPORT, ReportPage
from tempogan_eddy.errors import InputError
from tempogan_eddy.evaluation import evaluate
from tempogan_eddy.evaluation.report import SCORES, TABLE, to_csv, to_json
from tempogan_eddy.export import ONNX, export_model
from tempogan_eddy.io.aside import require_space, written_aside
from tempogan_eddy.io.files.names import safe_name
from tempogan_eddy.io.ownership import Kind, check_place, owns
from tempogan_eddy.io.writing.cf_dataset import chunk_sides
from tempogan_eddy.registry import FORMATS
from tempogan_eddy.synthesis import synthesize
from tempogan_eddy.synthesis.archive import FLOW
from tempogan_eddy.training.checkpoint import CHECKPOINT, find_checkpoint, refuse_earlier_run, save_checkpoint
from tempogan_eddy.training.journal import Event, EventFile
from tempogan_eddy.viewer.export import SITE, export_site
from tempogan_eddy.viewer.scene import build_scene
from tempogan_eddy.viewer.site import Site
from tempogan_eddy.weights import MODEL, save_model
from training_cases import small_config
from viewer_cases import Scenes

WORDS = b"years of work"


@dataclass(frozen=True)
class Made:
    """What outputs are made from, each once."""

    fine: xr.DataArray
    evaluation: Any
    animation: Animation
    model: Any
    config: Any
    site: Site
    source: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    fine = sequence(frames=3, shape=(64, 64))
    save_sequence(fine, folder / "source.nc")
    panels = film_of([fine], ["truth"], 1)
    model = detailed_model(2)
    config = small_config(folder, folder / "source.nc")
    return Made(
        fine=fine,
        evaluation=evaluate(fine, noisy(fine)),
        animation=Animation(panels, palette=PALETTES["infrared"], width=160),
        model=model,
        config=config,
        site=Site(
            Scenes(build_scene("200717", {"truth": sequence(frames=3, shape=(64, 64)).chunk({"time": 1})}, scale=4)),
            "tempogan-eddy view",
        ),
        source=folder / "source.nc",
    )


def page(made):
    result = ReportPage("tempogan-eddy evaluate")
    result.add_combined(made.evaluation)
    return result


def sequence_output(name, format):
    def write(made, path, overwrite):
        save_sequence(made.fine, path, format=format, overwrite=overwrite)

    return name, FORMATS[format].owns, write


def animation_output(suffix):
    def write(made, path, overwrite):
        save_animation(made.animation, path, overwrite=overwrite)

    return f"film{suffix}", ANIMATION, write


def write_checkpoint(made, path, overwrite):
    save_checkpoint(path, {"weights": torch.zeros(2000)}, made.config)


def write_model(made, path, overwrite):
    save_model(path, made.model)


OUTPUTS = {
    "netcdf": sequence_output("a.nc", "netcdf"),
    "zarr": sequence_output("a.zarr", "zarr"),
    "png": sequence_output("frames", "png"),
    "webp": animation_output(".webp"),
    "gif": animation_output(".gif"),
    "apng": animation_output(".png"),
    "mp4": animation_output(".mp4"),
    "json": ("a.json", SCORES, lambda made, path, over: to_json([made.evaluation], path, overwrite=over)),
    "csv": ("a.csv", TABLE, lambda made, path, over: to_csv([made.evaluation], path, overwrite=over)),
    "crops": (
        "200717-crops.png",
        FIGURE,
        lambda made, path, over: save_crops(made.fine, noisy(made.fine), path, overwrite=over),
    ),
    "report": ("a.html", REPORT, lambda made, path, over: page(made).save(path, overwrite=over)),
    "onnx": ("a.onnx", ONNX, lambda made, path, over: export_model(made.model, path, overwrite=over)),
    "site": ("site", SITE, lambda made, path, over: export_site(made.site, path, overwrite=over)),
    "pack": ("p.zarr", PACK, lambda made, path, over: pack(made.source, path, made.config, overwrite=over)),
    "model": ("best_model.safetensors", MODEL, write_model),
    "checkpoint": ("checkpoint_epoch_1.pth", CHECKPOINT, write_checkpoint),
}
FOLDERS = {"zarr", "png", "site", "pack"}
OF_TRAINING = {"model", "checkpoint"}  # a run never overwrites what is not its own

every_output = pytest.mark.parametrize("output", OUTPUTS)


def foreign(output, path):
    """A user's file or folder of the same format as an output."""
    if output == "netcdf":
        xr.Dataset({"t2m": ("time", [280.0, 281.0])}, attrs={"history": "2020-01-01 cdo tempogan-eddy"}).to_netcdf(path)
    elif output in {"zarr", "pack"}:
        xr.Dataset({"t2m": ("time", [280.0, 281.0])}).to_zarr(path, zarr_format=3, consolidated=False)
    elif output in {"webp", "gif", "apng"}:
        frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, format=path.suffix[1:].upper())
    elif output == "mp4":
        film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 6, (32, 32))
        film.write(np.zeros((32, 32, 3), np.uint8))
        film.release()
    elif output == "crops":
        Image.new("RGB", (8, 8)).save(path)
    elif output == "png":
        path.mkdir()
        Image.new("L", (8, 8)).save(path / "holiday.png")
    elif output == "json":
        path.write_text('{"storms": [{"name": "mine"}]}')
    elif output == "csv":
        path.write_text("storm,value\nmine,1\n")
    elif output == "report":
        path.write_text("<html><head><title>Mine</title></head></html>")
    elif output == "onnx":
        onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'tempogan-eddy[export]'")
        graph = onnx.helper.make_graph([], "mine", [], [])
        onnx.save(onnx.helper.make_model(graph, producer_name="pytorch"), path)
    elif output == "site":
        (path / "data").mkdir(parents=True)
        (path / "data" / "index.json").write_text('{"maker": "me"}')
    elif output == "model":
        save_file({"weight": torch.zeros(3)}, path, {"format": "pt"})
    elif output == "checkpoint":
        torch.save({"format": "mine"}, path)


def content(path):
    """All bytes of a file or folder, by name."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def earlier(made, tmp_path_factory):
    """A function that puts an earlier output of a kind, each made once, into a folder."""
    written = {}

    def put(output, folder):
        name, _, write = OUTPUTS[output]
        if output not in written:
            written[output] = tmp_path_factory.mktemp("earlier") / name
            write(made, written[output], False)
        copy = shutil.copytree if written[output].is_dir() else shutil.copy
        return Path(copy(written[output], folder / name))

    return put


@every_output
def test_an_earlier_output_is_known_and_replaced(made, earlier, tmp_path, output):
    name, kind, write = OUTPUTS[output]
    path = earlier(output, tmp_path)
    assert owns(path, kind)
    others = {id(other): other for _, other, _ in OUTPUTS.values() if other is not kind}
    assert not any(owns(path, other) for other in others.values())
    before = path.stat().st_ino
    write(made, path, False)
    assert owns(path, kind) and path.stat().st_ino != before
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@every_output
def test_a_users_file_of_the_same_format_stays_until_overwrite_is_said(made, tmp_path, output):
    name, kind, write = OUTPUTS[output]
    path = tmp_path / name
    foreign(output, path)
    before = content(path)
    with pytest.raises(InputError, match=r"was not written by TempoGAN-Eddy as|holds more than") as refusal:
        write(made, path, False)
    assert str(path) in str(refusal.value)
    assert content(path) == before
    if output in OF_TRAINING:
        return
    if output == "site":  # another page's folder has no format of its own
        with pytest.raises(InputError, match="does not remove"):
            write(made, path, True)
        assert content(path) == before
    else:
        write(made, path, True)
        assert owns(path, kind)


@every_output
def test_other_content_under_the_name_stays(made, tmp_path, output):
    name, _, write = OUTPUTS[output]
    path = tmp_path / name
    if output in FOLDERS:
        path.mkdir()
        (path / "thesis.txt").write_bytes(WORDS)
        with pytest.raises(InputError, match=r"not written by|holds more"):
            write(made, path, False)
        with pytest.raises(InputError, match="which --overwrite does not remove"):
            write(made, path, True)
        assert content(path) == {"thesis.txt": WORDS}
        return
    path.write_bytes(WORDS)
    with pytest.raises(InputError, match="not written by TempoGAN-Eddy"):
        write(made, path, False)
    assert path.read_bytes() == WORDS
    path.unlink()
    path.mkdir()
    (path / "thesis.txt").write_bytes(WORDS)
    for overwrite in (False, True):
        with pytest.raises(InputError, match="is a folder; name a file"):
            write(made, path, overwrite)
    assert content(path) == {"thesis.txt": WORDS}


@pytest.mark.parametrize("output", sorted(FOLDERS))
def test_a_users_file_among_ours_stays(made, earlier, tmp_path, output):
    _, _, write = OUTPUTS[output]
    path = earlier(output, tmp_path)
    (path / "notes.txt").write_bytes(WORDS)
    with pytest.raises(InputError):
        write(made, path, False)
    assert (path / "notes.txt").read_bytes() == WORDS


@contextlib.contextmanager
def no_space_beyond(size):
    """No file of this process may grow beyond a size, as if the disk were full."""
    resource = pytest.importorskip("resource", reason="limits of a process exist on Unix only")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@every_output
def test_on_a_full_disk_one_sentence_is_said_and_the_old_output_stays(made, earlier, tmp_path, output, capfd):
    name, _, write = OUTPUTS[output]
    path = earlier(output, tmp_path)
    before = content(path)
    # Half of what the largest file of the output needs.
    limit = max(map(len, before.values())) // 2
    with no_space_beyond(limit), pytest.raises(InputError) as refusal:
        write(made, path, False)
    assert str(path) in str(refusal.value) and "cannot be written" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert content(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    (tmp_path / name).rename(tmp_path / "old")
    with no_space_beyond(limit // 2), pytest.raises(InputError):
        write(made, tmp_path / "new" / name, False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["old"]
    assert capfd.readouterr().err == ""
    if output == "checkpoint":  # what the error holds can be collected: a view of its bytes ended some Python
        gc.collect()


def test_digital_typhoon_frames_of_others_stay(made, tmp_path):
    basin = tmp_path / "WP"
    save = {"format": "digital-typhoon"}
    save_sequence(made.fine, basin, **save)
    save_sequence(made.fine, basin, **save)
    frame = next((basin / "image" / "200717").iterdir())
    with no_space_beyond(1000), pytest.raises(InputError, match="cannot be written"):
        save_sequence(made.fine, basin, **save)
    assert open_sequence(basin).sizes["time"] == 3
    import h5py

    with h5py.File(frame, "r+") as file:
        del file.attrs["tempogan_eddy_output"]
        file.attrs["history"] = "official"
    before = content(basin)
    with pytest.raises(InputError, match="200717 exists and was not written by TempoGAN-Eddy"):
        save_sequence(made.fine, basin, **save)
    for file in (basin / "image" / "200717").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"200717\.csv exists"):
        save_sequence(made.fine, basin, **save)
    (basin / "metadata" / "200717.csv").unlink()
    with pytest.raises(InputError, match="entry 200717"):
        save_sequence(made.fine, basin, **save)
    assert content(basin)["metadata.json"] == before["metadata.json"]
    save_sequence(made.fine, basin, overwrite=True, **save)
    assert open_sequence(basin).sizes["time"] == 3


def test_the_flow_of_simulated_storms_replaces_only_such_flow(tmp_path):
    options = {"storms": 1, "frames": 2, "size": 32}
    synthesize(tmp_path / "a.nc", **options)
    synthesize(tmp_path / "a.nc", **options)
    (flow,) = (tmp_path / "a-flow").iterdir()
    assert owns(flow, FLOW) and not owns(flow, FORMATS["netcdf"].owns)
    flow.write_bytes(WORDS)
    with pytest.raises(InputError, match="the flow of a simulated storm"):
        synthesize(tmp_path / "a.nc", **options)
    assert flow.read_bytes() == WORDS


def test_a_file_that_another_tool_changed_is_the_users(made, tmp_path):
    path = tmp_path / "a.nc"
    save_sequence(made.fine, path)
    with netCDF4.Dataset(path, "a") as file:
        file.history = "Thu Jan 1 1970: ncks -A b.nc a.nc\n" + file.history
    assert not owns(path, FORMATS["netcdf"].owns)
    path.unlink()
    save_sequence(made.fine, path)
    with netCDF4.Dataset(path, "a") as file:  # of a release before there was a mark
        del file.tempogan_eddy_output
    assert owns(path, FORMATS["netcdf"].owns)


def test_a_link_stays_and_leads_to_the_new_output(made, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link, target = tmp_path / "a.nc", tmp_path / "elsewhere" / "b.nc"
    link.symlink_to(target)
    for _ in range(2):
        save_sequence(made.fine, link)
        assert link.is_symlink() and target.is_file()
        assert [entry.name for entry in target.parent.iterdir()] == ["b.nc"]
    target.write_bytes(WORDS)
    with pytest.raises(InputError, match="not written by"):
        save_sequence(made.fine, link)
    assert target.read_bytes() == WORDS


def test_a_link_to_the_input_is_the_input(made, tmp_path):
    link = tmp_path / "a.nc"
    link.symlink_to(made.source)
    before = made.source.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(InputError, match="is where the input is read from"):
            save_sequence(open_sequence(made.source), link, overwrite=overwrite)
    assert made.source.read_bytes() == before


def test_links_in_a_circle_devices_and_protected_files_are_refused(made, tmp_path):
    (tmp_path / "a.nc").symlink_to(tmp_path / "b.nc")
    (tmp_path / "b.nc").symlink_to(tmp_path / "a.nc")
    with pytest.raises(InputError, match=r"neither a file nor a folder|cannot be written"):
        save_sequence(made.fine, tmp_path / "a.nc", overwrite=True)
    os.mkfifo(tmp_path / "pipe.nc")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        save_sequence(made.fine, tmp_path / "pipe.nc", overwrite=True)
    save_sequence(made.fine, tmp_path / "kept.nc")
    (tmp_path / "kept.nc").chmod(0o444)
    with pytest.raises(InputError, match="write-protected"):
        save_sequence(made.fine, tmp_path / "kept.nc")


def test_what_appears_during_a_long_computation_stays(tmp_path):
    kind = Kind("a note", lambda path: False)
    with pytest.raises(InputError, match="not written by"), written_aside(tmp_path / "a.txt", kind) as partial:
        partial.write_text("new")
        (tmp_path / "a.txt").write_bytes(WORDS)
    assert content(tmp_path) == {"a.txt": WORDS}


def test_a_part_of_the_input_is_never_overwritten(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "a.json").write_bytes(WORDS)
    kind = Kind("a note", lambda path: False)
    with pytest.raises(InputError, match="part of the input"):
        check_place(tmp_path / "archive" / "a.json", kind, overwrite=True, sources=[tmp_path / "archive"])
    check_place(tmp_path / "archive" / "b.json", kind, sources=[tmp_path / "archive"])


def test_long_names_are_written(tmp_path):
    name = "x" * 250 + ".json"
    with written_aside(tmp_path / name, None) as partial:
        partial.write_bytes(WORDS)
    assert content(tmp_path) == {name: WORDS}


def test_space_is_asked_for_and_given_back(tmp_path):
    (tmp_path / "a").write_bytes(bytes(1000))
    require_space(tmp_path / "a", 1 << 20)
    with no_space_beyond(1 << 20), pytest.raises(OSError, match="large"):
        require_space(tmp_path / "a", 1 << 20)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_film_of_ours_plays(made, tmp_path):
    save_animation(made.animation, tmp_path / "a.mp4")
    film = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 3 and film.read()[0]


def test_a_film_that_cannot_be_read_again_is_no_success(made, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2.VideoWriter, "write", lambda *_: None)
    with pytest.raises(InputError, match="0 of 3 frames can be read again"):
        save_animation(made.animation, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_log_on_a_full_disk_ends_in_one_sentence(tmp_path):
    log = EventFile(tmp_path / "logs")
    with no_space_beyond(100), pytest.raises(InputError, match=r"training\.log_dir.*cannot be written"):
        for step in range(5000):
            log.add(Event(step=step))
    with contextlib.suppress(InputError):
        log.close()
    (tmp_path / "file").write_bytes(WORDS)
    with pytest.raises(InputError, match=r"training\.log_dir"):
        EventFile(tmp_path / "file")


def test_a_run_is_refused_before_it_begins_where_its_files_are_somebody_elses(made, tmp_path):
    refuse_earlier_run(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    foreign("model", tmp_path / "best_model.safetensors")
    with pytest.raises(InputError, match="best_model"):
        find_checkpoint("auto", tmp_path)
    (tmp_path / "best_model.safetensors").unlink()
    state = {"generator": {}, "ema": {}, "epoch": 1, "step": 3, "best_score": 1.5}
    save_checkpoint(tmp_path / "checkpoint_epoch_1.pth", state, made.config)
    assert find_checkpoint("auto", tmp_path).name == "checkpoint_epoch_1.pth"
    foreign("checkpoint", tmp_path / "checkpoint_epoch_2.pth")
    with pytest.raises(InputError, match="checkpoint_epoch_2"):
        find_checkpoint("auto", tmp_path)


@given(st.text())
def test_a_safe_name_stays_in_its_folder(text):
    name = safe_name(text)
    assert Path("folder", name).parent == Path("folder") and not name.startswith((".", "-"))
    assert name == name.strip(" .") and not set(name) & set('/\\:*?"<>|\0\n') and 0 < len(name.encode()) <= 100
    assert safe_name(name) == name


@given(st.lists(st.text(), unique=True, max_size=4))
def test_distinct_texts_have_distinct_names(texts):
    taken: set[str] = set()
    for text in texts:
        name = safe_name(text, taken)
        assert name.lower() not in taken
        taken.add(name.lower())


@pytest.mark.parametrize("text", ["台风", "Typhoon Nari", "200717", "storm_1-a.b+c", "Łódź"])
def test_good_names_are_kept(text):
    assert safe_name(text) == text


@pytest.mark.parametrize(
    "text",
    ["../../../X", "/etc/passwd", "a\0b", "a\nb", "CON", "nul.nc", "..", ".hidden", "", "x" * 300, "-rf", "C:\\x"],
)
def test_bad_names_are_changed_for_good(text):
    assert safe_name(text) not in (text, "", ".", "..")
    assert len(safe_name(text).encode()) <= 100 and "/" not in safe_name(text)


def test_no_name_in_a_file_leads_out_of_the_folder(tmp_path, made):
    """Figures, a basin and a packed store of storms that call themselves by paths."""
    evil = "../../../X"
    inside = tmp_path / "a" / "b" / "c" / "d"
    truth, ours = (da.assign_attrs(sequence=evil) for da in (made.fine, noisy(made.fine)))
    save_sequence(truth, inside / "t.nc")
    save_sequence(ours.assign_attrs(sequence=evil), inside / "r.nc")
    save_sequence(truth, inside / "WP", format="digital-typhoon")
    words = [
        "evaluate",
        "--truth",
        inside / "t.nc",
        "--reconstructed",
        inside / "r.nc",
        "--figures",
        inside / "figures",
    ]
    assert exit_code(*words, "--scale", 4, "--no-baselines") == 0
    assert len(list((inside / "figures").glob("*-crops.png"))) == 1
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and inside not in path.parents]
    assert outside == []
    assert open_sequence(inside / "WP").attrs["sequence"] == evil


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(("precision", "error"), [("rounded", 2**-11), ("packed", 0.00502), ("exact", 0)])
def test_kelvins_are_as_exact_as_the_file_says(make_sequence, tmp_path, suffix, precision, error):
    da = make_sequence(missing=9)
    save_sequence(da, tmp_path / f"a{suffix}", precision=precision)
    again = open_sequence(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(again.values, da.values, rtol=0, atol=error)
    raw = xr.open_dataset(tmp_path / f"a{suffix}").brightness_temperature
    stated = {"rounded": "2**-10 K", "packed": "16 bits", "exact": "none"}[precision]
    assert stated in raw.attrs["value_rounding"]
    np.testing.assert_allclose(raw.values, da.values, rtol=0, atol=error + 1e-5)
    # What the input said of its own rounding is not true of the output.
    save_sequence(again, tmp_path / f"b{suffix}", precision="exact")
    attrs = xr.open_dataset(tmp_path / f"b{suffix}").brightness_temperature.attrs
    assert attrs["value_rounding"] == "none" and "least_significant_digit" not in attrs


@given(kelvin=st.floats(160, 330, width=32, exclude_max=True))
def test_no_rounding_makes_a_valid_kelvin_missing(kelvin):
    from tempogan_eddy.io.values.precision import precision_of

    frame = np.full((1, 1), kelvin, np.float32)
    rounded = precision_of("rounded").stored(frame)
    assert abs(float(rounded[0, 0]) - kelvin) <= 2**-11 and rounded[0, 0] < 330
    steps = precision_of("packed").stored(frame)
    assert abs(250 + 0.01 * float(steps[0, 0]) - kelvin) <= 0.01 and 250 + 0.01 * float(steps[0, 0]) < 330


def test_values_that_16_bits_cannot_hold_are_refused(make_sequence, tmp_path):
    hot = (make_sequence() + 400).assign_attrs(make_sequence().attrs)
    with pytest.raises(InputError, match="leave out --packed"):
        save_sequence(hot, tmp_path / "a.nc", precision="packed")
    for format in ("png", "digital-typhoon"):
        with pytest.raises(InputError, match="holds no packed values"):
            save_sequence(make_sequence(), tmp_path / "out", format=format, precision="packed")
    with pytest.raises(InputError, match="Unknown precision 'fast'"):
        save_sequence(make_sequence(), tmp_path / "a.nc", precision="fast")
    assert list(tmp_path.iterdir()) == []


def test_rounded_values_take_less_space(tmp_path):
    da = sequence(frames=4, shape=(128, 128))
    for suffix in (".nc", ".zarr"):
        size = {}
        for precision in ("exact", "rounded", "packed"):
            save_sequence(da, tmp_path / f"{precision}{suffix}", precision=precision)
            size[precision] = sum(map(len, content(tmp_path / f"{precision}{suffix}").values()))
        assert size["packed"] < 0.8 * size["rounded"] < 0.8 * size["exact"]


def test_chunks_are_frames_or_equal_parts_of_large_ones():
    assert chunk_sides(512, 512) == (512, 512)
    assert chunk_sides(2048, 2048) == (2048, 2048)
    assert chunk_sides(5000, 7000) == (1000, 1000)
    assert all(side <= 1024 for side in chunk_sides(3298, 9896))


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_frames_of_one_time_are_kept_along_a_dimension_of_their_own(make_sequence, tmp_path, suffix, caplog):
    twice = make_sequence(frames=3).isel(time=[0, 0, 1, 2, 2])
    twice = twice.assign_coords(satellite=("time", ["GMS5", "GOE9", "GMS5", "GMS5", "GOE9"]))
    with caplog.at_level("INFO", logger="tempogan_eddy"):
        save_sequence(twice, tmp_path / f"a{suffix}")
    assert "counts its frames along frame" in caplog.text
    with xr.open_dataset(tmp_path / f"a{suffix}") as dataset:
        assert dataset["brightness_temperature"].dims[0] == "frame"
        assert "time" not in dataset.dims
    again = open_sequence(tmp_path / f"a{suffix}")
    assert again["satellite"].values.tolist() == twice["satellite"].values.tolist()
    np.testing.assert_allclose(again.values, twice.values, atol=2**-11)


def test_commands_take_the_options(made, tmp_path):
    output = tmp_path / "c.nc"
    output.write_bytes(WORDS)
    words = ["coarsen", made.source, "-o", output, "--scale", 2]
    assert exit_code(*words) == 2 and output.read_bytes() == WORDS
    assert exit_code(*words, "--packed", "--exact") == 2
    assert exit_code(*words, "--packed", "--overwrite") == 0
    assert xr.open_dataset(output, mask_and_scale=False).brightness_temperature.dtype == np.int16
    assert exit_code("coarsen", made.source, "-o", made.source, "--scale", 2, "--overwrite") == 2
    (tmp_path / "s.json").write_text(json.dumps({"mine": 1}))
    scores = ["evaluate", "--truth", made.source, "--reconstructed", made.source, "--scale", 4, "--no-baselines"]
    assert exit_code(*scores, "--json", tmp_path / "s.json") == 2
    assert exit_code(*scores, "--json", made.source, "--overwrite") == 2
    assert exit_code(*scores, "--json", tmp_path / "s.json", "--overwrite") == 0
    assert owns(tmp_path / "s.json", SCORES)
