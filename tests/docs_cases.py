"""Pages of the documentation, their blocks, and small files that stand for the example files that the pages name."""

import re
import shlex
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import xarray as xr

import tempogan_eddy
from tempogan_eddy import coarsen, save_sequence
from tempogan_eddy.dataset.sensor import SensorModel
from training_cases import moving_clouds

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT, ROOT / "docs", ROOT / "benchmarks", ROOT / "experiments" / "results")
PAGES = sorted(page for folder in FOLDERS for page in folder.glob("*.md"))
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`((?:tempogan-eddy|python -m|make|torchrun) [^`]+)`")

# As configs/config.json, with networks and steps so small that an epoch takes a moment.
CONFIG = """{
    "model": {"n_residual_blocks": 1, "channels": 8, "discriminator_channels": 4},
    "data": {"split": {"by": "storm", "test_fraction": 0, "validation_fraction": 0.5}},
    "training": {
        "data_root": "storms", "batch_size": 1, "patch_size": 32, "epochs": 1, "steps_per_epoch": 1,
        "pretrain_epochs": 1, "validation_frames": 1, "device": "cpu", "precision": "fp32"
    }
}"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text and the line that it begins at."""

    page: Path
    language: str
    text: str
    line: int

    @property
    def place(self) -> str:
        """The page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def program(self) -> str:
        """The text with lines before it, so that errors name the line of the page."""
        return "\n" * self.line + self.text

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        words = [shlex.split(part, comments=True) for line in lines for part in line.split(" && ")]
        return [line for line in words if line]


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of a page in some languages, in order."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(
            page,
            match[2],
            re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE),
            text.count("\n", 0, match.start(3)),
        )
        for match in BLOCK.finditer(text)
    ]
    return [block for block in found if block.language in languages]


def spans(page: Path) -> list[str]:
    """Return the commands that stand in the text of a page."""
    return SPAN.findall(BLOCK.sub("", page.read_text(encoding="utf-8")))


# What stands for the names of the pages: each is a copy of one of the sequences and folders that `make_stage` writes.
FRAMES = {
    "lowres.nc": ("lowres.nc",),
    "truth.nc": ("truth.nc", "highres.nc", "other.nc"),
    "members.nc": ("members.nc",),
    "WP": ("WP", "DATA/digital-typhoon/WP", "path/to/digital_typhoon/WP"),
    "storms": ("storms", "path/to/your/storms"),
    "lowres": ("path/to/lowres", "OUT/lowres"),
    "highres": ("path/to/highres", "OUT/highres"),
    "archive": ("archive",),
    "africa.nc": ("africa.nc",),
}


def hours(*starts: str, frames: int) -> np.ndarray:
    """Return the first hours of some days."""
    return np.concatenate([np.datetime64(start, "ns") + np.arange(frames) * np.timedelta64(1, "h") for start in starts])


# Hours of both typhoons that the split of the pages trains on, and hours that it holds out.
STORMS = {
    "198702": hours("1987-04-13T05", "1987-04-14T05", frames=6),
    "200717": hours("2007-10-06T20", "2007-10-07T12", frames=4),
}


def make_stage(folder: Path) -> None:
    """Write small files under every name of `FRAMES`, and a small configs/config.json."""
    made = folder / "made"
    for name, times in STORMS.items():
        storm = moving_clouds(frames=len(times), size=64, seed=int(name), name=name).assign_coords(time=times)
        save_sequence(storm, made / "WP" / "image" / name, format="digital-typhoon")
    truth = storm[4:]
    members = xr.concat([truth, truth + 1], "member").assign_attrs(truth.attrs)
    for name, sequence in {"truth": truth, "lowres": coarsen(truth, 4), "members": members}.items():
        save_sequence(sequence, made / f"{name}.nc")
    for number in range(2):
        storm = moving_clouds(frames=4, size=64, seed=number, name=f"storm{number}", start=f"200{number}-08-01")
        save_sequence(storm, made / "storms" / f"storm{number}.nc")
        save_sequence(storm, made / "highres" / f"storm{number}.nc")
        save_sequence(coarsen(storm, 4), made / "lowres" / f"storm{number}.nc")
    halves = moving_clouds(frames=12, size=64, name="merg_4km-pixel", start="2019-12-25")
    halves["time"] = np.datetime64("2019-12-25", "ns") + np.arange(12) * np.timedelta64(30, "m")
    for hour in range(6):
        part = halves[2 * hour : 2 * hour + 2]
        save_sequence(part, made / "archive" / f"merg_20191225{hour:02}_4km-pixel.nc4", format="netcdf")
    for hour in (0, 3, 6):
        frame = halves[hour : hour + 1].assign_coords(time=[np.datetime64(f"2013-11-07T{hour:02}", "ns")])
        frame = frame.assign_attrs(title="GRIDSAT-B1 CDR").rename("irwin_cdr")
        save_sequence(frame, folder / f"GRIDSAT-B1.2013.11.07.{hour:02}.v02r01.nc")
    # Half-hourly frames of two days; the page on pairs uses every fourth.
    days = [np.datetime64(day, "ns") + np.arange(12) * np.timedelta64(30, "m") for day in ("2016-08-03", "2016-08-04")]
    africa = moving_clouds(frames=24, size=64, name="africa").assign_coords(time=np.concatenate(days))
    save_sequence(africa, made / "africa.nc")
    for source, names in FRAMES.items():
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (made / source).is_dir() else shutil.copyfile
            copy(made / source, folder / name)
    shutil.rmtree(made)
    (folder / "configs").mkdir()
    (folder / "configs" / "config.json").write_text(CONFIG)
    shutil.copyfile(ROOT / "src" / "tempogan_eddy" / "released" / "faithful.safetensors", folder / "model.safetensors")


def write_settings(block: Block) -> None:
    """Write a JSON block that names its file in its first line, with an epoch of one step."""
    if named := re.match(r"# ([\w.-]+)\n", block.text):
        smaller = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 1, "patch_size": 32, "pretrain_epochs": 1}
        text = block.text
        for key, value in smaller.items():
            text = re.sub(rf'("{key}": )\d+', rf"\g<1>{value}", text)
        Path(named[1]).write_text(text)


class Scene:
    """What the pages use of satpy's Scene."""

    def __init__(self, files, reader):
        self.frame = coarsen(moving_clouds(frames=1, size=64), 4)[0].drop_vars("time")
        hour = int(files[0]) if files[0].isdigit() else 0
        self.frame.attrs |= {"calibration": "brightness_temperature", "start_time": datetime(2020, 9, 1, hour)}

    def load(self, names):
        self.names = names

    def __getitem__(self, name):
        assert name in self.names
        return self.frame


def readers_names() -> dict[str, Any]:
    """Return what the programs of the pages take for granted, by name."""
    fine = moving_clouds(frames=4, size=64)
    lowres = coarsen(fine, 4)
    grid = {"y": lowres["lat"].values, "x": lowres["lon"].values}
    return {
        "te": tempogan_eddy, "xr": xr, "np": np, "SensorModel": SensorModel,
        "da": lowres, "values": lowres.values, "lowres": lowres, "truth": fine,
        "reconstructed": (fine + 1.0).assign_attrs(fine.attrs | {"scale": 4}),
        "fields": torch.from_numpy(lowres.values[:, None]),
        "coords": OrderedDict(time=lowres["time"].values, variable=np.array(["abi13c"]), **grid),
        "satpy": SimpleNamespace(Scene=Scene), "segments": ["0"], "times": [["0"], ["1"]], "area": None,
    }  # fmt: skip
