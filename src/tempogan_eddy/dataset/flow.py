"""Motion between lowres frames: inference has no others.

The flow is backward, in pixels of the grid that it lies on: ``frame(p) ~ neighbour(p + flow(p))``,
component 0 along x (right), component 1 along y (down). ``experiments/flow.md`` holds the measurements.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.errors import InputError
from tempogan_eddy.kelvin import FLOW_KELVIN
from tempogan_eddy.shared_setting import SharedSetting

__all__ = ["estimate_flow", "kelvin_to_bytes"]

ZOOM = 2  # enlarge the frames first: motion by a part of a lowres pixel counts on the highres grid
REFINEMENTS = 2  # more of them smooth the flow of deforming cloud too much
SMALLEST_SIDE = 8  # the estimator refuses frames that do not hold a patch on every scale


def estimate_flow(
    frame: NDArray[np.floating],
    neighbour: NDArray[np.floating],
    *,
    kelvin_range: tuple[float, float] = FLOW_KELVIN,
) -> NDArray[np.float32]:
    """Estimate the backward flow from one frame to its neighbour by dense inverse search.

    T. Kroeger, R. Timofte, D. Dai, L. Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016.

    Parameters
    ----------
    frame, neighbour
        Brightness temperature in kelvin, ``(h, w)``; NaN marks missing pixels.
    kelvin_range
        Kelvins of black and white in the 8-bit images that are compared: fixed, never per frame.

    Returns
    -------
    flow
        ``(2, h, w)`` in pixels, x right and y down; 0 where either frame is missing.

    Raises
    ------
    InputError
        If the frames are not two-dimensional or differ in shape.
    """
    if frame.ndim != 2 or frame.shape != neighbour.shape:
        raise InputError(
            f"The flow needs two frames (y, x) of one shape, not {frame.shape} and {neighbour.shape}; "
            "give frames of one sequence."
        )
    missing = ~(np.isfinite(frame) & np.isfinite(neighbour))
    if missing.all():
        return np.zeros((2, *frame.shape), np.float32)
    height, width = frame.shape
    padding = (0, max(0, SMALLEST_SIDE - height), 0, max(0, SMALLEST_SIDE - width))
    images = []
    for image in _fill(frame, neighbour):
        padded = cv2.copyMakeBorder(image.astype(np.float32), *padding, cv2.BORDER_REPLICATE)
        enlarged = cv2.resize(padded, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
        images.append(kelvin_to_bytes(enlarged.astype(np.float32), kelvin_range))
    with _ONE_THREAD:
        flow = _estimator().calc(images[0], images[1], None)  # type: ignore[call-overload]
    flow = cv2.resize(flow, None, fx=1 / ZOOM, fy=1 / ZOOM, interpolation=cv2.INTER_AREA) / ZOOM
    flow = flow[:height, :width]
    flow[missing] = 0
    return np.ascontiguousarray(flow.transpose(2, 0, 1), dtype=np.float32)


def kelvin_to_bytes(frame: NDArray[np.floating], kelvin_range: tuple[float, float]) -> NDArray[np.uint8]:
    """Map kelvins linearly onto 0-255; values outside the range saturate."""
    low, high = kelvin_range
    return np.clip(np.rint((frame - low) * (255.0 / (high - low))), 0, 255).astype(np.uint8)


def _fill(frame: NDArray[np.floating], neighbour: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """Fill missing pixels from the other frame, then by the mean: a filled pixel suggests no motion."""
    known = np.concatenate([image[np.isfinite(image)] for image in (frame, neighbour)])
    mean = known.mean()
    filled = []
    for image, other in ((frame, neighbour), (neighbour, frame)):
        image = np.where(np.isfinite(image), image, other)
        filled.append(np.where(np.isfinite(image), image, mean))
    return filled


def _estimator() -> cv2.DISOpticalFlow:
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setFinestScale(0)  # the default is chosen by the frames' size
    estimator.setVariationalRefinementIterations(REFINEMENTS)
    return estimator


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit OpenCV to one thread: the result of dense inverse search depends on the number of threads."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


_ONE_THREAD = SharedSetting(_one_thread)
