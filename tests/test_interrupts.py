"""The command `reconstruct` ends at any moment: one line, an exit code, nothing left.

Few random moments by default; TEMPOGAN_EDDY_INTERRUPTS=50 tries so many.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tempogan_eddy import open_sequence, save_sequence
from training_cases import moving_clouds

MOMENTS = int(os.environ.get("TEMPOGAN_EDDY_INTERRUPTS") or 3)
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


def start(folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    words = ["reconstruct", folder / "low.nc", "-o", folder / "high.nc", "--engine", "torch"]
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


def interrupted(folder, seconds, stop, impatient):
    """Run the command and send it a signal after so many seconds: its exit code, standard error, time to end, files."""
    process = start(folder)
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


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_signal_ends_the_command_at_any_moment(run, moment):
    folder, stop = run["folder"], (signal.SIGINT, signal.SIGTERM)[moment % 2]
    for _ in range(4):
        part = (moment + random.random()) / MOMENTS
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
        assert said.strip().splitlines()[-1].endswith("nothing unfinished was left behind."), told
        assert "Traceback" not in said and "Exception" not in said, told
