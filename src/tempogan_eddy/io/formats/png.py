"""Folders of PNG frames."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from tempogan_eddy.io.format import Format, named_like_data
from tempogan_eddy.io.ownership import Kind
from tempogan_eddy.io.png import TEXT_KEY, open_png, write_png
from tempogan_eddy.io.walk import names_in

__all__ = ["PNG"]


def _recognise(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix.lower() == ".png"
    names = names_in(path)
    # Pictures beside sequences of another format only illustrate them.
    return any(name.lower().endswith(".png") for name in names) and not any(map(named_like_data, names))


def _is_ours(path: Path) -> bool:
    with Image.open(path, formats=["PNG"]) as image:
        return "mapping" in json.loads(image.info[TEXT_KEY])


PNG = Format(
    "png",
    "PNG",
    recognise=_recognise,
    open=lambda stored, reading: open_png(stored.path, reading, stored.files),
    write=lambda da, path, writing: write_png(da, path, writing.on_frame),
    owns=Kind.of_frames("a folder of PNG frames", ".png", _is_ours),
    frame_suffix=".png",
    precisions=("rounded",),
)
