"""Open, read and write NetCDF files in four threads at once: python reading_in_threads.py FOLDER."""

import sys
import threading
from pathlib import Path

import numpy as np

from tempogan_eddy import open_sequence, save_sequence
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.variables.container import groups_of
from training_cases import moving_clouds

ROUNDS = 25

folder = Path(sys.argv[1])
clouds = moving_clouds(frames=3, size=16)
save_sequence(clouds, folder / "whole.nc", precision="exact")
(folder / "broken.nc").write_bytes(b"CDF\x01")
wrong: list[str] = []


def read() -> None:
    for _ in range(ROUNDS):
        with open_sequence(folder / "whole.nc") as sequence:
            if not np.array_equal(sequence.values, clouds.values):
                wrong.append("other values")
        if groups_of(folder / "whole.nc") != [""]:
            wrong.append("other groups")


def write() -> None:
    for number in range(ROUNDS):
        save_sequence(clouds, folder / f"{number % 2}.nc", overwrite=True, precision="exact")


def refuse() -> None:
    for _ in range(ROUNDS):
        try:
            open_sequence(folder / "broken.nc")
        except InputError:
            continue
        wrong.append("a broken file was read")


def run(work) -> None:
    try:
        work()
    except BaseException as error:
        wrong.append(f"{work.__name__}: {error!r}")


sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=run, args=(work,)) for work in (read, read, write, refuse)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(wrong[:3] or "all as alone")
