"""Make the coastline that the package carries, of Natural Earth's land at 1:50 million.

Run as: npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz && python scripts/coastline.py package/land-50m.json

Natural Earth is in the public domain; world-atlas (ISC licence) is Natural Earth 4.1.0 as TopoJSON.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import numpy as np

from tempogan_eddy.display.coast import COAST, STEP, TURN

SEAM, POLE = 179.99, -89.0  # degrees: edges there close polygons and are no coast


def main(path: Path) -> None:
    """Read the arcs, cut those at the date line and the pole, and write them as steps between points."""
    topology = json.loads(path.read_bytes())
    scale, offset = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    content = bytearray()
    for arc in topology["arcs"]:
        points = np.cumsum(arc, axis=0) * scale + offset
        closing = (np.abs(points[:, 0]) > SEAM) | (points[:, 1] < POLE)
        for line in np.split(points, np.flatnonzero(closing[1:] & closing[:-1]) + 1):
            content += _packed(line)
    COAST.write_bytes(zlib.compress(bytes(content), 9))
    print(f"{COAST}: {COAST.stat().st_size / 1000:.0f} kB")


def _packed(line: np.ndarray) -> bytes:
    """Return the number of points, the first point and the steps to the others, as LEB128 of zigzag integers."""
    whole = np.rint(line / STEP).astype(int)
    steps = np.diff(whole, axis=0)
    steps[:, 0] = (steps[:, 0] + TURN // 2) % TURN - TURN // 2  # over the date line
    steps = steps[steps.any(axis=1)]
    if not len(steps):
        return b""
    packed = bytearray()
    for value in (len(steps) + 1, *whole[0].tolist(), *steps.ravel().tolist()):
        rest = value << 1 if value >= 0 else ~(value << 1)
        while rest >= 128:
            packed.append(rest & 127 | 128)
            rest >>= 7
        packed.append(rest)
    return bytes(packed)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
