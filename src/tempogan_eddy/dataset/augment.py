"""Flips and quarter turns, the same for every frame of a window and for its flow.

Scaling and turning by other angles would interpolate, and so erase the faint top octave that the
discriminators are to learn from.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.dataset.separable_sensors import BoxSensor, SeparableSensor

__all__ = ["SYMMETRIES", "augment_sensor", "mirrors", "turn_flow", "turn_frames"]

SYMMETRIES = 8
"""Flips and turns of a square."""


def turn_frames(frames: NDArray[Any], symmetry: int) -> NDArray[Any]:
    """Return a view of frames (..., H, W) after one of the eight symmetries of the square.

    ``symmetry`` counts quarter turns counter-clockwise, and from 4 on a left-right flip before them.
    """
    up, left, transposed = mirrors(symmetry)
    frames = frames[..., :: -1 if up else 1, :: -1 if left else 1]
    return frames.swapaxes(-2, -1) if transposed else frames


def turn_flow(flow: NDArray[Any], symmetry: int) -> NDArray[Any]:
    """Return flow (..., 2, h, w), x right, y down, after the same symmetry, place and vectors both."""
    up, left, transposed = mirrors(symmetry)
    signs = np.array([-1 if left else 1, -1 if up else 1], flow.dtype)
    turned = turn_frames(flow * signs[:, None, None], symmetry)
    return turned[..., ::-1, :, :] if transposed else turned


def mirrors(symmetry: int) -> tuple[bool, bool, bool]:
    """Return a symmetry as three steps: whether to mirror the rows, to mirror the columns, and to transpose then."""
    flip, half, quarter = symmetry >= 4, symmetry % 4 >= 2, symmetry % 2 == 1
    return half, (flip != half) != quarter, quarter


def augment_sensor(sensor: SeparableSensor, symmetry: int) -> SeparableSensor:
    """Return the sensor that sees turned frames as this one sees them unturned."""
    if not isinstance(sensor, BoxSensor):
        return sensor  # the same along both axes and in both directions
    (*y, phase), (*x, phase_x) = sensor.sizes
    up, left, transposed = mirrors(symmetry)
    along = (*y, -phase if up else phase), (*x, -phase_x if left else phase_x)
    (width, fwhm, phase), (width_x, fwhm_x, phase_x) = reversed(along) if transposed else along
    return replace(sensor, width=width, fwhm=fwhm, phase=phase, width_x=width_x, fwhm_x=fwhm_x, phase_x=phase_x)
