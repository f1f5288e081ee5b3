"""The check of a GPU: without one it says so, and its measurements run anywhere."""

import json
import os
import subprocess
import sys

import pytest
import torch

from benchmarks.paths import ROOT


def check(*options):
    """Run the command as `make gpu-check` does."""
    command = [sys.executable, "-m", "benchmarks.gpu_check", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.slow
def test_without_a_gpu_the_check_says_so():
    done = check()
    assert done.returncode == 2
    assert done.stderr.strip() == "The device 'cuda' is not available on this machine; use auto or cpu."
    assert done.stdout == ""


@pytest.mark.slow
def test_every_measurement_runs_on_a_cpu(tmp_path):
    done = check("--device", "cpu", "--quick", "--output", tmp_path / "check.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "check.json").read_text())
    assert result == json.loads(done.stdout)
    assert result["reconstruction"][0]["frames_a_second"] > 0
    assert result["reconstruction"][0]["network_alone"] > 0
    assert min(result["training"].values()) > 0
    assert result["pack"]["frames"] == 12
