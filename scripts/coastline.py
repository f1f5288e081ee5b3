"""Make the coastline that the package carries, of Natural Earth's land at 1:50 million.

Run as: npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz && python scripts/coastline.py package/land-50m.json

Natural Earth is in the public domain; world-atlas (ISC licence) is Natural Earth 4.1.0 as TopoJSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tempogan_eddy.display.coast import COAST, STEP, TURN

SEAM, POLE = 179.99, -89.0  # degrees: edges there close polygons and are no coast


def main(path: Path) -> None:
    """Read the arcs, cut those at the date line and the pole, and write them as steps between points."""
    topology = json.loads(path.read_bytes())
    scale, offset = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    lines = []
    for arc in topology["arcs"]:
        points = np.cumsum(arc, axis=0) * scale + offset
        closing = (np.abs(points[:, 0]) > SEAM) | (points[:, 1] < POLE)
        for line in np.split(points, np.flatnonzero(closing[1:] & closing[:-1]) + 1):
            steps = _steps(line)
            lines += [steps] if len(steps) > 1 else []
    np.savez_compressed(COAST, lengths=np.array(list(map(len, lines)), np.int16), steps=np.concatenate(lines))
    print(f"{COAST}: {COAST.stat().st_size / 1000:.0f} kB")


def _steps(line: np.ndarray) -> np.ndarray:
    """Return the first point and the steps to the others, (n, 2)."""
    whole = np.rint(line / STEP).astype(int)
    steps = np.diff(whole, axis=0)
    steps[:, 0] = (steps[:, 0] + TURN // 2) % TURN - TURN // 2  # over the date line
    return np.concatenate([whole[:1], steps[steps.any(axis=1)]]).astype(np.int16)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
