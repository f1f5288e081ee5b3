"""Commands of this package as a person gives them, printed before they run, so that they can be run again by hand."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent

__all__ = ["ENVIRONMENT", "ROOT", "command", "rebuilt", "run", "words_given"]

# The package of this checkout, also where a program starts in another folder.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])),
}


def command(*words: object) -> list[str]:
    """Print a command as a person gives it; as Python runs it."""
    texts = [str(word) for word in words]
    print(f"\n$ {shlex.join(['tempogan-eddy', *texts])}", flush=True)
    return [sys.executable, "-m", "tempogan_eddy", *texts]


def run(*words: object, folder: Path | None = None) -> None:
    """Print a command, run it in a folder or here, and stop where it fails."""
    status = subprocess.run(command(*words), cwd=folder, env=ENVIRONMENT, check=False).returncode
    if status:
        sys.exit(status)


@contextmanager
def rebuilt(data: Path, model: str, *chosen: str) -> Iterator[tuple[Path, str]]:
    """A folder with the data as WP, ``lowres.nc`` and ``highres.nc``, and what the model is called there.

    Nothing in it is called as on this machine, so what records its commands holds no path of it.

    Parameters
    ----------
    chosen
        Options that choose the hours.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "WP").symlink_to(data.resolve())
        if Path(model).is_file():
            (folder / "model.safetensors").symlink_to(Path(model).resolve())
            model = "model.safetensors"
        run("coarsen", "WP", *chosen, "-o", "lowres.nc", folder=folder)
        run("reconstruct", "lowres.nc", "-o", "highres.nc", "--model", model, folder=folder)
        yield folder, model


def words_given() -> tuple[Path, str]:
    """The folder of data and the model that a script was called with."""
    if len(sys.argv) not in (2, 3):
        sys.exit("Give the folder of the Digital Typhoon basin WP, and a model if not eddy.")
    return Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "eddy"
