"""One lock for the NetCDF and HDF5 libraries, which crash where two threads are inside.

xarray has a lock for them, and takes it for values but not for names and attributes: two threads that open files end
the process. Our lock is held for a whole opening or writing, so one thread may take it again within. With it goes
xarray's, against datasets that users opened themselves.
"""

import threading
from typing import Any

from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

__all__ = ["NETCDF_LOCK", "OUR_PART"]

OUR_PART = threading.RLock()
"""Hold this alone around functions of xarray that take xarray's lock themselves."""


class _Lock:
    """`OUR_PART` and, taken once for a thread, the lock of xarray; a copy in another process is that process's lock."""

    def __init__(self) -> None:
        self._depth = 0

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock; return whether this thread has it."""
        if not OUR_PART.acquire(blocking):
            return False
        taken = False
        try:
            taken = self._depth > 0 or NETCDF4_PYTHON_LOCK.acquire(blocking)
            self._depth += taken
        finally:
            if not taken:
                OUR_PART.release()
        return taken

    def release(self) -> None:
        """Give the lock back."""
        self._depth -= 1
        try:
            if not self._depth:
                NETCDF4_PYTHON_LOCK.release()
        finally:
            OUR_PART.release()

    def locked(self) -> bool:
        """Return whether any thread has the lock."""
        return self._depth > 0

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def __reduce__(self) -> str:
        return "NETCDF_LOCK"


NETCDF_LOCK: Any = _Lock()
