"""Compare estimators of the motion between lowres frames: ``python -m experiments.flow [--data DIR]``.

Every estimator sees 4x4 area means only. Its flow is judged against the true flow of simulated storms, and by
how well it moves a neighbour onto a frame, in simulated storms and, where the data are there, in real ones.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.paths import DATA
from tempogan_eddy.dataset.flow import estimate_flow, kelvin_to_bytes
from tempogan_eddy.io import open_sequence
from tempogan_eddy.synthesis import simulate_storm

SCALE = 4
MARGIN = 32  # highres pixels left out on each side, where the neighbour comes from outside
Estimator = Callable[[np.ndarray, np.ndarray], np.ndarray]  # two kelvin frames (h, w) -> flow (2, h, w)


@dataclass(frozen=True)
class Pair:
    """A frame and its earlier neighbour in kelvin, and the true flow where it is known."""

    frame: np.ndarray
    neighbour: np.ndarray
    truth: np.ndarray | None = None

    def lowres(self) -> tuple[np.ndarray, np.ndarray]:
        """Return both frames as area means."""
        return area_mean(self.frame), area_mean(self.neighbour)


def area_mean(frame: np.ndarray) -> np.ndarray:
    """Return the mean of every 4x4 block."""
    height, width = (side // SCALE for side in frame.shape)
    return frame.reshape(height, SCALE, width, SCALE).mean((1, 3)).astype(np.float32)


def upsample(flow: np.ndarray, factor: float) -> np.ndarray:
    """Return the flow ``(2, h, w)`` on a grid `factor` times finer, in pixels of that grid."""
    enlarge = partial(cv2.resize, dsize=None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    return factor * np.stack([enlarge(np.ascontiguousarray(component)) for component in flow])


def advect(neighbour: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Move the neighbour onto the frame."""
    rows, columns = np.indices(neighbour.shape, dtype=np.float32)
    moved = (columns + flow[0], rows + flow[1])
    return cv2.remap(neighbour, *moved, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def on_bytes(
    calculate: Callable[[np.ndarray, np.ndarray], np.ndarray],
    kelvin_range: tuple[float, float] = (180.0, 310.0),
    zoom: int = 1,
) -> Estimator:
    """Make an estimator of one that compares 8-bit images, enlarged `zoom` times, and gives ``(h, w, 2)``."""

    def estimate(frame: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
        images = [frame, neighbour]
        if zoom > 1:
            images = [cv2.resize(i, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC) for i in images]
        flow = calculate(*(kelvin_to_bytes(image, kelvin_range) for image in images))
        if zoom > 1:
            flow = cv2.resize(flow, frame.shape[::-1], interpolation=cv2.INTER_AREA) / zoom
        return np.ascontiguousarray(flow.transpose(2, 0, 1))

    return estimate


def dense_inverse_search(
    preset: int, finest: int | None = None, refinement: int | None = None, patch: int | None = None
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Make a DIS of OpenCV with a finest scale, iterations of variational refinement and a patch size."""

    def calculate(frame: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
        estimator = cv2.DISOpticalFlow.create(preset)  # anew: it remembers the scales of the last frames' size
        if finest is not None:
            estimator.setFinestScale(finest)
        if refinement is not None:
            estimator.setVariationalRefinementIterations(refinement)
        if patch is not None:
            estimator.setPatchSize(patch)
            estimator.setPatchStride(max(1, patch // 3))
        return estimator.calc(frame, neighbour, None)

    return calculate


def lucas_kanade(frame: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
    """Pyramidal Lucas-Kanade at every pixel."""
    points = np.indices(frame.shape, dtype=np.float32)[::-1].reshape(2, -1).T.reshape(-1, 1, 2).copy()
    moved, found, _ = cv2.calcOpticalFlowPyrLK(frame, neighbour, points, None, winSize=(15, 15), maxLevel=3)
    return np.where(found[..., None] == 1, moved - points, 0).reshape(*frame.shape, 2)


def farneback(window: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Farneback's polynomial expansion with a window in pixels."""
    return lambda frame, neighbour: cv2.calcOpticalFlowFarneback(frame, neighbour, None, 0.5, 3, window, 3, 5, 1.2, 0)


def iterative_lucas_kanade(frame: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
    """Le Besnerais and Champagnat's dense iterative Lucas-Kanade, of scikit-image."""
    from skimage.registration import optical_flow_ilk

    return optical_flow_ilk(frame / 255, neighbour / 255, radius=7).transpose(1, 2, 0)[..., ::-1]


def estimators() -> dict[str, Estimator]:
    """Return every estimator by the name it has in the table."""
    ultrafast, fast, medium = (
        partial(dense_inverse_search, preset)
        for preset in (
            cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
            cv2.DISOPTICAL_FLOW_PRESET_FAST,
            cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
        )
    )
    return {
        "zero flow": lambda frame, _: np.zeros((2, *frame.shape), np.float32),
        "DIS ultrafast": on_bytes(ultrafast()),
        "DIS fast": on_bytes(fast()),
        "DIS medium": on_bytes(medium()),
        "DIS ultrafast, finest 0": on_bytes(ultrafast(finest=0)),
        "DIS medium, finest 0": on_bytes(medium(finest=0)),
        "DIS medium, finest 0, 170-320 K": on_bytes(medium(finest=0), (170, 320)),
        "DIS medium, finest 0, 200-300 K": on_bytes(medium(finest=0), (200, 300)),
        "DIS medium, finest 0, no refinement": on_bytes(medium(finest=0, refinement=0)),
        "DIS medium, finest 0, 20 refinements": on_bytes(medium(finest=0, refinement=20)),
        "DIS medium, finest 0, patch 6": on_bytes(medium(finest=0, patch=6)),
        "DIS medium, finest 0, patch 12": on_bytes(medium(finest=0, patch=12)),
        "LR x2, DIS ultrafast": on_bytes(ultrafast(finest=0), zoom=2),
        "LR x2, DIS fast": on_bytes(fast(finest=0), zoom=2),
        "LR x2, DIS fast, no refinement": on_bytes(fast(finest=0, refinement=0), zoom=2),
        "LR x2, DIS medium": on_bytes(medium(finest=0), zoom=2),
        "LR x2, DIS medium, no refinement": on_bytes(medium(finest=0, refinement=0), zoom=2),
        "LR x2, DIS medium, 2 refinements": on_bytes(medium(finest=0, refinement=2), zoom=2),
        "LR x2, DIS medium, patch 6": on_bytes(medium(finest=0, patch=6), zoom=2),
        "LR x2, DIS medium, patch 12": on_bytes(medium(finest=0, patch=12), zoom=2),
        "LR x3, DIS fast": on_bytes(fast(finest=0), zoom=3),
        "LR x4, DIS fast, finest 1": on_bytes(fast(finest=1), zoom=4),
        "LR x4, DIS fast, finest 0": on_bytes(fast(finest=0), zoom=4),
        "Farneback 15": on_bytes(farneback(15)),
        "Farneback 9": on_bytes(farneback(9)),
        "LR x2, Farneback 9": on_bytes(farneback(9), zoom=2),
        "Lucas-Kanade, pyramid": on_bytes(lucas_kanade),
        "Lucas-Kanade, iterative": on_bytes(iterative_lucas_kanade),
        "estimate_flow (default)": estimate_flow,
    }


def simulated(storms: int, frames: int, size: int = 256) -> Iterator[Pair]:
    """Yield pairs of simulated frames with their true flow."""
    for seed in range(storms):
        storm = simulate_storm(seed=9000 + seed, frames=frames, size=size)
        kelvin, flow = storm["brightness_temperature"].values, storm["flow"].values
        for index in range(1, frames):
            yield Pair(kelvin[index], kelvin[index - 1], flow[index])


def real(path: Path, pairs: int, **selection: str) -> Iterator[Pair]:
    """Yield pairs of real frames exactly one hour apart, spread over the sequence."""
    sequence = open_sequence(path, **selection)
    side = {name: slice(0, sequence.sizes[name] // SCALE * SCALE) for name in ("y", "x")}
    hourly = np.flatnonzero(np.diff(sequence["time"].values) == np.timedelta64(1, "h"))
    for first in hourly[np.linspace(0, len(hourly) - 1, pairs).astype(int)]:
        neighbour, frame = sequence.isel(time=slice(first, first + 2), **side).values
        if np.isfinite(frame).all() and np.isfinite(neighbour).all():
            yield Pair(frame, neighbour)


def measure(estimate: Estimator, pairs: list[Pair]) -> dict[str, float]:
    """Return the mean end-point error of an estimator over pairs, and its RMSE of advected neighbours."""
    errors: dict[str, list[float]] = {"end_point": [], "lowres": [], "highres": []}
    for pair in pairs:
        frame, neighbour = pair.lowres()
        flow = estimate(frame, neighbour)
        highres = upsample(flow, SCALE)
        errors["lowres"].append(_square(advect(neighbour, flow) - frame, MARGIN // SCALE))
        errors["highres"].append(_square(advect(pair.neighbour, highres) - pair.frame, MARGIN))
        if pair.truth is not None:
            inside = slice(MARGIN, -MARGIN)
            distance = np.hypot(*(highres - pair.truth))[inside, inside]
            errors["end_point"].append(float(distance.mean()))
    result = {name: float(np.sqrt(np.mean(errors[name]))) for name in ("lowres", "highres")}
    if errors["end_point"]:
        result["end_point"] = float(np.mean(errors["end_point"]))
    return result


def milliseconds(estimate: Estimator, pair: Pair, repeats: int = 8) -> float:
    """Return the shortest time that an estimator takes for a pair."""
    frames, times = pair.lowres(), []
    for _ in range(repeats):
        start = time.perf_counter()
        estimate(*frames)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def _square(difference: np.ndarray, margin: int) -> float:
    return float(np.square(difference[margin:-margin, margin:-margin]).mean())


def _table(results: dict[str, dict], sources: list[str]) -> Table:
    title = "Flow from 4x4 means: end-point error (HR pixels), RMSE of advected neighbours (K), ms at 128x128"
    table = Table(title=title)
    table.add_column("estimator", no_wrap=True)
    table.add_column("EPE", justify="right")
    for source in sources:
        table.add_column(f"{source}: LR", justify="right")
        table.add_column("HR", justify="right")
    table.add_column("ms", justify="right")
    for name, row in results.items():
        cells = [f"{row[source][key]:.2f}" for source in sources for key in ("lowres", "highres")]
        table.add_row(name, f"{row['simulated']['end_point']:.2f}", *cells, f"{row['milliseconds']:.1f}")
    return table


def main() -> None:
    """Measure, print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--pairs", type=int, default=24, help="real pairs of each source")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    sources = {"simulated": list(simulated(storms=4, frames=8))}
    typhoon, merged = arguments.data / "digital-typhoon/WP", arguments.data / "merged-ir"
    if typhoon.exists():
        sources["typhoon 200717"] = list(real(typhoon, arguments.pairs, storm="200717"))
    if merged.exists():
        sources["merged IR 2019"] = list(real(merged / "merg_20191225-31_hourly.nc", arguments.pairs))
    large = next(simulated(storms=1, frames=2, size=512))
    results = {
        name: {
            "milliseconds": milliseconds(estimate, large),
            **{source: measure(estimate, pairs) for source, pairs in sources.items()},
        }
        for name, estimate in estimators().items()
    }
    Console(width=None if Console().is_terminal else 120).print(_table(results, list(sources)))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
