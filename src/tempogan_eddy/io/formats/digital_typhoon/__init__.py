"""Digital Typhoon: sequences in a basin's folder, with the best track beside them."""

from pathlib import Path

from tempogan_eddy.io.files.walk import names_in
from tempogan_eddy.io.format import Format
from tempogan_eddy.io.formats.digital_typhoon.frames import FILE_NAME, open_digital_typhoon
from tempogan_eddy.io.formats.digital_typhoon.writing import KIND, check_basin, write_digital_typhoon

__all__ = ["DIGITAL_TYPHOON"]


def _recognise(path: Path) -> bool:
    return any(FILE_NAME.fullmatch(name) for name in (names_in(path) if path.is_dir() else [path.name]))


DIGITAL_TYPHOON = Format(
    "digital-typhoon",
    "Digital Typhoon HDF5",
    recognise=_recognise,
    open=lambda stored, reading: open_digital_typhoon(stored.path, reading, stored.files),
    write=lambda da, path, writing: write_digital_typhoon(da, path, writing.on_frame, overwrite=writing.overwrite),
    owns=KIND,
    frame_suffix=".h5",
    precisions=("rounded", "exact"),
    check_place=check_basin,
)
