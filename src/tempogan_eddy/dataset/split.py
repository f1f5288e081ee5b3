"""Split frames into train, val and test: by folder, storm, season or time, never sharing a frame."""

import fnmatch
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from tempogan_eddy.config import SplitConfig
from tempogan_eddy.dataset.windows import Links, find_windows
from tempogan_eddy.errors import InputError
from tempogan_eddy.io.sequence import times_within
from tempogan_eddy.io.times.cadence import minutes, nominal_times
from tempogan_eddy.wording import count

__all__ = ["SPLITS", "Entry", "Part", "describe_split", "split_frames", "storm_of"]

SPLITS = ("train", "val", "test")
# From this many storms on, set aside whole storms and not hours of each.
STORMS_FOR_SPLIT_BY_STORM = 5


@dataclass(frozen=True)
class Entry:
    """The facts about one storm that decide its split.

    Parameters
    ----------
    times
        (T,) datetime64[ns].
    folder
        ``train``, ``val`` or ``test`` where the files lie in such a folder, else None.
    usable
        Whether its frames give any window.
    storm
        The storm's official number, YYYYNN, where it is known: its channels and copies then stay in one split.
    """

    times: np.ndarray
    folder: str | None = None
    usable: bool = True
    storm: str = ""

    @property
    def season(self) -> str:
        """The year of the first frame's slot."""
        return str(nominal_times(self.times)[0].astype("datetime64[Y]"))


@dataclass(frozen=True)
class Part:
    """The frames of one storm in one split.

    Attributes
    ----------
    split, storm : str
    times : (T,) datetime64[ns]
        Of its frames.
    windows : int
        How many three-frame windows they give.
    idle : int
        How many of the frames are in no window.
    """

    split: str
    storm: str
    times: np.ndarray
    windows: int
    idle: int

    @property
    def interval(self) -> str:
        """The storm and its first and last time, as a rule of `SplitConfig` names them."""
        first, last = minutes(self.times[[0, -1]])
        return f"{self.storm} {first}/{last}"

    def __str__(self) -> str:
        """Return one line for people."""
        first, last = minutes(self.times[[0, -1]])
        frames, windows = count(len(self.times), "frame"), count(self.windows, "window")
        idle = f" ({count(self.idle, 'frame')} in none)" if self.idle else ""
        return f"{self.split:<5} {self.storm}: {frames}, {windows}{idle}, {first} to {last}"


def storm_of(sequence: xr.DataArray) -> str:
    """Return the official number, YYYYNN, of the storm of a sequence; "" if it has another name."""
    name = str(sequence.attrs.get("sequence", ""))
    return name if re.fullmatch(r"(19|20)\d{4}", name) else ""


Assignment = dict[str, dict[str, np.ndarray]]


def split_frames(storms: Mapping[str, Entry], config: SplitConfig) -> Assignment:
    """Assign every frame to one split, or to none.

    Returns
    -------
    dict
        split -> storm -> (T,) bool. A frame is in one split at most.

    Raises
    ------
    InputError
        A rule names a storm twice wrongly, or nothing is left to train or validate on.
    """
    ruled = {name: placed for name, entry in storms.items() if (placed := _by_rules(name, entry, config)) is not None}
    labels = ruled | _assign_free({name: entry for name, entry in storms.items() if name not in ruled}, config)
    result = {split: {name: placed == index for name, placed in labels.items()} for index, split in enumerate(SPLITS)}
    for split in ("train", "val"):
        if not any(mask.any() for mask in result[split].values()):
            raise InputError(
                f"The split leaves no frame for '{split}' ({count(len(storms), 'storm')}, data.split.by = {config.by}"
                f"); {_remedy(split, storms)}."
            )
    return result


def describe_split(assignment: Assignment, storms: Mapping[str, Entry], links: Mapping[str, Links]) -> list[Part]:
    """Return the frames and windows of every split and storm, in order."""
    parts = []
    for split, members in assignment.items():
        for name, mask in members.items():
            if mask.any():
                windows = find_windows(links[name], mask)
                idle = int(mask.sum()) - np.unique(windows).size
                parts.append(Part(split, name, storms[name].times[mask], len(windows), idle))
    return parts


def _remedy(split: str, storms: Mapping[str, Entry]) -> str:
    if any(entry.folder for entry in storms.values()):
        return f"put sequences into a folder '{split}' beside the others"
    return (
        "try another data.split.by (time, storm, season), a smaller data.split.guard_hours, or name storms in "
        "data.split.rules"
    )


def _by_rules(name: str, entry: Entry, config: SplitConfig) -> np.ndarray | None:
    """Return labels (T,) of 0, 1, 2 or -1 for unused; None if no rule names the storm."""
    labels, named = np.full(len(entry.times), -1), False
    for split, patterns in config.rules.items():
        for rule in patterns:
            pattern, _, interval = rule.strip().partition(" ")
            if not fnmatch.fnmatchcase(name, pattern):
                continue
            named = True
            inside = times_within(entry.times, interval.strip() or "../..")
            labels[inside & (labels < 0)] = SPLITS.index(split)
    return labels if named else None


def _assign_free(storms: Mapping[str, Entry], config: SplitConfig) -> dict[str, np.ndarray]:
    by = config.by
    if by == "auto":
        if any(entry.folder for entry in storms.values()):
            by = "folder"
        else:
            several = len({entry.storm or name for name, entry in storms.items()}) >= STORMS_FOR_SPLIT_BY_STORM
            by = "storm" if several else "time"
    if by == "folder":
        return {name: _by_folder(name, entry) for name, entry in storms.items()}
    if by == "time":
        return {name: _by_time(entry.times, config) for name, entry in storms.items()}
    if by == "season":
        return _by_group(storms, config, lambda name: storms[name].season)
    return _by_group(storms, config, lambda name: storms[name].storm or name)


def _by_folder(name: str, entry: Entry) -> np.ndarray:
    if entry.folder is None:
        raise InputError(
            f"The storm {name} lies in none of the folders train, val, test, which data.split.by = folder needs."
        )
    return np.full(len(entry.times), SPLITS.index(entry.folder))


def _by_time(times: np.ndarray, config: SplitConfig) -> np.ndarray:
    """Label the first hours train, later ones val and the last ones test, with a guard before each cut."""
    span = times[-1] - times[0]
    test_from = times[0] + span * (1 - config.test_fraction)
    val_from = times[0] + span * (1 - config.test_fraction - config.validation_fraction)
    guard = np.timedelta64(round(config.guard_hours * 3600), "s")
    labels = np.full(len(times), -1)
    labels[times < val_from - guard] = 0
    if config.test_fraction:
        labels[(times >= val_from) & (times < test_from - guard)] = 1
        labels[times >= test_from] = 2
    else:
        labels[times >= val_from] = 1
    return labels


def _by_group(storms: Mapping[str, Entry], config: SplitConfig, group: Callable[[str], str]) -> dict[str, np.ndarray]:
    """Label whole groups, in the order of a hash, which is the same on every machine.

    Groups without a window train: they could validate nothing.
    """
    groups = sorted(
        {group(name) for name in storms}, key=lambda key: hashlib.sha256(f"{config.seed}/{key}".encode()).digest()
    )
    with_windows = {group(name) for name, entry in storms.items() if entry.usable}
    usable = [key for key in groups if key in with_windows] or groups
    n_val = max(1, round(len(groups) * config.validation_fraction)) if len(usable) > 1 else 0
    n_test = max(1, round(len(groups) * config.test_fraction)) if config.test_fraction and len(usable) > 2 else 0
    label = dict.fromkeys(groups, 0)
    label |= dict.fromkeys(usable[:n_val], 1)
    label |= dict.fromkeys(usable[n_val : n_val + n_test], 2)
    return {name: np.full(len(entry.times), label[group(name)]) for name, entry in storms.items()}
