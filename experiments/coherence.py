"""How long what a regression misses lasts along the motion, on training frames: what coherent noise is built on.

    python -m experiments.coherence [--frames 10]

For each sequence it prints the correlation, along the flow of the lowres frames, between the errors of the ensemble's
mean in two frames one step apart, and between what members with coherent and with white noise add to it. All are over
the local deviation, as the dressing has it. Then it prints the decay by mismatch (see `correlation`), and the rates
that fit it best.

The last line treats the first sequence as if its frames were ten minutes apart, so that six frames share their noise:
the variance of coherent members over that of white ones, and the correlation of neighbouring pixels in both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from torch import Tensor

from benchmarks.paths import DATA
from tempogan_eddy.dataset.flow import estimate_flow
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.io import open_sequence
from tempogan_eddy.model.advection import advect, upsample_flow
from tempogan_eddy.reconstruction.ensemble import EnsembleReconstructor
from tempogan_eddy.reconstruction.members import MemberDraw
from tempogan_eddy.reconstruction.noise import NANOSECONDS, NOISES, earlier_frames, mismatch
from tempogan_eddy.weights import load_model

Frames = NDArray[np.float32]

SEQUENCES = {
    "200717": ("digital-typhoon/WP/image/200717", "2007-10-04", 1.0),
    "198702": ("digital-typhoon/WP/image/198702", "1987-04-10", 1.0),
    "merged 2019": ("merged-ir/merg_20191225-31_hourly.nc", "2019-12-27", 1.0),
    "Atlantic 2016": ("merged-ir/merg_20160801-04_atlantic_30min.nc", "2016-08-02", 0.5),
    "Africa 2016": ("merged-ir/merg_20160801-04_central-africa_30min.nc", "2016-08-02T12", 0.5),
}
"""Path, first time and hours between frames; all are training frames."""

SCALE, SIDE, BORDER = 4, 512, 32
TEN_MINUTES = 1 / 6
SMALLEST_DEVIATION = 0.3  # K
BINS = 8


class Sequence:
    """Truth, lowres frames, the mean and its deviation, and the flow from each frame to the one before."""

    def __init__(self, path: str, first: str, hours: float, count: int) -> None:
        opened = open_sequence(DATA / path).sel(time=slice(first, None))
        sides = (slice(min(side // SCALE * SCALE, SIDE)) for side in opened.shape[1:])
        found, times = [], []
        for frame in opened[:, *sides]:
            if np.isfinite(frame.values).all():  # broken frames of 1987 are skipped, and the gap with them
                found.append(frame.values.astype(np.float32))
                times.append(frame["time"].values.astype("datetime64[ns]").astype(np.int64))
            if len(found) == count:
                break
        self.truth, self.times, self.hours = np.stack(found), np.array(times), hours
        self.draw = MemberDraw(load_model("ensemble"), SENSOR, dressing=True)
        self.lowres = SENSOR.apply(torch.from_numpy(self.truth), torch.Generator()).numpy()
        shared = [self.draw.share(torch.from_numpy(frame)) for frame in self.lowres]
        self.mean = np.stack([part.mean[0, 0].numpy() for part in shared])
        self.deviation = np.stack([part.amplitudes[0].clamp(min=SMALLEST_DEVIATION).numpy() for part in shared])
        step = np.diff(self.times) / NANOSECONDS
        self.pairs = [(n, n + 1) for n in range(len(step)) if abs(step[n] - hours) < 0.1 * hours]
        self.flow = {n: torch.from_numpy(estimate_flow(self.lowres[n], self.lowres[m]))[None] for m, n in self.pairs}

    def normalised(self, frames: Frames) -> Frames:
        """Return frames (..., T, H, W) minus the mean, over the deviation."""
        return (frames - self.mean) / self.deviation

    def members(self, noise: str, hours: float) -> Frames:
        """Return members (2, T, H, W), as if the frames were so many hours apart."""
        times = np.round(self.times[0] + np.arange(len(self.times)) * hours * NANOSECONDS).astype(np.int64)
        draw = EnsembleReconstructor("ensemble", 2, sensor=SENSOR, device="cpu", noise=noise)
        numbers = np.column_stack([np.arange(len(times)), earlier_frames(times, np.zeros(len(times)))])
        return np.stack([draw(self.lowres[row], times[row]) for row in numbers], axis=1)

    def correlation(self, field: Frames, where: Callable[[int], NDArray[np.bool_]]) -> float:
        """Return the correlation along the motion of a normalised field (T, H, W), at some pixels of later frames."""
        sums = np.zeros(3)
        for earlier, later in self.pairs:
            moved = advect(tensor(field[earlier]), upsample_flow(self.flow[later], SCALE))[0, 0].numpy()
            one, other = (part[where(later)].astype(np.float64) for part in (moved, field[later]))
            sums += [one @ other, one @ one, other @ other]
        return float(sums[0] / np.sqrt(sums[1] * sums[2]))


def tensor(frame: Frames) -> Tensor:
    """Return a frame as (1, 1, H, W)."""
    return torch.from_numpy(frame)[None, None]


def inner(frame: Frames) -> NDArray[np.bool_]:
    """Return the pixels away from the edge, beyond which nothing is known of the motion."""
    where = np.zeros(frame.shape, bool)
    where[BORDER:-BORDER, BORDER:-BORDER] = True
    return where


def decay(sequence: Sequence) -> list[tuple[float, float, float]]:
    """Return the mean mismatch, the hours and the correlation in bins of equal size by the mismatch."""
    error, whole = sequence.normalised(sequence.truth), inner(sequence.truth[0])
    fields = {
        later: mismatch(*map(tensor, (sequence.lowres[later], sequence.lowres[earlier])), sequence.flow[later])[0, 0]
        .numpy()
        .repeat(SCALE, 0)
        .repeat(SCALE, 1)
        for earlier, later in sequence.pairs
    }
    together = np.concatenate([field[whole] for field in fields.values()])
    rows = []
    for low, high in pairwise(np.quantile(together, np.linspace(0, 1, BINS + 1))):

        def within(later: int, low: float = low, high: float = high) -> NDArray[np.bool_]:
            return whole & (fields[later] >= low) & (fields[later] < high)

        middle = float(np.mean(together[(together >= low) & (together < high)]))
        rows.append((middle, sequence.hours, sequence.correlation(error, within)))
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10)
    options = parser.parse_args()
    sequences = {name: Sequence(*source, options.frames) for name, source in SEQUENCES.items()}
    print("| sequence | hours | pairs | truth | coherent | white |\n| --- | --- | --- | --- | --- | --- |")
    for name, sequence in sequences.items():
        whole = inner(sequence.truth[0])
        fields = [sequence.truth, *(sequence.members(noise, sequence.hours)[0] for noise in NOISES)]
        found = (sequence.correlation(sequence.normalised(field), lambda _, whole=whole: whole) for field in fields)
        print(f"| {name} | {sequence.hours} | {len(sequence.pairs)} | {' | '.join(f'{one:.3f}' for one in found)} |")
    rows = [row for sequence in sequences.values() for row in decay(sequence)]
    for middle, hours, value in rows:
        print(f"mismatch {middle:.2f}, {hours} h: {value:.3f}")
    middles, hours, values = np.array(rows).T
    rates, _ = curve_fit(lambda x, rate, slope: np.exp(-x[1] * (rate + slope * x[0])), (middles, hours), values, (3, 1))
    print(f"rate {rates[0]:.2f} per hour, {rates[1]:.2f} per hour and unit of mismatch")
    first = next(iter(sequences.values()))
    coherent, white = (first.normalised(first.members(noise, TEN_MINUTES))[:, -1] for noise in NOISES)
    beside = [
        float((part[..., 1:] * part[..., :-1]).mean() / (part**2).mean(dtype=np.float64)) for part in (coherent, white)
    ]
    print(f"as if ten minutes apart: variance {np.square(coherent).mean() / np.square(white).mean():.3f} of white")
    print(f"correlation of neighbours: coherent {beside[0]:.3f}, white {beside[1]:.3f}")


SENSOR = SensorModel("area", SCALE)

if __name__ == "__main__":
    main()
