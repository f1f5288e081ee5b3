"""What knowing the sensor is worth: the error of models on frames that other instruments see.

    python -m experiments.sensors [MODEL ...] [--random N] [--frames 4]

For each sensor and sequence it prints the RMSE over that of bicubic interpolation of the same input. With ``--sharp``
it adds, for all models but the first, LSD and energy above the lowres Nyquist (dB), the excess over the
distortion-spectrum bound (%), for which the first model is the regression, and traces of the lowres grid (%).
``--random`` adds sensors drawn as for training, with another seed. All models of one call have one scale.
"""

from __future__ import annotations

import argparse
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from benchmarks.paths import DATA
from tempogan_eddy.dataset.random_sensors import KNOWN, random_sensors
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.evaluation import MaskedFrame, Mean
from tempogan_eddy.evaluation.baselines import bicubic
from tempogan_eddy.evaluation.limit import CommonEnergy, excess
from tempogan_eddy.evaluation.masked import Mask
from tempogan_eddy.evaluation.texture import GridTraces, grid_traces
from tempogan_eddy.io import open_sequence
from tempogan_eddy.rapsd import energy_above, log_spectral_distance
from tempogan_eddy.reconstruction import Reconstructor
from tempogan_eddy.spread import spread_evenly
from tempogan_eddy.weights import Model, load_model

SEQUENCES = {
    "198702": ("digital-typhoon/WP/image/198702", "1987-04-14", None),
    "200717": ("digital-typhoon/WP/image/200717", "2007-10-07T12", None),
    "merged 2001": ("merged-ir/merg_20011230-31_hourly.nc", None, None),
}
"""Path and period of each sequence; no model was trained on them."""

SCALE = 4
SENSORS: dict[str, SensorModel] = {
    "area mean": SensorModel("area", SCALE),
    "gaussian, FWHM 1.0": SensorModel("gaussian", SCALE, fwhm=1.0),
    "the same + 0.3 K noise": SensorModel("gaussian", SCALE, fwhm=1.0, noise_kelvin=0.3),
    "box 1.6": SensorModel("box", SCALE, width=1.6),
    "box 1.6, gaussian 1.107, 0.2 K noise": SensorModel("box", SCALE, width=1.6, fwhm=1.107, noise_kelvin=0.2),
    "gaussian, FWHM 1.5": SensorModel("gaussian", SCALE, fwhm=1.5),
    "box 0.5": SensorModel("box", SCALE, width=0.5),
    "area mean + 0.5 K noise": SensorModel("area", SCALE, noise_kelvin=0.5),
    "one highres pixel, 0.2 K noise": SensorModel("nearest", SCALE, noise_kelvin=0.2),
}
OTHER_SEED = 1000


@dataclass
class Score:
    """Sums over frames, of which every printed number is made."""

    scale: int
    squares: float = 0.0
    pixels: int = 0
    spectra: np.ndarray | None = None
    common: Mean | None = None
    moments: tuple[Mean, ...] = ()
    shape: tuple[int, ...] = ()

    def add(self, frame: np.ndarray, truth: np.ndarray, regression: np.ndarray) -> None:
        """Add a frame (H, W) beside its truth and the best regression."""
        self.squares += float(np.square(frame - truth, dtype=np.float64).sum())
        self.pixels, self.shape = self.pixels + truth.size, truth.shape
        mask = Mask(np.ones(truth.shape, bool))
        ours, best = (MaskedFrame(values, mask, scale=self.scale) for values in (frame, regression))
        real = MaskedFrame(truth, mask, scale=self.scale, regression=best)
        self.spectra = np.stack([real.spectrum, ours.spectrum]) + (0 if self.spectra is None else self.spectra)
        common = CommonEnergy().compute(ours, real)
        assert common is not None
        self.common = common + self.common if self.common else common
        moments = [GridTraces(half).compute(ours, real) for half in (0, 1)]
        self.moments = tuple(map(operator.add, moments, self.moments or repeat(Mean(0, 0))))

    @property
    def rmse(self) -> float:
        """Root mean square error, K."""
        return float(np.sqrt(self.squares / self.pixels))

    @property
    def lsd(self) -> float:
        """Log-spectral distance, dB."""
        assert self.spectra is not None
        return log_spectral_distance(self.spectra[1], self.spectra[0])

    @property
    def energy(self) -> float:
        """Energy above the lowres Nyquist over the truth's, dB."""
        assert self.spectra is not None
        cutoff = min(self.shape) / self.scale / 2
        ours, theirs = (energy_above(self.spectra[number], self.shape, cutoff) for number in (1, 0))
        return float(10 * np.log10(ours / theirs))

    @property
    def excess(self) -> float:
        """RMSE over the distortion-spectrum bound, minus 1, in percent."""
        assert self.common is not None
        return float(excess(self.common.total[None])[0])

    @property
    def traces(self) -> float:
        """Traces of the lowres grid, in percent."""
        return float(grid_traces(*((half.total / half.weight)[None] for half in self.moments))[0])


def frames_of(path: str, start: str | None, stop: str | None, count: int) -> list[np.ndarray]:
    """Return complete frames, spread evenly over a sequence and trimmed to whole blocks."""
    sequence: xr.DataArray = open_sequence(DATA / path).sel(time=slice(start, stop))
    chosen: list[np.ndarray] = []
    for number in spread_evenly(len(sequence), count):
        frames = (sequence[index].values for index in range(number, len(sequence)))
        frame = next((frame for frame in frames if np.isfinite(frame).all()), None)
        if frame is not None:
            height, width = (side // SCALE * SCALE for side in frame.shape)
            chosen.append(frame[:height, :width].astype(np.float32))
    return chosen


def score(frames: list[np.ndarray], sensor: SensorModel, models: list[Model]) -> tuple[float, list[Score]]:
    """Return bicubic's RMSE and the score of each model on frames that a sensor sees."""
    scores, interpolated = [Score(sensor.scale) for _ in models], Score(sensor.scale)
    networks = [Reconstructor(model, sensor=sensor if model.adapts else None) for model in models]
    for number, truth in enumerate(frames):
        lowres = sensor.apply(torch.from_numpy(truth), torch.Generator().manual_seed(number)).numpy()
        made = [network(lowres[None])[0] for network in networks]
        interpolated.add(bicubic(lowres, sensor.scale), truth, made[0])
        for entry, frame in zip(scores, made, strict=True):
            entry.add(frame, truth, made[0])
    return interpolated.rmse, scores


def rows(options: argparse.Namespace, models: list[Model]) -> Iterator[str]:
    """Yield a line of the table for each sensor."""
    data = {name: frames_of(*place, options.frames) for name, place in SEQUENCES.items()}
    scale = models[0].scale
    sensors = {name: replace(sensor, scale=scale) for name, sensor in SENSORS.items()}
    drawn = random_sensors(options.random, scale, OTHER_SEED)[len(KNOWN) :]
    sensors |= {f"random {number}: {sensor.kind} {sensor.parameters}": sensor for number, sensor in enumerate(drawn)}
    for name, sensor in sensors.items():
        results = [score(frames, sensor, models) for frames in data.values()]
        cells = []
        for number in range(len(models)):
            cells.append(" / ".join(f"{scores[number].rmse / base:.3f}" for base, scores in results))
            if options.sharp and number:
                own = [scores[number] for _, scores in results]
                cells += [
                    " / ".join(f"{getattr(entry, key):{form}}" for entry in own)
                    for key, form in (("lsd", ".2f"), ("energy", "+.2f"), ("excess", ".1f"), ("traces", ".1f"))
                ]
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["faithful", "eddy"])
    parser.add_argument("--random", type=int, default=0, help="also so many random sensors")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument(
        "--sharp", action="store_true", help="LSD, energy, excess and traces of all models but the first"
    )
    options = parser.parse_args()
    print(f"| sensor ({', '.join(SEQUENCES)}) | {' | '.join(options.models)} |", flush=True)
    for line in rows(options, [load_model(Path(name) if "/" in name else name) for name in options.models]):
        print(line, flush=True)


if __name__ == "__main__":
    main()
