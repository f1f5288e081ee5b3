"""Files that are broken, crafted or no files at all: each ends in one sentence, and takes no memory that it claims."""

import json
import logging
import os
import pickle
import resource
import socket
import struct
import subprocess
import sys
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import torch
import zarr
from PIL import Image
from safetensors.torch import save_file

from cli_cases import run
from fuzzing import KINDS, fuzz
from tempogan_eddy.cli.failures import end
from tempogan_eddy.config import load_config
from tempogan_eddy.errors import InputError, TrainingError
from tempogan_eddy.inspection import inspect
from tempogan_eddy.io import open_sequence
from tempogan_eddy.io.files.hdf5_guard import check_claim, find_dataset, refuse_outside_data
from tempogan_eddy.io.files.json_text import parse_json, read_bounded
from tempogan_eddy.io.files.walk import Seen, entries, refuse_special, walk
from tempogan_eddy.released import RELEASED
from tempogan_eddy.stored import read_checkpoint
from tempogan_eddy.training.checkpoint import save_checkpoint
from tempogan_eddy.weights import build_generator, load_model

LONG = int(os.environ.get("TEMPOGAN_EDDY_FUZZ", 0))
SMALL = {"model": {"n_residual_blocks": 1, "channels": 8}}


@pytest.fixture
def memory():
    """How many bytes more than before the process has taken at most."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return lambda: (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10


@pytest.fixture(autouse=True)
def untouched_logging():
    """What a command does to the logger ends with the test."""
    last = logging.lastResort
    yield
    logger = logging.getLogger("tempogan_eddy")
    logger.handlers, logger.propagate, logging.lastResort = [], True, last


def test_damaged_files_of_every_kind_end_in_a_sentence(tmp_path):
    """Quick; with TEMPOGAN_EDDY_FUZZ=150 in the environment 150 flips and 25 cuts of each kind, in minutes."""
    if LONG:
        findings = [finding for kind in KINDS for finding in fuzz([kind], tmp_path, LONG, max(LONG // 6, 1))]
    else:
        findings = fuzz(KINDS, tmp_path, flips=2, cuts=1)
    assert not findings, "\n".join(map(str, findings))


# Models and checkpoints


@pytest.mark.parametrize("name", RELEASED)
def test_released_models_open(name):
    assert load_model(name).scale in (2, 4)


def model_header(**values):
    header = {"format": "tempogan-eddy-model", "version": "1", "metadata": "{}", "config": "{}", **values}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in header.items()}


def test_a_model_that_claims_a_giant_network_takes_no_memory(tmp_path, memory):
    path = tmp_path / "giant.safetensors"
    save_file({}, path, model_header(config={"model": {"n_residual_blocks": 128, "channels": 1024}}))
    assert path.stat().st_size < 250
    with pytest.raises(InputError, match="do not fit the configuration"):
        inspect(path)
    assert memory() < 200e6


def test_a_model_that_claims_giant_tensors_takes_no_memory(tmp_path, memory):
    path = tmp_path / "giant.safetensors"
    entry = {"dtype": "F32", "shape": [10**6, 10**4], "data_offsets": [0, 4 * 10**10]}
    header = json.dumps({"__metadata__": model_header(), "head.weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(InputError, match="damaged"):
        inspect(path)
    path.write_bytes(struct.pack("<Q", 10**12) + header)
    with pytest.raises(InputError, match="damaged"):
        inspect(path)
    assert memory() < 200e6


@pytest.mark.parametrize(
    "values",
    [
        {"metadata": "[" * 100_000},
        {"metadata": "[]"},
        {"metadata": {"training_data": 3}},
        {"metadata": {"step": "three"}},
        {"config": "{"},
        {"config": "[1]"},
        {"config": {"model": {"channels": 10**9}}},
        {"metadata": '{"epoch": ' + "9" * 5000 + "}"},
    ],
)
def test_a_model_with_a_wrong_header_is_named(tmp_path, values):
    path = tmp_path / "mine.safetensors"
    save_file({}, path, model_header(**values))
    with pytest.raises(InputError, match=r"mine\.safetensors"):
        load_model(path)


@pytest.mark.parametrize(
    "change", [lambda weight: weight * np.nan, lambda weight: weight.int(), lambda weight: weight[:1], lambda _: None]
)
def test_weights_that_are_not_those_of_the_network_are_refused(tmp_path, change):
    path, config = tmp_path / "mine.safetensors", load_config(SMALL)
    generator = build_generator(config)
    weights = generator.state_dict()
    weights["head.weight"] = change(weights["head.weight"])
    kept = {name: weight for name, weight in weights.items() if weight is not None}
    save_file(kept, path, model_header(config=config.model_dump_json()))
    with pytest.raises(InputError, match=r"weights in .*mine\.safetensors"):
        load_model(path)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "checkpoint_epoch_1.pth"
    config = load_config(SMALL)
    state = {"generator": build_generator(config).state_dict(), "ema": {}, "epoch": 1, "step": 3, "best_score": 1.5}
    save_checkpoint(path, state, config)
    return path


def test_a_checkpoint_comes_back_as_it_was_and_free_of_its_file(tmp_path, checkpoint):
    path = tmp_path / "copy.pth"
    path.write_bytes(checkpoint.read_bytes())
    state = read_checkpoint(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    expected = torch.load(checkpoint, weights_only=True)
    assert state.keys() == expected.keys()
    assert all(torch.equal(state["generator"][name], weight) for name, weight in expected["generator"].items())
    assert isinstance(state["generator"], type(expected["generator"]))


def rewritten(source, target, change, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for member in old.infolist():
            new.writestr(member.filename, change(member.filename, old.read(member)))
    return target


def test_a_compressed_checkpoint_is_refused_before_it_is_inflated(tmp_path, checkpoint, memory):
    def grown(name, content):
        return bytes(1 << 26) if name.endswith("data/0") else content

    path = rewritten(checkpoint, tmp_path / "bomb.pth", grown, zipfile.ZIP_DEFLATED)
    before = memory()
    with pytest.raises(InputError, match="damaged"):
        inspect(path)
    assert memory() - before < 30e6


class Pickled:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def doubled(levels):
    value = ["lol"]
    for _ in range(levels):
        value = [value, value]
    return value


def circle():
    value = []
    value.append(value)
    return value


CRAFTED = [
    ("x", Pickled(os.system, "exit 1")),
    ("x", Pickled(torch.Tensor, 10**10)),
    ("x", Pickled(bytearray, 10**10)),
    ("generator", {"head.weight": torch.zeros(1).expand(10**5, 10**5)}),
    ("x", doubled(60)),
    ("x", circle()),
    ("config", [1]),
    ("config", {"model": {"channels": doubled(3)}}),
    ("step", "three"),
    ("generator", {"head.weight": 3}),
    ("ema", None),
]


@pytest.mark.parametrize("number", range(len(CRAFTED)))
def test_a_crafted_checkpoint_is_refused_without_running_or_allocating_anything(tmp_path, checkpoint, memory, number):
    key, value = CRAFTED[number]
    path = tmp_path / "crafted.pth"
    torch.save({**torch.load(checkpoint, weights_only=True), key: value}, path)
    before = memory()
    with pytest.raises(InputError, match=r"crafted\.pth"):
        load_model(path)
    assert memory() - before < 300e6


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), pickle.dumps({"format": 1}), b"\x80\x02}q\0."])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "noise.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"noise\.pth"):
        inspect(path)


# Text: configurations, scores, reports

LAUGHS = 'a: &a ["lol"]\n' + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{f'*{chr(97 + n)},' * 9}]\n" for n in range(9))


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "[" * 100_000,
        '{"a":' * 3000,
        '{"model": {"channels": ' + "9" * 10_000 + "}}",
        '{"model": {"channels": .nan}}',
        '{"data": {"cadence": 2001-13-45}}',
        '{"data": {"cadence": "\\ud800"}}',
        '{"data": {"cadence": "' + "9" * 1000 + 'h"}}',
        "{1: 2}",
        "{[1]: 2}",
        '{"model": {2: 3}}',
        "a: !!int x",
        "!!python/object/apply:os.system ['true']",
        '{"' + "k" * 100_000 + '": 1}',
        '{"training": {"epochs": ' + '"' + "x" * 100_000 + '"}}',
        "{" + ", ".join(f'"k{n}": {n}' for n in range(500)) + "}",
        "\0",
    ],
    ids=lambda text: text[:12],
)
def test_a_crafted_configuration_is_refused_in_few_words(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"mine\.json") as caught:
        load_config(path)
    assert len(str(caught.value)) < 6000


@pytest.mark.parametrize("text", ["*a", "&a 1", "[" * 1000, "2001-13-45", "!!int x", "9" * 5000])
def test_an_override_is_read_as_carefully(text):
    with pytest.raises(InputError, match="cannot be read"):
        load_config({}, [f"training.epochs={text}"])


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 200 + "]" * 200, "9" * 5000, '"\\ud800"', '["\\uDfff"]', "", "{"]
)
def test_all_that_is_wrong_with_json_is_one_error(text):
    for content in (text, text.encode()):
        with pytest.raises(ValueError):
            parse_json(content)


def test_json_that_is_right_is_read():
    value = {"a": [1, 2.5, None, True, "é😀"], "b": {}}
    assert parse_json(json.dumps(value)) == parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("value", ['"x"', "1e999", "9" * 400, "[1]", "{}"])
def test_scores_of_another_form_are_named(tmp_path, value):
    storm = {"storm": "a", "frames": 1, "scale": 4, "scores": {"m": {"rmse": {"value": "VALUE"}}}}
    text = json.dumps({"storms": [storm]}).replace('"VALUE"', value)
    page = f'<script type="application/json" id="scores-json">{text}</script>'
    for path, content in ((tmp_path / "s.json", text), (tmp_path / "s.html", page)):
        path.write_text(content)
        if value == "1e999":
            assert "inf" in str(inspect(path))
        else:
            with pytest.raises(InputError, match="scores"):
                inspect(path)


@pytest.mark.parametrize("content", ["[" * 100_000, "{}", '{"storms": 3}', '{"storms": "ab"}', "null"])
def test_a_page_with_other_scores_is_named(tmp_path, content):
    path = tmp_path / "page.html"
    path.write_text(f'<script type="application/json" id="scores-json">{content}</script>')
    with pytest.raises(InputError):
        inspect(path)


def test_a_file_larger_than_its_kind_ever_is_takes_no_memory(tmp_path, memory):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="larger than"):
        read_bounded(path, 1 << 20)
    with pytest.raises(InputError, match="larger than"):
        load_config(path)
    assert memory() < 100e6


# Pictures


@pytest.mark.parametrize("size", [(65535, 65535), (13000, 13000)])
def test_a_picture_that_claims_many_pixels_is_not_decoded(tmp_path, memory, size):
    path = tmp_path / "bomb.gif"
    Image.new("P", (4, 4)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:6] + struct.pack("<HH", *size) + content[10:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if size[0] == 13000:
            assert "13000x13000" in str(inspect(path))
        else:
            with pytest.raises(InputError, match="more pixels"):
                inspect(path)
    assert memory() < 200e6


def test_a_real_png_that_is_large_is_not_decoded_by_info(tmp_path, memory):
    path = tmp_path / "large.png"
    Image.new("1", (12000, 12000)).save(path)
    before = memory()
    assert "12000x12000" in str(inspect(path))
    assert memory() - before < 100e6


# HDF5


def file_of(path, write):
    with h5py.File(path, "w") as file:
        write(file)
    return path


def virtual(file):
    layout = h5py.VirtualLayout((5, 5), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "a", (5, 5))
    file.create_virtual_dataset("Infrared", layout)


OUTSIDE = {
    "external link": lambda file: file.__setitem__("Infrared", h5py.ExternalLink("other.h5", "/a")),
    "external storage": lambda file: file.create_dataset("Infrared", (4, 4), "u1", external=[("other.bin", 0, 16)]),
    "virtual dataset": virtual,
}
INSIDE = {
    "soft links in a circle": lambda file: (
        file.__setitem__("Infrared", h5py.SoftLink("/b")),
        file.__setitem__("b", h5py.SoftLink("/Infrared")),
    ),
    "a dangling soft link": lambda file: file.__setitem__("Infrared", h5py.SoftLink("/b")),
    "a group": lambda file: file.create_group("Infrared"),
    "text": lambda file: file.create_dataset("Infrared", (4, 4), dtype=h5py.string_dtype()),
    "a giant frame": lambda file: file.create_dataset("Infrared", (10**6, 10**6), "f8", chunks=(64, 64)),
    "an absent frame": lambda file: file.create_dataset("Infrared", (2**14, 2**14), "f8", chunks=(64, 64)),
    "a giant chunk": lambda file: file.create_dataset(
        "Infrared", (4, 4), "f8", chunks=(2**14, 2**14), maxshape=(None, None)
    ),
}


@pytest.mark.parametrize("write", [*OUTSIDE.values(), *INSIDE.values()], ids=[*OUTSIDE, *INSIDE])
def test_a_frame_stays_in_its_file_and_within_its_size(tmp_path, memory, write):
    path = file_of(tmp_path / "2001070100-200101-GMS5-1.h5", write)
    with pytest.raises(InputError, match=r"GMS5-1\.h5"):
        open_sequence(path)
    with h5py.File(path) as file, pytest.raises(InputError, match=r"GMS5-1\.h5"):
        find_dataset(file, "Infrared", path)
    assert memory() < 200e6


@pytest.mark.parametrize("write", OUTSIDE.values(), ids=list(OUTSIDE))
@pytest.mark.parametrize("below", [False, True])
def test_a_file_with_data_elsewhere_is_refused_as_a_whole(tmp_path, write, below):
    path = file_of(tmp_path / "a.nc", lambda file: write(file.create_group("b/c") if below else file))
    with pytest.raises(InputError, match="not read for safety"):
        refuse_outside_data(path)
    with pytest.raises(InputError, match="not read for safety"):
        open_sequence(path)


@pytest.mark.parametrize("kind", ["f2", np.longdouble])
@pytest.mark.parametrize("key", [None, "_FillValue", "scale_factor"])
def test_floats_that_crash_the_netcdf_library_are_refused_with_the_remedy(tmp_path, kind, key):
    def write(file):
        file["tb"] = np.full((5, 4), 250, "f4" if key else kind)
        file["tb"].attrs["units"] = "K"
        if key:
            file["tb"].attrs[key] = np.dtype(kind).type(1)

    path = file_of(tmp_path / "tb_2001070100.h5", write)
    bits = 8 * np.dtype(kind).itemsize
    with pytest.raises(InputError, match=f"{key or '/tb'}.* is a float of {bits} bits.*write it as float32"):
        open_sequence(path)


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("tb_2007100612.h5", "Tb"),
        ("tb_2007100612.nc", "comment"),
        ("tb_2007100612.h5", "group/comment"),
        ("WP/image/200717/2007100612-200717-MTS1-1.h5", "Infrared"),
    ],
)
def test_a_dataset_without_a_shape_is_named(tmp_path, name, empty):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        if empty not in ("Tb", "Infrared"):
            file["Tb"] = np.full((8, 8), 250, "f4")
            file["Tb"].attrs["units"] = "K"
        file[empty] = h5py.Empty("f4")
    with pytest.raises(
        InputError, match=rf"{path.name}: {empty} is empty, without a shape .*; write its values, or remove"
    ):
        open_sequence(path)


@pytest.mark.parametrize("holder", ["/", "Tb"])
def test_an_attribute_without_a_shape_does_no_harm(tmp_path, holder):
    with h5py.File(tmp_path / "tb_2007100612.h5", "w") as file:
        file["Tb"] = np.full((8, 8), 250, "f4")
        file["Tb"].attrs["units"] = "K"
        file[holder].attrs["comment"] = h5py.Empty("S1")
    assert open_sequence(tmp_path / "tb_2007100612.h5").shape == (1, 8, 8)


def test_a_digital_typhoon_frame_may_be_of_float16(tmp_path):
    path = tmp_path / "2001070100-200101-GMS5-1.h5"
    file_of(path, lambda file: file.__setitem__("Infrared", np.full((5, 4), 250, "f2")))
    assert (open_sequence(path).values == 250).all()


def test_groups_that_hold_themselves_are_refused(tmp_path):
    path = file_of(tmp_path / "a.nc", lambda file: file.create_group("b").__setitem__("up", file["/"]))
    with pytest.raises(InputError, match="holds itself"):
        refuse_outside_data(path)


def test_links_inside_a_file_are_followed(tmp_path):
    def write(file):
        file["real/image"] = np.full((5, 4), 250.0)
        file["again"] = file["real"]
        file["Infrared"] = h5py.SoftLink("middle")
        file["middle"] = h5py.SoftLink("/again/image")

    path = file_of(tmp_path / "2001070100-200101-GMS5-1.h5", write)
    refuse_outside_data(path)
    assert open_sequence(path).shape == (1, 5, 4)


def test_a_claim_is_held_against_the_file_and_the_largest_instrument(tmp_path):
    path = tmp_path / "frames"
    path.write_bytes(bytes(100_000))
    check_claim(path, (5500, 5500), 2)
    check_claim(path, (3, 512, 512), 8)
    with pytest.raises(InputError, match="damaged or incomplete"):
        check_claim(path, (22000, 22000), 4)
    check_claim(tmp_path, (22000, 22000), 4)  # a folder: how much is in it is not looked at
    with pytest.raises(InputError, match="full disk"):
        check_claim(tmp_path, (10**6, 10**6), 1)


def write_long_axis(file):
    file.create_dataset("time", (10**9,), "f8", chunks=(1000,))
    file.create_dataset("tb", (10**9, 2, 2), "f4", chunks=(1000, 2, 2)).attrs["units"] = "K"


def test_an_axis_that_claims_more_than_any_archive_has_takes_no_memory(tmp_path, memory):
    store = tmp_path / "long.zarr"
    zarr.open_group(store, mode="w").create_array("time", shape=(10**9,), chunks=(1000,), dtype="f8")
    for path in (file_of(tmp_path / "long.nc", write_long_axis), store):
        with pytest.raises(InputError, match="1,000,000,000 values along one axis"):
            open_sequence(path)
    assert memory() < 200e6


# Folders


@pytest.fixture
def tree(tmp_path):
    """A folder with links in circles, a dangling link, a pipe and a socket."""
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "deep" / "top").symlink_to(tmp_path)
    (tmp_path / "a" / "one.nc").write_bytes(b"1")
    (tmp_path / "another.nc").symlink_to(tmp_path / "a" / "one.nc")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "self").symlink_to("self")
    os.mkfifo(tmp_path / "pipe.nc")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.nc"))
        yield tmp_path


def test_a_walk_meets_everything_once_under_its_own_name(tree):
    names = [str(path.relative_to(tree)) for path in walk(tree)]
    assert names == ["a", "a/deep", "a/one.nc"]
    assert [path.name for path in entries(tree)] == ["a", "another.nc"]
    seen = Seen()
    assert [seen.first_time(tree / name) for name in ("a", "a/b", "dangling", "a/deep")] == [True, False, False, True]


def test_a_walk_ends_however_deep_the_folders(tmp_path, caplog):
    deep = tmp_path
    for _ in range(100):
        deep = deep / "d"
        deep.mkdir()
    assert len(list(walk(tmp_path))) == 64
    assert "left out" in caplog.text


@pytest.mark.parametrize("name", ["pipe.nc", "socket.nc", "dangling", "self", "/dev/zero", "missing", "a\0b"])
def test_what_is_no_file_is_refused_at_once(tree, name):
    for read in (refuse_special, inspect, lambda path: load_config(path), lambda path: open_sequence(path)):
        with pytest.raises(InputError) as caught:
            read(tree / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".onnx", ".json", ".html", ".gif", ".mp4", ".h5", ".nc"])
def test_a_pipe_called_like_a_file_is_not_waited_for(tmp_path, suffix):
    path = tmp_path / f"2001070100-200101-GMS5-1{suffix}"
    os.mkfifo(path)
    with pytest.raises(InputError, match="is a pipe"):
        inspect(path)


# The end of a command


def apart(*words, code=None, **options):
    """A command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    start = [sys.executable, *(["-c", code] if code else ["-m", "tempogan_eddy", *map(str, words)])]
    return subprocess.run(start, capture_output=True, text=True, env=environment, **options)


@pytest.mark.parametrize(
    "error, code, words",
    [
        (InputError("a.nc is bad."), 2, "Error: a.nc is bad."),
        (TrainingError("The loss is not finite."), 1, "not finite"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (MemoryError(), 1, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1"), 1, "not enough memory"),
        (RecursionError(), 2, "nested too deeply"),
        (OSError(28, "No space left on device"), 2, "disk is full"),
        (PermissionError(13, "Permission denied", "x.nc"), 2, "x.nc cannot be read or written (Permission denied)"),
        (OSError("truncated file"), 2, "truncated file"),
        (UnicodeEncodeError("utf-8", "a\udc80", 1, 2, "surrogates"), 2, "cannot be written as utf-8"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_error_is_one_sentence_and_a_code(capsys, error, code, words):
    assert end(error) == code
    said = capsys.readouterr().err
    assert words in " ".join(said.split())
    assert len(said.strip().splitlines()) == 1


def test_a_mistake_of_ours_asks_for_a_report_and_keeps_its_traceback(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tempogan_eddy.inspection.inspect", lambda *_, **__: 1 / 0)
    code, _, error = run(capsys, "info", "eddy")
    said = " ".join(error.split())
    (report,) = tmp_path.glob("tempogan-eddy-*.txt")
    assert code == 1
    assert "ZeroDivisionError: division by zero" in said and "please report it with" in said
    assert "Traceback" not in said and "Traceback" in report.read_text()
    assert "Traceback" in run(capsys, "--verbose", "info", "eddy")[2]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError("odd"), EOFError])
def test_what_typer_would_end_for_is_ended_by_us(capsys, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("tempogan_eddy.inspection.inspect", fail)
    code, _, said = run(capsys, "info", "eddy")
    assert code == {KeyboardInterrupt: 130, MemoryError: 1, EOFError: 1}.get(error, 2)
    assert said.startswith("Error: ")


def test_a_reader_that_stops_reading_ends_a_command_silently():
    code = "import os, sys; os.close(1); r, w = os.pipe(); os.close(r); assert w == 1 or os.dup2(w, 1);"
    code += "from tempogan_eddy.cli import main; main(['config'])"
    result = apart(code=code)
    assert (result.returncode, result.stderr) == (141, "")


def test_names_from_files_do_not_steer_the_terminal(tmp_path, capsys):
    path = tmp_path / "scores.json"
    storm = {"storm": "\x1b[2J[red]a", "frames": 1, "scale": 4, "scores": {"m": {"rmse": {"value": 1.0}}}}
    path.write_text(json.dumps({"storms": [storm]}))
    code, output, _ = run(capsys, "info", path)
    assert code == 0
    assert "\x1b[2J" not in output and "[red]a" in output


def test_a_terminal_that_knows_only_ascii_prints_escapes(tmp_path):
    path = tmp_path / "scores.json"
    storm = {"storm": "台風", "frames": 1, "scale": 4, "scores": {"m": {"rmse": {"value": 1.0}}}}
    path.write_text(json.dumps({"storms": [storm]}))
    code = "import sys; sys.stdout.reconfigure(encoding='ascii'); from tempogan_eddy.cli import main; "
    code += f"main(['info', {str(path)!r}])"
    result = apart(code=code)
    assert result.returncode == 0, result.stderr
    assert "\\u53f0" in result.stdout


def test_warnings_of_libraries_go_to_the_log_and_not_to_the_terminal(capsys, monkeypatch):
    def inspected(*_, **__):
        warnings.warn("something about dtypes\nand more", RuntimeWarning, stacklevel=1)
        logging.getLogger("a.library").warning("look here")
        return {}

    monkeypatch.setattr("tempogan_eddy.inspection.inspect", inspected)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for words, seen in ((["info", "eddy"], False), (["--verbose", "info", "eddy"], True)):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            _, _, said = run(capsys, *words)
        assert ("RuntimeWarning: something about dtypes" in said) == seen
        assert seen or not said
