"""Baselines of a reconstruction: linear restorations of the lowres frame, one frame at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tempogan_eddy.dataset.blocks import block_means, split_blocks
from tempogan_eddy.dataset.missing import MINIMUM_SEEN, fill_missing

if TYPE_CHECKING:
    from tempogan_eddy.dataset.sensor import SensorModel

__all__ = ["BASELINES", "area_mean", "back_projected", "bicubic", "nearest", "observe", "restore_missing", "wiener"]


def area_mean(frame: NDArray[np.floating], scale: int) -> NDArray[np.floating]:
    """Average blocks of `scale` x `scale` pixels over their valid pixels.

    Parameters
    ----------
    frame : (H, W) array
        Kelvin, NaN where missing; trailing rows and columns that fill no block are dropped.
    scale : int
        Side of a block, pixels.

    Returns
    -------
    (H // scale, W // scale) array
        NaN where less than half of a block is valid.
    """
    blocks = split_blocks(frame, scale)
    valid = np.isfinite(blocks)
    if valid.all():
        return block_means(frame, scale).astype(frame.dtype)
    count = valid.sum(axis=(1, 3))
    total = np.where(valid, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count >= MINIMUM_SEEN * scale**2)
    return mean.astype(frame.dtype)


def observe(frame: NDArray[np.floating], sensor: SensorModel) -> NDArray[np.floating]:
    """Return a highres frame (H, W) as the sensor sees it, without noise; `area_mean` is the usual case."""
    if sensor.is_block_mean:
        return area_mean(frame, sensor.scale)
    import torch  # slow to import

    rows, columns = (side // sensor.scale * sensor.scale for side in frame.shape)
    return sensor.see(torch.from_numpy(np.array(frame[:rows, :columns]))).numpy()


def nearest(lowres: NDArray[np.floating], scale: int) -> NDArray[np.floating]:
    """Repeat every pixel `scale` x `scale` times: (h, w) to (h * scale, w * scale)."""
    return np.repeat(np.repeat(lowres, scale, axis=0), scale, axis=1)


def bicubic(lowres: NDArray[np.floating], scale: int) -> NDArray[np.floating]:
    """Interpolate with the separable cubic convolution of Keys (1981), a = -0.75, half-pixel centres.

    This is `INTER_CUBIC` of OpenCV, equal to `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)`:
    repeat the outermost pixel beyond the border. Fill missing pixels with their nearest valid neighbour first, so they
    do not change their neighbours; their blocks stay missing.

    Parameters
    ----------
    lowres : (h, w) array
        Kelvin, NaN where missing.
    scale : int
        Refinement of the grid.

    Returns
    -------
    (h * scale, w * scale) array
    """
    return restore_missing(_interpolate(fill_missing(lowres), scale), lowres, scale)


def back_projected(lowres: NDArray[np.floating], sensor: SensorModel) -> NDArray[np.floating]:
    """Interpolate as `bicubic`, then move to the nearest frame that the sensor sees as the lowres frame.

    This is iterative back-projection (Irani and Peleg 1991) to its end. For the area mean it shifts each block so that
    its mean equals the lowres pixel. A sensor with noise is followed only as far as its noise allows.
    """
    filled = fill_missing(lowres)
    projected = _project(_interpolate(filled, sensor.scale), filled, sensor)
    return restore_missing(projected, lowres, sensor.scale)


def wiener(lowres: NDArray[np.floating], sensor: SensorModel) -> NDArray[np.floating]:
    """Apply the Wiener filter of the sensor, for the mean spectrum of real frames, and project as `back_projected`.

    This is the strongest baseline: no linear restoration that is alike everywhere has a smaller error.
    """
    import torch  # slow to import

    from tempogan_eddy.evaluation.wiener import restore

    filled = fill_missing(lowres)
    restored = restore(torch.from_numpy(filled), sensor).numpy().astype(lowres.dtype)
    # The filter knows the noise better than a projection, but not radiance.
    if sensor.wavelength or not sensor.has_noise:
        restored = _project(restored, filled, sensor)
    return restore_missing(restored, lowres, sensor.scale)


def _project(frame: NDArray[np.floating], lowres: NDArray[np.floating], sensor: SensorModel) -> NDArray[np.floating]:
    import torch

    return sensor.project(torch.from_numpy(frame), torch.from_numpy(lowres)).numpy()


BASELINES: dict[str, Callable[[NDArray[np.floating], SensorModel], NDArray[np.floating]]] = {
    "nearest": lambda lowres, sensor: nearest(lowres, sensor.scale),
    "bicubic": lambda lowres, sensor: bicubic(lowres, sensor.scale),
    "back-projected bicubic": back_projected,
    "Wiener filter": wiener,
}
"""Restorations of a lowres frame (h, w), in kelvin, by name."""


def _interpolate(filled: NDArray[np.floating], scale: int) -> NDArray[np.floating]:
    import cv2

    # Around the mean, single precision keeps 1e-5 K; on 300 K it would keep 1e-4 K.
    mean = filled.mean()
    return cv2.resize(filled - mean, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) + mean


def restore_missing(frame: NDArray[np.floating], lowres: NDArray[np.floating], scale: int) -> NDArray[np.floating]:
    """Make the blocks (h * scale, w * scale) of the missing pixels of `lowres` (h, w) missing, in place."""
    missing = ~np.isfinite(lowres)
    if missing.any():
        frame[nearest(missing, scale)] = np.nan
    return frame
