"""The commands `reconstruct` and `train` end at any moment: one line, an exit code, nothing left.

`make test` tries three random moments of `reconstruct`, `make test-slow` fifty, and three of `train`.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tempogan_eddy import open_sequence, save_sequence
from training_cases import moving_clouds, small_config, write_storms

FEW, MANY = 3, 50
FRAMES = 60
SECONDS_TO_END = 5

# A test that was started in the background may have been told to ignore SIGINT, and hands that on.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tempogan_eddy.cli import main
print("begun", flush=True)
main()
"""


def start(folder, words=()):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    words = words or ["reconstruct", folder / "low.nc", "-o", folder / "high.nc", "--engine", "torch"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with a lowres file, and the seconds that an undisturbed reconstruction takes from `main` on."""
    folder = tmp_path_factory.mktemp("interrupts")
    save_sequence(moving_clouds(frames=FRAMES, size=48), folder / "low.nc")
    started = time.monotonic()
    process = start(folder)
    process.communicate(timeout=300)
    seconds = time.monotonic() - started
    assert process.returncode == 0
    (folder / "high.nc").unlink()
    return {"folder": folder, "seconds": seconds}


def interrupted(folder, seconds, stop, impatient, words=()):
    """Run the command and send it a signal after so many seconds: its exit code, standard error, time to end, files."""
    process = start(folder, words)
    time.sleep(seconds)
    process.send_signal(stop)
    if impatient:
        time.sleep(0.05)
        process.send_signal(stop)
    sent = time.monotonic()
    try:
        _, said = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, said, time.monotonic() - sent, {path.name for path in folder.iterdir()}


def parts_of_a_run(count):
    """The number of each part of a run that is divided into so many, and their count."""
    return [(number, count) for number in range(count)]


@pytest.mark.parametrize(
    ("moment", "moments"),
    [*parts_of_a_run(FEW), *(pytest.param(*part, marks=pytest.mark.slow) for part in parts_of_a_run(MANY))],
)
def test_a_signal_ends_the_command_at_any_moment(run, moment, moments):
    folder, stop = run["folder"], (signal.SIGINT, signal.SIGTERM)[moment % 2]
    for _ in range(4):
        part = (moment + random.random()) / moments
        code, said, took, left = interrupted(folder, part * run["seconds"], stop, moment % 3 == 2)
        if "high.nc" not in left:
            break
        # The run was over, because the machine has become faster.
        assert code in (0, -stop), said
        assert open_sequence(folder / "high.nc").sizes["time"] == FRAMES
        (folder / "high.nc").unlink()
        run["seconds"] *= 0.8
    told = f"{stop.name} at {part:.0%}: code {code} after {took:.1f} s, {left}: {said}"
    print(told)
    assert took < SECONDS_TO_END, told
    assert left <= {"low.nc", "high.nc"}, told
    if "high.nc" not in left:
        assert code == {signal.SIGINT: 130, signal.SIGTERM: 143}[stop], told
        assert said.strip().splitlines()[-1].endswith("this run leaves nothing unfinished."), told
        assert "Traceback" not in said and "Exception" not in said, told


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """A folder with a configuration, and the seconds that the training takes from `main` on."""
    folder = tmp_path_factory.mktemp("training")
    config = small_config(folder / "run", write_storms(folder / "storms", size=32, frames=4), epochs=1)
    (folder / "config.json").write_text(config.to_json())
    words = ["train", "--config", folder / "config.json", "--resume", "auto"]
    started = time.monotonic()
    process = start(folder, words)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    shutil.rmtree(folder / "run")
    return {"folder": folder, "words": words, "seconds": time.monotonic() - started}


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(FEW))
def test_a_signal_ends_a_training_at_any_moment_of_its_start(training, moment):
    stop, part = (signal.SIGINT, signal.SIGTERM)[moment % 2], (moment + random.random()) / FEW
    folder = training["folder"]
    code, said, took, _ = interrupted(folder, 0.9 * part * training["seconds"], stop, False, training["words"])
    hidden = [path for path in folder.rglob(".*") if path.name != ".gitignore"]
    told = f"{stop.name} at {part:.0%}: code {code} after {took:.1f} s, {hidden}: {said}"
    shutil.rmtree(folder / "run", ignore_errors=True)
    # Once training has begun, it saves and says how to go on; code 0 and the signal's own: it was over.
    assert code in (0, -stop, 130, 143) and took < 2 * SECONDS_TO_END and not hidden, told
    assert "Traceback" not in said and "Exception" not in said, told
    if code > 0:
        assert "this run leaves nothing unfinished" in said or "go on with --resume" in said, told
