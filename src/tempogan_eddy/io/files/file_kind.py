"""Tell the kind of a file by its first bytes, whatever its name."""

from pathlib import Path

__all__ = ["file_kind"]

MAGIC = {
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"CDF\x01": "classic",
    b"CDF\x02": "classic",
    b"CDF": "cdf5",
    b"PK\x03\x04": "zip",
}
FIRST_USER_BLOCK = 512


def file_kind(path: Path) -> str | None:
    """Return ``hdf5`` (so is NetCDF-4), ``classic`` or ``cdf5`` (NetCDF-3 and its 64-bit variant), ``zip`` or None.

    HDF5 may follow a user block of 512 bytes, or twice, four times, ... as many.
    """
    with path.open("rb") as file:
        start = file.read(8)
        found = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)
        place, size = FIRST_USER_BLOCK, path.stat().st_size
        while found is None and place < size:
            file.seek(place)
            found = "hdf5" if MAGIC.get(file.read(8)) == "hdf5" else None
            place *= 2
    return found
