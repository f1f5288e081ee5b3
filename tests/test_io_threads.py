"""The NetCDF and HDF5 libraries crash where two threads are inside; one lock keeps them apart."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from tempogan_eddy import open_sequence
from tempogan_eddy.io.files.netcdf_lock import NETCDF_LOCK, OUR_PART
from training_cases import moving_clouds


def test_files_are_opened_read_and_written_in_several_threads(tmp_path):
    script = Path(__file__).with_name("reading_in_threads.py")
    ran = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "all as alone\n"), ran.stderr[-2000:]


def test_a_thread_may_take_the_lock_twice_and_others_wait():
    had = []
    other = threading.Thread(target=lambda: had.append(NETCDF_LOCK.acquire(blocking=False)))
    with NETCDF_LOCK, NETCDF_LOCK:
        other.start()
        other.join()
        assert NETCDF4_PYTHON_LOCK.locked() and NETCDF_LOCK.locked()
    assert had == [False] and not NETCDF4_PYTHON_LOCK.locked() and not NETCDF_LOCK.locked()


def test_where_xarray_holds_its_lock_ours_is_not_half_taken():
    had = []

    def take_our_part():
        with OUR_PART:
            had.append("our part")

    with NETCDF4_PYTHON_LOCK:
        assert not NETCDF_LOCK.acquire(blocking=False)
        other = threading.Thread(target=take_our_part, daemon=True)
        other.start()
        other.join(10)
    assert had == ["our part"]


def test_a_pickled_lock_is_the_one_of_its_process():
    assert pickle.loads(pickle.dumps(NETCDF_LOCK)) is NETCDF_LOCK


def test_a_classic_file_is_read_under_the_lock_too(tmp_path):
    # xarray keeps 128 files open: the thread that opens one more closes another, of whichever library.
    clouds = moving_clouds(frames=2, size=16)
    clouds.to_dataset().to_netcdf(tmp_path / "classic.nc", format="NETCDF3_64BIT")
    sequence, read = open_sequence(tmp_path / "classic.nc"), []
    reader = threading.Thread(target=lambda: read.append(sequence.values))
    with NETCDF_LOCK:
        reader.start()
        reader.join(0.2)
        assert not read
    reader.join()
    np.testing.assert_array_equal(read[0], clouds.values)
