"""Measure how strong scan lines are in the truth of the typhoons, and what they add to the LSD of `eddy`.

python -m experiments.scan_lines
"""

from __future__ import annotations

import numpy as np

from benchmarks.paths import DATA
from tempogan_eddy import load_model, open_sequence, reconstruct
from tempogan_eddy.dataset.sensor import SensorModel
from tempogan_eddy.rapsd import log_spectral_distance, radial_power

HOURS = {"200717": ("2007-10-07T19", "2007-10-08T18"), "198702": ("1987-04-14T05", "1987-04-15T04")}
HIGHEST = (185, 256)  # wavenumbers, cycles per frame


def main() -> None:
    """Print the ratio of power across and along scan lines, and LSD up to two wavenumbers."""
    for storm, (first, last) in HOURS.items():
        truth = open_sequence(DATA / "digital-typhoon" / "WP", storm=storm)
        truth = truth.sel(time=slice(first, last)).dropna("time")[::3].load()
        window = np.outer(np.hanning(truth.sizes["y"]), np.hanning(truth.sizes["x"]))
        power = np.abs(np.fft.rfft2(truth.values * window)) ** 2
        ratio = power[:, 240:257, :60].mean() / power[:, :60, 240:257].mean()
        highres = reconstruct(SensorModel("area", 4).coarsen(truth), load_model("eddy"))
        ours, true = ([radial_power(x, np.isfinite(x)) for x in frames.values] for frames in (highres, truth))
        distances = [
            np.mean([log_spectral_distance(a[:highest], b[:highest]) for a, b in zip(ours, true, strict=True)])
            for highest in HIGHEST
        ]
        print(
            f"{storm}: power across over along the lines {ratio:.1f}; LSD up to {HIGHEST}: {np.round(distances, 2)} dB"
        )


if __name__ == "__main__":
    main()
