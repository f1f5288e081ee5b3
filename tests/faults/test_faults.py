"""The short form of `faults.run`: a few faults of each kind. `make test-faults` runs all."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_nothing_is_lost_by_a_few_faults():
    words = ["-m", "faults.run", "kills", "points", "--kills", "3", "--points", "1"]
    ended = subprocess.run([sys.executable, *words], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    name, injected, survived, lost = ended.stdout.splitlines()[-1].split()
    assert (name, lost) == ("all", "0") and int(injected) == int(survived) >= 10
