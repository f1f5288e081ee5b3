"""The package without its extras: what works, and how a command names the extra that it needs."""

import json
import os
import re
import subprocess
import sys

import pytest

from tempogan_eddy import save_sequence
from tempogan_eddy.extras import EXTRAS, without_extra
from training_cases import moving_clouds

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


# One process for all commands, because its imports take longer than they do.
RUN = """
import contextlib, io, json, sys
from tempogan_eddy.cli import main
ended, said = {}, io.StringIO()
with contextlib.redirect_stderr(said):
    for command in sys.argv[1:]:
        before = said.tell()
        try:
            exec(command) if command.startswith("from") else main(command.split())
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except Exception as error:
            print(error, file=said)
            code = 1
        ended[command] = code, said.getvalue()[before:].strip()
print(json.dumps(ended))
"""
WORKING = ("reconstruct lowres.nc -o highres.nc", "evaluate --truth highres.nc --reconstructed highres.nc")
REFUSED = {
    "train --data lowres.nc": "train",
    "view lowres.nc": "view",
    f"{EVALUATE} --report page.html": "report",
    f"{EVALUATE} --figures .": "report",
    "export eddy -o eddy.onnx": "export",
}
IMPORT = "from tempogan_eddy import TempoGANTrainer"


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The exit code and the errors of each command in a folder with ``lowres.nc``, without the libraries of extras."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(BLOCK)
    save_sequence(moving_clouds(frames=1, size=8), folder / "lowres.nc")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "hook"), *sys.path])}
    words = [sys.executable, "-c", RUN, *WORKING, *REFUSED, IMPORT]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("command", WORKING)
def test_the_package_alone_reconstructs_and_scores(ended, command):
    code, said = ended[command]
    assert code == 0, said


@pytest.mark.parametrize(("command", "extra"), REFUSED.items())
def test_a_command_names_the_extra_that_it_needs(ended, command, extra):
    code, said = ended[command]
    assert code == 2
    expected = rf"Error: The library \w+ is not installed; run: pip install 'tempogan-eddy\[{extra}\]'\."
    assert re.fullmatch(expected, said)


def test_python_names_the_extra_too(ended):
    code, said = ended[IMPORT]
    assert code == 1 and "pip install 'tempogan-eddy[train]'" in said


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
