"""The package without its extras: what works, and how a command names the extra that it needs."""

import os
import re
import subprocess
import sys

import pytest

from tempogan_eddy import save_sequence
from tempogan_eddy.extras import EXTRAS, without_extra

EVALUATE = "evaluate --truth lowres.nc --reconstructed lowres.nc"
# Python runs this module at its start: none of the libraries can be imported.
BLOCK = f"""
import sys

class Present:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, *others):
        absent = name.partition(".")[0] in {sorted(EXTRAS)}
        return None if absent else self.finder.find_spec(name, *others)

sys.meta_path[:] = map(Present, sys.meta_path)
"""


@pytest.fixture
def alone(tmp_path, make_sequence):
    """A function that runs Python in a folder with ``lowres.nc``, without the libraries of any extra."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(BLOCK)
    save_sequence(make_sequence(frames=1, shape=(8, 8)), tmp_path / "lowres.nc")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "hook"), *sys.path])}

    def python(*words):
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return python


def test_the_package_alone_reconstructs_and_scores(alone, tmp_path):
    made = alone("-m", "tempogan_eddy", "reconstruct", "lowres.nc", "-o", "highres.nc")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "highres.nc").exists()
    scored = alone("-m", "tempogan_eddy", "evaluate", "--truth", "highres.nc", "--reconstructed", "highres.nc")
    assert scored.returncode == 0, scored.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        pytest.param("train --data lowres.nc", "train", marks=pytest.mark.slow),
        pytest.param("view lowres.nc", "view", marks=pytest.mark.slow),
        (f"{EVALUATE} --report page.html", "report"),
        pytest.param(f"{EVALUATE} --figures .", "report", marks=pytest.mark.slow),
        pytest.param("export eddy -o eddy.onnx", "export", marks=pytest.mark.slow),
    ],
)
def test_a_command_names_the_extra_that_it_needs(alone, command, extra):
    ended = alone("-m", "tempogan_eddy", *command.split())
    assert ended.returncode == 2
    expected = rf"Error: The library \w+ is not installed; run: pip install 'tempogan-eddy\[{extra}\]'\."
    assert re.fullmatch(expected, ended.stderr.strip())


def test_python_names_the_extra_too(alone):
    ended = alone("-c", "from tempogan_eddy import TempoGANTrainer")
    assert "pip install 'tempogan-eddy[train]'" in ended.stderr.splitlines()[-1]


def test_a_module_of_no_extra_is_another_error():
    assert without_extra(ModuleNotFoundError("No module named 'numpie'", name="numpie")) is None


@pytest.mark.parametrize("words", [["-c", "import tempogan_eddy"], ["-m", "tempogan_eddy", "--help"]])
def test_neither_an_import_nor_help_loads_heavy_libraries(words):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-X", "importtime", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "tempogan_eddy" in loaded
    assert not loaded & {*EXTRAS, "torch", "numpy", "scipy", "xarray", "dask", "cv2", "pydantic", "rich"}
