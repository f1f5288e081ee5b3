"""The training data: windows of three frames, cut into patches, with their lowres frames and flow."""

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tempogan_eddy.config import Config, load_config
from tempogan_eddy.dataset.augment import SYMMETRIES, augment_sensor
from tempogan_eddy.dataset.pack import packed
from tempogan_eddy.dataset.patch import Patch, stack_patches
from tempogan_eddy.dataset.patches import develop
from tempogan_eddy.dataset.protocol import DataSource, Sample
from tempogan_eddy.dataset.random_sensors import KNOWN, draw_number, random_sensors
from tempogan_eddy.dataset.registration import displaced
from tempogan_eddy.dataset.resident import ResidentStore
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.dataset.sensor_bank import SensorBank
from tempogan_eddy.dataset.separable_sensors import SeparableSensor
from tempogan_eddy.dataset.source import Paths, source_name
from tempogan_eddy.dataset.split import describe_split, split_frames
from tempogan_eddy.dataset.store import PackedStorm, Window, open_storms
from tempogan_eddy.dataset.windows import find_windows, why_no_window
from tempogan_eddy.errors import InputError

__all__ = ["Sample", "TyphoonDataset"]

log = logging.getLogger(__name__)

# Places to try before a sample counts as impossible to draw.
TRIES = 200

# Random sensors of a run whose model adapts to the sensor.
RANDOM_SENSORS = 2048


@dataclass(frozen=True)
class _Window:
    storm: PackedStorm
    frames: Window


class TyphoonDataset(DataSource, Dataset[Sample]):
    """Windows of three frames one cadence apart, within one storm and sensor.

    Sample ``i`` depends on the seed and ``i`` alone, so a run that stops after any sample goes on exactly.
    Windows come in an order shuffled anew on every pass; indices beyond the length begin further passes.

    Parameters
    ----------
    source
        A raw folder, a file, a glob, a list of such, or a packed store; raw data are packed into the cache first, once.
    split
        ``train``, ``val`` or ``test``.
    config
        The configuration; None for the defaults.
    on_frame
        Called with (storm, frame, frames) while packing.

    Raises
    ------
    InputError
        Nothing readable, frames smaller than a patch, or no three frames one cadence apart.
    """

    def __init__(
        self,
        source: Paths,
        split: str = "train",
        config: Config | None = None,
        on_frame: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.config = config or load_config()
        self.source = source
        self.sensor = SensorModel.from_config(self.config)
        self.storms = open_storms(packed(source, self.config, on_frame))
        if self.config.model.conditioned:
            self.sensors = SensorBank(self._sensors())
        self._store: ResidentStore | None = None  # on the training device
        self._choose(split)

    def _sensors(self) -> list[SeparableSensor]:
        """Return the sensors that samples are seen by: the configured one, or many random ones.

        Of own pairs, it has the phase of each storm, in each of the symmetries of `turn_frames`.
        """
        if self.config.sensor.random and not self.pairs:
            return random_sensors(RANDOM_SENSORS, self.config.scale, self.config.training.seed)
        if not self.sensor_known:
            suggested = ", ".join(sorted({storm.fit.suggested for storm in self.storms.values()} - {""}))
            hint = f" (the pairs suggest {suggested})" if suggested else ""
            raise InputError(
                "A conditioned generator needs the sensor of the lowres frames; state it with --sensor, or describe it "
                f"in section sensor and set data.pairs.sensor_known=true{hint}; else set model.conditioned=false."
            )
        if not isinstance(self.sensor, SeparableSensor):
            raise InputError(f"The sensor {self.sensor.kind} is not separable; set model.conditioned = false.")
        if not self.pairs:
            return [self.sensor]
        own = [displaced(self.sensor, storm.fit.phase) for storm in self.storms.values()]
        return [
            augment_sensor(sensor, symmetry)
            for sensor in own
            if isinstance(sensor, SeparableSensor)
            for symmetry in range(SYMMETRIES)
        ]

    def _sensor_number(self, window: _Window, rng: np.random.Generator) -> int:
        assert self.sensors
        if self.pairs:
            return SYMMETRIES * list(self.storms).index(window.storm.name)
        return draw_number(rng, len(self.sensors.sensors))

    @property
    def sensor_known(self) -> bool:
        """Whether section ``sensor`` describes the instrument of the lowres frames, of own pairs too."""
        return not self.pairs or all(storm.fit.sensor_known for storm in self.storms.values())

    @property
    def pairs(self) -> bool:
        """Whether the lowres frames are given and not simulated."""
        return any(storm.lowres is not None for storm in self.storms.values())

    def other(self, split: str) -> Self:
        """Return another split of the same storms, which are held once."""
        dataset = copy.copy(self)
        dataset._choose(split)
        return dataset

    def _choose(self, split: str) -> None:
        self.split = split
        entries = {name: storm.entry for name, storm in self.storms.items()}
        assignment = split_frames(entries, self.config.data.split)
        self.parts = describe_split(assignment, entries, {name: storm.links for name, storm in self.storms.items()})
        size = self._side
        chosen = [part.storm for part in self.parts if part.split == split]
        small = [name for name in chosen if min(self.storms[name].size) < size]
        self.windows = [
            _Window(self.storms[name], (int(before), int(middle), int(after)))
            for name in chosen
            for before, middle, after in find_windows(self.storms[name].links, assignment[split][name])
            if name not in small
        ]
        if small and not self.windows:
            raise InputError(
                f"The frames of {', '.join(small)} are smaller than training.patch_size {size}; make it smaller."
            )
        if small:
            log.warning("Left out of '%s', being smaller than training.patch_size: %s", split, ", ".join(small))
        self._explain_missing_windows(split)
        self._drawn = np.repeat(np.arange(len(self.windows)), [self._draws(window) for window in self.windows])
        if split == "train" and not len(self._drawn):
            raise InputError("data.draws leaves no window to train on; draw at least one storm.")
        self._turn = -1

    def _explain_missing_windows(self, split: str) -> None:
        """Name the storms of a split that give no window, and refuse a split where none does."""
        cadence = self.config.data.cadence
        idle = {part.storm: part.times for part in self.parts if part.split == split and not part.windows}
        if not self.windows:
            raise InputError(
                f"{source_name(self.source)} has no three frames {cadence} apart of one storm and sensor for "
                f"'{split}': {why_no_window(idle, cadence)}."
            )
        for name, times in idle.items():
            log.warning("%s gives no window for '%s': %s", name, split, why_no_window({name: times}, cadence))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Sample:
        """Return one random patch of one window."""
        sample = self.develop(self.draw_batch([index]), torch.device("cpu"))
        return {name: value[0] for name, value in sample.items()}

    def draw(self, index: int) -> dict[str, Tensor]:
        """Return the same patch as the store holds it."""
        return {name: value[0] for name, value in self.draw_batch([index]).items()}

    def draw_batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Return the patches of several samples: their pixels, or where these lie on the device."""
        patches = [self._patch(index) for index in indices]
        return self._store.locate(patches) if self._store else stack_patches(patches)

    def _patch(self, index: int) -> Patch:
        rng = np.random.default_rng((self.config.training.seed, index))
        scale, size = self.sensor.scale, self._side
        window = self._window(index)
        # Whole blocks give the lowres pixels of the full frame; any other place gives equally valid lowres pixels.
        step = 1 if self.config.training.shift_blocks and not self.pairs else scale
        for _ in range(TRIES):
            whole = [side // scale * scale for side in window.storm.size]
            top, left = (int(rng.integers((side - size) // step + 1)) * step for side in whole)
            patch = self._cut(window, top, left, size, size, rng)
            if patch.missing_share <= self.config.data.max_missing:
                patch.symmetry = int(rng.integers(SYMMETRIES)) if self.config.training.augment else 0
                if self.pairs and patch.sensor is not None:
                    patch.sensor += patch.symmetry
                return patch
            window = self.windows[int(rng.integers(len(self.windows)))]
        raise InputError(
            f"No {size}x{size} patch with at most {self.config.data.max_missing:.0%} missing was found in "
            f"'{self.split}'; make training.patch_size smaller or data.max_missing larger."
        )

    def full_frame(self, position: int) -> Sample:
        """Return the whole frames of window ``position``, not augmented, trimmed to whole blocks."""
        window, scale = self.windows[position], self.sensor.scale
        height, width = (side // scale * scale for side in window.storm.size)
        rng = np.random.default_rng((self.config.training.seed, position))
        patch = self._cut(window, 0, 0, height, width, rng)
        if self.sensors and not self.pairs:
            patch.sensor = int(rng.integers(min(len(KNOWN), len(self.sensors.sensors))))
        sample = develop(stack_patches([patch]), self.sensors or self.sensor)
        return {name: value[0] for name, value in sample.items()}

    def to(self, device: torch.device) -> Self:
        """Return the data with the frames on a GPU if they fit into half of its free memory, else the same object."""
        sizes = [storm.nbytes for storm in self.storms.values()]
        if device.type != "cuda" or None in sizes or self.config.training.num_workers:
            return self
        if sum(size or 0 for size in sizes) > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        return self.on(device)

    def on(self, device: torch.device) -> Self:
        """Return the data with the frames, which must be in memory, on a device."""
        dataset = copy.copy(self)
        dataset.resident, dataset._store = True, ResidentStore(self.storms, self.sensor.scale, self._margin, device)
        return dataset

    def develop(self, drawn: Mapping[str, Tensor], device: torch.device, whole: bool = True) -> Sample:
        """Turn a batch of patches into samples on a device; without ``whole``, of their middle frames alone."""
        if self._store:
            drawn = self._store.gather(drawn, self._side, self.sensor.scale)
        return develop(drawn, self.sensors or self.sensor, device, whole)

    def describe(self) -> list[str]:
        """Return the frames and windows of every split and storm, a line each."""
        return [*(str(part) for part in self.parts), *self.notes().get("pairs", [])]

    def notes(self) -> dict[str, Any]:
        """Return what was fitted to own pairs."""
        fits = [f"{name}: {storm.fit}" for name, storm in self.storms.items() if storm.fit.frames]
        return {"pairs": fits} if fits else {}

    def intervals(self) -> list[str]:
        """Return the storms of this split with their first and last time."""
        return [part.interval for part in self.parts if part.split == self.split]

    def _window(self, index: int) -> _Window:
        turn, place = divmod(index, len(self._drawn))
        if turn != self._turn:
            random = np.random.default_rng((self.config.training.seed, 1 << 31, turn))
            self._turn, self._order = turn, random.permutation(self._drawn)
        return self.windows[self._order[place]]

    def _draws(self, window: _Window) -> int:
        draws = self.config.data.draws.items() if self.split == "train" else ()
        return next((times for name, times in draws if fnmatchcase(window.storm.name, name)), 1)

    @property
    def _side(self) -> int:
        """The side of a patch with its context, highres pixels."""
        return self.config.training.patch_size + 2 * self.config.training.context * self.config.scale

    @property
    def _margin(self) -> int:
        # What is not simulated needs nothing beyond the patch.
        return 0 if self.pairs else (self.sensors or self.sensor).margin

    def _cut(self, window: _Window, top: int, left: int, height: int, width: int, rng: np.random.Generator) -> Patch:
        """Return the patch at one place, not turned, with random numbers for its noise and its sensor."""
        place = (top, left, height, width, self.sensor.scale, self._margin)
        patch = Patch(window.storm, window.frames, *place, noise_seed=int(rng.integers(1 << 62)))
        if self.sensors:
            patch.sensor = self._sensor_number(window, rng)
        return patch
