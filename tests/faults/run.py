"""Break what writes and what is read, and count what is lost: nothing may be.

``python -m faults.run [kills] [points] [disks] [inputs]``, with tests in PYTHONPATH, prints the counts and exits with
1 if an output, earlier or new, was lost. Disks need the right to mount; without it they are left out.
"""

import argparse
import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from faults.commands import COMMANDS, TRAIN, Command, begin_run, copy, prepare
from faults.processes import at_change, fork
from fuzzing import KINDS, fuzz

KILLED = -9
PARTS = ["kills", "points", "disks", "inputs"]
ALL = [*COMMANDS, TRAIN]


class Trials:
    """The trials of all faults, in a folder with the inputs and the outputs of an undisturbed run."""

    def __init__(self, folder: Path, seed: int, commands: Sequence[Command]) -> None:
        self.folder, self.rng, self.failures = folder, random.Random(seed), list[str]()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.expected: dict[str, dict[str, str]] = {}
        self.seconds: dict[str, float] = {}
        for number, name in enumerate(("earlier", "new")):
            self.do(lambda name=name, number=number: prepare(folder / name, number))
            self.expected[name] = {}
            for command in commands:
                if command is TRAIN and name == "earlier":
                    continue
                output = folder / f"{name}-outputs" / command.output
                output.parent.mkdir(exist_ok=True)
                if command is TRAIN:
                    begin_run(folder / name, output)
                began = time.monotonic()
                self.do(lambda command=command, output=output, name=name: command.run(folder / name, output))
                self.seconds[command.name] = time.monotonic() - began
                self.expected[name][command.name] = self.do(lambda command=command, output=output: command.read(output))

    def do(self, function: Callable[[], object]) -> object:
        """Run a function in a child that must succeed."""
        code, returned = fork(function, self.folder / "said.txt").result()
        if code:
            raise RuntimeError((self.folder / "said.txt").read_text())
        return returned

    @contextmanager
    def place(self, command: Command, below: Path | None = None) -> Iterator[Path]:
        """Yield the output of a trial in a folder of its own, with an earlier output in every second trial."""
        folder = Path(tempfile.mkdtemp(dir=below or self.folder))
        output = folder / command.output
        if command is TRAIN:
            begin_run(self.folder / "new", output)
        elif self.rng.random() < 0.5:
            copy(self.folder / "earlier-outputs" / command.output, output)
        yield output
        shutil.rmtree(folder)

    def check(
        self, fault: str, command: Command, output: Path, what: str, *, existed: bool, finish: bool, done: bool = False
    ) -> None:
        """Count a fault; the output must be the earlier or the new one, and the command must still succeed.

        It must be the new one if the command said that it is `done`.
        """
        code, found = self._found(command, output, existed)
        expected = {self.expected["new"][command.name]}
        if command is TRAIN and not done:
            expected = {found, "absent"}  # of any step; what it becomes is checked below
        elif not done:
            expected.add(self.expected["earlier"][command.name] if existed else "absent")
        wrong = "" if not code and found in expected else f"then reads as {found or self._said()}"
        if finish and not wrong:
            code, _ = fork(lambda: command.run(self.folder / "new", output), self.folder / "said.txt").result()
            wrong = f"then fails: {self._said()}" if code else ""
        if finish and not wrong:
            code, found = fork(lambda: _read(command, output), self.folder / "said.txt").result()
            hidden = [path.name for path in output.parent.rglob(".*")]
            if found != self.expected["new"][command.name] or hidden:
                wrong = f"then gives {found or self._said()} and leaves {hidden}"
        self._count(fault, wrong and f"{command.name}, {what}: {wrong}")

    def _count(self, fault: str, wrong: str) -> None:
        """Count a fault, and what was wrong after it; print the counts now and then."""
        self.counts[fault, "injected"] += 1
        self.counts[fault, "lost" if wrong else "survived"] += 1
        if wrong:
            self.failures.append(f"{fault}, {wrong}")
            print(self.failures[-1], file=sys.stderr)
        if self.counts[fault, "injected"] % 10 == 0:
            print(f"{fault}: {self.counts[fault, 'injected']}, lost {self.counts[fault, 'lost']}", file=sys.stderr)

    def _found(self, command: Command, output: Path, existed: bool) -> tuple[int, str]:
        """Return whether reading an output failed, and what it read as; an untouched output need not be read."""
        if command is not TRAIN and _content(output) == _content(self.folder / "earlier-outputs" / command.output):
            return 0, self.expected["earlier"][command.name]
        code, found = fork(lambda: _read(command, output), self.folder / "said.txt").result()
        return code, str(found)

    def _said(self) -> str:
        return (self.folder / "said.txt").read_text()[-300:]

    def kill(self, command: Command) -> None:
        """Kill a command at a random moment; try again if it was over."""
        while True:
            with self.place(command) as output:
                existed = output.exists()
                child = fork(lambda output=output: command.run(self.folder / "new", output), self.folder / "said.txt")
                moment = self.rng.random() * self.seconds[command.name]
                time.sleep(moment)
                child.kill()
                if child.result()[0] == KILLED:
                    self.check("SIGKILL, random", command, output, f"{moment:.2f} s", existed=existed, finish=True)
                    return
                self.seconds[command.name] *= 0.8  # the machine has become faster

    def points(self, command: Command) -> int:
        """Return how many changes of files a command makes."""
        with self.place(command) as output:

            def count() -> int:
                counted = at_change(1 << 30, lambda *_: None, output.parent)
                with suppress(SystemExit):
                    command.run(self.folder / "new", output)
                return counted()

            return int(str(self.do(count)))

    def kill_at(self, command: Command, point: int) -> None:
        """Kill a command just before its ``point``-th change of a file."""
        with self.place(command) as output:
            existed = output.exists()

            def run() -> None:
                at_change(point, lambda *_: os.kill(os.getpid(), 9), output.parent)
                command.run(self.folder / "new", output)

            if fork(run, self.folder / "said.txt").result()[0] == KILLED:
                self.check("SIGKILL, write point", command, output, f"point {point}", existed=existed, finish=True)

    def fail_at(self, command: Command, point: int, error: int) -> None:
        """Have all changes fail from the ``point``-th on: every one on a read-only disk, those that need space else."""
        with self.place(command) as output:
            existed, full = output.exists(), error == errno.ENOSPC

            def fail(event: str, needs_space: bool) -> None:
                if needs_space or not full:
                    raise OSError(error, os.strerror(error))

            def run() -> None:
                at_change(point, fail, output.parent)
                command.run(self.folder / "new", output)

            code, _ = fork(run, self.folder / "said.txt").result()
            said = self._said()
            fault = "full disk, write point" if full else "read-only disk, write point"
            # A training that has begun says what it cannot write; the others name their output.
            if code in (0, 2) and "Traceback" not in said:
                self.check(fault, command, output, f"point {point}", existed=existed, finish=False, done=not code)
            else:
                self._count(fault, f"{command.name}, point {point}: exit code {code}: {said}")

    def disk(self, command: Command, room: int | None) -> None:
        """Run a command on a disk with so many bytes of room, or on a read-only one (None)."""
        fault = "read-only disk" if room is None else "full disk"
        with self.place(command, self.folder / "disk") as output:
            existed = output.exists()
            _mount("remount,ro" if room is None else f"remount,size={_used(self.folder / 'disk') + room}", self.folder)
            code, _ = fork(lambda: command.run(self.folder / "new", output), self.folder / "said.txt").result()
            said = self._said()
            _mount("remount,rw,size=256m", self.folder)
            if code in (0, 2) and "Traceback" not in said:
                self.check(fault, command, output, f"{room} bytes", existed=existed, finish=True, done=not code)
            else:
                self._count(fault, f"{command.name}, {room} bytes: exit code {code}: {said}")


def _read(command: Command, output: Path) -> str:
    from tempogan_eddy.errors import InputError

    try:
        return command.read(output)
    except (FileNotFoundError, InputError) as error:
        missing = not output.exists() or (command is TRAIN and isinstance(error, FileNotFoundError))
        return "absent" if missing else f"an error: {error}"


def _content(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def _used(disk: Path) -> int:
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def _mount(options: str, folder: Path) -> None:
    subprocess.run(["mount", "-o", options, folder / "disk"], check=True, capture_output=True)


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """Mount a disk in memory below a folder; yield whether that is allowed."""
    disk = folder / "disk"
    disk.mkdir()
    made = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", disk], capture_output=True
        ).returncode
    )
    try:
        yield bool(made)
    finally:
        if made:
            subprocess.run(["umount", "-l", disk], check=False)


def main() -> int:
    """Run all trials; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=PARTS, help=" ".join(PARTS))
    parser.add_argument(
        "--commands", default=",".join(command.name for command in ALL), help="which are killed, by name"
    )
    parser.add_argument("--kills", type=int, default=105, help="at random moments, over all commands")
    parser.add_argument(
        "--points", type=int, default=0, help="write points of each command that are tried; 0: every one"
    )
    parser.add_argument("--inputs", type=int, default=2000, help="broken inputs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = options.commands.split(",")
    for given, known in ((options.parts, PARTS), (names, [command.name for command in ALL])):
        if unknown := sorted({*given} - {*known}):
            parser.error(f"there is no {unknown[0]}; choose from {', '.join(known)}.")
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        commands = [next(one for one in ALL if one.name == name) for name in names]
        trials = Trials(folder, options.seed, commands)
        for number in range(options.kills if "kills" in options.parts else 0):
            trials.kill(commands[number % len(commands)])
        for command in commands if "points" in options.parts else []:
            _write_points(trials, command, options.points)
        if "disks" in options.parts:
            _disks(trials, commands, options.points or 8)
        if "inputs" in options.parts:
            _broken_inputs(trials, options.inputs)
        return _report(trials)


def _disks(trials: Trials, commands: list[Command], sizes: int) -> None:
    """Try each command on some disks too small for it, and on a read-only one."""
    with _small_disk(trials.folder) as allowed:
        if not allowed:
            print("no right to mount a small disk: full and read-only disks are tried by failing calls alone")
        for command in commands if allowed else []:
            for _ in range(sizes):
                trials.disk(command, trials.rng.randrange(1, 60) << 12)
            trials.disk(command, None)


def _write_points(trials: Trials, command: Command, some: int) -> None:
    """Fail at every write point and kill at every fifth, or both at some of them."""
    every = range(1, trials.points(command) + 1)
    for number, point in enumerate(trials.rng.sample(every, min(some, len(every))) if some else every):
        for error in (errno.ENOSPC, errno.EROFS):
            trials.fail_at(command, point, error)
        if some or number % 5 == 0:
            trials.kill_at(command, point)


def _broken_inputs(trials: Trials, count: int) -> None:
    (trials.folder / "inputs").mkdir()
    cuts, flips = 2, max(1, -(-count // (2 * len(KINDS))) - 2)  # at least so many in all
    findings = fuzz(KINDS, trials.folder / "inputs", flips, cuts)
    injected = len(KINDS) * (2 * flips + cuts + 2)
    trials.counts["broken input", "injected"] = injected
    trials.counts["broken input", "lost"] = len(findings)
    trials.counts["broken input", "survived"] = injected - len(findings)
    trials.failures += map(str, findings)


def _report(trials: Trials) -> int:
    faults = dict.fromkeys(fault for fault, _ in trials.counts)
    for failure in trials.failures:
        print(failure)
    print(f"{'fault':30} injected  survived  lost")
    for fault in [*faults, "all"]:
        each = [
            sum(n for (name, outcome), n in trials.counts.items() if outcome == wanted and fault in (name, "all"))
            for wanted in ("injected", "survived", "lost")
        ]
        print(f"{fault:30} {each[0]:8}  {each[1]:8}  {each[2]:4}")
    return int(bool(trials.failures))


if __name__ == "__main__":
    sys.exit(main())
