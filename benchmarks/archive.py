"""How long an archive of hourly files takes to open as one sequence, beside opening each file in full.

python -m benchmarks.archive [FILES]
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import netCDF4
import numpy as np

from tempogan_eddy.io import open_sequence
from tempogan_eddy.io.frames import FrameReader
from tempogan_eddy.io.variables.cf import open_cf

OPENED_IN_FULL = 200  # enough to know what each takes
SIDE = 64


def make_archive(folder: Path, files: int) -> None:
    """Write one frame an hour, each in a file of its own, as merged infrared comes."""
    frame = (250 + 20 * np.random.default_rng(0).random((1, SIDE, SIDE))).astype("f4")
    start = np.datetime64("2019-01-01T00")
    for number in range(files):
        hour = start + number
        name = f"merg_{str(hour).replace('-', '').replace('T', '')}_4km-pixel.nc4"
        with netCDF4.Dataset(folder / name, "w") as file:
            for dim, size in (("time", 1), ("lat", SIDE), ("lon", SIDE)):
                file.createDimension(dim, size)
            times = file.createVariable("time", "f8", ("time",))
            times.units, times.standard_name = "days since 1970-01-01 00:00:00", "time"
            times[:] = (hour - np.datetime64("1970-01-01T00")).astype(int) / 24
            for dim, units in (("lat", "degrees_north"), ("lon", "degrees_east")):
                axis = file.createVariable(dim, "f4", (dim,))
                axis.units = units
                axis[:] = 10 + 0.04 * np.arange(SIDE)
            image = file.createVariable("Tb", "f4", ("time", "lat", "lon"), fill_value=-9999.0, zlib=True)
            image.units, image.standard_name = "K", "brightness_temperature"
            image[:] = frame


def memory() -> float:
    """Most memory that the process held so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(files: int) -> None:
    """Print seconds and memory as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_archive(folder, files)
        some = sorted(folder.iterdir())[:OPENED_IN_FULL]
        started = time.perf_counter()
        for path in some:
            open_cf(path)
        each = (time.perf_counter() - started) / len(some)
        before = memory()
        started = time.perf_counter()
        sequence = open_sequence(folder)
        opened = time.perf_counter() - started
        reader = FrameReader(sequence)
        started = time.perf_counter()
        for number in range(min(500, files)):
            reader.frame(number)
        read = (time.perf_counter() - started) / min(500, files)
    facts = {
        "files": files,
        "seconds to open": round(opened, 2),
        "milliseconds a file": round(1e3 * opened / files, 2),
        "milliseconds a file opened in full": round(1e3 * each, 2),
        "times faster": round(each * files / opened, 1),
        "milliseconds a frame read": round(1e3 * read, 2),
        "memory taken, MiB": round(memory() - before, 1),
    }
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
