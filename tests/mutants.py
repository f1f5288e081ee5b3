"""Mutation testing by mutmut: changes of the code that tests should notice, one at a time (``make mutants``).

`tests/mutants.md` says what is mutated, what was measured and why some mutants survive. mutmut works on a copy in
``mutants/``; the working tree stays as it is.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / "mutants"
SURVIVED, NO_TESTS = (0,), (5, 33)  # exit codes of mutmut; any other means that a test failed, crashed or hung


def main() -> int:
    """Run a sample of the mutants of each module and print the share killed and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="names such as losses or io/align; all by default")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module, 0 for all (default 40)")
    parser.add_argument("--seed", type=int, default=0, help="decides the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--least", type=float, default=0.85, help="the share of killed mutants below which it fails")
    options = parser.parse_args()
    shutil.rmtree(COPY, ignore_errors=True)  # mutmut would keep verdicts of earlier tests
    # mutmut generates all mutants before it runs those that were asked for: a few, for the names of all.
    mutmut("run", "*.losses.*__mutmut_1", jobs=options.jobs)
    chosen = {
        module: sample(codes, options.sample, options.seed)
        for module, codes in mutants()
        if not options.modules or any(fnmatch.fnmatch(module, f"*{name}*") for name in options.modules)
    }
    mutmut("run", *(name for names in chosen.values() for name in names), jobs=options.jobs)
    shares = [report(module, chosen[module], codes) for module, codes in mutants() if module in chosen]
    killed, run = (sum(part) for part in zip(*shares, strict=True))
    print(f"{'all':32} {killed:4} of {run:4} killed, {killed / run:.0%}")
    return 0 if killed >= options.least * run else 1


def mutmut(command: str, *arguments: str, jobs: int) -> None:
    """Run mutmut, whose output goes into a file beside the copy."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    words = [Path(sys.executable).with_name("mutmut"), command, "--max-children", str(jobs), *arguments]
    COPY.mkdir(exist_ok=True)
    with (COPY / "mutmut.log").open("w") as log:
        done = subprocess.run(words, cwd=ROOT, env=environment, stdout=log, stderr=log)
    if done.returncode:
        sys.exit(f"mutmut failed with exit code {done.returncode}; see {COPY / 'mutmut.log'}.")


def mutants() -> Iterator[tuple[str, dict[str, int | None]]]:
    """Each module, as ``io/align``, and the exit codes of its mutants by name."""
    for path in sorted(COPY.rglob("*.meta")):
        module = path.relative_to(COPY / "src" / "tempogan_eddy").as_posix().removesuffix(".py.meta")
        yield module, json.loads(path.read_text())["exit_code_by_key"]


def sample(codes: dict[str, int | None], count: int, seed: int) -> list[str]:
    """A seeded sample of the names; all of them where there are fewer, or ``count`` is 0."""
    names = sorted(codes)
    return random.Random(seed).sample(names, min(count or len(names), len(names)))


def report(module: str, names: list[str], codes: dict[str, int | None]) -> tuple[int, int]:
    """Print one module's share and survivors; return how many were killed and how many ran."""
    left = sorted(name for name in names if codes[name] in (*SURVIVED, *NO_TESTS))
    print(f"{module:32} {len(names) - len(left):4} of {len(names):4} killed, {1 - len(left) / len(names):.0%}")
    for name in left:
        print(f"    {name.removeprefix('tempogan_eddy.')}{'' if codes[name] in SURVIVED else ' (no test)'}")
    return len(names) - len(left), len(names)


if __name__ == "__main__":
    sys.exit(main())
