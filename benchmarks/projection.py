"""What the projection costs: its share of a frame, for several sensors and each engine.

    python -m benchmarks.projection [--repeats 15]

CPU time of one thread for a frame of 128x128 lowres pixels, `SensorModel.project` and ``eddy`` in turn.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from statistics import median

import numpy as np
import torch

from benchmarks.releases import ENGINES, SIDE, cpu_seconds
from benchmarks.report import Row, console, table
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.errors import InputError
from tempogan_eddy.reconstruction import Reconstructor
from tempogan_eddy.weights import load_model

SENSORS = ("area", "box,width=1.6", "gaussian,fwhm=1.0", "seviri")
COLUMNS = {
    "sensor": ("sensor", ""), "engine": ("engine", ""), "projection": ("projection, ms", ".2f"),
    "frame": ("frame, ms", ".0f"), "share": ("share, %", ".1f"), "note": ("", ""),
}  # fmt: skip


def shares(text: str, repeats: int) -> Iterator[Row]:
    """Yield a row for each engine; one that is not installed says so."""
    model = load_model("eddy")
    sensor = SensorModel.parse(text, model.scale)
    lowres = np.random.default_rng(0).uniform(200, 300, (1, SIDE, SIDE)).astype(np.float32)
    for engine, precision in ENGINES:
        row: dict[str, object] = {"sensor": text, "engine": f"{engine}, {precision}"}
        try:
            rebuild = Reconstructor(model, sensor=sensor, device="cpu", engine=engine, precision=precision)
            highres, measured = torch.from_numpy(np.asarray(rebuild(lowres))), torch.from_numpy(lowres)
        except InputError as error:
            yield row | {"note": str(error)}
            continue

        def project(highres: torch.Tensor = highres, measured: torch.Tensor = measured) -> object:
            return sensor.project(highres, measured)

        def whole(rebuild: Reconstructor = rebuild) -> object:
            return rebuild(lowres)

        with torch.inference_mode():
            part, frame = (median(seconds) for seconds in cpu_seconds([project, whole], repeats))
        yield row | {"projection": 1e3 * part, "frame": 1e3 * frame, "share": 100 * part / frame}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for sensor in SENSORS for row in shares(sensor, options.repeats)]
    console().print(table("Projection of a frame of 512x512", rows, COLUMNS))


if __name__ == "__main__":
    main()
