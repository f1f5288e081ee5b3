"""Short forms of `faults.run`: a few faults of two commands, and of all. `make test-faults` runs every one."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from faults.commands import Command
from faults.run import Trials, main


@pytest.mark.parametrize(
    ("commands", "kills", "least"),
    [
        (["--commands", "reconstruct to Zarr,coarsen"], 2, 6),
        pytest.param([], 3, 10, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_lost_by_a_few_faults(commands, kills, least):
    words = ["-m", "faults.run", "kills", "points", "--kills", str(kills), "--points", "1", *commands]
    ended = subprocess.run([sys.executable, *words], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    name, injected, survived, lost = ended.stdout.splitlines()[-1].split()
    assert (name, lost) == ("all", "0") and int(injected) == int(survived) >= least


@pytest.mark.parametrize("words", [["broken"], ["kills", "--commands", "reconstuct"]])
def test_an_unknown_part_or_command_is_refused(words, monkeypatch, capsys):
    """A misspelt part would inject nothing, and so lose nothing."""
    monkeypatch.setattr(sys, "argv", ["faults.run", *words])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"there is no {words[-1]}; choose from" in capsys.readouterr().err


def test_a_command_that_says_it_is_done_must_have_written_the_new_output(tmp_path):
    """A success after a disk that failed would hide what was lost."""
    command = Command("touch", "out.txt", lambda inputs, output: [str(output)], lambda path: path.read_text())
    trials = object.__new__(Trials)
    trials.folder, trials.counts, trials.failures = tmp_path, Counter(), []
    trials.expected = {"earlier": {"touch": "earlier"}, "new": {"touch": "new"}}
    (tmp_path / "earlier-outputs").mkdir()
    (tmp_path / "earlier-outputs" / "out.txt").write_text("earlier")
    output = tmp_path / "trial" / "out.txt"
    output.parent.mkdir()
    for content, done, lost in (("earlier", False, 0), ("earlier", True, 1), ("new", True, 1), ("half", True, 2)):
        output.write_text(content)
        trials.check("full disk", command, output, "point 1", existed=True, finish=False, done=done)
        assert trials.counts["full disk", "lost"] == lost
