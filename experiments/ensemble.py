"""Calibration and texture of an ensemble, beside its dressing and single pictures.

    python -m experiments.ensemble MODEL [--sensors area "gaussian,fwhm=1.0"] [--members 8] [--frames 4]

For each sensor and sequence it prints

- of ensembles: the fair CRPS over the mean absolute error of the mean frame; spread-skill with (M + 1) / M; the least
  and the most filled class of the rank histogram; the RMSE of the mean of the members over that of the mean frame; and,
  for sensors without noise, the largest difference (K) between a member as the sensor sees it and the input;
- of single pictures: LSD and energy above the lowres Nyquist (dB); the kurtosis of the detail within a block; the
  Wasserstein-1 distance of the gradients (K a pixel); and the bias (K) of the coldest pixel in boxes of 64 pixels whose
  truth falls below 225 K.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.sensors import SCALE, SEQUENCES, frames_of
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.model.scoring import energy_score, pixel_distance
from tempogan_eddy.rapsd import energy_above, log_spectral_distance, radial_power
from tempogan_eddy.reconstruction import Reconstructor
from tempogan_eddy.reconstruction.members import MemberDraw
from tempogan_eddy.training.calibration import ranks
from tempogan_eddy.weights import load_model

Frame = NDArray[np.float32]

OTHERS = ("gaussian,fwhm=1.0", "box,width=1.6,fwhm=0.47,noise=0.2", "box,width=0.5")
BOX = 64
COLD_KELVIN = 225.0


@dataclass
class Texture:
    """What spectra see of single pictures, and what they do not."""

    spectra: list[tuple[Frame, Frame]] = field(default_factory=list)
    kurtoses: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    coldest: list[float] = field(default_factory=list)
    shape: tuple[int, ...] = ()

    def add(self, frame: Frame, truth: Frame) -> None:
        """Add a picture (H, W) beside its truth."""
        self.shape = truth.shape
        self.spectra.append((radial_power(frame), radial_power(truth)))
        self.kurtoses.append(kurtosis(frame))
        self.gradients.append(float(np.abs(np.sort(gradient(frame)) - np.sort(gradient(truth))).mean()))
        self.coldest += list(coldest_bias(frame, truth))

    def __str__(self) -> str:
        ours, theirs = np.mean(self.spectra, axis=0)
        cutoff = min(self.shape) / SCALE / 2
        energy = 10 * np.log10(energy_above(ours, self.shape, cutoff) / energy_above(theirs, self.shape, cutoff))
        cold = f"{np.mean(self.coldest):+.2f}" if self.coldest else "-"
        return (
            f"{log_spectral_distance(ours, theirs):.2f} | {energy:+.2f} | {np.mean(self.kurtoses):.1f} | "
            f"{np.mean(self.gradients):.3f} | {cold}"
        )


def kurtosis(frame: Frame) -> float:
    """Return the kurtosis of the detail within a block: its fourth moment over its squared variance."""
    height, width = frame.shape
    blocks = frame.astype(np.float64).reshape(height // SCALE, SCALE, width // SCALE, SCALE)
    detail = blocks - blocks.mean(axis=(1, 3), keepdims=True)
    return float((detail**4).mean() / (detail**2).mean() ** 2)


def gradient(frame: Frame) -> NDArray[np.float32]:
    """Return the magnitude of the gradient of each pixel but the last of rows and columns."""
    return np.hypot(np.diff(frame, axis=0)[:, :-1], np.diff(frame, axis=1)[:-1]).ravel()


def coldest_bias(frame: Frame, truth: Frame) -> Iterator[float]:
    """Yield the error of the coldest pixel of each cold box."""
    for top in range(0, truth.shape[0] - BOX + 1, BOX):
        for left in range(0, truth.shape[1] - BOX + 1, BOX):
            box = slice(top, top + BOX), slice(left, left + BOX)
            if truth[box].min() < COLD_KELVIN:
                yield float(frame[box].min() - truth[box].min())


@dataclass
class Calibration:
    """Sums over frames."""

    crps: float = 0.0
    absolute: float = 0.0
    square: float = 0.0
    square_of_mean: float = 0.0
    variance: float = 0.0
    filled: NDArray[np.int64] | int = 0
    seen: float = 0.0

    def add(self, members: Frame, mean: Frame, truth: Frame, seed: int) -> None:
        """Add members (M, H, W), the mean frame and the truth (H, W)."""
        count = len(members)
        score = energy_score(torch.from_numpy(members), torch.from_numpy(truth), pixel_distance)
        self.crps += float(score.double().mean())
        self.absolute += float(np.abs(mean - truth).mean(dtype=np.float64))
        self.square += float(np.square(mean - truth).mean(dtype=np.float64))
        self.square_of_mean += float(np.square(members.mean(axis=0) - truth).mean(dtype=np.float64))
        self.variance += float(members.var(axis=0, ddof=1).mean(dtype=np.float64)) * (count + 1) / count
        pixels = torch.from_numpy(members).flatten(1), torch.from_numpy(truth).flatten()
        self.filled = self.filled + ranks(*pixels, seed)

    def __str__(self) -> str:
        share = np.asarray(self.filled) / np.mean(self.filled)
        spread_skill = np.sqrt(self.variance / self.square_of_mean)
        of_mean = np.sqrt(self.square_of_mean / self.square)
        return (
            f"{self.crps / self.absolute:.4f} | {spread_skill:.3f} | {share.min():.2f}-{share.max():.2f} | "
            f"{of_mean:.3f} | {self.seen:.4f}"
        )


def rows(options: argparse.Namespace, sensor: SensorModel, name: str, frames: list[Frame]) -> Iterator[str]:
    """Yield the lines of one sensor and sequence."""
    model, textures = load_model(options.model), dict[str, Texture]()
    pictures = {entry: Reconstructor(entry, sensor=sensor) for entry in options.pictures}
    mean = Reconstructor(model, sensor=sensor)
    draws = {entry: MemberDraw(model, sensor, dressing=entry == "dressing") for entry in ("dressing", "learned")}
    scores = {entry: Calibration() for entry in draws}
    for number, truth in enumerate(frames):
        lowres = sensor.apply(torch.from_numpy(truth), torch.Generator().manual_seed(number))[None].numpy()
        frame = mean(lowres)[0]
        made = {entry: [picture(lowres)[0]] for entry, picture in pictures.items()} | {
            "truth": [truth],
            "mean": [frame],
        }
        for entry, draw in draws.items():
            noise = [draw.noise(*lowres.shape[1:], options.seed, member, number) for member in range(options.members)]
            members = draw.draw(lowres, torch.stack(noise)[:, None])[:, 0]
            scores[entry].add(members, frame, truth, number)
            if not sensor.has_noise:
                difference = sensor.see(torch.from_numpy(members)).numpy() - lowres
                scores[entry].seen = max(scores[entry].seen, float(np.abs(difference).max()))
            made[entry] = list(members)
        for entry, several in made.items():
            for picture in several:
                textures.setdefault(entry, Texture()).add(picture, truth)
    for entry, texture in textures.items():
        calibration = scores.get(entry, "- | - | - | - | -")
        yield f"| {name} | {sensor.text} | {entry} | {calibration} | {texture} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="an ensemble")
    parser.add_argument("--sensors", nargs="+", default=["area", *OTHERS])
    parser.add_argument("--sequences", nargs="+", choices=SEQUENCES, default=list(SEQUENCES))
    parser.add_argument("--pictures", nargs="*", default=["faithful", "eddy"], help="models of single pictures")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        "| sequence | sensor | method | CRPS / MAE | spread-skill | ranks | RMSE of mean | seen, K | LSD | energy | "
        "kurtosis | gradient W1 | coldest |"
    )
    print(f"|{' --- |' * 13}")
    data = {name: frames_of(*SEQUENCES[name], options.frames) for name in options.sequences}
    for text in options.sensors:
        for name, frames in data.items():
            for line in rows(options, SensorModel.parse(text, SCALE), name, frames):
                print(line, flush=True)


if __name__ == "__main__":
    main()
