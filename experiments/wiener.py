"""How good the best linear restoration is, and the spectrum that it uses.

    python -m experiments.wiener            the RMSE of the baselines over bicubic's, for several sensors
    python -m experiments.wiener --check    also of a linear regression of 9x9 lowres pixels, fitted to training frames
    python -m experiments.wiener --fit      the two numbers of `tempogan_eddy.evaluation.wiener.prior`

The regression shows whether any linear restoration does better than the Wiener filter.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.paths import DATA
from tempogan_eddy.dataset.missing import fill_missing
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.evaluation.baselines import BASELINES
from tempogan_eddy.evaluation.wiener import PIVOT
from tempogan_eddy.io import open_sequence
from tempogan_eddy.rapsd import radial_power, wavenumbers

SENSORS = (
    "area",
    "gaussian,fwhm=1.0",
    "gaussian,fwhm=1.0,noise=0.3",
    "box,width=1.6",
    "box,width=1.6,fwhm=0.47,noise=0.2",
    "gaussian,fwhm=1.5",
    "box,width=0.5",
    "area,noise=0.5",
    "nearest,noise=0.2",
)

# Which frames train and which test: path, and the times of both.
TYPHOONS, MERGED = "digital-typhoon/WP/image", "merged-ir/merg"
TRAINING = (
    (f"{TYPHOONS}/200717", "..", "2007-10-06T23"),
    (f"{TYPHOONS}/198702", "..", "1987-04-13"),
    (f"{MERGED}_20191225-31_hourly.nc", "..", ".."),
    (f"{MERGED}_20160801-04_atlantic_30min.nc", "..", "2016-08-03"),
    (f"{MERGED}_20160801-04_central-africa_30min.nc", "..", "2016-08-03"),
)
TESTED = {
    "198702": (f"{TYPHOONS}/198702", "1987-04-14", ".."),
    "200717": (f"{TYPHOONS}/200717", "2007-10-07T12", ".."),
    "merged 2001": (f"{MERGED}_20011230-31_hourly.nc", "..", ".."),
}

SCALE = 4
RADIUS = 4  # of the regression's neighbourhood, lowres pixels
FREQUENCIES = np.geomspace(1 / 32, 0.48, 40)  # of the fit, cycles per highres pixel


def main() -> None:
    """Fit, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit the spectrum")
    parser.add_argument("--check", action="store_true", help="also fit a linear regression for each sensor")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real frames")
    options = parser.parse_args()
    if options.fit:
        power, slope = fit([frame for place in TRAINING for frame in frames(options.data, *place, 12)])
        print(f"POWER = {power:.3g}\nSLOPE = {slope:.3g}")
        return
    training = [frame for place in TRAINING for frame in frames(options.data, *place, 6)] if options.check else []
    tested = {name: list(frames(options.data, *place, 4)) for name, place in TESTED.items()}
    print(f"RMSE over bicubic's: {' / '.join(tested)}")
    for text in SENSORS:
        sensor = SensorModel.parse(text, SCALE)
        weights = regress(training, sensor) if training else None
        columns = [ratios(truths, sensor, weights) for truths in tested.values()]
        cells = [f"{name} {' / '.join(f'{column[name]:.3f}' for column in columns)}" for name in columns[0]]
        print(" | ".join([text, *cells]), flush=True)


def frames(data: Path, path: str, start: str, end: str, count: int) -> Iterator[Tensor]:
    """Yield so many frames of a sequence, evenly spaced, of those with at most 0.1 % missing; missing pixels filled."""
    sequence = open_sequence(data / path)
    bounds = (None if text == ".." else text for text in (start, end))
    sequence = sequence.sel(time=slice(*bounds))
    for part in np.array_split(np.arange(sequence.sizes["time"]), count):
        found = (sequence[int(number)].values.astype(np.float32) for number in part)
        frame = next((frame for frame in found if np.isfinite(frame).mean() >= 0.999), None)
        if frame is not None:
            rows, columns = (side // SCALE * SCALE for side in frame.shape)
            yield torch.from_numpy(fill_missing(frame)[:rows, :columns].copy())


def fit(training: list[Tensor]) -> tuple[float, float]:
    """Return the power at `PIVOT` and the slope of the mean spectrum, by least squares of the logarithms."""
    spectra = []
    for frame in training:
        density = radial_power(frame.numpy()) * frame.numel()
        spectra.append(np.interp(FREQUENCIES, wavenumbers(frame.shape) / min(frame.shape), density))
    slope, level = np.polyfit(np.log(FREQUENCIES / PIVOT), np.log(np.mean(spectra, axis=0)), 1)
    return float(np.exp(level)), float(-slope)


def ratios(truths: list[Tensor], sensor: SensorModel, weights: Tensor | None) -> dict[str, float]:
    """Return each method's RMSE over bicubic's, over all frames."""
    squared: dict[str, float] = {}
    for number, truth in enumerate(truths):
        lowres = sensor.apply(truth, torch.Generator().manual_seed(number))
        restored = {name: torch.from_numpy(BASELINES[name](lowres.numpy(), sensor)) for name in BASELINES}
        if weights is not None:
            restored["regression"] = predict(lowres, weights)
        for name, frame in restored.items():
            squared[name] = squared.get(name, 0.0) + float(((frame - truth).double() ** 2).mean())
    return {
        name: (value / squared["bicubic"]) ** 0.5
        for name, value in squared.items()
        if name not in ("nearest", "bicubic")
    }


def regress(training: list[Tensor], sensor: SensorModel) -> Tensor:
    """Return the weights of the neighbours for each place in a block, by least squares over the training frames."""
    gram, moments = torch.zeros(1), torch.zeros(1)
    for number, truth in enumerate(training):
        lowres = sensor.apply(truth, torch.Generator().manual_seed(number))
        neighbours, centre = neighbourhoods(lowres)
        places = functional.pixel_unshuffle(truth[None, None], SCALE)[0].flatten(1).mT - centre
        gram, moments = gram + neighbours.mT @ neighbours, moments + neighbours.mT @ places
    return torch.linalg.solve(gram + 1e-6 * gram.diagonal().mean() * torch.eye(len(gram)), moments)


def predict(lowres: Tensor, weights: Tensor) -> Tensor:
    """Restore a lowres frame by the regression."""
    neighbours, centre = neighbourhoods(lowres)
    places = (neighbours @ weights + centre).mT.reshape(1, -1, *lowres.shape)
    return functional.pixel_shuffle(places, SCALE)[0, 0].float()


def neighbourhoods(lowres: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixels around each pixel minus that pixel (N, 81), and the pixel (N, 1)."""
    padded = functional.pad(lowres[None, None].double(), (RADIUS,) * 4, mode="replicate")
    centre = lowres.reshape(-1, 1).double()
    return functional.unfold(padded, 2 * RADIUS + 1)[0].mT - centre, centre


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
