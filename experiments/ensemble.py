"""Calibration and texture of an ensemble in frames and in their changes, beside its dressing and single pictures.

    python -m experiments.ensemble MODEL [--sensors area "gaussian,fwhm=1.0"] [--members 8] [--pairs 4]

For each sensor and sequence it scores pairs of neighbouring frames, spread evenly over the sequence, as
`tempogan_eddy.evaluation` does:

- of ensembles: CRPS over the MAE of the mean frame, spread over error, its least and largest in a decile of spread, the
  largest deviation from a flat rank histogram, the RMSE of the mean of the members over that of the mean frame, and
  CRPS and spread over error of the time differences;
- of members and single pictures: LSD of frames and of time differences and energy above the lowres Nyquist (dB), the
  kurtosis of detail over the truth's, the distance of gradients (K a pixel), the bias (K) of the coldest pixel, traces
  of the lowres grid (%), and the largest difference (K) from the input as the sensor sees it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from benchmarks.paths import DATA
from experiments.sensors import SCALE, SEQUENCES
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.evaluation import evaluate
from tempogan_eddy.evaluation.calibration import by_decile
from tempogan_eddy.evaluation.ensembles import SkillBySpread
from tempogan_eddy.evaluation.metrics import Metric
from tempogan_eddy.evaluation.scoring import mean_of
from tempogan_eddy.io import open_sequence
from tempogan_eddy.reconstruction import Reconstructor
from tempogan_eddy.reconstruction.ensemble import EnsembleReconstructor
from tempogan_eddy.reconstruction.noise import earlier_frames
from tempogan_eddy.spread import spread_evenly

OTHERS = ("gaussian,fwhm=1.0", "box,width=1.6,fwhm=0.47,noise=0.2", "box,width=0.5")
HALF_HOURLY = {
    "Atlantic 2016": ("merged-ir/merg_20160801-04_atlantic_30min.nc", "2016-08-04T06", None),
    "Africa 2016": ("merged-ir/merg_20160801-04_central-africa_30min.nc", "2016-08-04T06", None),
}
PLACES = SEQUENCES | HALF_HOURLY


def decile_ratio(extreme: Callable[..., np.ndarray], sums: np.ndarray) -> np.ndarray:
    """Return the least or largest spread over error in a decile of spread."""
    spread, error = np.moveaxis(by_decile(sums), 1, 0)
    return extreme(spread / error, axis=1)


DECILES = tuple(
    Metric(
        f"{name}_decile",
        f"Spread / error, {name} decile",
        "1",
        "one",
        (SkillBySpread(),),
        partial(decile_ratio, extreme),
    )
    for name, extreme in (("least", np.min), ("largest", np.max))
)
METRICS = (
    "crps_ratio", "spread_skill", *DECILES, "rank_deviation", "rmse", "crps_hourly", "spread_skill_hourly",
    "lsd_hourly", "lsd", "detail_energy", "detail_kurtosis", "gradient_distance", "coldest_bias", "coldest_interval",
    "grid_traces", "consistency_max",
)  # fmt: skip
NAMES = [metric if isinstance(metric, str) else metric.name for metric in METRICS]
KINDS = {"coherent": {}, "white": {"noise": "white"}, "dressing": {"noise": "dressing"}}


def pairs_of(path: str, start: str | None, stop: str | None, count: int) -> xr.DataArray:
    """Return pairs of neighbouring complete frames, spread evenly over a sequence and trimmed to whole blocks."""
    sequence = open_sequence(DATA / path).sel(time=slice(start, stop))
    sequence = sequence[:, : sequence.sizes["y"] // SCALE * SCALE, : sequence.sizes["x"] // SCALE * SCALE]
    chosen: list[int] = []
    for first in spread_evenly(len(sequence) - 1, count):
        for number in range(first, len(sequence) - 1):
            if number not in chosen and np.isfinite(sequence[number : number + 2].values).all():
                chosen += [number, number + 1]
                break
    return sequence[sorted(set(chosen))].load()


def rows(options: argparse.Namespace, sensor: SensorModel, name: str, truth: xr.DataArray) -> Iterator[str]:
    """Yield the lines of one sensor and sequence."""
    seen = sensor.apply(torch.from_numpy(truth.values.astype(np.float32)), torch.Generator().manual_seed(0)).numpy()
    times = truth["time"].values.astype("datetime64[ns]").astype(np.int64)
    numbers = np.column_stack([np.arange(len(times)), earlier_frames(times, np.zeros(len(times)))])
    if options.perfect:
        draw = EnsembleReconstructor(options.model, options.members + 1, options.seed, sensor=sensor, noise="white")
        truth = truth.copy(data=np.stack([draw(seen[[row]], times[[row]])[-1] for row in range(len(times))]))
    made = {"mean": truth.copy(data=Reconstructor(options.model, sensor=sensor)(seen))}
    for entry in options.kinds:
        draw = EnsembleReconstructor(options.model, options.members, options.seed, sensor=sensor, **KINDS[entry])
        members = np.stack([draw(seen[row], times[row]) for row in numbers], axis=1)
        made[entry] = xr.DataArray(members, {"time": truth["time"]}, ("member", *truth.dims), attrs=truth.attrs)
    for entry in options.pictures:
        made[entry] = truth.copy(data=Reconstructor(entry, sensor=sensor)(seen))
    lowres = xr.DataArray(seen, {"time": truth["time"]}, truth.dims, attrs=truth.attrs)
    plain = {key: da.drop_vars(["y", "x", "lat", "lon"], errors="ignore") for key, da in made.items()}
    found = evaluate(
        truth.drop_vars(["y", "x", "lat", "lon"], errors="ignore"), plain, lowres, sensor=sensor, baselines=False,
        regression="mean", cadence="native", metrics=METRICS,
    ).scores  # fmt: skip
    for entry in made:
        scores = {metric: score.value for metric, score in found[entry].items()}
        if entry in KINDS:
            scores["rmse"] = found[mean_of(entry)]["rmse"].value / found["mean"]["rmse"].value
        cells = " | ".join(f"{scores[name]:.3f}" if np.isfinite(scores[name]) else "-" for name in NAMES)
        yield f"| {name} | {sensor.text} | {entry} | {cells} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="an ensemble")
    parser.add_argument("--sensors", nargs="+", default=["area", *OTHERS])
    parser.add_argument("--sequences", nargs="+", choices=PLACES, default=list(PLACES))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="noise of the members")
    parser.add_argument("--pictures", nargs="*", default=["faithful", "eddy"], help="models of single pictures")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--perfect", action="store_true", help="a further member is the truth: what chance alone does")
    options = parser.parse_args()
    print(f"| sequence | sensor | method | {' | '.join(NAMES)} |\n|{' --- |' * (3 + len(METRICS))}")
    data = {name: pairs_of(*PLACES[name], options.pairs) for name in options.sequences}
    for text in options.sensors:
        for name, truth in data.items():
            for line in rows(options, SensorModel.parse(text, SCALE), name, truth):
                print(line, flush=True)


if __name__ == "__main__":
    main()
