"""Score the estimate of a sensor: random sensors, and area means, on validation frames.

python -m experiments.estimate
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import torch
import xarray as xr

from benchmarks.paths import DATA
from tempogan_eddy import compare_sensor, estimate_sensor, open_sequence
from tempogan_eddy.dataset.random_sensors import KNOWN, random_sensors
from tempogan_eddy.dataset.sensor_estimate import SAMPLED, SensorEstimate
from tempogan_eddy.dataset.sensor_fit import transfer
from tempogan_eddy.dataset.separable_sensors import SeparableSensor

SCALE, FRAMES, SIDE = 4, 4, 512
SENSORS, SEED = 100, 2026
AREA_MEANS = {512: 100, 256: 50}  # how many, by the side of the highres frames
FAR = 0.2  # of transfer functions
FAR_SENSORS, ASSUMED_MEANS = 30, 60  # of the comparison of an assumed area mean with one or more frames

SCENES = {
    "200717": ("digital-typhoon/WP", "200717", "2007-10-07T12"),
    "198702": ("digital-typhoon/WP", "198702", "1987-04-14"),
    "merged 2001": ("merged-ir/merg_20011230-31_hourly.nc", None, "2001-12-30"),
    "Atlantic 2016": ("merged-ir/merg_20160801-04_atlantic_30min.nc", None, "2016-08-04T06"),
    "Africa 2016": ("merged-ir/merg_20160801-04_central-africa_30min.nc", None, "2016-08-04T06"),
}
"""Path, storm and first hour of the validation frames."""


def main() -> None:
    """Print the tables of docs/estimating-sensors.md and experiments/results/estimate.md."""
    scenes = [_scene(*scene) for scene in SCENES.values()]
    score_random_sensors(scenes)
    score_area_means(scenes)
    score_numbers_of_frames(scenes)


def score_random_sensors(scenes: list[xr.DataArray]) -> None:
    """Print the errors of estimates of random sensors, and how stated sensors compare with them."""
    rng = np.random.default_rng(SEED)
    sensors = random_sensors(SENSORS, SCALE, SEED)
    rows = []
    for number, sensor in enumerate(sensors[len(KNOWN) :]):
        rows.append((sensor, estimate_sensor(_seen(scenes[number % len(scenes)], sensor, rng), SCALE)))
    _print_errors(rows)
    print(f"the true sensor stated: {_verdicts((sensor, estimate) for sensor, estimate in rows)}")
    for stated in sensors[: len(KNOWN)]:
        far = [row for row in rows if np.abs(_at_nyquist(row[0]) - _at_nyquist(stated)).max() > FAR]
        print(f"{stated.text} stated, true by over {FAR} off: {_verdicts((stated, estimate) for _, estimate in far)}")


def score_area_means(scenes: list[xr.DataArray]) -> None:
    """Print how the area mean compares with estimates of area means."""
    rng = np.random.default_rng(SEED + 1)
    area = random_sensors(0, SCALE, SEED)[0]
    for side, count in AREA_MEANS.items():
        estimates = [
            estimate_sensor(_seen(scenes[number % len(scenes)], area, rng, side), SCALE) for number in range(count)
        ]
        print(f"area means of {side}x{side}: {_verdicts((area, estimate) for estimate in estimates)}")


def score_numbers_of_frames(scenes: list[xr.DataArray]) -> None:
    """Print what one frame, and what more together, say of an area mean that is assumed rightly and wrongly."""
    area, *drawn = random_sensors(2 * FAR_SENSORS, SCALE, SEED + 1)
    far = [sensor for sensor in drawn[len(KNOWN) - 1 :] if np.abs(_at_nyquist(sensor) - _at_nyquist(area)).max() > FAR]
    for side in AREA_MEANS:
        for frames in (1, 4, 8):
            for name, sensors in (("area means", [area] * ASSUMED_MEANS), ("other sensors", far[:FAR_SENSORS])):
                rng = np.random.default_rng(SEED + 2)
                seen = (_seen(scenes[n % len(scenes)], sensor, rng, side, frames) for n, sensor in enumerate(sensors))
                found = _verdicts((area, estimate_sensor(part, SCALE)) for part in seen)
                print(f"{name}, frames of {side}x{side}, {frames} together: {found}")


def _verdicts(pairs: Iterable[tuple[SeparableSensor, SensorEstimate]]) -> dict[str, int]:
    return dict(Counter(compare_sensor(stated, estimate).verdict for stated, estimate in pairs))


def _scene(path: str, storm: str | None, since: str) -> xr.DataArray:
    sequence = open_sequence(DATA / path, storm=storm).sel(time=slice(since, None))
    return sequence[:: max(len(sequence) // 12, 1)].load()


def _seen(
    scene: xr.DataArray, sensor: SeparableSensor, rng: np.random.Generator, side: int = SIDE, count: int = FRAMES
) -> np.ndarray:
    """Return random frames of a scene, cut out at a random place, as a sensor sees them."""
    chosen = np.sort(rng.choice(len(scene), count, replace=False))
    rows, columns = (slice(start := int(rng.integers(max(n - side, 0) + 1)), start + side) for n in scene.shape[1:])
    frames = torch.from_numpy(scene.values[chosen, rows, columns].astype(np.float32))
    height, width = (n // SCALE * SCALE for n in frames.shape[1:])
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 30)))
    return sensor.apply(frames[:, :height, :width], generator).numpy()


def _at_nyquist(sensor: SeparableSensor) -> np.ndarray:
    return np.array([transfer(kernel, SCALE)[1] for kernel in sensor.kernels])


def _family(sensor: SeparableSensor) -> str:
    """Return the true family; of a box with a gaussian, that of the wider one."""
    if sensor.kind == "area":
        return "area"
    if _at_nyquist(sensor).mean() > SAMPLED:
        return "sampled"
    return "box" if sensor.width >= sensor.fwhm else "gaussian"


def _print_errors(rows: list[tuple[SeparableSensor, SensorEstimate]]) -> None:
    found = [(sensor, estimate) for sensor, estimate in rows if estimate.sensor is not None]
    print(f"estimates: {len(found)} of {len(rows)}")
    print("| family | sensors | error of the transfer function: median, 90 % | in its range | noise, K: median, 90 % "
          "| family right | among those that fit |")  # fmt: skip
    for family in ("sampled", "area", "box", "gaussian", "all"):
        of = [(sensor, estimate) for sensor, estimate in found if family in ("all", _family(sensor))]
        true = np.stack([_at_nyquist(sensor) for sensor, _ in of])
        error = np.stack([estimate.transfer[:, 1] for _, estimate in of]) - true
        ends = np.stack([estimate.transfer_range for _, estimate in of])
        within = ((ends[..., 0] - 0.005 <= true) & (true <= ends[..., 1] + 0.005)).mean()
        noise = [abs(estimate.noise - sensor.noise) for sensor, estimate in of]
        right = np.mean([estimate.families[0] == _family(sensor) for sensor, estimate in of])
        among = np.mean([_family(sensor) in estimate.families for sensor, estimate in of])
        print(
            f"| {family} | {len(of)} | {_middle_and_tail(np.abs(error))} | {within:.0%} | {_middle_and_tail(noise)} "
            f"| {right:.0%} | {among:.0%} |"
        )


def _middle_and_tail(values: object) -> str:
    return f"{np.median(values):.3f}, {np.quantile(values, 0.9):.3f}"


if __name__ == "__main__":
    main()
