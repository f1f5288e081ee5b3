"""What all measurements share: the device, the frames, configurations and untrained models.

Frames are real where they are there (``TEMPOGAN_EDDY_DATA``, else ``../shared/data``), else simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import nn

from benchmarks.machine import Probe
from tempogan_eddy.config import Config, load_config
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.io import open_sequence
from tempogan_eddy.synthesis import synthesize
from tempogan_eddy.weights import Model, build_generator

CONFIGS = Path(__file__).parent.parent / "configs"
SEQUENCE = Path("digital-typhoon/WP/image/200717")  # clean, exactly hourly, 512x512
FRAMES, SIZE = 32, 512
SCALE = 4


def find_frames(data: Path, scratch: Path, frames: int = FRAMES, size: int = SIZE) -> tuple[Path, str]:
    """A folder of hourly HDF5 frames in the layout of Digital Typhoon, and what they are."""
    real = data / SEQUENCE
    if not real.is_dir():
        simulated = scratch / "simulated"
        (name,) = synthesize(simulated, storms=1, frames=frames, size=size, format="digital-typhoon")
        return simulated / "image" / name, "a simulated storm (TEMPOGAN_EDDY_DATA names no folder of real frames)"
    folder = scratch / real.name
    folder.mkdir()
    for file in sorted(real.glob("*.h5"))[:frames]:
        (folder / file.name).symlink_to(file.resolve())
    return folder, f"typhoon {real.name}"


@dataclass(frozen=True)
class Workbench:
    """Where and on what to measure.

    Parameters
    ----------
    device
        Where to compute.
    repeats
        Turns of every measurement.
    folder
        A sequence of HDF5 frames.
    scratch
        A folder to write into.
    probe
        The fastest convolution of this machine, whatever its precision: what utilisation is told against.
    """

    device: torch.device
    repeats: int
    folder: Path
    scratch: Path
    probe: Probe

    @property
    def files(self) -> list[Path]:
        """The HDF5 frames."""
        return sorted(self.folder.glob("*.h5"))

    @property
    def threads(self) -> int:
        """Threads of torch, which other processes are to use too."""
        return torch.get_num_threads()

    def training(self, *overrides: str) -> Config:
        """`configs/config.json` on these frames, one batch a step."""
        places = [f"training.checkpoint_dir={self.scratch}/checkpoints", f"training.log_dir={self.scratch}/logs"]
        places += [f"data.cache_dir={self.scratch}/cache", f"training.data_root={self.folder}"]
        split = ["by=time", "rules={}", "guard_hours=0", "validation_fraction=0.2", "test_fraction=0"]
        fixed = [f"training.device={self.device}", "training.validation_frames=1", "training.d_steps=1"]
        fixed += ["training.accumulate=1", "data.max_missing=0.5"]
        return load_config(
            CONFIGS / "config.json", [*places, *(f"data.split.{text}" for text in split), *fixed, *overrides]
        )

    def lowres(self, frames: int, side: int = SIZE // SCALE) -> xr.DataArray:
        """A lowres sequence of any length and size: the frames over and over, side by side."""
        copies = [-(-wanted // there) for wanted, there in zip((frames, side, side), self._lowres.shape, strict=True)]
        kelvins = np.tile(self._lowres, copies)[:frames, :side, :side]
        times = np.datetime64("2000-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
        attributes = {"units": "K", "standard_name": "brightness_temperature", "sequence": "benchmark"}
        attributes |= SensorModel("area", SCALE).attributes()  # else it would be estimated, once
        return xr.DataArray(
            kelvins, {"time": times}, ("time", "y", "x"), name="brightness_temperature", attrs=attributes
        )

    @cached_property
    def _lowres(self) -> np.ndarray:
        return SensorModel("area", SCALE).coarsen(open_sequence(self.folder)).values


def generator_sizes() -> dict[str, Config]:
    """The shipped configurations whose generators differ, by residual blocks and channels: ``8x64`` and so on."""
    configs = [load_config(path) for path in sorted(CONFIGS.glob("*.json"))]
    return {
        f"{config.model.n_residual_blocks}x{config.model.channels}": config
        for config in reversed(configs)
        if config.scale == SCALE
    }


def untrained(config: Config) -> Model:
    """A model of one sensor whose learned branch is small and random, because one of zeros could be cheaper."""
    torch.manual_seed(0)
    model = Model.from_config(build_generator(config).eval().requires_grad_(False), config, "untrained").for_sensor()
    nn.init.normal_(model.plain.tail.weight, std=1e-3)
    return model
