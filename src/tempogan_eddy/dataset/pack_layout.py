"""The layout of a packed store: the arrays of a storm, and the meaning of their numbers.

Each storm is a group that xarray opens by itself: ``brightness_temperature`` as CF-packed int16 at
0.01 K, its times and coordinates, the numbers of the frames one cadence before and after each, and the
lowres flow to both as int16 at 0.01 px.
"""

from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from tempogan_eddy.dataset.windows import Links

__all__ = [
    "COMPLETE",
    "FLOW_QUANTUM",
    "KELVIN_OFFSET",
    "KELVIN_QUANTUM",
    "LOWRES",
    "MISSING",
    "NEIGHBOURS",
    "OUTSIDE",
    "PAIR",
    "create_flow",
    "create_kelvin",
    "write_links",
]

KELVIN_QUANTUM, KELVIN_OFFSET, MISSING = 0.01, 250.0, -32768
# Beyond the edge of a frame: only in patches with a margin, never in a store.
OUTSIDE = -32767
FLOW_QUANTUM = 0.01
LOWRES = "lowres_brightness_temperature"
"""Holds the lowres frames of own pairs; a store without it has its lowres frames simulated."""
NEIGHBOURS = ("previous", "next")
PAIR = "pair"
"""Attribute of a storm: what was fitted to the pair, as JSON."""
COMPLETE = "complete"
"""Attribute of a storm whose frames are all written."""


def create_kelvin(
    group: zarr.Group, name: str, shape: tuple[int, ...], dimensions: list[str], attributes: dict[str, str]
) -> zarr.Array:
    """Create an array of kelvins."""
    packing = {"units": "K", "scale_factor": KELVIN_QUANTUM, "add_offset": KELVIN_OFFSET, "_FillValue": MISSING}
    return _create_array(group, name, shape, dimensions, MISSING, packing | attributes)


def create_flow(group: zarr.Group, neighbour: str, shape: tuple[int, ...]) -> zarr.Array:
    """Create the array of the flow from each frame to a neighbour, (frames, 2, h, w)."""
    attributes = {
        "long_name": f"displacement from a frame to the {neighbour} one a cadence away; components x right, y down",
        "units": "pixel",
        "scale_factor": FLOW_QUANTUM,
        "add_offset": 0.0,
    }
    return _create_array(group, f"flow_{neighbour}", shape, ["time", "component", "y_low", "x_low"], 0, attributes)


def _create_array(
    group: zarr.Group, name: str, shape: tuple[int, ...], dimensions: list[str], fill: int, attributes: dict[str, Any]
) -> zarr.Array:
    """Create an int16 array with one frame a chunk."""
    return group.create_array(
        name,
        shape=shape,
        chunks=(1, *shape[1:]),
        dtype="int16",
        fill_value=fill,
        dimension_names=dimensions,
        attributes=attributes,
        compressors=[ZstdCodec(), Crc32cCodec()],
        overwrite=True,
    )


def write_links(group: zarr.Group, links: Links) -> None:
    """Write the numbers of the frames that flow was computed to."""
    for neighbour, numbers in zip(NEIGHBOURS, (links.previous, links.following), strict=True):
        array = group.create_array(
            f"frame_{neighbour}",
            shape=numbers.shape,
            dtype="int32",
            fill_value=-1,
            dimension_names=["time"],
            attributes={"long_name": f"number of the {neighbour} frame one cadence away; -1: none"},
            compressors=[ZstdCodec(), Crc32cCodec()],
            config={"write_empty_chunks": True},
            overwrite=True,
        )
        array[:] = numbers.astype(np.int32)
